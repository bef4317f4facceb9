//! Searches, suggestions, and what a server says about itself.

use reqwest::Method;
use serde_json::json;

use super::{Ask, Case, Kind, Scene};
use crate::exchange::{Request, encoded};

const SEARCH: &str = "/api/search/{strategy}";
const EVENTS: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";

pub fn cases() -> Vec<Case> {
    vec![
        Case::post(SEARCH, semantic).text().way("semantic"),
        Case::post(SEARCH, syntax).text().way("syntax"),
        Case::post(SEARCH, hybrid).text().way("hybrid"),
        Case::post(SEARCH, smart).text().way("smart"),
        Case::post(SEARCH, hybrid).text().way("hybrid, events").form(EVENTS),
        Case::post(SEARCH, all).text().way("syntax, all as lines").form(LINES),
        Case::post("/api/search/natural-language", |scene, ask| words("natural-language", scene, ask)).text(),
        Case::post("/api/search/intelligent", |scene, ask| words("intelligent", scene, ask)).text(),
        Case::post("/api/search/contextual", contextual).text(),
        Case::get("/api/search/analyze-query", |scene, ask| {
            Some(Request::get(format!("/api/search/analyze-query?query={}", encoded(&scene.words(ask)?))))
        })
        .text(),
        Case::get("/api/search/suggestions", |scene, ask| suggestions("suggestions", scene, ask)).text(),
        Case::get("/api/search/suggestions/intelligent", |scene, ask| {
            suggestions("suggestions/intelligent", scene, ask)
        })
        .text(),
        Case::post("/api/search/feedback", |scene, ask| {
            let query = scene.words(Ask { fresh: false, ..ask })?;
            Some(Request::post("/api/search/feedback", json!({ "query": query, "file_path": scene.document })))
        }),
        Case::get("/api/search/usage", |_, _| Some(Request::get("/api/search/usage"))),
        Case::get("/api/search/stats", |_, _| Some(Request::get("/api/search/stats"))),
        Case::get("/api/search/health", |_, _| Some(Request::get("/api/search/health"))),
        Case::get("/api/search/performance", |_, _| Some(Request::get("/api/search/performance"))),
        Case::get("/api/search/performance/history", |_, _| Some(Request::get("/api/search/performance/history"))),
        Case::get("/api/search/database", |_, _| Some(Request::get("/api/search/database"))),
        // These concern everything that is remembered, cached or indexed.
        Case::new(Method::DELETE, "/api/search/usage", Kind::Once, |_, _| Some(Request::delete("/api/search/usage"))),
        Case::post("/api/search/cache/clear", |_, _| Some(Request::call("/api/search/cache/clear"))).once(),
        Case::post("/api/search/index", |_, _| Some(Request::post("/api/search/index", json!({})))).once(),
    ]
}

fn words(path: &str, scene: &Scene, ask: Ask) -> Option<Request> {
    Some(Request::post(format!("/api/search/{path}"), json!({ "query": scene.words(ask)?, "max_results": 20 })))
}

pub fn semantic(scene: &Scene, ask: Ask) -> Option<Request> {
    words("semantic", scene, ask)
}

pub fn hybrid(scene: &Scene, ask: Ask) -> Option<Request> {
    words("hybrid", scene, ask)
}

pub fn smart(scene: &Scene, ask: Ask) -> Option<Request> {
    words("search", scene, ask)
}

pub fn syntax(scene: &Scene, ask: Ask) -> Option<Request> {
    let body = json!({ "query": scene.names(ask)?, "pattern_type": "regex", "max_results": 50 });
    Some(Request::post("/api/search/syntax", body))
}

fn all(scene: &Scene, ask: Ask) -> Option<Request> {
    let body = json!({ "query": scene.names(ask)?, "pattern_type": "regex" });
    Some(Request::post("/api/search/syntax", body))
}

fn contextual(scene: &Scene, ask: Ask) -> Option<Request> {
    // The folder goes with the text, so that a warm question is the same one again.
    let folder = scene.directory(ask.number % super::scene::WARM as u64).unwrap_or_default();
    let file = format!("{folder}/main.rs");
    let body = json!({ "query": scene.words(ask)?, "context": { "file": file }, "max_results": 20 });
    Some(Request::post("/api/search/contextual", body))
}

fn suggestions(path: &str, scene: &Scene, ask: Ask) -> Option<Request> {
    let prefix = encoded(&scene.prefix(ask)?);
    Some(Request::get(format!("/api/search/{path}?query={prefix}&max_suggestions=10")))
}
