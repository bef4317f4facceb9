//! PostgreSQL dies, freezes and comes back under load: searches go on, writes are refused instead of lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use services::Postgres;

use crate::support::client::{Client, wait_for};
use crate::support::posting::{Poster, searches};
use crate::support::server::{Process, data_folder};
use crate::support::tree::Tree;

/// Searches one after the other until it is told to stop; every one must be answered.
#[derive(Default)]
struct Searcher {
    over: AtomicBool,
    answered: AtomicUsize,
    stale: AtomicUsize,
}

impl Searcher {
    async fn search(&self, client: Client) {
        while !self.over.load(Ordering::SeqCst) {
            // Half of them repeat themselves, and are answered from the cache.
            let number = self.answered.load(Ordering::SeqCst) / 2;
            let (strategy, request) = searches(number);
            let reply = client.search(strategy, request).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            assert_eq!(reply.json()["degraded"], false, "{}", reply.text());
            self.answered.fetch_add(1, Ordering::SeqCst);
            if reply.header("corsac-freshness").ends_with(", stale") {
                self.stale.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// Waits until it has been answered some more times.
    async fn more(&self) {
        let before = self.answered.load(Ordering::SeqCst);
        wait_for("more searches", async || (self.answered.load(Ordering::SeqCst) > before + 20).then_some(())).await;
    }

    async fn stale(&self) {
        let before = self.stale.load(Ordering::SeqCst);
        wait_for("a stale answer", async || (self.stale.load(Ordering::SeqCst) > before).then_some(())).await;
    }
}

/// A host with some files, and clients that post and search.
struct Scene {
    server: Process,
    poster: Arc<Poster>,
    searcher: Arc<Searcher>,
    clients: Vec<tokio::task::JoinHandle<()>>,
    url: String,
}

impl Scene {
    async fn start(postgres: &Postgres, data: &std::path::Path) -> Self {
        let tree = Tree::of(&[]);
        for file in 0..200 {
            tree.write(&format!("file{file}.rs"), format!("pub fn filemarker_{file}_() {{}}\n"));
        }
        let url = postgres.database();
        let environment = [("DATABASE_URL", url.as_str()), ("DB_POOL_TIMEOUT", "2")];
        let server = Process::serve_with(data, &["--allow-root", tree.name()], &environment).await;
        server.started().await;
        server.index(json!({"project_root": tree.name()})).await;
        let (poster, searcher) = (Arc::<Poster>::default(), Arc::<Searcher>::default());
        let mut clients = Vec::new();
        for _ in 0..3 {
            let (client, poster) = ((*server).clone(), poster.clone());
            clients.push(tokio::spawn(async move { poster.post(client).await }));
            let (client, searcher) = ((*server).clone(), searcher.clone());
            clients.push(tokio::spawn(async move { searcher.search(client).await }));
        }
        let scene = Self { server, poster, searcher, clients, url };
        scene.acknowledged_more().await;
        scene.searcher.more().await;
        scene
    }

    async fn acknowledged_more(&self) {
        let before = self.poster.acknowledged();
        let acknowledged = async || (self.poster.acknowledged() > before + 10).then_some(());
        wait_for("acknowledged documents", acknowledged).await;
    }

    async fn refused_more(&self) {
        let before = self.poster.refused();
        wait_for("refused documents", async || (self.poster.refused() > before + 3).then_some(())).await;
    }

    /// Waits until this host's searches see everything that there is.
    async fn fresh(client: &Client) {
        wait_for("fresh answers", async || {
            let stats = client.get("/api/search/stats").await.json();
            (stats["stale"] == false && stats["generation"] == stats["latest"]).then_some(())
        })
        .await;
    }

    /// Nothing acknowledged is missing, neither here nor for a host that knows only the database.
    async fn end(self) {
        self.poster.stop();
        self.searcher.over.store(true, Ordering::SeqCst);
        for client in self.clients {
            client.await.unwrap();
        }
        Self::fresh(&self.server).await;
        let here = self.poster.check(&self.server).await;
        let data = data_folder();
        let other = Process::serve_with(data.path(), &[], &[("DATABASE_URL", self.url.as_str())]).await;
        other.started().await;
        Self::fresh(&other).await;
        assert_eq!(self.poster.check(&other).await, here);
        let log = self.server.log();
        assert!(!log.contains("panicked"), "{log}");
        assert!(!log.contains(&self.url), "the log tells the address of the database");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_killed_and_restarted_loses_nothing_acknowledged_and_no_search() {
    let (mut postgres, data) = (Postgres::start(), data_folder());
    let scene = Scene::start(&postgres, data.path()).await;
    for _ in 0..2 {
        postgres.kill();
        scene.refused_more().await;
        scene.searcher.stale().await;
        scene.searcher.more().await;
        let health = scene.server.get("/healthz").await;
        assert_eq!(health.status, 200, "the process lives");
        postgres.restart();
        scene.acknowledged_more().await;
        Scene::fresh(&scene.server).await;
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_postgres_holds_up_no_search_and_refuses_writes_until_it_thaws() {
    let (postgres, data) = (Postgres::start(), data_folder());
    let scene = Scene::start(&postgres, data.path()).await;
    postgres.pause();
    scene.refused_more().await;
    scene.searcher.stale().await;
    scene.searcher.more().await;
    postgres.resume();
    scene.acknowledged_more().await;
    Scene::fresh(&scene.server).await;
    scene.end().await;
}

/// An indexing during which the database is killed and started again.
async fn broken_off_indexing_completes(retrieval: &str) {
    let (mut postgres, data) = (Postgres::start(), data_folder());
    let url = postgres.database();
    let tree = Tree::of(&[]);
    for file in 0..1500 {
        tree.write(&format!("folder{}/file{file}.rs", file % 2), format!("pub fn filemarker_{file}_() {{}}\n"));
    }
    let environment = [("DATABASE_URL", url.as_str()), ("DB_POOL_TIMEOUT", "2")];
    let arguments = ["--allow-root", tree.name(), "--retrieval", retrieval];
    let server = Process::serve_with(data.path(), &arguments, &environment).await;
    server.started().await;
    let reply = server.post("/api/search/index", json!({"project_root": tree.name()})).await;
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    wait_for("the moment to kill", async || {
        (server.task(&id).await["progress"]["indexed"].as_u64().unwrap() > 0).then_some(())
    })
    .await;
    postgres.kill();
    wait_for("an outage that lasts", async || {
        let stats = server.get("/api/search/stats").await.json();
        (stats["stale"] == true).then_some(())
    })
    .await;
    postgres.restart();
    let task = server.finished(&id).await;
    assert_eq!(task["state"], "succeeded", "{task}\n{}", server.log());
    let stats = server.get("/api/search/stats").await.json();
    assert_eq!(stats["total_files_indexed"], 1500, "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_indexing_that_loses_the_database_is_queued_and_completes_by_itself() {
    broken_off_indexing_completes("index").await;
}

/// The index is away with the database, which is no reason to give up either.
#[tokio::test(flavor = "multi_thread")]
async fn an_indexing_that_loses_the_database_and_with_it_the_index_completes_too() {
    broken_off_indexing_completes("postgres").await;
}
