//! The search service: admit, key, cache, and on a miss strategy, ranker, fetch. Knows nothing of HTTP.

/// The JSON shape of an answer.
pub mod answer;

use std::time::Duration;

use bytes::Bytes;

use crate::query::Query;

/// A validated request, complete with what the answer shall show.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchRequest {
    /// Name of a loaded strategy, with or without its `strategy-` prefix.
    pub strategy: String,
    /// Name of a loaded ranker, with or without its `rank-` prefix; none: the default ranker.
    pub ranker: Option<String>,
    pub query: Query,
    pub offset: u32,
    /// 1..=100.
    pub max_results: u32,
    /// Lines of context around a hit's line, 0..=10.
    pub context_lines: u32,
    pub explain: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheStatus {
    Hit,
    /// Computed for this request.
    Miss,
    /// Waited for the same computation of another request.
    Coalesced,
    /// Computed, but not kept (degraded answers).
    Uncacheable,
}

/// What goes to the client. The body is the same for every client that asks the same of the same
/// plugins and index; all that differs from call to call is beside it.
#[derive(Clone, Debug)]
pub struct Answer {
    pub body: Bytes,
    /// Strong validator, without quotes.
    pub etag: String,
    pub cache: CacheStatus,
    /// Stage name and time, in the order of the stages; only `cache` on a hit.
    pub timings: Vec<(&'static str, Duration)>,
}

/// Why there is no answer. `plugin` is `name@version` of the guilty one.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SearchError {
    #[error("there is no strategy `{name}`; loaded: {}", known.join(", "))]
    UnknownStrategy { name: String, known: Vec<String> },
    #[error("there is no ranker `{name}`; loaded: {}", known.join(", "))]
    UnknownRanker { name: String, known: Vec<String> },
    /// The plugin says that the query cannot be answered as it stands.
    #[error("{reason}")]
    BadQuery { plugin: String, reason: String },
    #[error("{plugin} does not support this: {reason}")]
    Unsupported { plugin: String, reason: String },
    /// The plugin's own internal error.
    #[error("{plugin} failed: {reason}")]
    PluginFailed { plugin: String, reason: String },
    #[error("{plugin} trapped: {reason}")]
    PluginTrapped { plugin: String, reason: String },
    #[error("{plugin} took longer than its {} ms", deadline.as_millis())]
    PluginTimedOut { plugin: String, deadline: Duration },
    /// Memory, output size, or number of concurrent calls.
    #[error("{plugin} exceeded its limit: {reason}")]
    PluginLimit { plugin: String, reason: String },
    /// No permit before the deadline; the client should come back later.
    #[error("too many searches at once; try again in a second")]
    Overloaded,
    #[error("the search took longer than {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("the index cannot be read: {0}")]
    Index(String),
}
