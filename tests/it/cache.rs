//! The cache of a whole server: warmed after swaps and index changes, found again in Redis after a restart,
//! cleared over HTTP, and no worse for whatever Redis does.

use serde_json::{Value, json};
use services::Redis;

use crate::support::client::{Client, wait_for};
use crate::support::server::{Local, Process, data_folder, patient};
use crate::support::tree::Tree;
use crate::support::{fixture, folder_of, put};

fn tree() -> Tree {
    Tree::of(&[("a.txt", "the quick brown fox\n"), ("b.txt", "jumps over the lazy dog\n")])
}

async fn status(client: &Client, request: &Value) -> String {
    let reply = client.search("hybrid", request.clone()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.header("cache-status").to_owned()
}

async fn warmed(client: &Client) -> f64 {
    client.metric("corsac_cache_warmed_total{namespace=\"hybrid\"}").await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_swap_the_first_to_ask_what_is_often_asked_finds_it_answered() {
    let (folder, tree) = (folder_of(&[("v.wasm", fixture("versioned-ranker-v1"))]), tree());
    let server = Local::start(&tree, |settings| {
        settings.server.plugin_folders = vec![folder.path().to_owned()];
        settings.cache.warm_queries = 2;
    })
    .await;
    let request = |text: &str| json!({"query": text, "ranker": "versioned"});
    for (text, times) in [("fox", 5), ("dog", 4), ("jumps", 1)] {
        for _ in 0..times {
            status(&server, &request(text)).await;
        }
    }
    let before = warmed(&server).await;
    let file = folder.path().join("v.wasm");
    put(&fixture("versioned-ranker-v2"), &file);
    assert_eq!(server.post("/api/plugins/versioned/reload", json!({})).await.status, 200);
    wait_for("two answers ahead", async || (warmed(&server).await >= before + 2.0).then_some(())).await;
    for text in ["fox", "dog"] {
        let reply = server.search("hybrid", request(text)).await;
        assert_eq!(reply.header("cache-status"), "corsac; hit");
        assert_eq!(reply.json()["ranker"]["version"], "2.0.0");
    }
    assert_eq!(status(&server, &request("jumps")).await, "corsac; fwd=miss; stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_change_of_the_index_too() {
    let tree = tree();
    let server = Local::start(&tree, |settings| settings.cache.warm_queries = 100).await;
    let request = json!({"query": "fox"});
    for _ in 0..3 {
        status(&server, &request).await;
    }
    let before = warmed(&server).await;
    let documents = json!({"documents": [{"path": "c.txt", "content": "another fox\n"}]});
    let posted = server.post("/api/documents", documents).await;
    assert!(posted.status < 300, "{}", posted.text());
    wait_for("an answer ahead", async || (warmed(&server).await > before).then_some(())).await;
    let reply = server.search("hybrid", request).await;
    assert_eq!(reply.header("cache-status"), "corsac; hit");
    assert!(reply.text().contains("another fox"));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_outlive_the_process_in_redis_and_are_cleared_there() {
    let (redis, tree, data) = (Redis::start(), tree(), data_folder());
    let url = redis.url();
    let config = patient(data.path());
    let arguments = [tree.name(), "--redis-url", &url, "--config", &config];
    let request = json!({"query": "fox"});
    let server = Process::serve(data.path(), &arguments).await;
    server.started().await;
    assert_eq!(status(&server, &request).await, "corsac; fwd=miss; stored");
    assert_eq!(status(&server, &request).await, "corsac; hit");
    wait_for("the write", async || redis.command(&["KEYS", "corsac:*:hybrid:*"]).starts_with("*1").then_some(())).await;
    server.kill();

    let server = Process::serve(data.path(), &[&arguments[..], &["--no-index"]].concat()).await;
    server.started().await;
    server.knows_redis().await;
    assert_eq!(status(&server, &request).await, "corsac; hit; detail=redis");
    assert_eq!(status(&server, &request).await, "corsac; hit");
    let cleared = server.post("/api/search/cache/clear?namespace=hybrid", json!({})).await.json();
    assert_eq!((&cleared["cleared"], &cleared["shared"], &cleared["hosts"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(status(&server, &request).await, "corsac; fwd=miss; stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_lost_everything_is_given_what_is_often_asked() {
    let (mut redis, tree, data) = (Redis::start(), tree(), data_folder());
    let (url, config) = (redis.url(), patient(data.path()));
    let server = Process::serve(data.path(), &[tree.name(), "--redis-url", &url, "--config", &config]).await;
    server.started().await;
    let request = json!({"query": "fox"});
    for _ in 0..3 {
        status(&server, &request).await;
    }
    redis.restart();
    // Nobody asks meanwhile.
    wait_for("the answer", async || redis.command(&["KEYS", "corsac:*:hybrid:*"]).starts_with("*1").then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_go_on_whatever_becomes_of_redis() {
    let (mut redis, tree, data) = (Redis::start(), tree(), data_folder());
    let url = redis.url().replace("redis://", "redis://:hidden@");
    redis.command(&["CONFIG", "SET", "requirepass", "hidden"]);
    let server = Process::serve(data.path(), &[tree.name(), "--redis-url", &url]).await;
    server.started().await;
    let ask = async |text: String| status(&server, &json!({"query": text})).await;
    assert_eq!(ask("fox 0".into()).await, "corsac; fwd=miss; stored");
    redis.pause();
    for number in 1..20 {
        assert_eq!(ask(format!("fox {number}")).await, "corsac; fwd=miss; stored");
    }
    redis.resume();
    redis.kill();
    for number in 20..40 {
        assert_eq!(ask(format!("fox {number}")).await, "corsac; fwd=miss; stored");
    }
    assert!(server.log().contains("the shared cache is away"), "{}", server.log());
    // It comes back without a password: the credentials are refused, which is no reason to fail either.
    redis.restart();
    assert_eq!(ask("fox 40".into()).await, "corsac; fwd=miss; stored");
    let log = server.log();
    assert!(!log.contains("hidden"), "{log}");
    assert!(log.matches("shared cache").count() < 20, "a flood: {log}");
}
