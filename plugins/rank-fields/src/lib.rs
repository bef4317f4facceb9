//! Boosts candidates whose path, symbol names or title hold the query's terms:
//! score × (1 + Σ boost × share of the query's terms in the field).
//!
//! Settings, each 0 to 100: `boost-symbol` (default 0.5: a definition is mostly what is looked for),
//! `boost-title` (0.3), `boost-path` (0.2). 0 switches a field off.

pub use ranker_kit::{Candidates, PluginError, Query, Scored};

use ranker_kit::{column, normalise, setting};

/// The columns that `rank` expects, in this order.
pub const FEATURES: [&str; 4] = ["score", "field:path", "field:symbol", "field:title"];

/// How much a field that holds all of the query's terms adds, as a share of the score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Boosts {
    pub path: f32,
    pub symbol: f32,
    pub title: f32,
}

impl Default for Boosts {
    fn default() -> Self {
        Self { path: 0.2, symbol: 0.5, title: 0.3 }
    }
}

impl Boosts {
    fn from_settings() -> Result<Self, PluginError> {
        let default = Self::default();
        Ok(Self {
            path: setting("boost-path", default.path, 0.0..=100.0)?,
            symbol: setting("boost-symbol", default.symbol, 0.0..=100.0)?,
            title: setting("boost-title", default.title, 0.0..=100.0)?,
        })
    }
}

/// A field that does not exist (NaN) boosts nothing.
pub fn rank(boosts: Boosts, candidates: &Candidates, explain: bool) -> Scored {
    let share = |share: f32| if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let base = normalise(&column(candidates, 0, FEATURES.len()));
    let mut scored = Scored { scores: vec![], explanations: vec![] };
    for (base, row) in base.into_iter().zip(candidates.features.chunks_exact(FEATURES.len())) {
        let (path, symbol, title) = (share(row[1]), share(row[2]), share(row[3]));
        let score = base * (1.0 + boosts.path * path + boosts.symbol * symbol + boosts.title * title);
        scored.scores.push(score);
        if explain {
            scored.explanations.push(format!(
                "{score:.4} = {base:.4} × (1 + {} × path {path:.2} + {} × symbol {symbol:.2} + {} × title {title:.2})",
                boosts.path, boosts.symbol, boosts.title
            ));
        }
    }
    scored
}

ranker_kit::ranker! {
    name: "rank-fields", purpose: "boosts matches in path, symbol names and title",
    features: FEATURES, texts: [], embeddings: false,
    rank: |_: &Query, candidates: &Candidates, explain| Ok(rank(Boosts::from_settings()?, candidates, explain))
}

#[cfg(test)]
mod tests {
    use super::*;

    use ranker_kit::rows as candidates;

    #[test]
    fn a_definition_overtakes_a_slightly_better_text_match() {
        let scored = rank(Boosts::default(), &candidates(&[[10.0, 0.0, 0.0, 0.0], [8.0, 0.0, 1.0, 0.0]]), true);
        // 1.0 × 1 and 0.8 × 1.5
        assert!((scored.scores[0] - 1.0).abs() < 1e-6);
        assert!((scored.scores[1] - 1.2).abs() < 1e-6);
        assert_eq!(
            scored.explanations[1],
            "1.2000 = 0.8000 × (1 + 0.2 × path 0.00 + 0.5 × symbol 1.00 + 0.3 × title 0.00)"
        );
    }

    #[test]
    fn boosts_add_up_by_share() {
        let boosts = Boosts { path: 2.0, symbol: 0.0, title: 1.0 };
        let scored = rank(boosts, &candidates(&[[1.0, 0.5, 1.0, 0.25]]), false);
        assert_eq!(scored.scores, [2.25]);
        assert!(scored.explanations.is_empty());
    }

    #[test]
    fn gaps_boost_nothing_and_scores_stay_finite() {
        let rows = [[1.0, f32::NAN, f32::NAN, f32::NAN], [f32::NAN, 1.0, f32::INFINITY, -3.0]];
        assert_eq!(rank(Boosts::default(), &candidates(&rows), false).scores, [1.0, 0.0]);
    }
}
