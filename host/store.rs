//! The durable truth: documents, roots and tasks, and the world of agents, behind traits. The embedded backend
//! is SQLite, the shared one PostgreSQL; both pass the same `conformance` suite. The only module that speaks
//! SQL. Knows nothing of the indexes that follow its change feed, of HTTP, or of plugins.

/// What any backend must do, as tests over the trait.
#[cfg(test)]
mod conformance;
/// How a document's text lies in the database.
mod content;
/// From one store to another.
pub mod copy;
/// Figures of the past.
pub mod history;
/// API keys.
pub(crate) mod key;
/// Rights that one host at a time has.
mod lease;
/// What a store says about itself.
pub mod monitor;
/// The shared backend.
pub mod postgres;
/// What a row of a table is read as.
mod row;
/// The embedded backend.
pub mod sqlite;
/// Long-running work and its progress.
pub mod task;
/// What people ask and choose.
pub mod usage;
/// What makes a new version of a document.
mod version;
/// The world of agents, as it is kept.
pub(crate) mod world;

use std::collections::HashMap;

use async_trait::async_trait;

pub use history::{HistoryRange, HistoryRow, HistoryStore, Resolution};
pub use key::{KeyStore, StoredKey};
pub use lease::Lease;
pub use monitor::MonitoredStore;
pub use postgres::retrieval::{self, Retrieval};
pub use postgres::{PostgresOptions, PostgresStore};
pub use sqlite::SqliteStore;
pub use task::{Bounds, Phase, Progress, SkipReason, Skipped, Task, TaskKind, TaskState};
pub use usage::{ForgetUsage, UsageRow, UsageStore};
pub use world::{SnapshotInfo, StoredEvent, StoredRules, WorldStore};

use crate::index::DocumentVersion;

/// The root of documents that clients post; always there.
pub const POSTED_ROOT: u64 = 0;

/// Default limit of one document's text: 1 MiB. Source files beyond it are generated or data.
pub const DEFAULT_MAX_CONTENT_BYTES: u64 = 1 << 20;

/// Documents, roots and tasks, kept durably. A call that returns `Ok` after a change has synced it.
///
/// Every change of a document takes the next number of one sequence, in the order in which changes
/// become visible, so that a follower that has read up to `n` asks for what is after `n` and misses
/// nothing. Only the newest version of a document is kept: a follower sees the last change of each.
#[async_trait]
pub trait DocumentStore: Send + Sync {
    /// Registers a folder, or finds it; a removed root comes back with its old id. `path` is absolute.
    async fn register_root(&self, path: &str, name: &str) -> Result<Root, StoreError>;

    /// All roots except the posted one, by id.
    async fn roots(&self) -> Result<Vec<Root>, StoreError>;

    /// Notes when a root was last indexed completely, in Unix seconds.
    async fn mark_indexed(&self, root: u64, at: i64) -> Result<(), StoreError>;

    /// Removes a root with all its documents; says how many those were.
    async fn remove_root(&self, root: u64) -> Result<u64, StoreError>;

    /// Writes documents in one transaction; one outcome each, in their order. When one is refused
    /// (`TooLarge`), none is written.
    async fn upsert(&self, documents: Vec<NewDocument>) -> Result<Vec<Upserted>, StoreError>;

    /// Removes documents in one transaction, leaving tombstones; paths that are not there are ignored.
    /// Returns how many were removed.
    async fn remove(&self, root: u64, paths: &[String]) -> Result<u64, StoreError>;

    /// Gives live documents of a root new versions as they are, in one transaction, so that followers derive everything
    /// from them anew: those whose last change is after `after` and not after `until`, the earliest first, at most
    /// `limit`. None when there are none left.
    async fn renew(&self, root: u64, after: u64, until: u64, limit: u32) -> Result<Option<Renewed>, StoreError>;

    /// The change feed: changes after a sequence, in sequence order, at most `limit`, and fewer when
    /// their text would exceed `PAGE_BYTES`. Empty only at the end of the feed.
    async fn changes(&self, after: u64, limit: u32) -> Result<Vec<StoredChange>, StoreError>;

    /// The sequence of the newest change; 0 for an empty store.
    async fn last_sequence(&self) -> Result<u64, StoreError>;

    /// Live documents of a root by path, without their text.
    async fn fingerprints(&self, root: u64) -> Result<HashMap<String, Fingerprint>, StoreError>;

    /// One live document with its text.
    async fn document(&self, root: u64, path: &str) -> Result<Option<DocumentVersion>, StoreError>;

    /// Forgets what a damaged document contained, so that the next upsert writes it whatever it says.
    async fn mark_damaged(&self, document: u64) -> Result<(), StoreError>;

    async fn counts(&self) -> Result<Counts, StoreError>;

    /// Creates a task or replaces what is known of it.
    async fn save_task(&self, task: &Task) -> Result<(), StoreError>;

    async fn task(&self, id: &str) -> Result<Option<Task>, StoreError>;

    /// The newest first.
    async fn tasks(&self, limit: u32) -> Result<Vec<Task>, StoreError>;

    /// Marks every unfinished task of this host as interrupted; for its start, when none can be running. Those of
    /// other hosts are for `adopt_tasks`. Returns how many there were.
    async fn interrupt_tasks(&self, message: &str) -> Result<u64, StoreError>;

    /// Marks unfinished tasks of hosts that are gone as interrupted and hands them out, each to one caller
    /// only, who may start them anew. Nothing where there is one host.
    async fn adopt_tasks(&self, message: &str) -> Result<Vec<Task>, StoreError>;

    /// Waits until the feed may have something after `after` that this process did not write, at most as
    /// long as the backend trusts its notifications. Never ends where there is one host. Cancel safe.
    async fn changed(&self, after: u64);

    /// The right to something that one host at a time may do, such as to index one folder. None while
    /// another holder has it, in whatever process; it ends with the holder, even by `kill -9`.
    async fn lease(&self, name: &str) -> Result<Option<Lease>, StoreError>;

    /// Tells one shared database from another; None where a data folder has its own.
    async fn identity(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// The use of the connections; None where there are none to share.
    fn pool(&self) -> Option<PoolFigures> {
        None
    }

    /// A cheap round trip, for health checks.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Finishes what is under way and lets go of the database.
    async fn close(&self);
}

/// All that a backend keeps.
pub trait Store: DocumentStore + HistoryStore + KeyStore + MonitoredStore + UsageStore + WorldStore {}

impl<Backend> Store for Backend where
    Backend: DocumentStore + HistoryStore + KeyStore + MonitoredStore + UsageStore + WorldStore
{
}

/// A page of the change feed ends after this many bytes of text: what a follower holds in memory.
pub const PAGE_BYTES: u64 = 8 << 20;

/// A document as its source has it now.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDocument {
    pub root: u64,
    /// Relative to its root, `/` between parts.
    pub path: String,
    pub language: Option<String>,
    pub title: Option<String>,
    /// Unix seconds; none: now, or what is stored when nothing else differs.
    pub modified: Option<i64>,
    /// The source's own cheap change mark (a file's modification time in nanoseconds). Where there is
    /// one, another `modified` alone makes no new version: a touched file is not a changed file.
    pub stamp: Option<i64>,
    pub content: String,
    /// Write a new version even if nothing differs.
    pub rewrite: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upserted {
    /// A new version, at this sequence.
    Written { document: u64, sequence: u64 },
    /// The same content and metadata are already there.
    Unchanged,
}

/// Documents that got new versions as they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewed {
    pub documents: u64,
    /// Sequence of the last of them before: where to go on.
    pub up_to: u64,
    /// Sequence of the last of them now.
    pub sequence: u64,
}

/// One entry of the change feed.
#[derive(Clone, Debug, PartialEq)]
pub enum StoredChange {
    Upsert(DocumentVersion),
    Remove {
        document: u64,
        sequence: u64,
    },
    /// A live document whose text cannot be read any more; it costs itself, not the feed.
    Damaged {
        document: u64,
        sequence: u64,
        path: String,
        reason: String,
    },
}

impl StoredChange {
    pub fn sequence(&self) -> u64 {
        match self {
            Self::Upsert(version) => version.sequence,
            Self::Remove { sequence, .. } | Self::Damaged { sequence, .. } => *sequence,
        }
    }

    /// What a look-up of this document answers.
    fn live(self) -> Result<Option<DocumentVersion>, StoreError> {
        match self {
            Self::Upsert(version) => Ok(Some(version)),
            Self::Remove { .. } => Ok(None),
            Self::Damaged { path, reason, .. } => Err(StoreError::DamagedDocument { path, reason }),
        }
    }
}

/// Enough to tell whether a source has changed, without its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// blake3 of the text; zeros when it is not known.
    pub digest: [u8; 32],
    pub modified: i64,
    pub stamp: Option<i64>,
    /// Bytes of the text.
    pub size: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Root {
    #[sqlx(try_from = "i64")]
    pub id: u64,
    /// Absolute.
    pub path: String,
    pub name: String,
    /// Unix seconds of the last complete indexing.
    pub last_indexed: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Counts {
    /// Live documents.
    #[sqlx(try_from = "i64")]
    pub documents: u64,
    /// Removed documents whose tombstone is kept.
    #[sqlx(try_from = "i64")]
    pub tombstones: u64,
    /// Bytes of text of the live documents.
    #[sqlx(try_from = "i64")]
    pub content_bytes: u64,
    /// Without the posted one.
    #[sqlx(try_from = "i64")]
    pub roots: u64,
}

/// The connections to a shared database at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoolFigures {
    /// Open ones.
    pub size: u32,
    pub idle: u32,
    pub in_use: u32,
    /// There will never be more.
    pub max: u32,
    /// Calls that wait for one.
    pub waiting: u32,
    /// `in_use` of `max`, 0 to 1.
    pub usage: f64,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached or has no room; what was acknowledged is safe.
    #[error(
        "the document store is unavailable: {0}; check that the database runs, its disk and its permissions, then try again"
    )]
    Unavailable(String),
    /// Other callers hold the database, or all connections to it, for longer than the timeout.
    #[error("the document store is busy: {0}; try again in a moment")]
    Busy(String),
    #[error("the document store is damaged: {0}; restore the data folder from a backup, or delete it and index again")]
    Corrupt(String),
    #[error("the text of `{path}` is damaged: {reason}; index its folder again, or post the document again")]
    DamagedDocument { path: String, reason: String },
    #[error("`{path}` has {size} bytes, more than the limit of {limit}; split it or raise index.max_file_bytes")]
    TooLarge { path: String, size: u64, limit: u64 },
    #[error("the path `{0}` has a NUL character; name the document otherwise")]
    UnusablePath(String),
    #[error(
        "the document store was written by another version of this program: {0}; use that version or another data folder"
    )]
    Schema(String),
    /// Another process wrote what this one was about to; nothing was written.
    #[error("another host wrote {0} first; this one has to read it before it writes again")]
    Conflict(String),
    /// A statement that should have worked did not: an error of ours.
    #[error("a statement of the document store failed: {0}")]
    Statement(String),
}
