//! What is kept is what would be gathered anew, whatever happened to the world.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::apply::tests::{birth, happen, names, world};
use super::super::event::{Birth, Event};
use super::super::state::State;
use super::*;

/// Spirit, generation and traits by number, with no agent twice and no part but the last that is not full.
fn contents(parts: &[Arc<Part>], width: usize) -> BTreeMap<u32, (String, u32, Vec<f32>)> {
    let mut found = BTreeMap::new();
    for (at, part) in parts.iter().enumerate() {
        let Part { numbers, crowd } = &**part;
        assert!(numbers.len() == PART || at + 1 == parts.len() && !numbers.is_empty(), "{} rows", numbers.len());
        assert_eq!((crowd.count as usize, crowd.traits.len()), (numbers.len(), numbers.len() * width));
        assert_eq!((crowd.spirit_of.len(), crowd.generations.len()), (numbers.len(), numbers.len()));
        let different: std::collections::BTreeSet<_> = crowd.spirits.iter().collect();
        assert_eq!(different.len(), crowd.spirits.len());
        for (row, number) in numbers.iter().enumerate() {
            let spirit = crowd.spirits[crowd.spirit_of[row] as usize].clone();
            let traits = crowd.traits[row * width..(row + 1) * width].to_vec();
            assert!(found.insert(number.0, (spirit, crowd.generations[row], traits)).is_none(), "{} twice", number.0);
        }
    }
    found
}

/// What the world itself says.
fn living(state: &State) -> BTreeMap<u32, (String, u32, Vec<f32>)> {
    let mut query = state.agents.query::<(&Agent, &Traits)>();
    let row = |(agent, traits): (&Agent, &Traits)| {
        (agent.number.0, (agent.spirit.to_string(), agent.generation, traits.values.to_vec()))
    };
    query.iter().map(row).collect()
}

fn retire(state: &mut State, number: u32) {
    happen(state, Event::Retired { agent: AgentNumber(number) }).unwrap();
}

fn of(number: u32, spirit: &str) -> Birth {
    Birth { spirit: spirit.into(), ..birth(number, &[number as f32 / 10_000.0, 0.5, 0.75]) }
}

#[test]
fn agents_of_many_parts_come_and_go() {
    let mut state = world(0);
    let births = (1..=PART as u32 * 2 + 3).map(|number| of(number, ["fox", "owl", "bear"][number as usize % 3]));
    happen(&mut state, Event::Created { births: births.collect() }).unwrap();
    let before = state.crowds();
    assert_eq!(before.iter().map(|part| part.numbers.len()).collect::<Vec<_>>(), [PART, PART, 3]);
    assert_eq!(contents(&before, 3), living(&state));
    // The first, one in the middle, the last, and enough for the last part to end.
    for number in [1, PART as u32 + 1, PART as u32 * 2 + 3, 17] {
        retire(&mut state, number);
    }
    let after = state.crowds();
    assert_eq!(after.len(), 2);
    assert_eq!(after[1].numbers.len(), PART - 1);
    assert_eq!(contents(&after, 3), living(&state));
    happen(
        &mut state,
        Event::Created { births: vec![of(PART as u32 * 2 + 4, "newt"), of(PART as u32 * 2 + 5, "newt")] },
    )
    .unwrap();
    assert_eq!(contents(&state.crowds(), 3), living(&state));
    // Who asked before sees the world of then.
    assert_eq!(contents(&before, 3).len(), PART * 2 + 3);
    assert!(!before.iter().any(|part| part.crowd.spirits.contains(&"newt".to_owned())));
}

#[test]
fn what_nobody_holds_is_changed_where_it_lies() {
    let mut state = world(10);
    let address = |state: &State| state.crowds()[0].crowd.traits.as_ptr();
    let before = address(&state);
    retire(&mut state, 3);
    assert_eq!(address(&state), before);
    let held = state.crowds();
    retire(&mut state, 4);
    assert_ne!(address(&state), before);
    assert_eq!(held[0].crowd.traits.as_ptr(), before);
}

#[test]
fn other_rules_have_other_columns() {
    let mut state = world(3);
    assert_eq!(state.crowds()[0].crowd.traits, [0.25, 0.5, 0.75].repeat(3));
    let traits = names(&["size"], &[], &["wit"]);
    let ruled = Event::Ruled { name: "other".into(), version: "1.0.0".into(), digest: [2; 32], traits };
    happen(&mut state, ruled).unwrap();
    assert_eq!(state.crowds()[0].crowd.traits, [0.5, 0.5].repeat(3), "size was .5, wit is new");
}

#[test]
fn a_world_without_agents_has_no_parts() {
    let mut state = world(1);
    assert_eq!(state.crowds().len(), 1);
    retire(&mut state, 1);
    assert!(state.crowds().is_empty());
    assert!(world(0).crowds().is_empty());
}

#[test]
fn it_counts_as_memory_of_the_agents_once_it_is_there() {
    let mut state = world(100);
    let before = state.status().bytes_per_agent;
    state.crowds();
    happen(&mut state, Event::Breeding { enabled: true }).unwrap();
    // Number, three traits, spirit, generation and row of each: 28 bytes at least.
    assert!(state.status().bytes_per_agent >= before + 28);
}

proptest! {
    #[test]
    fn whatever_happens_it_is_what_would_be_gathered(
        deeds in prop::collection::vec((0u8..4, any::<prop::sample::Index>(), 0.0f32..=1.0), 1..80),
        asked in 0usize..20,
    ) {
        let mut state = world(5);
        let mut held = vec![];
        for (turn, (deed, which, value)) in deeds.into_iter().enumerate() {
            if turn >= asked {
                // Some questions are still under way.
                held.push(state.crowds());
                held.truncate(3);
            }
            let everybody: Vec<u32> = living(&state).into_keys().collect();
            match deed {
                0 | 1 => {
                    let next = state.next_number().0;
                    let spirit = ["fox", "owl", "bear"][which.index(3)];
                    let births = vec![Birth { spirit: spirit.into(), ..birth(next, &[value, 0.5, 0.5]) }];
                    happen(&mut state, Event::Created { births }).unwrap();
                }
                2 if !everybody.is_empty() => retire(&mut state, everybody[which.index(everybody.len())]),
                3 if !everybody.is_empty() => {
                    let number = AgentNumber(everybody[which.index(everybody.len())]);
                    let entity = state.entity(number).unwrap();
                    state.agents.query_one_mut::<&mut Traits>(entity).unwrap().values = [value; 3].into();
                    if let Some(crowds) = state.crowds.get_mut() {
                        crowds.change(number, &[value; 3]);
                    }
                }
                _ => (),
            }
            if turn >= asked {
                prop_assert_eq!(contents(&state.crowds(), 3), living(&state));
            }
        }
    }
}
