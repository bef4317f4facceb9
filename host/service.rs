//! The search service: admit, key, cache, and on a miss strategy, ranker, fetch. Knows nothing of HTTP.

/// What an answer says of how its query was understood.
pub mod analysis;
/// The JSON shape of an answer.
pub mod answer;
/// Columns for the ranker.
mod columns;
/// Why there is no answer.
mod error;
/// What is shown of long texts.
mod excerpt;
/// All hits of a window, a page at a time.
pub mod export;
/// Counts over the window.
pub mod facets;
/// From ranked candidates to the page that the client sees.
mod page;
/// Passages for a language model.
pub mod passages;
/// What one search is made of.
mod plan;
/// Probes of one query over one snapshot.
mod probes;
/// What is asked.
mod request;
/// Stages and their times.
mod stages;
/// A search as it happens.
pub mod stream;
/// How much work on the index at once.
pub(crate) mod turns;
/// The query as it is understood, and as it was asked where that finds more.
mod understand;
/// Frequent questions, and their answers before anybody asks again.
pub mod warm;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::{Instrument, debug_span, field};

use crate::cache::{Cache, Computed, Digest, Entry, Recent};
use crate::index::Searched;
use crate::query::RetrievalError;
use crate::runtime::features::AFFINITY;
use crate::runtime::{CallError, PluginKind, Proposal, Runtime};
use crate::usage::{Choices, Forgetful, QueryLog};
use columns::{Asker, Window};
use error::blame;
use page::Outcome;
use plan::{Plan, namespace_of};
use probes::ProbeRunner;
use stages::{Stages, Timings};
use warm::Frequent;

/// The ranker of a request that names none.
pub const DEFAULT_RANKER: &str = "rank-relevance";

/// The confidence from which on a query is searched as it was understood, unless a request says another.
pub const LEAST_CONFIDENCE: f32 = 0.6;

/// What is searched unless another collection is named.
const DOCUMENTS: &str = "documents";

/// Candidates of a question that does not say how many.
pub const DEFAULT_WINDOW: u32 = 100;
/// Candidates that are ranked at most, as the contract of rankers has it; also the deepest hit that paging reaches.
pub const WINDOW: u32 = 1000;
/// Candidates of an export: what is beyond `WINDOW` follows in the strategy's order.
pub const EXPORT_WINDOW: u32 = 10_000;

/// Ranked windows are kept for who reads on to the next page, within so many bytes. A window of 100 takes some
/// 60 kB, so there is room for more readers than a host serves at a time.
const RECENT_BYTES: u64 = 32 << 20;
const RECENT: Duration = Duration::from_secs(60);

/// Of a search's time, what its probes may take: a slow one then fails alone, and what the others found
/// can still be ranked and fetched.
const PROBE_SHARE: f32 = 0.8;

/// What bounds a search, over all plugins.
#[derive(Clone, Copy, Debug)]
pub struct ServiceLimits {
    /// Searches computed at the same time; answers from the cache need no permit.
    pub concurrent_searches: usize,
    /// From admission to the finished answer.
    pub timeout: Duration,
}

/// Answers searches. One for the process; clones share it.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    runtime: Arc<Runtime>,
    index: Searched,
    /// Tells its answers from those over another index in the same cache.
    collection: Box<str>,
    cache: Cache,
    /// Ranked windows by their digests.
    recent: Recent<Outcome>,
    permits: Semaphore,
    /// Exports under way: each holds a large window for as long as its client reads.
    exports: Arc<Semaphore>,
    limits: ServiceLimits,
    /// What is asked most, for warming; none: not counted.
    frequent: Option<Frequent>,
    learning: Learning,
}

/// What searches learn from use, and what they learn it by.
#[derive(Clone)]
pub struct Learning {
    pub log: Arc<dyn QueryLog>,
    pub choices: Arc<dyn Choices>,
}

impl Default for Learning {
    fn default() -> Self {
        Self { log: Arc::new(Forgetful), choices: Arc::new(Forgetful) }
    }
}

impl Service {
    pub fn new(runtime: Arc<Runtime>, index: impl Into<Searched>, cache: Cache, limits: ServiceLimits) -> Self {
        Self::over(DOCUMENTS, runtime, index, cache, limits)
    }

    /// As `new`, over another collection than the documents. Two collections of one name must hold the same
    /// at the same generation, also in other processes if they share the cache.
    pub fn over(
        collection: &str,
        runtime: Arc<Runtime>,
        index: impl Into<Searched>,
        cache: Cache,
        limits: ServiceLimits,
    ) -> Self {
        Self::start(collection, runtime, index.into(), cache, limits, None)
    }

    /// Counts questions, so that `keep_warm` can answer the `wanted` most frequent ones ahead; 0: none.
    /// Counts are halved every `period`.
    pub fn warming(
        runtime: Arc<Runtime>,
        index: impl Into<Searched>,
        cache: Cache,
        limits: ServiceLimits,
        wanted: usize,
        period: Duration,
    ) -> Self {
        let frequent = (wanted > 0).then(|| Frequent::new(wanted, period));
        Self::start(DOCUMENTS, runtime, index.into(), cache, limits, frequent)
    }

    fn start(
        collection: &str,
        runtime: Arc<Runtime>,
        index: Searched,
        cache: Cache,
        limits: ServiceLimits,
        frequent: Option<Frequent>,
    ) -> Self {
        let (collection, permits) = (collection.into(), Semaphore::new(limits.concurrent_searches));
        let learning = Learning::default();
        let (recent, exports) = (Recent::new(RECENT_BYTES, RECENT), Arc::new(Semaphore::new(export::AT_ONCE)));
        let inner = Inner { runtime, index, collection, cache, recent, permits, exports, limits, frequent, learning };
        Self { inner: Arc::new(inner) }
    }

    /// Remembers what is asked, and tells rankers what was chosen. Before there are clones: later it has no effect.
    pub fn learning(mut self, learning: Learning) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.learning = learning;
        }
        self
    }

    /// One search: plugins and index as they are at this moment, whatever changes meanwhile.
    pub async fn search(&self, request: SearchRequest) -> Result<Answer, SearchError> {
        let began = Instant::now();
        let inner = &*self.inner;
        let (plan, key) = inner.asked(request, began)?;
        let span = debug_span!("cache", namespace = plan.namespace(), hit = field::Empty);
        let found = inner.cache.get(plan.namespace(), key).instrument(span.clone()).await;
        span.record("hit", found.is_some());
        drop(span);
        let log = &inner.learning.log;
        if let Some(entry) = found {
            if plan.first_page() {
                log.again(&plan.request.query.text);
            }
            return Ok(Answer::from_cache(entry, CacheStatus::Hit, began));
        }
        let text = plan.first_page().then(|| plan.request.query.text.clone());
        let strategy = plan.strategy.clone();
        // Shared, because the computation may outlive this call: a stale answer is given before it.
        let timings = Arc::new(Mutex::new(Vec::new()));
        let compute = self.inner.clone().answer(plan, timings.clone());
        let (entry, source) = inner.cache.get_or_compute(namespace_of(&strategy), key, compute).await?;
        if let Some(text) = text {
            log.asked(&text, page::total(&entry.body));
        }
        if source.is_hit() {
            return Ok(Answer::from_cache(entry, source, began));
        }
        let timings = std::mem::take(&mut *timings.lock());
        Ok(Answer { body: entry.body, etag: entry.etag, cache: source, timings })
    }
}

impl Inner {
    /// Computes within the time limit; what the stages took is in `timings` at the end.
    async fn answer(self: Arc<Self>, plan: Plan, timings: Arc<Mutex<Timings>>) -> Result<Computed, SearchError> {
        let mut stages = Timings::new();
        let computed = tokio::time::timeout(self.limits.timeout, self.compute(&plan, Stages::new(&mut stages))).await;
        *timings.lock() = stages;
        computed.unwrap_or(Err(SearchError::TimedOut(self.limits.timeout)))
    }

    /// What a client's search is made of, and where its answer is kept; counted among what is asked often.
    fn asked(&self, request: SearchRequest, began: Instant) -> Result<(Plan, Digest), SearchError> {
        let plan = self.plan(request)?;
        let question = plan.request.digest();
        if let Some(frequent) = &self.frequent
            && plan.is_pure()
        {
            frequent.count(&plan, &question, began);
        }
        let key = plan.key(&self.collection, &question);
        Ok((plan, key))
    }

    /// Takes the one look at registry and index that the whole query lives with.
    fn plan(&self, request: SearchRequest) -> Result<Plan, SearchError> {
        let registry = self.runtime.registry();
        let strategy = registry.find(PluginKind::Strategy, &request.strategy).ok_or_else(|| {
            SearchError::UnknownStrategy { name: request.strategy.clone(), known: registry.names(PluginKind::Strategy) }
        })?;
        let ranker = request.ranker.as_deref().unwrap_or(DEFAULT_RANKER);
        let ranker = registry.find(PluginKind::Ranker, ranker).ok_or_else(|| SearchError::UnknownRanker {
            name: ranker.to_owned(),
            known: registry.names(PluginKind::Ranker),
        })?;
        let otherwise = request.understand.as_ref().and_then(|wish| wish.otherwise.as_deref());
        let otherwise = otherwise.and_then(|name| registry.find(PluginKind::Strategy, name));
        let snapshot = self.index.snapshot();
        let affinity = match ranker.inputs.features.iter().any(|name| name == AFFINITY) {
            true => self.learning.choices.affinity(snapshot.terms(&request.query.text)),
            false => Arc::default(),
        };
        Ok(Plan { request, strategy, otherwise, ranker, snapshot, affinity })
    }

    /// Admit, propose, rank, fetch.
    async fn compute(&self, plan: &Plan, mut stages: Stages<'_>) -> Result<Computed, SearchError> {
        let _turn = self.admit(&mut stages).await?;
        let outcome = self.ranked(plan, &mut stages).await?;
        let took = stages.began.elapsed();
        let job = plan.clone();
        stages.begin("fetch");
        let rendering = blocking(move || page::render(&job, &outcome, took));
        let mut computed = rendering.instrument(debug_span!("fetch")).await??;
        computed.keep &= self.may_keep(plan);
        stages.end("fetch");
        Ok(computed)
    }

    async fn admit(&self, stages: &mut Stages<'_>) -> Result<SemaphorePermit<'_>, SearchError> {
        stages.begin("admit");
        // Whoever got no turn by then would hardly be answered in time either.
        let turn = tokio::time::timeout(self.limits.timeout / 2, self.permits.acquire());
        let turn = turn.instrument(debug_span!("admit")).await;
        let Ok(Ok(permit)) = turn else { return Err(SearchError::Overloaded) };
        stages.end("admit");
        Ok(permit)
    }

    /// What a service elsewhere found may be otherwise the next time, and no key tells: kept only where the operator
    /// has said for how long.
    fn may_keep(&self, plan: &Plan) -> bool {
        plan.is_pure() || self.cache.has_lifetime(plan.namespace())
    }

    /// The ranked window: as it was a moment ago, if another page of it was asked for, else of a search.
    async fn ranked(&self, plan: &Plan, stages: &mut Stages<'_>) -> Result<Arc<Outcome>, SearchError> {
        let epoch = self.may_keep(plan).then(|| self.cache.epoch(plan.namespace())).flatten();
        let key = epoch.map(|epoch| plan.window_key(&self.collection, epoch));
        if let Some(key) = &key
            && let Some(outcome) = self.recent.get(key).await
        {
            stages.end_with("window", Some(outcome.window.candidates.len()));
            return Ok(outcome);
        }
        let outcome = Arc::new(self.outcome(plan, stages).await?);
        if let Some(key) = key
            && outcome.degraded.is_empty()
        {
            // No longer than an answer: what is made of it would be older than the operator allows.
            let lifetime = self.cache.lifetime(plan.namespace());
            self.recent.put(key, outcome.clone(), outcome.bytes(), lifetime).await;
        }
        Ok(outcome)
    }

    /// Propose and rank one plan as it stands.
    async fn as_planned(&self, plan: &Plan, stages: &mut Stages<'_>) -> Result<Outcome, SearchError> {
        let within = self.limits.timeout.mul_f32(PROBE_SHARE);
        // Of the whole, the wait for a turn included: else one that came late would have no time left for the rest.
        let deadline = stages.began + within;
        let probes = ProbeRunner::new(plan.snapshot.clone(), &plan.request.query, deadline);
        let probes = Arc::new(probes.watched(stages.watcher()));
        stages.begin("strategy");
        let span =
            debug_span!("strategy", plugin = plan.strategy.label(), hits = field::Empty, degraded = field::Empty);
        let proposing = plan.strategy.propose(&plan.request.query, probes.clone());
        let proposal = proposing.instrument(span.clone()).await;
        let runs = probes.runs();
        let late = || runs.iter().any(|run| run.result == Err(RetrievalError::TimedOut));
        let Proposal { hits, strategies, degraded, reason } = proposal.map_err(|error| match error {
            // It had nothing to propose because the index took too long: no fault of the plugin.
            CallError::Internal(_) if late() => SearchError::TimedOut(within),
            error => blame(error, &plan.strategy),
        })?;
        span.record("hits", hits.len()).record("degraded", !degraded.is_empty());
        drop(span);
        stages.end_with("strategy", Some(hits.len()));

        stages.begin("rank");
        let limit = plan.request.query.limit;
        let (inputs, query) = (plan.ranker.inputs.clone(), plan.request.query.clone());
        let (snapshot, persona, affinity) =
            (plan.snapshot.clone(), plan.request.persona.clone(), plan.affinity.clone());
        let gathering = blocking(move || {
            let window = Window::new(&snapshot, hits, runs, limit)?;
            let asked = Asker { query: &query, persona: persona.as_deref(), affinity: &affinity };
            let candidates = window.columns(WINDOW as usize, &snapshot, &inputs, &asked, SystemTime::now())?;
            Ok::<_, SearchError>((window, candidates))
        });
        let span = debug_span!("rank", plugin = plan.ranker.label(), candidates = field::Empty);
        let (window, candidates) = gathering.instrument(span.clone()).await??;
        span.record("candidates", candidates.count);
        let ranking = plan.rank(&window, candidates).instrument(span).await?;
        stages.end_with("rank", Some(window.candidates.len()));
        let strategy = plan.strategy.clone();
        Ok(Outcome { window, ranking, strategies, degraded, reason, strategy, analysis: None })
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, SearchError> {
    turns::blocking(work).await.ok_or_else(|| SearchError::Index("work on the index panicked".into()))
}

pub use error::SearchError;
pub use request::{SearchRequest, Understand};

/// How an answer came about.
pub use crate::cache::Source as CacheStatus;

/// What goes to the client. The body is the same for every client that asks the same of the same
/// plugins and index; all that differs from call to call is beside it.
#[derive(Clone, Debug)]
pub struct Answer {
    pub body: Bytes,
    /// Strong validator, without quotes.
    pub etag: Arc<str>,
    pub cache: CacheStatus,
    /// Stage name and time, in the order of the stages; only `cache` on a hit.
    pub timings: Timings,
}

impl Answer {
    fn from_cache(entry: Entry, cache: CacheStatus, began: Instant) -> Self {
        let timings = vec![("cache", began.elapsed())];
        Self { body: entry.body, etag: entry.etag, cache, timings }
    }
}

#[cfg(test)]
mod tests;
