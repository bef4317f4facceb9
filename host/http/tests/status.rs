//! What the server says about itself: figures, health, the past, plugins, the database, its API.

use super::*;
use crate::telemetry::LatencyFigures;
use crate::telemetry::history::Sample;

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
    assert_eq!(
        stats["embedding_models"],
        json!([{"name": "fine", "digest": "0f", "dimension": 384, "answers": false, "coverage": 75.0, "backlog": 1250,
                "error": null}])
    );
    let metrics = String::from_utf8(server.get("/metrics").await.body.to_vec()).unwrap();
    assert!(metrics.contains(r#"corsac_embedding_model_backlog{model="fine"} 1250"#), "{metrics}");

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
    for (query, fields) in [
        ("resolution=day", &["resolution"][..]),
        ("from=2&to=1", &["from"]),
        ("from=soon", &["from"]),
        ("to=1&to=2", &["to"]),
        ("form=1", &["form"]),
        ("resolution=day&to=soon", &["resolution", "to"]),
    ] {
        assert_eq!(server.get(&format!("{path}?{query}")).await.violated(), fields, "{query}");
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
    assert_eq!(clear("/api/search/cache/clear?name=a").await.violated(), ["name"]);
    assert_eq!(server.fake.cleared.lock().len(), 2);
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
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let verb = method.to_uppercase().parse().unwrap();
            let guarded = super::super::authorise::scope_of(path, &verb).is_some();
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("403"), "{method} {path}");
            assert_eq!((responses.contains_key("401"), responses.contains_key("429")), (guarded, guarded), "{path}");
            assert_eq!(responses.contains_key("415"), operation.get("requestBody").is_some(), "{method} {path}");
            for (status, response) in responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
                // The health page keeps its form when it has nothing good to say.
                let expected = if path == "/api/search/health" && status == "503" {
                    ("application/json", "Health")
                } else if path == "/v1/embeddings" && !["401", "403", "429"].contains(&status.as_str()) {
                    // In the shape that its clients know.
                    ("application/json", "OpenAiError")
                } else {
                    ("application/problem+json", "Problem")
                };
                let content = response["content"].as_object().unwrap();
                assert_eq!(content.keys().collect::<Vec<_>>(), [expected.0], "{method} {path} {status}");
                let schema = &content[expected.0]["schema"]["$ref"];
                assert_eq!(schema, &json!(format!("#/components/schemas/{}", expected.1)), "{method} {path} {status}");
            }
        }
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

#[tokio::test]
async fn the_page_is_whole_and_asks_nobody_else() {
    let server = server();
    let page = server.get("/").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").starts_with("default-src 'self'"));
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    let mut files: Vec<String> =
        text.split(['"', '\'']).filter(|part| part.starts_with("/page/")).map(Into::into).collect();
    let script = String::from_utf8(server.get("/page/main.js").await.body.to_vec()).unwrap();
    let imported = script.split('"').filter_map(|part| part.strip_prefix("./"));
    files.extend(imported.map(|file| format!("/page/{file}")));
    assert_eq!(files.len(), 6, "{files:?}");
    for file in files {
        let reply = server.get(&file).await;
        assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, page.header("etag")), "{file}");
        assert!(!String::from_utf8_lossy(&reply.body).contains("https://"), "{file} reaches beyond the server");
        let again = server.call(Method::GET, &file, &[("if-none-match", page.header("etag"))], "").await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    }
    server.get("/page/none.js").await.problem(404, "not-found");
}
