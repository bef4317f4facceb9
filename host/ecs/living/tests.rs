//! A world from its first event to its last, over a store in memory and over SQLite.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicBool, AtomicU32};

use async_trait::async_trait;
use futures::StreamExt;

use super::*;
use crate::ecs::view::NewAgent;
use crate::ecs::world::{ClockChange, World};
use crate::rules::fixed::{Fault, FixedRules, FixedSource};
use crate::rules::*;
use crate::store::SqliteStore;
use crate::store::world::memory::MemoryStore;

/// What goes wrong, and at whose hands.
mod faults;
/// What a world keeps of its past, and what it lets go of.
mod keeping;
/// Who waits for whom.
mod order;

fn options() -> Options {
    Options {
        rules: "traits-fixed".into(),
        // No tick comes by itself while a test looks.
        tick: Duration::from_secs(3600),
        acceleration: 1.0,
        seconds_per_year: 3600.0,
        seed: Some(7),
        spawn_radius: 5.0,
        snapshot_ticks: 300,
        max_agents: 10_000,
    }
}

fn unchallenged() -> Right {
    Arc::new(|| Box::pin(async { Ok(Some(Lease::unchallenged())) }))
}

/// A right that one at a time has, as hosts of one database do.
#[derive(Clone, Default)]
struct OneRight(Arc<AtomicBool>);

struct Taken(Arc<AtomicBool>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl OneRight {
    fn right(&self) -> Right {
        let taken = self.0.clone();
        Arc::new(move || {
            let taken = taken.clone();
            Box::pin(async move {
                let free = !taken.swap(true, Ordering::SeqCst);
                Ok(free.then(|| Lease::new(CancellationToken::new(), Taken(taken))))
            })
        })
    }
}

fn source() -> Arc<FixedSource> {
    Arc::new(FixedSource::new(Arc::new(FixedRules::new())))
}

async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never came true");
}

async fn world(store: Arc<dyn WorldStore>, source: Arc<dyn RulesSource>, options: Options) -> Arc<Ecs> {
    let ecs = Ecs::start(store, source, unchallenged(), options);
    eventually(async || ecs.available().is_ok()).await;
    ecs
}

async fn new_world() -> (Arc<Ecs>, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::default());
    (world(store.clone(), source(), options()).await, store)
}

fn agent(id: &str) -> NewAgent {
    NewAgent { agent_id: id.into(), age: Some(20.0), ..NewAgent::default() }
}

fn digest(ecs: &Ecs) -> [u8; 32] {
    ecs.inner.running().unwrap().with(State::digest)
}

/// The world as it is after a `kill -9` of its host: nothing was saved, another life has begun.
async fn killed(ecs: &Ecs) {
    let before = ecs.inner.running().unwrap();
    before.book.over.cancel();
    eventually(async || ecs.inner.running().is_ok_and(|now| !Arc::ptr_eq(&before, &now))).await;
}

/// Something of everything.
async fn live(ecs: &Ecs) {
    let wolf = NewAgent { spirit: Some("wolf".into()), style: Some("exo".into()), ..agent("wolf-1") };
    ecs.create_many(vec![agent("fox-1"), wolf, agent("fox-2"), agent("fox-3")]).await.unwrap();
    for _ in 0..3 {
        ecs.interact("fox-1", "wolf-1", InteractionKind::Social, "social").await.unwrap();
    }
    ecs.chat("fox-1", "fox-2", "hello", InteractionKind::Communication, "communication").await.unwrap();
    ecs.breed("fox-1", "fox-2", "cub-1").await.unwrap();
    ecs.send_to("wolf-1", 50.0, -50.0).await.unwrap();
    ecs.step(9).await.unwrap();
    ecs.send_towards("fox-2", "wolf-1", 10.0).await.unwrap();
    ecs.retire("fox-3").await.unwrap();
    ecs.set_clock(ClockChange { acceleration: Some(2.5), paused: None }).await.unwrap();
    ecs.step(8).await.unwrap();
    ecs.set_breeding(false).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_brings_the_same_world_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("store.sqlite")).await.unwrap();
    let store: Arc<dyn WorldStore> = Arc::new(store);
    let ecs = world(store.clone(), source(), options()).await;
    live(&ecs).await;
    let before = (digest(&ecs), ecs.status().sequence, ecs.agent("fox-1").unwrap());
    assert_eq!((ecs.status().tick, ecs.status().agent_count), (17, 4));
    killed(&ecs).await;
    assert!(store.snapshots().await.unwrap().is_empty());
    assert_eq!((digest(&ecs), ecs.status().sequence, ecs.agent("fox-1").unwrap()), before);
    ecs.stop().await;
    assert!(matches!(ecs.available(), Err(WorldError::Unavailable(_))));
    let saved = store.snapshots().await.unwrap();
    assert_eq!((saved.len(), saved[0].sequence, saved[0].digest), (1, before.1, before.0));

    let again = world(store, source(), options()).await;
    assert_eq!((digest(&again), again.status().sequence), (before.0, before.1));
    // It goes on, too.
    again.create(agent("later")).await.unwrap();
    again.step(1).await.unwrap();
    assert!(again.replay(None).await.unwrap().equal);
    assert!(again.replay(Some(saved[0].id)).await.unwrap().equal);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_finds_the_same_world_and_tells_another() {
    let (ecs, _) = new_world().await;
    live(&ecs).await;
    let replay = ecs.replay(None).await.unwrap();
    assert!(replay.equal && replay.digest == replay.live_digest);
    assert_eq!(
        (replay.from_sequence, replay.to_sequence, replay.events),
        (0, ecs.status().sequence, replay.to_sequence)
    );
    // What no event tells.
    ecs.inner.running().unwrap().book.state.write().offspring += 1;
    assert!(!ecs.replay(None).await.unwrap().equal);
}

#[tokio::test(flavor = "multi_thread")]
async fn worlds_of_one_seed_are_equal_and_of_another_not() {
    let mut digests = vec![];
    for seed in [7, 7, 8] {
        let options = Options { seed: Some(seed), ..options() };
        let ecs = world(Arc::new(MemoryStore::default()), source(), options).await;
        live(&ecs).await;
        digests.push(digest(&ecs));
    }
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digests[0], digests[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_agents_are_checked_field_by_field() {
    let (ecs, _) = new_world().await;
    let created = ecs.create(agent("den-1-ruby")).await.unwrap();
    assert_eq!((created.spirit.as_str(), created.style.as_str(), created.generation), ("fox", "foundation", 1));
    assert!(ecs.create(agent("den-1-ruby")).await.is_err_and(|error| matches!(error, WorldError::Conflict(_))));
    let named = NewAgent { name: Some(created.name.clone()), ..agent("den-2") };
    assert!(ecs.create(named).await.is_err_and(|error| matches!(error, WorldError::Conflict(_))));
    type Change = fn(&mut NewAgent);
    let wrong: [(&str, Change, &str); 8] = [
        ("agent_id", |agent| agent.agent_id = "a b".into(), "3 to 50"),
        ("spirit", |agent| agent.spirit = Some("cow".into()), "fox, wolf"),
        ("style", |agent| agent.style = Some("baroque".into()), "foundation, exo"),
        ("age", |agent| agent.age = Some(-1.0), "from 0 to less than 100"),
        ("age", |agent| agent.age = Some(f32::NAN), "from 0"),
        ("x", |agent| agent.x = Some(10_001.0), "-10000 to 10000"),
        ("gender_identity", |agent| agent.gender_identity = Some("none".into()), "two-spirit"),
        ("name", |agent| agent.name = Some("a\nb".into()), "control"),
    ];
    for (field, change, words) in wrong {
        let mut agents = vec![agent("good-1"), agent("good-2")];
        change(&mut agents[1]);
        let Err(WorldError::Invalid { field: found, message }) = ecs.create_many(agents).await else {
            panic!("{field} is accepted")
        };
        assert_eq!(found, format!("agents[1].{field}"));
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(ecs.status().agent_count, 1, "all or none");
    let twice = ecs.create_many(vec![agent("same"), agent("same")]).await;
    assert!(twice.is_err_and(|error| matches!(error, WorldError::Conflict(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_world_takes_nobody_in() {
    let options = Options { max_agents: 2, ..options() };
    let ecs = world(Arc::new(MemoryStore::default()), source(), options).await;
    ecs.create_many(vec![agent("one"), agent("two")]).await.unwrap();
    assert!(ecs.create(agent("three")).await.is_err_and(|error| error.to_string().contains("ecs.max_agents")));
    ecs.retire("one").await.unwrap();
    ecs.create(agent("three")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn breeding_tells_what_is_in_the_way_and_else_makes_a_child() {
    let (ecs, _) = new_world().await;
    let young = NewAgent { agent_id: "young".into(), ..NewAgent::default() };
    ecs.create_many(vec![agent("one"), agent("two"), young]).await.unwrap();
    let Err(WorldError::Conflict(reasons)) = ecs.breed("one", "young", "cub").await else { panic!() };
    assert!(reasons.contains("young"), "{reasons}");
    assert_eq!(ecs.breed("one", "nobody", "cub").await, Err(WorldError::NoAgent("nobody".into())));
    let child = ecs.breed("one", "two", "cub").await.unwrap();
    assert_eq!((child.generation, child.spirit.as_str()), (2, "fox"));
    let lineage = ecs.lineage("cub", 3).unwrap();
    assert_eq!(lineage.parents, ["one", "two"]);
    let (one, two, cub) = (ecs.position("one").unwrap(), ecs.position("two").unwrap(), ecs.position("cub").unwrap());
    assert!((cub.x - (one.x + two.x) / 2.0).abs() <= 10.0 && (cub.y - (one.y + two.y) / 2.0).abs() <= 10.0);
    // They have a cooldown now.
    assert!(ecs.breed("one", "two", "cub-2").await.is_err_and(|error| matches!(error, WorldError::Conflict(_))));
    assert_eq!(ecs.mates("one", 5).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_world_is_as_it_was_and_its_history_goes_on() {
    let (ecs, store) = new_world().await;
    ecs.create_many(vec![agent("one"), agent("two")]).await.unwrap();
    ecs.step(4).await.unwrap();
    let saved = ecs.save_snapshot(Some("before".into())).await.unwrap();
    assert_eq!((saved.agents, saved.tick), (2, 4));
    ecs.create(agent("three")).await.unwrap();
    ecs.step(3).await.unwrap();
    let sequence = ecs.status().sequence;

    let status = ecs.restore(saved.id).await.unwrap();
    assert_eq!((status.agent_count, status.tick, status.sequence), (2, 4, sequence + 1));
    assert_eq!(ecs.agent("three").unwrap_err(), WorldError::NoAgent("three".into()));
    // A number that was another's is not given again.
    ecs.create(agent("four")).await.unwrap();
    assert_eq!(ecs.inner.running().unwrap().with(|state| state.number("four").unwrap().0), 4);
    ecs.step(2).await.unwrap();
    let before = digest(&ecs);
    assert!(ecs.replay(None).await.unwrap().equal);
    assert!(ecs.replay(Some(saved.id)).await.unwrap().equal);
    ecs.stop().await;
    let again = world(store, source(), options()).await;
    assert_eq!(digest(&again), before);
    assert_eq!(again.restore(99).await, Err(WorldError::NoSnapshot(99)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_misses_nothing_however_slow_it_is() {
    let (ecs, _) = new_world().await;
    let mut from_start = ecs.watch(Some(0)).await.unwrap();
    let from_now = ecs.watch(None).await.unwrap();
    let begun = ecs.status().sequence;
    // More than the feed holds.
    ecs.create_many(vec![agent("one"), agent("two")]).await.unwrap();
    for _ in 0..FEED + 200 {
        ecs.interact("one", "two", InteractionKind::Social, "social").await.unwrap();
    }
    let last = ecs.status().sequence;
    assert_eq!(last, begun + 1 + FEED as u64 + 200);
    for expected in 1..=last {
        assert_eq!(from_start.next().await.unwrap().sequence, expected);
    }
    let seen: Vec<u64> = from_now.take((last - begun) as usize).map(|event| event.sequence).collect().await;
    assert!(seen.into_iter().eq(begun + 1..=last));
    let events = ecs.events(begun, 2).await.unwrap();
    assert_eq!((events[0].kind.as_str(), events[0].agents.len()), ("created", 2));
    assert_eq!(
        (events[1].kind.as_str(), events[1].agents.as_slice()),
        ("interacted", &["one".into(), "two".into()][..])
    );
    ecs.stop().await;
    assert!(from_start.next().await.is_none(), "the stream ends with the world");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_ticks_pauses_and_waits_for_agents() {
    let options = Options { tick: Duration::from_millis(10), acceleration: 2.0, ..options() };
    let ecs = world(Arc::new(MemoryStore::default()), source(), options).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(ecs.clock().tick, 0, "nobody is there");
    ecs.create(agent("one")).await.unwrap();
    eventually(async || ecs.clock().tick >= 3).await;
    let clock = ecs.set_clock(ClockChange { acceleration: None, paused: Some(true) }).await.unwrap();
    // Each tick is 10 ms twice as fast.
    assert!((clock.world_time - clock.tick as f64 * 0.02).abs() < 1e-6, "{clock:?}");
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(ecs.clock().tick, clock.tick);
    assert_eq!(ecs.status().status, "paused");
    assert_eq!(ecs.step(5).await.unwrap().tick, clock.tick + 5);
}
