//! The mean of the last hundred durations: what a moving figure of the earlier API stands for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const LAST: usize = 100;

/// Shared by reference between threads; recording is two atomic operations.
pub struct Recent {
    nanoseconds: [AtomicU64; LAST],
    recorded: AtomicU64,
}

impl Default for Recent {
    fn default() -> Self {
        Self { nanoseconds: std::array::from_fn(|_| AtomicU64::new(0)), recorded: AtomicU64::new(0) }
    }
}

impl Recent {
    pub fn record(&self, duration: Duration) {
        let number = self.recorded.fetch_add(1, Ordering::Relaxed) as usize;
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds[number % LAST].store(nanoseconds, Ordering::Relaxed);
    }

    /// Milliseconds; 0 when nothing was recorded.
    pub fn mean(&self) -> f64 {
        let count = LAST.min(self.recorded.load(Ordering::Relaxed) as usize);
        let sum: f64 = self.nanoseconds[..count].iter().map(|value| value.load(Ordering::Relaxed) as f64).sum();
        if count == 0 { 0.0 } else { sum / count as f64 / 1e6 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_hundred_count() {
        let recent = Recent::default();
        assert_eq!(recent.mean(), 0.0);
        recent.record(Duration::from_millis(4));
        assert!((recent.mean() - 4.0).abs() < 1e-9);
        (0..50).for_each(|_| recent.record(Duration::from_millis(1)));
        (0..50).for_each(|_| recent.record(Duration::from_millis(2)));
        assert!((recent.mean() - 1.5).abs() < 1e-9, "{}", recent.mean());
    }
}
