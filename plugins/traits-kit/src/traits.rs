//! The 44 traits: names, places in a row, defaults, and base values of spirits. A row is personality, then
//! physical, then abilities.

use crate::data;

/// Columns of a matrix of traits.
pub const WIDTH: usize = 44;
pub const PERSONALITY: std::ops::Range<usize> = 0..16;
pub const PHYSICAL: std::ops::Range<usize> = 16..28;
pub const ABILITIES: std::ops::Range<usize> = 28..44;

/// What a trait is when nothing is known of it.
pub const UNKNOWN: f32 = 0.5;

/// One trait as it is declared.
#[derive(Clone, Copy, Debug)]
pub struct Trait {
    pub name: &'static str,
    pub category: &'static str,
    pub default: f32,
    pub purpose: &'static str,
}

const fn of(name: &'static str, category: &'static str, default: f32, purpose: &'static str) -> Trait {
    Trait { name, category, default, purpose }
}

#[rustfmt::skip]
pub const TRAITS: [Trait; WIDTH] = [
    of("dominance", "social", 0.5, "wants to decide for others"),
    of("independence", "social", 0.5, "does without others"),
    of("patience", "temper", 0.5, "waits without losing interest"),
    of("aggression", "temper", 0.3, "answers resistance with force"),
    of("charisma", "social", 0.5, "draws others near"),
    of("creativity", "mind", 0.5, "finds what was not there"),
    of("perfectionism", "drive", 0.4, "is not content with nearly"),
    of("adaptability", "mind", 0.6, "takes changes as they come"),
    of("playfulness", "temper", 0.5, "does things for their own sake"),
    of("intelligence", "mind", 0.6, "understands and plans"),
    of("loyalty", "social", 0.7, "stays with its own"),
    of("curiosity", "mind", 0.6, "goes to see"),
    of("courage", "drive", 0.5, "acts in spite of danger"),
    of("empathy", "social", 0.5, "feels what others feel"),
    of("determination", "drive", 0.6, "carries on"),
    of("spontaneity", "temper", 0.4, "acts on the moment"),
    of("size", "build", 0.5, "small to 0.33, medium to 0.66, else large"),
    of("strength", "build", 0.5, "lifts, pushes, holds"),
    of("agility", "motion", 0.5, "changes direction"),
    of("endurance", "build", 0.5, "keeps going"),
    of("appearance", "presence", 0.5, "is looked at"),
    of("grace", "presence", 0.5, "moves beautifully"),
    of("speed", "motion", 0.5, "moves fast"),
    of("coordination", "motion", 0.5, "moves exactly"),
    of("stamina", "build", 0.5, "recovers breath"),
    of("flexibility", "motion", 0.5, "bends"),
    of("reflexes", "motion", 0.5, "answers at once"),
    of("vitality", "build", 0.5, "stays alive and well"),
    of("strategist", "mental", 0.5, "plans against others"),
    of("hunter", "physical", 0.5, "finds and takes"),
    of("teacher", "social", 0.5, "hands knowledge on"),
    of("artist", "creative", 0.5, "makes what moves others"),
    of("healer", "support", 0.5, "makes well"),
    of("inventor", "creative", 0.5, "makes what is new"),
    of("explorer", "adventure", 0.5, "goes where nobody was"),
    of("guardian", "support", 0.5, "keeps others safe"),
    of("diplomat", "social", 0.5, "settles between others"),
    of("warrior", "physical", 0.5, "fights"),
    of("scholar", "mental", 0.5, "knows and remembers"),
    of("performer", "creative", 0.5, "shows itself to others"),
    of("builder", "practical", 0.5, "makes what lasts"),
    of("navigator", "adventure", 0.5, "finds the way"),
    of("communicator", "social", 0.5, "is understood"),
    of("leader", "social", 0.5, "is followed"),
];

/// Places of the traits that formulas read; a test compares them with the names.
pub mod at {
    pub const INDEPENDENCE: usize = 1;
    pub const AGGRESSION: usize = 3;
    pub const CHARISMA: usize = 4;
    pub const INTELLIGENCE: usize = 9;
    pub const CURIOSITY: usize = 11;
    pub const EMPATHY: usize = 13;
    pub const SPONTANEITY: usize = 15;
    pub const VITALITY: usize = 27;
    pub const TEACHER: usize = 30;
    pub const LEADER: usize = 43;
}

pub fn position(name: &str) -> Option<usize> {
    TRAITS.iter().position(|known| known.name == name)
}

/// The group of a column, as the catalogue names it.
pub fn group(position: usize) -> &'static str {
    if PERSONALITY.contains(&position) {
        "personality"
    } else if PHYSICAL.contains(&position) {
        "physical"
    } else {
        "abilities"
    }
}

/// Base values of a spirit: the traits' defaults and what the spirit says otherwise.
pub fn base(spirit: &str) -> Option<[f32; WIDTH]> {
    let spirit = data::find(spirit)?;
    let mut row = TRAITS.map(|of| of.default);
    for (name, value) in spirit.base {
        if let Some(place) = position(name) {
            row[place] = *value;
        }
    }
    Some(row)
}

/// A trait as formulas take it: what is not a number is unknown.
pub fn known(value: f32) -> f32 {
    if value.is_finite() { value } else { UNKNOWN }
}

/// 1 less the mean difference of two rows; of any length, 1 when empty.
///
/// Four sums side by side: they fit one vector register, and their order is part of the result.
pub fn similarity(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 4];
    let ((ones, rest), (others, other_rest)) = (one.as_chunks::<4>(), other.as_chunks::<4>());
    for (a, b) in ones.iter().zip(others) {
        for lane in 0..4 {
            sums[lane] += (a[lane] - b[lane]).abs();
        }
    }
    let rest: f32 = rest.iter().zip(other_rest).map(|(a, b)| (a - b).abs()).sum();
    let total = (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest;
    1.0 - total / one.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_twelve_and_sixteen_with_different_names() {
        let names: std::collections::BTreeSet<_> = TRAITS.iter().map(|of| of.name).collect();
        assert_eq!(names.len(), 44);
        assert_eq!((PERSONALITY.len(), PHYSICAL.len(), ABILITIES.len()), (16, 12, 16));
        assert_eq!(
            [group(0), group(15), group(16), group(27), group(28), group(43)],
            ["personality", "personality", "physical", "physical", "abilities", "abilities"]
        );
        assert_eq!([TRAITS[16].name, TRAITS[28].name, TRAITS[43].name], ["size", "strategist", "leader"]);
    }

    #[test]
    fn places_are_those_of_the_names() {
        for (place, name) in [
            (at::INDEPENDENCE, "independence"),
            (at::AGGRESSION, "aggression"),
            (at::CHARISMA, "charisma"),
            (at::INTELLIGENCE, "intelligence"),
            (at::CURIOSITY, "curiosity"),
            (at::EMPATHY, "empathy"),
            (at::SPONTANEITY, "spontaneity"),
            (at::VITALITY, "vitality"),
            (at::TEACHER, "teacher"),
            (at::LEADER, "leader"),
        ] {
            assert_eq!(position(name), Some(place), "{name}");
        }
    }

    /// The defaults that were declared as other than 0.5.
    #[test]
    fn declared_defaults() {
        let declared = [
            ("aggression", 0.3),
            ("perfectionism", 0.4),
            ("adaptability", 0.6),
            ("intelligence", 0.6),
            ("loyalty", 0.7),
            ("curiosity", 0.6),
            ("determination", 0.6),
            ("spontaneity", 0.4),
        ];
        for of in TRAITS {
            let expected = declared.iter().find(|(name, _)| *name == of.name).map_or(0.5, |(_, value)| *value);
            assert_eq!(of.default, expected, "{}", of.name);
        }
    }

    #[test]
    fn similarity_by_hand() {
        // Differences 0.5, 0, 1, 0.25, 0.25: mean 0.4.
        let similar = similarity(&[0.5, 0.1, 0.0, 0.75, 0.0], &[1.0, 0.1, 1.0, 0.5, 0.25]);
        assert!((similar - 0.6).abs() < 1e-6);
        assert_eq!(similarity(&[], &[]), 1.0);
    }
}
