//! The default ranker: keeps the strategy's order and brings its scores to 0..1.
//!
//! Scores of different strategies live on different scales; clients compare them anyway, so the best
//! candidate gets 1 and the others their share of it.

wit_bindgen::generate!({ path: "../../wit/v0.1", world: "ranker", generate_all });

use corsac::plugin::types::{Description, PluginError, Query};
use exports::corsac::plugin::ranking::{Candidates, Guest, Inputs, RankerDescription, Scored};

struct Relevance;

impl Guest for Relevance {
    fn describe() -> RankerDescription {
        RankerDescription {
            about: Description {
                name: "rank-relevance".into(),
                version: env!("CARGO_PKG_VERSION").into(),
                purpose: "keeps the strategy's order, scores from 0 to 1".into(),
            },
            inputs: Inputs { features: vec!["score".into()], texts: vec![], embeddings: false },
        }
    }

    fn rank(_query: Query, candidates: Candidates, explain: bool) -> Result<Scored, PluginError> {
        let scores = normalise(&candidates.features);
        let explanations = if explain {
            candidates.features.iter().zip(&scores).map(|(raw, score)| format!("{score:.4} = {raw:.4} of the best")).collect()
        } else {
            vec![]
        };
        Ok(Scored { scores, explanations })
    }
}

/// Min-max over 0 and the candidates, so that equal positive scores stay equal and the best gets 1.
pub fn normalise(scores: &[f32]) -> Vec<f32> {
    let top = scores.iter().copied().fold(0.0_f32, f32::max);
    let bottom = scores.iter().copied().fold(0.0_f32, f32::min);
    let span = top - bottom;
    scores.iter().map(|score| if span > 0.0 { (score - bottom) / span } else { 0.0 }).collect()
}

#[cfg(target_family = "wasm")]
export!(Relevance);

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn the_best_gets_one_and_order_stays() {
        assert_eq!(normalise(&[4.0, 2.0, 1.0]), [1.0, 0.5, 0.25]);
    }

    #[test]
    fn negative_scores_stay_within_zero_and_one() {
        assert_eq!(normalise(&[1.0, 0.0, -1.0]), [1.0, 0.5, 0.0]);
    }

    #[test]
    fn all_zero_and_empty_are_no_division_by_zero() {
        assert_eq!(normalise(&[0.0, 0.0]), [0.0, 0.0]);
        assert!(normalise(&[]).is_empty());
    }
}
