//! The world of agents as its clients meet it: over HTTP, with the standard rules as components.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde_json::{Value, json};
use services::Postgres;

use crate::support::client::{Client, results, wait_for};
use crate::support::server::{Local, Process, data_folder, plugins};
use crate::support::tree::Tree;

fn tree() -> Tree {
    Tree::of(&[("a.txt", "the quick brown fox\n")])
}

/// A server whose clock stands, so that a test alone decides when time passes.
async fn quiet() -> (Tree, Local) {
    let tree = tree();
    let server = Local::start(&tree, |_| ()).await;
    let paused = server.post("/api/ecs/clock/pause", json!({})).await;
    assert_eq!(paused.status, 200, "{}", paused.text());
    (tree, server)
}

async fn create(client: &Client, agent: Value) -> Value {
    let reply = client.post("/api/ecs/agents", agent).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

async fn agent(client: &Client, id: &str) -> Value {
    let reply = client.get(&format!("/api/ecs/agents/{id}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

fn adult(id: &str, spirit: &str) -> Value {
    json!({"agent_id": id, "spirit": spirit, "age": 30, "x": 0, "y": 0})
}

fn traits(agent: &Value) -> Vec<(String, f64)> {
    let groups = ["personality", "physical", "abilities"].map(|group| agent[group].as_object().unwrap());
    groups.iter().flat_map(|group| group.iter().map(|(name, value)| (name.clone(), value.as_f64().unwrap()))).collect()
}

async fn replayed(client: &Client) -> Value {
    let reply = client.post("/api/ecs/replay", json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_begins_grows_and_is_told_apart() {
    let (_tree, server) = quiet().await;
    let fox = create(&server, adult("fox-1", "fox")).await;
    assert_eq!((&fox["spirit"], &fox["style"], &fox["active"]), (&json!("fox"), &json!("foundation"), &json!(true)));
    create(&server, adult("wolf-1", "wolf")).await;
    server.post("/api/ecs/agents", adult("fox-1", "fox")).await.problem(409, "conflict");

    let first = agent(&server, "fox-1").await;
    // The original's groups: 16, 12 and 16 traits.
    assert_eq!(traits(&first).len(), 44);
    assert!(traits(&first).iter().all(|(_, value)| (0.0..=1.0).contains(value)));

    let child = json!({"parent1_id": "fox-1", "parent2_id": "wolf-1", "offspring_id": "cub-1"});
    let born = server.post("/api/ecs/agents/offspring", child.clone()).await;
    assert_eq!(born.status, 200, "{}", born.text());
    server.post("/api/ecs/agents/offspring", child).await.problem(409, "conflict");
    let cub = agent(&server, "cub-1").await;
    assert_eq!(cub["generation"], 2);
    assert_eq!(cub["parents"], json!(["fox-1", "wolf-1"]));
    assert_eq!(agent(&server, "wolf-1").await["children"], json!(["cub-1"]));

    let lineage = server.get("/api/ecs/agents/cub-1/lineage").await.json();
    assert_eq!(lineage["ancestors"], json!(["fox-1", "wolf-1"]));
    // A parent and a child, whatever else is against it.
    let kin = json!({"parent1_id": "cub-1", "parent2_id": "fox-1", "offspring_id": "never"});
    server.post("/api/ecs/agents/offspring", kin).await.problem(409, "conflict");
    server.get("/api/ecs/agents/never").await.problem(404, "unknown-agent");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_load_test_of_old_gets_what_it_asks_for() {
    let (_tree, server) = quiet().await;
    for number in 1..=3 {
        create(&server, json!({"agent_id": format!("test-agent-{number}")})).await;
    }
    let interaction = json!({"agent1_id": "test-agent-1", "agent2_id": "test-agent-2"});
    let reply = server.post("/api/ecs/interactions", interaction).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["success"], true);
    let missing = json!({"agent1_id": "test-agent-1", "agent2_id": "nobody"});
    server.post("/api/ecs/interactions", missing).await.problem(404, "unknown-agent");

    let past = server.get("/api/ecs/agents/test-agent-2/interactions").await.json();
    assert_eq!(past["total_count"], 1);
    assert_eq!(past["interactions"][0]["sender_id"], "test-agent-1");
    let relationships = server.get("/api/ecs/agents/test-agent-1/relationships").await.json();
    assert_eq!(relationships["relationships"][0]["other_agent_id"], "test-agent-2");

    let mut seen = Vec::new();
    let mut path = "/api/ecs/agents?limit=2".to_owned();
    loop {
        let page = server.get(&path).await;
        let list = page.json();
        seen.extend(list["agents"].as_array().unwrap().iter().map(|agent| agent["agent_id"].clone()));
        let Some(next) = page.header("link").split('>').next().and_then(|link| link.strip_prefix('<')) else { break };
        path = next.to_owned();
    }
    assert_eq!(seen, ["test-agent-1", "test-agent-2", "test-agent-3"]);
    let status = server.get("/api/ecs/status").await.json();
    assert_eq!(status["agent_count"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_exchanged_while_time_passes_and_history_knows_which_decided() {
    let (_tree, server) = quiet().await;
    for number in 0..20 {
        create(&server, adult(&format!("agent-{number}"), "otter")).await;
    }
    let step = json!({"ticks": 10});
    let stepped = server.post("/api/ecs/clock/step", step.clone()).await;
    assert_eq!(stepped.json()["tick"], 10, "{}", stepped.text());
    let put = server.put("/api/ecs/rules", json!({"name": "traits-drift"})).await;
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(server.post("/api/ecs/clock/step", step).await.json()["tick"], 20);

    let status = server.get("/api/ecs/status").await.json();
    assert_eq!(status["agent_count"], 20);
    assert!(status["rules"].as_str().unwrap().starts_with("traits-drift@"), "{status}");
    let rules = server.get("/api/ecs/rules").await.json();
    let names: BTreeSet<&str> =
        rules["rules"].as_array().unwrap().iter().map(|rules| rules["name"].as_str().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(["traits-classic", "traits-drift"]));
    // The ticks of either half name the rules that computed them.
    let events = server.get("/api/ecs/events?after=0&limit=1000").await.json();
    let ticked: Vec<&Value> =
        events["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "ticked").collect();
    assert_eq!(ticked.len(), 20);
    let deciders: BTreeSet<&str> = ticked.iter().map(|event| event["rules"].as_str().unwrap()).collect();
    assert_eq!(deciders.len(), 2);
    assert_eq!(server.put("/api/ecs/rules", json!({"name": "traits-unheard-of"})).await.violated(), ["name"]);

    let replay = replayed(&server).await;
    assert_eq!(replay["equal"], true, "{replay}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_rules_cost_their_own_answers_and_are_named() {
    let (folder, tree) = (plugins(&["hostile-rules"]), tree());
    let server = Local::start(&tree, |settings| {
        settings.server.plugin_folders = vec![folder.path().to_owned()];
        settings.ecs.rules = "hostile-rules".into();
        let settings_of = settings.plugins.entry("hostile-rules".into()).or_default();
        settings_of.settings.insert("misbehave".into(), "tick-nan".into());
    })
    .await;
    server.post("/api/ecs/clock/pause", json!({})).await;
    // Whatever spirit the fixture has that does no harm.
    let spirits = server.get("/api/ecs/naming/animal-spirits").await.text();
    let nice = server.post("/api/ecs/agents", json!({"agent_id": "nice-1", "spirit": "fox"})).await;
    assert_eq!(nice.status, 200, "{} of {spirits}", nice.text());
    let before = traits(&agent(&server, "nice-1").await);
    for spirit in ["!nan", "!short", "!trap"] {
        let reply = server.post("/api/ecs/agents", json!({"agent_id": "bad-1", "spirit": spirit})).await;
        assert_eq!(reply.status, 502, "{spirit}: {}", reply.text());
        assert!(reply.text().contains("hostile-rules"), "{spirit}: {}", reply.text());
    }
    server.get("/api/ecs/agents/bad-1").await.problem(404, "unknown-agent");

    assert_eq!(server.post("/api/ecs/clock/step", json!({"ticks": 3})).await.json()["tick"], 3);
    let status = server.get("/api/ecs/status").await.json();
    assert!(status["failed_calls"].as_u64().unwrap() >= 3, "{status}");
    assert!(status["last_failure"].as_str().unwrap().contains("hostile-rules"), "{status}");
    assert_eq!(traits(&agent(&server, "nice-1").await), before);
    assert_eq!(replayed(&server).await["equal"], true);
}

/// Creates agents until the server is gone, and remembers which were acknowledged.
async fn create_until_the_end(client: Client, number: Arc<AtomicUsize>, acknowledged: Arc<Mutex<Vec<String>>>) {
    loop {
        let id = format!("agent-{}", number.fetch_add(1, Ordering::SeqCst));
        let body = json!({"agent_id": id, "spirit": "wolf", "age": 20}).to_string();
        let Ok(reply) = client.send(client.posting("/api/ecs/agents", body)).await else { return };
        assert_eq!(reply.status, 200, "{}", reply.text());
        acknowledged.lock().push(id);
    }
}

async fn serve(data: &Path, environment: &[(&str, &str)]) -> Process {
    let server = Process::serve_with(data, &[], environment).await;
    wait_for("the world", async || {
        let status = server.get("/api/ecs/status").await.json()["status"].clone();
        (status == "running" || status == "paused").then_some(())
    })
    .await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_killed_host_and_history_makes_the_same_world() {
    survives_a_kill(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_in_postgres_survives_a_killed_host_as_well() {
    let postgres = Postgres::start();
    survives_a_kill(&[("DATABASE_URL", &postgres.database())]).await;
}

async fn survives_a_kill(environment: &[(&str, &str)]) {
    let data = data_folder();
    let server = serve(data.path(), environment).await;
    let (number, acknowledged) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<String>>>::default());
    let client = || Client::new(server.url(""));
    let creators: Vec<_> =
        (0..8).map(|_| tokio::spawn(create_until_the_end(client(), number.clone(), acknowledged.clone()))).collect();
    wait_for("some agents and ticks", async || {
        let ticks = server.get("/api/ecs/status").await.json()["tick"].as_u64().unwrap();
        (acknowledged.lock().len() > 200 && ticks >= 2).then_some(())
    })
    .await;
    server.kill();
    for creator in creators {
        creator.await.unwrap();
    }

    let server = serve(data.path(), environment).await;
    let there = server.get("/api/ecs/agents?limit=1000").await.json();
    let there: BTreeSet<&str> =
        there["agents"].as_array().unwrap().iter().map(|agent| agent["agent_id"].as_str().unwrap()).collect();
    let acknowledged = acknowledged.lock().clone();
    let lost: Vec<&String> = acknowledged.iter().take(900).filter(|id| !there.contains(id.as_str())).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let replay = replayed(&server).await;
    assert_eq!(replay["equal"], true, "{replay}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_brings_the_world_back_and_the_stream_tells_of_it() {
    let (_tree, server) = quiet().await;
    create(&server, adult("before-1", "fox")).await;
    let saved = server.post("/api/ecs/snapshots", json!({"name": "before"})).await;
    assert_eq!(saved.status, 201, "{}", saved.text());
    create(&server, adult("after-1", "fox")).await;
    let restored = server.post(&format!("/api/ecs/snapshots/{}/restore", saved.json()["id"]), json!({})).await;
    assert_eq!(restored.status, 200, "{}", restored.text());
    server.get("/api/ecs/agents/after-1").await.problem(404, "unknown-agent");
    assert_eq!(agent(&server, "before-1").await["agent_id"], "before-1");
    assert_eq!(replayed(&server).await["equal"], true);

    let request = server.getting("/api/ecs/events?after=0").header("accept", "text/event-stream");
    let mut stream = request.send().await.unwrap();
    let mut text = String::new();
    while !text.contains("event: restored") {
        text += &String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap());
    }
    let told = |kind: &str| text.matches(&format!("event: {kind}\n")).count();
    assert_eq!((told("genesis"), told("created"), told("restored")), (1, 2, 1), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_of_an_agent_is_ranked_by_its_traits() {
    let tree = Tree::of(&[
        ("short.txt", "the quick brown fox\n"),
        ("deep/down/below/long.txt", &"the quick brown fox jumps over the lazy dog and goes on\n".repeat(20)),
    ]);
    // Always the same traits.
    let server = Local::start(&tree, |settings| settings.ecs.seed = Some(7)).await;
    create(&server, json!({"agent_id": "reader-1"})).await;
    let agent = agent(&server, "reader-1").await;
    let ask = |id: Option<&str>| json!({"query": "quick fox", "ranker": "rank-persona", "explain": true, "agent": id});
    let explained = |answer: &Value| answer["results"][0]["explain"]["ranker"].as_str().unwrap().to_owned();

    let nobody = server.found("hybrid", json!({"query": "quick fox", "ranker": "rank-persona", "explain": true})).await;
    assert!(explained(&nobody).contains("no agent"), "{nobody}");
    let answer = server.found("hybrid", ask(Some("reader-1"))).await;
    assert_eq!(answer["agent"], "reader-1");
    // What its own traits say: curious agents gain by depth, the others lose.
    let curious = agent["personality"]["curiosity"].as_f64().unwrap() > 0.5;
    let deep =
        results(&answer).iter().find(|result| result["file_path"].as_str().unwrap().ends_with("long.txt")).unwrap();
    let line = deep["explain"]["ranker"].as_str().unwrap();
    let said: f64 = line.split("curiosity ").nth(1).unwrap().split([',', ')']).next().unwrap().parse().unwrap();
    assert_eq!(said > 0.0, curious, "{line}");
    assert_eq!(server.search("hybrid", ask(Some("nobody"))).await.violated(), ["agent"]);
}
