//! An index that is opened again: as it was committed, after a crash, damaged, of another format.

use super::*;

#[test]
fn an_index_opens_as_it_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    let index = filled(folder.path());
    let stats = index.snapshot().stats();
    let chunks = |index: &Index| {
        let snapshot = index.snapshot();
        let hits = snapshot.probe(&vector("store"), &Scope::default(), soon()).unwrap();
        (snapshot.chunks(&hits.chunks).unwrap(), hits)
    };
    let expect = chunks(&index);
    // Applied but not committed: gone after the restart, as `applied` says.
    index.apply(vec![upsert(&index, version(4, 14, "x.txt", "uncommitted"))]).unwrap();
    drop(index);
    let index = Index::open(folder.path()).unwrap();
    assert_eq!(index.applied(), 3);
    assert_eq!(chunks(&index), expect);
    let again = index.snapshot().stats();
    assert_eq!((again.documents, again.chunks, again.vectors), (stats.documents, stats.chunks, stats.vectors));
    assert_eq!(found(&index, &text("uncommitted")), [""; 0]);
    assert_eq!(found(&index, &Probe::Pattern(pattern("durable"))), ["src/store.rs:3"]);
}

#[test]
fn an_open_index_is_not_opened_twice() {
    let folder = tempfile::tempdir().unwrap();
    let _index = filled(folder.path());
    let error = Index::open(folder.path()).err().unwrap().to_string();
    assert!(error.contains("another process"), "{error}");
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.path().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}

/// As a killed process leaves it: what is on disk now, copied while the index is open.
fn image(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in files(folder) {
        let target = copy.path().join(file.strip_prefix(folder).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        // Drafts of an open index may vanish while they are copied.
        match std::fs::copy(file, target) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => {}
        }
    }
    copy
}

#[test]
fn a_crash_loses_nothing_that_a_replay_does_not_bring_back() {
    let folder = tempfile::tempdir().unwrap();
    let index = filled(folder.path());
    let at_3 = image(folder.path());
    let changes = |index: &Index| {
        vec![
            upsert(index, version(4, 11, "src/store.rs", "pub fn ephemeral() {}\n")),
            Change::Remove { document: 12, sequence: 5 },
        ]
    };
    index.apply(changes(&index)).unwrap();
    let applied_only = image(folder.path());
    index.commit(5).unwrap();
    drop(index);
    // Killed between the commits of the two parts, either one first.
    let (text_ahead, patterns_ahead) = (image(folder.path()), image(folder.path()));
    for (mixed, behind) in [(&text_ahead, "patterns"), (&patterns_ahead, "text")] {
        std::fs::remove_dir_all(mixed.path().join(behind)).unwrap();
        let older = image(at_3.path());
        std::fs::rename(older.path().join(behind), mixed.path().join(behind)).unwrap();
    }
    for crashed in [&at_3, &applied_only, &text_ahead, &patterns_ahead] {
        let index = Index::open(crashed.path()).unwrap();
        assert_eq!(index.applied(), 3);
        index.apply(changes(&index)).unwrap();
        index.commit(5).unwrap();
        assert_eq!(found(&index, &text("durable guitar ephemeral")), ["src/store.rs:1"]);
        assert_eq!(found(&index, &Probe::Pattern(pattern("durable|guitar|ephemeral"))), ["src/store.rs:1"]);
        assert_eq!(index.snapshot().stats().documents, 2);
        assert_eq!(index.snapshot().content(4).unwrap().as_deref(), Some("pub fn ephemeral() {}\n"));
    }
}

#[test]
fn any_damaged_or_missing_file_starts_the_index_empty() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    let template = files(folder.path());
    let harmless = ["lock", ".tantivy-writer.lock", ".tantivy-meta.lock", ".managed.json"];
    let mut damaged = 0;
    for victim in &template {
        if harmless.iter().any(|name| victim.ends_with(name)) {
            continue;
        }
        for remove in [true, false] {
            let copy = image(folder.path());
            let target = copy.path().join(victim.strip_prefix(folder.path()).unwrap());
            if remove {
                std::fs::remove_file(&target).unwrap();
            } else {
                let mut bytes = std::fs::read(&target).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x55;
                std::fs::write(&target, bytes).unwrap();
            }
            let index = Index::open(copy.path()).unwrap();
            assert_eq!((index.applied(), index.snapshot().stats().documents), (0, 0), "{} {remove}", victim.display());
            index.apply(vec![upsert(&index, version(1, 11, "src/store.rs", STORE_RS))]).unwrap();
            index.commit(1).unwrap();
            assert_eq!(found(&index, &text("durable")), ["src/store.rs:1"]);
            damaged += 1;
        }
    }
    assert!(damaged > 20, "{damaged}");
}

#[test]
fn another_format_starts_the_index_empty() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    std::fs::write(folder.path().join("format.json"), r#"{"format":999,"model":"other"}"#).unwrap();
    let index = Index::open(folder.path()).unwrap();
    assert_eq!(index.applied(), 0);
    assert!(index.snapshot().documents().unwrap().is_empty());
}
