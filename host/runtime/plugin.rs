//! One plugin: one exported world of one version of one component, with the calls that the host makes.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::bindings::strategy::corsac::plugin::types::PluginError;
use super::component::PluginKind;
use super::convert::{self, Candidates, Proposal, Ranking};
use super::error::CallError;
use super::imports::Retriever;
use super::instance::{Guest, Instance, Template, WarmPool, classify, ticks};
use super::limits::PluginOptions;
use super::outgoing::Grant;
use super::statistics::{InFlight, Statistics};
use crate::query::Query;
use crate::rules::About;

/// Who a plugin says that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    pub name: String,
    pub version: String,
    pub purpose: String,
}

/// What a ranker wants to be given; names as in the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    pub features: Vec<String>,
    pub texts: Vec<String>,
    pub embeddings: bool,
}

/// Where a plugin's bytes came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Carried in the binary, under this name.
    Embedded(String),
    File(std::path::PathBuf),
}

impl Source {
    /// For people and lists: the file's name, without its folder.
    pub fn label(&self) -> String {
        match self {
            Source::Embedded(_) => "embedded".into(),
            Source::File(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }
}

pub struct Plugin {
    pub description: Description,
    pub kind: PluginKind,
    /// BLAKE3 of the file.
    pub digest: blake3::Hash,
    /// BLAKE3 of the file, its settings and the hosts that it may call: equal identities give equal answers.
    pub identity: blake3::Hash,
    pub source: Source,
    pub since: SystemTime,
    /// Empty for other kinds than rankers.
    pub inputs: Inputs,
    pub statistics: Statistics,
    pub options: PluginOptions,
    /// Of trait rules only.
    pub(super) rules: Option<RulesParts>,
    pub(super) label: Arc<str>,
    pub(super) settings: Arc<[(String, String)]>,
    pub(super) grant: Grant,
    pub(super) template: Template,
    pub(super) permits: Semaphore,
    pub(super) warm: WarmPool,
}

/// What trait rules have beside what every plugin has.
pub(super) struct RulesParts {
    pub about: Arc<About>,
    /// The file's bytes: a world keeps the rules that it was made with.
    pub component: Arc<[u8]>,
}

/// A call under way; dropping it (a client that went away) throws the instance away.
pub(super) struct Call<'a> {
    pub(super) instance: Instance,
    began: Instant,
    _permit: SemaphorePermit<'a>,
    _in_flight: InFlight<'a>,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Plugin({} {})", self.label, self.digest)
    }
}

impl Plugin {
    /// `name@version`.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether its answers follow from its inputs and the index alone.
    pub fn is_pure(&self) -> bool {
        self.options.http.is_empty()
    }

    /// Asks a strategy for candidates; its probes go to `retriever`.
    pub async fn propose(&self, query: &Query, retriever: Arc<dyn Retriever>) -> Result<Proposal, CallError> {
        let mut call = self.begin(Some(retriever)).await?;
        let wire = convert::query(query);
        let Guest::Strategy { strategy, .. } = &call.instance.guest else { return Err(self.not_a("strategy")) };
        let outcome = strategy.corsac_plugin_candidate_generation().call_propose(&mut call.instance.store, &wire).await;
        self.finish(call, outcome, convert::proposal)
    }

    /// Asks a ranker for one score a candidate.
    pub async fn rank(&self, query: &Query, candidates: Candidates, explain: bool) -> Result<Ranking, CallError> {
        let mut call = self.begin(None).await?;
        let count = candidates.count;
        let (query, candidates) = (convert::query(query), convert::candidates(candidates));
        let Guest::Ranker(guest) = &call.instance.guest else { return Err(self.not_a("ranker")) };
        let ranking = guest.corsac_plugin_ranking();
        let outcome = ranking.call_rank(&mut call.instance.store, &query, &candidates, explain).await;
        self.finish(call, outcome, |scored| convert::ranking(scored, count))
    }

    /// No new calls will come: lets go of the instances that wait for one.
    pub(super) fn retire(&self) {
        self.warm.clear();
    }

    /// What trait rules said of themselves; none for other kinds.
    pub fn rules(&self) -> Option<&About> {
        self.rules.as_ref().map(|rules| &*rules.about)
    }

    pub(super) fn not_a(&self, kind: &str) -> CallError {
        CallError::Unsupported(format!("{} is no {kind}", self.label))
    }

    pub(super) async fn begin(&self, retriever: Option<Arc<dyn Retriever>>) -> Result<Call<'_>, CallError> {
        let in_flight = self.statistics.enter();
        let permit = self.permits.acquire().await.map_err(|_| CallError::Exhausted("the host stops".into()))?;
        let began = Instant::now();
        let mut instance = match self.warm.take() {
            Some(instance) => instance,
            None => match self.template.instantiate(&self.label, &self.settings, &self.options).await {
                Ok(instance) => instance,
                Err(error) => {
                    self.statistics.record(began.elapsed(), 0, Some(&error));
                    return Err(error);
                }
            },
        };
        instance.store.data_mut().begin(retriever, self.options.max_probes, ticks(self.options.deadline()));
        instance.store.data_mut().grant(&self.grant);
        instance.store.set_epoch_deadline(1);
        Ok(Call { instance, began, _permit: permit, _in_flight: in_flight })
    }

    /// Counts the call, decides what becomes of the instance, and checks what the guest returned.
    pub(super) fn finish<W, R>(
        &self,
        call: Call<'_>,
        outcome: wasmtime::Result<Result<W, PluginError>>,
        check: impl FnOnce(W) -> Result<R, CallError>,
    ) -> Result<R, CallError> {
        let result = match outcome {
            Ok(Ok(value)) => check(value),
            Ok(Err(error)) => Err(convert::plugin_error(error)),
            Err(error) => Err(classify(&error, call.instance.store.data(), &self.options)),
        };
        let state = call.instance.store.data();
        let guest_time = call.began.elapsed().saturating_sub(state.elsewhere());
        self.statistics.record(guest_time, state.memory.high_water, result.as_ref().err());
        if result.is_ok() {
            self.warm.give(call.instance, &self.options);
        }
        result
    }
}
