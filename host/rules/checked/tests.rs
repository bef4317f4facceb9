//! Tests of the parent module.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn words<T: std::fmt::Debug>(answer: Checked<T>) -> String {
    match answer {
        Err(CallError::Contract(words)) => words,
        other => panic!("{other:?}"),
    }
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn traits_have_their_shape_and_are_shares() {
    assert_eq!(first_traits(vec![0.0, 1.0, 0.5, 0.25], 2, 2).unwrap(), [0.0, 1.0, 0.5, 0.25]);
    assert_eq!(words(first_traits(vec![0.5; 5], 2, 3)), "5 traits for 2 rows of 3");
    let one_wrong = |value| words(first_traits(vec![0.5, 0.5, 0.5, 0.5, value, 0.5], 2, 3));
    assert_eq!(one_wrong(f32::NAN), "traits 4 (row 1, column 1) is NaN, it must be 0 to 1");
    assert_eq!(one_wrong(f32::INFINITY), "traits 4 (row 1, column 1) is inf, it must be 0 to 1");
    assert_eq!(one_wrong(-0.1), "traits 4 (row 1, column 1) is -0.1, it must be 0 to 1");
    assert_eq!(one_wrong(1.5), "traits 4 (row 1, column 1) is 1.5, it must be 0 to 1");
}

#[test]
fn children_have_a_spirit_that_is_known() {
    let two = Offspring { traits: vec![0.5; 4], spirits: strings(&["fox", "wolf"]), mutations: vec![1, 2] };
    let known = strings(&["fox", "wolf"]);
    assert_eq!(offspring(two.clone(), 2, 2, &known).unwrap(), two);
    let unknown = words(offspring(two.clone(), 2, 2, &known[..1]));
    assert_eq!(unknown, "spirits 1 is `wolf`, which these rules do not know");
    let short = Offspring { mutations: vec![1], ..two.clone() };
    assert_eq!(words(offspring(short, 2, 2, &known)), "1 mutations for 2");
    let long = Offspring { spirits: strings(&["fox", "fox", "fox"]), ..two };
    assert_eq!(words(offspring(long, 2, 2, &known)), "3 spirits for 2");
}

#[test]
fn scores_and_proficiencies_are_shares() {
    assert_eq!(words(compatibility(vec![0.5], 2)), "1 scores for 2");
    assert_eq!(words(compatibility(vec![0.5, 1.01], 2)), "scores 1 is 1.01, it must be 0 to 1");
    assert_eq!(words(proficiencies(vec![f32::NEG_INFINITY], 1)), "proficiencies 0 is -inf, it must be 0 to 1");
    assert!(proficiencies(vec![], 0).is_ok());
    assert_eq!(words(group_influences(vec![0.5, 1.5], 2)), "group influences 1 is 1.5, it must be 0 to 1");
    assert_eq!(words(group_influences(vec![0.5], 2)), "1 group influences for 2");
    assert_eq!(group_influences(vec![0.0, 1.0], 2).unwrap(), [0.0, 1.0]);
}

#[test]
fn groups_that_rules_do_not_weigh_have_an_influence_all_the_same() {
    let groups =
        Groups { count: 3, sizes: vec![3, 5, 32], cohesions: vec![0.375, 0.5, 1.0], leaders: vec![2.0, 0.0, 1.0] };
    // 0.6 × 0.3 + 0.4 × 0.375; 0.6 × 0.5 + 0.4 × 0.5; 0.6 + 0.4.
    for (found, expected) in groups.default_influences().into_iter().zip([0.33_f32, 0.5, 1.0]) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }
}

#[test]
fn an_interaction_stays_within_its_ranges() {
    let good = Interaction {
        outcome: Outcome::Success,
        impact: -1.0,
        after: Bond { strength: 0.0, trust: 1.0, familiarity: 0.5 },
        energy_costs: [0.0, 1.0],
    };
    assert_eq!(interaction(good).unwrap(), good);
    assert_eq!(words(interaction(Interaction { impact: 1.1, ..good })), "impact is 1.1, it must be -1 to 1");
    let bond = Bond { trust: f32::NAN, ..good.after };
    assert_eq!(words(interaction(Interaction { after: bond, ..good })), "trust is NaN, it must be 0 to 1");
    let costs = [0.5, -0.5];
    let words = words(interaction(Interaction { energy_costs: costs, ..good }));
    assert_eq!(words, "energy costs 1 is -0.5, it must be 0 to 1");
}

#[test]
fn nobody_grows_younger_and_every_column_has_its_length() {
    let before = Lives { count: 2, ages: vec![3.0, 40.0], energies: vec![0.5; 2], traits: vec![0.5; 4] };
    let good =
        LivesAfter { ages: vec![3.1, 39.9999], energies: vec![0.0, 1.0], traits: vec![], alive: vec![true, false] };
    assert_eq!(lives(good.clone(), &before, 2).unwrap(), good);
    let young = LivesAfter { ages: vec![3.1, 39.0], ..good.clone() };
    assert_eq!(words(lives(young, &before, 2)), "ages 1 is 39, it was 40 before");
    let endless = LivesAfter { ages: vec![f32::INFINITY, 41.0], ..good.clone() };
    assert!(words(lives(endless, &before, 2)).starts_with("ages 0 is inf"));
    let tired = LivesAfter { energies: vec![0.5, -0.01], ..good.clone() };
    assert_eq!(words(lives(tired, &before, 2)), "energies 1 is -0.01, it must be 0 to 1");
    let half = LivesAfter { traits: vec![0.5; 2], ..good.clone() };
    assert_eq!(words(lives(half, &before, 2)), "2 traits for 2 rows of 2");
    let short = LivesAfter { alive: vec![true], ..good };
    assert_eq!(words(lives(short, &before, 2)), "1 alive for 2");
}

#[test]
fn names_can_be_shown_and_told_apart() {
    assert_eq!(names(strings(&["Reineke"]), 3).unwrap(), ["Reineke"]);
    assert_eq!(words(names(strings(&["a", "b"]), 1)), "2 names, more than 1");
    assert_eq!(words(names(strings(&["a", "b", "a"]), 3)), "names 2 is `a`, as names 0 is");
    assert_eq!(words(names(strings(&["a", " "]), 3)), "names 1 is empty");
    assert_eq!(words(names(strings(&["a\nb"]), 3)), "names 0 holds the control character '\\n'");
    assert!(names(vec!["ä".repeat(100)], 1).is_ok());
    assert_eq!(words(names(vec!["ä".repeat(101)], 1)), "names 0 has 101 characters, more than 100");
}

#[test]
fn what_is_said_of_a_pair_counts_only_if_it_met() {
    let good = EncountersAfter {
        met: vec![true, false],
        kinds: vec![InteractionKind::Social; 2],
        outcomes: vec![Outcome::Neutral; 2],
        impacts: vec![-1.0, f32::NAN],
        strengths: vec![1.0, 7.0],
        trusts: vec![0.5, f32::INFINITY],
        familiarities: vec![0.5, -3.0],
        first_costs: vec![0.1, 9.0],
        second_costs: vec![0.1, 9.0],
        importances: vec![0.1, 9.0],
        emotions: vec![-0.5, 9.0],
    };
    assert!(encounters(good.clone(), 2).is_ok());
    let both = EncountersAfter { met: vec![true, true], ..good.clone() };
    assert_eq!(words(encounters(both, 2)), "impacts 1 is NaN, it must be -1 to 1");
    let costly = EncountersAfter { second_costs: vec![1.2, 0.0], ..good.clone() };
    assert_eq!(words(encounters(costly, 2)), "second costs 0 is 1.2, it must be 0 to 1");
    assert_eq!(words(encounters(EncountersAfter { kinds: vec![], ..good.clone() }, 2)), "0 kinds for 2");
    assert_eq!(words(encounters(EncountersAfter { emotions: vec![0.0; 3], ..good }, 2)), "3 emotions for 2");
}

#[test]
fn nobody_is_faster_than_allowed_in_any_direction() {
    assert!(velocities((vec![600.0, 0.0], vec![800.0, -1000.0]), 2).is_ok());
    let diagonal = words(velocities((vec![0.0, 800.0], vec![0.0, 800.0]), 2));
    assert_eq!(diagonal, "velocities 1 is (800, 800), faster than 1000");
    let endless = words(velocities((vec![f32::NEG_INFINITY], vec![0.0]), 1));
    assert_eq!(endless, "velocities x 0 is -inf, it must be -1000 to 1000");
    assert_eq!(words(velocities((vec![0.0], vec![]), 1)), "0 velocities y for 1");
}

#[test]
fn memories_parts_and_standings_have_their_lengths_and_ranges() {
    let good = MemoriesAfter { importances: vec![0.5], consolidated: vec![true], forgotten: vec![false] };
    assert!(memories(good.clone(), 1).is_ok());
    assert_eq!(words(memories(MemoriesAfter { forgotten: vec![], ..good.clone() }, 1)), "0 forgotten for 1");
    let beyond = MemoriesAfter { importances: vec![2.0], ..good };
    assert_eq!(words(memories(beyond, 1)), "importances 0 is 2, it must be 0 to 1");
    assert_eq!(words(parts(vec![Part::Apart], 2)), "1 parts for 2");
    let standing = |influence| Standings { influences: vec![influence], standings: vec![Standing::Popular] };
    assert!(standings(standing(2.0), 1).is_ok());
    assert_eq!(words(standings(standing(2.5), 1)), "influences 0 is 2.5, it must be 0 to 2");
    assert_eq!(words(standings(standing(1.0), 2)), "1 influences for 2");
}

fn description() -> About {
    About {
        name: "traits-test".into(),
        version: "1.0.0".into(),
        digest: [1; 32],
        traits: TraitNames {
            personality: strings(&["loyalty", "cunning"]),
            physical: strings(&["size"]),
            abilities: strings(&["hunter"]),
        },
        spirits: strings(&["fox", "wolf"]),
        society: Some(Society {
            customs: Customs {
                levels: vec![
                    Level { at_least: 0.6, name: "good".into(), advice: String::new() },
                    Level { at_least: 0.0, name: "poor".into(), advice: String::new() },
                ],
                ..Customs::default()
            },
            catalogue: Catalogue {
                spirits: vec![Spirit {
                    name: "fox".into(),
                    category: "canine".into(),
                    emoji: String::new(),
                    adjectives: vec![],
                    names: vec![],
                    generation_numbers: vec![],
                    base_traits: vec![("cunning".into(), 0.8)],
                }],
                traits: vec![TraitDefinition {
                    name: "size".into(),
                    group: "physical".into(),
                    category: String::new(),
                    default: 0.5,
                    purpose: String::new(),
                }],
                ..Catalogue::default()
            },
        }),
    }
}

fn with(change: impl FnOnce(&mut About)) -> Checked<About> {
    let mut description = description();
    change(&mut description);
    about(description)
}

fn with_society(change: impl FnOnce(&mut Customs, &mut Catalogue)) -> Checked<About> {
    with(|about| {
        let society = about.society.as_mut().unwrap();
        change(&mut society.customs, &mut society.catalogue);
    })
}

#[test]
fn rules_name_traits_and_spirits_that_can_be_told_apart() {
    assert_eq!(with(|_| {}).unwrap(), description());
    assert!(with(|about| about.society = None).is_ok());
    assert_eq!(words(with(|about| about.name.clear())), "the rules' name is empty");
    assert_eq!(words(with(|about| about.spirits.clear())), "no spirits");
    assert_eq!(words(with(|about| about.traits = TraitNames::default())), "0 traits, it must be 1 to 200");
    let twice = words(with(|about| about.traits.abilities = strings(&["loyalty"])));
    assert_eq!(twice, "traits 3 is `loyalty`, as traits 0 is");
    let many = words(with(|about| about.traits.physical = (0..200).map(|at| format!("t{at}")).collect()));
    assert_eq!(many, "203 traits, it must be 1 to 200");
}

#[test]
fn customs_are_numbers_that_a_world_can_be_run_with() {
    let falling = words(with_society(|customs, _| customs.stages = [5.0, 80.0, 18.0]));
    assert_eq!(falling, "stages 2 is 18, less than 80 before it");
    assert!(words(with_society(|customs, _| customs.max_age = f32::INFINITY)).starts_with("max age is inf"));
    assert!(words(with_society(|customs, _| customs.movement_speed = f32::NAN)).starts_with("movement speed is NaN"));
    let far = words(with_society(|customs, _| customs.meeting_distance = 20_000.0));
    assert_eq!(far, "meeting distance is 20000, it must be 0 to 1000");
    let hard = words(with_society(|customs, _| customs.breeding_threshold = 1.1));
    assert_eq!(hard, "breeding threshold is 1.1, it must be 0 to 1");
    let rising = words(with_society(|customs, _| customs.levels.reverse()));
    assert_eq!(rising, "levels 1 is 0.6, it must be 0 to 0");
}

#[test]
fn a_catalogue_speaks_of_what_the_rules_know() {
    let unknown = words(with_society(|_, catalogue| catalogue.spirits[0].name = "yeti".into()));
    assert_eq!(unknown, "`yeti` of the catalogue is none of the rules' spirits");
    let odd = words(with_society(|_, catalogue| catalogue.spirits[0].base_traits[0].0 = "greed".into()));
    assert_eq!(odd, "`greed` of the catalogue is none of the rules' traits");
    let much = words(with_society(|_, catalogue| catalogue.spirits[0].base_traits[0].1 = 1.8));
    assert_eq!(much, "`cunning` of the spirit `fox` is 1.8, it must be 0 to 1");
    let misplaced = words(with_society(|_, catalogue| catalogue.traits[0].group = "abilities".into()));
    assert_eq!(misplaced, "the trait `size` is not of the group `abilities`");
    let default = words(with_society(|_, catalogue| catalogue.traits[0].default = f32::NAN));
    assert_eq!(default, "the default of `size` is NaN, it must be 0 to 1");
    let parameter = words(with_society(|_, catalogue| catalogue.parameters = vec![("rate".into(), f32::INFINITY)]));
    assert!(parameter.starts_with("the parameter `rate` is inf"), "{parameter}");
}
