//! Several hosts over one PostgreSQL: who indexes what, who takes over, and that all give the same answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use services::{Postgres, Redis};
use tempfile::TempDir;

use crate::support::client::{Client, place, places, results, wait_for};
use crate::support::posting::Poster;
use crate::support::server::{Process, data_folder, patient};
use crate::support::tree::Tree;

const FILES: usize = 600;

/// A word without digits, of which there are a hundred.
fn word(number: usize) -> String {
    const SYLLABLES: [&str; 10] = ["ka", "lo", "mi", "ne", "pu", "ra", "so", "ti", "vu", "za"];
    format!("{}{}n", SYLLABLES[number / 10 % 10], SYLLABLES[number % 10])
}

/// Files in one folder that no other tree has, each with a marker and two words that few others have: of many
/// equally good hits, each host may show other ones.
fn tree(name: &str, files: usize) -> Tree {
    let tree = Tree::of(&[]);
    for file in 0..files {
        let (one, two) = (word(file % 97), word(file % 89));
        let content = format!("/// Of {one} and {two}.\npub fn filemarker_{name}_{file}_() {{}}\n");
        // A search shows a thousand results at most.
        tree.write(&format!("{name}{}/file{file}.rs", file / 900), content);
    }
    tree
}

/// One host's place: its data outlives it.
struct Host {
    data: TempDir,
    server: Process,
}

async fn serve(data: &TempDir, url: &str, trees: &[&Tree]) -> Process {
    let allowed: Vec<&str> = trees.iter().flat_map(|tree| ["--allow-root", tree.name()]).collect();
    let server = Process::serve_with(data.path(), &allowed, &[("DATABASE_URL", url), ("DB_POOL_TIMEOUT", "5")]).await;
    server.started().await;
    server
}

async fn host(url: &str, trees: &[&Tree]) -> Host {
    let data = data_folder();
    let server = serve(&data, url, trees).await;
    Host { data, server }
}

async fn start_indexing(client: &Client, tree: &Tree) -> String {
    let reply = client.post("/api/search/index", json!({"project_root": tree.name()})).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    reply.json()["id"].as_str().unwrap().to_owned()
}

/// Files that a task has got through.
fn done(task: &Value) -> u64 {
    task["progress"]["indexed"].as_u64().unwrap() + task["progress"]["unchanged"].as_u64().unwrap()
}

/// The task's end as this host sees it, whichever host runs it and however often it is taken over.
async fn succeeded(client: &Client, id: &str) -> Value {
    wait_for("a task that succeeds", async || {
        let task = client.task(id).await;
        assert_ne!(task["state"], "failed", "{task}");
        (task["state"] == "succeeded").then_some(task)
    })
    .await
}

/// Waits until every host reflects the newest change of all; which one that is.
async fn agreed(hosts: &[&Client]) -> u64 {
    wait_for("hosts that agree", async || {
        let mut generations = BTreeSet::new();
        for host in hosts {
            let stats = host.get("/api/search/stats").await.json();
            assert_eq!(stats["stale"], false, "{stats}");
            generations.extend([stats["generation"].as_u64().unwrap(), stats["latest"].as_u64().unwrap()]);
        }
        (generations.len() == 1).then(|| generations.pop_first().unwrap())
    })
    .await
}

/// Every file of a tree, each once.
async fn check_files(client: &Client, name: &str, files: usize) {
    let mut found = BTreeSet::new();
    for folder in 0..=files / 900 {
        let request = json!({"query": format!(r"filemarker_{name}_\d+_"), "pattern_type": "regex",
            "directories": [format!("{name}{folder}")]});
        for result in client.all_pages("syntax", request, 100).await {
            assert!(found.insert(place(&result)), "{} is there twice", place(&result));
        }
    }
    assert_eq!(found.len(), files, "{name}");
}

/// Two hosts give the same answers, to the last result and score. (Beyond 20,000 vectors the tail of a search by meaning
/// may differ, because each host grows its own graph of neighbours.)
async fn check_answers(one: &Client, other: &Client) {
    for (strategy, query) in [
        ("syntax", "filemarker_first_17"),
        ("syntax", "filemarker_both_321_"),
        ("syntax", "lovun and puran"),
        ("syntax", "postmarker_1"),
        ("search", "kamin"),
        ("semantic", "lovun puran"),
        ("hybrid", "tiran milon"),
    ] {
        let seen = async |client: &Client| {
            let answer = client.query(strategy, query).await;
            let seen = results(&answer).iter().map(|result| json!([result["id"], result["content"], result["score"]]));
            (answer["total_results"].clone(), seen.collect::<Vec<_>>())
        };
        assert_eq!(seen(one).await, seen(other).await, "{strategy} {query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_index_three_answer_and_one_that_dies_costs_nothing() {
    let postgres = Postgres::start();
    let url = postgres.database();
    let (first, second, both) = (tree("first", 4 * FILES), tree("second", FILES), tree("both", FILES));
    let trees = [&first, &second, &both];
    let one = host(&url, &trees).await;
    let two = host(&url, &trees).await;
    let three = host(&url, &trees).await;

    let poster = Arc::new(Poster::default());
    let posting: Vec<_> = [&two, &three]
        .map(|host| {
            let (poster, client) = (poster.clone(), (*host.server).clone());
            tokio::spawn(async move { poster.post(client).await })
        })
        .into();

    let of_first = start_indexing(&one.server, &first).await;
    let of_second = start_indexing(&two.server, &second).await;
    // The same root on two hosts: one indexes it, the other finds nothing left to do.
    let of_both = [start_indexing(&three.server, &both).await, start_indexing(&two.server, &both).await];

    // Killed in the middle of its work; whoever has time takes the task over, under its own name.
    wait_for("the moment to kill", async || (done(&one.server.task(&of_first).await) >= 300).then_some(())).await;
    let Host { data, server } = one;
    server.kill();
    let task = succeeded(&two.server, &of_first).await;
    assert_eq!((done(&task), &task["progress"]["errors"]), (4 * FILES as u64, &json!(0)), "{task}");
    let one = Host { server: serve(&data, &url, &trees).await, data };
    assert_eq!(succeeded(&one.server, &of_second).await["progress"]["indexed"], FILES);
    let of_both = [succeeded(&one.server, &of_both[0]).await, succeeded(&one.server, &of_both[1]).await];
    let indexed: u64 = of_both.iter().map(|task| task["progress"]["indexed"].as_u64().unwrap()).sum();
    let unchanged: u64 = of_both.iter().map(|task| task["progress"]["unchanged"].as_u64().unwrap()).sum();
    assert_eq!((indexed, unchanged), (FILES as u64, FILES as u64), "{of_both:?}");
    poster.stop();
    for posting in posting {
        posting.await.unwrap();
    }

    let hosts: [&Client; 3] = [&one.server, &two.server, &three.server];
    let generation = agreed(&hosts).await;
    assert!(poster.acknowledged() > 0);
    for host in hosts {
        for (name, files) in [("first", 4 * FILES), ("second", FILES), ("both", FILES)] {
            check_files(host, name, files).await;
        }
        let posted = poster.check(host).await;
        let stats = host.get("/api/search/stats").await.json();
        assert_eq!(stats["total_files_indexed"], 6 * FILES + posted.len(), "{stats}");
        check_answers(hosts[0], host).await;
        let reply = host.search("syntax", json!({"query": "filemarker"})).await;
        let freshness = format!("generation={generation}, latest={generation}, checked=");
        assert!(reply.header("corsac-freshness").starts_with(&freshness), "{}", reply.header("corsac-freshness"));
    }
    drop(one.data);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_host_writes_another_finds_and_what_it_removes_is_gone_everywhere() {
    let postgres = Postgres::start();
    let url = postgres.database();
    let tree = Tree::of(&[("a.rs", "pub fn cardamom() {}\n"), ("b.rs", "pub fn nutmeg() {}\n")]);
    let one = host(&url, &[&tree]).await;
    let two = host(&url, &[&tree]).await;
    let paths = async |host: &Host, query: &str| {
        let answer = host.server.query("syntax", query).await;
        results(&answer).iter().map(|result| result["file_path"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let clients: [&Client; 2] = [&one.server, &two.server];

    one.server.index(json!({"project_root": tree.name()})).await;
    let posted = two.server.post("/api/documents", json!([{"path": "c.md", "content": "cardamom, too"}])).await;
    assert_eq!(posted.json()["stored"], 1, "{}", posted.text());
    agreed(&clients).await;
    assert_eq!(paths(&one, "cardamom").await, ["a.rs", "c.md"]);
    assert_eq!(paths(&two, "cardamom").await, ["a.rs", "c.md"]);

    // The other host takes up where the first one has left the folder.
    tree.write("a.rs", "pub fn saffron() {}\n");
    tree.remove("b.rs");
    let task = two.server.index(json!({"project_root": tree.name()})).await;
    assert_eq!((&task["progress"]["indexed"], &task["progress"]["removed"]), (&json!(1), &json!(1)), "{task}");
    agreed(&clients).await;
    for host in [&one, &two] {
        assert_eq!(paths(host, "cardamom").await, ["c.md"]);
        assert_eq!(paths(host, "saffron").await, ["a.rs"]);
        assert!(paths(host, "nutmeg").await.is_empty());
    }
    // Any host knows of the task, and its stream ends.
    let id = task["id"].as_str().unwrap();
    assert_eq!(one.server.task(id).await["state"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_host_has_computed_another_finds_in_the_shared_cache() {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let (url, cache) = (postgres.database(), redis.url());
    let (one, other) = (data_folder(), data_folder());
    let environment = [("DATABASE_URL", url.as_str()), ("REDIS_URL", cache.as_str())];
    let configs = [patient(one.path()), patient(other.path())];
    let one = Process::serve_with(one.path(), &["--config", &configs[0]], &environment).await;
    let other = Process::serve_with(other.path(), &["--config", &configs[1]], &environment).await;
    one.started().await;
    other.started().await;
    let posted = other.post("/api/documents", json!([{"path": "a.md", "content": "turmeric root"}])).await;
    assert_eq!(posted.json()["stored"], 1, "{}", posted.text());
    agreed(&[&one, &other]).await;
    one.knows_redis().await;
    other.knows_redis().await;
    let request = json!({"query": "turmeric"});
    let computed = one.search("hybrid", request.clone()).await;
    assert_eq!(places(&computed.json()), ["a.md:1"]);
    // It goes to the shared cache behind the answer.
    let held = async || redis.command(&["KEYS", "corsac:*:hybrid:*"]).starts_with("*1").then_some(());
    wait_for("the answer in the shared cache", held).await;
    let found = other.search("hybrid", request).await;
    assert_eq!(found.header("cache-status"), "corsac; hit; detail=redis");
    assert_eq!((&found.body, found.header("etag")), (&computed.body, computed.header("etag")));
}
