//! Spreads the top of the list: maximal marginal relevance (Carbonell & Goldstein, "The use of MMR,
//! diversity-based reranking for reordering documents and producing summaries", SIGIR 1998).
//!
//! Each step takes the candidate with the best λ × relevance + (1 − λ) × novelty, where novelty is 1
//! less the greatest similarity to those already taken: the order of MMR, with scores of 0 to 1.
//! Similarity is the cosine of the embeddings; without them, the share of path parts in common.
//! Setting: `lambda` (default 0.7, 0 to 1); 1 is relevance alone.

pub use ranker_kit::{Candidates, PluginError, Query, Scored};

use ranker_kit::{normalise, setting};

/// The columns that `rank` expects, and the texts.
pub const FEATURES: [&str; 1] = ["score"];
pub const TEXTS: [&str; 1] = ["path"];

/// The default of `lambda`.
pub const LAMBDA: f32 = 0.7;

/// The first so many candidates are reordered, the rest follows as it was: the work grows with the
/// square, and nobody pages that far for variety.
const WINDOW: usize = 200;

/// Scores never increase in the order in which candidates were taken, because novelty only shrinks.
pub fn rank(lambda: f32, candidates: &Candidates, explain: bool) -> Scored {
    let relevance = normalise(&candidates.features);
    let window = relevance.len().min(WINDOW);
    let mut scores = vec![0.0_f32; relevance.len()];
    let mut explanations = vec![String::new(); if explain { relevance.len() } else { 0 }];
    let mut nearest = vec![0.0_f32; window];
    let mut open: Vec<usize> = (0..window).collect();
    let mut last = 1.0_f32;
    while !open.is_empty() {
        let value = |place: usize| lambda * relevance[place] + (1.0 - lambda) * (1.0 - nearest[place]);
        // `open` is in the strategy's order and only a better value replaces, so ties keep that order.
        let best = (1..open.len()).fold(0, |best, at| if value(open[at]) > value(open[best]) { at } else { best });
        let taken = open.remove(best);
        last = value(taken);
        scores[taken] = last;
        if explain {
            explanations[taken] = format!(
                "{last:.4} = {lambda} × relevance {:.4} + {:.2} × novelty {:.4}",
                relevance[taken],
                1.0 - lambda,
                1.0 - nearest[taken]
            );
        }
        for &other in &open {
            nearest[other] = nearest[other].max(similarity(candidates, taken, other));
        }
    }
    let rest = relevance.len() - window;
    for place in window..relevance.len() {
        scores[place] = last * (1.0 - (place - window + 1) as f32 / (rest + 1) as f32);
        if explain {
            explanations[place] = format!("{:.4}: below the {WINDOW} that are spread", scores[place]);
        }
    }
    Scored { scores, explanations }
}

/// 0 (nothing in common) to 1 (the same).
fn similarity(candidates: &Candidates, one: usize, other: usize) -> f32 {
    let dimension = candidates.dimension as usize;
    let row = |place: usize| candidates.embeddings.get(place * dimension..(place + 1) * dimension).unwrap_or(&[]);
    let (first, second) = (row(one), row(other));
    let known = |row: &[f32]| row.iter().any(|number| *number != 0.0);
    if known(first) && known(second) {
        let cosine: f32 = first.iter().zip(second).map(|(a, b)| a * b).sum();
        return if cosine.is_finite() { cosine.clamp(0.0, 1.0) } else { 0.0 };
    }
    match (candidates.texts.get(one), candidates.texts.get(other)) {
        (Some(first), Some(second)) => shared_path(first, second),
        _ => 0.0,
    }
}

/// Leading path parts in common over the parts of the longer path.
fn shared_path(one: &str, other: &str) -> f32 {
    let shared = one.split('/').zip(other.split('/')).take_while(|(one, other)| one == other).count();
    shared as f32 / one.split('/').count().max(other.split('/').count()) as f32
}

ranker_kit::ranker! {
    name: "rank-diversity", purpose: "spreads near-duplicates: maximal marginal relevance",
    features: FEATURES, texts: TEXTS, embeddings: true,
    rank: |_: &Query, candidates: &Candidates, explain| {
        Ok(rank(setting("lambda", LAMBDA, 0.0..=1.0)?, candidates, explain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(scores: &[f32], paths: &[&str], dimension: u32, embeddings: &[f32]) -> Candidates {
        Candidates {
            count: scores.len() as u32,
            features: scores.to_vec(),
            texts: paths.iter().map(|path| path.to_string()).collect(),
            dimension,
            embeddings: embeddings.to_vec(),
        }
    }

    fn close(actual: &[f32], expected: &[f32]) {
        assert_eq!(actual.len(), expected.len());
        for (actual, expected) in actual.iter().zip(expected) {
            assert!((actual - expected).abs() < 1e-6, "{actual} against {expected}");
        }
    }

    #[test]
    fn mmr_by_hand_with_embeddings() {
        // 0 and 1 are the same vector, 2 is orthogonal; λ = 0.5.
        let input = candidates(&[1.0, 0.9, 0.6], &["a", "b", "c"], 2, &[1.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
        // Take 0: .5 + .5. Then 1: .45 + 0 against 2: .3 + .5. Then 1: .45.
        close(&rank(0.5, &input, false).scores, &[1.0, 0.45, 0.8]);
    }

    #[test]
    fn without_embeddings_paths_decide() {
        let input = candidates(&[1.0, 1.0, 1.0], &["a/b/c", "a/b/d", "x/y/z"], 0, &[]);
        // Take 0. 1 shares 2 of 3 parts: .5 + .5/3; 2 shares none: 1.
        close(&rank(0.5, &input, false).scores, &[1.0, 0.5 + 0.5 / 3.0, 1.0]);
        assert_eq!(shared_path("a/b", "a/b"), 1.0);
        assert_eq!(shared_path("a/b/c/d", "a"), 0.25);
    }

    #[test]
    fn a_chunk_without_embedding_is_compared_by_path() {
        let input = candidates(&[1.0, 1.0], &["a/b", "a/b"], 2, &[1.0, 0.0, 0.0, 0.0]);
        close(&rank(0.5, &input, false).scores, &[1.0, 0.5]);
    }

    #[test]
    fn lambda_one_is_relevance() {
        let input = candidates(&[4.0, 2.0, 1.0], &["a", "a", "a"], 0, &[]);
        close(&rank(1.0, &input, false).scores, &[1.0, 0.5, 0.25]);
    }

    #[test]
    fn the_rest_follows_in_order_below_the_window() {
        let count = WINDOW + 50;
        let scores: Vec<f32> = (0..count).map(|place| (count - place) as f32).collect();
        let paths = vec!["same/file"; count];
        let ranked = rank(0.7, &candidates(&scores, &paths, 0, &[]), true);
        assert!(ranked.scores.windows(2).all(|pair| pair[0] > pair[1]), "relevance order is kept for equal documents");
        assert!(ranked.scores.iter().all(|score| score.is_finite()));
        assert_eq!(ranked.explanations.len(), count);
        assert!(ranked.explanations[WINDOW].contains("below the 200"));
    }

    #[test]
    fn gaps_do_not_make_scores_that_are_not_finite() {
        let input = candidates(&[f32::NAN, 1.0], &["a", "b"], 2, &[f32::NAN, 1.0, 1.0, f32::NAN]);
        assert!(rank(0.7, &input, false).scores.iter().all(|score| score.is_finite()));
    }
}
