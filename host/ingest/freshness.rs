//! How much of the store this host's searches see, as far as it knows without asking: whoever hears from
//! the store notes it here, and a request reads it. Knows nothing of how changes are followed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Without a word from a shared store for so long, answers are marked as stale: several missed looks at
/// it, so that one slow statement is no alarm.
const STALE_AFTER: Duration = Duration::from_secs(5);

/// After so long without a failure, all hosts that live have found back to the store.
const STEADY_AFTER: Duration = Duration::from_secs(10);

/// How fresh an answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// Store sequence that searches see, at least.
    pub generation: u64,
    /// The newest store sequence that this host has heard of; never below `generation`.
    pub latest: u64,
    /// Whole seconds since the store was last heard; 0 where it is this host's own.
    pub checked: u64,
    /// Other hosts may have written things that this one cannot know of: the store is out of reach.
    pub stale: bool,
}

/// What was last heard of the store.
pub(super) struct Hearing {
    latest: AtomicU64,
    /// Milliseconds since `began`.
    heard: AtomicU64,
    /// The same of the last time that it did not answer; 0: never.
    missed: AtomicU64,
    began: Instant,
    /// Other hosts write to it too.
    shared: bool,
}

impl Hearing {
    pub(super) fn new(shared: bool) -> Self {
        Self {
            latest: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            began: Instant::now(),
            shared,
        }
    }

    /// The store has answered.
    pub(super) fn heard(&self) {
        self.heard.fetch_max(self.now(), Ordering::Relaxed);
    }

    /// The store has not answered.
    pub(super) fn missed(&self) {
        self.missed.fetch_max(self.now(), Ordering::Relaxed);
    }

    /// The store has always answered for a while now.
    pub(super) fn is_steady(&self) -> bool {
        let missed = self.missed.load(Ordering::Relaxed);
        missed == 0 || self.now() > missed + u64::try_from(STEADY_AFTER.as_millis()).unwrap_or(u64::MAX)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// There is a change of this sequence.
    pub(super) fn learnt(&self, sequence: u64) {
        self.latest.fetch_max(sequence, Ordering::Relaxed);
    }

    /// `committed` is what searches see.
    pub(super) fn freshness(&self, committed: u64) -> Freshness {
        self.freshness_at(committed, self.began.elapsed())
    }

    fn freshness_at(&self, committed: u64, now: Duration) -> Freshness {
        let silence = now.saturating_sub(Duration::from_millis(self.heard.load(Ordering::Relaxed)));
        Freshness {
            generation: committed,
            latest: self.latest.load(Ordering::Relaxed).max(committed),
            checked: if self.shared { silence.as_secs() } else { 0 },
            stale: self.shared && silence > STALE_AFTER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_of_a_shared_store_makes_answers_stale() {
        let hearing = Hearing::new(true);
        hearing.learnt(43);
        hearing.learnt(7);
        let at = |seconds| hearing.freshness_at(41, Duration::from_secs(seconds));
        assert_eq!(at(2), Freshness { generation: 41, latest: 43, checked: 2, stale: false });
        assert_eq!(at(6), Freshness { generation: 41, latest: 43, checked: 6, stale: true });
        assert_eq!(hearing.freshness_at(50, Duration::ZERO).latest, 50);
        hearing.heard.store(5_500, Ordering::Relaxed);
        assert_eq!(at(6), Freshness { generation: 41, latest: 43, checked: 0, stale: false });
    }

    #[test]
    fn a_store_of_ones_own_is_never_stale() {
        let freshness = Hearing::new(false).freshness_at(3, Duration::from_secs(3600));
        assert_eq!(freshness, Freshness { generation: 3, latest: 3, checked: 0, stale: false });
    }
}
