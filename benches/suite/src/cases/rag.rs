//! Passages, vectors and documents for language models. No answers in words: those measure somebody else's model.

use reqwest::Method;
use serde_json::json;

use super::{Ask, Case, Kind, Scene};
use crate::exchange::{Body, Request};

pub fn cases() -> Vec<Case> {
    vec![
        Case::post("/api/rag/query", query).text(),
        Case::post("/api/rag/embed", embed).text(),
        Case::post("/v1/embeddings", |scene, ask| {
            let texts = [scene.words(ask)?, scene.words(ask)?];
            Some(Request::post("/v1/embeddings", json!({ "input": texts, "model": scene.model })))
        })
        .text(),
        Case::get("/v1/models", |_, _| Some(Request::get("/v1/models"))),
        Case::post("/api/rag/ingest", |scene, ask| {
            let item = json!({ "source": format!("suite/{}.md", ask.number), "content": scene.words(ask)? });
            Some(Request::post("/api/rag/ingest", json!({ "items": [item] })))
        }),
        Case::post("/api/rag/ingest/stream", |scene, ask| {
            let mut lines = String::new();
            for place in 0..10 {
                let source = format!("suite/stream-{}-{place}.md", ask.number);
                lines += &format!("{}\n", json!({ "source": source, "content": scene.words(ask)? }));
            }
            let request = Request::call("/api/rag/ingest/stream");
            Some(Request { method: Method::POST, body: Body::Lines(lines), ..request })
        }),
        Case::get("/api/rag/config", |_, _| Some(Request::get("/api/rag/config"))),
        // Nothing may be changed this way; what is measured is that it says so.
        Case::post("/api/rag/config", |_, _| Some(Request::post("/api/rag/config", json!({})))),
        Case::get("/api/rag/health", health),
        Case::get("/api/rag/admin/stats", |_, _| Some(Request::get("/api/rag/admin/stats"))),
        Case::get("/api/rag/admin/indexing-status", |_, _| Some(Request::get("/api/rag/admin/indexing-status"))),
        Case::new(Method::POST, "/api/rag/admin/clear-cache", Kind::Once, |_, _| {
            Some(Request::call("/api/rag/admin/clear-cache"))
        }),
        Case::new(Method::POST, "/api/rag/admin/rebuild-index", Kind::Once, |_, _| {
            Some(Request::call("/api/rag/admin/rebuild-index"))
        }),
    ]
}

pub fn query(scene: &Scene, ask: Ask) -> Option<Request> {
    Some(Request::post("/api/rag/query", json!({ "q": scene.words(ask)?, "top_k": 20 })))
}

pub fn embed(scene: &Scene, ask: Ask) -> Option<Request> {
    let texts = [scene.words(ask)?, scene.words(ask)?, scene.words(ask)?];
    Some(Request::post("/api/rag/embed", json!({ "texts": texts })))
}

pub fn health(_: &Scene, _: Ask) -> Option<Request> {
    Some(Request::get("/api/rag/health"))
}
