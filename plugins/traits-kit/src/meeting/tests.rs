//! Meetings, compared with what the formulas give by hand.

use super::*;
use crate::traits::WIDTH;

/// A row of 0.5 with some traits otherwise.
fn row(traits: &[(usize, f32)]) -> Vec<f32> {
    let mut row = vec![0.5; WIDTH];
    for (place, value) in traits {
        row[*place] = *value;
    }
    row
}

fn bond(strength: f32, trust: f32, familiarity: f32) -> Relationship {
    Relationship { strength, trust, familiarity }
}

fn near(value: f32, expected: f32) {
    assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
}

#[test]
fn chance_by_hand() {
    // 0.1 × 2 s × 0.6 × 0.5 × (1 + 0.5 × 0.4) = 0.06 × 1.2
    near(chance(&CLASSIC, 2.0, 0.6, 0.5, 0.4), 0.072);
    assert_eq!(chance(&CLASSIC, 1_000.0, 1.0, 1.0, 1.0), 1.0);
    assert_eq!(chance(&CLASSIC, 1.0, 1.0, 0.0, 1.0), 0.0);
}

#[test]
fn quality_by_hand() {
    let first = row(&[(at::CHARISMA, 0.9), (at::INTELLIGENCE, 0.7)]);
    let second = row(&[(at::CHARISMA, 0.5), (at::INTELLIGENCE, 0.5)]);
    // Means 0.7 and 0.6; they differ by 0.4 and 0.2 in 16 traits: likeness 1 − 0.6/16 = 0.9625.
    // 0.3 × 0.7 + 0.3 × 0.6 + 0.4 × 0.9625 = 0.21 + 0.18 + 0.385
    near(quality(&CLASSIC, InteractionKind::Communication, &first, &second), 0.775);
    near(quality(&CLASSIC, InteractionKind::Competitive, &first, &second), 0.465);
    // No good teacher, no much empathy: 0.8 and 0.9.
    near(quality(&CLASSIC, InteractionKind::Teaching, &first, &second), 0.62);
    near(quality(&CLASSIC, InteractionKind::Collaboration, &first, &second), 0.6975);
    let teacher = row(&[(at::TEACHER, 0.8), (at::EMPATHY, 0.6)]);
    assert_eq!(modifier(InteractionKind::Teaching, &row(&[]), &teacher), 1.2);
    assert_eq!(modifier(InteractionKind::Collaboration, &row(&[]), &teacher), 1.1);
}

#[test]
fn opposites_get_on_where_the_manner_says_so() {
    let manner = Manner { weights: [0.0, 0.0, 1.0], opposites: true, ..CLASSIC };
    let (low, high) = (vec![0.0; WIDTH], vec![1.0; WIDTH]);
    assert_eq!(quality(&manner, InteractionKind::Social, &low, &high), 1.0);
    assert_eq!(quality(&manner, InteractionKind::Social, &low, &low), 0.0);
}

#[test]
fn outcomes_begin_above_their_thresholds() {
    let outcomes = [0.71, 0.7, 0.41, 0.4, 0.21, 0.2, -0.3].map(outcome);
    use Outcome::*;
    assert_eq!(outcomes, [Success, PartialSuccess, PartialSuccess, Neutral, Neutral, Failure, Failure]);
}

#[test]
fn impacts_count_more_between_the_close() {
    let (distant, close) = (bond(0.6, 0.5, 0.8), bond(0.61, 0.5, 0.71));
    near(impact(Outcome::Success, &distant), 0.1);
    near(impact(Outcome::Success, &close), 0.15);
    near(impact(Outcome::Failure, &close), -0.15);
    near(impact(Outcome::PartialSuccess, &distant), 0.05);
    assert_eq!(impact(Outcome::Neutral, &close), 0.0);
}

#[test]
fn relationships_change_by_hand() {
    let changed = after(&bond(0.5, 0.4, 0.3), 0.1);
    // 0.5 + 0.01, 0.4 + 0.005, 0.3 + 0.01
    near(changed.strength, 0.51);
    near(changed.trust, 0.405);
    near(changed.familiarity, 0.31);
    assert_eq!(after(&bond(0.0, 0.0, 0.0), -0.1), ACQUAINTED);
    let floor = after(&bond(0.005, 0.0, 1.0), -0.1);
    assert_eq!((floor.strength, floor.trust, floor.familiarity), (0.0, 0.0, 1.0));
}

#[test]
fn what_moved_is_remembered() {
    near(importance(0.1), 0.6);
    near(importance(-0.15), 0.75);
    near(emotion(-0.15), -0.75);
}

#[test]
fn kinds_come_by_weight() {
    let weights = [1.0, 0.5, 0.5, 0.5, 0.3, 0.2];
    // The sum is 3: the bounds are at 1, 1.5, 2, 2.5, 2.8 of 3.
    use InteractionKind::*;
    let picked = [0.0, 0.34, 0.51, 0.68, 0.9, 0.95].map(|unit| kind_at(&weights, unit));
    assert_eq!(picked, [Communication, Collaboration, Teaching, Social, Competitive, Romantic]);
    // Strangers have no romance.
    assert_eq!(kind_weights(&row(&[]), &row(&[]), &bond(0.9, 0.9, 0.3))[5], 0.0);
    assert_eq!(kind_weights(&row(&[]), &row(&[]), &bond(0.9, 0.9, 0.4))[5], 0.9);
}

fn pairs(count: u32, energy: f32) -> Encounters {
    let values = |value: f32| vec![value; count as usize];
    Encounters {
        count,
        first: vec![0.5; count as usize * WIDTH],
        second: vec![0.5; count as usize * WIDTH],
        first_energies: values(energy),
        second_energies: values(energy),
        distances: values(10.0),
        strengths: values(0.0),
        trusts: values(0.0),
        familiarities: values(0.0),
        same_spirit: vec![true; count as usize],
    }
}

#[test]
fn as_many_meet_as_the_chance_says() {
    // 0.1 × 4 s × 0.5 × 1 × 1 = 0.2; of 10,000 pairs 2,000, with a deviation of 40.
    let met = meet(&CLASSIC, &pairs(10_000, 1.0), 4.0, 11).unwrap();
    let count = met.met.iter().filter(|met| **met).count();
    assert!((1_840..2_160).contains(&count), "{count}");
    for (pair, met_here) in met.met.iter().enumerate() {
        assert_eq!(met.strengths[pair], if *met_here { 0.1 } else { 0.0 });
        assert_eq!(met.first_costs[pair], if *met_here { 0.1 } else { 0.0 });
    }
}

#[test]
fn the_tired_do_not_meet_and_nobody_spends_what_it_has_not() {
    assert!(meet(&CLASSIC, &pairs(100, 0.0), 1.0, 1).unwrap().met.iter().all(|met| !met));
    let met = meet(&CLASSIC, &pairs(100, 0.03), 1_000.0, 1).unwrap();
    assert!(met.met.iter().any(|met| *met));
    assert!(met.first_costs.iter().chain(&met.second_costs).all(|cost| (0.0..=0.03).contains(cost)));
}

#[test]
fn a_missing_column_is_named() {
    let short = Encounters { trusts: vec![], ..pairs(2, 1.0) };
    let expected = PluginError::Internal("the column trusts has 0 values, not 2".into());
    assert_eq!(meet(&CLASSIC, &short, 1.0, 1), Err(expected));
}
