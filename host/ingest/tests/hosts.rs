//! Several hosts over one PostgreSQL: they follow each other, and one at a time writes what a folder holds.

use services::{Postgres, PostgresKind};

use super::*;
use crate::store::{Bounds, Lease, Phase, PostgresOptions, PostgresStore, Progress};

/// One database and a folder that all hosts see.
struct Shared {
    url: String,
    world: World,
}

/// One of its hosts, in this process.
struct Host {
    ingest: Ingest,
    recorder: Arc<Recorder>,
    store: Arc<PostgresStore>,
}

impl Shared {
    fn new() -> Self {
        Self { url: Postgres::shared(PostgresKind::Debian).database(), world: World::new() }
    }

    /// A store without a host that would do something with it by itself.
    async fn store(&self, name: &str) -> Arc<PostgresStore> {
        Arc::new(PostgresStore::open(&self.url, PostgresOptions::new(name)).await.unwrap())
    }

    async fn host(&self, name: &str) -> Host {
        let (store, recorder) = (self.store(name).await, Arc::<Recorder>::default());
        let config = IngestConfig { shared: true, ..self.world.config() };
        let ingest = Ingest::start(store.clone(), Arc::clone(&recorder), config).await.unwrap();
        Host { ingest, recorder, store }
    }

    fn root(&self) -> String {
        format!("root:{}", self.world.source.path().canonicalize().unwrap().display())
    }

    fn sql(&self, statement: &str) -> String {
        let database = self.url.rsplit('/').next().unwrap();
        Postgres::shared(PostgresKind::Debian).sql(database, statement)
    }

    fn request(&self) -> IndexRequest {
        request(self.world.source.path())
    }
}

impl Host {
    async fn state(&self, id: &str, wanted: impl Fn(&Task) -> bool) -> Task {
        let mut states = self.ingest.watch_task(id).await.unwrap().unwrap();
        states.wait_for(|task| wanted(task)).await.unwrap().clone()
    }

    /// Until searches of this host would see a document of this text.
    async fn sees(&self, path: &str, text: &str) {
        let mut followed = self.ingest.followed();
        while self.recorder.texts().get(path).map(String::as_str) != Some(text) {
            followed.changed().await.unwrap();
        }
    }
}

async fn eventually(mut is_so: impl AsyncFnMut() -> bool) {
    while !is_so().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn taken(store: &PostgresStore, name: &str) -> Lease {
    loop {
        if let Some(lease) = store.lease(name).await.unwrap() {
            return lease;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_host_writes_every_host_gets() {
    let shared = Shared::new();
    let (one, other) = (shared.host("one").await, shared.host("other").await);
    shared.world.write("a.rs", "from a folder");
    assert_eq!(run(&one.ingest, shared.request()).await.state, TaskState::Succeeded);
    other.ingest.put_documents(vec![post("b", "posted")]).await.unwrap();
    one.ingest.put_documents(vec![post("b", "posted again")]).await.unwrap();
    for host in [&one, &other] {
        host.sees("a.rs", "from a folder").await;
        host.sees("b", "posted again").await;
        assert_eq!(host.recorder.paths(), ["a.rs", "b"]);
        let Freshness { generation, latest, stale, .. } = host.ingest.freshness();
        assert_eq!((generation, latest, stale), (3, 3, false));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_another_host_indexes_is_waited_for() {
    let shared = Shared::new();
    let (host, looker) = (shared.host("one").await, shared.host("looker").await);
    let busy = shared.store("busy").await;
    let lease = taken(&busy, &shared.root()).await;
    shared.world.write("a.rs", "x");
    let task = host.ingest.start_indexing(shared.request()).await.unwrap();
    let waiting = host.state(&task.id, |task| task.progress.phase == Phase::Elsewhere).await;
    assert_eq!((waiting.state, waiting.progress.files_seen), (TaskState::Queued, 0));
    // The very same request is still the same task, and what else there is to do is done meanwhile.
    assert_eq!(host.ingest.start_indexing(shared.request()).await.unwrap().id, task.id);
    host.ingest.put_documents(vec![post("b", "posted")]).await.unwrap();
    // A host that does not run the task tells of it, too.
    let mut seen = looker.ingest.watch_task(&task.id).await.unwrap().unwrap();
    assert_eq!(seen.borrow_and_update().state, TaskState::Queued);
    drop(lease);
    let done = seen.wait_for(|task| task.state.is_finished()).await.unwrap().clone();
    assert_eq!((done.state, done.progress.indexed), (TaskState::Succeeded, 1));
    assert_eq!(host.recorder.paths(), ["a.rs", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_the_right_stops_writing_and_begins_again_when_it_comes_back() {
    const FILES: usize = 3000;
    let shared = Shared::new();
    let host = shared.host("one").await;
    let other = shared.store("other").await;
    for number in 0..FILES {
        shared.world.write(&format!("{number}.rs"), format!("fn f{number}() {{}}"));
    }
    // The index stands still, so the folder is stored only so far.
    let gate = Arc::clone(&host.recorder);
    let (closed, is_closed) = std::sync::mpsc::channel::<()>();
    let (open, opened) = std::sync::mpsc::channel::<()>();
    let standing = std::thread::spawn(move || {
        let _still = gate.state.lock();
        closed.send(()).unwrap();
        opened.recv().unwrap();
    });
    is_closed.recv().unwrap();
    let task = host.ingest.start_indexing(shared.request()).await.unwrap();
    eventually(async || other.last_sequence().await.unwrap() > 1024).await;
    let killed = shared.sql(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'corsac/one' AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')",
    );
    assert_eq!(killed, "1");
    let lease = taken(&other, &shared.root()).await;
    // Whatever it is asked for, it finds out that its connection is gone.
    let _ = host.store.lease("anything").await;
    let stored = other.last_sequence().await.unwrap();
    open.send(()).unwrap();
    standing.join().unwrap();
    let waiting = host.state(&task.id, |task| task.progress.phase == Phase::Elsewhere).await;
    assert_eq!((waiting.state, waiting.progress.indexed), (TaskState::Queued, 0));
    // What was under way when it came out may have ended, and no more.
    assert!(other.last_sequence().await.unwrap() <= stored + 256);
    assert!(stored < FILES as u64 - 256, "{stored}");
    drop(lease);
    let done = host.state(&task.id, |task| task.state.is_finished()).await;
    assert_eq!(done.state, TaskState::Succeeded, "{done:?}");
    assert_eq!(done.progress.indexed + done.progress.unchanged, FILES as u64);
    assert_eq!(host.recorder.paths().len(), FILES);
    assert_eq!(other.last_sequence().await.unwrap(), FILES as u64, "nothing was written twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_a_host_that_is_gone_goes_on_elsewhere_or_says_why_not() {
    let shared = Shared::new();
    shared.world.write("src/a.rs", "x");
    shared.world.write("src/b.py", "x");
    shared.world.write("c.rs", "x");
    let dead = shared.store("dead").await;
    let task = |id: &str, folder: &Path| Task {
        id: id.into(),
        kind: TaskKind::IndexFolder,
        state: TaskState::Running,
        path: "as it was asked for".into(),
        progress: Progress {
            indexed: 7,
            bounds: Bounds {
                folder: folder.to_str().unwrap().to_owned(),
                file_types: vec!["rs".into()],
                directories: vec!["src".into()],
                force: false,
            },
            ..Progress::default()
        },
        error: None,
        created_at: "2026-01-01T00:00:00Z".into(),
        started_at: None,
        finished_at: None,
    };
    let elsewhere = tempfile::tempdir().unwrap();
    dead.save_task(&task("1", shared.world.source.path())).await.unwrap();
    dead.save_task(&task("2", elsewhere.path())).await.unwrap();
    let host = shared.host("heir").await;
    // It lives, and so nobody touches its tasks.
    assert_eq!(dead.task("1").await.unwrap().unwrap().state, TaskState::Running);
    dead.close().await;

    eventually(async || host.store.task("1").await.unwrap().unwrap().state == TaskState::Succeeded).await;
    let done = host.store.task("1").await.unwrap().unwrap();
    assert_eq!((done.path.as_str(), done.progress.indexed, done.error), ("as it was asked for", 1, None));
    assert_eq!(host.recorder.paths(), ["src/a.rs"]);
    eventually(async || {
        let task = host.store.task("2").await.unwrap().unwrap();
        task.error.is_some_and(|error| error.contains("is not a folder below one of the folders"))
    })
    .await;
    assert_eq!(host.store.task("2").await.unwrap().unwrap().state, TaskState::Interrupted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_host_goes_on_with_its_own_task() {
    let shared = Shared::new();
    shared.world.write("a.rs", "x");
    let host = shared.host("one").await;
    let mut task = run(&host.ingest, shared.request()).await;
    // As a process that was killed in the middle leaves it.
    task.state = TaskState::Running;
    host.ingest.shutdown().await;
    host.store.save_task(&task).await.unwrap();
    host.store.close().await;
    drop(host);

    let host = shared.host("one").await;
    let task = host.state(&task.id, |task| task.state.is_finished()).await;
    assert_eq!((task.state, task.progress.unchanged), (TaskState::Succeeded, 1), "{task:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_hosts_that_watch_a_folder_one_writes_and_the_next_one_misses_nothing() {
    let shared = Shared::new();
    let watching = || IndexRequest { watch: true, ..shared.request() };
    shared.world.write("a.rs", "first");
    let (one, other) = (shared.host("one").await, shared.host("other").await);
    run(&one.ingest, watching()).await;
    let lease = shared.root().replacen("root:", "watch:", 1);
    eventually(async || other.store.lease(&lease).await.unwrap().is_none()).await;
    run(&other.ingest, watching()).await;
    shared.world.write("a.rs", "second one");
    one.sees("a.rs", "second one").await;
    other.sees("a.rs", "second one").await;

    one.ingest.shutdown().await;
    one.store.close().await;
    // Nobody may have been watching at this moment.
    shared.world.write("b.rs", "between");
    other.sees("b.rs", "between").await;
    shared.world.write("b.rs", "after it");
    other.sees("b.rs", "after it").await;
}
