//! From a folder or posted documents to the store, and from the store to the indexes.
//!
//! Two halves that meet only in the store. The writing half (`folder`, `post`) ends with a transaction:
//! what it has acknowledged is durable. The following half (`follow`) reads the store's change feed into
//! the indexes; a first start, a restart after a crash and everyday work are the same loop.

/// Which folders a client may have indexed.
mod boundary;
/// One folder's indexing, from walk to commit.
mod folder;
/// The index as a follower of the store's change feed.
mod follow;
/// How much of the store searches see.
mod freshness;
/// What hosts over one store owe each other.
mod hosts;
/// Documents that clients post.
mod post;
/// From a file to its text.
mod read;
/// Posted documents derived anew.
mod renewal;
/// What follows the change feed.
mod sink;
/// Tasks: who runs, who waits, who watches.
mod tasks;
/// Which files a folder has, and which of them are news.
mod walk;
/// Folders that are kept up to date while they change.
mod watcher;
/// What a task is to do.
mod work;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use folder::IndexRequest;
pub use follow::Followed;
pub use freshness::Freshness;
pub use post::{Posted, PostedDocument, Refusal};
pub use sink::{Sink, Turn};

use crate::store::{DocumentStore, StoreError, Task};
use follow::Follower;
use tasks::{Entry, TaskBoard};
use watcher::Watched;
use work::Work;

/// How long a post waits for its documents to become searchable before it answers without.
const VISIBILITY_WAIT: Duration = Duration::from_secs(10);

const RETRY_CATCHING_UP: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub struct IngestConfig {
    /// Folders below which clients may have folders indexed; none: no folder at all.
    pub allowed_roots: Vec<PathBuf>,
    /// Never walked into: the server's own data folder.
    pub excluded: Vec<PathBuf>,
    /// Larger texts are skipped; the store's limit must not be lower.
    pub max_content_bytes: u64,
    /// Threads that walk and read; 0: one a core.
    pub threads: usize,
    /// While changes keep coming, they become visible at least this often.
    pub commit_interval: Duration,
    /// A file younger than this is read again next time: it may change once more within the same tick
    /// of its file system's clock (2 s on FAT).
    pub timestamp_granularity: Duration,
    /// Other hosts use the store too, and it may be away for a while: what that breaks off is done again.
    pub shared: bool,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            allowed_roots: vec![],
            excluded: vec![],
            max_content_bytes: crate::store::DEFAULT_MAX_CONTENT_BYTES,
            threads: 0,
            commit_interval: Duration::from_secs(5),
            timestamp_granularity: Duration::from_secs(2),
            shared: false,
        }
    }
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum IngestError {
    /// Outside of every allowed root, or not there: the caller shall not learn which.
    #[error(
        "`{path}` is not a folder below one of the folders that this server may index; the operator adds such with --allow-root"
    )]
    NotAllowed { path: String },
    #[error("`{path}` is not a folder; name the folder that it is in")]
    NotAFolder { path: String },
    /// A field of the request is at fault.
    #[error("`{field}` {reason}")]
    BadRequest { field: &'static str, reason: String },
    #[error("{0} indexing tasks are waiting already; try again when one has finished")]
    TooManyTasks(usize),
    #[error("cannot read the folder {folder}: {reason}")]
    UnreadableFolder { folder: String, reason: String },
    #[error(
        "cannot watch {folder} for changes: {reason}; where it is Linux's limit, raise fs.inotify.max_user_watches"
    )]
    Watch { folder: String, reason: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The documents are stored and will be searchable when the index can be written again.
    #[error("the documents are stored, but the index does not take them: {0}")]
    Index(String),
    /// The index waits for the store; what it has can be searched.
    #[error("the index does not get the changes of the store: {0}")]
    Away(String),
    #[error("another host indexes {folder} at present; this task runs when it has finished")]
    Elsewhere { folder: String },
    #[error(
        "the right to index the folder was lost, most likely with the connection to the store; the task runs again"
    )]
    LeaseLost,
    /// The index has seen changes that this store never made.
    #[error(
        "the index is at change {index} and the store only at {store}: they do not belong together; delete the index folder, it is built again from the store"
    )]
    IndexAhead { index: u64, store: u64 },
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl IngestError {
    /// Nothing is wrong but that the store cannot be reached, or not in time.
    fn is_store_away(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Store(StoreError::Unavailable(_) | StoreError::Busy(_)))
    }

    /// The same may go well a little later.
    fn may_pass(&self) -> bool {
        self.is_store_away() || matches!(self, Self::Elsewhere { .. } | Self::LeaseLost)
    }
}

/// Brings documents into the store and keeps the indexes up with it. Cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    store: Arc<dyn DocumentStore>,
    config: Arc<IngestConfig>,
    follower: Follower,
    tasks: Arc<TaskBoard>,
    watched: Arc<Watched>,
    stop: CancellationToken,
}

impl Ingest {
    /// Starts following the store: whatever the index has missed, it now gets, in the background.
    /// Tasks that a former process left unfinished are marked as interrupted; over a shared store they, and
    /// those of hosts that are gone, go on here.
    pub async fn start<S: Sink>(
        store: Arc<dyn DocumentStore>,
        sink: Arc<S>,
        config: IngestConfig,
    ) -> Result<Self, IngestError> {
        let last = store.last_sequence().await?;
        if sink.applied() > last {
            return Err(IngestError::IndexAhead { index: sink.applied(), store: last });
        }
        let stop = CancellationToken::new();
        let follower = Follower::start(Arc::clone(&store), sink, config.commit_interval, config.shared, stop.clone());
        follower.want(last);
        let tasks = Arc::new(TaskBoard::new(Arc::clone(&store), config.shared));
        let ingest = Self { store, config: Arc::new(config), follower, tasks, watched: Arc::default(), stop };
        let message = "the server stopped before the task had ended; start it again";
        if ingest.config.shared {
            hosts::resume_unfinished(&ingest, message).await?;
            ingest.tasks.spawn(hosts::listen(ingest.clone()));
            // Whoever may index nothing cannot take anything over.
            if !ingest.config.allowed_roots.is_empty() {
                ingest.tasks.spawn(hosts::take_over(ingest.clone()));
            }
        } else {
            let interrupted = ingest.store.interrupt_tasks(message).await?;
            if interrupted > 0 {
                tracing::warn!(interrupted, "tasks of the former process did not end");
            }
        }
        Ok(ingest)
    }

    /// Waits until searches see everything that was stored when this was called.
    /// With a shared store that is away for a while, it goes on waiting.
    pub async fn caught_up(&self) -> Result<(), IngestError> {
        loop {
            let caught_up = async {
                let last = self.store.last_sequence().await?;
                self.follower.committed(last).await
            };
            match caught_up.await {
                Err(error) if self.config.shared && error.is_store_away() => {
                    if !hosts::pause(self, RETRY_CATCHING_UP).await {
                        return Err(IngestError::ShuttingDown);
                    }
                }
                end => return end,
            }
        }
    }

    /// How far the index has followed the store.
    pub fn followed(&self) -> watch::Receiver<Followed> {
        self.follower.watch()
    }

    /// Whether other hosts use the store too.
    pub fn is_shared(&self) -> bool {
        self.config.shared
    }

    /// How much of the store searches see; asks nobody.
    pub fn freshness(&self) -> Freshness {
        self.follower.freshness()
    }

    /// Starts to index a folder and returns at once. While a task for the very same request waits or
    /// still walks, that task is returned instead of another one. Tasks run one after the other.
    pub async fn start_indexing(&self, request: IndexRequest) -> Result<Task, IngestError> {
        if self.stop.is_cancelled() {
            return Err(IngestError::ShuttingDown);
        }
        let keep_watching = request.watch;
        let plan = folder::plan(request, &self.config)?;
        if keep_watching {
            // Before the walk, so that no change falls between the two.
            watcher::watch(self, &plan).await?;
        }
        self.start_task(Work::Folder(plan)).await
    }

    /// Starts to derive all posted documents anew; a task like those of folders, also in how it is joined.
    pub async fn start_renewal(&self) -> Result<Task, IngestError> {
        if self.stop.is_cancelled() {
            return Err(IngestError::ShuttingDown);
        }
        self.start_task(Work::Renewal).await
    }

    async fn start_task(&self, work: Work) -> Result<Task, IngestError> {
        let (entry, fresh) = self.tasks.enter(work).await?;
        let task = entry.current();
        if fresh {
            self.spawn_task(entry);
        }
        Ok(task)
    }

    fn spawn_task(&self, entry: Arc<Entry>) {
        let ingest = self.clone();
        self.tasks.spawn(async move { hosts::work_off(&ingest, &entry).await });
    }

    /// A task by its id, running or not.
    pub async fn task(&self, id: &str) -> Result<Option<Task>, IngestError> {
        match self.tasks.watch(id) {
            Some(task) => Ok(Some(task.borrow().clone())),
            None => Ok(self.store.task(id).await?),
        }
    }

    /// A task's progress as it happens. The channel closes with the task's last state in it.
    pub async fn watch_task(&self, id: &str) -> Result<Option<watch::Receiver<Task>>, IngestError> {
        if let Some(task) = self.tasks.watch(id) {
            return Ok(Some(task));
        }
        Ok(self.store.task(id).await?.map(|task| hosts::watch_elsewhere(self, task)))
    }

    /// The newest tasks first.
    pub async fn tasks(&self, limit: u32) -> Result<Vec<Task>, IngestError> {
        let mut tasks = self.store.tasks(limit).await?;
        for task in &mut tasks {
            if let Some(live) = self.tasks.watch(&task.id) {
                *task = live.borrow().clone();
            }
        }
        Ok(tasks)
    }

    /// Stores documents and makes them searchable. A document at fault is refused with its reason, the
    /// others go on. When this returns, the accepted ones are durable; `searchable` tells whether
    /// searches see them already.
    pub async fn put_documents(&self, documents: Vec<PostedDocument>) -> Result<Posted, IngestError> {
        self.put(documents, false).await
    }

    /// As `put_documents`; what did not change gets a new version too, so that everything is derived from it anew.
    pub async fn rewrite_documents(&self, documents: Vec<PostedDocument>) -> Result<Posted, IngestError> {
        self.put(documents, true).await
    }

    async fn put(&self, documents: Vec<PostedDocument>, rewrite: bool) -> Result<Posted, IngestError> {
        let mut accepted = post::validate(documents, self.config.max_content_bytes);
        accepted.documents.iter_mut().for_each(|document| document.rewrite = rewrite);
        let outcomes = self.store.upsert(accepted.documents).await?;
        let mut posted = Posted { refused: accepted.refused, ..Posted::default() };
        for outcome in outcomes {
            posted.count(outcome);
        }
        posted.searchable = self.visible(posted.sequence).await;
        Ok(posted)
    }

    /// Removes posted documents; says how many there were.
    pub async fn remove_documents(&self, paths: &[String]) -> Result<u64, IngestError> {
        let removed = self.store.remove(crate::store::POSTED_ROOT, paths).await?;
        self.visible(self.store.last_sequence().await?).await;
        Ok(removed)
    }

    /// Removes an indexed folder with all its documents; none if it is not indexed. `path` is the
    /// root's, as the store lists it.
    pub async fn remove_root(&self, path: &str) -> Result<Option<u64>, IngestError> {
        let Some(root) = self.store.roots().await?.into_iter().find(|root| root.path == path) else {
            return Ok(None);
        };
        let removed = self.store.remove_root(root.id).await?;
        self.visible(self.store.last_sequence().await?).await;
        Ok(Some(removed))
    }

    /// Stops: a running task ends as interrupted and what it has stored stays; the index commits what
    /// it has taken in. Close the store after this, not before.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.finished().await;
        self.follower.finished().await;
    }

    /// Waits, but not forever, until searches see a change.
    async fn visible(&self, sequence: u64) -> bool {
        matches!(tokio::time::timeout(VISIBILITY_WAIT, self.follower.committed(sequence)).await, Ok(Ok(())))
    }
}

#[cfg(test)]
mod tests;
