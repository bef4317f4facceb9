//! The default ranker: keeps the strategy's order and brings its scores to 0..1.
//!
//! Scores of different strategies live on different scales; clients compare them anyway, so the best
//! candidate gets 1 and the others their share of it.

pub use ranker_kit::{Candidates, PluginError, Query, Scored, normalise};

/// The column that `rank` expects.
pub const FEATURES: [&str; 1] = ["score"];

pub fn rank(_query: &Query, candidates: &Candidates, explain: bool) -> Result<Scored, PluginError> {
    let scores = normalise(&candidates.features);
    let explain_one = |(raw, score): (&f32, &f32)| format!("{score:.4}: {raw:.4} as a share of the best");
    let explanations =
        if explain { candidates.features.iter().zip(&scores).map(explain_one).collect() } else { vec![] };
    Ok(Scored { scores, explanations })
}

ranker_kit::ranker! {
    name: "rank-relevance", purpose: "keeps the strategy's order, scores from 0 to 1",
    features: FEATURES, texts: [], embeddings: false,
    rank: rank
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn query() -> Query {
        Query {
            text: "x".into(),
            limit: 10,
            file_types: vec![],
            directories: vec![],
            case_sensitive: false,
            whole_word: false,
            similarity_threshold: None,
            weights: vec![],
            parameters: vec![],
        }
    }

    #[test]
    fn order_stays_and_explanations_come_only_when_asked() {
        let candidates =
            Candidates { count: 2, features: vec![0.5, 0.25], texts: vec![], dimension: 0, embeddings: vec![] };
        let scored = rank(&query(), &candidates, true).unwrap();
        assert_eq!(scored.scores, [1.0, 0.5]);
        assert_eq!(scored.explanations[1], "0.5000: 0.2500 as a share of the best");
        assert!(rank(&query(), &candidates, false).unwrap().explanations.is_empty());
    }
}
