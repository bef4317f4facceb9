//! What a process did in one stretch of time: counts as differences of two moments, levels as mean and
//! highest, search times as a distribution. Samples of neighbouring stretches merge into one. Knows
//! nothing of where samples are kept; one is written as a text of numbers and the bytes of its times.

use serde::{Deserialize, Serialize};

use super::distribution::Distribution;

/// Counts that only grow while a process lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Answered searches.
    pub searches: u64,
    /// Of those, answered from a tier of the cache.
    pub cache_hits: u64,
    /// Searches without an answer.
    pub search_errors: u64,
    /// HTTP requests of any kind.
    pub requests: u64,
    /// Of those, answered with a status of 500 or more.
    pub request_errors: u64,
    pub first_tier: TierCounts,
    /// All zeros where there is no second tier.
    pub second_tier: TierCounts,
}

/// Counts of one tier of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TierCounts {
    pub hits: u64,
    pub misses: u64,
    pub evictions: u64,
    /// Calls that failed or took too long.
    pub errors: u64,
}

/// What is high or low at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Levels {
    /// Resident memory of the process.
    pub memory_bytes: f64,
    pub cache_entries: f64,
    pub cache_bytes: f64,
    /// Database connections in use; none without a database that is shared.
    pub database_in_use: Option<f64>,
    /// What waits for a database connection.
    pub database_waiting: Option<f64>,
    pub index_documents: f64,
}

/// A level over a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Level {
    pub mean: f64,
    pub max: f64,
}

/// The process at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moment {
    /// Unix seconds.
    pub at: i64,
    pub counts: Counts,
    pub levels: Levels,
    /// All search times since the start of the process.
    pub searches: Distribution,
    /// Store sequence that searches see.
    pub generation: u64,
}

/// One stretch of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// Unix seconds of its begin.
    pub at: i64,
    /// Seconds that it covers: fewer than its minute or hour where the process began, ended, or was away.
    pub seconds: u64,
    pub counts: Counts,
    pub memory_bytes: Level,
    pub cache_entries: Level,
    pub cache_bytes: Level,
    pub database_in_use: Option<Level>,
    pub database_waiting: Option<Level>,
    pub index_documents: Level,
    /// At its end.
    pub generation: u64,
    pub searches: Distribution,
}

/// All of a sample but its begin and its times, as it is kept. A field that an older version did not write
/// is read as zero.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    seconds: u64,
    counts: Counts,
    memory_bytes: Level,
    cache_entries: Level,
    cache_bytes: Level,
    #[serde(skip_serializing_if = "Option::is_none")]
    database_in_use: Option<Level>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database_waiting: Option<Level>,
    index_documents: Level,
    generation: u64,
}

impl TierCounts {
    fn zip(self, other: Self, operation: fn(u64, u64) -> u64) -> Self {
        Self {
            hits: operation(self.hits, other.hits),
            misses: operation(self.misses, other.misses),
            evictions: operation(self.evictions, other.evictions),
            errors: operation(self.errors, other.errors),
        }
    }
}

impl Counts {
    fn zip(self, other: Self, operation: fn(u64, u64) -> u64) -> Self {
        Self {
            first_tier: self.first_tier.zip(other.first_tier, operation),
            second_tier: self.second_tier.zip(other.second_tier, operation),
            searches: operation(self.searches, other.searches),
            cache_hits: operation(self.cache_hits, other.cache_hits),
            search_errors: operation(self.search_errors, other.search_errors),
            requests: operation(self.requests, other.requests),
            request_errors: operation(self.request_errors, other.request_errors),
        }
    }
}

impl Sample {
    /// What happened between two moments of one process; the levels are those of the later one.
    pub fn between(earlier: &Moment, later: &Moment) -> Self {
        let level = |value: f64| Level { mean: value, max: value };
        let levels = later.levels;
        Self {
            // A clock may be set back.
            at: earlier.at.min(later.at),
            seconds: u64::try_from(later.at - earlier.at).unwrap_or(0),
            counts: later.counts.zip(earlier.counts, u64::saturating_sub),
            memory_bytes: level(levels.memory_bytes),
            cache_entries: level(levels.cache_entries),
            cache_bytes: level(levels.cache_bytes),
            database_in_use: levels.database_in_use.map(level),
            database_waiting: levels.database_waiting.map(level),
            index_documents: level(levels.index_documents),
            generation: later.generation,
            searches: later.searches.since(&earlier.searches),
        }
    }

    /// One sample in place of several, which begins at `at`; none for none. Means of levels are weighted
    /// by the time that they stand for.
    pub fn merged(at: i64, samples: &[Self]) -> Option<Self> {
        let newest = samples.iter().max_by_key(|sample| sample.at)?;
        let level =
            |of: fn(&Self) -> Option<Level>| merged_level(samples.iter().map(|sample| (sample.seconds, of(sample))));
        let mut searches = Distribution::default();
        samples.iter().for_each(|sample| searches.add(&sample.searches));
        Some(Self {
            at,
            seconds: samples.iter().map(|sample| sample.seconds).sum(),
            counts: samples
                .iter()
                .map(|sample| sample.counts)
                .fold(Counts::default(), |sum, counts| sum.zip(counts, u64::saturating_add)),
            memory_bytes: level(|sample| Some(sample.memory_bytes)).unwrap_or_default(),
            cache_entries: level(|sample| Some(sample.cache_entries)).unwrap_or_default(),
            cache_bytes: level(|sample| Some(sample.cache_bytes)).unwrap_or_default(),
            database_in_use: level(|sample| sample.database_in_use),
            database_waiting: level(|sample| sample.database_waiting),
            index_documents: level(|sample| Some(sample.index_documents)).unwrap_or_default(),
            generation: newest.generation,
            searches,
        })
    }

    /// All but its begin and its search times, as text.
    pub fn figures_text(&self) -> String {
        let kept = Kept {
            seconds: self.seconds,
            counts: self.counts,
            memory_bytes: self.memory_bytes,
            cache_entries: self.cache_entries,
            cache_bytes: self.cache_bytes,
            database_in_use: self.database_in_use,
            database_waiting: self.database_waiting,
            index_documents: self.index_documents,
            generation: self.generation,
        };
        serde_json::to_string(&kept).unwrap_or_default()
    }

    /// From what was kept; none when that is damaged.
    pub fn from_kept(at: i64, figures: &str, times: &[u8]) -> Option<Self> {
        let kept: Kept = serde_json::from_str(figures).ok()?;
        Some(Self {
            at,
            seconds: kept.seconds,
            counts: kept.counts,
            memory_bytes: kept.memory_bytes,
            cache_entries: kept.cache_entries,
            cache_bytes: kept.cache_bytes,
            database_in_use: kept.database_in_use,
            database_waiting: kept.database_waiting,
            index_documents: kept.index_documents,
            generation: kept.generation,
            searches: Distribution::decode(times)?,
        })
    }
}

fn merged_level(levels: impl Iterator<Item = (u64, Option<Level>)>) -> Option<Level> {
    let (mut weight, mut sum, mut max, mut any) = (0.0, 0.0, f64::MIN, false);
    for (seconds, level) in levels.filter_map(|(seconds, level)| Some((seconds, level?))) {
        // A sample of no time still says how high it was.
        let seconds = seconds.max(1) as f64;
        weight += seconds;
        sum += seconds * level.mean;
        max = f64::max(max, level.max);
        any = true;
    }
    any.then(|| Level { mean: sum / weight, max })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::time::Duration;

    use super::*;

    fn moment(at: i64, searches: &[u64], hits: u64, memory: f64) -> Moment {
        let mut distribution = Distribution::default();
        searches.iter().for_each(|milliseconds| distribution.record(Duration::from_millis(*milliseconds)));
        let first_tier = TierCounts { hits, ..TierCounts::default() };
        Moment {
            at,
            counts: Counts { searches: searches.len() as u64, cache_hits: hits, first_tier, ..Counts::default() },
            levels: Levels { memory_bytes: memory, database_in_use: Some(memory / 10.0), ..Levels::default() },
            searches: distribution,
            generation: at as u64,
        }
    }

    #[test]
    fn a_sample_is_the_difference_and_an_hour_is_its_minutes() {
        let moments = [moment(0, &[], 0, 100.0), moment(60, &[5, 5], 1, 200.0), moment(90, &[5, 5, 9, 9], 4, 500.0)];
        let minutes: Vec<Sample> = moments.windows(2).map(|pair| Sample::between(&pair[0], &pair[1])).collect();
        assert_eq!((minutes[1].at, minutes[1].seconds, minutes[1].counts.searches), (60, 30, 2));
        assert_eq!((minutes[1].counts.cache_hits, minutes[1].counts.first_tier.hits), (3, 3));
        assert!((minutes[1].searches.figures().p50 - 9.0).abs() < 0.01);

        let hour = Sample::merged(0, &minutes).unwrap();
        assert_eq!((hour.seconds, hour.counts.searches, hour.counts.cache_hits, hour.generation), (90, 4, 4, 90));
        // (60 × 200 + 30 × 500) / 90
        assert!((hour.memory_bytes.mean - 300.0).abs() < 1e-9, "{:?}", hour.memory_bytes);
        assert_eq!((hour.memory_bytes.max, hour.database_in_use.unwrap().max), (500.0, 50.0));
        assert_eq!(hour.database_waiting, None);
        assert_eq!(hour.searches.figures().count, 4);
        assert_eq!(Sample::merged(0, &[]), None);
    }

    #[test]
    fn what_is_kept_is_read_again_and_older_text_too() {
        let sample = Sample::between(&moment(0, &[], 0, 0.0), &moment(60, &[1, 2, 3], 2, 7.5));
        let read = Sample::from_kept(0, &sample.figures_text(), &sample.searches.encode()).unwrap();
        assert_eq!(read, sample);
        let older = Sample::from_kept(5, r#"{"seconds":60,"counts":{"searches":3}}"#, &[1, 0]).unwrap();
        assert_eq!((older.seconds, older.counts.searches, older.counts.requests), (60, 3, 0));
        assert_eq!(Sample::from_kept(5, "not json", &[1, 0]), None);
    }
}
