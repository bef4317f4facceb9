//! What is kept of the world of agents: events, snapshots, and the rules that decided. Knows nothing of
//! what they mean; bodies are bytes.

/// What any backend must do, as tests over the trait.
#[cfg(test)]
pub(crate) mod conformance;
/// A store that is gone at its end.
#[cfg(test)]
pub(crate) mod memory;
/// What a row of a table is read as.
pub(super) mod row;

use async_trait::async_trait;

use super::StoreError;

/// One event; `body` is opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// From 1, without gaps.
    pub sequence: u64,
    pub tick: u64,
    /// Unix milliseconds.
    pub at: i64,
    /// Digest of the rules that decided; zeros for none.
    pub rules: [u8; 32],
    /// One word, for people and filters.
    pub kind: String,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// From 1; given by the store.
    pub id: u64,
    /// The last event that it holds.
    pub sequence: u64,
    pub tick: u64,
    /// Unix milliseconds.
    pub at: i64,
    /// None: made by the host itself, which keeps only the latest few.
    pub name: Option<String>,
    pub agents: u64,
    /// Digest of the world.
    pub digest: [u8; 32],
    /// Bytes of its body.
    pub size: u64,
}

/// Rules that once decided something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRules {
    pub digest: [u8; 32],
    pub name: String,
    pub version: String,
    /// Unix milliseconds of their first decision.
    pub first_used: i64,
    /// Opaque.
    pub body: Vec<u8>,
}

/// The world's durable truth. A call that returns `Ok` after a change has synced it. One host at a time
/// writes (it holds a lease); the others only read.
#[async_trait]
pub trait WorldStore: Send + Sync {
    /// Appends events in one transaction. Their sequences follow the last one without a gap; any other
    /// sequence is `StoreError::Conflict`: another host writes, and nothing was written. After other errors
    /// all or none of them may have been written: `last_event` tells.
    async fn append_events(&self, events: &[StoredEvent]) -> Result<(), StoreError>;

    /// Events after a sequence, in order, at most `limit`, and fewer when their bodies exceed `PAGE_BYTES`.
    async fn events(&self, after: u64, limit: u32) -> Result<Vec<StoredEvent>, StoreError>;

    /// 0 for a world that has not begun.
    async fn last_event(&self) -> Result<u64, StoreError>;

    /// Keeps a snapshot and forgets automatic ones beyond the latest `keep_automatic` (those after which
    /// a `restored` event was written, or that have a name, stay). `info.id` and `info.size` are ignored;
    /// returns the new id, whose snapshot stays in any case. Bodies may be tens of megabytes.
    async fn save_snapshot(&self, info: &SnapshotInfo, body: &[u8], keep_automatic: u32) -> Result<u64, StoreError>;

    /// Latest first.
    async fn snapshots(&self) -> Result<Vec<SnapshotInfo>, StoreError>;

    async fn snapshot_body(&self, id: u64) -> Result<Option<Vec<u8>>, StoreError>;

    /// A snapshot that has served a restore must never go. One that is gone already is an error.
    async fn pin_snapshot(&self, id: u64) -> Result<(), StoreError>;

    /// Keeps rules; nothing happens when they are there.
    async fn save_rules(&self, rules: &StoredRules) -> Result<(), StoreError>;

    async fn rules(&self, digest: &[u8; 32]) -> Result<Option<StoredRules>, StoreError>;

    /// Without bodies, the first used first.
    async fn rules_used(&self) -> Result<Vec<StoredRules>, StoreError>;
}

/// Whether events are the next ones after `last`.
pub(super) fn follows(events: &[StoredEvent], last: u64) -> bool {
    events.iter().zip(1..).all(|(event, place)| last.checked_add(place) == Some(event.sequence))
}

pub(super) fn conflict(events: &[StoredEvent]) -> StoreError {
    let first = events.first().map_or(0, |event| event.sequence);
    StoreError::Conflict(format!("event {first} of the world"))
}

pub(super) fn no_snapshot(id: u64) -> StoreError {
    StoreError::Statement(format!("snapshot {id} is not there any more"))
}
