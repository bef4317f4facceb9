//! Plugins swapped over HTTP while clients search: nobody fails, nobody sees two versions.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::client::{Client, results, wait_for};
use crate::support::server::Local;
use crate::support::tree::Tree;
use crate::support::{fixture, folder_of, put};

const CLIENTS: usize = 50;

fn put_version(version: u64, to: &Path) {
    put(&fixture(&format!("versioned-ranker-v{version}")), to);
}

/// The one version that made an answer: as the answer says, and by every score in it.
fn version_of(answer: &Value) -> u64 {
    let said = answer["ranker"]["version"].as_str().unwrap();
    let version: u64 = said.strip_suffix(".0.0").unwrap().parse().unwrap();
    assert!(!results(answer).is_empty());
    for (place, result) in results(answer).iter().enumerate() {
        // What the fixture computes: version × 1000 + 999 − place.
        assert_eq!(result["score"], (version * 1000 + 999) as f64 - place as f64, "{said}");
    }
    version
}

/// The version that answers a question that nobody asked before.
async fn serving(client: &Client, question: &str) -> u64 {
    version_of(&client.found("hybrid", json!({"query": question, "ranker": "versioned"})).await)
}

fn tree() -> Tree {
    Tree::of(&[
        ("a.txt", "the quick brown fox\n"),
        ("b.txt", "jumps over the lazy dog\n"),
        ("c.txt", "and the fox runs away from the dog\n"),
    ])
}

async fn served() -> (tempfile::TempDir, Tree, Local) {
    let (folder, tree) = (folder_of(&[("v.wasm", fixture("versioned-ranker-v1"))]), tree());
    let server = Local::start(&tree, |settings| settings.server.plugin_folders = vec![folder.path().to_owned()]).await;
    (folder, tree, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_under_load_fail_nobody_and_each_answer_has_one_version() {
    let (folder, _tree, server) = served().await;
    let file = folder.path().join("v.wasm");
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (client, stop, answered) = ((*server).clone(), stop.clone(), answered.clone());
            tokio::spawn(async move {
                let mut seen = BTreeSet::new();
                let mut turn = 0;
                while !stop.load(Ordering::Relaxed) {
                    // Questions that are new, and one that everyone asks again and again: swaps concern both.
                    let question = if turn % 2 == 0 { "fox and dog".into() } else { format!("fox {number} {turn}") };
                    seen.insert(serving(&client, &question).await);
                    answered.fetch_add(1, Ordering::Relaxed);
                    turn += 1;
                }
                seen
            })
        })
        .collect();
    let more_answers = async |count: usize| {
        let goal = answered.load(Ordering::Relaxed) + count;
        wait_for("answers", async || (answered.load(Ordering::Relaxed) >= goal).then_some(())).await;
    };
    more_answers(CLIENTS).await;
    for version in [2, 1, 2, 1, 2] {
        put_version(version, &file);
        let expected = format!("{version}.0.0");
        wait_for("the new version", async || {
            let active = server.plugin("versioned").await?;
            (active["version"] == expected && active["state"] == "active").then_some(())
        })
        .await;
        // Whoever asks from here on gets the new version, be the question old or new.
        assert_eq!(serving(&server, "fox and dog").await, version);
        more_answers(CLIENTS).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut seen = BTreeSet::new();
    for client in clients {
        seen.extend(client.await.expect("no request fails"));
    }
    assert_eq!(seen, [1, 2].into());
    assert_eq!(serving(&server, "never asked before").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_leaves_the_old_serving_and_is_listed() {
    let (folder, _tree, server) = served().await;
    let file = folder.path().join("v.wasm");
    let whole = std::fs::read(fixture("versioned-ranker-v2")).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let plugin = wait_for("the error in the list", async || {
        let plugin = server.plugin("versioned").await.unwrap();
        (!plugin["last_error"].is_null()).then_some(plugin)
    })
    .await;
    assert_eq!((&plugin["version"], &plugin["state"]), (&json!("1.0.0"), &json!("active")));
    assert_eq!(serving(&server, "fox one").await, 1);
    let refused = server.post("/api/plugins/versioned/reload", json!({})).await;
    refused.problem(409, "conflict");
    assert_eq!(serving(&server, "fox two").await, 1);

    // A file that never worked is listed under its own name.
    put(&fixture("wrong-world"), &folder.path().join("stranger.wasm"));
    let stranger = wait_for("the stranger in the list", async || server.plugin("stranger").await).await;
    assert_eq!((&stranger["state"], &stranger["kind"]), (&json!("failed"), &Value::Null));
    assert!(stranger["last_error"].as_str().unwrap().contains("corsac:plugin/ranking"), "{stranger}");

    put_version(2, &file);
    wait_for("the repaired file", async || (serving(&server, "fox three").await == 2).then_some(())).await;
    assert!(server.plugin("versioned").await.unwrap()["last_error"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_on_request_serves_the_next_query() {
    let (folder, _tree, server) = served().await;
    for version in [2, 1, 2] {
        put_version(version, &folder.path().join("v.wasm"));
        let reloaded = server.post("/api/plugins/versioned/reload", json!({})).await;
        assert_eq!(reloaded.status, 200, "{}", reloaded.text());
        assert_eq!(reloaded.json()["version"], format!("{version}.0.0"));
        assert_eq!(serving(&server, "fox and dog").await, version);
    }
    server.post("/api/plugins/nobody/reload", json!({})).await.problem(404, "unknown-plugin");
}

#[tokio::test(flavor = "multi_thread")]
async fn going_back_finds_the_earlier_answers_still_cached() {
    let (folder, _tree, server) = served().await;
    let request = json!({"query": "fox", "ranker": "versioned"});
    let mut bodies = Vec::new();
    for (version, cached) in [(1, false), (2, false), (1, true), (2, true)] {
        put_version(version, &folder.path().join("v.wasm"));
        assert_eq!(server.post("/api/plugins/versioned/reload", json!({})).await.status, 200);
        let reply = server.search("hybrid", request.clone()).await;
        assert_eq!(version_of(&reply.json()), version);
        assert_eq!(reply.header("cache-status") == "corsac; hit", cached, "{}", reply.header("cache-status"));
        bodies.push(reply.body);
    }
    assert_eq!((&bodies[0], &bodies[1]), (&bodies[2], &bodies[3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_file_is_an_unknown_ranker_and_a_new_one_is_known() {
    let (folder, _tree, server) = served().await;
    assert_eq!(serving(&server, "fox").await, 1);
    std::fs::remove_file(folder.path().join("v.wasm")).unwrap();
    // Cached answers go with it.
    let request = json!({"query": "fox", "ranker": "versioned"});
    let gone = wait_for("its end", async || {
        let reply = server.search("hybrid", request.clone()).await;
        (reply.status != 200).then_some(reply)
    })
    .await;
    gone.problem(422, "unknown-ranker");

    server.search("hostile-strategy", json!({"query": "fox"})).await.problem(404, "unknown-strategy");
    put(&fixture("hostile-strategy"), &folder.path().join("h.wasm"));
    wait_for("the new endpoint", async || {
        let reply = server.search("hostile-strategy", json!({"query": "fox"})).await;
        (reply.status == 200).then_some(())
    })
    .await;
}
