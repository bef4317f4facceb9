//! A search as it happens: its stages, what each probe found as soon as it is back, and at the end the answer that
//! everyone else gets. Dropping the stream ends the work. Knows nothing of how events are written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{self, Sender};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;
use utoipa::ToSchema;

use super::answer::SearchResult;
use super::columns::Window;
use super::export::Export;
use super::page::{self, Outcome};
use super::probes::{self, ProbeRun};
use super::stages::{Stages, Step, Timings, Watcher};
use super::{Answer, CacheStatus, Inner, Plan, SearchError, SearchRequest, Service, blocking};
use crate::cache::{Computed, Digest};
use crate::query::Hits;
use crate::runtime::Ranking;

/// Results of one probe that are shown before the ranking.
const FIRST_MATCHES: usize = 10;

/// News that wait for a slow client. What does not find room is left out, except for the end.
const WAITING: usize = 64;

/// What happens, in this order: progress and matches, then final and done; or at any point failed, which is the end.
#[derive(Clone, Debug)]
pub enum SearchEvent {
    Progress(Progress),
    Matches(Box<Matches>),
    /// The answer; its body is that of a search without a stream.
    Final(Answer),
    /// The end, with the time since the question came.
    Done(Answer, Duration),
    Failed(SearchError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StageState {
    Began,
    Ended,
}

/// A stage began or ended, or a probe is done.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Progress {
    /// `admit`, `strategy`, `rank`, `fetch`; `probe` within `strategy`; `window` instead of strategy and rank when
    /// another page of the question was asked for a moment ago. `understand` before `strategy` where a query is
    /// understood; then strategy and rank may come twice.
    pub stage: &'static str,
    pub state: StageState,
    /// Kind of the probe: `text`, `vector`, `pattern`, `symbol`; `path`: text of paths alone; `context`: what the
    /// request's `context` names, to know what is near.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leg: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<f64>,
    /// Hits of a probe, candidates of a stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Why a probe has no hits: `bad-probe`, `unavailable`, `timed-out`, `limit-exceeded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
}

/// The best hits of one probe, before they are fused and ranked.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Matches {
    /// Kind of the probe: `text`, `vector`, `pattern`, `symbol`; `path`: text of paths alone; `context`: what the
    /// request's `context` names, to know what is near.
    pub leg: &'static str,
    pub milliseconds: f64,
    /// All that the probe found within the window.
    pub total_results: u32,
    pub truncated: bool,
    /// The first few, as they are in an answer; their scores are the probe's own.
    pub results: Vec<SearchResult>,
}

/// Searches whose answers come in parts.
pub trait Streams: Send + Sync {
    /// One search as it happens. What is wrong with the request is an error at once.
    fn follow(&self, request: SearchRequest) -> BoxFuture<'_, Result<BoxStream<'static, SearchEvent>, SearchError>>;

    /// All hits of a window, up to `EXPORT_WINDOW`.
    fn export(&self, request: SearchRequest) -> BoxFuture<'_, Result<Export, SearchError>>;
}

impl Streams for Service {
    fn follow(&self, request: SearchRequest) -> BoxFuture<'_, Result<BoxStream<'static, SearchEvent>, SearchError>> {
        Service::follow(self, request).boxed()
    }

    fn export(&self, request: SearchRequest) -> BoxFuture<'_, Result<Export, SearchError>> {
        Service::export(self, request).boxed()
    }
}

impl Service {
    /// Follows one search. What is wrong with the request is an error at once; a kept answer is the end at once.
    pub async fn follow(&self, request: SearchRequest) -> Result<BoxStream<'static, SearchEvent>, SearchError> {
        let began = Instant::now();
        let inner = self.inner.clone();
        let (plan, key) = inner.asked(request, began)?;
        if let Some(answer) = inner.kept(&plan, key, began).await {
            let (log, text) = (&inner.learning.log, &plan.request.query.text);
            match answer.cache {
                _ if !plan.first_page() => {}
                CacheStatus::Hit => log.again(text),
                // Another host made it, and this one may not know the question yet.
                _ => log.asked(text, page::total(&answer.body)),
            }
            let events = [SearchEvent::Final(answer.clone()), SearchEvent::Done(answer, began.elapsed())];
            return Ok(stream::iter(events).boxed());
        }
        let (events, following) = mpsc::channel(WAITING);
        // In a task of its own, so that a client that does not read holds up nothing but its own events.
        let work = tokio::spawn(inner.tell(plan, key, events, began).in_current_span());
        let following = (following, AbortOnDropHandle::new(work));
        let next = async |(mut following, work): (mpsc::Receiver<SearchEvent>, _)| {
            let event = following.recv().await?;
            Some((event, (following, work)))
        };
        Ok(stream::unfold(following, next).boxed())
    }
}

impl Inner {
    /// From this process, or from the tier that hosts share.
    async fn kept(&self, plan: &Plan, key: Digest, began: Instant) -> Option<Answer> {
        let (entry, source) = self.cache.find(plan.namespace(), key).await?;
        Some(Answer::from_cache(entry, source, began))
    }

    async fn tell(self: Arc<Self>, plan: Plan, key: Digest, events: Sender<SearchEvent>, began: Instant) {
        let epoch = self.cache.epoch(plan.namespace());
        let (watcher, mut steps) = mpsc::unbounded_channel();
        let mut timings = Timings::new();
        let computing = self.watched(&plan, &mut timings, watcher);
        let telling = async {
            while let Some(step) = steps.recv().await {
                // One that does not find room is left out: the end says everything.
                for event in self.news(&plan, step).await {
                    let _ = events.try_send(event);
                }
            }
        };
        let (computed, ()) = futures::future::join(computing, telling).await;
        match computed {
            Ok(computed) => {
                let (entry, cache) = self.cache.keep(plan.namespace(), key, epoch, computed, began.elapsed()).await;
                if plan.first_page() {
                    self.learning.log.asked(&plan.request.query.text, page::total(&entry.body));
                }
                let answer = Answer { body: entry.body, etag: entry.etag, cache, timings };
                let _ = events.send(SearchEvent::Final(answer.clone())).await;
                let _ = events.send(SearchEvent::Done(answer, began.elapsed())).await;
            }
            Err(error) => drop(events.send(SearchEvent::Failed(error)).await),
        }
    }

    /// As `answer`, watched; the watcher is let go of at the end.
    async fn watched(&self, plan: &Plan, timings: &mut Timings, watcher: Watcher) -> Result<Computed, SearchError> {
        let stages = Stages::new(timings).watched(Some(watcher));
        let computed = tokio::time::timeout(self.limits.timeout, self.compute(plan, stages)).await;
        computed.unwrap_or(Err(SearchError::TimedOut(self.limits.timeout)))
    }

    async fn news(&self, plan: &Plan, step: Step) -> Vec<SearchEvent> {
        let progress =
            |stage, state| Progress { stage, state, leg: None, milliseconds: None, count: None, error: None };
        match step {
            Step::Began(stage) => vec![SearchEvent::Progress(progress(stage, StageState::Began))],
            Step::Ended { stage, took, count } => vec![SearchEvent::Progress(Progress {
                milliseconds: Some(took.as_secs_f64() * 1e3),
                count: count.map(|count| count as u32),
                ..progress(stage, StageState::Ended)
            })],
            Step::Probed(run) => {
                let ended = Progress {
                    leg: Some(run.leg),
                    milliseconds: Some(run.took.as_secs_f64() * 1e3),
                    count: run.result.as_ref().ok().map(|hits| hits.len() as u32),
                    error: run.result.as_ref().err().map(probes::word),
                    ..progress("probe", StageState::Ended)
                };
                let plan = plan.clone();
                let matches = blocking(move || matches(&plan, run)).await.unwrap_or_default();
                let matches = matches.map(|matches| SearchEvent::Matches(Box::new(matches)));
                [Some(SearchEvent::Progress(ended)), matches].into_iter().flatten().collect()
            }
        }
    }
}

/// None for a probe without hits; what cannot be read now will be missed by the answer, too.
fn matches(plan: &Plan, run: ProbeRun) -> Option<Matches> {
    let ProbeRun { probe, leg, result, took } = run;
    let found = result.ok().filter(|hits| !hits.is_empty())?;
    let shown = found.len().min(FIRST_MATCHES).min(plan.request.max_results as usize);
    let first = Hits {
        chunks: found.chunks[..shown].to_vec(),
        lines: found.lines[..shown].to_vec(),
        scores: found.scores[..shown].to_vec(),
        truncated: found.truncated,
    };
    let run = ProbeRun { probe, leg, result: Ok(first.clone()), took };
    let window = Window::new(&plan.snapshot, first, vec![run], shown as u32).ok()?;
    let scores: Vec<f32> = window.candidates.iter().map(|candidate| candidate.score).collect();
    let order: Vec<usize> = (0..scores.len()).collect();
    let ranking = Ranking { scores, explanations: vec![] };
    let (strategies, degraded, strategy) = (vec![], vec![], plan.strategy.clone());
    let outcome = Outcome { window, ranking, strategies, degraded, reason: None, strategy, analysis: None };
    let mut plan = plan.clone();
    plan.request.explain = false;
    Some(Matches {
        leg,
        milliseconds: took.as_secs_f64() * 1e3,
        total_results: found.len() as u32,
        truncated: found.truncated,
        results: page::results(&plan, &outcome, &order).ok()?,
    })
}
