//! Counts by question and day in memory, and what follows from them: how frequent, how near. Knows no clock and no
//! store.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::Affinity;
use crate::store::UsageRow;

/// Counts by day, latest first.
type Days = Vec<(i64, i64)>;

/// Of all questions. Weights fade: a count of `half_life` days ago is worth half of one of today.
#[derive(Debug, Default)]
pub(super) struct Counts {
    asked: HashMap<String, Days>,
    /// By the terms of a question, then by path.
    chosen: HashMap<String, HashMap<String, Days>>,
}

impl Counts {
    pub(super) fn of(rows: Vec<UsageRow>) -> Self {
        let mut counts = Self::default();
        rows.into_iter().for_each(|row| counts.add(row));
        counts
    }

    pub(super) fn add(&mut self, row: UsageRow) {
        let UsageRow { question, path, day, count } = row;
        let days = match path.is_empty() {
            true => self.asked.entry(question).or_default(),
            false => self.chosen.entry(question).or_default().entry(path).or_default(),
        };
        count_on(days, day, count);
    }

    /// As `add`, of a question once; one that is known is not copied.
    pub(super) fn asked(&mut self, question: &str, day: i64) {
        match self.asked.get_mut(question) {
            Some(days) => count_on(days, day, 1),
            None => _ = self.asked.insert(question.to_owned(), vec![(day, 1)]),
        }
    }

    /// Whether the question was asked and found something.
    pub(super) fn knows(&self, question: &str) -> bool {
        self.asked.contains_key(question)
    }

    /// Whether a question was asked of which `other` knows nothing.
    pub(super) fn exceeds(&self, other: &Self) -> bool {
        self.asked.keys().any(|question| !other.knows(question))
    }

    /// Questions in memory.
    pub(super) fn len(&self) -> usize {
        self.asked.len() + self.chosen.len()
    }

    /// Best first, equal ones by their text.
    pub(super) fn frequent(&self, limit: usize, today: i64, half_life: f32) -> Vec<(String, f32)> {
        let mut frequent: Vec<(&String, f32)> =
            self.asked.iter().map(|(text, days)| (text, weight(days, today, half_life))).collect();
        let order =
            |left: &(&String, f32), right: &(&String, f32)| right.1.total_cmp(&left.1).then(left.0.cmp(right.0));
        // Searches that count wait meanwhile: only what is wanted is sorted and copied.
        if limit < frequent.len() {
            frequent.select_nth_unstable_by(limit, order);
            frequent.truncate(limit);
        }
        frequent.sort_unstable_by(order);
        frequent.into_iter().map(|(text, weight)| (text.clone(), weight)).collect()
    }

    pub(super) fn affinity(&self, question: &str, today: i64, half_life: f32) -> Affinity {
        let Some(chosen) = self.chosen.get(question) else { return Affinity::default() };
        let near = |days: &Days| {
            let weight = weight(days, today, half_life);
            // Saturates: the tenth choice says less than the second.
            weight / (weight + 1.0)
        };
        let of: HashMap<String, f32> = chosen.iter().map(|(path, days)| (path.clone(), near(days))).collect();
        let mut sorted: Vec<(&String, &Days)> = chosen.iter().collect();
        sorted.sort();
        let mut hasher = DefaultHasher::new();
        (today, half_life.to_bits(), sorted).hash(&mut hasher);
        Affinity { of, fingerprint: hasher.finish().max(1) }
    }
}

fn count_on(days: &mut Days, day: i64, count: i64) {
    match days.iter_mut().find(|(known, _)| *known == day) {
        Some((_, counted)) => *counted += count,
        None => {
            days.push((day, count));
            days.sort_unstable_by(|left, right| right.cmp(left));
        }
    }
}

/// Of exponential decay: the sum of count x 2^(-age / half-life), ages in days.
fn weight(days: &Days, today: i64, half_life: f32) -> f32 {
    days.iter().map(|(day, count)| *count as f32 * (-((today - day).max(0) as f32) / half_life).exp2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(question: &str, path: &str, day: i64, count: i64) -> UsageRow {
        UsageRow { question: question.into(), path: path.into(), day, count }
    }

    #[test]
    fn the_past_fades_by_half_lives() {
        // Today is day 100, half-life 10: 8 of day 80 are 2 now, 1 and 2 of day 100 and 90 are 1 + 1.
        let counts = Counts::of(vec![
            row("old", "", 80, 8),
            row("new", "", 100, 1),
            row("new", "", 90, 2),
            row("one", "", 100, 1),
        ]);
        let expected = [("new", 2.0), ("old", 2.0), ("one", 1.0)].map(|(text, weight)| (text.to_owned(), weight));
        assert_eq!(counts.frequent(9, 100, 10.0), expected);
        assert_eq!(counts.frequent(1, 100, 10.0), expected[..1]);
        // A clock that went back makes nothing heavier than it was.
        assert_eq!(counts.frequent(9, 70, 10.0)[0], ("old".to_owned(), 8.0));
    }

    #[test]
    fn nearness_saturates_and_is_of_one_question() {
        let counts =
            Counts::of(vec![row("q", "a", 100, 1), row("q", "b", 90, 6), row("r", "c", 100, 1), row("q", "", 100, 5)]);
        let affinity = counts.affinity("q", 100, 10.0);
        // 1 / 2, and 3 / 4.
        assert_eq!(affinity.of, HashMap::from([("a".to_owned(), 0.5), ("b".to_owned(), 0.75)]));
        assert_eq!(counts.affinity("s", 100, 10.0), Affinity::default());
        assert_eq!(counts.len(), 3);
    }

    #[test]
    fn the_fingerprint_follows_choices_and_days() {
        let mut counts = Counts::of(vec![row("q", "a", 100, 1)]);
        let first = counts.affinity("q", 100, 10.0).fingerprint;
        assert_eq!(first, counts.affinity("q", 100, 10.0).fingerprint);
        assert_ne!(first, counts.affinity("q", 101, 10.0).fingerprint);
        counts.add(row("other", "a", 100, 1));
        assert_eq!(first, counts.affinity("q", 100, 10.0).fingerprint);
        counts.add(row("q", "a", 100, 1));
        assert_ne!(first, counts.affinity("q", 100, 10.0).fingerprint);
    }
}
