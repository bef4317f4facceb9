//! Searches in people's words: what reaches the service, and what is refused.

use super::*;
use crate::query::{Entity, Intent, Scope};
use crate::service::Understand;

/// What the fake makes of any query.
pub(super) fn analysis(text: &str) -> Analysis {
    Analysis {
        normalised: text.to_lowercase(),
        intent: Intent { name: "class_search".into(), confidence: 0.6 },
        entities: vec![Entity {
            kind: "identifier".into(),
            text: "TreeWalker".into(),
            value: "TreeWalker".into(),
            confidence: 0.9,
            start: 0,
            end: 10,
        }],
        expansions: vec!["visitor".into()],
        rewritten: Some("TreeWalker nodes".into()),
        filters: Scope { file_types: vec!["rs".into()], directories: vec![] },
        likely_folders: vec![],
        suggested_strategy: None,
        confidence: 0.75,
    }
}

fn wish(least_confidence: f32, otherwise: Option<&str>) -> Option<Understand> {
    Some(Understand { least_confidence, otherwise: otherwise.map(str::to_owned) })
}

#[tokio::test]
async fn each_endpoint_wants_to_be_understood_in_its_own_way() {
    let server = server();
    for (path, otherwise) in [("natural-language", None), ("intelligent", Some("smart")), ("contextual", None)] {
        let reply = server.post(&format!("/api/search/{path}"), json!({"query": "how is it done"})).await;
        assert_eq!((reply.status, &reply.body[..]), (StatusCode::OK, BODY.as_bytes()), "{path}");
        let seen = server.seen();
        assert_eq!((seen.strategy.as_str(), seen.understand), ("natural", wish(0.6, otherwise)), "{path}");
        assert!(seen.query.parameters.is_empty());
    }
    assert_eq!(server.post("/api/search/natural", json!({"query": "a"})).await.status, 200);
    assert_eq!(server.seen().understand, None);
}

#[tokio::test]
async fn all_fields_of_a_search_and_those_of_its_own_reach_the_service() {
    let server = server();
    let body = json!({
        "query": "what does (x", "max_results": 7, "file_types": ["py"], "directories": ["src"], "ranker": "fields",
        "explain": true, "confidence_threshold": 0.25, "enable_expansion": false, "parameters": {"rrf_k": 10},
        "search_modes": ["x"]
    });
    assert_eq!(server.post("/api/search/natural-language", body).await.status, 200);
    let seen = server.seen();
    assert_eq!((seen.understand, seen.max_results, seen.explain), (wish(0.25, None), 7, true));
    assert_eq!((&seen.query.scope.file_types[..], seen.ranker.as_deref()), (&["py".to_owned()][..], Some("fields")));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(seen.query.parameters, [pair("enable_expansion", "false"), pair("rrf_k", "10")]);
}

#[tokio::test]
async fn a_context_is_told_to_the_strategy_and_not_glued_to_the_text() {
    let server = server();
    let context = json!({"file_path": "src\\http\\server.rs", "function": " handle ", "class_name": null});
    let reply = server.post("/api/search/contextual", json!({"query": "where next", "context": context})).await;
    assert_eq!(reply.status, 200);
    let seen = server.seen();
    assert_eq!(seen.query.text, "where next");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(seen.query.parameters, [pair("context_file", "src/http/server.rs"), pair("context_function", "handle")]);
    // Other endpoints have none.
    server.post("/api/search/natural-language", json!({"query": "a b", "context": {"file": "x.rs"}})).await;
    assert!(server.seen().query.parameters.is_empty());
}

#[tokio::test]
async fn what_is_wrong_is_named_all_at_once() {
    let server = server();
    let body = json!({
        "query": "", "max_results": 0, "confidence_threshold": 1.5, "enable_expansion": "yes",
        "context": {"file": 3, "function": "x".repeat(1025), "line": 7, "class": "A", "class_name": "B"}
    });
    let mut violated = server.post("/api/search/contextual", body).await.violated();
    violated.sort();
    let expected = [
        "confidence_threshold",
        "context.class_name",
        "context.file",
        "context.function",
        "context.line",
        "enable_expansion",
        "max_results",
        "query",
    ];
    assert_eq!(violated, expected);
    let body = json!({"query": "a", "confidence_threshold": "high", "context": "here"});
    let mut violated = server.post("/api/search/contextual", body).await.violated();
    violated.sort();
    assert_eq!(violated, ["confidence_threshold", "context"]);
}

#[tokio::test]
async fn an_analysis_has_the_fields_of_the_earlier_api() {
    let server = server();
    let reply = server.get("/api/search/analyze-query?query=%20TreeWalker%20of%20nodes").await;
    assert_eq!(reply.status, 200);
    let expected = json!({
        "success": true,
        "query": "TreeWalker of nodes",
        "analysis": {
            "original_query": "TreeWalker of nodes", "normalized_query": "treewalker of nodes",
            "intent": "class_search", "intent_confidence": 0.6,
            "entities": [{
                "kind": "identifier", "text": "TreeWalker", "value": "TreeWalker", "confidence": 0.9,
                "start": 0, "end": 10
            }],
            "expanded_terms": ["visitor"], "rewritten_query": "TreeWalker nodes", "search_strategy": "natural",
            "code_patterns": ["TreeWalker"], "file_filters": {"file_types": ["rs"], "directories": []},
            "likely_folders": [], "confidence": 0.75
        }
    });
    assert_eq!(reply.json(), expected);
    assert_eq!(server.get("/api/search/analyze-query").await.violated(), ["query"]);
    assert_eq!(server.get("/api/search/analyze-query?query=%20&x=1").await.violated(), ["x", "query"]);
}
