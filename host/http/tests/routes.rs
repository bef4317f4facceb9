//! The good answers and the ordinary failures of every route.

use super::*;
use crate::telemetry::LatencyFigures;
use crate::telemetry::history::Sample;

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
        "query": "  def authenticate ", "max_results": 30, "offset": 60, "file_types": [".PY", "rs"],
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
    let nothing = json!({"query": "a", "file_types": null, "offset": null, "ranker": null});
    assert_eq!(server.post("/api/search/search", nothing).await.status, 200);
    let seen = server.seen();
    assert_eq!(seen.strategy, "smart");
    assert_eq!((seen.offset, seen.max_results, seen.context_lines, seen.explain), (0, 20, 0, false));
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
    check(json!({"max_results": 100, "offset": 900}), None).await;
    check(json!({"max_results": 0}), Some("max_results")).await;
    check(json!({"max_results": 2.5}), Some("max_results")).await;
    check(json!({"max_results": 1e300}), Some("max_results")).await;
    check(json!({"max_results": i64::MAX}), Some("max_results")).await;
    check(json!({"offset": 901}), Some("offset")).await;
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
        ("fail index", 500, "internal", "the index cannot be read"),
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
    for path in ["/", "/api", "/api/search", "/api/search/", "/api/search/a/b", "/api/tasks/a/b", "/nowhere"] {
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

#[tokio::test]
async fn status_pages_have_the_fields_of_the_earlier_api_and_true_figures() {
    let server = server();
    *server.fake.cache_status.lock() = CacheStatus::Hit;
    for _ in 0..4 {
        server.post("/api/search/syntax", json!({"query": "a"})).await;
    }
    *server.fake.cache_status.lock() = CacheStatus::Miss;
    server.post("/api/search/syntax", json!({"query": "a"})).await;
    server.post("/api/search/syntax", json!({"query": "fail trap"})).await;

    let stats = server.get("/api/search/stats").await.json();
    assert_eq!((&stats["total_files_indexed"], &stats["total_chunks"]), (&json!(1250), &json!(5000)));
    assert_eq!((&stats["index_size_mb"], &stats["search_count"]), (&json!(3.0), &json!(5)));
    assert_eq!((&stats["cache_hit_rate"], &stats["last_indexed"]), (&json!(80.0), &json!("2026-01-01T00:00:00Z")));

    let health = server.get("/api/search/health").await.json();
    assert_eq!((&health["status"], &health["indexed_files"]), (&json!("healthy"), &json!("1250")));
    assert_eq!((&health["total_chunks"], &health["search_count"]), (&json!("5000"), &json!("5")));
    assert_eq!(health["cache_hit_rate"], "80.0%");
    let time = health["avg_search_time"].as_str().unwrap();
    let (whole, decimals) = time.strip_suffix("ms").unwrap().split_once('.').unwrap();
    assert!(whole.parse::<u32>().is_ok() && decimals.len() == 2, "{time}");

    let performance = server.get("/api/search/performance").await.json();
    let searches = &performance["metrics"]["search_metrics"];
    assert_eq!(
        (&searches["total_searches"], &searches["cache_hits"], &searches["cache_misses"]),
        (&json!(5), &json!(4), &json!(1))
    );
    assert!(searches["p99_search_time_ms"].as_f64().unwrap() >= searches["p50_search_time_ms"].as_f64().unwrap());
    assert!(performance["timestamp"].as_f64().unwrap() > 1.7e9);
    assert_eq!(performance["metrics"]["cache_status"]["namespaces"][0]["hits"], 8);
    assert_eq!(performance["metrics"]["optimization_status"]["active_plugins"], 1);

    assert_eq!(health["parts"]["store"], json!({"state": "up", "detail": "sqlite"}));
    assert_eq!(health.get("error"), None);

    let database = &performance["metrics"]["pools"]["database"];
    // 4 of 50.
    assert_eq!((&database["in_use"], &database["max"], &database["usage"]), (&json!(4), &json!(50), &json!(8.0)));
    assert_eq!(performance["metrics"]["pools"]["redis"], json!(null));
    let cache = &performance["metrics"]["cache_status"];
    for (name, value) in
        [("hits", 8.0), ("misses", 2.0), ("total_requests", 10.0), ("hit_rate", 80.0), ("miss_rate", 20.0)]
    {
        assert_eq!(cache[name].as_f64(), Some(value), "{name}");
    }
    for name in ["sets", "deletes", "evictions", "memory_usage_bytes", "key_count"] {
        assert!(cache[name].is_u64(), "{name}: {cache}");
    }
    for name in ["average_get_time_ms", "average_set_time_ms"] {
        assert!(cache[name].is_f64(), "{name}: {cache}");
    }
}

/// What is away costs the code 200 only when searches cannot do without it.
#[tokio::test]
async fn health_tells_degraded_from_unhealthy() {
    let server = server();
    let away = |needed| vec![PartStatus { needed, ..part("store", PartState::Away, "gone fishing") }];
    for (parts, code, status, ready) in [
        (vec![part("redis", PartState::Off, "not asked for")], 200, "healthy", 200),
        (vec![part("store", PartState::Degraded, "gone fishing")], 200, "degraded", 200),
        (away(false), 200, "degraded", 200),
        (away(true), 503, "unhealthy", 503),
    ] {
        *server.fake.parts.lock() = parts;
        let health = server.get("/api/search/health").await;
        assert_eq!((health.status.as_u16(), &health.json()["status"]), (code, &json!(status)));
        let readiness = server.get("/readyz").await;
        let text = String::from_utf8(readiness.body.to_vec()).unwrap();
        assert_eq!(readiness.status, ready, "{text}");
        assert_eq!(text.contains("store: gone fishing"), status != "healthy", "{text}");
        assert_eq!(health.json()["error"] == "store: gone fishing", status != "healthy");
        assert_eq!(server.get("/healthz").await.status, 200);
    }
    let metrics = String::from_utf8(server.get("/metrics").await.body.to_vec()).unwrap();
    assert!(metrics.contains(r#"corsac_part_up{part="store"} 0"#), "{metrics}");
}

#[tokio::test]
async fn the_past_is_served_by_minute_and_by_hour() {
    let server = server();
    let path = "/api/search/performance/history";
    server.get(path).await.problem(404, "not-found");

    let mut sample = Sample { at: 3600, seconds: 30, ..Sample::default() };
    sample.counts.searches = 60;
    sample.counts.cache_hits = 45;
    let times = LatencyFigures { p99: 12.5, ..LatencyFigures::default() };
    let samples = vec![HostSample { host: "one".into(), sample, times }];
    *server.fake.history.lock() = Some(PastFigures { host: "two".into(), samples, truncated: false });
    let answer = server.get(&format!("{path}?resolution=hour&from=3600&to=7200&host=one")).await.json();
    assert_eq!(
        (&answer["resolution"], &answer["host"], &answer["truncated"]),
        (&json!("hour"), &json!("two"), &json!(false))
    );
    let sample = &answer["samples"][0];
    assert_eq!((&sample["timestamp"], &sample["host"], &sample["p99_ms"]), (&json!(3600), &json!("one"), &json!(12.5)));
    assert_eq!((&sample["searches_per_second"], &sample["cache_hit_rate"]), (&json!(2.0), &json!(75.0)));
    assert_eq!(sample.get("database_in_use"), None);
    let asked = server.fake.asked_history.lock().last().unwrap().clone();
    let expected = HistoryRequest { hourly: true, from: 3600, to: 7200, host: Some("one".into()), limit: asked.limit };
    assert_eq!(asked, expected);

    // Everything that is kept: a day of minutes.
    assert_eq!(server.get(path).await.status, 200);
    let asked = server.fake.asked_history.lock().last().unwrap().clone();
    assert_eq!((asked.hourly, asked.to - asked.from, asked.host), (false, 86_400, None));
    for (query, field) in
        [("resolution=day", "resolution"), ("from=2&to=1", "from"), ("from=soon", "query"), ("x=1", "query")]
    {
        assert_eq!(server.get(&format!("{path}?{query}")).await.violated(), [field], "{query}");
    }
    server.get(&format!("{path}?host=away")).await.problem(503, "unavailable");
}

#[tokio::test]
async fn clearing_names_the_namespace_and_the_count() {
    let server = server();
    let clear = async |path: &str| server.call(Method::POST, path, &[], "").await;
    let all = clear("/api/search/cache/clear").await.json();
    assert_eq!(
        (&all["status"], &all["namespace"], &all["cleared"]),
        (&json!("success"), &json!("search_results"), &json!(3))
    );
    assert_eq!(clear("/api/search/cache/clear?namespace=syntax").await.json()["namespace"], "syntax");
    assert_eq!(*server.fake.cleared.lock(), [None, Some("syntax".to_owned())]);
    assert_eq!(clear("/api/search/cache/clear?namespace=../x").await.violated(), ["namespace"]);
    assert_eq!(clear("/api/search/cache/clear?namespace=a&namespace=b").await.violated(), ["namespace"]);
}

#[tokio::test]
async fn plugins_are_listed_and_reloaded() {
    let server = server();
    let list = server.get("/api/plugins").await.json();
    let plugin = &list["plugins"][0];
    assert_eq!(
        (&plugin["kind"], &plugin["state"], &plugin["source"]),
        (&json!("ranker"), &json!("active"), &json!("embedded"))
    );
    assert_eq!(plugin["errors"]["trap"], 1);
    let reload = async |name: &str| server.call(Method::POST, &format!("/api/plugins/{name}/reload"), &[], "").await;
    assert_eq!(reload("rank-fields").await.json()["version"], "0.1.0");
    reload("rank-nothing").await.problem(404, "unknown-plugin");
    reload("rank-broken").await.problem(409, "conflict");
    let metrics = String::from_utf8(server.get("/metrics").await.body.to_vec()).unwrap();
    assert!(metrics.contains(r#"corsac_plugin_errors_total{plugin="rank-fields@0.1.0",kind="trap"} 1"#), "{metrics}");
}

#[tokio::test]
async fn readiness_follows_the_backend_and_the_stop_signal() {
    let server = server();
    assert_eq!(server.get("/readyz").await.status, 200);
    server.fake.ready.store(false, Ordering::SeqCst);
    server.get("/readyz").await.problem(503, "unavailable");
    server.fake.ready.store(true, Ordering::SeqCst);
    server.options.closing.cancel();
    server.get("/readyz").await.problem(503, "unavailable");
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn the_api_document_has_every_route_and_every_reference_resolves() {
    let document = server().get("/openapi.json").await.json();
    let documented: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    let mut registered: Vec<&str> = super::super::routes().iter().map(|(path, _)| *path).collect();
    registered.sort();
    assert_eq!(documented, registered);
    for (path, item) in document["paths"].as_object().unwrap() {
        let documented: Vec<&String> = item.as_object().unwrap().keys().collect();
        let server = server();
        // OPTIONS is nowhere registered, so `allow` lists what is.
        let reply = server.call(Method::OPTIONS, &path.replace(['{', '}'], ""), &[], "").await;
        let allow = reply.header("allow").to_lowercase();
        let allowed: Vec<&str> = allow.split(',').filter(|method| *method != "head").collect();
        assert_eq!(documented, allowed, "{path}");
    }
    let mut references = vec![];
    collect_references(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let target = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(target).is_some(), "{reference} leads nowhere");
    }
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| collect_references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| collect_references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_documented_search_fields_are_the_accepted_ones() {
    let document = server().get("/openapi.json").await.json();
    let schema = &document["components"]["schemas"]["SearchBody"];
    let mut documented: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    let mut accepted = super::super::search::request::FIELDS.to_vec();
    documented.sort();
    accepted.sort();
    assert_eq!(documented, accepted);
    assert_eq!(schema["required"], json!(["query"]));
}

#[tokio::test]
async fn the_database_says_how_it_fares_or_that_it_is_away() {
    let server = server();
    let database = server.get("/api/search/database").await.json();
    assert_eq!((&database["backend"], &database["pool"]["usage_percent"]), (&json!("postgresql"), &json!(90.0)));
    assert_eq!(database["query_statistics"]["source"], "pg_stat_statements");
    let advice = &database["index_advice"][0];
    assert_eq!((&advice["checked_by"], &advice["cost_after"]), (&json!("hypopg"), &json!(8.06)));

    server.fake.database_away.store(true, Ordering::SeqCst);
    let reply = server.get("/api/search/database").await;
    reply.problem(503, "unavailable");
    assert_eq!(reply.header("retry-after"), "1");
}
