//! Why there is no answer.

use std::time::Duration;

use crate::runtime::{CallError, Plugin};

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
    /// The client of an export reads no more, or too slowly.
    #[error("no results were taken for {} s: ask again, and read on without such a pause", .0.as_secs())]
    NotTaken(Duration),
    #[error("the index cannot be read: {0}")]
    Index(String),
}

/// What a failed call of a plugin means for the search.
pub(super) fn blame(error: CallError, plugin: &Plugin) -> SearchError {
    let name = plugin.label().to_owned();
    match error {
        CallError::BadQuery(reason) => SearchError::BadQuery { plugin: name, reason },
        CallError::Unsupported(reason) => SearchError::Unsupported { plugin: name, reason },
        CallError::Internal(reason) => SearchError::PluginFailed { plugin: name, reason },
        CallError::Contract(reason) => SearchError::PluginFailed { plugin: name, reason },
        CallError::Trap(reason) => SearchError::PluginTrapped { plugin: name, reason },
        CallError::Timeout(deadline) => SearchError::PluginTimedOut { plugin: name, deadline },
        CallError::Exhausted(_) => SearchError::Overloaded,
        limit @ (CallError::Memory { .. } | CallError::Output { .. }) => {
            SearchError::PluginLimit { plugin: name, reason: limit.to_string() }
        }
    }
}
