//! Agents over a world that is a list: what is found, and how the index follows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;
use crate::app::standard_plugins;
use crate::cache::Lifetimes;
use crate::ecs::fake::FakeWorld;
use crate::runtime::RuntimeOptions;

const PATIENCE: Duration = Duration::from_secs(60);

async fn runtime() -> Arc<Runtime> {
    Runtime::start(RuntimeOptions { embedded: standard_plugins(), ..RuntimeOptions::default() }).await.unwrap()
}

async fn agents_in(data: &Path, world: &Arc<FakeWorld>) -> Agents {
    let limits = ServiceLimits { concurrent_searches: 4, timeout: PATIENCE };
    let cache = Cache::new(1 << 20, Lifetimes::default());
    Agents::start(world.clone(), runtime().await, cache, limits, data).await.unwrap()
}

fn search(query: &str) -> AgentSearch {
    AgentSearch { query: query.into(), exact: false, strategy: "hybrid".into(), ranker: None, persona: None, limit: 20 }
}

fn exact(query: &str) -> AgentSearch {
    AgentSearch { exact: true, ..search(query) }
}

async fn found(agents: &Agents, request: AgentSearch) -> Vec<String> {
    let matches = agents.search(request).await.unwrap();
    assert_eq!(matches.count as usize, matches.results.len());
    matches.results.into_iter().map(|result| result.agent.agent_id).collect()
}

/// Searches until the answer is this one.
async fn becomes(agents: &Agents, request: AgentSearch, expected: &[&str]) {
    let began = Instant::now();
    loop {
        let found = found(agents, request.clone()).await;
        if found == expected {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{request:?} finds {found:?} and not {expected:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Searches until an agent comes first.
async fn leads(agents: &Agents, query: &str, expected: &str) {
    let began = Instant::now();
    loop {
        let found = found(agents, search(query)).await;
        if found.first().is_some_and(|first| first == expected) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{query:?} finds {found:?} and not {expected:?} first");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn small_world() -> Arc<FakeWorld> {
    let world = FakeWorld::default();
    world.put("fox-001", "Ember", "fox", &[("healer", 0.9), ("hunter", 0.2)]);
    world.put("wolf-001", "Ash", "wolf", &[("healer", 0.1), ("hunter", 0.9)]);
    world.put("owl-001", "Juniper", "owl", &[("scholar", 0.95)]);
    Arc::new(world)
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_found_by_spirit_name_ability_and_what_the_catalogue_says_of_their_spirit() {
    let (data, world) = (TempDir::new().unwrap(), small_world());
    let agents = agents_in(data.path(), &world).await;
    becomes(&agents, exact("001"), &["fox-001", "owl-001", "wolf-001"]).await;
    leads(&agents, "wolf", "wolf-001").await;
    leads(&agents, "Juniper", "owl-001").await;
    leads(&agents, "healer", "fox-001").await;
    // An adjective of the owl in the catalogue; nothing that the agents themselves say.
    leads(&agents, "nocturnal", "owl-001").await;
    // Patterns see the same text.
    let syntax = AgentSearch { strategy: "syntax".into(), ..search("Ember") };
    assert_eq!(found(&agents, syntax).await, ["fox-001"]);
    let matches = agents.search(search("wolf")).await.unwrap();
    let first = &matches.results[0];
    assert_eq!((first.agent.name.as_str(), first.agent.spirit.as_str()), ("Ash", "wolf"));
    assert!(first.score > 0.0 && !matches.degraded && !matches.search_strategies.is_empty());
    agents.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exact_search_takes_whole_names_before_parts() {
    let (data, world) = (TempDir::new().unwrap(), small_world());
    world.put("ember", "Lune", "fox", &[]);
    let agents = agents_in(data.path(), &world).await;
    becomes(&agents, exact("EMBER"), &["ember", "fox-001"]).await;
    becomes(&agents, exact("fox"), &["ember", "fox-001"]).await;
    let matches = agents.search(exact("ash")).await.unwrap();
    let shown: Vec<(&str, f32)> =
        matches.results.iter().map(|found| (found.match_type.as_str(), found.score)).collect();
    assert_eq!((shown, matches.exact_match), (vec![("exact", 1.0)], true));
    assert_eq!(found(&agents, AgentSearch { limit: 1, ..exact("fox") }).await, ["ember"]);
    agents.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_follows_births_departures_and_a_world_that_is_restored() {
    let (data, world) = (TempDir::new().unwrap(), small_world());
    let agents = agents_in(data.path(), &world).await;
    becomes(&agents, exact("001"), &["fox-001", "owl-001", "wolf-001"]).await;

    world.put("lynx-001", "Sorrel", "lynx", &[]);
    world.tell("created", &["lynx-001"]);
    leads(&agents, "lynx", "lynx-001").await;

    world.take("wolf-001");
    // At once, for answers show only who lives.
    assert_eq!(found(&agents, exact("wolf")).await, Vec::<String>::new());
    world.tell("retired", &["wolf-001"]);
    let began = Instant::now();
    while agents.directory.read().digest("wolf-001").is_some() {
        assert!(began.elapsed() < PATIENCE, "the wolf stays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(found(&agents, search("wolf hunter")).await.iter().filter(|id| *id == "wolf-001").count(), 0);

    // Restored: another world altogether.
    world.take("fox-001");
    world.put("owl-001", "Juniper", "otter", &[]);
    world.put("hare-001", "Thistle", "hare", &[]);
    world.tell("restored", &[]);
    becomes(&agents, exact("001"), &["hare-001", "lynx-001", "owl-001"]).await;
    becomes(&agents, exact("owl"), &["owl-001"]).await;
    leads(&agents, "otter", "owl-001").await;
    agents.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_brings_the_index_up_to_date_and_writes_only_what_differs() {
    let (data, world) = (TempDir::new().unwrap(), small_world());
    let agents = agents_in(data.path(), &world).await;
    becomes(&agents, exact("001"), &["fox-001", "owl-001", "wolf-001"]).await;
    leads(&agents, "wolf", "wolf-001").await;
    agents.stop().await;
    drop(agents);
    let applied = || Index::open(&data.path().join(FOLDER)).unwrap().applied();
    assert_eq!(applied(), 3, "one write an agent");

    let agents = agents_in(data.path(), &world).await;
    becomes(&agents, exact("001"), &["fox-001", "owl-001", "wolf-001"]).await;
    agents.stop().await;
    drop(agents);
    assert_eq!(applied(), 3, "nothing has changed");

    world.take("wolf-001");
    world.put("fox-001", "Cinder", "fox", &[]);
    world.put("lynx-001", "Sorrel", "lynx", &[]);
    let agents = agents_in(data.path(), &world).await;
    becomes(&agents, exact("001"), &["fox-001", "lynx-001", "owl-001"]).await;
    leads(&agents, "Cinder", "fox-001").await;
    let paths = |index: &Index| -> Vec<String> {
        let documents = index.snapshot().documents().unwrap();
        let mut paths: Vec<String> = documents.iter().map(|document| document.path.to_string()).collect();
        paths.sort();
        paths
    };
    agents.stop().await;
    drop(agents);
    let index = Index::open(&data.path().join(FOLDER)).unwrap();
    assert_eq!(paths(&index), ["agents/fox-001", "agents/lynx-001", "agents/owl-001"]);
    // Two written, one removed.
    assert_eq!(index.applied(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_that_is_away_is_no_empty_one() {
    let (data, world) = (TempDir::new().unwrap(), small_world());
    let agents = agents_in(data.path(), &world).await;
    becomes(&agents, exact("001"), &["fox-001", "owl-001", "wolf-001"]).await;
    world.set_status("elsewhere");
    world.tell("restored", &[]);
    let error = agents.search(search("wolf")).await.unwrap_err();
    let AgentSearchError::Backend(BackendError::Unavailable(reason)) = error else { panic!("{error:?}") };
    assert!(reason.contains("elsewhere"), "{reason}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(agents.directory.read().len(), 3);

    world.set_status("paused");
    world.put("lynx-001", "Sorrel", "lynx", &[]);
    becomes(&agents, exact("001"), &["fox-001", "lynx-001", "owl-001", "wolf-001"]).await;
    agents.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dead_leave_the_index_although_no_event_names_them() {
    let (data, world) = (TempDir::new().unwrap(), small_world());
    let agents = agents_in(data.path(), &world).await;
    becomes(&agents, exact("001"), &["fox-001", "owl-001", "wolf-001"]).await;
    world.take("owl-001");
    let began = Instant::now();
    while agents.directory.read().digest("owl-001").is_some() {
        assert!(began.elapsed() < PATIENCE, "the owl stays");
        world.tell("ticked", &[]);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    agents.stop().await;
    drop(agents);
    let index = Index::open(&data.path().join(FOLDER)).unwrap();
    let left: Vec<String> =
        index.snapshot().documents().unwrap().iter().map(|document| document.path.to_string()).collect();
    assert!(left.len() == 2 && !left.contains(&"agents/owl-001".to_owned()), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_were_missed_are_made_up_for() {
    let (data, world) = (TempDir::new().unwrap(), small_world());
    let agents = agents_in(data.path(), &world).await;
    becomes(&agents, exact("001"), &["fox-001", "owl-001", "wolf-001"]).await;
    world.tell("clock", &[]);
    world.put("lynx-001", "Sorrel", "lynx", &[]);
    world.skip_event();
    world.tell("clock", &[]);
    becomes(&agents, exact("lynx"), &["lynx-001"]).await;
    agents.stop().await;
}

#[test]
fn a_profile_says_who_an_agent_is_in_words() {
    let world = small_world();
    world.put("fox-007", "Rowan", "fox", &[("healer", 0.7), ("scout", 0.9), ("hunter", 0.64), ("artist", 0.65)]);
    let detail = crate::ecs::World::agent(&*world, "fox-007").unwrap();
    let content = profile::content(&detail, &profile::Spirits::of(crate::ecs::World::catalogue(&*world)));
    let expected = "Rowan, agent fox-007\nSpirit: fox; cunning, canine\nStyle: foundation\nGeneration: 1\n\
                    Dominant traits: curiosity\nStrong abilities: scout, healer, artist\n\
                    Strong of character: curiosity\nLittle: patience";
    assert_eq!(content, expected);
    // Title and text do not run into each other.
    assert_ne!(profile::digest("ab", "c"), profile::digest("a", "bc"));
}

/// More than a page of agents, and more than a review takes.
#[tokio::test(flavor = "multi_thread")]
async fn many_agents_are_indexed_and_compared_again_in_pages() {
    const AGENTS: u32 = 4500;
    let (data, world) = (TempDir::new().unwrap(), Arc::new(FakeWorld::default()));
    for number in 0..AGENTS {
        let share = |step: u32| (number.wrapping_mul(step) % 101) as f32 / 100.0;
        let abilities = [("healer", share(7)), ("hunter", share(13)), ("scholar", share(29)), ("scout", share(31))];
        let spirit = ["fox", "owl", "wolf", "otter", "lynx"][number as usize % 5];
        world.put(&format!("{spirit}-{number:06}"), &format!("Name{number}"), spirit, &abilities);
    }
    for round in ["empty", "up to date"] {
        let began = Instant::now();
        let agents = agents_in(data.path(), &world).await;
        while agents.directory.read().len() < AGENTS as usize {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(found(&agents, exact("Name3141")).await, ["owl-003141"], "{round}");
        assert!(began.elapsed() < PATIENCE, "{round}");
        agents.stop().await;
        drop(agents);
        let index = Index::open(&data.path().join(FOLDER)).unwrap();
        assert_eq!(index.applied(), u64::from(AGENTS), "{round}: one write an agent");
    }
}

/// Both ticks come too soon for a review, and none comes after them: it is owed.
#[tokio::test(flavor = "multi_thread")]
async fn traits_that_drift_are_followed_although_no_event_tells_and_the_clock_stops() {
    let (data, world) = (TempDir::new().unwrap(), small_world());
    let agents = agents_in(data.path(), &world).await;
    leads(&agents, "healer", "fox-001").await;
    let digest = |id: &str| agents.directory.read().digest(id);
    let before = digest("wolf-001");
    world.tell("ticked", &[]);
    world.put("wolf-001", "Ash", "wolf", &[("smith", 0.9)]);
    world.tell("ticked", &[]);
    let began = Instant::now();
    while digest("wolf-001") == before {
        assert!(began.elapsed() < PATIENCE, "the wolf's document stays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    leads(&agents, "smith", "wolf-001").await;
    agents.stop().await;
}
