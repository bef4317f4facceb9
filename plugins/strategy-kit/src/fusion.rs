//! Weighted reciprocal rank fusion over ranked legs. Knows ranks and weights, not what a leg searched.

use std::collections::HashMap;

use crate::Hits;

/// The constant of Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and
/// individual rank learning methods", SIGIR 2009.
pub const K: f32 = 60.0;

/// One ranked list that takes part.
pub struct Ranked<'a> {
    /// Finite and more than 0.
    pub weight: f32,
    /// How much its lines say: 0 for the chunk's start, more for places within it. Of the legs that found
    /// a chunk, the most precise one's line is shown.
    pub precision: u8,
    pub hits: &'a Hits,
}

/// Distinct chunks, best first, with the line to show and the fused score of each.
#[derive(Debug, Default, PartialEq)]
pub struct Fused {
    pub chunks: Vec<u64>,
    pub lines: Vec<u32>,
    pub scores: Vec<f32>,
}

/// Score of a chunk: Σ weight / (k + rank) over the legs that found it, rank from 1, counted over
/// distinct chunks. Chunks with equal scores in a leg share the mean of their ranks (fractional
/// ranking): a pattern leg, whose hits all score the same, says "one of these n", and its order by
/// path is no evidence. Ties of the fused score keep the order of the legs.
pub fn reciprocal_rank(legs: &[Ranked<'_>], k: f32) -> Fused {
    struct Entry {
        chunk: u64,
        line: u32,
        precision: u8,
        score: f32,
    }
    let mut entries: Vec<Entry> = Vec::new();
    let mut places: HashMap<u64, usize> = HashMap::new();
    for leg in legs {
        for (chunk, line, rank) in ranks(leg.hits) {
            let place = *places.entry(chunk).or_insert_with(|| {
                entries.push(Entry { chunk, line, precision: leg.precision, score: 0.0 });
                entries.len() - 1
            });
            let entry = &mut entries[place];
            entry.score += leg.weight / (k + rank);
            if leg.precision > entry.precision {
                entry.line = line;
                entry.precision = leg.precision;
            }
        }
    }
    entries.sort_by(|one, other| other.score.total_cmp(&one.score));
    let mut fused = Fused::default();
    for entry in entries {
        fused.chunks.push(entry.chunk);
        fused.lines.push(entry.line);
        fused.scores.push(entry.score);
    }
    fused
}

/// Distinct chunks of a leg in its order, each with its first line and its fractional rank.
fn ranks(hits: &Hits) -> Vec<(u64, u32, f32)> {
    let mut seen: HashMap<u64, ()> = HashMap::with_capacity(hits.chunks.len());
    let mut rows: Vec<(u64, u32, f32)> = Vec::with_capacity(hits.chunks.len());
    for ((&chunk, &line), &score) in hits.chunks.iter().zip(&hits.lines).zip(&hits.scores) {
        if seen.insert(chunk, ()).is_none() {
            rows.push((chunk, line, score));
        }
    }
    let mut start = 0;
    while start < rows.len() {
        let score = rows[start].2;
        let tied = rows[start..].iter().take_while(|row| row.2.total_cmp(&score).is_eq()).count();
        // Positions start+1 ..= start+tied; their mean.
        let rank = start as f32 + (tied as f32 + 1.0) / 2.0;
        for row in &mut rows[start..start + tied] {
            row.2 = rank;
        }
        start += tied;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(rows: &[(u64, u32, f32)]) -> Hits {
        Hits {
            chunks: rows.iter().map(|row| row.0).collect(),
            lines: rows.iter().map(|row| row.1).collect(),
            scores: rows.iter().map(|row| row.2).collect(),
            truncated: false,
        }
    }

    fn close(actual: &[f32], expected: &[f32]) {
        assert_eq!(actual.len(), expected.len(), "{actual:?} against {expected:?}");
        for (actual, expected) in actual.iter().zip(expected) {
            assert!((actual - expected).abs() < 1e-6, "{actual} against {expected}");
        }
    }

    #[test]
    fn two_lists_by_hand() {
        // a: 1, 2, 3 (weight 0.6); b: 3, 1, 4 (weight 0.4); k = 60.
        let a = hits(&[(1, 10, 9.0), (2, 20, 8.0), (3, 30, 7.0)]);
        let b = hits(&[(3, 31, 0.9), (1, 11, 0.8), (4, 41, 0.7)]);
        let fused = reciprocal_rank(
            &[Ranked { weight: 0.6, precision: 0, hits: &a }, Ranked { weight: 0.4, precision: 0, hits: &b }],
            K,
        );
        assert_eq!(fused.chunks, [1, 3, 2, 4]);
        assert_eq!(fused.lines, [10, 30, 20, 41]);
        close(&fused.scores, &[0.6 / 61.0 + 0.4 / 62.0, 0.6 / 63.0 + 0.4 / 61.0, 0.6 / 62.0, 0.4 / 63.0]);
    }

    #[test]
    fn tied_hits_share_the_mean_of_their_ranks() {
        let leg = hits(&[(1, 1, 2.0), (2, 1, 1.0), (3, 1, 1.0), (4, 1, 1.0), (5, 1, 0.5)]);
        let fused = reciprocal_rank(&[Ranked { weight: 1.0, precision: 0, hits: &leg }], 0.0);
        assert_eq!(fused.chunks, [1, 2, 3, 4, 5]);
        close(&fused.scores, &[1.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 5.0]);
    }

    #[test]
    fn a_chunk_counts_once_a_leg_and_a_precise_line_wins() {
        let text = hits(&[(7, 1, 3.0)]);
        let pattern = hits(&[(7, 5, 1.0), (7, 9, 1.0)]);
        let fused = reciprocal_rank(
            &[Ranked { weight: 1.0, precision: 0, hits: &text }, Ranked { weight: 1.0, precision: 1, hits: &pattern }],
            K,
        );
        assert_eq!((fused.chunks, fused.lines), (vec![7], vec![5]));
        close(&fused.scores, &[2.0 / 61.0]);
    }

    #[test]
    fn nothing_in_nothing_out() {
        assert_eq!(reciprocal_rank(&[], K), Fused::default());
        assert_eq!(reciprocal_rank(&[Ranked { weight: 1.0, precision: 0, hits: &hits(&[]) }], K), Fused::default());
    }
}
