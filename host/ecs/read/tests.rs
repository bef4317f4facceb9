//! What is read off small worlds whose answers are worked out by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::mem::size_of;

use super::*;
use crate::ecs::apply::tests::*;
use crate::ecs::event::{Birth, Event};
use crate::ecs::state::Body;
use crate::ecs::world::{AgentFilter, PageOf};
use crate::rules::{Bond, Kinship};

const ONE: AgentNumber = AgentNumber(1);
const TWO: AgentNumber = AgentNumber(2);

fn retire(state: &mut State, number: u32) {
    happen(state, Event::Retired { agent: AgentNumber(number) }).unwrap();
}

fn breed(state: &mut State, parents: [u32; 2], child: Birth) {
    let parents = parents.map(AgentNumber);
    happen(state, Event::Bred { parents, births: vec![child] }).unwrap();
}

fn ids(agents: &[AgentView]) -> Vec<&str> {
    agents.iter().map(|agent| agent.agent_id.as_str()).collect()
}

#[test]
fn lists_go_by_number_and_count_what_fits() {
    let mut state = world(6);
    retire(&mut state, 2);
    let all = AgentFilter::default();
    let living = AgentFilter { active_only: true, ..all.clone() };
    let wolves = AgentFilter { spirit: Some("wolf".into()), ..all.clone() };
    let living_wolves = AgentFilter { active_only: true, ..wolves.clone() };
    let strangers = AgentFilter { style: Some("exo".into()), ..all.clone() };
    let page = |offset, limit| PageOf { offset, limit };
    for (filter, page, expected, total) in [
        (&all, page(1, 2), &["agent-2", "agent-3"][..], 6),
        (&all, page(5, 9), &["agent-6"], 6),
        (&all, page(u64::MAX, 9), &[], 6),
        (&living, page(1, 2), &["agent-3", "agent-4"], 5),
        (&wolves, page(0, 9), &["agent-2", "agent-4", "agent-6"], 3),
        (&wolves, page(1, 1), &["agent-4"], 3),
        (&living_wolves, page(0, 1), &["agent-4"], 2),
        (&strangers, page(0, 9), &[], 0),
    ] {
        let found = state.agents(filter, page);
        assert_eq!((ids(&found.items), found.total), (expected.to_vec(), total), "{filter:?} {page:?}");
    }
    assert!(!state.agents(&all, page(1, 1)).items[0].active);
    let some = ["agent-6", "nobody", "agent-2", "agent-1"].map(str::to_owned);
    assert_eq!(ids(&state.agents_by_id(&some)), ["agent-6", "agent-2", "agent-1"]);
    let places = state.positions(page(1, 2));
    assert_eq!((places.items[0].x, places.items[1].x, places.total), (3.0, 4.0, 5));
}

/// A restoration undid agents 3 and 4: their numbers stay nobody's, the next is 5.
#[test]
fn numbers_that_were_undone_are_in_no_list() {
    let mut state = world(2);
    state.given = 4;
    happen(&mut state, Event::Created { births: vec![birth(5, &[0.5; 3])] }).unwrap();
    let all = state.agents(&AgentFilter::default(), PageOf { offset: 1, limit: 9 });
    assert_eq!((ids(&all.items), all.total), (vec!["agent-2", "agent-5"], 3));
    let mut decoded = State::decode(&state.encode().concat()).unwrap();
    assert_eq!((decoded.digest(), decoded.next_number()), (state.digest(), AgentNumber(6)));
    decoded.customs = customs();
    assert!(happen(&mut decoded, Event::Retired { agent: AgentNumber(3) }).is_err());
}

#[test]
fn all_of_one_agent_and_what_is_left_of_one() {
    let mut state = world(2);
    let detail = state.agent("agent-1").unwrap();
    assert_eq!((detail.personality["courage"], detail.physical["size"], detail.abilities["hunter"]), (0.25, 0.5, 0.75));
    assert_eq!((detail.life_stage.as_str(), detail.can_reproduce, detail.age), ("adult", true, 20.0));
    assert_eq!((detail.dominant_traits, detail.gender_identity.as_str()), (vec!["courage".into()], "unspecified"));
    assert_eq!(state.traits_of("agent-1").unwrap()[2], ("hunter".into(), 0.75));
    retire(&mut state, 1);
    let detail = state.agent("agent-1").unwrap();
    assert!(!detail.agent.active && detail.personality.is_empty());
    let missing = WorldError::NoAgent("agent-1".into());
    assert_eq!(state.position("agent-1").unwrap_err(), missing);
    assert_eq!(state.traits_of("agent-1").unwrap_err(), missing);
    assert_eq!(state.social_stats("agent-1").unwrap_err(), missing);
    assert_eq!(state.agent("nobody").unwrap_err(), WorldError::NoAgent("nobody".into()));
}

#[test]
fn the_strongest_traits_are_dominant() {
    let traits = [("a", 0.5), ("b", 0.9), ("c", 0.5), ("d", 0.6)].map(|(name, value)| (name.to_owned(), value));
    assert_eq!(super::agents::strongest(&traits.into(), 3), ["b", "d", "a"]);
}

#[test]
fn distances_and_neighbours() {
    let mut state = world(5);
    let mut corner = birth(6, &[0.5; 3]);
    corner.at = [4.0, 4.0];
    happen(&mut state, Event::Created { births: vec![corner] }).unwrap();
    // (1, 0) and (4, 4): 3-4-5.
    assert_eq!(state.distance("agent-1", "agent-6").unwrap().0, 5.0);
    let near = |radius, limit| -> Vec<(String, f32)> {
        let near = state.nearby("agent-3", radius, limit).unwrap();
        near.into_iter().map(|other| (other.agent_id, other.distance)).collect()
    };
    let at = |number: u32, distance: f32| (format!("agent-{number}"), distance);
    assert_eq!(near(2.0, 10), [at(2, 1.0), at(4, 1.0), at(1, 2.0), at(5, 2.0)]);
    assert_eq!(near(2.0, 3), [at(2, 1.0), at(4, 1.0), at(1, 2.0)]);
    assert_eq!(near(0.5, 10), []);
    assert_eq!(near(100.0, 0), []);
    assert_eq!(near(100.0, 10).len(), 5);
    let place = state.position("agent-1").unwrap();
    assert_eq!((place.target_x, place.movement_speed), (1.0, 2.0));
    happen(&mut state, Event::Sent { agent: ONE, target: [7.0, -8.0] }).unwrap();
    let place = state.position("agent-1").unwrap();
    assert_eq!((place.x, place.target_x, place.target_y), (1.0, 7.0, -8.0));
}

#[test]
fn relationships_have_their_type() {
    let mut state = world(5);
    state.customs.max_relationships = 10;
    for (other, impact, after) in [
        (2, 0.1, [0.61, 0.0, 0.71]),
        (3, -0.1, [0.51, 0.31, 0.7]),
        (4, -0.1, [0.5, 0.3, 0.9]),
        (5, 0.1, [0.5, 0.3, 0.9]),
    ] {
        happen(&mut state, met(1, other, impact, after)).unwrap();
    }
    let known = state.relationships("agent-1").unwrap();
    let types: Vec<&str> = known.iter().map(|one| one.relationship_type.as_str()).collect();
    assert_eq!(types, ["close", "positive", "strained", "acquaintance"]);
    assert_eq!((known[0].strength, known[0].positive_interactions, known[1].negative_interactions), (0.61, 1, 1));
    let stats = state.social_stats("agent-1").unwrap();
    assert_eq!((stats.total_interactions, stats.success_rate, stats.social_energy), (4, 0.5, 0.0));
    assert_eq!((stats.total_relationships, stats.close_relationships), (4, 1));
    assert_eq!((stats.positive_relationships, stats.negative_relationships), (1, 1));
    assert_eq!(state.bond(AgentNumber(5), ONE), Bond { strength: 0.5, trust: 0.3, familiarity: 0.9 });
    assert_eq!(state.bond(AgentNumber(5), TWO), Bond::default());
    let latest = state.interactions("agent-1", 2).unwrap();
    assert_eq!((latest.total, latest.items.len()), (4, 2));
    // Genesis, rules, creation, then the meetings: 4 to 7.
    assert_eq!((latest.items[0].interaction_id.as_str(), latest.items[0].receiver_id.as_str()), ("7-0", "agent-5"));
    assert_eq!(
        (latest.items[1].outcome.as_deref(), latest.items[1].interaction_type.as_str()),
        (Some("failure"), "social")
    );
}

/// 1 and 2 have 4 and 5, 1 and 3 have 6, 4 and 3 have 7.
fn family() -> State {
    let mut state = world(3);
    breed(&mut state, [1, 2], child(4, 2));
    breed(&mut state, [2, 1], child(5, 2));
    breed(&mut state, [1, 3], child(6, 2));
    breed(&mut state, [4, 3], child(7, 3));
    state
}

#[test]
fn blood_is_told_also_of_the_departed() {
    let mut state = family();
    for _ in 0..2 {
        for (one, two, expected) in [
            (1, 4, Some(Kinship::ParentAndChild)),
            (7, 3, Some(Kinship::ParentAndChild)),
            (4, 5, Some(Kinship::Siblings)),
            (4, 6, Some(Kinship::HalfSiblings)),
            (6, 7, Some(Kinship::HalfSiblings)),
            (5, 7, None),
            (1, 7, None),
            (1, 2, None),
            (4, 4, None),
        ] {
            assert_eq!(state.kinship(AgentNumber(one), AgentNumber(two)), expected, "{one} and {two}");
            assert_eq!(state.kinship(AgentNumber(two), AgentNumber(one)), expected, "{two} and {one}");
        }
        [1, 4]
            .into_iter()
            .filter(|number| state.is_living(AgentNumber(*number)))
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|number| retire(&mut state, number));
    }
}

#[test]
fn a_lineage_goes_up_and_down_as_far_as_it_is_asked() {
    let mut state = family();
    retire(&mut state, 4);
    let youngest = state.lineage("agent-7", 1).unwrap();
    assert_eq!(youngest.parents, ["agent-4", "agent-3"]);
    assert_eq!((youngest.generation, youngest.ancestors.len()), (3, 2));
    assert!(!youngest.lineage.parents[0].active && youngest.lineage.parents[0].parents.is_empty());
    let deeper = state.lineage("agent-7", 5).unwrap();
    assert_eq!(deeper.ancestors, ["agent-4", "agent-3", "agent-1", "agent-2"]);
    assert_eq!(deeper.lineage.parents[0].parents[1].agent_id, "agent-2");
    let first = state.lineage("agent-1", 2).unwrap();
    assert_eq!(
        (first.children, first.descendants),
        (
            vec!["agent-4".into(), "agent-5".into(), "agent-6".into()],
            ["agent-4", "agent-5", "agent-6", "agent-7"].map(str::to_owned).to_vec(),
        )
    );
    assert_eq!(state.lineage("agent-1", 1).unwrap().descendants.len(), 3);
    // .25 and .75 are as far from the middle.
    let markers: Vec<String> = first.genetic_markers.into_keys().collect();
    assert_eq!(markers, ["courage", "hunter", "size"]);
}

/// All that may have a child with it.
fn mates(state: &State, of: AgentNumber) -> Vec<AgentNumber> {
    (0..=state.entities.len() as u32 + 1).map(AgentNumber).filter(|number| state.may_mate(of)(*number)).collect()
}

#[test]
fn every_obstacle_is_named() {
    let mut state = family();
    // 2 has 4 and 5 and rests; 3 has 6 and 7; 1 has three, as many as it may.
    let all = state.obstacles(ONE, AgentNumber(4)).join("\n");
    for words in [
        "`agent-1` rests for 2.00 more years",
        "`agent-1` has 3 children of at most 3",
        "`agent-4` is 0.0 years old and mature at 18",
        "`agent-4` rests for 2.00 more years",
        "they are parent and child",
    ] {
        assert!(all.contains(words), "{all}");
    }
    assert_eq!(all.lines().count(), 5);
    happen(&mut state, Event::Created { births: vec![birth(8, &[0.5; 3]), birth(9, &[0.5; 3])] }).unwrap();
    let (eight, nine) = (AgentNumber(8), AgentNumber(9));
    assert_eq!(state.obstacles(eight, nine), Vec::<String>::new());
    assert_eq!(mates(&state, eight), [nine]);
    assert_eq!(state.obstacles(eight, eight), ["an agent cannot breed with itself"]);
    happen(&mut state, Event::Breeding { enabled: false }).unwrap();
    assert_eq!(state.obstacles(eight, nine), ["breeding is switched off"]);
    retire(&mut state, 9);
    assert_eq!(state.obstacles(nine, eight), ["breeding is switched off", "`agent-9` is not living"]);
    assert!(mates(&state, eight).is_empty());
}

#[test]
fn kin_may_breed_where_the_rules_say_so() {
    let mut state = world(2);
    let grown = |number| Birth { age: 30.0, ..child(number, 2) };
    breed(&mut state, [1, 2], grown(3));
    breed(&mut state, [1, 2], grown(4));
    let (three, four) = (AgentNumber(3), AgentNumber(4));
    assert_eq!(state.obstacles(three, four), ["they are siblings"]);
    assert!(mates(&state, three).is_empty());
    state.customs.allowed_kin = vec![Kinship::Siblings];
    assert!(state.obstacles(three, four).is_empty());
    assert_eq!(mates(&state, three), [four]);
}

#[test]
fn figures_of_the_whole_world() {
    let mut state = family();
    let status = state.status();
    assert_eq!((status.agent_count, status.mature_agents, status.entity_count), (7, 3, 7));
    assert_eq!((status.rules.as_str(), status.status.as_str()), ("classic@1.0.0", "running"));
    assert_eq!(status.rules_digest, "01".repeat(32));
    let stats = state.breeding_stats();
    // Four children of seven agents.
    assert_eq!((stats.total_offspring, stats.average_offspring_per_agent), (4, 4.0 / 7.0));
    retire(&mut state, 3);
    let status = state.status();
    assert_eq!((status.agent_count, status.mature_agents), (6, 2));
    happen(&mut state, Event::Clock { acceleration: 10.0, paused: true }).unwrap();
    state.clock.world_seconds = 7200.0;
    let clock = state.clock_view(1000);
    assert_eq!((clock.years, clock.acceleration, clock.paused), (2.0, 10.0, true));
}

#[test]
fn an_agent_that_met_others_takes_more_memory() {
    let mut state = world(64);
    let alone = state.status().bytes_per_agent;
    // Its components alone are more than its traits and names.
    assert!(alone > size_of::<Body>() as u64 + 3 * 4 + 2 * (8 + 6), "{alone}");
    for number in 1..64 {
        happen(&mut state, met(number, number + 1, 0.1, [0.1; 3])).unwrap();
    }
    let met = state.status().bytes_per_agent;
    let least = size_of::<PastInteraction>() + size_of::<Relationship>() + size_of::<Remembered>();
    assert!(met >= alone + least as u64, "{alone}, then {met}");
}

#[test]
fn the_footprint_tells_what_grows() {
    let mut state = world(64);
    let before = state.status();
    assert_eq!((before.footprint.departed, before.footprint.interactions), (0, 0));
    assert_eq!(before.bytes_per_agent, before.footprint.total() / 64);
    for number in 2..64 {
        happen(&mut state, met(1, number, 0.1, [0.1; 3])).unwrap();
    }
    for number in 33..=64 {
        retire(&mut state, number);
    }
    let after = state.status().footprint;
    // Half of them, who are all looked at: 1 has 32 interactions, 31 others room for eight.
    assert_eq!(after.interactions, ((32 + 31 * 8) * size_of::<PastInteraction>()) as u64);
    // As many bytes each, but for the nine whose ids and names are a letter shorter.
    assert_eq!(2 * after.agents, before.footprint.agents - 9 * 2);
    assert!(after.departed > 32 * size_of::<Departed>() as u64, "{after:?}");
}

#[test]
fn rules_see_one_agent_as_it_is() {
    let mut state = world(3);
    let last = Birth { mutations: 9, ..birth(4, &[0.1, 0.2, 0.3]) };
    happen(&mut state, Event::Created { births: vec![last] }).unwrap();
    let seen = state.individual(AgentNumber(4)).unwrap();
    assert_eq!((seen.mutations, seen.generation, seen.spirit.as_str()), (9, 1, "wolf"));
    assert_eq!(seen.traits, [0.1, 0.2, 0.3]);
    assert_eq!(state.find("agent-3"), Ok(AgentNumber(3)));
    assert!(state.individual(AgentNumber(5)).is_none());
}
