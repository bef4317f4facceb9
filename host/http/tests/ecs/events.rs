//! What happened, over HTTP.

use super::world::{LAST_EVENT, event};
use super::*;
use crate::ecs::view::{EventView, WorldError};

#[tokio::test]
async fn events_come_in_pages_up_to_the_last() {
    let (server, _) = inhabited();
    let first = server.get("/api/ecs/events?limit=3").await;
    let body = first.json();
    assert_eq!((&body["last"], &body["more"], body["events"].as_array().unwrap().len()), (&json!(3), &json!(true), 3));
    assert_eq!(body["events"][0], serde_json::to_value(event(1)).unwrap());
    assert_eq!(first.header("link"), "</api/ecs/events?limit=3&after=3>; rel=\"next\"");
    let last = server.get("/api/ecs/events?limit=3&after=3").await;
    let body = last.json();
    assert_eq!((&body["last"], &body["more"], last.header("link")), (&json!(LAST_EVENT), &json!(false), ""));
    let beyond = server.get("/api/ecs/events?after=99").await.json();
    assert_eq!(beyond, json!({"events": [], "last": 99, "more": false}));
}

/// Events of a stream until there are `count`, each as its id, its kind and its data.
async fn streamed(
    server: &Server,
    path: &str,
    last_id: Option<&str>,
    count: usize,
) -> Vec<(String, String, EventView)> {
    let mut request = Request::builder().uri(path).header("accept", "text/event-stream");
    if let Some(id) = last_id {
        request = request.header("last-event-id", id);
    }
    let response = server.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let mut body = response.into_body().into_data_stream();
    let mut text = String::new();
    while text.matches("\n\n").count() < count {
        let chunk = tokio::time::timeout(Duration::from_secs(60), body.next()).await.unwrap().unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let field = |block: &str, name: &str| {
        block.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap().to_owned()
    };
    let told =
        |block: &str| (field(block, "id"), field(block, "event"), serde_json::from_str(&field(block, "data")).unwrap());
    text.split("\n\n").filter(|block| !block.is_empty()).map(told).collect()
}

#[tokio::test]
async fn a_stream_goes_on_where_the_client_left_it() {
    let (server, world) = inhabited();
    *world.later.lock() = vec![event(6)];
    let told = |sequence: u64| {
        (sequence.to_string(), if sequence == 1 { "genesis" } else { "created" }.to_owned(), event(sequence))
    };
    let path = "/api/ecs/events";
    assert_eq!(streamed(&server, path, None, 1).await, [told(6)]);
    assert_eq!(world.last(), "watch None");
    assert_eq!(streamed(&server, path, Some("4"), 2).await, [told(5), told(6)]);
    assert_eq!(world.last(), "watch Some(4)");
    let all: Vec<_> = (1..=6).map(told).collect();
    assert_eq!(streamed(&server, &format!("{path}?after=0"), None, 6).await, all);
    // A browser that comes back sends both; the header is the newer.
    assert_eq!(streamed(&server, &format!("{path}?after=0"), Some("5"), 1).await, [told(6)]);
    for wrong in ["x", "-1", "9223372036854775808"] {
        let headers = [("accept", "text/event-stream"), ("last-event-id", wrong)];
        let reply = server.call(Method::GET, path, &headers, "").await;
        assert_eq!(reply.violated(), ["last-event-id"]);
    }
    *world.failure.lock() = Some(WorldError::Unavailable("it is away".into()));
    let reply = server.call(Method::GET, path, &[("accept", "text/event-stream")], "").await;
    reply.problem(503, "unavailable");
}

#[tokio::test]
async fn a_stop_ends_streams_of_events() {
    let (server, _) = inhabited();
    let request = Request::builder().uri("/api/ecs/events?after=0").header("accept", "text/event-stream");
    let response = server.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    server.options.closing.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(60), to_bytes(response.into_body(), 1 << 20)).await;
    ended.unwrap().unwrap();
}
