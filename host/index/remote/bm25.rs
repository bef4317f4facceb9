//! Okapi BM25 as the local text index computes it, over profiles: Robertson and Zaragoza, "The Probabilistic
//! Relevance Framework: BM25 and Beyond" (2009), with k1 = 1.2 and b = 0.75, and Lucene's rarity
//! ln(1 + (N - n + 0.5) / (n + 0.5)), which is never negative. Each field is scored alone and weighted.

use std::collections::HashMap;

use super::terms::{self, FIELDS};

const K1: f32 = 1.2;
const B: f32 = 0.75;

/// What scores depend on beside the chunk.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Collection {
    pub(crate) chunks: u64,
    /// Terms of each field over all chunks.
    pub(crate) lengths: [u64; FIELDS],
    /// In how many chunks a term is, by field.
    pub(crate) frequencies: HashMap<u32, [u64; FIELDS]>,
}

impl Collection {
    /// The rarity of a term in a field.
    fn rarity(&self, key: u32, field: usize) -> f32 {
        let n = self.frequencies.get(&key).map_or(0, |frequencies| frequencies[field]).min(self.chunks) as f32;
        (1.0 + (self.chunks as f32 - n + 0.5) / (n + 0.5)).ln()
    }

    /// In how many chunks a term is, at least and nearly.
    pub(crate) fn frequency(&self, term: &str) -> u64 {
        self.frequencies.get(&terms::key(term)).and_then(|frequencies| frequencies.iter().copied().max()).unwrap_or(0)
    }
}

/// Scores chunks for one question.
pub(crate) struct Scorer {
    /// Key, and by field its weight times rarity times k1 + 1.
    terms: Vec<(u32, [f32; FIELDS])>,
    /// Mean terms of each field.
    means: [f32; FIELDS],
    /// Count only where all terms are.
    phrase: bool,
}

impl Scorer {
    /// Each term with its weight; `fields` are weights by field.
    pub(crate) fn new(collection: &Collection, terms: &[(String, f32)], fields: [f32; FIELDS], phrase: bool) -> Self {
        let weighed = |(term, weight): &(String, f32)| {
            let key = terms::key(term);
            (key, std::array::from_fn(|field| fields[field] * weight * collection.rarity(key, field) * (1.0 + K1)))
        };
        let means = collection.lengths.map(|length| length as f32 / collection.chunks.max(1) as f32);
        Self { terms: terms.iter().map(weighed).collect(), means, phrase }
    }

    /// 0 where none of the terms is in a field that counts. `lengths` are the chunk's terms by field.
    pub(crate) fn score(&self, profile: &[u8], lengths: [u32; FIELDS]) -> f32 {
        let saturated = |count: f32, field: usize| {
            let length = lengths[field] as f32 / self.means[field].max(f32::MIN_POSITIVE);
            count / (count + K1 * (1.0 - B + B * length))
        };
        let found: Vec<([u8; FIELDS], &[f32; FIELDS])> =
            self.terms.iter().filter_map(|(key, weights)| Some((terms::counts(profile, *key)?, weights))).collect();
        let mut score = 0.0;
        for field in 0..FIELDS {
            if self.phrase {
                // A phrase is as frequent as its rarest word at most, and as rare as all its words together.
                let least = found.iter().map(|(counts, _)| counts[field]).min().unwrap_or(0);
                if least > 0 && found.len() == self.terms.len() {
                    let weight: f32 = found.iter().map(|(_, weights)| weights[field]).sum();
                    score += weight * saturated(f32::from(least), field);
                }
                continue;
            }
            for (counts, weights) in found.iter().filter(|(counts, _)| counts[field] > 0) {
                score += weights[field] * saturated(f32::from(counts[field]), field);
            }
        }
        score
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::remote::terms::Terms;

    /// By hand: 10 chunks of 4 terms each; the term is in 2 of them, here twice among 4 terms.
    /// ln(1 + 8.5 / 2.5) = 1.481605; 2 · 2.2 / (2 + 1.2 · (0.25 + 0.75 · 4 / 4)) = 1.375; together 2.037206.
    #[test]
    fn a_score_by_hand() {
        let terms = Terms::of(["alpha alpha beta gamma", "", "", ""]);
        let collection = Collection {
            chunks: 10,
            lengths: [40, 0, 0, 0],
            frequencies: HashMap::from([(terms::key("alpha"), [2, 0, 0, 0]), (terms::key("beta"), [5, 0, 0, 0])]),
        };
        let score = |asked: &[(&str, f32)], fields, phrase| {
            let asked: Vec<(String, f32)> = asked.iter().map(|(term, weight)| ((*term).to_owned(), *weight)).collect();
            Scorer::new(&collection, &asked, fields, phrase).score(&terms.profile(), terms.lengths)
        };
        let near = |value: f32, expected: f32| assert!((value - expected).abs() < 1e-4, "{value} {expected}");
        near(score(&[("alpha", 1.0)], [1.0, 0.5, 0.5, 0.25], false), 2.037_206);
        near(score(&[("alpha", 2.0)], [0.5, 0.0, 0.0, 0.0], false), 2.037_206);
        near(score(&[("alpha", 1.0)], [0.0, 1.0, 1.0, 1.0], false), 0.0);
        // ln(1 + 5.5 / 5.5) = 0.693147; 2.2 / 2.2 = 1.
        near(score(&[("alpha", 1.0), ("beta", 1.0)], [1.0; 4], false), 2.037_206 + std::f32::consts::LN_2);
        // Both once: (1.481605 + 0.693147) · 1.
        near(score(&[("alpha", 1.0), ("beta", 1.0)], [1.0; 4], true), 2.174_752);
        near(score(&[("alpha", 1.0), ("absent", 1.0)], [1.0; 4], true), 0.0);
    }
}
