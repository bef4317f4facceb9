//! What the cache says of itself: counts, sizes and the state of the tier that hosts share. Plain values,
//! read at one moment; who shows them and how is not known here.

use std::time::SystemTime;

use crate::telemetry::LatencyFigures;

/// Counts of one namespace since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceFigures {
    pub namespace: String,
    /// Found fresh in process.
    pub hits: u64,
    /// Served past its life time while a newer one was computed.
    pub stale: u64,
    /// Found in the shared tier.
    pub shared: u64,
    pub misses: u64,
    pub coalesced: u64,
    /// Stale entries that were computed again in the background.
    pub refreshed: u64,
    /// Computed or fetched before anybody asked.
    pub warmed: u64,
    /// Dropped for want of room, not for age.
    pub evicted: u64,
}

/// The whole cache at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    pub namespaces: Vec<NamespaceFigures>,
    pub entries: u64,
    pub bytes: u64,
    pub capacity_bytes: u64,
    /// None without a shared tier.
    pub shared: Option<SharedFigures>,
}

/// The shared tier as this host sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedFigures {
    pub state: TierState,
    pub hits: u64,
    pub misses: u64,
    pub sets: u64,
    /// Keys that were removed by clearing, or because they held no value of ours.
    pub deletes: u64,
    /// Calls that failed, for whatever reason.
    pub errors: u64,
    /// Of `errors`: those that took longer than the time allowed.
    pub timeouts: u64,
    /// Values that were damaged or not ours; each counts as a miss too.
    pub corrupted: u64,
    /// Values that were not written, because the tier was away or full, or writes queued up.
    pub dropped: u64,
    /// Calls that were not made, because the tier was known to be away.
    pub skipped: u64,
    /// Bodies written, before and after compression.
    pub body_bytes: u64,
    pub stored_bytes: u64,
    pub get: CallFigures,
    pub set: CallFigures,
    /// As Redis says, over all nodes and everything that it holds.
    pub memory_usage_bytes: u64,
    pub key_count: u64,
    pub evictions: u64,
    /// Connections that are open, and how many there may be.
    pub connections: u64,
    pub max_connections: u64,
}

impl SharedFigures {
    /// Percent of all look-ups in the shared tier that found something, 0 when there were none.
    pub fn hit_rate(&self) -> f64 {
        let total = self.hits + self.misses;
        if total == 0 { 0.0 } else { self.hits as f64 * 100.0 / total as f64 }
    }

    /// Bytes that compression saved.
    pub fn saved_bytes(&self) -> u64 {
        self.body_bytes.saturating_sub(self.stored_bytes)
    }
}

/// How long calls took, in milliseconds; failed ones are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CallFigures {
    /// Mean of the last hundred.
    pub recent_ms: f64,
    pub all: LatencyFigures,
}

/// Whether the shared tier can be used, and since when that is so.
#[derive(Clone, Debug, PartialEq)]
pub struct TierState {
    /// False: no request waits for it; it is tried again in the background.
    pub available: bool,
    /// False: it is read, but takes no values at present because it is full or read-only.
    pub writable: bool,
    pub since: SystemTime,
    /// The last failure, also when it is long over; never an address or a password.
    pub last_error: Option<String>,
    /// How often it went away since the start.
    pub outages: u64,
}
