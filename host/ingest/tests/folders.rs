//! Folders: what is found, what is left out, what is news, who waits for whom.

use std::os::unix::fs::symlink;

use super::*;
use crate::store::{Phase, SkipReason};

fn skipped(task: &Task) -> BTreeMap<SkipReason, u64> {
    task.progress.skipped.iter().map(|(reason, skipped)| (*reason, skipped.count)).collect()
}

fn counted(task: &Task) -> (u64, u64, u64) {
    (task.progress.indexed, task.progress.unchanged, task.progress.removed)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_is_followed_and_nothing_else_is_read() {
    let world = World::new();
    let (ingest, recorder) = world.start().await;
    world.write("a.rs", "fn a() {}");
    world.write("sub/b.py", "def b(): pass");
    world.write("sub/c.md", "# See\n\nc");
    let task = index(&ingest, &world).await;
    assert_eq!(counted(&task), (3, 0, 0));
    assert_eq!((task.progress.files_seen, task.progress.bytes), (3, 9 + 13 + 8));
    assert_eq!((task.progress.phase, task.progress.pending, task.progress.chunks), (Phase::Done, 0, 3));
    assert_eq!(recorder.paths(), ["a.rs", "sub/b.py", "sub/c.md"]);
    let root = ingest.store.roots().await.unwrap().remove(0);
    assert!(root.last_indexed.is_some());

    assert_eq!(counted(&index(&ingest, &world).await), (0, 3, 0));
    assert_eq!(recorder.prepared.load(Ordering::Relaxed), 3);

    // Changed, added, deleted, renamed.
    world.write("a.rs", "fn a_changed() {}");
    world.write("d.go", "package d");
    world.delete("sub/b.py");
    fs::rename(world.source.path().join("sub/c.md"), world.source.path().join("c.md")).unwrap();
    assert_eq!(counted(&index(&ingest, &world).await), (3, 0, 2));
    let expected = [("a.rs", "fn a_changed() {}"), ("c.md", "# See\n\nc"), ("d.go", "package d")];
    assert_eq!(recorder.texts(), expected.map(|(path, text)| (path.to_owned(), text.to_owned())).into());

    let forced = IndexRequest { force: true, ..request(world.source.path()) };
    assert_eq!(counted(&run(&ingest, forced).await), (3, 0, 0));
    assert_eq!(recorder.prepared.load(Ordering::Relaxed), 3 + 5 + 3);
}

/// Same length, same modification time: only the change time, which nobody can set, tells.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_hides_its_time_is_found() {
    let world = World::new();
    let (ingest, recorder) = world.start().await;
    world.write("a.rs", "fn a() {}");
    let file = world.source.path().join("a.rs");
    let before = fs::metadata(&file).unwrap().modified().unwrap();
    index(&ingest, &world).await;
    // The kernel's clock for files ticks every few milliseconds.
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.write("a.rs", "fn b() {}");
    fs::File::options().write(true).open(&file).unwrap().set_modified(before).unwrap();
    assert_eq!(counted(&index(&ingest, &world).await), (1, 0, 0));
    assert_eq!(recorder.texts()["a.rs"], "fn b() {}");

    // Touched only: read again, not written again.
    fs::File::options().write(true).open(&file).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    assert_eq!(counted(&index(&ingest, &world).await), (0, 1, 0));
    assert_eq!(ingest.store.last_sequence().await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_young_file_is_not_trusted_by_its_time() {
    let world = World::new();
    let recorder = Arc::new(Recorder::default());
    let config = IngestConfig { timestamp_granularity: Duration::from_secs(3600), ..world.config() };
    let ingest = Ingest::start(world.store().await, Arc::clone(&recorder), config).await.unwrap();
    world.write("a.rs", "fn a() {}");
    index(&ingest, &world).await;
    let task = index(&ingest, &world).await;
    // Read (9 bytes), compared, found the same.
    assert_eq!((counted(&task), task.progress.bytes), ((0, 1, 0), 9));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_searched_is_counted_by_reason() {
    let world = World::new();
    let (ingest, recorder) = world.start().await;
    world.write("text.txt", "text");
    world.write("latin1.txt", b"K\xe4se ist gut");
    world.write("logo.png", b"\x89PNG\r\n\x1a\n\0\0\0");
    world.write("noise.bin", b"\xff\xfe\xfd\xfc\xfb");
    world.write("exact.txt", "x".repeat(1000));
    world.write("huge.txt", "x".repeat(1001));
    world.write("empty.rs", "");
    world.write("line\nbreak.txt", "x");
    symlink("/etc/hostname", world.source.path().join("link.txt")).unwrap();
    symlink("/etc", world.source.path().join("folder-link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(world.source.path().join("socket")).unwrap();
    let task = index(&ingest, &world).await;
    assert_eq!(recorder.paths(), ["exact.txt", "latin1.txt", "text.txt"]);
    assert_eq!(recorder.texts()["latin1.txt"], "K\u{fffd}se ist gut");
    let expected = [
        (SkipReason::Binary, 2),
        (SkipReason::TooLarge, 1),
        (SkipReason::Empty, 1),
        (SkipReason::SymbolicLink, 2),
        (SkipReason::SpecialFile, 1),
        (SkipReason::UnusablePath, 1),
    ];
    assert_eq!(skipped(&task), expected.into());
    assert_eq!(task.progress.skipped[&SkipReason::TooLarge].examples, ["huge.txt"]);
    assert_eq!(task.progress.files_seen, 11);

    // A text that becomes binary is no longer searchable.
    world.write("text.txt", b"now\0binary");
    assert_eq!(counted(&index(&ingest, &world).await), (0, 2, 1));
    assert_eq!(recorder.paths(), ["exact.txt", "latin1.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ignore_files_are_honoured_without_a_repository() {
    let world = World::new();
    for (path, content) in [
        (".gitignore", "target/\n*.log\n!keep.log\n"),
        (".ignore", "vendored\n"),
        ("sub/.gitignore", "/local.rs\n"),
        ("src.rs", "x"),
        ("target/built.rs", "x"),
        ("a.log", "x"),
        ("keep.log", "x"),
        ("vendored/lib.rs", "x"),
        ("sub/local.rs", "x"),
        ("sub/deep/local.rs", "x"),
        (".hidden/secret.rs", "x"),
        (".git/config.rs", "x"),
        ("data/store.rs", "x"),
    ] {
        world.write(path, content);
    }
    let recorder = Arc::new(Recorder::default());
    let config = IngestConfig { excluded: vec![world.source.path().join("data")], ..world.config() };
    let ingest = Ingest::start(world.store().await, Arc::clone(&recorder), config).await.unwrap();
    index(&ingest, &world).await;
    assert_eq!(recorder.paths(), ["keep.log", "src.rs", "sub/deep/local.rs"]);
    let data = run_error(&ingest, request(&world.source.path().join("data"))).await;
    assert!(matches!(data, IngestError::NotAllowed { .. }));

    // Ignored from now on: no longer searchable.
    world.write(".ignore", "vendored\nsub\n");
    index(&ingest, &world).await;
    assert_eq!(recorder.paths(), ["keep.log", "src.rs"]);
}

async fn run_error(ingest: &Ingest, request: IndexRequest) -> IngestError {
    ingest.start_indexing(request).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_bound_what_is_added_and_what_is_removed() {
    let world = World::new();
    let (ingest, recorder) = world.start().await;
    for path in ["a.rs", "a.py", "src/b.rs", "src/b.PY", "src/deep/c.py", "srcother/d.py", "Makefile"] {
        world.write(path, "x");
    }
    let filtered = |file_types: &[&str], directories: &[&str]| IndexRequest {
        file_types: file_types.iter().map(|text| text.to_string()).collect(),
        directories: directories.iter().map(|text| text.to_string()).collect(),
        ..request(world.source.path())
    };
    let task = run(&ingest, filtered(&[".py"], &["./src/"])).await;
    assert_eq!((task.progress.files_seen, task.progress.indexed), (2, 2));
    assert_eq!(recorder.paths(), ["src/b.PY", "src/deep/c.py"]);
    assert_eq!(ingest.store.roots().await.unwrap()[0].last_indexed, None);

    index(&ingest, &world).await;
    assert_eq!(recorder.paths().len(), 7);
    for path in ["a.rs", "src/b.rs", "src/deep/c.py"] {
        world.delete(path);
    }
    assert_eq!(run(&ingest, filtered(&["rs"], &["src"])).await.progress.removed, 1);
    assert_eq!(run(&ingest, filtered(&["*.rs"], &[])).await.progress.removed, 1);
    assert_eq!(recorder.paths(), ["Makefile", "a.py", "src/b.PY", "src/deep/c.py", "srcother/d.py"]);
    assert_eq!(run(&ingest, filtered(&[], &["src/deep"])).await.progress.removed, 1);

    for (file_types, directories, field) in
        [(vec![""], vec![], "file_types"), (vec!["a/b"], vec![], "file_types"), (vec![], vec!["../x"], "directories")]
    {
        let error = run_error(&ingest, filtered(&file_types, &directories)).await;
        assert!(matches!(&error, IngestError::BadRequest { field: named, .. } if *named == field), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_inside_of_a_root_is_part_of_it() {
    let world = World::new();
    let (ingest, recorder) = world.start().await;
    world.write(".gitignore", "ignored\n");
    world.write("a.rs", "x");
    world.write("sub/b.rs", "x");
    world.write("ignored/c.rs", "x");
    index(&ingest, &world).await;
    world.write("a.rs", "changed");
    world.write("sub/b.rs", "changed");
    let task = run(&ingest, request(&world.source.path().join("sub"))).await;
    assert_eq!(counted(&task), (1, 0, 0));
    assert_eq!(recorder.paths(), ["a.rs", "sub/b.rs"]);
    assert_eq!(ingest.store.roots().await.unwrap().len(), 1);

    // The outer walk never gets there, so whoever asks for it gets a root of its own.
    let task = run(&ingest, IndexRequest { path: "ignored".into(), ..IndexRequest::default() }).await;
    assert_eq!(counted(&task), (1, 0, 0));
    assert_eq!(recorder.paths(), ["a.rs", "c.rs", "sub/b.rs"]);
    let roots = ingest.store.roots().await.unwrap();
    assert_eq!((roots.len(), roots[1].name.as_str()), (2, "ignored"));

    assert_eq!(ingest.remove_root(&roots[1].path).await.unwrap(), Some(1));
    assert_eq!(ingest.remove_root("/not/indexed").await.unwrap(), None);
    assert_eq!(recorder.paths(), ["a.rs", "sub/b.rs"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_is_one_task_and_others_wait() {
    let world = World::new();
    let (ingest, recorder) = world.start().await;
    for number in 0..300 {
        world.write(&format!("{number}.rs"), "x");
    }
    let first = ingest.start_indexing(request(world.source.path())).await.unwrap();
    let again = ingest.start_indexing(request(world.source.path())).await.unwrap();
    let forced = ingest.start_indexing(IndexRequest { force: true, ..request(world.source.path()) }).await.unwrap();
    assert_eq!(first.id, again.id);
    assert_ne!(first.id, forced.id);
    assert!(first.id < forced.id);
    let forced = finished(&ingest, &forced.id).await;
    let first = ingest.task(&first.id).await.unwrap().unwrap();
    assert_eq!((first.state, forced.state), (TaskState::Succeeded, TaskState::Succeeded));
    assert_eq!((counted(&first), counted(&forced)), ((300, 0, 0), (300, 0, 0)));
    assert!(first.finished_at <= forced.started_at);
    assert_eq!(recorder.paths().len(), 300);
    assert_eq!(ingest.tasks(10).await.unwrap().len(), 2);
    assert_eq!(ingest.task("no such task").await.unwrap(), None);
    let json = serde_json::to_value(&first).unwrap();
    assert_eq!((&json["state"], &json["kind"]), (&"succeeded".into(), &"index-folder".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_vanishes_keeps_its_documents() {
    let world = World::new();
    let (ingest, recorder) = world.start().await;
    world.write("project/a.rs", "x");
    let folder = world.source.path().join("project");
    run(&ingest, request(&folder)).await;
    fs::rename(&folder, world.source.path().join("moved")).unwrap();
    let error = run_error(&ingest, request(&folder)).await;
    assert!(matches!(error, IngestError::NotAllowed { .. }));
    assert_eq!(recorder.paths(), ["a.rs"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_folder_is_followed() {
    let world = World::new();
    let (ingest, recorder) = world.start().await;
    world.write("a.rs", "x");
    world.write("old/b.rs", "x");
    let watched = IndexRequest { watch: true, ..request(world.source.path()) };
    run(&ingest, watched.clone()).await;
    run(&ingest, watched).await;
    assert_eq!(recorder.paths(), ["a.rs", "old/b.rs"]);

    world.write("a.rs", "changed");
    world.write("new/deep/c.rs", "x");
    world.write("new/.hidden", "x");
    fs::remove_dir_all(world.source.path().join("old")).unwrap();
    let mut followed = ingest.followed();
    while recorder.paths() != ["a.rs", "new/deep/c.rs"] || recorder.texts()["a.rs"] != "changed" {
        followed.changed().await.unwrap();
    }
    world.write(".gitignore", "new\n");
    while recorder.paths() != ["a.rs"] {
        followed.changed().await.unwrap();
    }
    assert_eq!(ingest.tasks(10).await.unwrap().len(), 2);
    ingest.shutdown().await;
}
