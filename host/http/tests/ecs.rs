//! The world of agents over HTTP, with a world that only writes down what it is asked.

/// Who there is, who comes, who goes.
mod agents;
/// What happened, as pages and as a stream.
mod events;
/// Time, rules, snapshots, replay.
mod history;
/// Who is related to whom, and who may be.
mod kin;
/// Names and traits.
mod naming;
/// Failures of the world, and what concerns all of its routes.
mod refusals;
/// What passes between agents.
mod social;
/// Where agents are, and where they go.
mod space;
/// The fake.
mod world;

use self::world::{FakeWorld, TOTAL};
use super::*;

const JSON: (&str, &str) = ("content-type", "application/json");

fn inhabited() -> (Server, Arc<FakeWorld>) {
    let (server, world) = (server(), Arc::new(FakeWorld::default()));
    *server.fake.world.lock() = Some(world.clone());
    (server, world)
}

/// The answer of a good request, as `METHOD path body`, and what the world was asked by it.
async fn good(method: Method, path: &str, body: &str) -> (Reply, String) {
    let (server, world) = inhabited();
    let reply = server.call(method.clone(), path, &[JSON], body.to_owned()).await;
    assert!(reply.status.is_success(), "{method} {path} {body}: {}", String::from_utf8_lossy(&reply.body));
    (reply, world.last())
}

/// Names of the fields of an object, sorted.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("{value}")).keys().map(String::as_str).collect()
}

/// A good request asks the world exactly this and answers with exactly these fields.
async fn check(method: Method, path: &str, body: &str, asks: &str, fields: &str) {
    let (reply, asked) = good(method.clone(), path, body).await;
    assert_eq!(asked, asks, "{method} {path}");
    let value = if reply.body.is_empty() { json!({}) } else { reply.json() };
    assert_eq!(keys(&value).join(" "), fields, "{method} {path}");
}

/// The same for a question about one agent.
async fn about(path: &str, asks: &str, fields: &str) {
    check(Method::GET, &format!("/api/ecs/agents/fox-1/{path}"), "", asks, fields).await;
}

/// The same for a command.
async fn order(path: &str, body: &str, asks: &str, fields: &str) {
    check(Method::POST, &format!("/api/ecs/{path}"), body, asks, fields).await;
}

/// A body that violates exactly these fields.
async fn refuses(path: &str, body: Value, fields: &[&str]) {
    let (server, world) = inhabited();
    let method = if path == "rules" { Method::PUT } else { Method::POST };
    let reply = server.call(method, &format!("/api/ecs/{path}"), &[JSON], body.to_string()).await;
    let mut violated = reply.violated();
    violated.sort();
    assert_eq!(violated, fields, "{path} {body}");
    assert!(world.asked.lock().is_empty(), "{path} {body}");
}

const AGENT: &str = "active agent_id generation name spirit style";
