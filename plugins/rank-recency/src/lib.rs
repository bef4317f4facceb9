//! Prefers documents that changed lately: score × (floor + (1 − floor) × 2^(−age / half-life)).
//!
//! Settings: `half-life-days` (default 30, from 0.01): after so long the part that decays is half.
//! `floor` (default 0.2, 0 to 1): what even the oldest document keeps, so that old ones sink but do not
//! vanish.

pub use ranker_kit::{Candidates, PluginError, Query, Scored};

use ranker_kit::{column, normalise, setting};

/// The columns that `rank` expects, in this order.
pub const FEATURES: [&str; 2] = ["score", "age-seconds"];

const SECONDS_A_DAY: f32 = 86_400.0;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decay {
    /// More than 0.
    pub half_life_days: f32,
    /// 0 to 1.
    pub floor: f32,
}

impl Default for Decay {
    fn default() -> Self {
        Self { half_life_days: 30.0, floor: 0.2 }
    }
}

impl Decay {
    fn from_settings() -> Result<Self, PluginError> {
        let default = Self::default();
        Ok(Self {
            half_life_days: setting("half-life-days", default.half_life_days, 0.01..=1_000_000.0)?,
            floor: setting("floor", default.floor, 0.0..=1.0)?,
        })
    }

    /// Factor from `floor` to 1. An unknown age (NaN) does not decay; a date in the future is now.
    pub fn factor(self, age_seconds: f32) -> f32 {
        if age_seconds.is_nan() {
            return 1.0;
        }
        let half_lives = age_seconds.max(0.0) / (self.half_life_days * SECONDS_A_DAY);
        self.floor + (1.0 - self.floor) * (-half_lives).exp2()
    }
}

pub fn rank(decay: Decay, candidates: &Candidates, explain: bool) -> Scored {
    let base = normalise(&column(candidates, 0, FEATURES.len()));
    let ages = column(candidates, 1, FEATURES.len());
    let mut scored = Scored { scores: vec![], explanations: vec![] };
    for (base, age) in base.into_iter().zip(ages) {
        let factor = decay.factor(age);
        scored.scores.push(base * factor);
        if explain {
            let score = base * factor;
            let days = age / SECONDS_A_DAY;
            scored.explanations.push(if age.is_nan() {
                format!("{score:.4} = {base:.4} × 1 (age unknown)")
            } else {
                format!("{score:.4} = {base:.4} × {factor:.4} ({days:.1} days old)")
            });
        }
    }
    scored
}

ranker_kit::ranker! {
    name: "rank-recency", purpose: "prefers documents that changed lately",
    features: FEATURES, texts: [], embeddings: false,
    rank: |_: &Query, candidates: &Candidates, explain| Ok(rank(Decay::from_settings()?, candidates, explain))
}

#[cfg(test)]
mod tests {
    use super::*;

    use ranker_kit::rows as candidates;

    fn days(days: f32) -> f32 {
        days * 86_400.0
    }

    #[test]
    fn half_lives_by_hand() {
        let decay = Decay { half_life_days: 10.0, floor: 0.2 };
        for (age, expected) in [(0.0, 1.0), (10.0, 0.6), (20.0, 0.4), (30.0, 0.3)] {
            assert!((decay.factor(days(age)) - expected).abs() < 1e-6, "{age} days");
        }
    }

    #[test]
    fn the_oldest_keeps_the_floor_and_the_future_is_now() {
        let decay = Decay::default();
        assert!((decay.factor(f32::INFINITY) - 0.2).abs() < 1e-6);
        assert_eq!(decay.factor(-days(5.0)), 1.0);
        assert_eq!(decay.factor(f32::NAN), 1.0);
    }

    #[test]
    fn a_fresh_document_overtakes_an_old_better_one() {
        let scored =
            rank(Decay { half_life_days: 30.0, floor: 0.0 }, &candidates(&[[1.0, days(60.0)], [0.5, 0.0]]), true);
        assert!((scored.scores[0] - 0.25).abs() < 1e-6);
        assert_eq!(scored.scores[1], 0.5);
        assert_eq!(scored.explanations[0], "0.2500 = 1.0000 × 0.2500 (60.0 days old)");
    }

    #[test]
    fn scores_stay_finite() {
        let scored = rank(Decay::default(), &candidates(&[[f32::NAN, f32::NAN], [1.0, f32::NAN]]), true);
        assert_eq!(scored.scores, [0.0, 1.0]);
        assert_eq!(scored.explanations[1], "1.0000 = 1.0000 × 1 (age unknown)");
    }
}
