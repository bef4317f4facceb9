//! Prefers documents that were chosen before for the same words: score × (1 + boost × affinity).
//!
//! `affinity` is 0 for a document that nobody chose, 0.5 after one choice of today, and fades with time; the host
//! counts it from `POST /api/search/feedback`. Setting: `boost` (default 1, 0 to 100): how much a document with
//! affinity 1 gains.

pub use ranker_kit::{Candidates, PluginError, Query, Scored};

use ranker_kit::{column, normalise, setting};

/// The columns that `rank` expects, in this order.
pub const FEATURES: [&str; 2] = ["score", "affinity"];

pub fn rank(boost: f32, candidates: &Candidates, explain: bool) -> Scored {
    let base = normalise(&column(candidates, 0, FEATURES.len()));
    let affinities = column(candidates, 1, FEATURES.len());
    let mut scored = Scored { scores: vec![], explanations: vec![] };
    for (base, affinity) in base.into_iter().zip(affinities) {
        let affinity = if affinity.is_finite() { affinity.clamp(0.0, 1.0) } else { 0.0 };
        let score = base * (1.0 + boost * affinity);
        scored.scores.push(score);
        if explain {
            scored.explanations.push(match affinity > 0.0 {
                true => format!("{score:.4} = {base:.4} × (1 + {boost} × {affinity:.4}), chosen before"),
                false => format!("{score:.4}: never chosen for these words"),
            });
        }
    }
    scored
}

ranker_kit::ranker! {
    name: "rank-learned", purpose: "prefers documents that were chosen before for the same words",
    features: FEATURES, texts: [], embeddings: false,
    rank: |_: &Query, candidates: &Candidates, explain| Ok(rank(setting("boost", 1.0, 0.0..=100.0)?, candidates, explain))
}

#[cfg(test)]
mod tests {
    use super::*;

    use ranker_kit::rows;

    #[test]
    fn what_was_chosen_overtakes_what_is_a_little_better() {
        // .8 × (1 + 1 × .5) = 1.2, more than 1.
        let scored = rank(1.0, &rows(&[[2.0, 0.0], [1.6, 0.5]]), true);
        assert_eq!(scored.scores, [1.0, 1.2]);
        assert_eq!(scored.explanations[0], "1.0000: never chosen for these words");
        assert_eq!(scored.explanations[1], "1.2000 = 0.8000 × (1 + 1 × 0.5000), chosen before");
    }

    #[test]
    fn without_boost_or_choices_the_order_is_the_strategy_s() {
        assert_eq!(rank(0.0, &rows(&[[2.0, 0.0], [1.0, 0.9]]), false).scores, [1.0, 0.5]);
        assert_eq!(rank(3.0, &rows(&[[2.0, f32::NAN], [1.0, -1.0]]), false).scores, [1.0, 0.5]);
    }
}
