//! A state survives its own bytes, whatever happened before; damaged bytes are refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;
use crate::ecs::apply::Remembrance;
use crate::ecs::apply::tests::*;
use crate::ecs::event::{Event, Recorded};
use crate::ecs::tick;
use crate::rules::fixed::FixedRules;
use crate::rules::{Bond, InteractionKind, Outcome, Rules};

fn order(state: &State) -> Vec<u32> {
    state.agents.query::<&Agent>().iter().map(|agent| agent.number.0).collect()
}

fn bytes(state: &State) -> Vec<u8> {
    state.encode().concat()
}

fn again(state: &State) -> State {
    let mut decoded = State::decode(&bytes(state)).unwrap();
    decoded.set_customs(state.customs.clone());
    decoded.remembrance = state.remembrance;
    decoded
}

#[test]
fn departures_keep_their_order_through_bytes() {
    let mut state = world(5);
    for agent in [2, 1] {
        happen(&mut state, Event::Retired { agent: AgentNumber(agent) }).unwrap();
    }
    // The last takes the place of the one that left: 1 5 3 4, then 4 5 3.
    assert_eq!(order(&state), [4, 5, 3]);
    let mut decoded = again(&state);
    assert_eq!(order(&decoded), [4, 5, 3]);
    assert_eq!(decoded.digest(), state.digest());
    assert_eq!((decoded.entities.len(), decoded.known.len()), (3, 5));
    assert_eq!((decoded.number("agent-1"), decoded.is_named("Name 2")), (Some(AgentNumber(1)), true));
    // They go on alike.
    for state in [&mut state, &mut decoded] {
        happen(state, Event::Created { births: vec![birth(6, &[0.1, 0.2, 0.3])] }).unwrap();
        happen(state, Event::Retired { agent: AgentNumber(4) }).unwrap();
        assert_eq!(order(state), [6, 5, 3]);
    }
    assert_eq!(decoded.digest(), state.digest());
}

#[test]
fn the_digest_is_that_of_the_bytes() {
    // Enough agents for more than one piece.
    let state = world(2000);
    let pieces = state.encode();
    assert!(pieces.len() > 2 && pieces.iter().all(|piece| piece.len() < 2 * CHUNK));
    assert_eq!(state.digest(), *blake3::hash(&pieces.concat()).as_bytes());
}

#[test]
fn every_change_changes_the_digest() {
    let mut state = world(2);
    let mut seen = vec![state.digest()];
    for event in [
        Event::Sent { agent: AgentNumber(1), target: [1.0, 2.0] },
        met(1, 2, 0.1, [0.1; 3]),
        Event::Breeding { enabled: false },
        Event::Clock { acceleration: 2.0, paused: true },
    ] {
        happen(&mut state, event).unwrap();
        // Without its sequence, which alone would make a difference.
        let mut bare = again(&state);
        bare.sequence = 0;
        seen.push(bare.digest());
    }
    let different: std::collections::HashSet<_> = seen.iter().collect();
    assert_eq!(different.len(), seen.len());
}

#[test]
fn damaged_bytes_are_refused() {
    let mut state = world(3);
    happen(&mut state, met(1, 2, 0.1, [0.1; 3])).unwrap();
    happen(&mut state, Event::Retired { agent: AgentNumber(3) }).unwrap();
    let bytes = bytes(&state);
    assert_eq!(State::decode(&[]).err(), Some(DecodeError::Version(0)));
    assert_eq!(State::decode(&[9, 1, 2]).err(), Some(DecodeError::Version(9)));
    for length in 1..bytes.len() {
        assert!(State::decode(&bytes[..length]).is_err(), "of {length} bytes");
    }
    let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
    assert!(matches!(State::decode(&longer), Err(DecodeError::Contradiction(_))));
    // The bytes of the first agent's first trait, .25, become NaN.
    let at = bytes.windows(4).position(|window| window == 0.25f32.to_le_bytes()).unwrap();
    let mut wrong = bytes.clone();
    wrong[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(matches!(State::decode(&wrong), Err(DecodeError::Contradiction(_))));
    // Any other byte may be wrong without a panic.
    for at in 0..bytes.len() {
        let mut wrong = bytes.clone();
        wrong[at] ^= 0x81;
        let _ = State::decode(&wrong);
    }
}

/// As the first version of this program had them.
#[test]
fn lists_are_read_that_had_wider_numbers() {
    let (sender, receiver, tick) = (AgentNumber(3), AgentNumber(300), 70_000u64);
    let outcome = Some(Outcome::Failure);
    let before = ((9_000_000_000u64, 300u32), sender, receiver, InteractionKind::Teaching, outcome, 0.5f32, 0.25f32);
    let bytes = postcard::to_stdvec(&(before, tick, Some("well met".to_owned()))).unwrap();
    let past: PastInteraction = postcard::from_bytes(&bytes).unwrap();
    assert_eq!((past.event, past.place, past.sender, past.receiver), (9_000_000_000, 300, sender, receiver));
    assert_eq!((past.tick.tick(), past.message.as_ref().map(|message| &*message.0)), (tick, Some("well met")));
    assert_eq!(postcard::to_stdvec(&past).unwrap(), bytes);
    let bond = Bond { strength: 0.1, trust: 0.2, familiarity: 0.3 };
    let bytes = postcard::to_stdvec(&(receiver, bond, 70_000u32, 2u32, 1u32, tick)).unwrap();
    let known: Relationship = postcard::from_bytes(&bytes).unwrap();
    assert_eq!((known.count, known.last_tick.tick()), (70_000, tick));
    assert_eq!(postcard::to_stdvec(&known).unwrap(), bytes);
    let bytes = postcard::to_stdvec(&(MemoryKind::Social, sender, [0.5f32, 0.25, 0.125], 7u32, true, tick, 5u64));
    let bytes = bytes.unwrap();
    let kept: Remembered = postcard::from_bytes(&bytes).unwrap();
    assert_eq!((kept.accesses, kept.created_tick.tick(), kept.accessed_tick.tick()), (7, tick, 5));
    assert_eq!(postcard::to_stdvec(&kept).unwrap(), bytes);
}

/// One tick as it is lived: deaths, groups, lessons and all.
async fn live(state: &parking_lot::RwLock<State>, rules: &FixedRules) -> u32 {
    let plan = tick::plan(state, rules, 1.0, &[]).await;
    assert!(plan.failures().is_empty());
    let mut state = state.write();
    let ticked = next(&state, Event::Ticked { step: 1.0, skipped: vec![] });
    state.begin_tick(&ticked).unwrap();
    plan.apply(&mut state).deaths.len() as u32
}

#[tokio::test]
async fn a_world_that_lives_goes_on_from_its_bytes() {
    let rules = FixedRules::new().drifting(0.002);
    let about = rules.about().clone();
    let mut state = State::new();
    // A year in ten ticks: of ages 60 to 99.75 some reach 100 while they are watched.
    happen(&mut state, Event::Genesis { seed: 3, seconds_per_year: 10.0 }).unwrap();
    let (name, version, digest) = (about.name, about.version, about.digest);
    happen(&mut state, Event::Ruled { name, version, digest, traits: about.traits }).unwrap();
    let customs = about.society.unwrap().customs;
    state.set_customs(customs.clone());
    let births = (1..=160).map(|number| crate::ecs::event::Birth {
        age: 60.0 + (number - 1) as f32 / 4.0,
        at: [(number % 13) as f32 * 3.0, (number / 13) as f32 * 3.0],
        // Every third leads, the others follow, through 24 ticks of drift.
        ..birth(number, &[if number % 3 == 0 { 1.0 } else { 0.7 }, 0.2 + (number % 7) as f32 / 10.0, 0.5, 0.8, 0.3])
    });
    happen(&mut state, Event::Created { births: births.collect() }).unwrap();
    let state = parking_lot::RwLock::new(state);
    let (mut deaths, mut groups) = (0, 0);
    for _ in 0..12 {
        deaths += live(&state, &rules).await;
        groups = groups.max(state.read().groups.len());
    }
    assert!(deaths > 0 && groups > 0, "{deaths} deaths, {groups} groups");
    let mut decoded = State::decode(&bytes(&state.read())).unwrap();
    decoded.set_customs(customs);
    let decoded = parking_lot::RwLock::new(decoded);
    for _ in 0..12 {
        let died = live(&state, &rules).await;
        assert_eq!(live(&decoded, &rules).await, died);
        assert_eq!(decoded.read().digest(), state.read().digest());
    }
    assert_eq!(order(&decoded.read()), order(&state.read()));
}

/// What a client, or a hostile log, may bring: numbers and values of all kinds, most of them possible.
#[derive(Clone, Debug)]
enum Step {
    Create(u8, f32),
    Breed(u8, u8, u8, i8),
    Retire(u8),
    Meet(u8, u8, f32, [f32; 3], [f32; 2]),
    Chat(u8, u8),
    Send(u8, f32),
    Rule(bool),
    Tick(f32),
}

fn value() -> impl Strategy<Value = f32> {
    prop_oneof![8 => 0.0f32..=1.0, 1 => -2.0f32..2.0, 1 => prop::sample::select(vec![
        f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MIN_POSITIVE, 1.0 + f32::EPSILON,
    ])]
}

fn step() -> impl Strategy<Value = Step> {
    let number = any::<u8>;
    prop_oneof![
        3 => (1u8..4, value()).prop_map(|(count, value)| Step::Create(count, value)),
        6 => (number(), number(), 1u8..3, prop_oneof![6 => Just(1i8), 1 => -1i8..3]).prop_map(|(one, two, count, gap)| Step::Breed(one, two, count, gap)),
        3 => number().prop_map(Step::Retire),
        8 => (number(), number(), value(), [value(), value(), value()], [value(), value()])
            .prop_map(|(one, two, impact, bond, costs)| Step::Meet(one, two, impact, bond, costs)),
        2 => (number(), number()).prop_map(|(one, two)| Step::Chat(one, two)),
        2 => (number(), value()).prop_map(|(one, target)| Step::Send(one, target)),
        1 => any::<bool>().prop_map(Step::Rule),
        2 => (0.1f32..10.0).prop_map(Step::Tick),
    ]
}

/// The event of a step, in the world as it is; agents are taken round about, departed ones and one that
/// never was among them.
fn event(state: &State, step: &Step) -> Event {
    let agent = |any: u8| AgentNumber(u32::from(any) % (state.given + 2));
    let next = state.next_number().0;
    let width = state.traits.width();
    match *step {
        Step::Create(count, value) => {
            let births = (next..).take(count.into()).map(|number| birth(number, &vec![value; width])).collect();
            Event::Created { births }
        }
        Step::Breed(one, two, count, gap) => {
            let parents = [agent(one), agent(two)];
            let generation = |parent: AgentNumber| state.view(parent).map_or(0, |view| i64::from(view.generation));
            let generation = generation(parents[0]).max(generation(parents[1])) + i64::from(gap);
            let generation = u32::try_from(generation).unwrap_or(0);
            let newborn = |number| crate::ecs::event::Birth { traits: vec![0.5; width], ..child(number, generation) };
            Event::Bred { parents, births: (next..).take(count.into()).map(newborn).collect() }
        }
        Step::Retire(one) => Event::Retired { agent: agent(one) },
        Step::Meet(one, two, impact, [strength, trust, familiarity], energy_costs) => Event::Interacted {
            first: agent(one),
            second: agent(two),
            kind: InteractionKind::Teaching,
            outcome: if impact < 0.0 { Outcome::Failure } else { Outcome::PartialSuccess },
            impact,
            after: Bond { strength, trust, familiarity },
            energy_costs,
            message: None,
        },
        Step::Chat(one, two) => Event::Chatted {
            sender: agent(one),
            receiver: agent(two),
            kind: InteractionKind::Social,
            message: "well met".into(),
        },
        Step::Send(one, target) => Event::Sent { agent: agent(one), target: [target * 9000.0, target] },
        Step::Rule(wide) => {
            let traits = names(&["courage"], &["size"], if wide { &["healer", "hunter"] } else { &["hunter"] });
            Event::Ruled { name: "classic".into(), version: "1.0.0".into(), digest: [u8::from(wide); 32], traits }
        }
        Step::Tick(step) => Event::Ticked { step, skipped: vec![] },
    }
}

/// Ticks as empty ones: what systems do is not this test's.
fn let_happen(state: &mut State, recorded: &Recorded) -> bool {
    match recorded.event {
        Event::Ticked { step, .. } => {
            state.begin_tick(recorded).unwrap();
            state.advance(step);
            true
        }
        _ => state.apply(recorded).is_ok(),
    }
}

/// Forgets at every third departure all but the latest two.
fn begun() -> State {
    let mut state = world(6);
    state.remembrance = Remembrance { every: 3, latest: 2 };
    state
}

fn check(state: &State) {
    let unit = |value: f32| (0.0..=1.0).contains(&value);
    let mut all = state.agents.query::<(&Agent, &Traits, &Reproduction, &Lineage, &Interactions, &Memory)>();
    for (agent, traits, reproduction, lineage, own, memory) in all.iter() {
        assert_eq!(traits.values.len(), state.traits.width());
        assert!(traits.values.iter().all(|value| unit(*value)));
        assert!(unit(own.energy) && reproduction.cooldown >= 0.0);
        assert!(own.successful + own.failed <= own.total);
        assert!(own.latest.len() <= KEPT_INTERACTIONS && own.relationships.len() <= 3 && memory.memories.len() <= 4);
        // Less those who are forgotten.
        assert!(reproduction.offspring as usize >= lineage.children.len());
        assert!(own.relationships.iter().all(|known| state.known.contains(known.other)));
        assert_eq!(state.entity(agent.number).is_some(), !state.departed.contains_key(&agent.number));
    }
    // Whoever descends from another came later, so no one descends from itself; and both sides know it.
    for number in (1..state.next_number().0).map(AgentNumber) {
        let (parents, children) = state.kin(number);
        for parent in parents.into_iter().flatten() {
            assert!(parent < number);
            let remembered = state.known.contains(parent);
            assert!(remembered || !state.is_living(number), "{parent:?} of {number:?} is forgotten");
            assert!(!remembered || state.kin(parent).1.contains(&number));
        }
        for child in children {
            assert!(child > number && state.kin(child).0.unwrap().contains(&number));
        }
    }
    let known = state.agents.len() as usize + state.departed.len();
    assert_eq!((state.known.len(), state.ids.len(), state.names.len()), (known, known, known));
    assert_eq!(state.entities.len(), state.agents.len() as usize);
    assert!(known <= state.given as usize);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn any_events_leave_a_sound_world_that_can_be_made_again(
        steps in prop::collection::vec(step(), 1..60),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut live = begun();
        let mut log = Vec::new();
        for step in &steps {
            let recorded = next(&live, event(&live, step));
            let before = live.digest();
            if let_happen(&mut live, &recorded) {
                log.push(recorded);
            } else {
                prop_assert_eq!(live.digest(), before);
            }
            check(&live);
        }
        let mut replayed = begun();
        let cut = cut.index(log.len() + 1);
        let mut revived = None;
        for (index, recorded) in log.iter().enumerate() {
            if index == cut {
                revived = Some(again(&replayed));
            }
            prop_assert!(let_happen(&mut replayed, recorded));
            if let Some(revived) = &mut revived {
                prop_assert!(let_happen(revived, recorded));
            }
        }
        prop_assert_eq!(replayed.digest(), live.digest());
        let revived = revived.unwrap_or_else(|| again(&replayed));
        prop_assert_eq!(revived.digest(), live.digest());
        prop_assert_eq!(order(&revived), order(&live));
    }
}
