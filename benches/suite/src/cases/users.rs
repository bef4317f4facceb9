//! The three kinds of users of the original's load test: their tasks by weight, how long they wait, how many there are.
//! Of its faults none is kept: ids are those of agents that exist, fields those that the server has, folders those of
//! the tree, and nothing found is not a failure.

use serde_json::json;

use super::{Ask, Make, Scene, ecs, rag, search};
use crate::exchange::{Body, Request};

pub struct Task {
    pub name: &'static str,
    /// As the OpenAPI document writes it.
    pub path: &'static str,
    /// Of all its class's requests, so many parts.
    pub weight: usize,
    pub request: Make,
}

pub struct Class {
    pub name: &'static str,
    pub tasks: &'static [Task],
    /// Seconds between two requests, at least and at most.
    pub wait: (u64, u64),
    pub users: usize,
    /// Users that come a second.
    pub spawn: usize,
    pub minutes: u64,
    /// Requests a second that the original claims.
    pub claimed: f64,
    /// Per cent of its answers that the original claims to have had in a cache.
    pub claimed_hits: Option<u64>,
}

const STRATEGY: &str = "/api/search/{strategy}";

pub const CLASSES: [Class; 3] = [
    Class {
        name: "search",
        tasks: &[
            Task {
                name: "semantic",
                path: STRATEGY,
                weight: 3,
                request: |scene, ask| {
                    // Thresholds .5 to .9, as the original's.
                    let threshold = 0.5 + (ask.number % 5) as f64 / 10.0;
                    Some(varied(search::semantic(scene, ask)?, scene, ask, "similarity_threshold", threshold.into()))
                },
            },
            Task {
                name: "syntax",
                path: STRATEGY,
                weight: 2,
                request: |scene, ask| {
                    let exact = (ask.number.is_multiple_of(3)).into();
                    Some(varied(search::syntax(scene, ask)?, scene, ask, "case_sensitive", exact))
                },
            },
            Task {
                name: "hybrid",
                path: STRATEGY,
                weight: 2,
                request: |scene, ask| {
                    Some(varied(search::hybrid(scene, ask)?, scene, ask, "semantic_weight", json!(0.6)))
                },
            },
            Task { name: "smart", path: STRATEGY, weight: 1, request: search::smart },
            Task {
                name: "health",
                path: "/api/search/health",
                weight: 1,
                request: |_, _| Some(Request::get("/api/search/health")),
            },
        ],
        wait: (1, 3),
        users: 50,
        spawn: 10,
        minutes: 5,
        claimed: 500.0,
        claimed_hits: Some(85),
    },
    Class {
        name: "ecs",
        tasks: &[
            Task { name: "status", path: "/api/ecs/status", weight: 3, request: ecs::status },
            Task { name: "create agent", path: "/api/ecs/agents", weight: 2, request: ecs::create },
            Task { name: "list agents", path: "/api/ecs/agents", weight: 2, request: ecs::list },
            Task { name: "interact", path: "/api/ecs/interactions", weight: 1, request: ecs::interact },
        ],
        wait: (2, 5),
        users: 30,
        spawn: 5,
        minutes: 3,
        claimed: 200.0,
        claimed_hits: None,
    },
    Class {
        name: "rag",
        tasks: &[
            Task { name: "query", path: "/api/rag/query", weight: 3, request: rag::query },
            Task { name: "embed", path: "/api/rag/embed", weight: 1, request: rag::embed },
            Task { name: "health", path: "/api/rag/health", weight: 1, request: rag::health },
        ],
        wait: (3, 8),
        users: 20,
        spawn: 3,
        minutes: 3,
        claimed: 100.0,
        claimed_hits: Some(70),
    },
];

impl Class {
    /// The task whose turn it is: each as often as its weight says, none long after the other.
    pub fn turn(&self, number: u64) -> Option<&'static Task> {
        let all: usize = self.tasks.iter().map(|task| task.weight).sum();
        // Steps that have no divisor in common with the sum come by all places.
        let step = (all / 2 + 1..).find(|step| divisor(*step, all) == 1)?;
        let mut place = (number as usize).wrapping_mul(step) % all;
        self.tasks.iter().find(|task| {
            let found = place < task.weight;
            place = place.saturating_sub(task.weight);
            found
        })
    }
}

fn divisor(one: usize, other: usize) -> usize {
    if other == 0 { one } else { divisor(other, one % other) }
}

/// File types, folders and sizes change from request to request, as with the original's users; always the same for
/// the same warm text, so that what is warm stays warm.
fn varied(mut request: Request, scene: &Scene, ask: Ask, field: &str, value: serde_json::Value) -> Request {
    let number = if ask.fresh { ask.number } else { ask.number % super::scene::WARM as u64 };
    if let Body::Json(body) = &mut request.body {
        body["max_results"] = (10 + number * 7 % 91).into();
        if number.is_multiple_of(3) {
            body["file_types"] = scene.file_type(number).into_iter().collect();
        }
        if number % 4 == 1 {
            body["directories"] = scene.directory(number).into_iter().collect();
        }
        if ask.fresh {
            body[field] = value;
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn tasks_come_by_their_weights() {
        for class in &CLASSES {
            let all: usize = class.tasks.iter().map(|task| task.weight).sum();
            let mut counts = BTreeMap::new();
            for number in 0..(all * 10) as u64 {
                *counts.entry(class.turn(number).unwrap().name).or_insert(0) += 1;
            }
            for task in class.tasks {
                assert_eq!(counts[task.name], task.weight * 10, "{} of {}", task.name, class.name);
            }
        }
    }

    #[test]
    fn classes_are_those_of_the_original() {
        let facts = CLASSES.each_ref().map(|class| (class.users, class.spawn, class.minutes, class.wait));
        assert_eq!(facts, [(50, 10, 5, (1, 3)), (30, 5, 3, (2, 5)), (20, 3, 3, (3, 8))]);
        let weights = CLASSES.each_ref().map(|class| class.tasks.iter().map(|task| task.weight).collect::<Vec<_>>());
        assert_eq!(weights, [vec![3, 2, 2, 1, 1], vec![3, 2, 2, 1], vec![3, 1, 1]]);
    }

    #[test]
    fn a_request_stays_within_the_bounds_whatever_its_number() {
        let scene = Scene::for_tests();
        for number in 0..500 {
            let request = (CLASSES[0].tasks[0].request)(&scene, Ask { number, fresh: true }).unwrap();
            let Body::Json(body) = request.body else { panic!("no body") };
            assert!((1..=100).contains(&body["max_results"].as_u64().unwrap()), "{body}");
            assert!((0.5..0.95).contains(&body["similarity_threshold"].as_f64().unwrap()), "{body}");
            let folders = body["directories"].as_array();
            assert!(folders.is_none_or(|folders| folders.iter().all(|folder| folder == "src" || folder == "docs")));
        }
    }
}
