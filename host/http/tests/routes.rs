//! The good answers and the ordinary failures of searching and indexing.

use super::*;
use crate::service::facets::Facet;

#[tokio::test]
async fn a_search_answers_with_the_service_s_bytes_and_its_headers() {
    let server = server();
    for (status, expected) in [
        (CacheStatus::Hit, "corsac; hit"),
        (CacheStatus::Stale, "corsac; hit; detail=stale"),
        (CacheStatus::Shared, "corsac; hit; detail=redis"),
        (CacheStatus::Miss, "corsac; fwd=miss; stored"),
        (CacheStatus::Coalesced, "corsac; fwd=miss; collapsed"),
        (CacheStatus::Uncacheable, "corsac; fwd=miss; stored=?0"),
    ] {
        *server.fake.cache_status.lock() = status;
        let reply = server.post("/api/search/hybrid", json!({"query": "a"})).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body, BODY);
        assert_eq!(reply.header("cache-status"), expected);
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.header("etag"), "\"0123456789abcdef\"");
        assert_eq!(reply.header("corsac-freshness"), "generation=77, latest=79, checked=6, stale");
        let timing = reply.header("server-timing");
        assert!(timing.starts_with("strategy;dur=1.500, rank;dur=0.042, total;dur="), "{timing}");
    }
}

#[tokio::test]
async fn request_ids_are_the_client_s_if_sane() {
    let server = server();
    let json = ("content-type", "application/json");
    let send = async |id| {
        let headers = [json, ("x-request-id", id)];
        server.call(Method::POST, "/api/search/hybrid", &headers, r#"{"query":"a"}"#).await
    };
    assert_eq!(send("trace-42:a/b").await.header("x-request-id"), "trace-42:a/b");
    for insane in ["", "a b", "<script>", &"x".repeat(129)] {
        let made = send(insane).await.header("x-request-id").to_owned();
        assert!(made != insane && made.len() > 12, "{made}");
    }
    let (one, two) = (server.get("/healthz").await, server.get("/healthz").await);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}

#[tokio::test]
async fn every_field_reaches_the_service() {
    let server = server();
    let body = json!({
        "query": "  def authenticate ", "max_results": 30, "offset": 60, "window": 90, "facets": ["language"],
        "file_types": [".PY", "rs"],
        "directories": ["src\\http\\", "docs"], "case_sensitive": true, "whole_word": true, "context_lines": 3,
        "similarity_threshold": 0.25, "semantic_weight": 0.9, "ranker": "recency", "explain": true,
        "pattern_type": "regex", "search_type": "code", "parameters": {"rrf_k": 10, "b": "x", "a": true, "n": null}
    });
    assert_eq!(server.post("/api/search/strategy-hybrid", body.clone()).await.status, 404);
    assert_eq!(server.post("/api/search/hybrid", body).await.status, 200);
    let seen = server.seen();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!((seen.strategy.as_str(), seen.ranker.as_deref()), ("hybrid", Some("recency")));
    assert_eq!((seen.offset, seen.max_results, seen.context_lines, seen.explain), (60, 30, 3, true));
    assert_eq!((seen.query.text.as_str(), seen.query.limit), ("def authenticate", 90));
    assert_eq!(seen.facets, [Facet::Language]);
    assert_eq!(seen.query.scope.file_types, ["py", "rs"]);
    assert_eq!(seen.query.scope.directories, ["src/http", "docs"]);
    assert!(seen.query.case_sensitive && seen.query.whole_word);
    assert_eq!(seen.query.similarity_threshold, Some(0.25));
    assert_eq!(seen.query.weights, [("semantic".to_owned(), 0.9), ("syntax".to_owned(), 0.4)]);
    let expected = [
        pair("a", "true"),
        pair("b", "x"),
        pair("pattern_type", "regex"),
        pair("rrf_k", "10"),
        pair("search_type", "code"),
    ];
    assert_eq!(seen.query.parameters, expected);
}

#[tokio::test]
async fn defaults_are_those_of_the_earlier_api() {
    let server = server();
    let nothing = json!({"query": "a", "file_types": null, "offset": null, "window": null, "ranker": null});
    assert_eq!(server.post("/api/search/search", nothing).await.status, 200);
    let seen = server.seen();
    assert_eq!(seen.strategy, "smart");
    assert_eq!((seen.offset, seen.max_results, seen.context_lines, seen.explain), (0, 20, 0, false));
    assert_eq!((seen.query.limit, seen.facets.len()), (100, 0));
    assert!(!seen.query.case_sensitive && !seen.query.whole_word);
    assert!(seen.query.weights.is_empty() && seen.query.parameters.is_empty());
    assert_eq!((seen.query.similarity_threshold, seen.ranker), (None, None));
}

#[tokio::test]
async fn fields_of_the_earlier_api_are_accepted() {
    let server = server();
    let body = json!({
        "query": "a", "model": "mxbai-embed-large", "language": "py", "expand_query": true, "search_modes": ["x"],
        "enable_expansion": true, "confidence_threshold": 0.6, "context": {"file_path": "a.py"}, "search_type": "hybrid"
    });
    assert_eq!(server.post("/api/search/syntax", body).await.status, 200);
}

#[tokio::test]
async fn violations_are_named_all_at_once() {
    let server = server();
    let reply = server
        .post(
            "/api/search/hybrid",
            json!({
                "query": "", "max_results": 101, "offset": -1, "file_types": ["rs", "../x"], "directories": ["ok", "/etc"],
                "context_lines": 11, "similarity_threshold": 1.5, "semantic_weight": 0, "syntax_weight": 0,
                "pattern_type": "glob", "max_result": 3, "explain": "yes", "parameters": {"x": [1]}
            }),
        )
        .await;
    let mut violated = reply.violated();
    violated.sort();
    let expected = [
        "context_lines",
        "directories[1]",
        "explain",
        "file_types[1]",
        "max_result",
        "max_results",
        "offset",
        "parameters.x",
        "pattern_type",
        "query",
        "semantic_weight",
        "similarity_threshold",
    ];
    assert_eq!(violated, expected);
    let problem = reply.problem(422, "invalid-request");
    let unknown = problem.errors.iter().find(|error| error.field == "max_result").unwrap();
    assert!(unknown.remedy.as_ref().unwrap().contains("`max_results`"), "{unknown:?}");
    assert!(server.fake.seen.lock().is_empty());
}

#[tokio::test]
async fn each_bound_holds() {
    let server = server();
    let check = async |mut body: Value, field: Option<&str>| {
        body.as_object_mut().unwrap().entry("query").or_insert(json!("a"));
        let reply = server.post("/api/search/hybrid", body.clone()).await;
        match field {
            None => assert_eq!(reply.status, 200, "{body}"),
            Some(field) => assert_eq!(reply.violated(), [field], "{body}"),
        }
    };
    check(json!({"query": "x".repeat(4096)}), None).await;
    check(json!({"query": format!("  {}  ", "x".repeat(4096))}), None).await;
    check(json!({"query": "x".repeat(4097)}), Some("query")).await;
    check(json!({"query": " \t\n"}), Some("query")).await;
    check(json!({"query": "a\u{0}b"}), Some("query")).await;
    check(json!({"query": 5}), Some("query")).await;
    check(json!({"query": null}), Some("query")).await;
    check(json!({"max_results": 1}), None).await;
    check(json!({"max_results": 100, "offset": 900, "window": 1000}), None).await;
    // A page that reaches over the end of the window is cut there; where the window ends is the last place to ask for.
    check(json!({"max_results": 7, "offset": 98}), None).await;
    check(json!({"offset": 100}), None).await;
    check(json!({"offset": 101}), Some("offset")).await;
    check(json!({"offset": 11, "window": 10}), Some("offset")).await;
    check(json!({"offset": 1000, "window": 1000}), None).await;
    check(json!({"window": 1}), None).await;
    check(json!({"window": 0}), Some("window")).await;
    check(json!({"window": 1001}), Some("window")).await;
    check(json!({"facets": ["file_type", "language", "language"]}), None).await;
    check(json!({"facets": []}), None).await;
    check(json!({"facets": ["language", "author"]}), Some("facets[1]")).await;
    check(json!({"facets": ["language", "language", "language", "language"]}), Some("facets")).await;
    check(json!({"facets": "language"}), Some("facets")).await;
    check(json!({"max_results": 0}), Some("max_results")).await;
    check(json!({"max_results": 2.5}), Some("max_results")).await;
    check(json!({"max_results": 1e300}), Some("max_results")).await;
    check(json!({"max_results": i64::MAX}), Some("max_results")).await;
    check(json!({"offset": 1001}), Some("offset")).await;
    check(json!({"context_lines": 10}), None).await;
    check(json!({"similarity_threshold": 0}), None).await;
    check(json!({"similarity_threshold": 1}), None).await;
    check(json!({"similarity_threshold": -0.1}), Some("similarity_threshold")).await;
    check(json!({"semantic_weight": 0, "syntax_weight": 1}), None).await;
    check(json!({"semantic_weight": 1.01}), Some("semantic_weight")).await;
    check(json!({"semantic_weight": 0}), None).await;
    check(json!({"file_types": vec!["rs"; 32]}), None).await;
    check(json!({"file_types": vec!["rs"; 33]}), Some("file_types")).await;
    check(json!({"file_types": ["rs", 5]}), Some("file_types[1]")).await;
    check(json!({"directories": vec!["a"; 65]}), Some("directories")).await;
    check(json!({"ranker": ""}), Some("ranker")).await;
    check(json!({"parameters": {"": 1}}), Some("parameters.")).await;
    check(json!({"parameters": {"a": "x".repeat(1025)}}), Some("parameters.a")).await;
}

#[tokio::test]
async fn failures_of_a_search_have_their_status_and_leak_nothing() {
    let server = server();
    for (query, status, code, detail) in [
        ("fail bad query", 422, "bad-query", "unclosed group at byte 3"),
        ("fail unsupported", 422, "unsupported", "strategy-x@0.1.0 does not support this: no patterns"),
        ("fail ranker", 422, "unknown-ranker", "there is no ranker `x`; loaded: relevance"),
        ("fail plugin", 502, "plugin-failed", "strategy-x@0.1.0 failed"),
        ("fail trap", 502, "plugin-trapped", "strategy-x@0.1.0 crashed"),
        ("fail limit", 502, "plugin-limit", "strategy-x@0.1.0 exceeded its limit"),
        ("fail plugin time", 504, "plugin-timed-out", "strategy-x@0.1.0 took longer than its 250 ms"),
        ("fail overloaded", 503, "overloaded", "too many searches at once; try again in a second"),
        ("fail time", 504, "timed-out", "the search took longer than 5000 ms"),
        ("fail index", 500, "internal", "the index cannot be read; the server's log has the reason"),
        ("panic", 500, "internal", "the server failed; its log has the reason"),
    ] {
        let reply = server.post("/api/search/hybrid", json!({"query": query})).await;
        assert_eq!(reply.problem(status, code).detail, detail);
        assert_eq!(reply.header("retry-after"), if status == 503 { "1" } else { "" });
    }
    let metrics = String::from_utf8(server.get("/metrics").await.body.to_vec()).unwrap();
    assert!(metrics.contains(r#"corsac_search_failures_total{code="timed-out"} 1"#), "{metrics}");
    assert!(metrics.contains("corsac_http_requests_in_flight 1\n"), "only the scrape itself is in flight: {metrics}");
}

#[tokio::test]
async fn unknown_strategies_are_not_found_and_the_known_are_listed() {
    let reply = server().post("/api/search/fuzzy", json!({"query": "a"})).await;
    let detail = reply.problem(404, "unknown-strategy").detail;
    assert!(detail.contains("`fuzzy`") && detail.contains("hybrid, smart"), "{detail}");
    // Only whole paths are taken by other routes.
    server().post("/api/search/cache", json!({"query": "a"})).await.problem(404, "unknown-strategy");
}

#[tokio::test]
async fn fixed_routes_are_not_strategies_and_405_says_what_is_allowed() {
    let server = server();
    for (method, path, allow) in [
        (Method::POST, "/api/search/stats", "GET,HEAD"),
        (Method::POST, "/api/search/health", "GET,HEAD"),
        (Method::POST, "/api/search/performance", "GET,HEAD"),
        (Method::GET, "/api/search/index", "POST"),
        (Method::GET, "/api/search/hybrid", "POST"),
        (Method::PUT, "/api/documents", "POST"),
        (Method::DELETE, "/api/tasks/t1", "GET,HEAD"),
    ] {
        let reply =
            server.call(method.clone(), path, &[("content-type", "application/json")], r#"{"query":"a"}"#).await;
        reply.problem(405, "method-not-allowed");
        assert_eq!(reply.header("allow"), allow, "{method} {path}");
    }
    assert!(server.fake.seen.lock().is_empty());
    for path in ["/api", "/api/search", "/api/search/", "/api/search/a/b", "/api/tasks/a/b", "/nowhere"] {
        server.get(path).await.problem(404, "not-found");
    }
}

#[tokio::test]
async fn indexing_gives_a_task_to_follow() {
    let server = server();
    let body = json!({
        "project_root": "allowed", "file_types": [".rs"], "directories": ["src/"], "force_reindex": true,
        "chunk_size": 512, "overlap": 50
    });
    let reply = server.post("/api/search/index", body).await;
    assert_eq!((reply.status.as_u16(), reply.header("location")), (202, "/api/tasks/t1"));
    assert_eq!(reply.json()["state"], "queued");
    let request = server.fake.indexed.lock().pop().unwrap();
    assert_eq!(
        (request.file_types, request.directories, request.force_reindex),
        (vec!["rs".into()], vec!["src".into()], true)
    );
    assert_eq!(server.post("/api/search/index", json!({})).await.status, 202);
    assert_eq!(server.get("/api/tasks/t1").await.json()["progress"]["files"], 0);
    assert_eq!(server.get("/api/tasks").await.json()["tasks"][0]["id"], "t1");
    server.get("/api/tasks/t2").await.problem(404, "unknown-task");
}

#[tokio::test]
async fn indexing_refuses_what_is_outside() {
    let server = server();
    let refused = server.post("/api/search/index", json!({"project_root": "/etc"})).await;
    assert_eq!(refused.violated(), ["project_root"]);
    let body = json!({"project_root": " ", "directories": ["../x"], "chunk_size": 1, "overlap": 257, "rot": 1});
    let mut violated = server.post("/api/search/index", body).await.violated();
    violated.sort();
    assert_eq!(violated, ["chunk_size", "directories[0]", "overlap", "project_root", "rot"]);
}

#[tokio::test]
async fn documents_have_one_result_each_in_their_order() {
    let server = server();
    let good = |id: &str| json!({"id": id, "content": "text"});
    let list = json!([good("a"), {"path": "b", "contents": "x"}, 5, good("c"), {"id": "d", "content": 5}]);
    for body in [list.clone(), json!({"documents": list})] {
        let reply = server.post("/api/documents", body).await.json();
        assert_eq!((&reply["success"], &reply["stored"], &reply["rejected"]), (&json!(false), &json!(2), &json!(3)));
        let states: Vec<_> =
            reply["results"].as_array().unwrap().iter().map(|result| result["state"].clone()).collect();
        assert_eq!(states, ["stored", "rejected", "rejected", "stored", "rejected"]);
        assert_eq!(reply["results"][1]["path"], "b");
        assert_eq!(reply["results"][3]["path"], "c");
        assert_eq!(reply["results"][4]["errors"][0]["field"], "[4].content");
    }
    assert_eq!(server.post("/api/documents", json!({"documents": 5})).await.violated(), ["documents"]);
    assert_eq!(server.post("/api/documents", json!({"document": []})).await.violated(), ["document", "documents"]);
    let away = server.post("/api/documents", json!([{"id": "a", "content": "store away"}])).await;
    away.problem(503, "unavailable");
    assert_eq!(away.header("retry-after"), "1");
}
