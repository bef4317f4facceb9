//! Ranks by who asks: score × (1 + Σ (trait − 0.5) × weight × share of the trait's feature), never below 0.
//! An agent whose traits are all 0.5, or a search that names none, gets the strategy's order.
//!
//! | trait | feature, as a share of 0 to 1 | setting (0 to 10) |
//! |---|---|---|
//! | curiosity | how deep the path is, of the deepest candidate | `weight-curiosity` (1) |
//! | patience | how long the chunk is, of the longest | `weight-patience` (1) |
//! | perfectionism | the share of the query's terms among the symbol's names | `weight-perfectionism` (1) |
//! | spontaneity | how new the file is: 30 days / (30 days + age) | `weight-spontaneity` (1) |
//!
//! The opposite of a trait counts too: the impatient, at 0, have long chunks sink.

pub use ranker_kit::{Candidates, PluginError, Query, Scored};

use ranker_kit::{column, normalise, setting};

/// The columns that `rank` expects, in this order. Those of the agent say the same for every candidate, and
/// are NaN when the search names none.
pub const FEATURES: [&str; 9] = [
    "score",
    "length",
    "age-seconds",
    "path-depth",
    "field:symbol",
    "agent:curiosity",
    "agent:patience",
    "agent:perfectionism",
    "agent:spontaneity",
];

const NAMES: [&str; 4] = ["curiosity", "patience", "perfectionism", "spontaneity"];
/// After so long a file is half as new.
const MONTH_SECONDS: f32 = 30.0 * 86_400.0;

/// How much a trait of 1 adds to a candidate that has all of the feature, twice: 0.5 × weight. In the order
/// curiosity, patience, perfectionism, spontaneity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights(pub [f32; 4]);

impl Default for Weights {
    fn default() -> Self {
        Self([1.0; 4])
    }
}

impl Weights {
    fn from_settings() -> Result<Self, PluginError> {
        let mut weights = Self::default();
        for (weight, name) in weights.0.iter_mut().zip(NAMES) {
            *weight = setting(&format!("weight-{name}"), *weight, 0.0..=10.0)?;
        }
        Ok(weights)
    }
}

/// A value as a share of the greatest; what is not a number has none.
fn share_of(value: f32, greatest: f32) -> f32 {
    if value.is_finite() && greatest > 0.0 { (value / greatest).clamp(0.0, 1.0) } else { 0.0 }
}

/// 1 for a file that changed now, half after a month; an unknown age is not new.
fn newness(age_seconds: f32) -> f32 {
    if age_seconds.is_nan() { 0.0 } else { MONTH_SECONDS / (MONTH_SECONDS + age_seconds.max(0.0)) }
}

/// How far a trait is from the middle, -0.5 to 0.5; 0 when it is not known.
fn leaning(of: f32) -> f32 {
    if of.is_finite() { of.clamp(0.0, 1.0) - 0.5 } else { 0.0 }
}

pub fn rank(weights: Weights, candidates: &Candidates, explain: bool) -> Scored {
    let columns = |place| column(candidates, place, FEATURES.len());
    let greatest = |place| columns(place).into_iter().filter(|value| value.is_finite()).fold(0.0, f32::max);
    let base = normalise(&columns(0));
    let (longest, deepest) = (greatest(1), greatest(3));
    let mut scored = Scored { scores: vec![], explanations: vec![] };
    for (base, row) in base.into_iter().zip(candidates.features.chunks_exact(FEATURES.len())) {
        let shares = [share_of(row[3], deepest), share_of(row[1], longest), share_of(row[4], 1.0), newness(row[2])];
        let parts: [f32; 4] = std::array::from_fn(|part| leaning(row[5 + part]) * weights.0[part] * shares[part]);
        let factor = (1.0 + parts.iter().sum::<f32>()).max(0.0);
        let score = base * factor;
        scored.scores.push(score);
        if explain {
            scored.explanations.push(explanation(score, base, factor, row, &parts));
        }
    }
    scored
}

fn explanation(score: f32, base: f32, factor: f32, row: &[f32], parts: &[f32; 4]) -> String {
    if row[5..].iter().all(|of| !of.is_finite()) {
        return format!("{score:.4} = {base:.4} × 1 (no agent)");
    }
    let parts: Vec<_> = NAMES.iter().zip(parts).map(|(name, part)| format!("{name} {part:+.2}")).collect();
    format!("{score:.4} = {base:.4} × {factor:.4} ({})", parts.join(", "))
}

ranker_kit::ranker! {
    name: "rank-persona", purpose: "ranks by the traits of the agent that asks",
    features: FEATURES, texts: [], embeddings: false,
    rank: |_: &Query, candidates: &Candidates, explain| Ok(rank(Weights::from_settings()?, candidates, explain))
}

#[cfg(test)]
mod tests {
    use super::*;

    use ranker_kit::rows as candidates;

    const DAY: f32 = 86_400.0;

    fn near(value: f32, expected: f32) {
        assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
    }

    /// Two candidates for one agent: the first shallow, short, a month old, the symbol itself; the second
    /// deep, long, new, no symbol.
    fn two(agent: [f32; 4]) -> Scored {
        let [curious, patient, perfect, spontaneous] = agent;
        let of = |known: [f32; 5]| {
            let [score, length, age, depth, symbol] = known;
            [score, length, age, depth, symbol, curious, patient, perfect, spontaneous]
        };
        let rows = [of([1.0, 200.0, 30.0 * DAY, 1.0, 1.0]), of([1.0, 800.0, 0.0, 4.0, 0.0])];
        rank(Weights::default(), &candidates(&rows), true)
    }

    #[test]
    fn the_curious_go_deep() {
        // Depth 1 of 4 and 4 of 4: 1 + 0.5 × 0.25 and 1 + 0.5 × 1.
        let scored = two([1.0, 0.5, 0.5, 0.5]);
        near(scored.scores[0], 1.125);
        near(scored.scores[1], 1.5);
        assert_eq!(
            scored.explanations[0],
            "1.1250 = 1.0000 × 1.1250 (curiosity +0.12, patience +0.00, perfectionism +0.00, spontaneity +0.00)"
        );
    }

    #[test]
    fn the_patient_read_on_and_the_impatient_do_not() {
        // 200 of 800 bytes: 1 + 0.3 × 0.25; 1 + 0.3 × 1; at 0: 1 − 0.5 × 0.25, 1 − 0.5.
        let patient = two([0.5, 0.8, 0.5, 0.5]).scores;
        near(patient[0], 1.075);
        near(patient[1], 1.3);
        let impatient = two([0.5, 0.0, 0.5, 0.5]).scores;
        near(impatient[0], 0.875);
        near(impatient[1], 0.5);
    }

    #[test]
    fn perfectionists_want_the_symbol_and_the_spontaneous_the_new() {
        let perfectionist = two([0.5, 0.5, 0.9, 0.5]).scores;
        near(perfectionist[0], 1.4);
        near(perfectionist[1], 1.0);
        // A month old: half. 1 + 0.4 × 0.5, 1 + 0.4 × 1.
        let spontaneous = two([0.5, 0.5, 0.5, 0.9]).scores;
        near(spontaneous[0], 1.2);
        near(spontaneous[1], 1.4);
    }

    #[test]
    fn all_traits_together_by_hand() {
        // 0.25 × 0.5 + 0.25 × −0.5 + 1 × 0.5 + 0.5 × −0.5 = 0.25 and 0.5 − 0.5 + 0 − 0.5 = −0.5
        let scored = two([1.0, 0.0, 1.0, 0.0]).scores;
        near(scored[0], 1.25);
        near(scored[1], 0.5);
    }

    #[test]
    fn without_an_agent_the_strategys_order_stays() {
        let scored = two([f32::NAN; 4]);
        assert_eq!(scored.scores, [1.0, 1.0]);
        assert_eq!(scored.explanations[1], "1.0000 = 1.0000 × 1 (no agent)");
        assert_eq!(two([0.5; 4]).scores, [1.0, 1.0]);
    }

    #[test]
    fn scores_stay_finite_and_not_negative() {
        let gaps = [[f32::NAN; 9], [2.0, f32::INFINITY, f32::INFINITY, f32::NAN, f32::NAN, 9.0, -9.0, 1.0, 0.0]];
        let scored = rank(Weights([10.0; 4]), &candidates(&gaps), false);
        assert!(scored.scores.iter().all(|score| score.is_finite() && *score >= 0.0), "{:?}", scored.scores);
        assert!(scored.explanations.is_empty());
        // 1 + 10 × −0.5 × 1 is below nothing.
        let mut row = [1.0; 9];
        row[5..].copy_from_slice(&[0.5, 0.0, 0.5, 0.5]);
        assert_eq!(rank(Weights([10.0; 4]), &candidates(&[row]), false).scores, [0.0]);
    }
}
