//! Small worlds whose ticks are worked out by hand, and large ones that must keep what always holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use parking_lot::RwLock;

use super::super::component::*;
use super::super::event::{Birth, Event, Recorded, System};
use super::super::state::Meeting;
use super::*;
use crate::rules::fixed::{Fault, FixedRules};
use crate::rules::{Bond, InteractionKind, Outcome, Standing};

mod faults;
mod groups;
mod law;

/// What a test says of an agent; agents are numbered from 1 in their order.
#[derive(Clone)]
struct Someone {
    at: [f32; 2],
    traits: [f32; 5],
    age: f32,
    target: Option<[f32; 2]>,
}

/// Timid, and far from everybody: nothing happens to it by itself.
fn at(x: f32, y: f32) -> Someone {
    Someone { at: [x, y], traits: [0.1, 0.5, 0.5, 0.5, 0.5], age: 20.0, target: None }
}

struct Sandbox {
    state: RwLock<State>,
    rules: FixedRules,
}

impl Sandbox {
    fn new(rules: FixedRules, people: &[Someone]) -> Self {
        let mut state = State::new();
        let about = rules.about().clone();
        let (name, version) = (about.name, about.version);
        let ruled = Event::Ruled { name, version, digest: about.digest, traits: about.traits };
        happen(&mut state, Event::Genesis { seed: 7, seconds_per_year: 100.0 });
        happen(&mut state, ruled);
        state.set_customs(about.society.map(|society| society.customs).unwrap_or_default());
        let births = people.iter().zip(1..).map(|(someone, number)| Birth {
            number: AgentNumber(number),
            id: format!("agent-{number}"),
            name: format!("Agent {number}"),
            spirit: if number % 2 == 0 { "wolf" } else { "fox" }.into(),
            style: "foundation".into(),
            generation: 1,
            traits: someone.traits.to_vec(),
            mutations: 0,
            at: someone.at,
            gender: UNSPECIFIED,
            age: someone.age,
        });
        let births: Vec<Birth> = births.collect();
        if !births.is_empty() {
            happen(&mut state, Event::Created { births });
        }
        for (someone, number) in people.iter().zip(1..) {
            if let Some(target) = someone.target {
                happen(&mut state, Event::Sent { agent: AgentNumber(number), target });
            }
        }
        Self { state: RwLock::new(state), rules }
    }

    async fn tick_with(&self, step: f32, skip: &[Skipped]) -> (TickSummary, Vec<Skipped>, Vec<(Skipped, RulesError)>) {
        let plan = plan(&self.state, &self.rules, step, skip).await;
        let (skipped, failures) = (plan.skipped().to_vec(), plan.failures().to_vec());
        let mut state = self.state.write();
        let event = recorded(&state, Event::Ticked { step, skipped: skipped.clone() });
        state.begin_tick(&event).unwrap();
        (plan.apply(&mut state), skipped, failures)
    }

    async fn tick(&self, step: f32) -> TickSummary {
        let (summary, _, failures) = self.tick_with(step, &[]).await;
        assert_eq!(failures, [], "nothing fails here");
        summary
    }

    fn of<C: hecs::Component + Clone>(&self, number: u32) -> C {
        let state = self.state.read();
        let part = state.part::<C>(AgentNumber(number)).unwrap();
        C::clone(&part)
    }

    fn change<C: hecs::Component>(&self, number: u32, change: impl FnOnce(&mut C)) {
        let mut state = self.state.write();
        let entity = state.entity(AgentNumber(number)).unwrap();
        change(state.agents.query_one_mut::<&mut C>(entity).unwrap());
    }

    /// As if they had met before, far away.
    fn acquaint(&self, one: u32, other: u32, strength: f32) {
        let after = Bond { strength, trust: 0.2, familiarity: 0.1 };
        let meeting = Meeting {
            first: AgentNumber(one),
            second: AgentNumber(other),
            kind: InteractionKind::Social,
            outcome: Outcome::Neutral,
            impact: 0.0,
            after,
            energy_costs: [0.0; 2],
            importance: 0.8,
            emotion: 0.0,
        };
        self.state.write().note_meeting(&meeting, (0, 0), None);
    }

    fn digest(&self) -> [u8; 32] {
        self.state.read().digest()
    }

    /// Everything that ticks change, for people.
    fn picture(&self) -> String {
        let state = self.state.read();
        let mut query =
            state
                .agents
                .query::<(&Agent, &Traits, &Lifecycle, &Position, &Interactions, &Social, &Memory, &Knowledge)>();
        let agents: Vec<String> = query.iter().map(|agent| format!("{agent:?}")).collect();
        format!("{agents:?} {:?} {:?} {:?}", state.groups, state.departed, state.clock)
    }
}

fn recorded(state: &State, event: Event) -> Recorded {
    Recorded { sequence: state.sequence + 1, tick: state.clock.tick, at: 0, rules: [0; 32], event }
}

fn happen(state: &mut State, event: Event) {
    let event = recorded(state, event);
    state.apply(&event).unwrap();
}

fn close(found: f32, expected: f32) -> bool {
    (found - expected).abs() < 1e-5
}

#[tokio::test]
async fn a_tick_adds_years_and_energy_and_ends_lives() {
    let old = Someone { age: 99.6, ..at(500.0, 0.0) };
    let young = Someone { age: 4.8, ..at(0.0, 0.0) };
    let world = Sandbox::new(FixedRules::new().without_society(), &[old, young]);
    world.change::<Interactions>(2, |own| own.energy = 0.5);
    world.change::<Reproduction>(2, |own| own.cooldown = 0.5);
    // 30 seconds of 100 a year.
    let summary = world.tick(30.0).await;
    assert_eq!(summary.deaths, []);
    assert!(close(world.of::<Lifecycle>(1).age, 99.9));
    let lifecycle = world.of::<Lifecycle>(2);
    assert!(close(lifecycle.age, 5.1));
    assert_eq!(lifecycle.stage, LifeStage::Juvenile, "infancy ends at 5");
    assert!(close(world.of::<Interactions>(2).energy, 0.55));
    assert!(close(world.of::<Reproduction>(2).cooldown, 0.2));
    let summary = world.tick(30.0).await;
    assert_eq!(summary.deaths, [AgentNumber(1)], "100 is the end");
    assert_eq!(world.of::<Reproduction>(2).cooldown, 0.0, "not below nothing");
    let state = world.state.read();
    assert!(!state.is_living(AgentNumber(1)));
    assert!(state.departed[&AgentNumber(1)].died);
    assert_eq!(state.departed[&AgentNumber(1)].left, 1);
    assert_eq!((state.clock.tick, state.clock.world_seconds), (2, 60.0));
}

#[tokio::test]
async fn rules_may_change_traits_with_time() {
    let world = Sandbox::new(FixedRules::new().drifting(0.2), &[at(0.0, 0.0), at(500.0, 0.0)]);
    world.tick(1.0).await;
    for number in [1, 2] {
        let Traits { values, .. } = world.of::<Traits>(number);
        let expected = [0.0, 0.3, 0.3, 0.3, 0.3];
        assert!(values.iter().zip(expected).all(|(found, expected)| close(*found, expected)), "{values:?}");
    }
}

#[tokio::test]
async fn who_asks_for_mates_sees_the_traits_of_now() {
    let world = Sandbox::new(FixedRules::new().drifting(0.2), &[at(0.0, 0.0), at(500.0, 0.0)]);
    let before = world.state.read().crowds();
    assert_eq!(before[0].crowd.traits, [0.1, 0.5, 0.5, 0.5, 0.5].repeat(2));
    world.tick(1.0).await;
    let after = world.state.read().crowds();
    let expected = [0.0, 0.3, 0.3, 0.3, 0.3].repeat(2);
    let all_close = |traits: &[f32]| traits.iter().zip(&expected).all(|(found, expected)| close(*found, *expected));
    assert!(after[0].crowd.traits.len() == 10 && all_close(&after[0].crowd.traits), "{:?}", after[0].crowd.traits);
    // A question that began before the tick goes on with what was.
    assert_eq!(before[0].crowd.traits, [0.1, 0.5, 0.5, 0.5, 0.5].repeat(2));
}

#[tokio::test]
async fn who_has_a_target_goes_straight_there_and_stays() {
    let walker = Someone { target: Some([6.0, 8.0]), ..at(0.0, 0.0) };
    let world = Sandbox::new(FixedRules::new(), &[walker]);
    // 2 units a second on a way of 10: two fifths of it in two seconds.
    world.tick(2.0).await;
    let position = world.of::<Position>(1);
    assert!(close(position.at[0], 2.4) && close(position.at[1], 3.2), "{position:?}");
    assert!(close(position.velocity[0], 1.2) && close(position.velocity[1], 1.6), "{position:?}");
    for _ in 0..3 {
        world.tick(2.0).await;
    }
    assert_eq!(world.of::<Position>(1), Position { at: [6.0, 8.0], velocity: [0.0; 2], target: Some([6.0, 8.0]) });
}

#[tokio::test]
async fn without_a_society_only_targets_move_and_nobody_meets() {
    let walker = Someone { target: Some([10.0, 0.0]), ..at(0.0, 0.0) };
    let world = Sandbox::new(FixedRules::new().without_society(), &[walker, at(1.0, 0.0), at(2.0, 0.0)]);
    for _ in 0..4 {
        world.tick(1.0).await;
    }
    assert!(close(world.of::<Position>(1).at[0], 4.0), "1 a second where rules say nothing");
    assert_eq!(world.of::<Position>(2).at, [1.0, 0.0]);
    assert_eq!(world.of::<Interactions>(2).total, 0);
    let calls: Vec<&str> = world.rules.calls.lock().iter().map(|(call, _)| *call).collect();
    assert_eq!(calls, ["tick"; 4]);
}

#[tokio::test]
async fn wanderers_go_as_the_rules_say_and_not_over_the_edge() {
    let world = Sandbox::new(FixedRules::new(), &[at(100.0, 50.0), at(9_999.0, -9_990.0)]);
    world.tick(2.0).await;
    let expected = Position { at: [106.0, 42.0], velocity: [3.0, -4.0], target: None };
    assert_eq!(world.of::<Position>(1), expected);
    assert_eq!(world.of::<Position>(2).at, [10_000.0, -9_998.0]);
}

#[tokio::test]
async fn two_that_are_near_meet_once_and_both_keep_it() {
    let world = Sandbox::new(FixedRules::new(), &[at(0.0, 0.0), at(6.0, 8.0), at(100.0, 0.0)]);
    let summary = world.tick(1.0).await;
    assert_eq!(summary.encounters, 1, "10 apart is near enough");
    let [one, two] = [world.of::<Interactions>(1), world.of::<Interactions>(2)];
    for (own, other) in [(&one, 2), (&two, 1)] {
        let [relationship] = own.relationships[..] else { panic!("{own:?}") };
        assert_eq!(relationship.other, AgentNumber(other));
        assert_eq!(relationship.bond, Bond { strength: 0.1, trust: 0.05, familiarity: 0.02 });
        assert_eq!((relationship.count, relationship.positive, relationship.negative), (1, 1, 0));
        assert_eq!((own.total, own.successful, own.failed), (1, 1, 0));
    }
    // All begin with 1, life adds nothing to that; it cost one .1 and the other .2.
    let mut energies = [one.energy, two.energy];
    energies.sort_by(f32::total_cmp);
    assert!(close(energies[0], 0.8) && close(energies[1], 0.9), "{energies:?}");
    assert_eq!((one.latest[0].event, one.latest[0].place), (world.state.read().sequence, 0));
    let [remembered] = world.of::<Memory>(2).memories[..] else { panic!() };
    assert_eq!((remembered.about, remembered.importance, remembered.emotion), (AgentNumber(1), 0.5, 0.25));
    assert_eq!(world.of::<Interactions>(3).total, 0);
    // Whoever meets somebody again thinks of the time before; the bond goes on from where it was.
    world.tick(1.0).await;
    assert!(close(world.of::<Interactions>(1).relationships[0].bond.strength, 0.2));
    let accesses: Vec<u32> = world.of::<Memory>(1).memories.iter().map(|remembered| remembered.accesses).collect();
    assert_eq!(accesses, [1, 0]);
}

#[tokio::test]
async fn energy_does_not_go_below_nothing() {
    let world = Sandbox::new(FixedRules::new(), &[at(0.0, 0.0), at(1.0, 0.0)]);
    for number in [1, 2] {
        world.change::<Interactions>(number, |own| own.energy = 0.02);
    }
    world.tick(1.0).await;
    // .02 + .05 less .1 or .2.
    assert_eq!([world.of::<Interactions>(1).energy, world.of::<Interactions>(2).energy], [0.0, 0.0]);
}

fn bold(x: f32, boldness: f32) -> Someone {
    Someone { traits: [boldness, 0.5, 0.5, 0.5, 0.5], ..at(x, 0.0) }
}

#[tokio::test]
async fn one_learns_what_another_does_best_and_loses_it_again() {
    let teacher = Someone { traits: [0.1, 0.5, 0.5, 0.2, 0.8], ..at(0.0, 0.0) };
    let learner = Someone { traits: [0.1, 0.5, 0.5, 0.4, 0.0], ..at(500.0, 0.0) };
    let world = Sandbox::new(FixedRules::new(), &[teacher, learner]);
    world.acquaint(1, 2, 0.5);
    for _ in 0..2 {
        world.tick(0.01).await;
        assert_eq!(world.of::<Knowledge>(2).learned, []);
    }
    let summary = world.tick(0.01).await;
    assert_eq!(summary.lessons, 2);
    // The ability to heal, .8, half of it; the other learned to hunt.
    let expected =
        |topic, proficiency, from, used_tick| Learned { topic, proficiency, from: AgentNumber(from), used_tick };
    assert_eq!(world.of::<Knowledge>(2).learned, [expected(1, 0.4, 1, 2)]);
    assert_eq!(world.of::<Knowledge>(1).learned, [expected(0, 0.2, 2, 2)]);
    // What was learned before the tick is what is lost in it; a lesson in it counts from there: (.8 + .4) / 2.
    for _ in 0..3 {
        world.tick(0.01).await;
    }
    let [learned] = world.of::<Knowledge>(2).learned[..] else { panic!() };
    assert!(close(learned.proficiency, 0.6), "{learned:?}");
    // Nobody to learn from: .6 halves until there is nothing left.
    world.state.write().depart(AgentNumber(1), false);
    for expected in [0.3, 0.15, 0.075, 0.0375, 0.01875] {
        for _ in 0..3 {
            world.tick(0.01).await;
        }
        assert!(close(world.of::<Knowledge>(2).learned[0].proficiency, expected));
    }
    for _ in 0..3 {
        world.tick(0.01).await;
    }
    assert_eq!(world.of::<Knowledge>(2).learned, []);
}

#[tokio::test]
async fn memories_come_up_once_in_eight_ticks() {
    let world = Sandbox::new(FixedRules::new(), &[at(0.0, 0.0), at(500.0, 0.0)]);
    world.acquaint(1, 2, 0.5);
    world.change::<Memory>(2, |memory| {
        let mut faint = memory.memories[0];
        faint.importance = 0.15;
        memory.memories.push(faint);
        memory.memories[0].accesses = 6;
    });
    // Ticks 0 to 7: agent 1 in the tick 1, agent 2 in the tick 2.
    world.tick(1.0).await;
    assert_eq!(world.of::<Memory>(1).memories[0].importance, 0.8);
    world.tick(1.0).await;
    assert_eq!(world.of::<Memory>(1).memories[0].importance, 0.4);
    assert_eq!(world.of::<Memory>(2).memories.len(), 2);
    let summary = world.tick(1.0).await;
    assert_eq!(summary.forgotten, 1, ".075 is less than .1");
    let [left] = world.of::<Memory>(2).memories[..] else { panic!() };
    assert_eq!((left.importance, left.consolidated), (0.4, true));
    assert!(!world.of::<Memory>(1).memories[0].consolidated);
    for _ in 0..5 {
        world.tick(1.0).await;
    }
    assert_eq!(world.of::<Memory>(2).memories[0].importance, 0.4);
}
