//! What was seen of many requests. Percentiles are by nearest rank over all samples, never of averages.

use serde::{Deserialize, Serialize};

use crate::exchange::Answer;
use crate::outcome::Failures;

/// Milliseconds of the successful requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

impl Latency {
    /// None without samples.
    pub fn of(mut samples: Vec<f64>) -> Option<Self> {
        samples.sort_by(f64::total_cmp);
        let max = *samples.last()?;
        let at = |share| quantile(&samples, share).unwrap_or(max);
        Some(Self { p50: at(0.5), p95: at(0.95), p99: at(0.99), max })
    }
}

/// The smallest value that at least `share` of all values does not exceed. `sorted` ascending.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// Answers, counted as they come.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Of successes, in milliseconds.
    pub samples: Vec<f64>,
    pub failures: Failures,
    /// Answers that said whether they came from a cache, and those that did.
    pub asked_cache: u64,
    pub hits: u64,
    /// Of bodies.
    pub bytes: u64,
}

impl Tally {
    /// `took`: from when the request was due until the end of its answer, in milliseconds.
    pub fn add(&mut self, answer: &Answer, took: f64) {
        self.bytes += answer.bytes;
        if let Err(failure) = &answer.outcome {
            *self.failures.entry(failure.to_string()).or_default() += 1;
            return;
        }
        self.samples.push(took);
        self.asked_cache += u64::from(answer.hit.is_some());
        self.hits += u64::from(answer.hit == Some(true));
    }

    pub fn merge(&mut self, other: Self) {
        self.samples.extend(other.samples);
        for (kind, count) in other.failures {
            *self.failures.entry(kind).or_default() += count;
        }
        self.asked_cache += other.asked_cache;
        self.hits += other.hits;
        self.bytes += other.bytes;
    }

    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    pub fn requests(&self) -> u64 {
        self.samples.len() as u64 + self.failed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Failure;

    #[test]
    fn percentiles_are_those_of_samples_made_by_hand() {
        // Nearest rank of 1..=100: the p-th percentile is p itself.
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(Latency::of(hundred), Some(Latency { p50: 50.0, p95: 95.0, p99: 99.0, max: 100.0 }));
        // Of five, rank ceil(0.5 · 5) = 3 and ceil(0.95 · 5) = ceil(0.99 · 5) = 5.
        let five = vec![15.0, 20.0, 35.0, 40.0, 50.0];
        assert_eq!(Latency::of(five), Some(Latency { p50: 35.0, p95: 50.0, p99: 50.0, max: 50.0 }));
        assert_eq!(Latency::of(vec![7.0]), Some(Latency { p50: 7.0, p95: 7.0, p99: 7.0, max: 7.0 }));
        assert_eq!(Latency::of(vec![]), None);
    }

    #[test]
    fn a_slow_endpoint_is_not_averaged_away() {
        // 98 of 1 ms and two of 1,000 ms: p99 is one of the slow ones, though the mean is 21 ms.
        let mut samples = vec![1.0; 98];
        samples.extend([1000.0, 1000.0]);
        let latency = Latency::of(samples).unwrap();
        assert_eq!((latency.p95, latency.p99), (1.0, 1000.0));
    }

    #[test]
    fn failures_are_counted_by_kind_and_not_among_the_latencies() {
        let answer = |outcome, hit| Answer { outcome, hit, bytes: 10 };
        let mut tally = Tally::default();
        tally.add(&answer(Ok(()), Some(true)), 1.0);
        tally.add(&answer(Ok(()), Some(false)), 3.0);
        tally.add(&answer(Err(Failure::Status(503)), None), 0.1);
        let mut other = Tally::default();
        other.add(&answer(Err(Failure::Status(503)), None), 0.1);
        other.add(&answer(Err(Failure::Unsuccessful), Some(true)), 0.1);
        tally.merge(other);
        assert_eq!((tally.requests(), tally.failed(), tally.hits, tally.asked_cache, tally.bytes), (5, 3, 1, 2, 50));
        assert_eq!(tally.samples, [1.0, 3.0]);
        assert_eq!(tally.failures["status 503"], 2);
        assert_eq!(tally.failures["2xx, success: false"], 1);
    }
}
