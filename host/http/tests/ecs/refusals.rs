//! Failures of the world and what becomes of them, and what all routes of the world have in common.

use super::*;
use crate::ecs::view::WorldError;
use crate::rules::RulesError;
use crate::runtime::CallError;

#[tokio::test]
async fn every_parameter_has_its_bounds() {
    let (server, world) = inhabited();
    for (path, field) in [
        ("agents?limit=0", "limit"),
        ("agents?limit=1001", "limit"),
        ("agents?limit=ten", "limit"),
        ("agents?limit=-1", "limit"),
        ("agents?offset=-1", "offset"),
        ("agents?offset=1e3", "offset"),
        ("agents?active_only=maybe", "active_only"),
        ("agents?limit=1&limit=2", "limit"),
        ("agents?spirits=fox", "spirits"),
        ("agents/positions?limit=1001", "limit"),
        ("agents/a/mates?max_results=0", "max_results"),
        ("agents/a/mates?max_results=51", "max_results"),
        ("agents/a/lineage?depth=0", "depth"),
        ("agents/a/lineage?depth=11", "depth"),
        ("agents/a/nearby?radius=0", "radius"),
        ("agents/a/nearby?radius=-5", "radius"),
        ("agents/a/nearby?radius=20001", "radius"),
        ("agents/a/nearby?radius=NaN", "radius"),
        ("agents/a/nearby?radius=inf", "radius"),
        ("agents/a/nearby?limit=1001", "limit"),
        ("agents/a/interactions?limit=0", "limit"),
        ("agents/a/interactions?limit=101", "limit"),
        ("events?after=-1", "after"),
        ("events?after=9223372036854775808", "after"),
        ("events?limit=1001", "limit"),
        ("naming/characters?limit=0", "limit"),
    ] {
        assert_eq!(server.get(&format!("/api/ecs/{path}")).await.violated(), [field], "{path}");
    }
    let both = server.get("/api/ecs/agents?limit=0&offset=x&sprit=fox").await;
    let mut violated = both.violated();
    violated.sort();
    assert_eq!(violated, ["limit", "offset", "sprit"]);
    let problem = both.problem(422, "invalid-request");
    let slip = problem.errors.iter().find(|error| error.field == "sprit").unwrap();
    assert!(slip.remedy.as_ref().unwrap().contains("`spirit`"), "{slip:?}");
    assert!(world.asked.lock().is_empty());
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let (server, world) = inhabited();
    for (path, body, field) in [
        ("agents", json!({"agent_id": "batch"}), "agent_id"),
        ("agents", json!({"agent_id": "abc", "name": " "}), "name"),
        ("agents?limit=1&limit=2", json!(null), "limit"),
        ("interactions", json!({"agent1_id": "abc", "agent2_id": "abc"}), "agent2_id"),
    ] {
        let path = format!("/api/ecs/{path}");
        let reply = if body.is_null() { server.get(&path).await } else { server.post(&path, body).await };
        let errors = reply.problem(422, "invalid-request").errors;
        let told: Vec<_> = errors.iter().map(|error| (error.field.as_str(), error.remedy.is_some())).collect();
        assert_eq!(told, [(field, true)], "{path}");
    }
    assert!(world.asked.lock().is_empty());
}

#[tokio::test]
async fn what_the_world_refuses_has_its_status() {
    let (server, world) = inhabited();
    let rules = |error| WorldError::Rules(RulesError { rules: "traits-x@0.1.0".into(), call: "first-traits", error });
    let (secret, ms) = (SECRET.to_owned(), Duration::from_millis(250));
    for (error, status, code, detail) in [
        (
            WorldError::NoAgent("fox-1".into()),
            404,
            "unknown-agent",
            "there is no agent `fox-1`; /api/ecs/agents lists those that there are",
        ),
        (
            WorldError::NoSnapshot(7),
            404,
            "unknown-snapshot",
            "there is no snapshot 7; /api/ecs/snapshots lists those that there are",
        ),
        (WorldError::Conflict("the id `fox-1` is taken".into()), 409, "conflict", "the id `fox-1` is taken"),
        (WorldError::Unavailable("being replayed: 3 of 9".into()), 503, "unavailable", "being replayed: 3 of 9"),
        (WorldError::Internal(secret.clone()), 500, "internal", "the server failed; its log has the reason"),
        (rules(CallError::Trap(secret.clone())), 502, "plugin-trapped", "traits-x@0.1.0 crashed at first-traits"),
        (rules(CallError::Internal(secret.clone())), 502, "plugin-failed", "traits-x@0.1.0 failed at first-traits"),
        (rules(CallError::Contract(secret.clone())), 502, "plugin-failed", "traits-x@0.1.0 failed at first-traits"),
        (
            rules(CallError::Memory { limit: 1 }),
            502,
            "plugin-limit",
            "traits-x@0.1.0 exceeded its limit at first-traits",
        ),
        (
            rules(CallError::Output { limit: 1 }),
            502,
            "plugin-limit",
            "traits-x@0.1.0 exceeded its limit at first-traits",
        ),
        (
            rules(CallError::Timeout(ms)),
            504,
            "plugin-timed-out",
            "the rules traits-x@0.1.0 failed at first-traits: ran longer than 250 ms",
        ),
        (
            rules(CallError::Exhausted(secret.clone())),
            503,
            "overloaded",
            "traits-x@0.1.0 is busy; try again in a second",
        ),
        (rules(CallError::Unsupported(secret)), 422, "unsupported", "traits-x@0.1.0 does not support first-traits"),
        (
            rules(CallError::BadQuery("no such spirit".into())),
            422,
            "bad-query",
            "traits-x@0.1.0 refuses first-traits: no such spirit",
        ),
    ] {
        *world.failure.lock() = Some(error);
        for reply in [
            server.post("/api/ecs/agents", json!({"agent_id": "fox-1"})).await,
            server.get("/api/ecs/agents/fox-1").await,
            server.get("/api/ecs/agents/fox-1/mates").await,
        ] {
            assert_eq!(reply.problem(status, code).detail, detail);
            assert_eq!(reply.header("retry-after"), if status == 503 { "1" } else { "" });
        }
    }
    *world.failure.lock() =
        Some(WorldError::Invalid { field: "agents[3].spirit".into(), message: "is not known".into() });
    let batch = json!({"agents": [{"agent_id": "abc"}]});
    assert_eq!(server.post("/api/ecs/agents/batch", batch).await.violated(), ["agents[3].spirit"]);
    *world.failure.lock() = Some(WorldError::NoAgent("x".repeat(5000)));
    let detail = server.get("/api/ecs/agents/x").await.problem(404, "unknown-agent").detail;
    assert!(detail.len() < 150, "{detail}");
}

#[tokio::test]
async fn without_a_world_every_route_of_it_says_so() {
    let server = server();
    for (route, _) in super::super::super::ecs::routes() {
        let path = route.replace(['{', '}'], "");
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            let reply = server.call(method, &path, &[JSON], "{}").await;
            if reply.status != 405 {
                let detail = reply.problem(404, "not-found").detail;
                assert!(detail.contains("ecs.enabled"), "{path}: {detail}");
            }
        }
    }
}

#[tokio::test]
async fn a_world_that_is_away_is_not_an_empty_one() {
    let (server, world) = inhabited();
    let lists = ["agents", "agents/positions", "naming/characters", "clock", "breeding/stats", "naming/animal-spirits"];
    for condition in ["replaying", "elsewhere", "failed"] {
        *world.condition.lock() = Some(condition.into());
        for path in lists {
            let reply = server.get(&format!("/api/ecs/{path}")).await;
            assert!(reply.problem(503, "unavailable").detail.contains(condition));
            assert_eq!(reply.header("retry-after"), "1");
        }
        assert_eq!(server.get("/api/ecs/status").await.json()["status"], condition);
        let health = server.get("/api/ecs/health").await;
        if condition == "failed" {
            health.problem(503, "unavailable");
        } else {
            assert_eq!(health.json(), json!({"status": "degraded", "service": "ecs", "world": condition}));
        }
    }
    for condition in ["running", "paused"] {
        *world.condition.lock() = Some(condition.into());
        for path in lists {
            assert_eq!(server.get(&format!("/api/ecs/{path}")).await.status, 200, "{path}");
        }
        let health = server.get("/api/ecs/health").await.json();
        assert_eq!(health, json!({"status": "healthy", "service": "ecs", "world": condition}));
    }
    let status = server.get("/api/ecs/status").await.json();
    assert_eq!((&status["agent_count"], &status["rules"]), (&json!(3), &json!("traits-classic@0.1.0")));
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_ones() {
    let (server, world) = inhabited();
    for (method, path, allow) in [
        (Method::POST, "status", "GET,HEAD"),
        (Method::PUT, "agents", "GET,HEAD,POST"),
        (Method::DELETE, "agents", "GET,HEAD,POST"),
        (Method::GET, "agents/batch", "POST"),
        (Method::GET, "agents/offspring", "POST"),
        (Method::POST, "agents/positions", "GET,HEAD"),
        (Method::PUT, "agents/fox-1", "DELETE,GET,HEAD"),
        (Method::GET, "agents/fox-1/move", "POST"),
        (Method::GET, "interactions", "POST"),
        (Method::POST, "rules", "GET,HEAD,PUT"),
        (Method::DELETE, "snapshots", "GET,HEAD,POST"),
        (Method::GET, "replay", "POST"),
        (Method::POST, "events", "GET,HEAD"),
    ] {
        let reply = server.call(method.clone(), &format!("/api/ecs/{path}"), &[JSON], "{}").await;
        reply.problem(405, "method-not-allowed");
        assert_eq!(reply.header("allow"), allow, "{method} {path}");
    }
    for path in ["", "/", "/agents/a/b", "/agents/a/compatibility", "/spirit-inhabitation/interactions"] {
        server.get(&format!("/api/ecs{path}")).await.problem(404, "not-found");
    }
    assert!(world.asked.lock().is_empty());
}

#[tokio::test]
async fn documented_bodies_are_those_that_are_taken() {
    let (server, _) = inhabited();
    let document = server.get("/openapi.json").await.json();
    for (path, method) in [
        ("/api/ecs/agents", "post"),
        ("/api/ecs/agents/batch", "post"),
        ("/api/ecs/agents/offspring", "post"),
        ("/api/ecs/agents/{id}/move", "post"),
        ("/api/ecs/agents/{id}/move_towards", "post"),
        ("/api/ecs/agents/{id}/interact", "post"),
        ("/api/ecs/agents/{id}/chat", "post"),
        ("/api/ecs/interactions", "post"),
        ("/api/ecs/breeding/enable", "post"),
        ("/api/ecs/clock", "post"),
        ("/api/ecs/clock/step", "post"),
        ("/api/ecs/rules", "put"),
        ("/api/ecs/snapshots", "post"),
        ("/api/ecs/replay", "post"),
    ] {
        let body = &document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"];
        // One that may be left out is itself or null.
        let mut forms = body["oneOf"].as_array().into_iter().flatten().chain([body]);
        let reference = forms.find_map(|form| form["$ref"].as_str()).unwrap_or_else(|| panic!("{path}: {body}"));
        let schema = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        // A documented field of a wrong type is refused by its name, not as an unknown one.
        let verb = method.to_uppercase().parse().unwrap();
        let wrong: Value = keys(&schema["properties"]).iter().map(|name| ((*name).to_owned(), json!([{}]))).collect();
        let reply = server.call(verb, &path.replace(['{', '}'], ""), &[JSON], wrong.to_string()).await;
        let problem = reply.problem(422, "invalid-request");
        assert!(
            problem.errors.iter().all(|error| !error.message.contains("not a field")),
            "{path}: {:?}",
            problem.errors
        );
    }
}
