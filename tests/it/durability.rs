//! What was acknowledged survives: `kill -9` at any moment, and a stop that was asked for.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use corsac::index::Index;
use corsac::store::{DocumentStore, SqliteStore};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::client::{Client, place, wait_for};
use crate::support::server::{Process, data_folder, plugins};
use crate::support::tree::Tree;

const FOLDERS: usize = 4;
const FILES: usize = 3000;

/// Small files in several folders, each with a marker of its own.
fn many_files() -> Tree {
    let tree = Tree::of(&[]);
    for file in 0..FILES {
        let content = format!("/// Number {file}.\npub fn filemarker_{file}_() -> usize {{\n    {file}\n}}\n");
        tree.write(&format!("folder{}/file{file}.rs", file % FOLDERS), content);
    }
    tree
}

/// Of a posted document; a search shows a thousand at most, so no folder has more.
fn path_of(number: usize) -> String {
    format!("posted/{}/{number}.md", number / 900)
}

/// Posts one small batch after the other until the server is gone, and remembers what it promised.
#[derive(Default)]
struct Poster {
    sent: AtomicUsize,
    acknowledged: Mutex<BTreeSet<String>>,
}

impl Poster {
    const BATCH: usize = 5;

    fn count(&self) -> usize {
        self.acknowledged.lock().len()
    }

    async fn post_until_the_end(&self, client: Client) {
        loop {
            let first = self.sent.fetch_add(Self::BATCH, Ordering::SeqCst);
            let documents: Vec<Value> = (first..first + Self::BATCH)
                .map(|number| {
                    let content = format!("postmarker_{number}_ was posted\n");
                    json!({"path": path_of(number), "content": content})
                })
                .collect();
            let request = client.posting("/api/documents", json!({"documents": documents}).to_string());
            let Ok(reply) = client.send(request).await else { return };
            assert_eq!(reply.status, 200, "{}", reply.text());
            for outcome in reply.json()["results"].as_array().unwrap() {
                assert_eq!(outcome["state"], "stored", "{outcome}");
                self.acknowledged.lock().insert(outcome["path"].as_str().unwrap().to_owned());
            }
        }
    }
}

/// Files that the running task has got through, and whether it has ended.
async fn progress(client: &Client) -> (u64, bool) {
    let list = client.get("/api/tasks").await.json();
    let Some(task) = list["tasks"].get(0) else { return (0, false) };
    let count = |name: &str| task["progress"][name].as_u64().unwrap();
    match task["state"].as_str().unwrap() {
        "running" => (count("indexed") + count("unchanged"), false),
        "succeeded" => (FILES as u64, true),
        _ => (0, false),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_while_indexing_and_posting_loses_nothing_acknowledged() {
    let (tree, data, poster) = (many_files(), data_folder(), Arc::new(Poster::default()));
    // Killed at once, at several places of the walk, and right after its end.
    for moment in [0, 1, 500, 1500, 2500, FILES as u64] {
        let server = Process::serve(data.path(), &[tree.name()]).await;
        let (client, posting) = ((*server).clone(), poster.clone());
        let posting = tokio::spawn(async move { posting.post_until_the_end(client).await });
        if moment > 0 {
            let posted = poster.count();
            wait_for("the moment to kill", async || {
                let (files, ended) = progress(&server).await;
                ((files >= moment || ended) && poster.count() > posted).then_some(())
            })
            .await;
        }
        server.kill();
        posting.await.unwrap();
    }

    let server = Process::serve(data.path(), &[tree.name()]).await;
    server.started().await;
    let task = server.task(server.get("/api/tasks").await.json()["tasks"][0]["id"].as_str().unwrap()).await;
    assert_eq!(task["state"], "succeeded", "{task}");
    assert_eq!(task["progress"]["files_seen"], FILES);

    let mut files = BTreeSet::new();
    for folder in 0..FOLDERS {
        let request = json!({"query": r"filemarker_\d+_", "pattern_type": "regex",
            "directories": [format!("folder{folder}")], "case_sensitive": true});
        for result in server.all_pages("syntax", request, 100).await {
            assert!(files.insert(place(&result)), "{} is there twice", place(&result));
        }
    }
    assert_eq!(files.len(), FILES);

    let (sent, mut posted) = (poster.sent.load(Ordering::SeqCst), BTreeSet::new());
    for folder in 0..=sent / 900 {
        let request = json!({"query": r"postmarker_\d+_", "pattern_type": "regex",
            "directories": [format!("posted/{folder}")]});
        for result in server.all_pages("syntax", request, 100).await {
            let path = result["file_path"].as_str().unwrap().to_owned();
            assert!(posted.insert(path.clone()), "{path} is there twice");
        }
    }
    let lost: Vec<String> = poster.acknowledged.lock().difference(&posted).cloned().collect();
    assert!(lost.is_empty(), "acknowledged and not found: {lost:?}");
    assert!(posted.len() <= sent);

    // The words of a document are found as well as its characters.
    let last = poster.acknowledged.lock().iter().next_back().unwrap().clone();
    let number = Path::new(&last).file_stem().unwrap().to_str().unwrap();
    let answer = server.query("semantic", &format!("postmarker_{number}_")).await;
    assert_eq!(answer["results"][0]["file_path"], last);
    let stats = server.get("/api/search/stats").await.json();
    assert_eq!(stats["total_files_indexed"], FILES + posted.len());
}

/// Store and index of a data folder that nobody uses.
async fn sequences(data: &Path) -> (u64, u64) {
    let store = SqliteStore::open(&data.join("store.sqlite")).await.unwrap();
    let last = store.last_sequence().await.unwrap();
    store.close().await;
    (last, Index::open(&data.join("index")).unwrap().snapshot().stats().generation)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_is_in_flight_and_leaves_nothing_to_catch_up() {
    let tree = Tree::of(&[("src/lib.rs", "pub fn answer() -> u32 { 42 }\n")]);
    let (data, folder) = (data_folder(), plugins(&["hostile-strategy"]));
    let config = Tree::of(&[("corsac.toml", "[plugin_defaults]\ndeadline_ms = 2000\n")]);
    let config = config.path().join("corsac.toml");
    let arguments = [tree.name(), "--plugins", folder.path().to_str().unwrap(), "--config", config.to_str().unwrap()];
    let mut server = Process::serve(data.path(), &arguments).await;
    server.started().await;
    let posted = server.post("/api/documents", json!([{"path": "a.md", "content": "the last word"}])).await;
    assert_eq!(posted.json()["stored"], 1, "{}", posted.text());

    let client = (*server).clone();
    let slow = tokio::spawn(async move { client.search("hostile-strategy", json!({"query": "!loop"})).await });
    // This request for the figures is one, the slow one is the other.
    let in_flight = async || (server.metric("corsac_http_requests_in_flight").await == 2.0).then_some(());
    wait_for("the slow request", in_flight).await;
    server.terminate();
    let address = server.url("").trim_start_matches("http://").to_owned();
    wait_for("refused connections", async || TcpStream::connect(&address).await.is_err().then_some(())).await;
    slow.await.unwrap().problem(504, "plugin-timed-out");
    let status = server.ended().await;
    assert_eq!(status.code(), Some(0), "{}", server.log());

    let (stored, indexed) = sequences(data.path()).await;
    assert_eq!(stored, indexed);
    assert!(stored >= 2, "{stored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_indexing_is_clean_and_the_next_start_completes() {
    let (tree, data) = (many_files(), data_folder());
    let mut server = Process::serve(data.path(), &[tree.name()]).await;
    wait_for("some files", async || {
        let (files, ended) = progress(&server).await;
        (files >= 1 || ended).then_some(())
    })
    .await;
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0), "{}", server.log());
    let (stored, indexed) = sequences(data.path()).await;
    assert!(indexed <= stored && stored <= FILES as u64, "{indexed} of {stored}");

    // And once more, while the index catches up.
    let mut server = Process::serve(data.path(), &[tree.name()]).await;
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0), "{}", server.log());

    let server = Process::serve(data.path(), &[tree.name()]).await;
    server.started().await;
    let stats = server.get("/api/search/stats").await.json();
    assert_eq!(stats["total_files_indexed"], FILES);
}

/// A server over a data folder, without a tree.
async fn documents_only(data: &Path) -> Process {
    let server = Process::serve(data, &[]).await;
    server.started().await;
    server
}

async fn stopped(mut server: Process) {
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_from_a_backup_and_a_lost_index_are_mended_at_the_start() {
    let (data, backup) = (data_folder(), tempfile::tempdir().unwrap());
    let post = async |server: &Process, name: &str| {
        let reply = server.post("/api/documents", json!([{"path": name, "content": format!("needle {name}")}])).await;
        assert_eq!(reply.json()["stored"], 1, "{}", reply.text());
    };
    let found = async |server: &Process| {
        let answer = server.query("syntax", "needle").await;
        answer["results"].as_array().unwrap().iter().map(place).collect::<Vec<_>>()
    };
    let server = documents_only(data.path()).await;
    post(&server, "first").await;
    stopped(server).await;
    let store = data.path().join("store.sqlite");
    std::fs::copy(&store, backup.path().join("store.sqlite")).unwrap();

    let server = documents_only(data.path()).await;
    post(&server, "second").await;
    assert_eq!(found(&server).await, ["first:1", "second:1"]);
    stopped(server).await;

    // The index knows of a document that the older store has never seen.
    std::fs::copy(backup.path().join("store.sqlite"), &store).unwrap();
    let server = documents_only(data.path()).await;
    assert_eq!(found(&server).await, ["first:1"]);
    post(&server, "third").await;
    assert_eq!(found(&server).await, ["first:1", "third:1"]);
    stopped(server).await;

    // Derived is derived: lost or damaged, it is made again.
    let index = data.path().join("index");
    std::fs::remove_dir_all(&index).unwrap();
    let server = documents_only(data.path()).await;
    assert_eq!(found(&server).await, ["first:1", "third:1"]);
    stopped(server).await;
    std::fs::write(index.join("text/meta.json"), "{").unwrap();
    let server = documents_only(data.path()).await;
    assert_eq!(found(&server).await, ["first:1", "third:1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_keep_their_ids_over_restarts_and_changes_elsewhere() {
    // Large enough to be chunks of their own, before and after.
    let function = |name: &str, purpose: &str, step: &str| {
        let steps: String = (0..60).map(|number| format!("    let {step}_{number} = {number} * heat;\n")).collect();
        format!("/// {purpose}.\npub fn {name}(heat: u32) {{\n{steps}}}\n\n")
    };
    let code = function("boil_kettle", "Boils the kettle", "steam");
    let (tree, data) = (Tree::of(&[("src/tea.rs", code.as_str())]), data_folder());
    let ids = async |server: &Process| {
        let mut ids = Vec::new();
        for (strategy, query) in [("semantic", "boils the kettle"), ("search", "boil_kettle"), ("syntax", "steam_41")] {
            let answer = server.query(strategy, query).await;
            ids.push(answer["results"][0]["id"].clone());
        }
        ids
    };
    let server = Process::serve(data.path(), &[tree.name()]).await;
    server.started().await;
    let before = ids(&server).await;
    stopped(server).await;

    tree.write(
        "src/tea.rs",
        function("warm_cup", "Warms a cup", "glow") + &code + &function("cool_milk", "Cools milk", "frost"),
    );
    let server = Process::serve(data.path(), &[tree.name()]).await;
    server.started().await;
    assert_eq!(ids(&server).await, before);
}
