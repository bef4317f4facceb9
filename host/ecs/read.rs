//! What can be read off the state.

/// What is counted over all agents.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub mature: u64,
    pub bytes_per_agent: u64,
}
