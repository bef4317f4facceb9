//! Until when a look-up may work: a point in time, or until nobody waits for it any more. Knows nothing of what is
//! looked up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Cheap to clone; clones are abandoned together.
#[derive(Clone, Debug)]
pub struct Deadline {
    at: Instant,
    abandoned: Arc<AtomicBool>,
}

impl Deadline {
    /// Nobody waits any more: whatever works until this deadline stops at its next look.
    pub fn abandon(&self) {
        // Nothing else is handed over with it.
        self.abandoned.store(true, Ordering::Relaxed);
    }

    pub fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    pub fn is_over(&self) -> bool {
        self.is_abandoned() || Instant::now() >= self.at
    }

    /// Zero when it is over.
    pub fn left(&self) -> Duration {
        match self.is_abandoned() {
            true => Duration::ZERO,
            false => self.at.saturating_duration_since(Instant::now()),
        }
    }
}

impl From<Instant> for Deadline {
    fn from(at: Instant) -> Self {
        Self { at, abandoned: Arc::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_when_its_time_has_come_or_when_a_clone_is_abandoned() {
        assert!(Deadline::from(Instant::now()).is_over());
        let hour = Duration::from_secs(3600);
        let deadline = Deadline::from(Instant::now() + hour);
        let clone = deadline.clone();
        assert!(!clone.is_over() && clone.left() > hour / 2);
        deadline.abandon();
        assert!(clone.is_over() && clone.left().is_zero());
    }
}
