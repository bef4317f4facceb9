//! What a world keeps of its past: who is forgotten, and that a world without ticks is saved, too.

use super::*;
use crate::ecs::world::{AgentFilter, PageOf};

/// Spread out, so that few meet.
fn aged(id: String, at: usize, age: f32) -> NewAgent {
    let place = |at: usize| Some(at as f32 * 50.0 - 4_000.0);
    NewAgent { age: Some(age), x: place(at % 128), y: place(at / 128), ..agent(&id) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_that_forgot_is_made_again() {
    // A tick of an hour is a tenth of a year: who is 99.95 years old dies in the first one.
    let options = Options { seconds_per_year: 36_000.0, max_agents: 20_000, ..options() };
    let ecs = world(Arc::new(MemoryStore::default()), source(), options).await;
    for batch in 0..25 {
        let old = (batch * 500..batch * 500 + 500).map(|at| aged(format!("old-{at}"), at, 99.95));
        ecs.create_many(old.collect()).await.unwrap();
    }
    ecs.create_many((0..100).map(|at| aged(format!("young-{at}"), at, 20.0)).collect()).await.unwrap();
    ecs.step(1).await.unwrap();
    let listed = |active_only| {
        let filter = AgentFilter { active_only, ..AgentFilter::default() };
        ecs.agents(&filter, PageOf { offset: 0, limit: 1 })
    };
    // 12,500 die in the order of their coming. When 12,000 have, the first 2,000 are forgotten.
    assert_eq!((listed(true).total, listed(false).total), (100, 10_600));
    assert_eq!(listed(false).items[0].agent_id, "old-2000");
    assert_eq!(ecs.agent("old-1999").unwrap_err(), WorldError::NoAgent("old-1999".into()));
    assert!(ecs.create(agent("old-2000")).await.is_err_and(|error| matches!(error, WorldError::Conflict(_))));
    ecs.create(agent("old-1999")).await.unwrap();
    assert!(ecs.agent("old-1999").unwrap().agent.active);
    let saved = ecs.save_snapshot(Some("after".into())).await.unwrap();
    ecs.step(1).await.unwrap();
    assert!(ecs.replay(None).await.unwrap().equal);
    assert!(ecs.replay(Some(saved.id)).await.unwrap().equal);
    // Of those who are remembered, events have the id.
    let retired = ecs.retire("young-1").await;
    assert_eq!(retired, Ok(()));
    let last = ecs.events(ecs.status().sequence - 1, 1).await.unwrap();
    assert_eq!((last[0].kind.as_str(), last[0].agents.as_slice()), ("retired", &["young-1".to_owned()][..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_that_stands_still_is_saved_when_much_was_done() {
    let options = Options { tick: Duration::from_millis(10), ..options() };
    let store = Arc::new(MemoryStore::default());
    let ecs = world(store.clone(), source(), options).await;
    ecs.set_clock(ClockChange { acceleration: None, paused: Some(true) }).await.unwrap();
    let agents: Vec<String> = (0..256).map(|number| format!("agent-{number}")).collect();
    ecs.create_many(agents.iter().map(|id| agent(id)).collect()).await.unwrap();
    let chat = |from: usize| {
        let (ecs, agents) = (&ecs, &agents);
        async move {
            let kind = InteractionKind::Communication;
            ecs.chat(&agents[from % 256], &agents[(from + 1) % 256], "hello", kind, "communication").await.unwrap();
        }
    };
    futures::stream::iter(0..19_000).for_each_concurrent(128, chat).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(store.snapshots().await.unwrap().is_empty());
    futures::stream::iter(0..1_000).for_each_concurrent(128, chat).await;
    eventually(async || !store.snapshots().await.unwrap().is_empty()).await;
    assert!(store.snapshots().await.unwrap()[0].sequence >= 20_000);
}
