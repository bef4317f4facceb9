//! All hits of a large window, a page at a time: texts are read only when the client has taken those before, so
//! memory is bounded whatever is found. Knows nothing of how a page is written.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::analysis::QueryAnalysis;
use super::answer::SearchResult;
use super::page::{self, Outcome};
use super::stages::{Stages, Timings};
use super::{Plan, SearchError, SearchRequest, Service, blocking};

/// Exports at the same time, more wait for their turn: each holds a window of ten thousand candidates, some megabytes, as long as it is read.
pub(super) const AT_ONCE: usize = 8;

/// Results whose texts are in memory at the same time.
const PAGE: usize = 100;

/// A client that takes nothing for so long has given up, or holds what others wait for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A ranked window, and its results as they are wanted.
pub struct Export {
    /// Hits in the window; `offset` and `max_results` may leave fewer results.
    pub total_results: u32,
    pub window: u32,
    /// There are, or may be, more hits than the window holds.
    pub truncated: bool,
    /// Parts of the search that failed.
    pub degraded_reasons: Vec<String>,
    /// None when the query was not to be understood.
    pub analysis: Option<QueryAnalysis>,
    pub timings: Timings,
    /// Never an empty page. The first failure is the last item. Dropping it ends the work.
    pub pages: BoxStream<'static, Result<Vec<SearchResult>, SearchError>>,
}

impl Service {
    /// Searches without the cache; the texts of results are read while the export is.
    pub async fn export(&self, request: SearchRequest) -> Result<Export, SearchError> {
        let inner = self.inner.clone();
        let plan = inner.plan(request)?;
        // As searches wait for theirs.
        let turn = tokio::time::timeout(inner.limits.timeout / 2, inner.exports.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(SearchError::Overloaded) };
        let mut timings = Timings::new();
        let searching = async {
            let mut stages = Stages::new(&mut timings);
            let _turn = inner.admit(&mut stages).await?;
            inner.outcome(&plan, &mut stages).await
        };
        let outcome = tokio::time::timeout(inner.limits.timeout, searching).await;
        let outcome = outcome.unwrap_or(Err(SearchError::TimedOut(inner.limits.timeout)))?;
        let order = page::order(&outcome.ranking.scores);
        let shown = page::page_of(&order, plan.request.offset, plan.request.max_results).to_vec();
        Ok(Export {
            total_results: outcome.window.candidates.len() as u32,
            window: plan.request.query.limit,
            truncated: outcome.window.truncated,
            degraded_reasons: outcome.degraded.clone(),
            analysis: outcome.analysis.clone(),
            timings,
            pages: pages(plan, outcome, shown, turn),
        })
    }
}

/// Renders ahead of the reader by no page: the next is begun when the last one was taken.
fn pages(
    plan: Plan,
    outcome: Outcome,
    shown: Vec<usize>,
    turn: OwnedSemaphorePermit,
) -> BoxStream<'static, Result<Vec<SearchResult>, SearchError>> {
    let (pages, taken) = mpsc::channel(1);
    let (plan, outcome) = (Arc::new(plan), Arc::new(outcome));
    let count = shown.len();
    // In a task of its own, so that a client that reads nothing does not hold its turn for ever.
    let work = async move {
        let _turn = turn;
        for page in shown.chunks(PAGE) {
            let Ok(Ok(room)) = tokio::time::timeout(PATIENCE, pages.reserve()).await else { return };
            let (plan, outcome, page) = (plan.clone(), outcome.clone(), page.to_vec());
            let rendered = blocking(move || page::results(&plan, &outcome, &page)).await;
            let rendered = rendered.and_then(|rendered| rendered);
            let failed = rendered.is_err();
            room.send(rendered);
            if failed {
                return;
            }
        }
    };
    let work = AbortOnDropHandle::new(tokio::spawn(work.in_current_span()));
    let rest = Some((taken, work, count));
    stream::unfold(rest, async |rest| {
        let (mut taken, work, left) = rest?;
        match taken.recv().await {
            Some(Ok(page)) => {
                let left = left.saturating_sub(page.len());
                Some((Ok(page), Some((taken, work, left))))
            }
            Some(Err(error)) => Some((Err(error), None)),
            None if left > 0 => Some((Err(SearchError::NotTaken(PATIENCE)), None)),
            None => None,
        }
    })
    .boxed()
}
