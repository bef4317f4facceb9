//! The terms of one chunk: how often each is in which field, and where. Encoded small enough to be sent for some
//! thousand chunks a query, so that scores need no look at the text.

use std::collections::HashMap;

use crate::index::tokenize;
use crate::query::TextField;

/// Body, title, symbol, path: the order of all lists by field.
pub(crate) const FIELDS: usize = 4;

/// Bytes of a term in a profile: its key, and a count a field.
const ENTRY: usize = 4 + FIELDS;

/// The place of a field in lists by field.
pub(crate) fn place(field: TextField) -> usize {
    match field {
        TextField::Body => 0,
        TextField::Title => 1,
        TextField::Symbol => 2,
        TextField::Path => 3,
    }
}

/// Stands for a term where its text would be too long. Two terms of one collection may share it; what that does to
/// a score is lost in the noise.
pub(crate) fn key(term: &str) -> u32 {
    let hash = blake3::hash(term.as_bytes());
    let [first, second, third, fourth, ..] = *hash.as_bytes();
    u32::from_le_bytes([first, second, third, fourth])
}

/// One term of a chunk.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Term {
    /// How often it is in each field; 255 stands for more, where BM25 does not tell the difference.
    pub(crate) counts: [u8; FIELDS],
    /// Field and position within it.
    pub(crate) positions: Vec<(usize, usize)>,
}

/// All terms of a chunk.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Terms {
    pub(crate) terms: HashMap<String, Term>,
    /// Terms of each field, repetitions counted.
    pub(crate) lengths: [u32; FIELDS],
}

impl Terms {
    /// Of a chunk's texts by field.
    pub(crate) fn of(fields: [&str; FIELDS]) -> Self {
        let mut found = Self::default();
        let mut analyzer = tokenize::analyzer();
        for (field, text) in fields.into_iter().enumerate() {
            analyzer.token_stream(text).process(&mut |token| {
                found.lengths[field] += 1;
                let term = match found.terms.get_mut(&token.text) {
                    Some(term) => term,
                    None => found.terms.entry(token.text.clone()).or_default(),
                };
                term.counts[field] = term.counts[field].saturating_add(1);
                term.positions.push((field, token.position));
            });
        }
        found
    }

    /// Keys and counts in the order of keys.
    pub(crate) fn profile(&self) -> Vec<u8> {
        let mut entries: Vec<(u32, [u8; FIELDS])> =
            self.terms.iter().map(|(text, term)| (key(text), term.counts)).collect();
        entries.sort_unstable();
        entries.dedup_by_key(|(key, _)| *key);
        entries.into_iter().flat_map(|(key, counts)| [key.to_be_bytes(), counts].concat()).collect()
    }
}

/// Keys and counts of a profile.
pub(crate) fn entries(profile: &[u8]) -> impl Iterator<Item = (u32, [u8; FIELDS])> {
    profile.chunks_exact(ENTRY).filter_map(|entry| {
        let (key, counts) = entry.split_first_chunk::<4>()?;
        Some((u32::from_be_bytes(*key), counts.try_into().ok()?))
    })
}

/// The counts of one term by field; none where the chunk does not have it.
pub(crate) fn counts(profile: &[u8], key: u32) -> Option<[u8; FIELDS]> {
    let key = key.to_be_bytes();
    let (mut low, mut high) = (0, profile.len() / ENTRY);
    while low < high {
        let middle = low.midpoint(high);
        let entry = profile.get(middle * ENTRY..(middle + 1) * ENTRY)?;
        match entry[..4].cmp(&key) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
            std::cmp::Ordering::Equal => return entry[4..].try_into().ok(),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn terms_are_counted_by_field_and_found_in_the_profile() {
        let terms = Terms::of(["cache the cached keys", "Keys", "CacheKey", "src/cache.rs"]);
        assert_eq!(terms.lengths, [4, 1, 3, 3]);
        let profile = terms.profile();
        assert_eq!(profile.len(), 8 * terms.terms.len());
        assert_eq!(counts(&profile, key("cach")), Some([2, 0, 1, 1]));
        assert_eq!(counts(&profile, key("key")), Some([1, 1, 1, 0]));
        assert_eq!(counts(&profile, key("absent")), None);
        assert_eq!(terms.terms["the"].positions, [(0, 1)]);
        assert_eq!(entries(&profile).map(|(_, counts)| u32::from(counts[0])).sum::<u32>(), 4);
    }

    #[test]
    fn a_count_has_an_end() {
        let terms = Terms::of([&"x ".repeat(1000), "", "", ""]);
        assert_eq!(counts(&terms.profile(), key("x")), Some([255, 0, 0, 0]));
    }
}
