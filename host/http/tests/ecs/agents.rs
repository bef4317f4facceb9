//! Agents over HTTP: the list, one agent, new ones, children, and the end of one.

use super::*;

#[tokio::test]
async fn one_agent_is_shown_whole() {
    let (reply, asked) = good(Method::GET, "/api/ecs/agents/fox-1", "").await;
    let detail = reply.json();
    assert_eq!(asked, "agent fox-1");
    assert_eq!((&detail["agent_id"], &detail["personality"]["cunning"]), (&json!("fox-1"), &json!(0.75)));
    assert_eq!(detail["position"]["target_x"], 3.0);
}

#[tokio::test]
async fn comings_and_goings_reach_the_world() {
    order("agents", r#"{"agent_id":"fox-9"}"#, "create fox-9 None None None", AGENT).await;
    let body = r#"{"agent_id":"fox_9","spirit":"wolf","style":"exo","name":"Ü","x":-10000,"y":1e4,"age":20,"gender_identity":"agender","gender_expression":null}"#;
    order("agents", body, r#"create fox_9 Some("wolf") Some(-10000.0) Some(20.0)"#, AGENT).await;
    let two = r#"{"agents":[{"agent_id":"a-1"},{"agent_id":"a-2"}]}"#;
    order("agents/batch", two, r#"create_many ["a-1", "a-2"]"#, "agents count").await;
    let body = r#"{"parent1_id":"a","parent2_id":"b","offspring_id":"child"}"#;
    order("agents/offspring", body, "breed a b child", AGENT).await;
    check(Method::DELETE, "/api/ecs/agents/fox-1", "", "retire fox-1", "").await;
}

#[tokio::test]
async fn new_agents_answer_200_with_their_place_and_snapshots_201() {
    // The earlier API's benchmark counts everything but 200 as a failure.
    let (reply, _) = good(Method::POST, "/api/ecs/agents", r#"{"agent_id":"fox-9"}"#).await;
    assert_eq!((reply.status.as_u16(), reply.header("location")), (200, "/api/ecs/agents/fox-9"));
    let body = r#"{"parent1_id":"a","parent2_id":"b","offspring_id":"child"}"#;
    let (reply, _) = good(Method::POST, "/api/ecs/agents/offspring", body).await;
    assert_eq!((reply.status.as_u16(), reply.header("location")), (200, "/api/ecs/agents/child"));
    assert_eq!(good(Method::POST, "/api/ecs/snapshots", "").await.0.status, 201);
    assert_eq!(good(Method::DELETE, "/api/ecs/agents/fox-1", "").await.0.status, 204);
    let (reply, _) = good(Method::POST, "/api/ecs/interactions", r#"{"agent1_id":"f","agent2_id":"w"}"#).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["success"], true);
    assert_eq!(reply.json()["interaction"]["outcome"], "partial_success");
}

#[tokio::test]
async fn lists_come_in_pages_that_link_to_the_next() {
    let (server, world) = inhabited();
    for (path, list, total) in [
        ("/api/ecs/agents", "agents", "total"),
        ("/api/ecs/agents/positions", "positions", "total_agents"),
        ("/api/ecs/naming/characters", "characters", "total"),
    ] {
        let mut next = Some(path.to_owned());
        let mut ids = vec![];
        let mut sizes = vec![];
        while let Some(path) = next {
            let reply = server.get(&path).await;
            let body = reply.json();
            assert_eq!((&body[total], &body["limit"]), (&json!(TOTAL), &json!(50)), "{path}");
            let items = body[list].as_array().unwrap();
            sizes.push(items.len());
            ids.extend(items.iter().map(|item| item["agent_id"].as_str().unwrap().to_owned()));
            let link = reply.header("link");
            next = link.strip_prefix('<').map(|link| link.strip_suffix(">; rel=\"next\"").unwrap().to_owned());
        }
        assert_eq!(sizes, [50, 50, 20], "{path}");
        assert_eq!(ids, (0..TOTAL).map(|at| format!("a-{at}")).collect::<Vec<_>>());
    }
    let reply = server.get("/api/ecs/agents?offset=10&spirit=f%26x&limit=1&active_only=false").await;
    let next = "</api/ecs/agents?spirit=f%26x&limit=1&active_only=false&offset=11>; rel=\"next\"";
    assert_eq!(reply.header("link"), next);
    assert_eq!(world.last(), r#"agents Some("f&x") None false"#);
    server.get("/api/ecs/agents?style=exo").await;
    assert_eq!(world.last(), r#"agents None Some("exo") true"#);
    let beyond = server.get("/api/ecs/agents?offset=500").await;
    assert_eq!((beyond.json()["agents"].as_array().unwrap().len(), beyond.header("link")), (0, ""));
}

#[tokio::test]
async fn new_agents_are_checked_field_by_field() {
    let with = |field: &str, value: Value| {
        let mut body = json!({"agent_id": "fox-1"});
        body[field] = value;
        body
    };
    for id in ["", "ab", &"x".repeat(51), "a b c", "füchse", "a/b", "search", "positions", "batch", "offspring"] {
        refuses("agents", json!({"agent_id": id}), &["agent_id"]).await;
    }
    refuses("agents", json!({}), &["agent_id"]).await;
    refuses("agents", json!({"agent_id": null}), &["agent_id"]).await;
    refuses("agents", json!({"agent_id": 5}), &["agent_id"]).await;
    refuses("agents", with("name", json!("x".repeat(101))), &["name"]).await;
    refuses("agents", with("name", json!(" ")), &["name"]).await;
    refuses("agents", with("name", json!("a\u{7}b")), &["name"]).await;
    refuses("agents", with("spirit", json!("")), &["spirit"]).await;
    refuses("agents", with("style", json!(7)), &["style"]).await;
    refuses("agents", with("x", json!(10_000.5)), &["x"]).await;
    refuses("agents", with("y", json!(-10_001)), &["y"]).await;
    refuses("agents", with("y", json!(1e300)), &["y"]).await;
    refuses("agents", with("x", json!("1")), &["x"]).await;
    refuses("agents", with("age", json!(-0.1)), &["age"]).await;
    refuses("agents", with("gender_identity", json!("fox")), &["gender_identity"]).await;
    refuses("agents", with("gender_expression", json!("loud")), &["gender_expression"]).await;
    refuses("agents", with("spirt", json!("fox")), &["spirt"]).await;
    let all = json!({"agent_id": "a", "name": "", "x": 1e9, "y": "no", "age": -1, "agent": 1});
    refuses("agents", all, &["age", "agent", "agent_id", "name", "x", "y"]).await;
    let longest = with("name", json!("ü".repeat(100))).to_string();
    good(Method::POST, "/api/ecs/agents", &longest).await;
}

#[tokio::test]
async fn a_batch_names_the_agent_that_is_wrong() {
    let batch = |agents: Value| json!({"agents": agents});
    let agent = |id: &str| json!({"agent_id": id});
    refuses("agents/batch", json!({}), &["agents"]).await;
    refuses("agents/batch", batch(json!([])), &["agents"]).await;
    refuses("agents/batch", batch(json!("fox")), &["agents"]).await;
    refuses("agents/batch", json!([agent("abc")]), &[""]).await;
    let many: Vec<Value> = (0..1001).map(|at| agent(&format!("a-{at}"))).collect();
    refuses("agents/batch", batch(json!(many)), &["agents"]).await;
    let wrong =
        json!([agent("abc"), {"agent_id": "a", "x": 1e9}, 5, {"agent_id": "def", "sprit": "fox"}, agent("abc"), {}]);
    let expected = [
        "agents[1].agent_id",
        "agents[1].x",
        "agents[2]",
        "agents[3].sprit",
        "agents[4].agent_id",
        "agents[5].agent_id",
    ];
    refuses("agents/batch", batch(wrong), &expected).await;
    let (reply, _) = good(Method::POST, "/api/ecs/agents/batch", &batch(json!(many[..1000])).to_string()).await;
    assert_eq!(reply.json()["count"], 1000);
    assert_eq!(reply.json()["agents"][999]["agent_id"], "a-999");
    // A hostile batch gets a short answer.
    let (server, _) = inhabited();
    let reply = server.post("/api/ecs/agents/batch", batch(json!(vec![json!({}); 1000]))).await;
    assert_eq!(reply.violated().len(), 50);
    let huge = batch(json!([{"agent_id": "abc", "name": "x".repeat(1 << 20)}]));
    server.post("/api/ecs/agents/batch", huge).await.problem(413, "body-too-large");
}

#[tokio::test]
async fn parents_are_checked_field_by_field() {
    let offspring = |first: &str, second: &str, child: &str| json!({"parent1_id": first, "parent2_id": second, "offspring_id": child});
    refuses("agents/offspring", json!({}), &["offspring_id", "parent1_id", "parent2_id"]).await;
    refuses("agents/offspring", offspring("a", "a", "child"), &["parent2_id"]).await;
    refuses("agents/offspring", offspring("a", "b", "c!"), &["offspring_id"]).await;
}
