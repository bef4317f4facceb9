//! One namespace: its number, its life time, its counters, and what a computation in it costs. Namespaces
//! are names of loaded strategies and the like, so they are few and never removed.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::figures::NamespaceFigures;

/// Weight of the newest computation in the running mean of costs.
const NEWEST: f64 = 0.2;

#[derive(Debug)]
pub(super) struct Namespace {
    pub number: u32,
    pub name: Box<str>,
    pub lifetime: Duration,
    /// Grows when the namespace is cleared, so what was still being computed then is never found.
    pub epoch: AtomicU32,
    pub hits: AtomicU64,
    pub stale: AtomicU64,
    pub shared: AtomicU64,
    pub misses: AtomicU64,
    pub coalesced: AtomicU64,
    pub refreshed: AtomicU64,
    pub warmed: AtomicU64,
    pub evicted: AtomicU64,
    /// Running mean of a computation in microseconds; 0 before the first.
    cost: AtomicU64,
}

impl Namespace {
    pub fn new(number: u32, name: &str, lifetime: Duration) -> Self {
        Self {
            number,
            name: name.into(),
            lifetime,
            epoch: AtomicU32::new(0),
            hits: AtomicU64::new(0),
            stale: AtomicU64::new(0),
            shared: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            coalesced: AtomicU64::new(0),
            refreshed: AtomicU64::new(0),
            warmed: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            cost: AtomicU64::new(0),
        }
    }

    /// Takes the time of one computation in. Two at the same time may lose one of them, which does not matter.
    pub fn took(&self, elapsed: Duration) {
        let newest = elapsed.as_micros() as f64;
        let mean = match self.cost.load(Ordering::Relaxed) {
            0 => newest,
            before => before as f64 * (1.0 - NEWEST) + newest * NEWEST,
        };
        self.cost.store((mean as u64).max(1), Ordering::Relaxed);
    }

    /// What a computation costs in the mean; none before the first.
    pub fn cost(&self) -> Option<Duration> {
        match self.cost.load(Ordering::Relaxed) {
            0 => None,
            microseconds => Some(Duration::from_micros(microseconds)),
        }
    }

    pub fn figures(&self) -> NamespaceFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        NamespaceFigures {
            namespace: self.name.to_string(),
            hits: read(&self.hits),
            stale: read(&self.stale),
            shared: read(&self.shared),
            misses: read(&self.misses),
            coalesced: read(&self.coalesced),
            refreshed: read(&self.refreshed),
            warmed: read(&self.warmed),
            evicted: read(&self.evicted),
        }
    }
}

/// Counts one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
