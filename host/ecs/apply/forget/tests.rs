//! Whom small worlds forget, and what is left of them. Ancestors are counted by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::ecs::apply::tests::*;
use crate::ecs::event::{Birth, Event};
use crate::ecs::state::ApplyError;

/// `count` agents; every departure is a reason to look.
fn forgetful(count: u32, latest: usize) -> State {
    let mut state = world(count);
    state.remembrance = Remembrance { every: 1, latest };
    state
}

fn retire(state: &mut State, number: u32) {
    happen(state, Event::Retired { agent: AgentNumber(number) }).unwrap();
}

fn breed(state: &mut State, parents: [u32; 2], child: Birth) {
    happen(state, Event::Bred { parents: parents.map(AgentNumber), births: vec![child] }).unwrap();
}

fn departed(state: &State) -> Vec<u32> {
    state.departed.keys().map(|number| number.0).collect()
}

#[test]
fn the_latest_are_remembered() {
    let mut state = forgetful(6, 2);
    state.clock.tick = 5;
    for number in [4, 2] {
        retire(&mut state, number);
    }
    state.clock.tick = 6;
    assert_eq!(departed(&state), [2, 4]);
    retire(&mut state, 5);
    // Both left at tick 5: of these the lower number goes first.
    assert_eq!(departed(&state), [4, 5]);
    retire(&mut state, 1);
    assert_eq!(departed(&state), [1, 5]);
    assert_eq!((state.number("agent-4"), state.is_named("Name 4")), (None, false));
    assert_eq!((state.called(AgentNumber(4)), state.called(AgentNumber(5))), ("#4".into(), "agent-5".into()));
    assert_eq!((state.known.len(), state.next_number()), (4, AgentNumber(7)));
}

#[test]
fn it_is_looked_only_at_every_so_many_departures() {
    let mut state = forgetful(6, 0);
    state.remembrance.every = 3;
    for (number, left) in [(1, 1), (2, 2), (3, 0), (4, 1), (5, 2), (6, 0)] {
        retire(&mut state, number);
        assert_eq!(departed(&state).len(), left, "after {number}");
    }
}

#[test]
fn an_id_and_a_name_are_free_when_nobody_remembers_them() {
    let mut state = forgetful(3, 1);
    retire(&mut state, 1);
    let again = Birth { id: "agent-1".into(), name: "Name 1".into(), ..birth(4, &[0.5; 3]) };
    let taken = happen(&mut state, Event::Created { births: vec![again.clone()] });
    assert!(matches!(taken, Err(ApplyError::Contradiction(_))));
    retire(&mut state, 2);
    happen(&mut state, Event::Created { births: vec![again] }).unwrap();
    // Its number is its own.
    assert_eq!(state.number("agent-1"), Some(AgentNumber(4)));
    assert!(!state.is_living(AgentNumber(1)) && state.is_living(AgentNumber(4)));
}

#[test]
fn relationships_with_the_forgotten_end_and_others_stay() {
    let mut state = forgetful(4, 1);
    for other in [2, 3, 4] {
        happen(&mut state, met(1, other, 0.1, [0.1; 3])).unwrap();
    }
    let known = |state: &State| -> Vec<u32> {
        let own = state.part::<Interactions>(AgentNumber(1)).unwrap();
        own.relationships.iter().map(|one| one.other.0).collect()
    };
    retire(&mut state, 2);
    assert_eq!(known(&state), [2, 3, 4], "2 is remembered");
    retire(&mut state, 3);
    assert_eq!(known(&state), [3, 4], "only 3 is remembered");
    // What they did together is told, the other by its number.
    let past = state.interactions("agent-1", 3).unwrap();
    let receivers: Vec<&str> = past.items.iter().map(|past| past.receiver_id.as_str()).collect();
    assert_eq!(receivers, ["agent-4", "agent-3", "#2"]);
}

#[test]
fn parents_lose_forgotten_children_but_not_the_count_of_them() {
    let mut state = forgetful(2, 0);
    breed(&mut state, [1, 2], child(3, 2));
    breed(&mut state, [1, 2], child(4, 2));
    retire(&mut state, 3);
    assert_eq!(departed(&state), [0; 0]);
    for parent in [1, 2] {
        assert_eq!(state.kin(AgentNumber(parent)).1, [AgentNumber(4)]);
        assert_eq!(state.part::<Reproduction>(AgentNumber(parent)).unwrap().offspring, 2);
    }
    assert_eq!(state.breeding_stats().average_offspring_per_agent, 0.5, "two of the four that ever were");
    // 2 is an ancestor and stays, without the other child.
    retire(&mut state, 2);
    assert_eq!(state.kin(AgentNumber(2)).1, [AgentNumber(4)]);
    assert_eq!(state.offspring, 2);
}

/// 1 and 2 have 3; 3 and 2 have 4; 4 and 2 have 5, and so on, 2 to the last: a line of twelve generations.
#[test]
fn ancestors_of_the_living_are_remembered_as_far_as_lineages_are_told() {
    let mut state = forgetful(2, 0);
    for number in 3..=13 {
        breed(&mut state, [number - 1, if number == 3 { 1 } else { 2 }], child(number, number - 1));
        if number > 3 {
            retire(&mut state, number - 1);
        }
    }
    retire(&mut state, 1);
    // 13's parents are 12 and 2, ..., ten generations up is 3. 3's parents are 2, which lives, and 1: eleven.
    assert_eq!(departed(&state), (3..=12).collect::<Vec<_>>());
    let lineage = state.lineage("agent-13", LINEAGE_DEPTH).unwrap();
    let line: Vec<String> = (3..=12).rev().map(|number| format!("agent-{number}")).collect();
    assert_eq!(
        lineage.ancestors.iter().filter(|id| *id != "agent-2").collect::<Vec<_>>(),
        line.iter().collect::<Vec<_>>()
    );
    assert_eq!(state.lineage("agent-3", 3).unwrap().parents, ["agent-2"], "of 1 nobody knows");
    // Nobody descends from 13: nobody is left to ask.
    retire(&mut state, 13);
    assert_eq!(departed(&state), [0; 0]);
}

#[test]
fn a_world_that_remembered_more_comes_to_remember_the_same() {
    // `kept` as by a version that forgot nobody. All leave in one tick, so the highest numbers count as the latest.
    let (mut kept, mut forgetting) = (forgetful(40, 2), forgetful(40, 2));
    kept.remembrance.every = u32::MAX;
    for state in [&mut kept, &mut forgetting] {
        breed(state, [30, 31], child(41, 2));
        for number in [30, 3, 7, 1, 9, 31] {
            retire(state, number);
        }
    }
    assert_eq!((kept.departed.len(), forgetting.departed.len()), (6, 4));
    let mut again = State::decode(&kept.encode().concat()).unwrap();
    again.remembrance = forgetting.remembrance;
    for state in [&mut again, &mut forgetting] {
        retire(state, 2);
    }
    assert_eq!(departed(&again), [7, 9, 30, 31]);
    assert_eq!(again.digest(), forgetting.digest());
}
