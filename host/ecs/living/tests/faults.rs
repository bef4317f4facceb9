//! A store that is away, rules that answer nonsense, a world that somebody else wrote to, damaged snapshots.

use super::*;
use crate::ecs::record;
use crate::runtime::CallError;
use crate::store::SnapshotInfo;

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_does_not_happen() {
    let (ecs, store) = new_world().await;
    ecs.create_many(vec![agent("one"), agent("two")]).await.unwrap();
    let before = digest(&ecs);
    let sequence = ecs.status().sequence;
    let failed = |outcome: Result<(), WorldError>| matches!(outcome, Err(WorldError::Unavailable(_)));
    store.fail_appends(1);
    assert!(failed(ecs.create(agent("three")).await.map(drop)));
    store.fail_appends(1);
    assert!(failed(ecs.interact("one", "two", InteractionKind::Social, "social").await.map(drop)));
    store.fail_appends(1);
    assert!(failed(ecs.step(1).await.map(drop)));
    store.fail_appends(1);
    assert!(failed(ecs.retire("one").await));
    assert_eq!((digest(&ecs), ecs.status().sequence), (before, sequence));
    // Its id, its name and its locks are free.
    ecs.create(agent("three")).await.unwrap();
    ecs.step(1).await.unwrap();
    assert!(ecs.replay(None).await.unwrap().equal);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_answer_nonsense_are_named_and_have_no_effect() {
    let rules = Arc::new(FixedRules::new());
    let source = Arc::new(FixedSource::new(rules.clone()));
    let ecs = world(Arc::new(MemoryStore::default()), source, options()).await;
    ecs.create_many(vec![agent("one"), agent("two")]).await.unwrap();
    let before = digest(&ecs);
    for (call, fault) in [
        ("first-traits", Fault::Nan),
        ("first-traits", Fault::Short),
        ("names", Fault::Nan),
        ("compatibility", Fault::Nan),
        ("score", Fault::Nan),
        ("score", Fault::Short),
        ("inherit", Fault::Short),
        ("interact", Fault::Nan),
        ("interact", Fault::Trap),
    ] {
        rules.faults.lock().clear();
        rules.faults.lock().insert(call, fault);
        let outcome = match call {
            "first-traits" | "names" => ecs.create(agent("three")).await.map(drop),
            "interact" => ecs.interact("one", "two", InteractionKind::Social, "social").await.map(drop),
            "score" => ecs.mates("one", 5).await.map(drop),
            _ => ecs.breed("one", "two", "cub").await.map(drop),
        };
        let Err(WorldError::Rules(error)) = outcome else { panic!("{call} {fault:?}: {outcome:?}") };
        assert_eq!((error.call, error.rules.as_str()), (call, "traits-fixed@1.0.0"));
        assert_eq!(matches!(error.error, CallError::Contract(_)), fault != Fault::Trap, "{error}");
        assert_eq!(digest(&ecs), before, "{call}");
    }
    // A tick goes on without the call that fails, and says so.
    rules.faults.lock().clear();
    rules.faults.lock().insert("wander", Fault::Nan);
    ecs.step(2).await.unwrap();
    let status = ecs.status();
    assert_eq!((status.tick, status.failed_calls), (2, 2));
    assert!(status.last_failure.unwrap().contains("wander"));
    rules.faults.lock().clear();
    assert!(ecs.replay(None).await.unwrap().equal, "what failed then is left out now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_that_somebody_else_wrote_to_is_read_again() {
    let (ecs, store) = new_world().await;
    ecs.create(agent("one")).await.unwrap();
    let foreign = crate::ecs::event::Recorded {
        sequence: ecs.status().sequence + 1,
        tick: 0,
        at: 0,
        rules: [0; 32],
        event: Event::Breeding { enabled: false },
    };
    store.append_events(&[record::to_store(&foreign).unwrap()]).await.unwrap();
    let refused = ecs.create(agent("two")).await;
    assert!(matches!(refused, Err(WorldError::Unavailable(_))), "{refused:?}");
    eventually(async || ecs.create(agent("two")).await.is_ok()).await;
    assert!(!ecs.breeding_stats().breeding_enabled);
    assert!(ecs.replay(None).await.unwrap().equal);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_snapshot_costs_time_and_nothing_else() {
    let (ecs, store) = new_world().await;
    live(&ecs).await;
    let before = digest(&ecs);
    ecs.stop().await;
    let good = store.snapshots().await.unwrap().remove(0);
    let bad = SnapshotInfo { digest: [1; 32], ..good.clone() };
    let body = store.snapshot_body(good.id).await.unwrap().unwrap();
    store.save_snapshot(&bad, &body, 3).await.unwrap();
    store.save_snapshot(&good, b"no zstd", 3).await.unwrap();
    let again = world(store, source(), options()).await;
    assert_eq!(digest(&again), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_without_rules_says_what_is_missing_and_begins_when_they_come() {
    let source = Arc::new(FixedSource::new(Arc::new(FixedRules::new())));
    let store = Arc::new(MemoryStore::default());
    let missing = Options { rules: "traits-none".into(), ..options() };
    let ecs = Ecs::start(store.clone(), source, unchallenged(), missing);
    eventually(async || ecs.status().status == "failed").await;
    let refused = ecs.create(agent("one")).await.unwrap_err().to_string();
    assert!(refused.contains("traits-none") && refused.contains("traits-fixed"), "{refused}");
    assert_eq!(store.last_event().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_come_by_themselves_and_the_oldest_go() {
    let (ecs, store) = {
        let store = Arc::new(MemoryStore::default());
        let options = Options { tick: Duration::from_millis(10), snapshot_ticks: 2, ..options() };
        (world(store.clone(), source(), options).await, store)
    };
    ecs.create(agent("one")).await.unwrap();
    eventually(async || ecs.clock().tick >= 20).await;
    eventually(async || store.snapshots().await.unwrap().len() == 3).await;
    for number in 0..20 {
        ecs.save_snapshot(Some(format!("named {number}"))).await.unwrap();
    }
    let refused = ecs.save_snapshot(Some("one more".into())).await;
    assert!(matches!(refused, Err(WorldError::Conflict(_))), "{refused:?}");
}
