//! How often texts occur, in bounded space: Lossy Counting (Manku and Motwani, "Approximate frequency counts over data
//! streams", VLDB 2002), pruned when it is full instead of at fixed steps. Knows nothing of what is counted.

use std::collections::HashMap;

/// Texts with their counts; at most `room` of them.
pub(super) struct Counter {
    room: usize,
    counts: HashMap<Box<str>, Count>,
    /// How often a text may have come before without being known any more.
    missed: u32,
}

/// How often one text was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) seen: u32,
    /// How often it may have come before it was counted.
    before: u32,
    /// How it is written, where that is not its fold.
    pub(super) shown: Option<Box<str>>,
}

impl Counter {
    pub(super) fn new(room: usize) -> Self {
        Self { room: room.max(4), counts: HashMap::new(), missed: 0 }
    }

    /// Counts one `key`, the fold of `shown`. A text that ever comes in lower case is shown in lower case.
    pub(super) fn add(&mut self, key: &str, shown: &str) {
        if let Some(count) = self.counts.get_mut(key) {
            count.seen = count.seen.saturating_add(1);
            if count.shown.is_some() && shown == key {
                count.shown = None;
            }
            return;
        }
        if self.counts.len() >= self.room {
            self.prune();
        }
        let shown = (shown != key).then(|| shown.into());
        self.counts.insert(key.into(), Count { seen: 1, before: self.missed, shown });
    }

    pub(super) fn get(&self, key: &str) -> Option<&Count> {
        self.counts.get(key)
    }

    /// All that are known, in no order. What was seen in truth is at most what was missed above `seen`.
    pub(super) fn into_counts(self) -> impl Iterator<Item = (Box<str>, Count)> {
        self.counts.into_iter()
    }

    /// Makes a quarter of the room free, by forgetting what came least.
    fn prune(&mut self) {
        while self.counts.len() > self.room / 4 * 3 {
            self.missed += 1;
            let missed = self.missed;
            self.counts.retain(|_, count| count.seen.saturating_add(count.before) > missed);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn what_is_frequent_is_kept_and_what_is_not_makes_room() {
        let mut counter = Counter::new(100);
        for round in 0..1000 {
            counter.add("often", "often");
            counter.add(&format!("once{round}"), "Once");
            counter.add(&format!("once too{round}"), "Once too");
        }
        assert!(counter.counts.len() <= 100);
        assert_eq!(counter.get("often").unwrap().seen, 1000);
        // Nothing that came more often than what was missed is gone, and 3000 texts in room for 75 miss at most 40.
        assert!(counter.missed <= 40, "{}", counter.missed);
    }

    #[test]
    fn lower_case_wins_over_what_was_seen_first() {
        let mut counter = Counter::new(10);
        counter.add("cache", "Cache");
        counter.add("getuser", "getUser");
        counter.add("cache", "cache");
        counter.add("cache", "CACHE");
        assert_eq!(counter.get("cache").unwrap(), &Count { seen: 3, before: 0, shown: None });
        assert_eq!(counter.get("getuser").unwrap().shown.as_deref(), Some("getUser"));
    }
}
