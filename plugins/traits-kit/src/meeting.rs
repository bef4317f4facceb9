//! Meetings of two: whether they happen, of what kind, how they end, and what becomes of the relationship.
//! Thresholds and updates are those of the original system; what it left open is said at the place.

use crate::traits::{PERSONALITY, at, known, similarity};
use crate::{
    Chance, Encounters, EncountersAfter, InteractionKind, InteractionResult, Outcome, PluginError, Relationship,
};
use crate::{column, matrix, rows};

/// A relationship after the first meeting.
pub const ACQUAINTED: Relationship = Relationship { strength: 0.1, trust: 0.1, familiarity: 0.1 };

/// Numbers in which rules differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Manner {
    /// Chance of a meeting a world second, of two with all of charisma and energy.
    pub rate: f32,
    /// How far chance moves the quality of a meeting, up and down.
    pub luck: f32,
    /// Weights of charisma, intelligence and likeness in the quality.
    pub weights: [f32; 3],
    /// Energy that each of the two spends.
    pub cost: f32,
    /// Those who differ get on, not those who are alike.
    pub opposites: bool,
}

/// The original's. Its drain of 0.2 a meeting is split between the two: 0.1 each, which is what it reported.
/// `luck` is ours: without it traits near their defaults could never fail.
pub const CLASSIC: Manner = Manner { rate: 0.1, luck: 0.3, weights: [0.3, 0.3, 0.4], cost: 0.1, opposites: false };

fn mean(one: f32, other: f32) -> f32 {
    (one + other) * 0.5
}

fn mean_of(first: &[f32], second: &[f32], place: usize) -> f32 {
    mean(known(first[place]), known(second[place]))
}

fn better_teacher(first: &[f32], second: &[f32]) -> f32 {
    known(first[at::TEACHER]).max(known(second[at::TEACHER]))
}

/// Probability that two who are near meet within `step` world seconds:
/// rate × step × mean charisma × mean energy × (1 + 0.5 × strength), at most 1.
pub fn chance(manner: &Manner, step: f32, charisma: f32, energy: f32, strength: f32) -> f32 {
    (manner.rate * step * charisma * energy * (1.0 + 0.5 * strength)).clamp(0.0, 1.0)
}

/// How well two get on: weighted mean charisma, mean intelligence and likeness of personality, × the
/// modifier of the kind. 0 to 1.2.
pub fn quality(manner: &Manner, kind: InteractionKind, first: &[f32], second: &[f32]) -> f32 {
    let alike = similarity(&first[PERSONALITY], &second[PERSONALITY]);
    let fit = if manner.opposites { 1.0 - alike } else { alike };
    let [charisma, intelligence, likeness] = manner.weights;
    let sum = charisma * mean_of(first, second, at::CHARISMA)
        + intelligence * mean_of(first, second, at::INTELLIGENCE)
        + likeness * fit;
    sum * modifier(kind, first, second)
}

/// 1.2 or 0.8 for teaching, 1.1 or 0.9 for collaboration: the higher one when the better teacher of the two,
/// or the mean empathy, is above 0.5. Competitive 0.6 is ours: who competes gets on less well.
pub fn modifier(kind: InteractionKind, first: &[f32], second: &[f32]) -> f32 {
    match kind {
        InteractionKind::Teaching => {
            if better_teacher(first, second) > 0.5 {
                1.2
            } else {
                0.8
            }
        }
        InteractionKind::Collaboration => {
            if mean_of(first, second, at::EMPATHY) > 0.5 {
                1.1
            } else {
                0.9
            }
        }
        InteractionKind::Competitive => 0.6,
        InteractionKind::Communication | InteractionKind::Social | InteractionKind::Romantic => 1.0,
    }
}

pub fn outcome(quality: f32) -> Outcome {
    if quality > 0.7 {
        Outcome::Success
    } else if quality > 0.4 {
        Outcome::PartialSuccess
    } else if quality > 0.2 {
        Outcome::Neutral
    } else {
        Outcome::Failure
    }
}

pub fn is_close(bond: &Relationship) -> bool {
    bond.familiarity > 0.7 && bond.strength > 0.6
}

/// Success 0.1, partial 0.05, neutral 0, failure -0.1; × 1.5 between those who are close.
pub fn impact(outcome: Outcome, before: &Relationship) -> f32 {
    let impact = match outcome {
        Outcome::Success => 0.1,
        Outcome::PartialSuccess => 0.05,
        Outcome::Neutral => 0.0,
        Outcome::Failure => -0.1,
    };
    if is_close(before) { impact * 1.5 } else { impact }
}

/// Strength + 0.1 × impact, trust + 0.05 × impact, familiarity + 0.01; 0.1 each for those who did not know
/// each other (all zero).
pub fn after(before: &Relationship, impact: f32) -> Relationship {
    if before.strength == 0.0 && before.trust == 0.0 && before.familiarity == 0.0 {
        return ACQUAINTED;
    }
    Relationship {
        strength: (before.strength + 0.1 * impact).clamp(0.0, 1.0),
        trust: (before.trust + 0.05 * impact).clamp(0.0, 1.0),
        familiarity: (before.familiarity + 0.01).clamp(0.0, 1.0),
    }
}

/// How well it will be remembered: 0.3 + 3 × |impact|. Ours: what changed nothing fades first.
pub fn importance(impact: f32) -> f32 {
    (0.3 + 3.0 * impact.abs()).clamp(0.0, 1.0)
}

/// How it felt, -1 to 1: 5 × impact. Ours.
pub fn emotion(impact: f32) -> f32 {
    (5.0 * impact).clamp(-1.0, 1.0)
}

/// Weights of the kinds, in the contract's order: talk 1, collaboration mean empathy, teaching the better
/// teacher, social mean charisma, competitive mean aggression, romantic the strength between those who know
/// each other (familiarity above 0.3), else 0. Ours.
pub fn kind_weights(first: &[f32], second: &[f32], bond: &Relationship) -> [f32; 6] {
    let romance = if bond.familiarity > 0.3 { bond.strength } else { 0.0 };
    [
        1.0,
        mean_of(first, second, at::EMPATHY),
        better_teacher(first, second),
        mean_of(first, second, at::CHARISMA),
        mean_of(first, second, at::AGGRESSION),
        romance,
    ]
}

const KINDS: [InteractionKind; 6] = [
    InteractionKind::Communication,
    InteractionKind::Collaboration,
    InteractionKind::Teaching,
    InteractionKind::Social,
    InteractionKind::Competitive,
    InteractionKind::Romantic,
];

/// The kind at `unit` (0 to 1) of the way through the weights.
pub fn kind_at(weights: &[f32; 6], unit: f32) -> InteractionKind {
    let mut left = unit * weights.iter().sum::<f32>();
    for (kind, weight) in KINDS.into_iter().zip(weights) {
        if left < *weight {
            return kind;
        }
        left -= weight;
    }
    InteractionKind::Communication
}

/// One meeting that happens.
pub fn interact(
    manner: &Manner,
    kind: InteractionKind,
    first: &[f32],
    second: &[f32],
    before: &Relationship,
    chance: &mut Chance,
) -> InteractionResult {
    let outcome = outcome(quality(manner, kind, first, second) + chance.around_zero(manner.luck));
    let impact = impact(outcome, before);
    let energy_costs = (manner.cost, manner.cost);
    InteractionResult { outcome, impact, after: after(before, impact), energy_costs }
}

/// Who of those that are near meet, and what comes of it. Three draws a pair, whether it meets or not, so that
/// one pair's luck is not another's.
pub fn meet(manner: &Manner, pairs: &Encounters, step: f32, seed: u64) -> Result<EncountersAfter, PluginError> {
    let count = pairs.count as usize;
    matrix("first", &pairs.first, pairs.count)?;
    matrix("second", &pairs.second, pairs.count)?;
    for (name, values) in [
        ("first-energies", &pairs.first_energies),
        ("second-energies", &pairs.second_energies),
        ("strengths", &pairs.strengths),
        ("trusts", &pairs.trusts),
        ("familiarities", &pairs.familiarities),
    ] {
        column(name, values.len(), count)?;
    }
    let mut luck = Chance::new(seed);
    let mut met = empty(count);
    for (pair, (first, second)) in rows(&pairs.first).zip(rows(&pairs.second)).enumerate() {
        let before = Relationship {
            strength: pairs.strengths[pair],
            trust: pairs.trusts[pair],
            familiarity: pairs.familiarities[pair],
        };
        let energy = mean(pairs.first_energies[pair], pairs.second_energies[pair]);
        let likely = chance(manner, step, mean_of(first, second, at::CHARISMA), energy, before.strength);
        let meets = luck.is(likely);
        let mut own = luck;
        luck.skip(2);
        // Most pairs pass each other by: what a meeting would have been is not worked out for them.
        let (kind, result) = if meets {
            let kind = kind_at(&kind_weights(first, second, &before), own.unit());
            (kind, interact(manner, kind, first, second, &before, &mut own))
        } else {
            (InteractionKind::Communication, passed_by(before))
        };
        met.met.push(meets);
        met.kinds.push(kind);
        met.outcomes.push(result.outcome);
        met.impacts.push(result.impact);
        met.strengths.push(result.after.strength);
        met.trusts.push(result.after.trust);
        met.familiarities.push(result.after.familiarity);
        // Nobody spends what it has not.
        met.first_costs.push(result.energy_costs.0.min(pairs.first_energies[pair]));
        met.second_costs.push(result.energy_costs.1.min(pairs.second_energies[pair]));
        met.importances.push(importance(result.impact));
        met.emotions.push(emotion(result.impact));
    }
    Ok(met)
}

fn passed_by(before: Relationship) -> InteractionResult {
    InteractionResult { outcome: Outcome::Neutral, impact: 0.0, after: before, energy_costs: (0.0, 0.0) }
}

fn empty(count: usize) -> EncountersAfter {
    let numbers = || Vec::with_capacity(count);
    EncountersAfter {
        met: Vec::with_capacity(count),
        kinds: Vec::with_capacity(count),
        outcomes: Vec::with_capacity(count),
        impacts: numbers(),
        strengths: numbers(),
        trusts: numbers(),
        familiarities: numbers(),
        first_costs: numbers(),
        second_costs: numbers(),
        importances: numbers(),
        emotions: numbers(),
    }
}

#[cfg(test)]
mod tests;
