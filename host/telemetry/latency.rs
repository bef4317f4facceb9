//! Percentiles of durations in constant memory: a distribution split over a few locks, so that recording
//! on many threads does not queue.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::distribution::{Distribution, LatencyFigures};

/// Locks; arbitrary, a little above the number of threads that record at the same instant.
const SHARDS: usize = 4;

/// Records durations; shared by reference between threads.
#[derive(Default)]
pub struct Latency {
    shards: [Mutex<Distribution>; SHARDS],
}

impl Latency {
    /// Takes one duration in; microseconds count, more than two minutes count as two minutes.
    pub fn record(&self, duration: Duration) {
        self.shards[shard_of_this_thread()].lock().record(duration);
    }

    /// What was recorded so far. Percentiles are exact to three significant digits.
    pub fn figures(&self) -> LatencyFigures {
        Self::distribution_of([self]).figures()
    }

    /// As if everything had been recorded in one place.
    pub fn distribution_of<'a>(latencies: impl IntoIterator<Item = &'a Latency>) -> Distribution {
        let mut sum = Distribution::default();
        for shard in latencies.into_iter().flat_map(|latency| &latency.shards) {
            sum.add(&shard.lock());
        }
        sum
    }
}

fn shard_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    SHARD.with(|shard| *shard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::distribution::tests::{are_of_one_to_a_thousand, close};

    #[test]
    fn percentiles_of_one_to_a_thousand_milliseconds() {
        let latency = Latency::default();
        for milliseconds in 1..=1000 {
            latency.record(Duration::from_millis(milliseconds));
        }
        are_of_one_to_a_thousand(latency.figures());
    }

    #[test]
    fn threads_and_recorders_add_up() {
        let (one, two) = (Latency::default(), Latency::default());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..100).for_each(|_| one.record(Duration::from_millis(10))));
            }
        });
        two.record(Duration::from_millis(30));
        let figures = Latency::distribution_of([&one, &two]).figures();
        assert_eq!(figures.count, 801);
        close(figures.total, 8030.0);
        close(figures.max, 30.0);
    }

    #[test]
    fn nothing_recorded_is_zero_and_extremes_are_kept() {
        let latency = Latency::default();
        assert_eq!(latency.figures(), LatencyFigures::default());
        latency.record(Duration::ZERO);
        latency.record(Duration::from_secs(100_000));
        assert_eq!(latency.figures().count, 2);
        close(latency.figures().max, 120_000.0);
    }
}
