//! Crossover, drift and complements: another idea of what traits are.

use traits_kit::traits::{ABILITIES, PERSONALITY, PHYSICAL, WIDTH, at, known, similarity};
use traits_kit::{Chance, rows};

/// Half the width of the spread of first traits: drift needs something to choose from.
pub const SPREAD: f32 = 0.25;
/// Share of inherited traits that mutate.
pub const MUTATION_RATE: f32 = 0.05;
/// Greatest change of a mutation, as a share of the trait.
pub const MUTATION: f32 = 0.5;
/// Greatest drift of a trait in a year, as a share of it.
pub const DRIFT: f32 = 0.02;
/// No trait drifts below this: growth by a share would leave it there for ever.
pub const FLOOR: f32 = 0.01;
/// Years that everybody has, and what full vitality adds.
pub const SHORT_LIFE: f32 = 60.0;
pub const VITAL_YEARS: f32 = 60.0;
/// Energy that comes back in a year, without vitality and with all of it.
pub const RECOVERY: (f32, f32) = (0.05, 0.25);

pub const COMPLEMENT_WEIGHT: f32 = 0.5;
pub const BODY_WEIGHT: f32 = 0.2;
pub const COVER_WEIGHT: f32 = 0.3;

/// Base + uniform(−0.25, 0.25), clamped: `count` rows.
pub fn first_traits(base: &[f32; WIDTH], count: u32, chance: &mut Chance) -> Vec<f32> {
    let mut traits = Vec::with_capacity(count as usize * WIDTH);
    for _ in 0..count {
        traits.extend(base.iter().map(|base| (base + chance.around_zero(SPREAD)).clamp(FLOOR, 1.0)));
    }
    traits
}

/// A trait a share larger or smaller, within the floor and 1. What is no number counts 0.5.
pub fn grown(value: f32, share: f32) -> f32 {
    (known(value) * (1.0 + share)).clamp(FLOOR, 1.0)
}

/// One child's traits appended to `traits`: every trait whole from one parent or the other; one in twenty
/// mutates by up to half of itself. Returns how many came from the first, and how many mutated.
pub fn child(first: &[f32], second: &[f32], chance: &mut Chance, traits: &mut Vec<f32>) -> (u32, u32) {
    let (mut of_first, mut mutated) = (0, 0);
    for (first, second) in first.iter().zip(second) {
        let takes_first = chance.is(0.5);
        let mutates = chance.is(MUTATION_RATE);
        let share = if mutates { chance.around_zero(MUTATION) } else { 0.0 };
        of_first += u32::from(takes_first);
        mutated += u32::from(mutates);
        traits.push(grown(if takes_first { *first } else { *second }, share));
    }
    (of_first, mutated)
}

/// 0.5 × difference of personality + 0.2 × likeness of body + 0.3 × cover of abilities (the mean of the better
/// one of the two in each). Spirit and generation do not matter.
pub fn score(one: &[f32], other: &[f32]) -> f32 {
    let complement = 1.0 - similarity(&one[PERSONALITY], &other[PERSONALITY]);
    let body = similarity(&one[PHYSICAL], &other[PHYSICAL]);
    let mut covers = [0.0_f32; 4];
    for (a, b) in one[ABILITIES].as_chunks::<4>().0.iter().zip(other[ABILITIES].as_chunks::<4>().0) {
        for lane in 0..4 {
            covers[lane] += a[lane].max(b[lane]);
        }
    }
    let cover = (covers[0] + covers[1] + covers[2] + covers[3]) / ABILITIES.len() as f32;
    (COMPLEMENT_WEIGHT * complement + BODY_WEIGHT * body + COVER_WEIGHT * cover).clamp(0.0, 1.0)
}

/// All traits `step` years on, in place: each × (1 + uniform(−r, r)), r = 0.02 × √step, so that the spread
/// after a year does not depend on the number of steps. Four traits share one draw of 64 bits.
pub fn drift(traits: &mut [f32], step: f32, chance: &mut Chance) {
    let reach = DRIFT * step.max(0.0).sqrt();
    for four in traits.chunks_mut(4) {
        let mut bits = chance.bits();
        for value in four {
            let share = (bits & 0xFFFF) as f32 * (2.0 / 65_536.0) - 1.0;
            bits >>= 16;
            *value = grown(*value, share * reach);
        }
    }
}

/// The age at which one of this vitality dies: 60 + 60 × vitality.
pub fn lifetime(vitality: f32) -> f32 {
    SHORT_LIFE + VITAL_YEARS * vitality
}

/// Columns `step` years on, in place; true for those who live on.
pub fn live(ages: &mut [f32], energies: &mut [f32], traits: &[f32], step: f32) -> Vec<bool> {
    let lives = ages.iter_mut().zip(energies).zip(rows(traits));
    lives
        .map(|((age, energy), row)| {
            let vitality = known(row[at::VITALITY]);
            *age += step;
            let recovery = RECOVERY.0 + (RECOVERY.1 - RECOVERY.0) * vitality;
            *energy = (*energy + recovery * step).clamp(0.0, 1.0);
            *age < lifetime(vitality)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f32, expected: f32) {
        assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
    }

    #[test]
    fn children_are_patchworks_of_their_parents() {
        let (mut traits, mut of_first, mut mutated) = (vec![], 0, 0);
        let mut chance = Chance::new(1);
        for _ in 0..500 {
            let (first, changed) = child(&[0.2; WIDTH], &[0.8; WIDTH], &mut chance, &mut traits);
            (of_first, mutated) = (of_first + first, mutated + changed);
        }
        // Of 22,000 traits half, with a deviation of 74; a twentieth, with a deviation of 32.
        assert!((10_700..11_300).contains(&of_first), "{of_first}");
        assert!((970..1_230).contains(&mutated), "{mutated}");
        // No means: what is not a parent's value is a mutation.
        let others = traits.iter().filter(|value| **value != 0.2 && **value != 0.8).count() as u32;
        assert!(others <= mutated && others > mutated * 9 / 10, "{others}");
    }

    #[test]
    fn complements_score_by_hand() {
        let (mut one, mut other) = (vec![0.5; WIDTH], vec![0.5; WIDTH]);
        // Half of the personality differs by 0.8: mean 0.4. Three of twelve of the body by 0.4: likeness 0.9.
        one[..8].fill(0.1);
        other[..8].fill(0.9);
        one[16..19].fill(0.1);
        // Half of the abilities 1 in one of them: cover 0.75.
        one[28..36].fill(1.0);
        // 0.5 × 0.4 + 0.2 × 0.9 + 0.3 × 0.75
        near(score(&one, &other), 0.605);
        // Two of a kind: 0 + 0.2 + 0.3 × 0.5
        near(score(&[0.5; WIDTH], &[0.5; WIDTH]), 0.35);
    }

    #[test]
    fn growth_by_hand() {
        near(grown(0.5, 0.1), 0.55);
        assert_eq!(grown(0.99, 0.1), 1.0);
        assert_eq!(grown(0.0, -0.1), 0.01);
        near(grown(f32::NAN, 0.1), 0.55);
    }

    #[test]
    fn drift_stays_within_its_reach_and_has_no_direction() {
        let mut traits = vec![0.5; 1_000 * WIDTH];
        drift(&mut traits, 0.25, &mut Chance::new(5));
        // 0.02 × √0.25 = 0.01 of 0.5
        assert!(traits.iter().all(|value| (0.494_999..=0.505_001).contains(value)));
        let mean = traits.iter().map(|value| f64::from(*value)).sum::<f64>() / 44_000.0;
        assert!((mean - 0.5).abs() < 1e-4, "{mean}");
        assert!(traits.iter().any(|value| *value < 0.4955) && traits.iter().any(|value| *value > 0.5045));
    }

    /// A share's variance is 0.02² × step / 3, so a century's is 100 × 0.02² / 3 = 0.01333 whatever the step:
    /// a deviation of 0.1155 relative to the value.
    #[test]
    fn a_century_spreads_as_far_in_short_steps_as_in_long_ones() {
        for (step, steps) in [(1.0, 100), (0.25, 400)] {
            let mut traits = vec![0.4_f32; 400 * WIDTH];
            let mut chance = Chance::new(12);
            for _ in 0..steps {
                drift(&mut traits, step, &mut chance);
            }
            let count = traits.len() as f64;
            let mean = traits.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
            let variance = traits.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / count;
            let spread = variance.sqrt() / mean;
            assert!((0.111..0.121).contains(&spread), "{spread} in steps of {step}");
            assert!((mean - 0.4).abs() < 0.002, "{mean}");
        }
    }

    #[test]
    fn the_vital_live_longer() {
        let mut traits = vec![0.5; 2 * WIDTH];
        traits[at::VITALITY] = 0.0;
        traits[WIDTH + at::VITALITY] = 1.0;
        let (mut ages, mut energies) = ([59.5, 119.0], [0.0, 0.5]);
        assert_eq!(live(&mut ages, &mut energies, &traits, 0.5), [false, true]);
        // 0.05 × 0.5 and 0.25 × 0.5
        near(energies[0], 0.025);
        near(energies[1], 0.625);
    }
}
