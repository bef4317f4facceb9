//! Agents. What is written concerns only agents that were made for this.

use reqwest::Method;
use serde_json::json;

use super::{Ask, Case, Kind, Scene};
use crate::exchange::{Request, encoded};

/// A case that reads this very path.
macro_rules! read {
    ($path:literal) => {
        Case::get($path, |_, _| Some(Request::get($path)))
    };
}

/// A case that reads something of an agent, below its path.
macro_rules! of_agent {
    ($below:literal) => {
        Case::get(concat!("/api/ecs/agents/{id}", $below), |scene, ask| {
            Some(Request::get(format!(concat!("/api/ecs/agents/{}", $below), scene.agent(ask.number))))
        })
    };
}

/// A case that reads what a spirit has, below a path.
macro_rules! of_spirit {
    ($path:literal) => {
        Case::get(concat!($path, "/{spirit}"), |scene, _| {
            Some(Request::get(format!(concat!($path, "/{}"), scene.spirit)))
        })
    };
}

pub fn cases() -> Vec<Case> {
    [world(), agents(), society(), words(), everything()].into_iter().flatten().collect()
}

fn world() -> Vec<Case> {
    vec![
        read!("/api/ecs/status"),
        read!("/api/ecs/health"),
        read!("/api/ecs/clock"),
        read!("/api/ecs/rules"),
        read!("/api/ecs/snapshots"),
        Case::get("/api/ecs/events", |_, _| Some(Request::get("/api/ecs/events?limit=50"))),
    ]
}

fn agents() -> Vec<Case> {
    vec![
        Case::get("/api/ecs/agents", list),
        Case::post("/api/ecs/agents", create),
        Case::post("/api/ecs/agents/batch", |_, ask| {
            let agents: Vec<_> =
                (0..10).map(|place| json!({ "agent_id": format!("batch-{}-{place}", ask.number) })).collect();
            Some(Request::post("/api/ecs/agents/batch", json!({ "agents": agents })))
        }),
        // Parents rest for a year after each child, so every child has its own.
        Case::post("/api/ecs/agents/offspring", |_, ask| {
            let number = ask.number;
            let body = json!({
                "parent1_id": format!("parent-{number}-a"),
                "parent2_id": format!("parent-{number}-b"),
                "offspring_id": format!("child-{number}"),
            });
            Some(Request::post("/api/ecs/agents/offspring", body))
        })
        .after(|_, ask| {
            let parent = |which| json!({ "agent_id": format!("parent-{}-{which}", ask.number), "age": 30 });
            Some(Request::post("/api/ecs/agents/batch", json!({ "agents": [parent("a"), parent("b")] })))
        }),
        Case::get("/api/ecs/agents/search", |scene, ask| {
            let query = encoded(&scene.words(ask)?);
            Some(Request::get(format!("/api/ecs/agents/search?query={query}&limit=20")))
        })
        .text(),
        Case::get("/api/ecs/agents/positions", |_, _| Some(Request::get("/api/ecs/agents/positions?limit=100"))),
        of_agent!(""),
        Case::new(Method::DELETE, "/api/ecs/agents/{id}", Kind::Any, |_, ask| {
            Some(Request::delete(format!("/api/ecs/agents/retired-{}", ask.number)))
        })
        .after(|_, ask| {
            let body = json!({ "agent_id": format!("retired-{}", ask.number) });
            Some(Request::post("/api/ecs/agents", body))
        }),
        of_agent!("/lineage"),
        of_agent!("/mates"),
        Case::get("/api/ecs/agents/{id}/compatibility/{other}", |scene, ask| pair(scene, ask, "compatibility")),
        of_agent!("/position"),
        Case::get("/api/ecs/agents/{id}/distance/{other}", |scene, ask| pair(scene, ask, "distance")),
        of_agent!("/nearby"),
        Case::post("/api/ecs/agents/{id}/move", |scene, ask| {
            let body = json!({ "x": (ask.number % 200) as f64 - 100.0, "y": (ask.number % 90) as f64 });
            Some(Request::post(format!("/api/ecs/agents/{}/move", scene.agent(ask.number)), body))
        }),
        Case::post("/api/ecs/agents/{id}/move_towards", |scene, ask| {
            let body = json!({ "target_agent_id": scene.other(ask.number), "distance": 20 });
            Some(Request::post(format!("/api/ecs/agents/{}/move_towards", scene.agent(ask.number)), body))
        }),
    ]
}

fn society() -> Vec<Case> {
    vec![
        Case::post("/api/ecs/agents/{id}/interact", |scene, ask| {
            let body = json!({ "agent2_id": scene.other(ask.number) });
            Some(Request::post(format!("/api/ecs/agents/{}/interact", scene.agent(ask.number)), body))
        }),
        Case::post("/api/ecs/interactions", interact),
        Case::post("/api/ecs/agents/{id}/chat", |scene, ask| {
            let body = json!({ "receiver_id": scene.other(ask.number), "message": "what did you find?" });
            Some(Request::post(format!("/api/ecs/agents/{}/chat", scene.agent(ask.number)), body))
        }),
        of_agent!("/interactions"),
        of_agent!("/relationships"),
        of_agent!("/social_stats"),
        read!("/api/ecs/breeding/stats"),
    ]
}

fn words() -> Vec<Case> {
    vec![
        read!("/api/ecs/naming/animal-spirits"),
        of_spirit!("/api/ecs/naming/animal-spirits"),
        read!("/api/ecs/naming/components"),
        Case::get("/api/ecs/naming/components/{type}", |_, _| {
            Some(Request::get("/api/ecs/naming/components/designation"))
        }),
        read!("/api/ecs/naming/config"),
        read!("/api/ecs/naming/config/schemes"),
        read!("/api/ecs/naming/config/styles"),
        read!("/api/ecs/naming/config/spirits"),
        read!("/api/ecs/naming/generation-numbers"),
        of_spirit!("/api/ecs/naming/generation-numbers"),
        read!("/api/ecs/naming/enums"),
        Case::get("/api/ecs/naming/characters", |_, _| Some(Request::get("/api/ecs/naming/characters?limit=50"))),
        Case::get("/api/ecs/naming/characters/{id}", |scene, ask| {
            Some(Request::get(format!("/api/ecs/naming/characters/{}", scene.agent(ask.number))))
        }),
        read!("/api/ecs/traits/config"),
        of_spirit!("/api/ecs/traits/spirit"),
        read!("/api/ecs/traits/personality"),
        of_spirit!("/api/ecs/traits/personality"),
        read!("/api/ecs/traits/physical"),
        of_spirit!("/api/ecs/traits/physical"),
        read!("/api/ecs/traits/abilities"),
        of_spirit!("/api/ecs/traits/abilities"),
    ]
}

/// The whole world waits for each of these. In this order: time goes on afterwards, and the world of the snapshot
/// comes back last.
fn everything() -> Vec<Case> {
    let call = |path, request| Case::post(path, request).once();
    vec![
        call("/api/ecs/breeding/enable", |_, _| {
            Some(Request::post("/api/ecs/breeding/enable", json!({ "enabled": true })))
        }),
        call("/api/ecs/clock", |_, _| Some(Request::post("/api/ecs/clock", json!({ "acceleration": 1.0 })))),
        call("/api/ecs/clock/pause", |_, _| Some(Request::call("/api/ecs/clock/pause"))),
        call("/api/ecs/clock/step", |_, _| Some(Request::post("/api/ecs/clock/step", json!({ "ticks": 1 })))),
        call("/api/ecs/clock/resume", |_, _| Some(Request::call("/api/ecs/clock/resume"))),
        Case::new(Method::PUT, "/api/ecs/rules", Kind::Once, |scene, _| {
            Some(Request::put("/api/ecs/rules", json!({ "name": scene.rules })))
        }),
        call("/api/ecs/snapshots", |_, _| Some(Request::post("/api/ecs/snapshots", json!({ "name": "suite" })))),
        call("/api/ecs/replay", |_, _| Some(Request::post("/api/ecs/replay", json!({})))),
        call("/api/ecs/snapshots/{id}/restore", |scene, _| {
            Some(Request::call(format!("/api/ecs/snapshots/{}/restore", scene.snapshot)))
        }),
    ]
}

fn pair(scene: &Scene, ask: Ask, what: &str) -> Option<Request> {
    let (one, other) = (scene.agent(ask.number), scene.other(ask.number));
    Some(Request::get(format!("/api/ecs/agents/{one}/{what}/{other}")))
}

pub fn status(_: &Scene, _: Ask) -> Option<Request> {
    Some(Request::get("/api/ecs/status"))
}

pub fn list(_: &Scene, _: Ask) -> Option<Request> {
    Some(Request::get("/api/ecs/agents?limit=50"))
}

pub fn create(_: &Scene, ask: Ask) -> Option<Request> {
    Some(Request::post("/api/ecs/agents", json!({ "agent_id": format!("made-{}", ask.number) })))
}

pub fn interact(scene: &Scene, ask: Ask) -> Option<Request> {
    let body = json!({ "agent1_id": scene.agent(ask.number), "agent2_id": scene.other(ask.number) });
    Some(Request::post("/api/ecs/interactions", body))
}
