//! Rules that fail in a tick: what they cannot spoil, and that a replay fails alike.

use super::*;

fn crowd(count: usize) -> Vec<Someone> {
    let someone = |at: usize| Someone {
        at: [(at % 40) as f32 * 7.0, (at / 40) as f32 * 7.0],
        traits: [0.05, 0.3, 0.55, 0.8, 0.95].map(|value| (value + at as f32 * 0.37) % 1.0),
        age: (at * 7 % 99) as f32,
        target: at.is_multiple_of(5).then_some([0.0, 0.0]),
    };
    (0..count).map(someone).collect()
}

const CALLS: [(&str, System); 9] = [
    ("tick", System::Lives),
    ("wander", System::Movement),
    ("meet", System::Interaction),
    ("gather", System::Groups),
    ("weigh", System::Influence),
    ("stand", System::Standing),
    ("learn", System::Learning),
    ("unlearn", System::Unlearning),
    ("remember", System::Memory),
];

/// Ticks enough for every system to have had something to do.
const TICKS: u64 = 12;

#[tokio::test]
async fn a_failing_call_is_named_and_harms_no_other_system() {
    for (call, system) in CALLS {
        for fault in [Fault::Nan, Fault::Short, Fault::Trap, Fault::Timeout] {
            let world = Sandbox::new(FixedRules::new().faulty(call, fault), &crowd(60));
            let mut failed = 0;
            let mut summaries = Vec::new();
            for _ in 0..TICKS {
                let (summary, skipped, failures) = world.tick_with(1.0, &[]).await;
                assert_eq!(skipped, failures.iter().map(|(skipped, _)| skipped.clone()).collect::<Vec<_>>());
                for (skipped, failure) in &failures {
                    assert_eq!(*skipped, Skipped { system, batch: 0 }, "{call} {fault:?}");
                    assert_eq!((failure.call, failure.rules.as_str()), (call, "traits-fixed@1.0.0"));
                    let expected = match fault {
                        Fault::Trap => "trap",
                        Fault::Timeout => "timeout",
                        Fault::Nan | Fault::Short | Fault::Unchecked => "contract",
                    };
                    assert_eq!(failure.error.kind(), expected, "{call} {fault:?}");
                }
                failed += failures.len();
                summaries.push(summary);
            }
            // `unlearn` has nothing to do where `learn` failed, and the like; the faulty call itself was made.
            assert!(failed > 0, "{call} {fault:?}");
            let happened = |of: fn(&TickSummary) -> u32| summaries.iter().map(of).sum::<u32>() > 0;
            assert_eq!(happened(|summary| summary.encounters), call != "meet");
            assert_eq!(world.of::<Lifecycle>(2).age > 7.0, call != "tick");
            assert_eq!(world.of::<Position>(2).at != [7.0, 0.0], call != "wander");
            assert!(world.of::<Position>(6).at[0] < 35.0, "targets need no rules");
            let learned = (1..=60).filter(|number| world.state.read().is_living(AgentNumber(*number)));
            let learned = learned.filter(|number| !world.of::<Knowledge>(*number).learned.is_empty()).count();
            assert_eq!(learned > 0, !["meet", "learn"].contains(&call), "{call}");
        }
    }
}

/// Whoever brings rules of another kind and forgets the check spoils its own answers, not the host.
#[tokio::test]
async fn a_short_answer_that_nobody_checked_stops_no_tick() {
    for (call, _) in CALLS {
        let world = Sandbox::new(FixedRules::new().faulty(call, Fault::Unchecked), &crowd(60));
        for _ in 0..TICKS {
            world.tick(1.0).await;
        }
        assert_eq!(world.state.read().clock.tick, TICKS, "{call}");
    }
}

#[tokio::test]
async fn a_failing_call_in_a_new_world_changes_nothing_of_its_own() {
    // Every call fails: agents stand still and grow no older, but time passes.
    let rules = CALLS.into_iter().fold(FixedRules::new(), |rules, (call, _)| rules.faulty(call, Fault::Nan));
    let people = [bold(0.0, 0.9), bold(1.0, 0.6)];
    let world = Sandbox::new(rules, &people);
    let before = world.of::<Lifecycle>(1);
    world.tick_with(1.0, &[]).await;
    assert_eq!(world.of::<Lifecycle>(1), before);
    assert_eq!(world.of::<Position>(1), Position { at: [0.0; 2], velocity: [0.0; 2], target: None });
    assert_eq!(world.of::<Interactions>(1).energy, 1.0);
    assert_eq!(world.state.read().clock.tick, 1);
}

#[tokio::test]
async fn a_replay_with_what_was_skipped_makes_the_same_world() {
    let live = Sandbox::new(FixedRules::new(), &crowd(90));
    let mut history = Vec::new();
    for tick in 0..TICKS as usize * 2 {
        // Another call fails in every tick.
        live.rules.faults.lock().clear();
        live.rules.faults.lock().insert(CALLS[tick % CALLS.len()].0, Fault::Trap);
        history.push(live.tick_with(1.5, &[]).await.1);
    }
    assert!(history.iter().flatten().count() > 10);
    // The rules are in health when the world is made again.
    let again = Sandbox::new(FixedRules::new(), &crowd(90));
    for skip in &history {
        let (_, skipped, failures) = again.tick_with(1.5, skip).await;
        assert_eq!((&skipped, failures), (skip, vec![]));
    }
    assert_eq!(again.picture(), live.picture());
    assert_eq!(again.digest(), live.digest());
    // It would be another world if the calls had not been left out.
    let other = Sandbox::new(FixedRules::new(), &crowd(90));
    for _ in &history {
        other.tick(1.5).await;
    }
    assert_ne!(other.digest(), live.digest());
}

#[tokio::test]
async fn a_world_read_back_in_between_goes_on_as_if_nothing_had_been() {
    let live = Sandbox::new(FixedRules::new(), &crowd(90));
    for _ in 0..7 {
        live.tick(50.0).await;
    }
    // Departures have changed the order of the world by now.
    assert!(!live.state.read().departed.is_empty());
    let mut state = State::decode(&live.state.read().encode().concat()).unwrap();
    state.set_customs(live.state.read().customs.clone());
    let again = Sandbox { state: RwLock::new(state), rules: FixedRules::new() };
    for _ in 0..9 {
        assert_eq!(again.tick(50.0).await, live.tick(50.0).await);
    }
    assert_eq!(again.picture(), live.picture());
    assert_eq!(again.digest(), live.digest());
}

#[tokio::test]
async fn calls_have_a_batch_at_most_and_seeds_of_their_own() {
    let people: Vec<Someone> = (0..BATCH * 2 + 1).map(|row| at(row as f32 / 2.0, 0.0)).collect();
    let world = Sandbox::new(FixedRules::new().without_society(), &people);
    world.tick(1.0).await;
    world.tick(1.0).await;
    let calls = world.rules.calls.lock().clone();
    assert_eq!(calls.len(), 6);
    let seeds: std::collections::HashSet<u64> = calls.iter().map(|(_, seed)| *seed).collect();
    assert_eq!(seeds.len(), 6);
    assert!(close(world.of::<Lifecycle>(BATCH as u32 * 2 + 1).age, 20.02), "the last one is no exception");
}

#[tokio::test]
async fn one_batch_that_fails_is_the_only_one_without_effect() {
    let people: Vec<Someone> = (0..BATCH + 1).map(|row| at(row as f32 / 2.0, 0.0)).collect();
    let world = Sandbox::new(FixedRules::new().without_society(), &people);
    let skip = [Skipped { system: System::Lives, batch: 0 }];
    let (_, skipped, _) = world.tick_with(1.0, &skip).await;
    assert_eq!(skipped, skip);
    assert_eq!(world.of::<Lifecycle>(BATCH as u32).age, 20.0);
    assert!(close(world.of::<Lifecycle>(BATCH as u32 + 1).age, 20.01));
}

#[tokio::test]
async fn rules_that_use_up_their_time_are_not_asked_again_for_that_system() {
    let people: Vec<Someone> = (0..BATCH * 2 + 1).map(|row| at(row as f32 / 2.0, 0.0)).collect();
    let world = Sandbox::new(FixedRules::new().without_society().faulty("tick", Fault::Timeout), &people);
    let (_, skipped, failures) = world.tick_with(1.0, &[]).await;
    let expected: Vec<Skipped> = (0..3).map(|batch| Skipped { system: System::Lives, batch }).collect();
    assert_eq!(skipped, expected);
    assert_eq!(failures.len(), 1);
    assert_eq!(world.rules.calls.lock().len(), 1);
}
