//! How recent a document is, in its score:
//!
//! score = relevance × (1 − weight × (1 − 2^(−age / 30 days)))
//!
//! where relevance is the ranker's score, scaled so that the best of the window has 1 and 0 (or the least, where there
//! are negative scores) has 0. With weight 0 the order is the ranker's; with 1 a document loses half every 30 days.

const HALF_LIFE_SECONDS: f32 = 30.0 * 86_400.0;

/// One score for each of `scores`, 0 to 1. `ages` are seconds; a date in the future is now.
pub fn blend(scores: &[f32], ages: &[f32], weight: f32) -> Vec<f32> {
    // Wider than the scores, so that their range is a number whatever they are.
    let finite = |score: f32| if score.is_finite() { f64::from(score) } else { 0.0 };
    let least = scores.iter().copied().map(finite).fold(0.0_f64, f64::min);
    let most = scores.iter().copied().map(finite).fold(least, f64::max);
    let range = if most > least { most - least } else { 1.0 };
    let scored = scores.iter().zip(ages).map(|(score, age)| {
        let relevance = ((finite(*score) - least) / range) as f32;
        let fresh = (-age.max(0.0) / HALF_LIFE_SECONDS).exp2();
        relevance * (1.0 - weight * (1.0 - fresh))
    });
    scored.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: f32 = 86_400.0;

    fn check(scores: &[f32], ages: &[f32], weight: f32, expected: &[f32]) {
        let found = blend(scores, ages, weight);
        let near = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6);
        assert!(near && found.len() == expected.len(), "{found:?} is not {expected:?}");
    }

    #[test]
    fn by_hand() {
        // Without weight, shares of the best.
        check(&[4.0, 3.0, 0.0], &[0.0, 90.0 * DAY, 0.0], 0.0, &[1.0, 0.75, 0.0]);
        // A month: 1 − .1 × .5; two: 1 − .1 × .75.
        check(&[2.0, 2.0, 1.0], &[0.0, 30.0 * DAY, 60.0 * DAY], 0.1, &[1.0, 0.95, 0.4625]);
        check(&[1.0, 1.0], &[30.0 * DAY, -5.0 * DAY], 1.0, &[0.5, 1.0]);
    }

    #[test]
    fn scores_without_a_scale_are_no_trouble() {
        check(&[-1.0, 1.0, 0.0], &[0.0; 3], 0.5, &[0.0, 1.0, 0.5]);
        check(&[0.0, 0.0], &[0.0; 2], 0.5, &[0.0, 0.0]);
        check(&[f32::NAN, 2.0], &[0.0; 2], 0.1, &[0.0, 1.0]);
        check(&[f32::MAX, f32::MIN, 0.0], &[0.0; 3], 0.1, &[1.0, 0.0, 0.5]);
        check(&[], &[], 0.1, &[]);
    }
}
