//! Percentiles of durations in constant memory: an HDR histogram with three significant digits, split
//! over a few locks so that recording on many threads does not queue.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;

/// Locks; arbitrary, a little above the number of threads that record at the same instant.
const SHARDS: usize = 4;
/// Longest duration that is told apart from longer ones, in microseconds.
const LONGEST: u64 = 120_000_000;

/// Summary of all durations that were recorded, in milliseconds; zeros when there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LatencyFigures {
    pub count: u64,
    pub total: f64,
    pub mean: f64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

#[derive(Default)]
struct Shard {
    /// None when the bounds were refused, which the test excludes; then nothing is recorded.
    histogram: Option<Histogram<u32>>,
    /// Exact, unlike the sum of the histogram's buckets.
    total: Duration,
}

/// Records durations; shared by reference between threads.
pub struct Latency {
    shards: [Mutex<Shard>; SHARDS],
}

impl Default for Latency {
    fn default() -> Self {
        let shard = || Mutex::new(Shard { histogram: histogram(), total: Duration::ZERO });
        Self { shards: std::array::from_fn(|_| shard()) }
    }
}

impl Latency {
    /// Takes one duration in; microseconds count, more than two minutes count as two minutes.
    pub fn record(&self, duration: Duration) {
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let mut shard = self.shards[shard_of_this_thread()].lock();
        shard.total += duration;
        if let Some(histogram) = &mut shard.histogram {
            histogram.saturating_record(microseconds.clamp(1, LONGEST));
        }
    }

    /// What was recorded so far. Percentiles are exact to three significant digits.
    pub fn figures(&self) -> LatencyFigures {
        Self::figures_of([self])
    }

    /// As if everything had been recorded in one place.
    pub fn figures_of<'a>(latencies: impl IntoIterator<Item = &'a Latency>) -> LatencyFigures {
        let Some(mut sum) = histogram() else { return LatencyFigures::default() };
        let mut total = Duration::ZERO;
        for shard in latencies.into_iter().flat_map(|latency| &latency.shards) {
            let shard = shard.lock();
            total += shard.total;
            // Equal bounds, so adding cannot fail.
            if let Some(histogram) = &shard.histogram {
                let _ = sum.add(histogram);
            }
        }
        if sum.is_empty() {
            return LatencyFigures::default();
        }
        let milliseconds = |microseconds: u64| microseconds as f64 / 1000.0;
        let total = total.as_secs_f64() * 1000.0;
        LatencyFigures {
            count: sum.len(),
            total,
            mean: total / sum.len() as f64,
            p50: milliseconds(sum.value_at_quantile(0.50)),
            p95: milliseconds(sum.value_at_quantile(0.95)),
            p99: milliseconds(sum.value_at_quantile(0.99)),
            max: milliseconds(sum.max()),
        }
    }
}

fn histogram() -> Option<Histogram<u32>> {
    Histogram::new_with_bounds(1, LONGEST, 3).ok()
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

    fn close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() <= expected * 0.001 + 1e-9, "{actual} is not {expected} within 0.1 %");
    }

    #[test]
    fn percentiles_of_one_to_a_thousand_milliseconds() {
        let latency = Latency::default();
        for milliseconds in 1..=1000 {
            latency.record(Duration::from_millis(milliseconds));
        }
        let figures = latency.figures();
        assert_eq!(figures.count, 1000);
        close(figures.mean, 500.5);
        close(figures.p50, 500.0);
        close(figures.p95, 950.0);
        close(figures.p99, 990.0);
        close(figures.max, 1000.0);
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
        let figures = Latency::figures_of([&one, &two]);
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
