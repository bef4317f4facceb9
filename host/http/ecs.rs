//! The world of agents over HTTP.

/// Agents that are looked for.
pub(super) mod search;
