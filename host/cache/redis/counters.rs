//! What the shared tier counts of itself since the start.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::cache::figures::{CallFigures, SharedFigures, TierState};
use crate::telemetry::Latency;

/// Durations that the recent mean is made of.
const RECENT: usize = 100;

#[derive(Default)]
pub(super) struct Counters {
    pub hits: AtomicU64,
    pub misses: AtomicU64,
    pub sets: AtomicU64,
    pub deletes: AtomicU64,
    pub errors: AtomicU64,
    pub timeouts: AtomicU64,
    pub corrupted: AtomicU64,
    pub dropped: AtomicU64,
    pub skipped: AtomicU64,
    pub body_bytes: AtomicU64,
    pub stored_bytes: AtomicU64,
    pub get: Calls,
    pub set: Calls,
    pub memory_usage_bytes: AtomicU64,
    pub key_count: AtomicU64,
    pub evictions: AtomicU64,
}

/// Times of one kind of call.
#[derive(Default)]
pub(super) struct Calls {
    all: Latency,
    recent: Mutex<VecDeque<Duration>>,
}

impl Counters {
    /// `connections`: open ones, and how many there may be.
    pub fn figures(&self, state: TierState, connections: (u64, u64)) -> SharedFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SharedFigures {
            state,
            hits: read(&self.hits),
            misses: read(&self.misses),
            sets: read(&self.sets),
            deletes: read(&self.deletes),
            errors: read(&self.errors),
            timeouts: read(&self.timeouts),
            corrupted: read(&self.corrupted),
            dropped: read(&self.dropped),
            skipped: read(&self.skipped),
            body_bytes: read(&self.body_bytes),
            stored_bytes: read(&self.stored_bytes),
            get: self.get.figures(),
            set: self.set.figures(),
            memory_usage_bytes: read(&self.memory_usage_bytes),
            key_count: read(&self.key_count),
            evictions: read(&self.evictions),
            connections: connections.0,
            max_connections: connections.1,
        }
    }
}

impl Calls {
    pub fn took(&self, elapsed: Duration) {
        self.all.record(elapsed);
        let mut recent = self.recent.lock();
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(elapsed);
    }

    fn figures(&self) -> CallFigures {
        let recent = self.recent.lock();
        let mean = recent.iter().sum::<Duration>().as_secs_f64() * 1e3 / recent.len().max(1) as f64;
        CallFigures { recent_ms: mean, all: self.all.figures() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recent_mean_forgets_what_is_a_hundred_calls_ago() {
        let calls = Calls::default();
        calls.took(Duration::from_secs(100));
        assert_eq!(calls.figures().recent_ms, 100_000.0);
        (0..50).for_each(|_| calls.took(Duration::from_millis(1)));
        (0..50).for_each(|_| calls.took(Duration::from_millis(3)));
        let figures = calls.figures();
        assert!((figures.recent_ms - 2.0).abs() < 1e-9, "{figures:?}");
        assert_eq!(figures.all.count, 101);
    }
}
