//! The clock, the rules, snapshots and replays over HTTP.

use super::*;

const CLOCK: &str = "acceleration paused tick tick_ms world_time years";
const RULES: &str = "current digest first_used name version";

#[tokio::test]
async fn the_clock_is_set_and_stepped() {
    order("clock", r#"{"acceleration":0.1,"paused":true}"#, "set_clock Some(0.1) Some(true)", CLOCK).await;
    order("clock", r#"{"acceleration":100}"#, "set_clock Some(100.0) None", CLOCK).await;
    order("clock/pause", "", "set_clock None Some(true)", CLOCK).await;
    order("clock/resume", "", "set_clock None Some(false)", CLOCK).await;
    order("clock/step", "", "step 1", CLOCK).await;
    order("clock/step", r#"{"ticks":10000}"#, "step 10000", CLOCK).await;
}

#[tokio::test]
async fn rules_snapshots_and_replays_reach_the_world_with_their_defaults() {
    check(Method::PUT, "/api/ecs/rules", r#"{"name":"drift"}"#, "set_rules drift", RULES).await;
    let snapshot = "agents created_at digest id name sequence size_bytes tick";
    order("snapshots", "", "save_snapshot None", snapshot).await;
    order("snapshots", r#"{"name":"before"}"#, r#"save_snapshot Some("before")"#, snapshot).await;
    let replay = "digest equal events from_sequence live_digest to_sequence took_ms";
    order("replay", "", "replay None", replay).await;
    order("replay", r#"{"from_snapshot":7}"#, "replay Some(7)", replay).await;
    assert_eq!(good(Method::POST, "/api/ecs/snapshots/7/restore", "").await.1, "restore 7");
    check(Method::GET, "/api/ecs/rules", "", "rules_used", "rules").await;
    check(Method::GET, "/api/ecs/snapshots", "", "snapshots", "snapshots").await;
}

#[tokio::test]
async fn the_clock_is_checked_field_by_field() {
    refuses("clock", json!({"acceleration": 0.09}), &["acceleration"]).await;
    refuses("clock", json!({"acceleration": 100.1}), &["acceleration"]).await;
    refuses("clock/step", json!({"ticks": 0}), &["ticks"]).await;
    refuses("clock/step", json!({"ticks": 10_001}), &["ticks"]).await;
    refuses("clock/step", json!({"ticks": -1}), &["ticks"]).await;
    let (server, _) = inhabited();
    server.call(Method::POST, "/api/ecs/clock/step", &[], "{}").await.problem(415, "unsupported-media-type");
}

#[tokio::test]
async fn rules_snapshots_and_replays_are_checked_field_by_field() {
    refuses("rules", json!({}), &["name"]).await;
    refuses("rules", json!({"name": ""}), &["name"]).await;
    refuses("snapshots", json!({"name": ""}), &["name"]).await;
    refuses("snapshots", json!({"name": "x".repeat(101)}), &["name"]).await;
    refuses("replay", json!({"from_snapshot": "one"}), &["from_snapshot"]).await;
}

#[tokio::test]
async fn snapshots_without_a_number_are_unknown() {
    let (server, world) = inhabited();
    for id in ["first", "-1", "9223372036854775808", "1.0"] {
        let path = format!("/api/ecs/snapshots/{id}/restore");
        server.call(Method::POST, &path, &[], "").await.problem(404, "unknown-snapshot");
    }
    let body = json!({"from_snapshot": u64::MAX});
    server.post("/api/ecs/replay", body).await.problem(404, "unknown-snapshot");
    assert!(world.asked.lock().is_empty());
}
