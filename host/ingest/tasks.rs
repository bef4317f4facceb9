//! Tasks: one runs, others wait, anybody may watch. Publishes progress and writes it to the store now
//! and then, so that a client finds its task again after a restart. Knows nothing of what tasks do.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::work::Work;
use super::{Followed, IngestError};
use crate::store::{DocumentStore, Phase, Progress, Task, TaskState};

/// Tasks that run or wait; more is a client that repeats itself.
const MAX_LIVE: usize = 32;

const PUBLISH_EVERY: Duration = Duration::from_millis(200);
/// In publications: every two seconds.
const SAVE_EVERY: u32 = 10;

/// Between attempts to save how a task ended.
const SAVE_AGAIN: Duration = Duration::from_secs(1);

pub(super) struct TaskBoard {
    store: Arc<dyn DocumentStore>,
    /// The store may be away for a while, and comes back.
    is_shared: bool,
    live: Mutex<BTreeMap<String, Arc<Entry>>>,
    /// Tasks run one after the other: each uses all cores by itself.
    turn: Semaphore,
    tracker: TaskTracker,
}

/// A task that waits or runs.
pub(super) struct Entry {
    pub work: Work,
    progress: Mutex<Progress>,
    /// Store sequence that must be visible before the task is done.
    target: AtomicU64,
    task: watch::Sender<Task>,
}

impl Entry {
    pub(super) fn current(&self) -> Task {
        self.task.borrow().clone()
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock());
    }

    /// A second request for the same is served by this task; but not once its walk is over, since the
    /// client may know of a change that came after it.
    fn serves(&self, work: &Work) -> bool {
        let phase = self.progress.lock().phase;
        self.work == *work && matches!(phase, Phase::Waiting | Phase::Elsewhere | Phase::Walking)
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.update(|progress| progress.phase = phase);
    }

    /// What was counted so far counts no more.
    fn begin_again(&self, phase: Phase) {
        self.target.store(0, Ordering::Relaxed);
        let mut progress = self.progress.lock();
        *progress = Progress { phase, bounds: progress.bounds.clone(), ..Progress::default() };
        let progress = progress.clone();
        self.task.send_modify(|task| {
            (task.state, task.started_at) = (TaskState::Queued, None);
            task.progress = progress;
        });
    }

    /// The task's newest change in the store.
    pub(super) fn aim_at(&self, sequence: u64) {
        self.target.fetch_max(sequence, Ordering::Relaxed);
    }

    fn publish(&self, started: Instant, followed: &Followed) {
        let target = self.target.load(Ordering::Relaxed);
        let mut progress = self.progress.lock();
        progress.chunks = followed.chunks;
        progress.elapsed = started.elapsed().as_secs_f64();
        progress.files_per_second = progress.files_seen as f64 / progress.elapsed.max(0.001);
        // Others may have changes in between, but never less than nothing and never more than all.
        let behind = target.saturating_sub(followed.committed);
        progress.pending = behind.min(progress.indexed + progress.removed);
        if progress.phase == Phase::Indexing && followed.applied >= target {
            progress.phase = Phase::Committing;
        }
        let progress = progress.clone();
        self.task.send_modify(|task| task.progress = progress);
    }
}

impl TaskBoard {
    pub(super) fn new(store: Arc<dyn DocumentStore>, is_shared: bool) -> Self {
        let (live, turn, tracker) = (Mutex::default(), Semaphore::new(1), TaskTracker::new());
        Self { store, is_shared, live, turn, tracker }
    }

    /// The task for some work, and whether it is a new one that has to be run.
    pub(super) async fn enter(&self, work: Work) -> Result<(Arc<Entry>, bool), IngestError> {
        let entry = {
            let mut live = self.live.lock();
            if let Some(entry) = live.values().find(|entry| entry.serves(&work)) {
                return Ok((Arc::clone(entry), false));
            }
            if live.len() >= MAX_LIVE {
                return Err(IngestError::TooManyTasks(live.len()));
            }
            let entry = self.unlisted(work);
            let id = entry.current().id;
            live.insert(id, Arc::clone(&entry));
            entry
        };
        let task = entry.current();
        if let Err(error) = self.store.save_task(&task).await {
            self.live.lock().remove(&task.id);
            return Err(error.into());
        }
        Ok((entry, true))
    }

    /// An entry for work that no client has asked for and none will look for.
    pub(super) fn unlisted(&self, work: Work) -> Arc<Entry> {
        let task = Task {
            id: Uuid::now_v7().to_string(),
            kind: work.kind(),
            state: TaskState::Queued,
            path: work.subject().to_owned(),
            progress: Progress::default(),
            error: None,
            created_at: now(),
            started_at: None,
            finished_at: None,
        };
        entry_of(task, work)
    }

    /// A task that another process began, from its beginning; it has to be run. None when one that waits
    /// here serves the same.
    pub(super) async fn readmit(&self, mut task: Task, work: Work) -> Option<Arc<Entry>> {
        (task.state, task.error) = (TaskState::Queued, None);
        (task.started_at, task.finished_at) = (None, None);
        let entry = {
            let mut live = self.live.lock();
            if live.contains_key(&task.id) || live.values().any(|entry| entry.serves(&work)) {
                return None;
            }
            let entry = entry_of(task, work);
            live.insert(entry.current().id, Arc::clone(&entry));
            entry
        };
        self.save(&entry.current()).await;
        Some(entry)
    }

    /// Waits until no other task runs. None only when the board is gone.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turn.acquire().await.ok()
    }

    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(work);
    }

    /// Does the work, whose turn it must be, and keeps the task up to date meanwhile.
    pub(super) async fn run(
        &self,
        entry: &Arc<Entry>,
        followed: watch::Receiver<Followed>,
        work: impl Future<Output = Result<(), IngestError>>,
    ) -> Result<(), IngestError> {
        let started = Instant::now();
        entry.task.send_modify(|task| {
            task.state = TaskState::Running;
            task.started_at = Some(now());
        });
        self.save(&entry.current()).await;
        // A task of its own: saved in between the work's own steps, it would wait for the very
        // connection that the work holds.
        let reporter = tokio::spawn(report(Arc::clone(&self.store), Arc::clone(entry), started, followed.clone()));
        let result = work.await;
        reporter.abort();
        let _ = reporter.await;
        entry.publish(started, &followed.borrow());
        result
    }

    /// Puts a task back among those that wait, for a reason that passes.
    pub(super) async fn queue_again(&self, entry: &Entry, reason: &IngestError) {
        let phase = match reason {
            IngestError::Elsewhere { .. } => Phase::Elsewhere,
            _ => Phase::Waiting,
        };
        let before = entry.current();
        if before.state == TaskState::Queued && before.progress.phase == phase {
            return;
        }
        tracing::info!(task = before.id, path = before.path, %reason, "a task waits");
        entry.begin_again(phase);
        self.save(&entry.current()).await;
    }

    /// Ends a task.
    pub(super) async fn end(&self, entry: &Entry, result: Result<(), IngestError>, stop: &CancellationToken) {
        let mut done = entry.current();
        finish(&mut done, result);
        // Saved before anybody hears of it: an end that a client has seen is not forgotten.
        while !self.save(&done).await {
            tokio::select! {
                () = tokio::time::sleep(SAVE_AGAIN) => {}
                () = stop.cancelled() => break,
            }
        }
        entry.task.send_replace(done);
        self.live.lock().remove(&entry.current().id);
    }

    /// False when the store is away and may take it later.
    async fn save(&self, task: &Task) -> bool {
        match self.store.save_task(task).await.map_err(IngestError::from) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, task = task.id, "cannot save a task's state");
                !(self.is_shared && error.is_store_away())
            }
        }
    }

    /// A task that waits or runs.
    pub(super) fn watch(&self, id: &str) -> Option<watch::Receiver<Task>> {
        self.live.lock().get(id).map(|entry| entry.task.subscribe())
    }

    /// Waits for the end of all tasks; there must not come new ones.
    pub(super) async fn finished(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// With the work's bounds in the task's progress, from where any host can make it again.
fn entry_of(mut task: Task, work: Work) -> Arc<Entry> {
    task.progress = Progress { bounds: work.bounds(), ..Progress::default() };
    let progress = Mutex::new(task.progress.clone());
    Arc::new(Entry { work, progress, target: AtomicU64::new(0), task: watch::channel(task).0 })
}

async fn report(
    store: Arc<dyn DocumentStore>,
    entry: Arc<Entry>,
    started: Instant,
    followed: watch::Receiver<Followed>,
) {
    for publication in 1_u32.. {
        tokio::time::sleep(PUBLISH_EVERY).await;
        let followed = followed.borrow().clone();
        entry.publish(started, &followed);
        if publication % SAVE_EVERY == 0
            && let Err(error) = store.save_task(&entry.current()).await
        {
            tracing::debug!(%error, "cannot save a task's progress");
        }
    }
}

fn finish(task: &mut Task, result: Result<(), IngestError>) {
    task.finished_at = Some(now());
    task.error = result.as_ref().err().map(ToString::to_string);
    task.state = match result {
        Ok(()) => TaskState::Succeeded,
        Err(IngestError::ShuttingDown) => TaskState::Interrupted,
        Err(_) => TaskState::Failed,
    };
    if task.state == TaskState::Succeeded {
        task.progress.phase = Phase::Done;
    }
}

fn now() -> String {
    // Formatting a date of our century cannot fail.
    OffsetDateTime::now_utc().replace_nanosecond(0).ok().and_then(|now| now.format(&Rfc3339).ok()).unwrap_or_default()
}
