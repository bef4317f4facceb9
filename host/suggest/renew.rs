//! New dictionaries: of the corpus when the index has changed, of the history when other queries are frequent. Each on
//! a thread of its own, and never so often that it becomes a burden. Neither waits for the other: what is to be
//! forgotten would be shown for as long as a large corpus takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::dictionary::{Dictionary, Kind, Term};
use super::harvest::{harvest, weight};
use super::{Dictionaries, Suggest, SuggestError};
use crate::usage::FORGETTING;

/// Between looks at the index and the history.
const LOOK: Duration = Duration::from_millis(200);
/// Changes come in bursts: it begins when nothing has changed for this long …
const QUIET: Duration = Duration::from_millis(500);
/// … but does not wait longer than this for quiet.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// After a dictionary it rests this many times as long as the dictionary took, so that an index that changes all the
/// time costs a quarter of a processor and not a whole one.
const REST: u32 = 3;

/// Changes of the index that no dictionary has yet.
struct Pending {
    since: Instant,
    latest: Instant,
}

impl Suggest {
    /// Keeps the dictionaries up to date until `closing`.
    pub async fn renew(self: Arc<Self>, closing: CancellationToken) {
        tokio::select! {
            () = closing.cancelled() => {}
            () = self.follow_corpus(&closing) => {}
            () = self.follow_history() => {}
        }
    }

    async fn follow_corpus(&self, closing: &CancellationToken) {
        let mut seen = 0;
        let mut pending: Option<Pending> = None;
        let mut rest_until = Instant::now();
        loop {
            let now = Instant::now();
            let generation = self.index.snapshot().generation();
            if generation != seen {
                seen = generation;
                pending.get_or_insert(Pending { since: now, latest: now }).latest = now;
            }
            let is_due = |pending: &Pending| now - pending.latest >= QUIET || now - pending.since >= LONGEST_WAIT;
            if now >= rest_until && pending.as_ref().is_some_and(is_due) {
                match self.renew_corpus(closing).await {
                    Ok(()) => pending = None,
                    Err(error) => tracing::warn!(%error, "suggestions stay as they are; it is tried again"),
                }
                rest_until = Instant::now() + (now.elapsed() * REST).max(self.options.refresh);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn follow_history(&self) {
        let mut history: Option<(u64, Instant)> = None;
        loop {
            let version = self.log.version();
            let rested = |(known, at): (u64, Instant)| {
                // What is to be forgotten is not shown for a while longer.
                let forgotten = known / FORGETTING != version / FORGETTING;
                forgotten || known != version && at.elapsed() >= self.options.refresh_history
            };
            if history.is_none_or(rested) {
                match self.renew_history().await {
                    Ok(()) => {}
                    Err(error) => tracing::warn!(%error, "suggestions from the history stay as they are"),
                }
                history = Some((version, Instant::now()));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn renew_corpus(&self, closing: &CancellationToken) -> Result<(), SuggestError> {
        let began = Instant::now();
        let (snapshot, tables, closing) = (self.index.snapshot(), self.tables.clone(), closing.clone());
        let (generation, most) = (snapshot.generation(), self.options.max_terms);
        let build = move || {
            let terms = harvest(&snapshot, most, &tables.stop_words, || closing.is_cancelled());
            let terms = terms.map_err(|error| SuggestError::Build(error.to_string()))?;
            terms.map(Dictionary::build).transpose()
        };
        let Some(corpus) = blocking(build).await? else { return Ok(()) };
        let (terms, bytes, seconds) = (corpus.terms(), corpus.bytes(), began.elapsed().as_secs_f64());
        tracing::info!(terms, bytes, generation, seconds, "suggestions renewed");
        self.publish(corpus, generation);
        Ok(())
    }

    async fn renew_history(&self) -> Result<(), SuggestError> {
        let (log, most) = (self.log.clone(), self.options.max_queries);
        let history = blocking(move || Dictionary::build(queries(log.frequent(most)))).await?;
        let history = Arc::new(history);
        self.current.rcu(|current| Dictionaries { history: history.clone(), ..(**current).clone() });
        Ok(())
    }
}

/// Queries as terms, by how often they were asked against the one that was asked most.
fn queries(frequent: Vec<(String, f32)>) -> Vec<Term> {
    let highest = frequent.iter().map(|(_, frequency)| *frequency).fold(0.0, f32::max);
    let term = |(text, frequency): (String, f32)| {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Term { text, kind: Kind::Query, weight: weight(Kind::Query, frequency, highest) }
    };
    frequent.into_iter().map(term).collect()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SuggestError> + Send + 'static,
) -> Result<T, SuggestError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| SuggestError::Build(error.to_string()))?
}
