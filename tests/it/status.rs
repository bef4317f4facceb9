//! What the server says about itself: health and readiness, figures of the past, traces.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use axum::body::Bytes;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Attribute;
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use prost::Message;
use serde_json::{Value, json};
use services::{Postgres, Redis};
use tokio::net::TcpListener;

use super::support::client::{Client, wait_for};
use super::support::server::{Process, data_folder};
use super::support::tree::Tree;

/// A collector on loopback that keeps what it was sent.
struct Collector {
    address: String,
    requests: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

impl Collector {
    async fn start() -> Self {
        let requests: Arc<Mutex<Vec<ExportTraceServiceRequest>>> = Arc::default();
        let kept = requests.clone();
        let take = async move |body: Bytes| kept.lock().push(ExportTraceServiceRequest::decode(body).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/v1/traces", post(take));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, requests }
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.requests.lock();
        let resources = requests.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| scope.spans.clone()).collect()
    }
}

fn attribute(span: &Span, name: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == name);
    match found.and_then(|attribute| attribute.value.clone()?.value) {
        Some(Attribute::StringValue(text)) => text,
        Some(Attribute::IntValue(number)) => number.to_string(),
        Some(Attribute::BoolValue(truth)) => truth.to_string(),
        Some(other) => panic!("{name} is {other:?}"),
        None => String::new(),
    }
}

async fn serve(data: &Path, tree: &Tree, arguments: &[&str]) -> Process {
    let server = Process::serve(data, &[&[tree.name()], arguments].concat()).await;
    server.started().await;
    server
}

async fn stop(mut server: Process) -> String {
    server.terminate();
    assert!(server.ended().await.success(), "{}", server.log());
    server.log()
}

/// A search that belongs to a trace of its client.
async fn traced_search(server: &Client, query: &str) {
    let traced = server
        .posting("/api/search/hybrid", json!({ "query": query }).to_string())
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_eq!(server.send(traced).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_is_a_trace_with_its_stages() {
    let (data, tree, collector) = (data_folder(), Tree::of(&[("a.rs", "fn needle() {}\n")]), Collector::start().await);
    let redis = Redis::start();
    let cache = redis.url();
    // Nothing is sampled but what the client's trace asks for.
    let arguments = [
        "--otlp-endpoint",
        &collector.address,
        "--otlp-service-name",
        "tested",
        "--trace-ratio",
        "0",
        "--redis-url",
        &cache,
    ];
    let server = serve(data.path(), &tree, &arguments).await;
    server.query("hybrid", "not sampled").await;
    traced_search(&server, "needle").await;
    traced_search(&server, "needle").await;
    stop(server).await;

    let spans = collector.spans();
    let (trace, parent) = (0x0af7651916cd43dd8448eb211c80319c_u128.to_be_bytes(), 0xb7ad6b7169203331_u64.to_be_bytes());
    assert!(spans.iter().all(|span| span.trace_id == trace), "{spans:#?}");
    let requests: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id == parent).collect();
    assert_eq!(requests.len(), 2, "{spans:#?}");
    for request in &requests {
        assert_eq!(request.name, "POST /api/search/{strategy}");
        assert_eq!(request.kind, 2, "a server's span");
        assert_eq!(attribute(request, "http.response.status_code"), "200");
    }

    let children = |of: &Span| -> HashMap<String, Span> {
        let children = spans.iter().filter(|span| span.parent_span_id == of.span_id);
        children.map(|span| (span.name.clone(), span.clone())).collect()
    };
    let names = |of: &Span| {
        let mut names: Vec<String> = children(of).into_keys().collect();
        names.sort();
        names
    };
    // The first computes, the second finds.
    let (computed, found) = match names(requests[0]).len() {
        1 => (requests[1], requests[0]),
        _ => (requests[0], requests[1]),
    };
    assert_eq!(names(found), ["cache"]);
    assert_eq!(attribute(&children(found)["cache"], "hit"), "true");
    let stages = children(computed);
    // Hosts agree on who computes only what is expensive.
    let always: Vec<String> = names(computed).into_iter().filter(|name| name != "claim").collect();
    assert_eq!(always, ["admit", "cache", "fetch", "rank", "redis", "strategy"]);
    assert_eq!(attribute(&stages["redis"], "hit"), "false");
    assert_eq!(attribute(&stages["cache"], "hit"), "false");
    assert!(attribute(&stages["strategy"], "plugin").starts_with("strategy-hybrid@"));
    assert!(attribute(&stages["rank"], "plugin").starts_with("rank-relevance@"));
    assert_eq!(attribute(&stages["strategy"], "hits"), "1");
    let probes: Vec<String> = spans
        .iter()
        .filter(|span| span.parent_span_id == stages["strategy"].span_id)
        .map(|span| format!("{} {}", span.name, attribute(span, "kind")))
        .collect();
    assert!(probes.contains(&"probe text".to_owned()) && probes.contains(&"probe vector".to_owned()), "{probes:?}");
    for stage in stages.values() {
        assert!(stage.start_time_unix_nano >= computed.start_time_unix_nano, "{stage:?}");
        assert!(stage.end_time_unix_nano <= computed.end_time_unix_nano, "{stage:?}");
    }
    // What people search for is nobody else's business.
    assert!(!format!("{spans:?}").contains("needle"));
    let resource = format!("{:?}", collector.requests.lock()[0].resource_spans[0].resource);
    assert!(resource.contains("tested") && resource.contains(env!("CARGO_PKG_VERSION")), "{resource}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_a_line_without_its_password() {
    let (data, tree) = (data_folder(), Tree::of(&[("a.rs", "fn needle() {}\n")]));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let server = serve(data.path(), &tree, &["--otlp-endpoint", &format!("http://me:hunter2@{address}")]).await;
    for _ in 0..3 {
        server.query("hybrid", "needle").await;
    }
    assert_eq!(server.get("/api/search/health").await.status, 200);
    let log = stop(server).await;
    assert_eq!(log.matches("traces cannot be exported").count(), 1, "{log}");
    assert!(!log.contains("hunter2") && !log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_the_past_survive_a_restart() {
    let (data, tree) = (data_folder(), Tree::of(&[("a.rs", "fn needle() {}\n")]));
    let server = serve(data.path(), &tree, &[]).await;
    for _ in 0..3 {
        server.query("syntax", "needle").await;
    }
    assert_eq!(server.search("nothing", json!({"query": "x"})).await.status, 404);
    stop(server).await;

    let server = serve(data.path(), &tree, &[]).await;
    let history = server.get("/api/search/performance/history?resolution=minute").await.json();
    let samples = history["samples"].as_array().unwrap();
    let sum = |name: &str| samples.iter().map(|sample| sample[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("searches"), sum("cache_hits"), sum("search_errors"), sum("requests")), (3, 2, 1, 4), "{history}");
    for sample in samples {
        assert_eq!(sample["host"], history["host"]);
        assert_eq!(sample["timestamp"].as_i64().unwrap() % 60, 0);
        assert!(sample["memory_bytes"]["max"].as_f64().unwrap() > 1e6);
    }
    let busy = samples.iter().find(|sample| sample["searches"] != 0).unwrap();
    assert!(busy["p99_ms"].as_f64().unwrap() >= busy["p50_ms"].as_f64().unwrap());
    assert!(busy["max_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(busy["index_documents"]["mean"], 1.0);
    stop(server).await;

    let server = serve(data.path(), &tree, &["--history", "false"]).await;
    server.get("/api/search/performance/history").await.problem(404, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_say_how_they_are() {
    let (data, tree) = (data_folder(), Tree::of(&[("a.rs", "fn needle() {}\n")]));
    let server = serve(data.path(), &tree, &[]).await;
    for _ in 0..2 {
        server.query("syntax", "needle").await;
    }
    let health = server.get("/api/search/health").await.json();
    assert_eq!(health["status"], "healthy", "{health}");
    let states: Vec<(&str, &str)> = ["store", "index", "plugins", "cache", "redis"]
        .map(|name| (name, health["parts"][name]["state"].as_str().unwrap()))
        .to_vec();
    assert_eq!(states, [("store", "up"), ("index", "up"), ("plugins", "up"), ("cache", "up"), ("redis", "off")]);
    // All values are text, as the earlier API has it.
    for name in
        ["status", "service", "indexed_files", "total_chunks", "search_count", "avg_search_time", "cache_hit_rate"]
    {
        assert!(health[name].is_string(), "{name}: {health}");
    }
    assert_eq!(server.get("/readyz").await.text(), "ready\n");

    let performance = server.get("/api/search/performance").await.json();
    let cache = &performance["metrics"]["cache_status"];
    assert_eq!((&cache["hits"], &cache["misses"], &cache["hit_rate"]), (&json!(1), &json!(1), &json!(50.0)), "{cache}");
    assert_eq!((&cache["key_count"], &cache["tiers"]["redis"]), (&json!(1), &Value::Null));
    assert!(cache["average_get_time_ms"].as_f64().unwrap() > 0.0);
    assert!(server.metric("corsac_process_resident_memory_bytes").await > 1e6);
    assert_eq!(server.metric(r#"corsac_part_up{part="store"}"#).await, 1.0);
    assert_eq!(server.metric("corsac_history_failures_total").await, 0.0);
}

/// Redis first, then PostgreSQL: each is told, neither costs a search.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_away_is_said_and_searches_go_on() {
    let (mut postgres, mut redis) = (Postgres::start(), Redis::start());
    let (data, tree) = (data_folder(), Tree::of(&[("a.rs", "fn needle() {}\n")]));
    let (database, cache) = (postgres.database(), redis.url());
    let server = serve(data.path(), &tree, &["--database-url", &database, "--redis-url", &cache]).await;
    server.query("syntax", "needle").await;
    let health = async || {
        let reply = server.get("/api/search/health").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(
            !reply.text().contains("127.0.0.1") && !reply.text().contains('@'),
            "no address is told: {}",
            reply.text()
        );
        reply.json()
    };
    let becomes = async |status: &str, part: &str, state: &str| {
        wait_for(&format!("{part} {state}"), async || {
            let health = health().await;
            let as_wanted = health["status"] == status && health["parts"][part]["state"] == state;
            // Whatever happens, a search that is not in the cache is answered.
            server.query("syntax", &format!("needle {}", uuid::Uuid::new_v4())).await;
            as_wanted.then_some(health)
        })
        .await
    };
    let healthy = becomes("healthy", "redis", "up").await;
    assert_eq!(healthy["parts"]["store"], json!({"state": "up", "detail": "postgresql"}));
    let performance = async || server.get("/api/search/performance").await.json()["metrics"].clone();
    let metrics = wait_for("values in Redis", async || {
        let metrics = performance().await;
        (metrics["cache_status"]["sets"] != 0).then_some(metrics)
    })
    .await;
    assert_eq!(metrics["cache_status"]["redis_available"], true);
    assert_eq!((&metrics["pools"]["database"]["max"], &metrics["pools"]["redis"]["max"]), (&json!(50), &json!(20)));
    assert!(metrics["pools"]["redis"]["size"].as_u64().unwrap() >= 1, "{metrics}");
    assert_eq!(server.metric(r#"corsac_pool_connections_max{pool="database"}"#).await, 50.0);
    assert_eq!(server.metric("corsac_redis_available").await, 1.0);

    redis.kill();
    becomes("degraded", "redis", "away").await;
    let metrics = performance().await;
    assert_eq!(metrics["cache_status"]["redis_available"], false);
    assert!(metrics["cache_status"]["tiers"]["redis"]["last_error"].is_string(), "{metrics}");
    assert_eq!(server.metric(r#"corsac_part_up{part="redis"}"#).await, 0.0);

    postgres.kill();
    becomes("degraded", "store", "away").await;
    // This host has its own index: it stays in the balancer, marked.
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status, 200);
    assert!(ready.text().starts_with("ready\n") && ready.text().contains("store: postgresql"), "{}", ready.text());
    assert_eq!(server.get("/healthz").await.status, 200);
    server.get("/api/search/performance/history").await.problem(503, "unavailable");

    redis.restart();
    postgres.restart();
    becomes("healthy", "store", "up").await;
    stop(server).await;
    // The last sample went to the database after all.
    let server = serve(data.path(), &tree, &["--database-url", &database]).await;
    let history = server.get("/api/search/performance/history").await.json();
    let samples = history["samples"].as_array().unwrap();
    assert!(samples.iter().any(|sample| sample["redis_cache"]["errors"] != 0), "{history}");
    assert!(samples.iter().all(|sample| sample["database_in_use"]["max"].is_number()), "{history}");
}
