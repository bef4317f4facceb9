//! Leaves a service alone that fails again and again: closed, open for a while, then half-open, when one call
//! tries for all. Knows failures and time; nothing of HTTP.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Failures in a row that open it.
const FAILURES: u32 = 5;
/// How long it is open at first; twice as long after each trial that failed, up to the longest.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// One for each upstream.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant, pause: Duration },
    Trying { pause: Duration },
}

impl Default for State {
    fn default() -> Self {
        State::Closed { failures: 0 }
    }
}

/// What it does at present, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    Closed,
    Open,
    HalfOpen,
}

impl Breaker {
    /// Lets a call through, or says how long to stay away.
    pub fn admit(self: &Arc<Self>, now: Instant) -> Result<Pass, Duration> {
        let mut state = self.state.lock();
        let is_trial = match *state {
            State::Closed { .. } => false,
            State::Open { until, .. } if now < until => return Err(until - now),
            State::Open { pause, .. } => {
                *state = State::Trying { pause };
                true
            }
            // Somebody tries already.
            State::Trying { pause } => return Err(pause),
        };
        Ok(Pass { breaker: self.clone(), is_trial, has_answered: false, settled: false })
    }

    pub fn state(&self, now: Instant) -> BreakerState {
        match *self.state.lock() {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { until, .. } if now < until => BreakerState::Open,
            State::Open { .. } | State::Trying { .. } => BreakerState::HalfOpen,
        }
    }
}

/// One call that was let through. Dropped without a word (whoever asked went away, or has read enough), it counts as
/// good if its answer had begun, else for nothing.
#[derive(Debug)]
pub(super) struct Pass {
    breaker: Arc<Breaker>,
    is_trial: bool,
    has_answered: bool,
    settled: bool,
}

impl Pass {
    /// The answer has begun: if this is the trial, others need not wait for its end.
    pub fn answered(&mut self) {
        self.has_answered = true;
        if std::mem::take(&mut self.is_trial) {
            *self.breaker.state.lock() = State::Closed { failures: 0 };
        }
    }

    pub fn succeeded(mut self) {
        self.settled = true;
        let mut state = self.breaker.state.lock();
        // Calls that began before it opened do not close it.
        if self.is_trial || matches!(*state, State::Closed { .. }) {
            *state = State::Closed { failures: 0 };
        }
    }

    /// True if this opened it.
    pub fn failed(mut self, now: Instant) -> bool {
        self.settled = true;
        let mut state = self.breaker.state.lock();
        let (next, opened) = match *state {
            State::Trying { pause } if self.is_trial => {
                let pause = (pause * 2).min(LONGEST_PAUSE);
                (State::Open { until: now + pause, pause }, true)
            }
            State::Closed { failures } if failures + 1 < FAILURES => (State::Closed { failures: failures + 1 }, false),
            State::Closed { .. } => (State::Open { until: now + PAUSE, pause: PAUSE }, true),
            other => (other, false),
        };
        *state = next;
        opened
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let mut state = self.breaker.state.lock();
        match *state {
            // The next call may try at once.
            State::Trying { pause } if self.is_trial => *state = State::Open { until: Instant::now(), pause },
            State::Closed { .. } if self.has_answered => *state = State::Closed { failures: 0 },
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn opened(now: Instant) -> Arc<Breaker> {
        let breaker = Arc::<Breaker>::default();
        for nth in 1..=FAILURES {
            assert_eq!(breaker.admit(now).unwrap().failed(now), nth == FAILURES);
        }
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_does_not_let_them() {
        let now = Instant::now();
        let breaker = Arc::<Breaker>::default();
        for _ in 0..3 {
            for _ in 1..FAILURES {
                breaker.admit(now).unwrap().failed(now);
            }
            breaker.admit(now).unwrap().succeeded();
        }
        assert_eq!(breaker.state(now), BreakerState::Closed);
        let breaker = opened(now);
        assert_eq!(breaker.state(now), BreakerState::Open);
        assert_eq!(breaker.admit(now + Duration::from_secs(1)).unwrap_err(), Duration::from_secs(4));
    }

    #[test]
    fn one_tries_for_all_and_decides() {
        let now = Instant::now();
        let breaker = opened(now);
        let later = now + PAUSE;
        assert_eq!(breaker.state(later), BreakerState::HalfOpen);
        let trial = breaker.admit(later).unwrap();
        assert!(breaker.admit(later).is_err(), "a second trial beside the first");
        assert!(trial.failed(later));
        assert_eq!(breaker.admit(later).unwrap_err(), PAUSE * 2);
        let trial = breaker.admit(later + PAUSE * 2).unwrap();
        trial.succeeded();
        assert_eq!(breaker.state(later + PAUSE * 2), BreakerState::Closed);
        // Closed for good: it takes as many failures as at first.
        assert!(!breaker.admit(later).unwrap().failed(later));
    }

    #[test]
    fn a_trial_that_was_given_up_leaves_the_turn_to_the_next() {
        let now = Instant::now();
        let breaker = opened(now);
        drop(breaker.admit(now + PAUSE).unwrap());
        assert!(breaker.admit(now + PAUSE).is_ok());
    }

    #[test]
    fn a_trial_whose_answer_has_begun_lets_others_through() {
        let now = Instant::now();
        let breaker = opened(now);
        let mut trial = breaker.admit(now + PAUSE).unwrap();
        trial.answered();
        assert!(breaker.admit(now + PAUSE).is_ok());
        assert!(!trial.failed(now + PAUSE), "one failure after it closed");
        assert_eq!(breaker.state(now + PAUSE), BreakerState::Closed);
    }

    /// Whoever reads a protocol with an end mark of its own does not read on to the end of the body.
    #[test]
    fn an_answer_that_was_not_read_to_its_end_is_a_success() {
        let now = Instant::now();
        let breaker = Arc::<Breaker>::default();
        for _ in 0..3 {
            for _ in 1..FAILURES {
                breaker.admit(now).unwrap().failed(now);
            }
            breaker.admit(now).unwrap().answered();
        }
        assert_eq!(breaker.state(now), BreakerState::Closed);
        // One that never began says nothing.
        (1..FAILURES).for_each(|_| _ = breaker.admit(now).unwrap().failed(now));
        drop(breaker.admit(now).unwrap());
        assert!(breaker.admit(now).unwrap().failed(now));
    }

    #[test]
    fn what_began_before_it_opened_does_not_close_it() {
        let now = Instant::now();
        let breaker = Arc::<Breaker>::default();
        let early = breaker.admit(now).unwrap();
        (0..FAILURES).for_each(|_| _ = breaker.admit(now).unwrap().failed(now));
        early.succeeded();
        assert_eq!(breaker.state(now), BreakerState::Open);
    }
}
