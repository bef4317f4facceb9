//! Events applied by hand: what each leaves behind, and that one that cannot have happened leaves nothing.
//! The small world that the tests of this folder share.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::rules::{Bond, Customs, InteractionKind, Outcome};

pub(in crate::ecs) fn names(personality: &[&str], physical: &[&str], abilities: &[&str]) -> TraitNames {
    let own = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    TraitNames { personality: own(personality), physical: own(physical), abilities: own(abilities) }
}

pub(in crate::ecs) fn birth(number: u32, traits: &[f32]) -> Birth {
    Birth {
        number: AgentNumber(number),
        id: format!("agent-{number}"),
        name: format!("Name {number}"),
        spirit: if number.is_multiple_of(2) { "wolf" } else { "fox" }.into(),
        style: "foundation".into(),
        generation: 1,
        traits: traits.to_vec(),
        mutations: 0,
        at: [number as f32, 0.0],
        gender: UNSPECIFIED,
        age: 20.0,
    }
}

pub(in crate::ecs) fn child(number: u32, generation: u32) -> Birth {
    Birth { generation, age: 0.0, ..birth(number, &[0.5, 0.5, 0.5]) }
}

pub(in crate::ecs) fn customs() -> Customs {
    Customs {
        breeding_cooldown: 2.0,
        max_offspring: 3,
        max_relationships: 3,
        memory_capacity: 4,
        movement_speed: 2.0,
        ..Customs::default()
    }
}

/// As the next event of a state.
pub(in crate::ecs) fn next(state: &State, event: Event) -> Recorded {
    Recorded { sequence: state.sequence + 1, tick: state.clock.tick, at: 0, rules: [1; 32], event }
}

pub(in crate::ecs) fn happen(state: &mut State, event: Event) -> Result<(), ApplyError> {
    let recorded = next(state, event);
    state.apply(&recorded)
}

pub(in crate::ecs) fn ruled() -> Event {
    let traits = names(&["courage"], &["size"], &["hunter"]);
    Event::Ruled { name: "classic".into(), version: "1.0.0".into(), digest: [1; 32], traits }
}

/// `count` agents of three traits, 20 years old, at (number, 0).
pub(in crate::ecs) fn world(count: u32) -> State {
    let mut state = State::new();
    happen(&mut state, Event::Genesis { seed: 7, seconds_per_year: 3600.0 }).unwrap();
    happen(&mut state, ruled()).unwrap();
    state.set_customs(customs());
    if count > 0 {
        let births = (1..=count).map(|number| birth(number, &[0.25, 0.5, 0.75])).collect();
        happen(&mut state, Event::Created { births }).unwrap();
    }
    state
}

pub(in crate::ecs) fn met(first: u32, second: u32, impact: f32, after: [f32; 3]) -> Event {
    let [strength, trust, familiarity] = after;
    Event::Interacted {
        first: AgentNumber(first),
        second: AgentNumber(second),
        kind: InteractionKind::Social,
        outcome: if impact > 0.0 { Outcome::Success } else { Outcome::Failure },
        impact,
        after: Bond { strength, trust, familiarity },
        energy_costs: [0.25, 0.5],
        message: None,
    }
}

fn interactions(state: &State, number: u32) -> Interactions {
    Interactions::clone(&state.part(AgentNumber(number)).unwrap())
}

/// The state is as it was, digest and all.
fn refused(state: &mut State, event: Event) -> ApplyError {
    let before = state.digest();
    let error = happen(state, event).unwrap_err();
    assert_eq!(state.digest(), before);
    error
}

#[test]
fn events_come_in_order_and_the_first_is_genesis() {
    let genesis = Event::Genesis { seed: 1, seconds_per_year: 60.0 };
    assert_eq!(refused(&mut State::new(), Event::Breeding { enabled: false }), ApplyError::NotBegun);
    let mut state = world(1);
    assert_eq!(refused(&mut state, genesis), ApplyError::Begun);
    let event = Event::Breeding { enabled: false };
    let mut late = next(&state, event.clone());
    late.sequence = 3;
    assert_eq!(state.apply(&late), Err(ApplyError::OutOfOrder { last: 3, found: 3 }));
    let mut elsewhen = next(&state, event);
    elsewhen.tick = 5;
    assert_eq!(state.apply(&elsewhen), Err(ApplyError::WrongTick { sequence: 4, tick: 0, found: 5 }));
    let by_itself = refused(&mut state, Event::Ticked { step: 1.0, skipped: vec![] });
    assert_eq!(by_itself, ApplyError::NotByItself("ticked"));
}

#[test]
fn a_meeting_stays_with_both() {
    let mut state = world(2);
    happen(&mut state, met(1, 2, 0.5, [0.2, 0.3, 0.4])).unwrap();
    happen(&mut state, met(2, 1, -0.5, [0.1, 0.2, 0.5])).unwrap();
    let (first, second) = (interactions(&state, 1), interactions(&state, 2));
    // 1 − 0.25 − 0.5 and 1 − 0.5 − 0.25.
    assert_eq!((first.energy, second.energy), (0.25, 0.25));
    assert_eq!((first.total, first.successful, first.failed), (2, 1, 1));
    let known = first.relationships[0];
    assert_eq!(known.other, AgentNumber(2));
    assert_eq!(known.bond, Bond { strength: 0.1, trust: 0.2, familiarity: 0.5 });
    assert_eq!((known.count, known.positive, known.negative), (2, 1, 1));
    assert_eq!(second.relationships[0].bond, known.bond);
    // The sender's energy afterwards: the first's after the first meeting, the second's after both.
    let energies: Vec<f32> = second.latest.iter().map(|past| past.energy).collect();
    assert_eq!(energies, [0.75, 0.25]);
    assert_eq!(first.latest, second.latest);
    let memory = Memory::clone(&state.part(AgentNumber(2)).unwrap());
    assert_eq!(memory.memories.len(), 2);
    assert_eq!((memory.memories[1].about, memory.memories[1].emotion), (AgentNumber(1), -0.5));
}

#[test]
fn energy_ends_at_nothing() {
    let mut state = world(2);
    for _ in 0..4 {
        happen(&mut state, met(1, 2, 0.1, [0.1; 3])).unwrap();
    }
    assert_eq!((interactions(&state, 1).energy, interactions(&state, 2).energy), (0.0, 0.0));
}

#[test]
fn lists_end_where_they_shall_and_the_weakest_relationship_goes() {
    let mut state = world(6);
    // Qualities .3 .1 .2, then one of .4: the .1 goes. One of .05 would go itself.
    for (other, quality) in [(2, 0.3), (3, 0.1), (4, 0.2), (5, 0.4), (6, 0.05)] {
        happen(&mut state, met(1, other, 0.1, [quality; 3])).unwrap();
    }
    let known: Vec<u32> = interactions(&state, 1).relationships.iter().map(|known| known.other.0).collect();
    assert_eq!(known, [2, 4, 5]);
    // Of five equally important memories the one that was recalled longest ago has gone.
    let memory = Memory::clone(&state.part(AgentNumber(1)).unwrap());
    assert_eq!(memory.memories.iter().map(|one| one.about.0).collect::<Vec<_>>(), [3, 4, 5, 6]);
    for _ in 0..40 {
        let (sender, receiver) = (AgentNumber(1), AgentNumber(2));
        let chat = Event::Chatted { sender, receiver, kind: InteractionKind::Social, message: "hello".into() };
        happen(&mut state, chat).unwrap();
    }
    let own = interactions(&state, 1);
    assert_eq!((own.latest.len(), own.total), (KEPT_INTERACTIONS, 45));
    assert_eq!(own.latest.back().unwrap().message.as_ref().map(|message| &*message.0), Some("hello"));
    // Chats leave energy and relationships alone.
    assert_eq!(own.relationships.len(), 3);
    assert_eq!(interactions(&state, 2).energy, 0.5);
}

#[test]
fn children_count_for_both_parents() {
    let mut state = world(2);
    let parents = [AgentNumber(1), AgentNumber(2)];
    happen(&mut state, Event::Bred { parents, births: vec![child(3, 2), child(4, 2)] }).unwrap();
    for parent in parents {
        let own = *state.part::<Reproduction>(parent).unwrap();
        assert_eq!((own.cooldown, own.offspring), (2.0, 2));
        assert_eq!(state.part::<Lineage>(parent).unwrap().children, [AgentNumber(3), AgentNumber(4)]);
    }
    assert_eq!(state.part::<Lineage>(AgentNumber(4)).unwrap().parents, Some(parents));
    assert_eq!(state.part::<Lifecycle>(AgentNumber(4)).unwrap().stage, LifeStage::Infant);
    assert_eq!(state.offspring, 2);
    assert_eq!(state.next_number(), AgentNumber(5));
}

#[test]
fn what_cannot_be_born_is_refused_as_a_whole() {
    let mut state = world(2);
    let good = birth(3, &[0.5; 3]);
    let bad = |change: fn(&mut Birth)| {
        let mut second = birth(4, &[0.5; 3]);
        change(&mut second);
        Event::Created { births: vec![birth(3, &[0.5; 3]), second] }
    };
    let width = ApplyError::Width { agent: AgentNumber(4), expected: 3, found: 2 };
    assert_eq!(refused(&mut state, bad(|birth| birth.traits = vec![0.5; 2])), width);
    for change in [
        (|birth| birth.traits[1] = f32::NAN) as fn(&mut Birth),
        |birth| birth.traits[1] = 1.5,
        |birth| birth.traits[1] = -0.1,
        |birth| birth.age = f32::INFINITY,
        |birth| birth.age = -1.0,
        |birth| birth.at = [0.0, f32::NAN],
        |birth| birth.at = [10_001.0, 0.0],
        |birth| birth.generation = 2,
        |birth| birth.number = AgentNumber(5),
        |birth| birth.gender.identity = 15,
    ] {
        assert!(matches!(refused(&mut state, bad(change)), ApplyError::Value(..)));
    }
    for change in [
        (|birth| birth.id = "agent-1".into()) as fn(&mut Birth),
        |birth| birth.id = "agent-3".into(),
        |birth| birth.name = "Name 3".into(),
        |birth| birth.name = String::new(),
    ] {
        assert!(matches!(refused(&mut state, bad(change)), ApplyError::Contradiction(_)));
    }
    let parents = [AgentNumber(1), AgentNumber(1)];
    assert!(matches!(
        refused(&mut state, Event::Bred { parents, births: vec![child(3, 2)] }),
        ApplyError::Contradiction(_)
    ));
    let parents = [AgentNumber(1), AgentNumber(9)];
    let births = vec![child(3, 2)];
    assert_eq!(refused(&mut state, Event::Bred { parents, births }), ApplyError::NoAgent(AgentNumber(9)));
    let parents = [AgentNumber(1), AgentNumber(2)];
    assert!(matches!(refused(&mut state, Event::Bred { parents, births: vec![good] }), ApplyError::Value(..)));
    assert!(matches!(refused(&mut state, Event::Created { births: vec![] }), ApplyError::Contradiction(_)));
}

#[test]
fn values_out_of_range_and_unknown_agents_are_refused() {
    let mut state = world(2);
    for event in [
        met(1, 2, f32::NAN, [0.1; 3]),
        met(1, 2, 1.5, [0.1; 3]),
        met(1, 2, 0.1, [0.1, 1.1, 0.1]),
        Event::Sent { agent: AgentNumber(1), target: [f32::INFINITY, 0.0] },
        Event::Sent { agent: AgentNumber(1), target: [0.0, -10_000.5] },
        Event::Clock { acceleration: 0.05, paused: false },
        Event::Clock { acceleration: f32::NAN, paused: false },
    ] {
        assert!(matches!(refused(&mut state, event), ApplyError::Value(..)));
    }
    for number in [0, 3] {
        let missing = ApplyError::NoAgent(AgentNumber(number));
        assert_eq!(refused(&mut state, met(1, number, 0.1, [0.1; 3])), missing);
        assert_eq!(refused(&mut state, Event::Retired { agent: AgentNumber(number) }), missing);
        assert_eq!(refused(&mut state, Event::Sent { agent: AgentNumber(number), target: [0.0; 2] }), missing);
    }
    assert!(matches!(refused(&mut state, met(1, 1, 0.1, [0.1; 3])), ApplyError::Contradiction(_)));
}

#[test]
fn other_rules_find_traits_and_knowledge_by_name() {
    let mut state = world(1);
    let entity = state.entity(AgentNumber(1)).unwrap();
    let learned = |topic| Learned { topic, proficiency: 0.4, from: AgentNumber(1), used_tick: 0 };
    state.agents.query_one_mut::<&mut Knowledge>(entity).unwrap().learned = vec![learned(0)];
    let traits = names(&["wit", "courage"], &[], &["healer", "hunter"]);
    let ruled = |traits| Event::Ruled { name: "drift".into(), version: "2.0.0".into(), digest: [2; 32], traits };
    happen(&mut state, ruled(traits)).unwrap();
    // courage .25, hunter .75; size has gone, wit and healer are new.
    assert_eq!(*state.part::<Traits>(AgentNumber(1)).unwrap().values, [0.5, 0.25, 0.5, 0.75]);
    assert_eq!(state.part::<Knowledge>(AgentNumber(1)).unwrap().learned, [learned(1)]);
    assert_eq!(state.rules.as_ref().unwrap().name, "drift");
    assert!(matches!(refused(&mut state, ruled(names(&["a"], &["a"], &[]))), ApplyError::Contradiction(_)));
    happen(&mut state, ruled(names(&["courage"], &[], &["healer"]))).unwrap();
    assert!(state.part::<Knowledge>(AgentNumber(1)).unwrap().learned.is_empty());
}

#[test]
fn one_that_leaves_is_out_of_groups_but_not_forgotten() {
    let mut state = world(5);
    let mut found = |number: u32, leader: u32, members: &[u32]| {
        for member in members {
            let entity = state.entity(AgentNumber(*member)).unwrap();
            let social = state.agents.query_one_mut::<&mut Social>(entity).unwrap();
            social.groups.push(number);
            social.leads += u32::from(*member == leader);
        }
        let members = members.iter().map(|member| AgentNumber(*member)).collect();
        let (leader, founded_tick) = (AgentNumber(leader), 0);
        state.groups.insert(
            number,
            super::super::state::Group { leader, members, founded_tick, cohesion: 0.5, influence: 0.5 },
        );
    };
    found(1, 1, &[1, 2, 3]);
    found(2, 2, &[1, 2]);
    found(3, 4, &[1, 4, 5]);
    happen(&mut state, met(2, 1, 0.1, [0.1; 3])).unwrap();
    happen(&mut state, Event::Retired { agent: AgentNumber(1) }).unwrap();
    // It led the first; the second has one member left; the third goes on.
    assert_eq!(state.groups.keys().copied().collect::<Vec<_>>(), [3]);
    assert_eq!(state.groups[&3].members, [AgentNumber(4), AgentNumber(5)]);
    let social = Social::clone(&state.part(AgentNumber(2)).unwrap());
    assert_eq!((social.groups, social.leads), (vec![], 0));
    assert_eq!(state.part::<Social>(AgentNumber(5)).unwrap().groups, [3]);
    assert!(!state.is_living(AgentNumber(1)));
    assert_eq!(state.id(AgentNumber(1)).as_deref(), Some("agent-1"));
    assert_eq!(state.relationships("agent-2").unwrap()[0].other_agent_name, "Name 1");
    // Neither its id nor its name is given again, nor its number.
    let mut again = birth(6, &[0.5; 3]);
    again.id = "agent-1".into();
    assert!(matches!(refused(&mut state, Event::Created { births: vec![again] }), ApplyError::Contradiction(_)));
    assert_eq!(state.next_number(), AgentNumber(6));
}
