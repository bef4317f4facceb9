//! Losing the process, the index, or its patience: nothing acknowledged is lost.

use std::time::Instant;

use super::*;
use crate::index::{Index, Snapshot};
use crate::query::{PatternProbe, PatternSyntax, Probe, Scope};
use crate::store::DocumentStore;

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_lost_everything_gets_everything() {
    let world = World::new();
    let (ingest, first) = world.start().await;
    for number in 0..1200 {
        world.write(&format!("{number}.rs"), format!("fn f{number}() {{}}"));
    }
    index(&ingest, &world).await;
    ingest.put_documents(vec![post("posted", "x"), post("removed", "x")]).await.unwrap();
    ingest.remove_documents(&["removed".into()]).await.unwrap();
    ingest.shutdown().await;

    let (ingest, second) = world.start().await;
    ingest.caught_up().await.unwrap();
    assert_eq!(second.paths().len(), 1201);
    assert_eq!(second.texts(), first.texts());
    let followed = ingest.followed().borrow().clone();
    assert_eq!((followed.committed, followed.chunks, followed.failure), (1203, 1201, None));
}

/// What kill -9 between a store's transaction and the index's commit leaves behind.
#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_changes_that_the_index_never_saw_arrive_at_the_next_start() {
    let world = World::new();
    let (ingest, recorder) = world.start().await;
    ingest.put_documents(vec![post("old", "1"), post("changed", "1")]).await.unwrap();
    ingest.shutdown().await;
    let store = world.store().await;
    let documents = [post("new", "2"), post("changed", "2")];
    store.upsert(super::super::post::validate(documents.to_vec(), 100).documents).await.unwrap();
    store.remove(0, &["old".to_owned()]).await.unwrap();

    let ingest = Ingest::start(store, Arc::clone(&recorder), world.config()).await.unwrap();
    ingest.caught_up().await.unwrap();
    assert_eq!(recorder.texts(), [("changed".into(), "2".into()), ("new".into(), "2".into())].into());
    // The first two changes were not prepared again.
    assert_eq!(recorder.prepared.load(Ordering::Relaxed), 2 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_index_costs_no_acknowledged_document() {
    let world = World::new();
    let (ingest, recorder) = world.start().await;
    ingest.put_documents(vec![post("before", "x")]).await.unwrap();
    recorder.failures.store(1, Ordering::Relaxed);
    let posted = ingest.put_documents(vec![post("a", "x"), post("b", "x"), post("c", "x")]).await.unwrap();
    assert_eq!((posted.indexed, posted.searchable), (3, false));
    assert!(ingest.followed().borrow().failure.as_ref().unwrap().contains("the disk is full"));
    // It comes back by itself.
    let mut followed = ingest.followed();
    followed.wait_for(|followed| followed.committed == 4).await.unwrap();
    assert_eq!(recorder.paths(), ["a", "b", "before", "c"]);
    assert_eq!(followed.wait_for(|followed| followed.failure.is_none()).await.unwrap().applied, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_task_says_that_the_index_fails_and_keeps_what_is_stored() {
    let world = World::new();
    let (ingest, recorder) = world.start().await;
    world.write("a.rs", "x");
    recorder.failures.store(u32::MAX, Ordering::Relaxed);
    let task = run(&ingest, request(world.source.path())).await;
    assert_eq!(task.state, TaskState::Failed);
    assert!(task.error.unwrap().contains("the disk is full"));
    assert_eq!(ingest.store.counts().await.unwrap().documents, 1);
    recorder.failures.store(0, Ordering::Relaxed);
    ingest.followed().wait_for(|followed| followed.committed == 1).await.unwrap();
    assert_eq!(recorder.paths(), ["a.rs"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_makes_the_index_panic_is_left_out_alone() {
    let world = World::new();
    let (ingest, recorder) = world.start().await;
    let posted = ingest.put_documents(vec![post("a", "x"), post("bad", "poison"), post("c", "x")]).await.unwrap();
    assert!(posted.searchable);
    assert_eq!(recorder.paths(), ["a", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_interrupts_and_the_next_run_completes() {
    let world = World::new();
    let (ingest, _) = world.start().await;
    for number in 0..2000 {
        world.write(&format!("{number}.rs"), format!("fn f{number}() {{}}"));
    }
    let running = ingest.start_indexing(request(world.source.path())).await.unwrap();
    let queued = ingest.start_indexing(IndexRequest { force: true, ..request(world.source.path()) }).await.unwrap();
    ingest.shutdown().await;
    for id in [running.id, queued.id] {
        let task = ingest.task(&id).await.unwrap().unwrap();
        assert!(task.state.is_finished(), "{task:?}");
    }
    let late = ingest.start_indexing(request(world.source.path())).await.unwrap_err();
    assert!(matches!(late, IngestError::ShuttingDown));

    let (ingest, recorder) = world.start().await;
    let task = index(&ingest, &world).await;
    assert_eq!(task.progress.indexed + task.progress.unchanged, 2000);
    assert_eq!(task.progress.removed, 0);
    assert_eq!(recorder.paths().len(), 2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_a_killed_process_are_interrupted() {
    let world = World::new();
    let (ingest, _) = world.start().await;
    world.write("a.rs", "x");
    let mut task = index(&ingest, &world).await;
    task.state = TaskState::Running;
    ingest.store.save_task(&task).await.unwrap();
    ingest.shutdown().await;

    let (ingest, _) = world.start().await;
    let task = finished(&ingest, &task.id).await;
    assert_eq!(task.state, TaskState::Interrupted);
    assert!(task.error.unwrap().contains("start it again"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_another_store_is_refused() {
    let world = World::new();
    let (ingest, recorder) = world.start().await;
    ingest.put_documents(vec![post("a", "x")]).await.unwrap();
    let other = World::new();
    let error = Ingest::start(other.store().await, recorder, other.config()).await.err().unwrap();
    assert!(matches!(error, IngestError::IndexAhead { index: 1, store: 0 }), "{error}");
}

/// Paths in which a literal is found.
fn found(snapshot: &Snapshot, literal: &str) -> Vec<String> {
    let probe = Probe::Pattern(PatternProbe {
        pattern: literal.into(),
        syntax: PatternSyntax::Literal,
        case_sensitive: true,
        whole_word: false,
        limit: 100,
    });
    let hits = snapshot.probe(&probe, &Scope::default(), Instant::now() + Duration::from_secs(60)).unwrap();
    let chunks = snapshot.chunks(&hits.chunks).unwrap().into_iter().flatten();
    chunks.map(|chunk| chunk.document.path.to_string()).collect()
}

/// The real index: everything acknowledged is found again though its folder was lost.
#[tokio::test(flavor = "multi_thread")]
async fn the_real_index_follows_and_catches_up() {
    let world = World::new();
    world.write("src/lib.rs", "pub fn curry_leaf() {}\n");
    world.write("notes.md", "# Spices\n\ncurry_leaf and cardamom\n");
    let folder = world.data.path().join("index");
    let sink = Arc::new(Index::open(&folder).unwrap());
    let ingest = Ingest::start(world.store().await, Arc::clone(&sink), world.config()).await.unwrap();
    let task = index(&ingest, &world).await;
    assert!(task.progress.chunks >= 2);
    ingest.put_documents(vec![post("posted", "curry_leaf again")]).await.unwrap();
    let mut paths = found(&sink.snapshot(), "curry_leaf");
    paths.sort();
    assert_eq!(paths, ["notes.md", "posted", "src/lib.rs"]);
    world.write("notes.md", "nothing of that\n");
    index(&ingest, &world).await;
    ingest.remove_documents(&["posted".into()]).await.unwrap();
    assert_eq!(found(&sink.snapshot(), "curry_leaf"), ["src/lib.rs"]);
    let last = ingest.store.last_sequence().await.unwrap();
    assert_eq!((sink.applied(), last), (5, 5));
    ingest.shutdown().await;
    drop((ingest, sink));

    fs::remove_dir_all(&folder).unwrap();
    let sink = Arc::new(Index::open(&folder).unwrap());
    let ingest = Ingest::start(world.store().await, Arc::clone(&sink), world.config()).await.unwrap();
    ingest.caught_up().await.unwrap();
    assert_eq!(found(&sink.snapshot(), "curry_leaf"), ["src/lib.rs"]);
    assert_eq!(sink.snapshot().stats().documents, 2);
}
