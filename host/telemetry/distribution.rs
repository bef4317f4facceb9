//! Durations of one stretch of time as an HDR histogram with three significant digits. Adding and taking
//! away keep percentiles exact to those digits, so an hour's are those of its minutes taken together. Kept
//! as bytes in a form of our own, because the library's would bring three more dependencies.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Longest duration that is told apart from longer ones, in microseconds.
const LONGEST: u64 = 120_000_000;

/// Of the bytes; another one is not read.
const VERSION: u8 = 1;

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

/// Durations, in no order. Takes 70 KB once there is one in it, and next to nothing before.
#[derive(Clone, Debug, Default)]
pub struct Distribution {
    histogram: Option<Histogram<u32>>,
    /// Exact, unlike the sum of the histogram's buckets.
    total: Duration,
}

impl PartialEq for Distribution {
    fn eq(&self, other: &Self) -> bool {
        self.encode() == other.encode()
    }
}

impl Distribution {
    /// Takes one duration in; microseconds count, more than two minutes count as two minutes.
    pub fn record(&mut self, duration: Duration) {
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.total += duration;
        if let Some(histogram) = self.histogram() {
            histogram.saturating_record(microseconds.clamp(1, LONGEST));
        }
    }

    /// None when the bounds were refused, which the test excludes; then nothing is recorded.
    fn histogram(&mut self) -> Option<&mut Histogram<u32>> {
        if self.histogram.is_none() {
            self.histogram = Histogram::new_with_bounds(1, LONGEST, 3).ok();
        }
        self.histogram.as_mut()
    }

    /// As if what `other` recorded had been recorded here too.
    pub fn add(&mut self, other: &Self) {
        self.total += other.total;
        // Equal bounds, so adding cannot fail.
        if let Some(histogram) = &other.histogram
            && let Some(sum) = self.histogram()
        {
            let _ = sum.add(histogram);
        }
    }

    /// What was recorded since `earlier`, a copy of this very distribution. Empty if it was not one.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = self.clone();
        difference.total = self.total.saturating_sub(earlier.total);
        if let Some(before) = &earlier.histogram {
            let subtracted = difference.histogram.as_mut().is_some_and(|rest| rest.subtract(before).is_ok());
            if !subtracted {
                return Self::default();
            }
        }
        difference
    }

    /// Percentiles are exact to three significant digits.
    pub fn figures(&self) -> LatencyFigures {
        let Some(histogram) = self.histogram.as_ref().filter(|histogram| !histogram.is_empty()) else {
            return LatencyFigures::default();
        };
        let milliseconds = |microseconds: u64| microseconds as f64 / 1000.0;
        let total = self.total.as_secs_f64() * 1000.0;
        LatencyFigures {
            count: histogram.len(),
            total,
            mean: total / histogram.len() as f64,
            p50: milliseconds(histogram.value_at_quantile(0.50)),
            p95: milliseconds(histogram.value_at_quantile(0.95)),
            p99: milliseconds(histogram.value_at_quantile(0.99)),
            max: milliseconds(histogram.max()),
        }
    }

    /// A version, the total in microseconds, and the value of each bucket that is not empty as distance
    /// from the one before, with its count; numbers in base 128, the least digit first.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        push(&mut bytes, u64::try_from(self.total.as_micros()).unwrap_or(u64::MAX));
        let mut last = 0;
        for bucket in self.histogram.iter().flat_map(|histogram| histogram.iter_recorded()) {
            push(&mut bytes, bucket.value_iterated_to() - last);
            push(&mut bytes, bucket.count_at_value().into());
            last = bucket.value_iterated_to();
        }
        bytes
    }

    /// What `encode` wrote; none for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&version, mut rest) = bytes.split_first()?;
        if version != VERSION {
            return None;
        }
        let mut distribution = Self { total: Duration::from_micros(pull(&mut rest)?), ..Self::default() };
        let mut value = 0_u64;
        while !rest.is_empty() {
            value = value.checked_add(pull(&mut rest)?)?;
            let count = u32::try_from(pull(&mut rest)?).ok()?;
            // The last bucket reaches beyond the bound.
            distribution.histogram()?.saturating_record_n(value.clamp(1, LONGEST), count);
        }
        Some(distribution)
    }
}

fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn pull(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn of(milliseconds: impl Iterator<Item = u64>) -> Distribution {
        let mut distribution = Distribution::default();
        milliseconds.for_each(|milliseconds| distribution.record(Duration::from_millis(milliseconds)));
        distribution
    }

    pub(in crate::telemetry) fn close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() <= expected * 0.001 + 1e-9, "{actual} is not {expected} within 0.1 %");
    }

    /// The percentiles of 1..=1000 ms are known.
    pub(in crate::telemetry) fn are_of_one_to_a_thousand(figures: LatencyFigures) {
        assert_eq!(figures.count, 1000);
        close(figures.mean, 500.5);
        close(figures.p50, 500.0);
        close(figures.p95, 950.0);
        close(figures.p99, 990.0);
        close(figures.max, 1000.0);
    }

    /// No mean of the percentiles of two parts gives those of the whole.
    #[test]
    fn parts_have_the_percentiles_of_the_whole() {
        let mut whole = of(1..=900);
        whole.add(&of(901..=1000));
        are_of_one_to_a_thousand(whole.figures());
    }

    #[test]
    fn what_came_since_is_what_was_added() {
        let mut now = of(1..=100);
        let before = now.clone();
        (0..10).for_each(|_| now.record(Duration::from_millis(7)));
        let figures = now.since(&before).figures();
        assert_eq!(figures.count, 10);
        close(figures.total, 70.0);
        close(figures.max, 7.0);
        assert_eq!(before.since(&now), Distribution::default());
    }

    #[test]
    fn bytes_keep_everything_and_anything_else_is_refused() {
        let mut distribution = of((1..=1000).chain([1_000_000]));
        distribution.record(Duration::from_micros(3));
        let bytes = distribution.encode();
        let read = Distribution::decode(&bytes).unwrap();
        assert_eq!(read.figures(), distribution.figures());
        assert_eq!(read.encode(), bytes);
        let empty = Distribution::default();
        assert_eq!(empty.encode().len(), 2);
        assert_eq!(Distribution::decode(&empty.encode()).unwrap().figures(), LatencyFigures::default());
        for foreign in [&[][..], &[9, 0], &bytes[..bytes.len() - 1], &[1, 0, 0x80], &[0xff; 40]] {
            assert!(Distribution::decode(foreign).is_none(), "{foreign:?}");
        }
    }
}
