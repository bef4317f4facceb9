//! Whether the shared tier is worth asking. After a few failures in a row nobody asks any more, so that a
//! frozen server does not cost every request its time-out; a background look closes the breaker again. A
//! tier without room is still read, only not written for a moment. Logs changes, not failures.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::TierError;
use crate::cache::figures::TierState;

/// Failures in a row that open the breaker.
const PATIENCE: u32 = 5;
/// How long nothing is written after a refused write.
const WRITE_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Breaker {
    open: AtomicBool,
    failures: AtomicU32,
    /// How often it was closed.
    closings: AtomicU64,
    /// When it opens, the background look begins at once.
    pub opened: Notify,
    began: Instant,
    /// Milliseconds after `began` until which nothing is written; 0: written.
    pause: AtomicU64,
    state: Mutex<TierState>,
}

impl Breaker {
    /// Open until the first look.
    pub fn new() -> Self {
        let state =
            TierState { available: false, writable: true, since: SystemTime::now(), last_error: None, outages: 0 };
        Self {
            open: AtomicBool::new(true),
            failures: AtomicU32::new(0),
            closings: AtomicU64::new(0),
            opened: Notify::new(),
            began: Instant::now(),
            pause: AtomicU64::new(0),
            state: Mutex::new(state),
        }
    }

    pub fn allows(&self) -> bool {
        !self.open.load(Ordering::Acquire)
    }

    /// Changes whenever the tier has come back, perhaps without what it had.
    pub fn closings(&self) -> u64 {
        self.closings.load(Ordering::Relaxed)
    }

    pub fn allows_writing(&self) -> bool {
        self.allows() && self.pause.load(Ordering::Relaxed) <= self.now()
    }

    pub fn state(&self) -> TierState {
        self.state.lock().clone()
    }

    pub fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    pub fn failed(&self, error: TierError) {
        let mut state = self.state.lock();
        state.last_error = Some(error.to_string());
        // It answered, so it is there.
        if !error.means_away() {
            self.failures.store(0, Ordering::Relaxed);
            return;
        }
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 < PATIENCE || self.open.swap(true, Ordering::AcqRel) {
            return;
        }
        (state.available, state.since) = (false, SystemTime::now());
        state.outages += 1;
        tracing::warn!(%error, "the shared cache is away; searches go on without it");
        self.opened.notify_one();
    }

    /// A look in the background that found it away.
    pub fn still_away(&self, error: TierError) {
        let mut state = self.state.lock();
        let first = state.last_error.is_none();
        state.last_error = Some(error.to_string());
        if first {
            tracing::warn!(%error, "the shared cache cannot be used; searches go on without it");
        }
    }

    /// A look in the background that found it well.
    pub fn close(&self) {
        self.failures.store(0, Ordering::Relaxed);
        let mut state = self.state.lock();
        if self.open.swap(false, Ordering::AcqRel) {
            (state.available, state.since) = (true, SystemTime::now());
            self.closings.fetch_add(1, Ordering::Relaxed);
            tracing::info!("the shared cache is in use");
        }
    }

    /// A write was refused for want of room or of rights.
    pub fn refused_writing(&self) {
        self.pause.store(self.now() + WRITE_PAUSE.as_millis() as u64, Ordering::Relaxed);
        let mut state = self.state.lock();
        if std::mem::replace(&mut state.writable, false) {
            state.since = SystemTime::now();
            tracing::warn!("the shared cache takes no values at present; what it has is still read");
        }
    }

    pub fn wrote(&self) {
        if self.pause.load(Ordering::Relaxed) == 0 {
            return;
        }
        self.pause.store(0, Ordering::Relaxed);
        let mut state = self.state.lock();
        if !std::mem::replace(&mut state.writable, true) {
            state.since = SystemTime::now();
            tracing::info!("the shared cache takes values again");
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_by_a_look() {
        let breaker = Breaker::new();
        assert!(!breaker.allows());
        breaker.close();
        for _ in 0..PATIENCE - 1 {
            breaker.failed(TierError::TimedOut);
        }
        breaker.succeeded();
        for _ in 0..PATIENCE - 1 {
            breaker.failed(TierError::TimedOut);
            assert!(breaker.allows());
        }
        breaker.failed(TierError::TimedOut);
        assert!(!breaker.allows());
        let state = breaker.state();
        assert!((state.available, state.outages) == (false, 1) && state.last_error.is_some());
        breaker.close();
        assert!(breaker.allows() && breaker.state().available);
    }

    #[test]
    fn a_full_tier_is_read_but_not_written() {
        let breaker = Breaker::new();
        breaker.close();
        for _ in 0..10 * PATIENCE {
            breaker.failed(TierError::Full);
        }
        breaker.refused_writing();
        assert!(breaker.allows() && !breaker.allows_writing() && !breaker.state().writable);
        breaker.wrote();
        assert!(breaker.allows_writing() && breaker.state().writable);
    }
}
