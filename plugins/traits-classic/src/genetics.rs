//! First traits, inheritance and compatibility: the original's numbers, those that it declared and never
//! read as well.

use traits_kit::traits::{ABILITIES, PERSONALITY, PHYSICAL, WIDTH, known, similarity};
use traits_kit::{Chance, rows};

/// Half the width of the spread of first traits around the spirit's base.
pub const RANDOM_FACTOR: f32 = 0.1;
/// Half the width of the noise on every inherited trait.
pub const INHERITANCE_NOISE: f32 = 0.1;
/// Share of inherited traits that mutate.
pub const MUTATION_RATE: f32 = 0.1;
/// Half the width of a mutation.
pub const INHERITANCE_VARIANCE: f32 = 0.2;
/// How far a child is drawn from its parents' mean to its spirit's base.
pub const SPIRIT_INFLUENCE: f32 = 0.3;

pub const PERSONALITY_WEIGHT: f32 = 0.4;
pub const PHYSICAL_WEIGHT: f32 = 0.2;
pub const ABILITIES_WEIGHT: f32 = 0.2;
pub const SPIRIT_WEIGHT: f32 = 0.2;
/// What spirits that differ count, of 1.
pub const OTHER_SPIRIT: f32 = 0.5;
/// What a generation between the two costs, and all of them together.
pub const GENERATION_COST: f32 = 0.05;
pub const GENERATION_COST_AT_MOST: f32 = 0.2;

/// Base + uniform(−0.1, 0.1), clamped: `count` rows.
pub fn first_traits(base: &[f32; WIDTH], count: u32, chance: &mut Chance) -> Vec<f32> {
    let mut traits = Vec::with_capacity(count as usize * WIDTH);
    for _ in 0..count {
        traits.extend(base.iter().map(|base| (base + chance.around_zero(RANDOM_FACTOR)).clamp(0.0, 1.0)));
    }
    traits
}

/// One inherited trait: mean + 0.3 × (base − mean) + noise + mutation, clamped. What is no number counts 0.5.
pub fn inherited(first: f32, second: f32, base: f32, noise: f32, mutation: f32) -> f32 {
    let mean = (known(first) + known(second)) * 0.5;
    (mean + SPIRIT_INFLUENCE * (base - mean) + noise + mutation).clamp(0.0, 1.0)
}

/// One child's traits appended to `traits`; returns how many of them mutated. Noise is uniform(−0.1, 0.1);
/// one trait in ten mutates, by uniform(−0.2, 0.2).
pub fn child(first: &[f32], second: &[f32], base: &[f32; WIDTH], chance: &mut Chance, traits: &mut Vec<f32>) -> u32 {
    let mut mutated = 0;
    for ((first, second), base) in first.iter().zip(second).zip(base) {
        let noise = chance.around_zero(INHERITANCE_NOISE);
        let mutates = chance.is(MUTATION_RATE);
        let mutation = if mutates { chance.around_zero(INHERITANCE_VARIANCE) } else { 0.0 };
        mutated += u32::from(mutates);
        traits.push(inherited(*first, *second, *base, noise, mutation));
    }
    mutated
}

/// 0.4 × likeness of personality + 0.2 × of body + 0.2 × of abilities + 0.2 × spirit (1 when the same, else
/// 0.5) − min(0.2, 0.05 × generation gap), clamped. Likeness is 1 less the mean difference.
///
/// The original added max(0, 0.2 − 0.05 × gap). This is that less 0.2: the same order of pairs, but those
/// that are far from alike do not all end at 1.
pub fn score(one: &[f32], other: &[f32], same_spirit: bool, generation_gap: u32) -> f32 {
    let like = |columns: std::ops::Range<usize>| similarity(&one[columns.clone()], &other[columns]);
    let spirit = if same_spirit { 1.0 } else { OTHER_SPIRIT };
    let sum = PERSONALITY_WEIGHT * like(PERSONALITY)
        + PHYSICAL_WEIGHT * like(PHYSICAL)
        + ABILITIES_WEIGHT * like(ABILITIES)
        + SPIRIT_WEIGHT * spirit;
    (sum - (GENERATION_COST * generation_gap as f32).min(GENERATION_COST_AT_MOST)).clamp(0.0, 1.0)
}

/// `score` of one with each of many; `alike`: who of them has its spirit.
pub fn scores(
    one: &[f32],
    generation: u32,
    many: &[f32],
    alike: impl Iterator<Item = bool>,
    generations: &[u32],
) -> Vec<f32> {
    rows(many)
        .zip(alike.zip(generations))
        .map(|(row, (alike, born))| score(one, row, alike, born.abs_diff(generation)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f32, expected: f32) {
        assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
    }

    #[test]
    fn inheritance_by_hand() {
        // Mean 0.6, drawn to 0.9 by 0.3 × 0.3 = 0.09: 0.69; noise 0.05, mutation −0.1.
        near(inherited(0.4, 0.8, 0.9, 0.05, -0.1), 0.64);
        near(inherited(0.4, 0.8, 0.6, 0.0, 0.0), 0.6);
        assert_eq!(inherited(1.0, 1.0, 1.0, 0.1, 0.2), 1.0);
        assert_eq!(inherited(0.0, 0.0, 0.0, -0.1, 0.0), 0.0);
        // Unknown parents count 0.5 each.
        near(inherited(f32::NAN, f32::INFINITY, 0.5, 0.1, 0.0), 0.6);
    }

    #[test]
    fn children_stay_within_noise_and_mutation() {
        let (mut traits, mut mutated) = (vec![], 0);
        let mut chance = Chance::new(3);
        for _ in 0..1_000 {
            mutated += child(&[0.4; WIDTH], &[0.6; WIDTH], &[0.5; WIDTH], &mut chance, &mut traits);
        }
        assert_eq!(traits.len(), 44_000);
        assert!(traits.iter().all(|value| (0.2..=0.8).contains(value)));
        // Without a mutation nothing leaves 0.4 to 0.6.
        assert!(traits.iter().any(|value| !(0.4..=0.6).contains(value)));
        // A tenth of 44,000, with a deviation of 63.
        assert!((4_150..4_650).contains(&mutated), "{mutated}");
    }

    /// The variance of a generation is 0.49 of half of the last one's (the mean of two, drawn 0.3 to the base) +
    /// 0.1²/3 (noise) + 0.1 × 0.2²/3 (mutation). It stays at 0.004667 / (1 − 0.245) = 0.00618, a deviation of 0.0786.
    #[test]
    fn thirty_generations_neither_run_apart_nor_become_one() {
        let base = [0.5; WIDTH];
        let mut chance = Chance::new(21);
        let mut parents = first_traits(&base, 300, &mut chance);
        for _ in 0..30 {
            let mut children = Vec::with_capacity(parents.len());
            for _ in 0..300 {
                let mut pick = || {
                    let start = chance.below(300) as usize * WIDTH;
                    &parents[start..start + WIDTH]
                };
                let (first, second) = (pick(), pick());
                child(first, second, &base, &mut chance, &mut children);
            }
            parents = children;
        }
        let count = parents.len() as f64;
        let mean = parents.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
        let variance = parents.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / count;
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
        assert!((0.0755..0.0815).contains(&variance.sqrt()), "{}", variance.sqrt());
        assert!(parents.iter().all(|value| (0.0..=1.0).contains(value)));
    }

    #[test]
    fn first_traits_spread_around_the_base() {
        let base = std::array::from_fn(|place| if place == 0 { 0.95 } else { 0.5 });
        let traits = first_traits(&base, 500, &mut Chance::new(8));
        assert_eq!(traits.len(), 500 * WIDTH);
        for row in rows(&traits) {
            assert!((0.85..=1.0).contains(&row[0]), "{}", row[0]);
            assert!(row[1..].iter().all(|value| (0.4..0.6).contains(value)));
        }
        let mean = rows(&traits).map(|row| row[1]).sum::<f32>() / 500.0;
        assert!((mean - 0.5).abs() < 0.012, "{mean}");
    }

    #[test]
    fn compatibility_by_hand() {
        let one = vec![0.5; WIDTH];
        let mut other = one.clone();
        // Personality: two of 16 differ by 0.4, mean 0.05. Body: one of 12 by 0.3, mean 0.025. Abilities alike.
        other[0] = 0.9;
        other[15] = 0.1;
        other[16] = 0.8;
        // 0.4 × 0.95 + 0.2 × 0.975 + 0.2 × 1 + 0.2 × 1 = 0.38 + 0.195 + 0.2 + 0.2
        near(score(&one, &other, true, 0), 0.975);
        // Other spirits 0.1 less; two generations 0.1 less, many 0.2 less.
        near(score(&one, &other, false, 0), 0.875);
        near(score(&one, &other, false, 2), 0.775);
        near(score(&one, &other, true, 40), 0.775);
        near(score(&one, &one, true, 0), 1.0);
        // Nothing in common, generations apart: 0.1 − 0.2 is below 0.
        assert_eq!(score(&[0.0; WIDTH], &[1.0; WIDTH], false, 9), 0.0);
    }

    #[test]
    fn scores_are_in_the_order_of_the_population() {
        let many = [vec![0.5; WIDTH], vec![1.0; WIDTH]].concat();
        let scores = scores(&[0.5; WIDTH], 3, &many, [true, false].into_iter(), &[3, 1]);
        // 0.4 + 0.2 + 0.2 + 0.2; 0.8 × 0.5 + 0.1 − 0.1
        near(scores[0], 1.0);
        near(scores[1], 0.4);
    }
}
