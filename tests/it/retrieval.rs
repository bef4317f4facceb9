//! The mode in which PostgreSQL answers look-ups: the same answers as with an index of the host's own, and one host
//! at a time that writes, whichever lives.

use std::collections::BTreeSet;
use std::sync::Arc;

use corsac::config::{RetrievalMode, Secret};
use serde_json::{Value, json};
use services::{Postgres, PostgresKind, PostgresOptions};

use crate::search::FILES;
use crate::support::client::{Client, paths, place, places, results, wait_for};
use crate::support::posting::Poster;
use crate::support::server::{Local, Process, data_folder};
use crate::support::tree::Tree;

const KINDS: [PostgresKind; 2] = [PostgresKind::Vector, PostgresKind::Debian];

/// Without what tells one computation of the same answer from another.
fn essence(mut answer: Value) -> Value {
    let object = answer.as_object_mut().unwrap();
    object.remove("search_time");
    object.remove("explain");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn both_modes_give_the_same_answers() {
    for kind in KINDS {
        let tree = Tree::of(FILES);
        let embedded = Local::start(&tree, |_| ()).await;
        let url = Postgres::shared(kind).database();
        let database = Local::start(&tree, |settings| {
            settings.database.url = Some(Secret::new(url));
            settings.index.retrieval = RetrievalMode::Postgres;
        })
        .await;
        for request in [
            json!({"query": "renderTable"}),
            json!({"query": "^(def|class) \\w+"}),
            json!({"query": "map((row)", "pattern_type": "literal", "context_lines": 2}),
            json!({"query": "cat", "whole_word": true, "file_types": ["txt"]}),
            json!({"query": "größ"}),
            json!({"query": "e", "max_results": 7, "offset": 5}),
            json!({"query": "config", "directories": ["scripts"], "case_sensitive": true}),
            json!({"query": "nothing like it"}),
        ] {
            let answer = essence(embedded.found("syntax", request.clone()).await);
            assert_eq!(essence(database.found("syntax", request.clone()).await), answer, "{request}");
        }
        for (strategy, query) in [
            ("semantic", "how old entries are thrown out of the cache"),
            ("semantic", "read the settings from a file"),
            ("semantic", "pay money into an account"),
            ("hybrid", "join the rows of a table"),
            ("hybrid", "evict_oldest"),
            ("search", "finish requests in flight before stopping"),
            ("search", "scripts/config.py"),
            ("search", "\"palette is taken\""),
            ("search", "\"the largest money\""),
            ("search", "load_config"),
            ("search", "transposeMatrix"),
        ] {
            let (here, there) = (embedded.query(strategy, query).await, database.query(strategy, query).await);
            assert_eq!(there["degraded"], false, "{there}");
            assert_eq!(there["total_results"], here["total_results"], "{strategy} {query}");
            assert_eq!(places(&there).first(), places(&here).first(), "{strategy} {query}");
            let all = |answer: &Value| places(answer).into_iter().collect::<BTreeSet<_>>();
            assert_eq!(all(&there), all(&here), "{strategy} {query}");
        }
        for ranker in ["rank-fields", "rank-diversity", "rank-recency"] {
            let request = json!({"query": "cache of entries", "ranker": ranker});
            let (here, there) =
                (embedded.found("hybrid", request.clone()).await, database.found("hybrid", request).await);
            assert_eq!(paths(&there).first(), paths(&here).first(), "{ranker}");
        }
        let (here, there) =
            (embedded.get("/api/search/stats").await.json(), database.get("/api/search/stats").await.json());
        assert_eq!(there["total_files_indexed"], here["total_files_indexed"]);
    }
}

const ENVIRONMENT: [(&str, &str); 2] = [("CORSAC_RETRIEVAL", "postgres"), ("DB_POOL_TIMEOUT", "10")];

async fn host(data: &tempfile::TempDir, url: &str, tree: &Tree) -> Process {
    let environment = [&ENVIRONMENT[..], &[("DATABASE_URL", url)]].concat();
    let server = Process::serve_with(data.path(), &["--allow-root", tree.name()], &environment).await;
    server.started().await;
    server
}

/// Each marked file of the tree once.
async fn check_files(client: &Client, files: usize) {
    let request = json!({"query": r"filemarker_\d+_", "pattern_type": "regex", "file_types": ["rs"]});
    let mut found = BTreeSet::new();
    for result in client.all_pages("syntax", request, 100).await {
        assert!(found.insert(place(&result)), "{} is there twice", place(&result));
    }
    assert_eq!(found.len(), files);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_takes_over_where_the_writing_one_was_killed() {
    const FILES: usize = 900;
    let postgres = Postgres::start_with(PostgresOptions { kind: PostgresKind::Vector, ..Default::default() });
    let url = postgres.database();
    let tree = Tree::of(&[]);
    for file in 0..FILES {
        let body = format!("    let total = {file} + rows.len();\n").repeat(20);
        tree.write(&format!("file{file}.rs"), format!("pub fn filemarker_{file}_() {{\n{body}}}\n"));
    }
    let (first_data, second_data) = (data_folder(), data_folder());
    let first = host(&first_data, &url, &tree).await;
    let second = host(&second_data, &url, &tree).await;

    // Whoever asks another host than the one that writes finds what it wrote.
    let document = json!([{"path": "note.md", "content": "saffron and cardamom"}]);
    for host in [&second, &first] {
        let posted = host.post("/api/documents", document.clone()).await;
        assert_eq!(posted.status, 200, "{}", posted.text());
        assert_eq!(paths(&host.query("syntax", "cardamom").await), ["note.md"]);
    }

    let poster = Arc::new(Poster::default());
    let posting = {
        let (poster, client) = (poster.clone(), (*second).clone());
        tokio::spawn(async move { poster.post(client).await })
    };
    let started = first.post("/api/search/index", json!({"project_root": tree.name()})).await;
    assert_eq!(started.status, 202, "{}", started.text());
    let id = started.json()["id"].as_str().unwrap().to_owned();
    wait_for("the moment to kill", async || {
        let stats = second.get("/api/search/stats").await.json();
        (stats["total_files_indexed"].as_u64().unwrap() >= 200).then_some(())
    })
    .await;
    first.kill();
    wait_for("a task that succeeds", async || {
        let task = second.task(&id).await;
        assert_ne!(task["state"], "failed", "{task}");
        (task["state"] == "succeeded").then_some(())
    })
    .await;
    poster.stop();
    posting.await.unwrap();
    let first = host(&first_data, &url, &tree).await;
    for host in [&first, &second] {
        let stats = wait_for("a host that is up to date", async || {
            let stats = host.get("/api/search/stats").await.json();
            (stats["generation"] == stats["latest"]).then_some(stats)
        })
        .await;
        check_files(host, FILES).await;
        let posted = poster.check(host).await;
        assert_eq!(stats["total_files_indexed"], FILES + posted.len() + 1, "{stats}");
    }
    // Nothing is kept on the hosts' own disks.
    for data in [&first_data, &second_data] {
        assert!(!data.path().join("index").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_or_goes_is_not_found_any_more() {
    let url = Postgres::shared(PostgresKind::Debian).database();
    let tree = Tree::of(&[("a.rs", "pub fn cardamom() {}\n"), ("b.rs", "pub fn nutmeg() {}\n")]);
    let data = data_folder();
    let server = host(&data, &url, &tree).await;
    server.index(json!({"project_root": tree.name()})).await;
    assert_eq!(paths(&server.query("syntax", "pub fn").await), ["a.rs", "b.rs"]);
    tree.write("a.rs", "pub fn saffron() {}\n");
    tree.remove("b.rs");
    server.index(json!({"project_root": tree.name()})).await;
    for (query, found) in [("cardamom", &[][..]), ("nutmeg", &[]), ("saffron", &["a.rs"])] {
        for strategy in ["syntax", "search"] {
            let answer = server.query(strategy, query).await;
            let texts: Vec<&str> = results(&answer).iter().map(|result| result["content"].as_str().unwrap()).collect();
            assert!(!texts.iter().any(|text| text.contains("cardamom") || text.contains("nutmeg")), "{texts:?}");
            if strategy == "syntax" {
                assert_eq!(paths(&answer), found, "{query}");
            }
        }
    }
}
