//! The index as a follower of the store's change feed: one task reads pages, prepares the next while it
//! applies the last, and commits. A failing index is tried again from its last commit, forever; the
//! store takes writes meanwhile. Knows the feed and the sink, not where documents come from.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::freshness::{Freshness, Hearing};
use super::{IngestError, Sink, Turn};
use crate::index::IndexError;
use crate::store::{DocumentStore, StoredChange};

/// Changes a page at most. Enough to keep all cores busy with one page, and to make the cost of a page
/// itself vanish.
const PAGE_CHANGES: u32 = 256;

/// How many changes the store may be ahead before a folder's indexing waits: what a document that is
/// posted meanwhile has to queue behind, so a second or so of indexing.
const BACKLOG_CHANGES: u64 = 1024;

/// How often to look how far another host is that writes for us, and how often when somebody waits for it.
const LOOK: Duration = Duration::from_secs(1);
const CLOSE_LOOK: Duration = Duration::from_millis(50);

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// When only the store was away, there is nothing to spare by waiting longer.
const LAST_RETRY_AWAY: Duration = Duration::from_secs(2);

/// How far the index has followed the store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Followed {
    /// Sequence that the index has taken in.
    pub applied: u64,
    /// Sequence that searches see.
    pub committed: u64,
    /// Chunks that searches see.
    pub chunks: u64,
    /// Why the index does not follow at present.
    pub failure: Option<String>,
    /// It does not because the store cannot be reached.
    pub away: bool,
}

/// The handle of the following task.
#[derive(Clone)]
pub(super) struct Follower {
    shared: Arc<Shared>,
    state: watch::Receiver<Followed>,
    tracker: TaskTracker,
}

struct Shared {
    wake: Notify,
    /// The store was heard; only for who waits for that at the moment.
    back: Notify,
    hearing: Hearing,
    /// Somebody waits for this sequence to become visible: commit as soon as it is applied.
    wanted: AtomicU64,
}

impl Follower {
    pub(super) fn start<S: Sink>(
        store: Arc<dyn DocumentStore>,
        sink: Arc<S>,
        commit_interval: Duration,
        is_shared: bool,
        stop: CancellationToken,
    ) -> Self {
        let hearing = Hearing::new(is_shared);
        let shared = Arc::new(Shared { wake: Notify::new(), back: Notify::new(), hearing, wanted: AtomicU64::new(0) });
        let (applied, chunks) = (sink.applied(), sink.chunks());
        let first = Followed { applied, committed: applied, chunks, ..Followed::default() };
        let (publish, state) = watch::channel(first);
        let following = Following {
            store,
            sink,
            shared: Arc::clone(&shared),
            publish,
            stop,
            commit_interval,
            applied,
            committed: applied,
            chunks,
            turn: Turn::Ours,
            last_commit: Instant::now(),
        };
        let tracker = TaskTracker::new();
        tracker.spawn(following.run());
        tracker.close();
        Self { shared, state, tracker }
    }

    /// There may be new changes. They become visible within the commit interval.
    pub(super) fn wake(&self) {
        self.shared.wake.notify_one();
    }

    /// Like `wake`, and what is up to `sequence` shall become visible as soon as possible.
    pub(super) fn want(&self, sequence: u64) {
        self.shared.hearing.learnt(sequence);
        self.shared.wanted.fetch_max(sequence, Ordering::Relaxed);
        self.wake();
    }

    /// The store has answered, and this is its newest change.
    pub(super) fn heard(&self, sequence: u64) {
        self.shared.hearing.heard();
        self.shared.hearing.learnt(sequence);
        self.shared.back.notify_waiters();
        if self.state.borrow().applied < sequence {
            self.wake();
        }
    }

    /// The store has not answered.
    pub(super) fn missed(&self) {
        self.shared.hearing.missed();
    }

    /// The store has always answered for a while now.
    pub(super) fn store_is_steady(&self) -> bool {
        self.shared.hearing.is_steady()
    }

    pub(super) fn freshness(&self) -> Freshness {
        self.shared.hearing.freshness(self.state.borrow().committed)
    }

    /// Waits until searches see everything up to `sequence`.
    pub(super) async fn committed(&self, sequence: u64) -> Result<(), IngestError> {
        self.want(sequence);
        self.reached(|followed| followed.committed >= sequence).await
    }

    /// Waits until the index is close enough behind `sequence` to let a bulk writer go on.
    pub(super) async fn backlog_is_short(&self, sequence: u64) -> Result<(), IngestError> {
        self.wake();
        self.reached(|followed| followed.applied + BACKLOG_CHANGES >= sequence).await
    }

    async fn reached(&self, there: impl Fn(&Followed) -> bool) -> Result<(), IngestError> {
        let mut state = self.state.clone();
        let followed = state
            .wait_for(|followed| there(followed) || followed.failure.is_some())
            .await
            .map_err(|_| IngestError::ShuttingDown)?;
        match &followed.failure {
            Some(failure) if !there(&followed) && followed.away => Err(IngestError::Away(failure.clone())),
            Some(failure) if !there(&followed) => Err(IngestError::Index(failure.clone())),
            _ => Ok(()),
        }
    }

    pub(super) fn watch(&self) -> watch::Receiver<Followed> {
        self.state.clone()
    }

    pub(super) async fn finished(&self) {
        self.tracker.wait().await;
    }
}

struct Following<S: Sink> {
    store: Arc<dyn DocumentStore>,
    sink: Arc<S>,
    shared: Arc<Shared>,
    publish: watch::Sender<Followed>,
    stop: CancellationToken,
    commit_interval: Duration,
    applied: u64,
    committed: u64,
    chunks: u64,
    turn: Turn,
    last_commit: Instant,
}

/// A page of the feed, prepared.
struct Page<C> {
    changes: Vec<C>,
    last: u64,
}

impl<S: Sink> Following<S> {
    async fn run(mut self) {
        let mut retry = FIRST_RETRY;
        let mut told = None;
        while !self.stop.is_cancelled() {
            match self.follow().await {
                Ok(()) => {
                    if told.take().is_some() {
                        tracing::info!("the index follows the store again");
                    }
                    retry = FIRST_RETRY;
                    self.publish(None);
                    self.idle().await;
                }
                Err(error) => {
                    let failure = error.to_string();
                    if told.as_ref() != Some(&failure) {
                        tracing::error!(error = failure, "the index does not follow the store; it tries again");
                        told = Some(failure);
                    }
                    let away = error.is_store_away();
                    if away {
                        self.shared.hearing.missed();
                    }
                    // Without the store the index still has what it had, and searches shall see it.
                    // Otherwise, what was applied since the last commit may be there or not.
                    if !away || (self.applied > self.committed && self.commit().await.is_err()) {
                        self.applied = self.sink.applied();
                        self.committed = self.committed.min(self.applied);
                    }
                    self.publish(Some(&error));
                    self.recover(retry, away).await;
                    retry = if away { LAST_RETRY_AWAY } else { LAST_RETRY }.min(retry * 2);
                }
            }
        }
        if self.applied > self.committed
            && let Err(error) = self.commit().await
        {
            tracing::error!(%error, "the last commit of the index failed; it catches up at the next start");
        }
    }

    /// Follows to the end of the feed.
    async fn follow(&mut self) -> Result<(), IngestError> {
        self.take_turn().await?;
        if self.turn == Turn::Theirs {
            return Ok(());
        }
        let mut page = self.page_after(self.applied).await?;
        while let Some(Page { changes, last }) = page {
            let (applied, next) = tokio::join!(self.apply(changes), self.page_after(last));
            applied?;
            self.applied = last;
            self.publish(None);
            if self.commit_is_due() {
                self.commit().await?;
            }
            if self.stop.is_cancelled() {
                return Ok(());
            }
            page = next?;
        }
        if self.commit_is_due() { self.commit().await } else { Ok(()) }
    }

    /// Where another host writes, what it has made visible is all that there is to know.
    async fn take_turn(&mut self) -> Result<(), IngestError> {
        if !self.sink.is_in_store() {
            return Ok(());
        }
        let sink = Arc::clone(&self.sink);
        let look = move || {
            let turn = sink.turn().map_err(|error| failed(&*sink, &error))?;
            Ok((turn, sink.applied(), sink.chunks()))
        };
        let (turn, applied, chunks) = blocking(look).await?;
        self.turn = turn;
        self.applied = applied;
        match turn {
            Turn::Theirs => (self.committed, self.chunks) = (applied, chunks),
            // Who wrote before may have come further than was known here, or have begun anew.
            Turn::Ours => self.committed = self.committed.min(applied),
        }
        Ok(())
    }

    /// Until another attempt may go better.
    async fn recover(&self, retry: Duration, away: bool) {
        tokio::select! {
            () = tokio::time::sleep(retry) => {}
            () = self.shared.back.notified(), if away => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Until there is something to do.
    async fn idle(&self) {
        let next_commit = async {
            if self.applied > self.committed {
                tokio::time::sleep_until((self.last_commit + self.commit_interval).into()).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        let is_waited_for = self.committed < self.shared.wanted.load(Ordering::Relaxed);
        let next_look = tokio::time::sleep(if is_waited_for { CLOSE_LOOK } else { LOOK });
        tokio::select! {
            () = self.shared.wake.notified() => {}
            () = self.store.changed(self.applied), if self.turn == Turn::Ours => {}
            () = next_look, if self.turn == Turn::Theirs => {}
            () = next_commit => {}
            () = self.stop.cancelled() => {}
        }
    }

    async fn page_after(&self, after: u64) -> Result<Option<Page<S::Change>>, IngestError> {
        let changes = self.store.changes(after, PAGE_CHANGES).await?;
        self.shared.hearing.heard();
        let Some(last) = changes.last().map(StoredChange::sequence) else { return Ok(None) };
        self.shared.hearing.learnt(last);
        for change in &changes {
            if let StoredChange::Damaged { document, path, reason, .. } = change {
                tracing::error!(
                    path,
                    reason,
                    "a stored document is damaged and not searchable; index or post it again"
                );
                self.store.mark_damaged(*document).await?;
            }
        }
        let sink = Arc::clone(&self.sink);
        let changes = blocking(move || Ok(changes.into_par_iter().map(|change| prepare(&*sink, change)).collect()));
        Ok(Some(Page { changes: changes.await?, last }))
    }

    async fn apply(&self, changes: Vec<S::Change>) -> Result<(), IngestError> {
        let sink = Arc::clone(&self.sink);
        blocking(move || sink.apply(changes).map_err(|error| failed(&*sink, &error))).await
    }

    fn commit_is_due(&self) -> bool {
        let wanted = self.shared.wanted.load(Ordering::Relaxed);
        self.applied > self.committed
            && ((self.committed < wanted && wanted <= self.applied)
                || self.last_commit.elapsed() >= self.commit_interval)
    }

    async fn commit(&mut self) -> Result<(), IngestError> {
        let sink = Arc::clone(&self.sink);
        let sequence = self.applied;
        let commit = move || {
            sink.commit(sequence).map_err(|error| failed(&*sink, &error))?;
            Ok(sink.chunks())
        };
        self.chunks = blocking(commit).await?;
        self.committed = sequence;
        self.last_commit = Instant::now();
        self.publish(None);
        Ok(())
    }

    fn publish(&self, failure: Option<&IngestError>) {
        let now = Followed {
            applied: self.applied,
            committed: self.committed,
            chunks: self.chunks,
            failure: failure.map(ToString::to_string),
            away: failure.is_some_and(IngestError::is_store_away),
        };
        self.publish.send_if_modified(|followed| {
            let news = *followed != now;
            *followed = now;
            news
        });
    }
}

/// A document on which the index's own code panics must not stop the feed for all others.
fn prepare<S: Sink>(sink: &S, change: StoredChange) -> S::Change {
    let (document, sequence) = match &change {
        StoredChange::Upsert(version) => (version.document, version.sequence),
        StoredChange::Remove { document, sequence } | StoredChange::Damaged { document, sequence, .. } => {
            (*document, *sequence)
        }
    };
    catch_unwind(AssertUnwindSafe(|| sink.prepare(change))).unwrap_or_else(|_| {
        tracing::error!(document, sequence, "the index panicked on a document; it is not searchable");
        sink.prepare(StoredChange::Remove { document, sequence })
    })
}

/// What is in the store fails with it, and goes on when that is back.
fn failed<S: Sink>(sink: &S, error: &IndexError) -> IngestError {
    let reason = error.to_string();
    if sink.is_in_store() { IngestError::Away(reason) } else { IngestError::Index(reason) }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, IngestError> + Send + 'static,
) -> Result<T, IngestError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| IngestError::Index(error.to_string()))?
}
