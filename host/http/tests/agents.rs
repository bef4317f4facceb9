//! Searches for an agent, and searches for agents.

use super::*;
use crate::ecs::fake::FakeWorld;
use crate::query::Persona;

fn server_with_a_fox() -> (Server, Arc<FakeWorld>) {
    let (server, world) = (server(), Arc::new(FakeWorld::default()));
    world.put("fox-001", "Ember", "fox", &[("healer", 0.9)]);
    *server.fake.world.lock() = Some(world.clone());
    (server, world)
}

/// What the fake gives each of its agents, by name.
fn fox() -> Persona {
    let traits = [("curiosity", 0.8), ("healer", 0.9), ("patience", 0.2)];
    Persona::new("fox-001", traits.map(|(name, value)| (name.to_owned(), value)).to_vec())
}

#[tokio::test]
async fn a_search_takes_the_traits_of_its_agent_along() {
    let (server, _) = server_with_a_fox();
    let reply = server.post("/api/search/hybrid", json!({"query": "a", "agent": "fox-001"})).await;
    assert_eq!(reply.status, 200);
    assert_eq!(server.seen().persona.as_deref(), Some(&fox()));
    for nobody in [json!({"query": "a"}), json!({"query": "a", "agent": null})] {
        assert_eq!(server.post("/api/search/hybrid", nobody).await.status, 200);
        assert_eq!(server.seen().persona, None);
    }
}

#[tokio::test]
async fn an_agent_that_is_not_there_is_the_request_s_fault_and_a_world_that_is_not_is_none() {
    let (server, world) = server_with_a_fox();
    for unknown in ["fox-002", "", "FOX-001"] {
        let reply = server.post("/api/search/hybrid", json!({"query": "a", "agent": unknown})).await;
        assert_eq!(reply.violated(), ["agent"]);
    }
    assert_eq!(server.post("/api/search/hybrid", json!({"query": "a", "agent": 7})).await.violated(), ["agent"]);
    world.set_status("elsewhere");
    let for_fox = json!({"query": "a", "agent": "fox-001"});
    let reply = server.post("/api/search/hybrid", for_fox.clone()).await;
    assert!(reply.problem(503, "unavailable").detail.contains("another host"));
    assert_eq!(reply.header("retry-after"), "1");
    *server.fake.world.lock() = None;
    let detail = server.post("/api/search/hybrid", for_fox).await.problem(503, "unavailable").detail;
    assert!(detail.contains("agent"), "{detail}");
    assert!(server.fake.seen.lock().is_empty());
}

#[tokio::test]
async fn agents_are_asked_for_with_the_words_of_a_search() {
    let (server, _) = server_with_a_fox();
    let reply = server.get("/api/ecs/agents/search?query=%20kind%20healer%20").await;
    assert_eq!(reply.status, 200);
    let expected = json!({
        "query": "kind healer", "exact_match": false, "results": [], "count": 0, "search_strategies": [],
        "degraded": false
    });
    assert_eq!(reply.json(), expected);
    let path =
        "/api/ecs/agents/search?query=fox&exact_match=true&strategy=syntax&ranker=rank-persona&agent=fox-001&limit=3";
    assert_eq!(server.get(path).await.status, 200);
    let defaults = AgentSearch {
        query: "kind healer".into(),
        exact: false,
        strategy: "hybrid".into(),
        ranker: None,
        persona: None,
        limit: 20,
    };
    let all = AgentSearch {
        query: "fox".into(),
        exact: true,
        strategy: "syntax".into(),
        ranker: Some("rank-persona".into()),
        persona: Some(Arc::new(fox())),
        limit: 3,
    };
    assert_eq!(*server.fake.asked_agents.lock(), [defaults, all]);
}

#[tokio::test]
async fn a_search_for_agents_names_what_is_wrong_with_it() {
    let (server, _) = server_with_a_fox();
    let violated = async |query: &str| server.get(&format!("/api/ecs/agents/search?{query}")).await.violated();
    assert_eq!(violated("").await, ["query"]);
    assert_eq!(violated("query=%20").await, ["query"]);
    assert_eq!(violated("query=a%00").await, ["query"]);
    assert_eq!(violated(&format!("query={}", "a".repeat(4097))).await, ["query"]);
    assert_eq!(violated("query=a&limit=0").await, ["limit"]);
    assert_eq!(violated("query=a&limit=101").await, ["limit"]);
    assert_eq!(violated("strategy=a%2Fb&ranker=&limit=101").await, ["query", "strategy", "ranker", "limit"]);
    assert_eq!(violated("query=a&agent=fox-002").await, ["agent"]);
    assert_eq!(violated("query=a&limit=x").await, ["limit"]);
    assert_eq!(violated("query=a&colour=red").await, ["colour"]);
    assert_eq!(violated("query=a&exact_match=maybe&limit=x").await, ["exact_match", "limit"]);
    assert!(server.fake.asked_agents.lock().is_empty());
}

#[tokio::test]
async fn failures_of_a_search_for_agents_are_those_of_searches() {
    let (server, _) = server_with_a_fox();
    let get = async |query: &str| server.get(&format!("/api/ecs/agents/search?query={query}")).await;
    get("fail%20trap").await.problem(502, "plugin-trapped");
    get("fail%20index").await.problem(500, "internal");
    assert_eq!(get("fail%20ranker").await.problem(422, "unknown-ranker").errors[0].field, "ranker");
    get("fail%20time").await.problem(504, "timed-out");
    let away = get("world%20away").await;
    assert_eq!(away.problem(503, "unavailable").detail, "the world is being replayed");
    let post = server.post("/api/ecs/agents/search", json!({})).await;
    post.problem(405, "method-not-allowed");
}
