//! What the HTTP layer asks of the rest of the server, as one trait, and the words of its answers. The
//! composition root implements it; tests implement it with a fake. Knows nothing of routes.

/// The server itself.
mod condition;

pub use condition::{HistoryRequest, HostSample, PartState, PartStatus, PastFigures, PoolUse};

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Usage;
use super::database::DatabaseStatus;
use super::ecs::search::{AgentMatches, AgentSearch, AgentSearchError};
use super::rag::backend::Rag;
use crate::cache;
use crate::ecs::World;
use crate::index::IndexStats;
use crate::query::{Analysis, Query};
use crate::service::stream::Streams;
use crate::service::{Answer, SearchError, SearchRequest};
use crate::suggest::Suggester;
use crate::telemetry::HistoryFigures;
use crate::upstream::UpstreamFigures;

/// All that is behind the routes. Methods that return at once must not block.
pub trait Backend: Send + Sync + 'static {
    /// Answers one search; the future may be dropped at any time.
    fn search(&self, request: SearchRequest) -> BoxFuture<'_, Result<Answer, SearchError>>;

    /// What a strategy makes of a query; the future may be dropped at any time.
    fn analyze(&self, strategy: &str, query: Query) -> BoxFuture<'_, Result<Analysis, SearchError>>;

    /// Searches whose answers come in parts.
    fn streams(&self) -> &dyn Streams;

    /// The world of agents; none when it is switched off.
    fn world(&self) -> Option<Arc<dyn World>>;

    /// What is remembered of use.
    fn usage(&self) -> &dyn Usage;

    /// Searches agents as if they were documents.
    fn search_agents(&self, request: AgentSearch) -> BoxFuture<'_, Result<AgentMatches, AgentSearchError>>;

    /// Who suggests; none when suggestions are switched off.
    fn suggester(&self) -> Option<Arc<dyn Suggester>>;

    /// Retrieval for language models.
    fn rag(&self) -> &dyn Rag;

    fn plugins(&self) -> Vec<PluginStatus>;

    /// Loads a plugin's file again and publishes it; the old version goes on when that fails.
    fn reload(&self, name: &str) -> BoxFuture<'_, Result<PluginStatus, BackendError>>;

    /// Starts or joins the indexing of a folder; returns as soon as there is a task to follow.
    fn start_indexing(&self, request: IndexRequest) -> BoxFuture<'_, Result<TaskStatus, BackendError>>;

    /// Stores documents and makes them searchable; one outcome each, in their order.
    fn put_documents(
        &self,
        documents: Vec<PostedDocument>,
    ) -> BoxFuture<'_, Result<Vec<DocumentOutcome>, BackendError>>;

    /// Latest first.
    fn tasks(&self) -> BoxFuture<'_, Result<Vec<TaskStatus>, BackendError>>;

    fn task(&self, id: &str) -> BoxFuture<'_, Result<TaskStatus, BackendError>>;

    /// The task now and at every change, until and including its end.
    fn watch_task(&self, id: &str) -> BoxFuture<'_, Result<BoxStream<'static, TaskStatus>, BackendError>>;

    /// API keys, the oldest first.
    fn keys(&self) -> BoxFuture<'_, Result<Vec<KeyStatus>, BackendError>>;

    fn create_key(&self, request: KeyRequest) -> BoxFuture<'_, Result<CreatedKey, BackendError>>;

    fn revoke_key(&self, id: &str) -> BoxFuture<'_, Result<(), BackendError>>;

    fn index(&self) -> IndexStatus;

    /// How fresh an answer is that is given now.
    fn freshness(&self) -> Freshness;

    fn cache(&self) -> BoxFuture<'_, cache::Figures>;

    /// How much was dropped, here and beyond; none: all namespaces.
    fn clear_cache(&self, namespace: Option<String>) -> BoxFuture<'_, cache::Cleared>;

    /// What the database says about itself; bounded in time.
    fn database(&self) -> BoxFuture<'_, Result<DatabaseStatus, BackendError>>;

    /// Every part and whether it works; within a second or so, whatever is away.
    fn parts(&self) -> BoxFuture<'_, Vec<PartStatus>>;

    /// Connections to a database that is shared.
    fn database_pool(&self) -> Option<PoolUse>;

    /// Figures of the past; none when they are not kept.
    fn history(&self, request: HistoryRequest) -> BoxFuture<'_, Result<Option<PastFigures>, BackendError>>;

    /// How keeping figures of the past goes; none when they are not kept.
    fn history_figures(&self) -> Option<HistoryFigures>;

    /// Services elsewhere that were called.
    fn upstreams(&self) -> Vec<UpstreamFigures> {
        vec![]
    }

    /// False until the first search can be answered, and again while stopping.
    fn ready(&self) -> bool;
}

/// Why the backend cannot do what was asked (searches have their own error).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    #[error("there is no {kind} `{name}`")]
    NotFound { kind: &'static str, name: String },
    /// The request is at fault; `field` is a path such as `directories[1]`.
    #[error("{field} {message}")]
    Invalid { field: String, message: String },
    /// What was asked contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// May work later.
    #[error("{0}")]
    Unavailable(String),
    /// For the log; clients are not told the text.
    #[error("{0}")]
    Internal(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    Strategy,
    Ranker,
    TraitRules,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PluginState {
    /// Serves new queries.
    Active,
    /// Its last file could not be loaded; `last_error` says why. An older version may still serve.
    Failed,
    /// Finishes the queries that began with it.
    Draining,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PluginSource {
    /// Part of the server's binary.
    Embedded,
    /// From a plugin folder.
    Folder,
}

/// Calls that failed, by what went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PluginErrors {
    pub trap: u64,
    pub timeout: u64,
    pub memory: u64,
    pub output: u64,
    pub bad_query: u64,
    pub unsupported: u64,
    pub internal: u64,
    /// What it returned broke the contract.
    pub contract: u64,
    /// No instance was free.
    pub exhausted: u64,
}

impl PluginErrors {
    /// By name, in the order of the fields.
    pub fn by_kind(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("trap", self.trap),
            ("timeout", self.timeout),
            ("memory", self.memory),
            ("output", self.output),
            ("bad_query", self.bad_query),
            ("unsupported", self.unsupported),
            ("internal", self.internal),
            ("contract", self.contract),
            ("exhausted", self.exhausted),
        ]
    }
}

/// One version of one plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PluginStatus {
    pub name: String,
    pub version: String,
    /// Absent for a file that never loaded.
    pub kind: Option<PluginKind>,
    /// In the plugin's own words.
    pub purpose: String,
    /// BLAKE3 of its file, hexadecimal.
    pub digest: String,
    pub state: PluginState,
    /// RFC 3339: when it came into this state.
    pub since: String,
    pub source: PluginSource,
    pub calls: u64,
    pub errors: PluginErrors,
    /// Microseconds of a call.
    pub p50_us: f64,
    pub p99_us: f64,
    /// Most linear memory that one instance used.
    pub memory_high_water_bytes: u64,
    pub last_error: Option<String>,
}

/// What to index. Fields that are left out mean everything below the served tree.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IndexRequest {
    /// A folder that the server was allowed to index; the served tree when left out.
    pub project_root: Option<String>,
    /// Extensions, with or without a dot.
    #[schema(max_items = 32)]
    pub file_types: Vec<String>,
    /// Relative to the root.
    #[schema(max_items = 64)]
    pub directories: Vec<String>,
    /// Read and derive everything again, changed or not.
    pub force_reindex: bool,
    /// Accepted for clients of the earlier API; chunks end at definitions and paragraphs here.
    #[schema(minimum = 64, maximum = 2048)]
    pub chunk_size: Option<u32>,
    /// Accepted for clients of the earlier API, like `chunk_size`.
    #[schema(maximum = 256)]
    pub overlap: Option<u32>,
}

/// One document that is not a file. `path` (or `id`) identifies it: posting it again replaces it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostedDocument {
    /// Relative, `/` between parts, at most 512 bytes. Or `id`.
    #[serde(default)]
    pub path: Option<String>,
    /// Stands for `path` when there is none.
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub language: Option<String>,
    pub content: String,
    /// Unix seconds; now when left out.
    #[serde(default)]
    pub modified: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DocumentState {
    /// New or changed, durable and searchable.
    Stored,
    /// New or changed and durable; the index is busy, searches see it without further ado in a while.
    Pending,
    /// The same content was there.
    Unchanged,
    /// `errors` say why; the others were not held up by it.
    Rejected,
}

/// What became of one posted document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DocumentOutcome {
    pub path: Option<String>,
    pub state: DocumentState,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub errors: Vec<super::problem::Violation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    Queued,
    Running,
    Succeeded,
    Failed,
    /// The server stopped before it ended; what it acknowledged is kept.
    Interrupted,
}

impl TaskState {
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// Background work that can be polled or streamed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskStatus {
    pub id: String,
    /// `index`: a folder; `renew`: the posted documents.
    pub kind: String,
    pub state: TaskState,
    /// Counts and the phase, in the words of the kind of task.
    #[schema(value_type = Object)]
    pub progress: serde_json::Value,
    /// RFC 3339.
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub error: Option<String>,
}

/// How much of the store an answer reflects, as far as this host knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// Store sequence that searches see, at least.
    pub generation: u64,
    /// The newest store sequence that this host has heard of.
    pub latest: u64,
    /// Whole seconds since the store was last heard.
    pub checked: u64,
    /// The store is out of reach: other hosts may have written more than `latest`.
    pub stale: bool,
}

/// An API key without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyStatus {
    pub id: String,
    pub name: String,
    /// Of `search`, `index`, `admin`.
    pub scopes: Vec<String>,
    /// None: what the server says for all keys. 0: no limit.
    pub rate_per_minute: Option<u32>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; none: never.
    pub expires_at: Option<String>,
}

/// What a new API key shall be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyRequest {
    /// Whose key it is, for people.
    #[schema(min_length = 1, max_length = 64)]
    pub name: String,
    /// Of `search`, `index`, `admin` (which implies the others).
    #[schema(min_items = 1)]
    pub scopes: Vec<String>,
    /// Days until it ends by itself; never when left out.
    #[schema(minimum = 1, maximum = 36500)]
    pub expires_days: Option<u32>,
    /// Requests a minute; what the server says for all keys when left out, no limit for 0.
    #[schema(maximum = 10000000)]
    pub rate_per_minute: Option<u32>,
}

/// An API key that was just made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedKey {
    /// What clients send; it cannot be shown again.
    pub key: String,
    #[serde(flatten)]
    pub status: KeyStatus,
}

/// The index as it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IndexStatus {
    pub stats: IndexStats,
    /// RFC 3339: the last time that an indexing task ended well.
    pub last_indexed: Option<String>,
}
