//! Copies between real stores of both kinds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use services::{Postgres, PostgresKind};

use super::*;
use crate::store::conformance::{task, text};
use crate::store::world::conformance::{events, rules, snapshot};
use crate::store::{NewDocument, PostgresOptions, PostgresStore, SqliteStore, TaskState};

async fn sqlite(folder: &tempfile::TempDir, name: &str) -> Arc<dyn Portable> {
    Arc::new(SqliteStore::open(&folder.path().join(name)).await.unwrap())
}

async fn postgres() -> Arc<dyn Portable> {
    let url = Postgres::shared(PostgresKind::Debian).database();
    Arc::new(PostgresStore::open(&url, PostgresOptions::new("copier")).await.unwrap())
}

/// Removed and living roots, tombstones, damage, stamps, tasks: whatever a store may have.
async fn fill(store: &dyn Portable) {
    let one = store.register_root("/one", "one").await.unwrap().id;
    let two = store.register_root("/two/\u{e9}", "two").await.unwrap().id;
    let documents = (0..600).map(|number| NewDocument {
        stamp: (number % 2 == 0).then_some(number),
        title: (number % 3 == 0).then(|| format!("title \u{1f98a} {number}")),
        language: Some("rust".into()),
        ..text(
            if number % 5 == 0 { one } else { two },
            &format!("\u{e9}/{number}.rs"),
            &"fn f() {}\n".repeat(number as usize),
        )
    });
    store.upsert(documents.collect()).await.unwrap();
    store.upsert(vec![text(0, "empty", ""), text(0, "nul", "a\0b"), text(0, "damaged", "text")]).await.unwrap();
    let damaged = store.document(0, "damaged").await.unwrap().unwrap().document;
    store.mark_damaged(damaged).await.unwrap();
    store.remove(two, &["\u{e9}/1.rs".to_owned(), "\u{e9}/2.rs".to_owned()]).await.unwrap();
    store.mark_indexed(two, 1234).await.unwrap();
    store.remove_root(one).await.unwrap();
    for (id, state) in [("1", TaskState::Succeeded), ("2", TaskState::Running)] {
        let task =
            Task { error: Some("why".into()), started_at: Some("2026-01-02T03:04:06Z".into()), ..task(id, state) };
        store.save_task(&task).await.unwrap();
    }
    for (id, created_at) in [("0a", 2), ("0b", 1)] {
        let key = StoredKey { rate_per_minute: Some(u32::MAX), created_at, ..key(id, "\u{fc}") };
        store.add_key(&key).await.unwrap();
    }
    // More than a page, with two hosts at each begin.
    let rows = (0..12_000).map(|row| HistoryRow {
        host: format!("host {}", row % 2),
        resolution: Resolution::Minute,
        at: 60 * (row / 2),
        figures: format!("{{\"row\": {row}}}"),
        times: vec![0, row as u8],
    });
    let hour =
        HistoryRow { host: "a".into(), resolution: Resolution::Hour, at: 0, figures: "{}".into(), times: vec![] };
    store.record_history(&rows.chain([hour]).collect::<Vec<_>>()).await.unwrap();
    // More than a page.
    store.record_usage(&usage(10_050)).await.unwrap();
    // Of three snapshots the first is gone, and the second stays because it was pinned.
    for (sequence, name) in [(100, None), (200, None), (300, None)] {
        let id = store.save_snapshot(&snapshot(sequence, name), &[1; 1000], 1).await.unwrap();
        if id == 2 {
            store.pin_snapshot(id).await.unwrap();
        }
    }
    store.save_snapshot(&snapshot(400, Some("\u{1f98a}")), &[], 1).await.unwrap();
    store.save_rules(&rules(1, 20)).await.unwrap();
    store.save_rules(&rules(2, 10)).await.unwrap();
    // More than a page.
    store.append_events(&events(1..=12_000)).await.unwrap();
}

/// Of three days; letters before and after those of other alphabets.
fn usage(count: i64) -> Vec<UsageRow> {
    let row = |row: i64| UsageRow {
        question: format!("{} {row}", ["Z", "\u{fc}"][(row % 2) as usize]),
        path: "\u{e9}/3.rs".into(),
        day: row % 3,
        count: 2,
    };
    (0..count).map(row).collect()
}

fn key(id: &str, name: &str) -> StoredKey {
    StoredKey {
        id: id.into(),
        name: name.into(),
        digest: [7; 32],
        scopes: "search,index".into(),
        rate_per_minute: Some(60),
        created_at: 1_700_000_000,
        expires_at: None,
    }
}

/// Also over what an interrupted copy left.
#[tokio::test]
async fn keys_go_along() {
    let folder = tempfile::tempdir().unwrap();
    let source = sqlite(&folder, "source").await;
    for name in ["a", "b"] {
        source.add_key(&key(name, name)).await.unwrap();
    }
    for target in [sqlite(&folder, "target").await, postgres().await] {
        target.begin_import().await.unwrap();
        target.add_key(&key("a", "an earlier name")).await.unwrap();
        copy(&*source, &*target, &|_| ()).await.unwrap();
        assert_eq!(target.keys().await.unwrap(), [key("a", "a"), key("b", "b")]);
    }
}

/// Before anything is written: of two stores nobody could tell afterwards what was whose.
#[tokio::test]
async fn a_target_with_a_key_history_or_a_world_of_its_own_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let source = sqlite(&folder, "source").await;
    source.upsert(vec![text(0, "a", "1")]).await.unwrap();
    let row = HistoryRow { host: "a".into(), resolution: Resolution::Hour, at: 0, figures: "{}".into(), times: vec![] };
    for [with_key, with_history, with_world] in [
        [sqlite(&folder, "1").await, sqlite(&folder, "2").await, sqlite(&folder, "3").await],
        [postgres().await, postgres().await, postgres().await],
    ] {
        with_key.add_key(&key("own", "own")).await.unwrap();
        with_history.record_history(std::slice::from_ref(&row)).await.unwrap();
        with_world.append_events(&events([1])).await.unwrap();
        for (target, expected) in [(with_key, (1, 0, 0)), (with_history, (0, 1, 0)), (with_world, (0, 0, 1))] {
            let error = copy(&*source, &*target, &|_| ()).await.unwrap_err();
            let CopyError::NotEmpty { documents: 0, keys, history, usage: 0, events } = error else {
                panic!("{error}")
            };
            assert_eq!((keys, history, events), expected);
            assert_eq!(target.last_sequence().await.unwrap(), 0);
        }
    }
}

async fn assert_same(one: &dyn Portable, two: &dyn Portable) {
    assert_eq!(one.changes(0, 10_000).await.unwrap(), two.changes(0, 10_000).await.unwrap());
    assert_eq!(one.roots().await.unwrap(), two.roots().await.unwrap());
    assert_eq!(one.counts().await.unwrap(), two.counts().await.unwrap());
    assert_eq!(one.last_sequence().await.unwrap(), two.last_sequence().await.unwrap());
    assert_eq!(one.tasks(10).await.unwrap(), two.tasks(10).await.unwrap());
    assert_eq!(one.keys().await.unwrap(), two.keys().await.unwrap());
    for resolution in RESOLUTIONS {
        let all = HistoryRange { resolution, from: 0, until: i64::MAX, host: None, limit: 100_000 };
        assert_eq!(one.history(&all).await.unwrap(), two.history(&all).await.unwrap());
    }
    assert_eq!(one.usage(100_000).await.unwrap(), two.usage(100_000).await.unwrap());
    assert_eq!(one.events(0, 100_000).await.unwrap(), two.events(0, 100_000).await.unwrap());
    assert_eq!(one.export_snapshots().await.unwrap(), two.export_snapshots().await.unwrap());
    for SnapshotInfo { id, .. } in one.snapshots().await.unwrap() {
        assert_eq!(one.snapshot_body(id).await.unwrap(), two.snapshot_body(id).await.unwrap());
    }
    assert_eq!(one.rules_used().await.unwrap(), two.rules_used().await.unwrap());
    for digest in [[1; 32], [2; 32]] {
        assert_eq!(one.rules(&digest).await.unwrap(), two.rules(&digest).await.unwrap());
    }
    for root in [0, 1, 2] {
        assert_eq!(one.fingerprints(root).await.unwrap(), two.fingerprints(root).await.unwrap());
    }
}

#[tokio::test]
async fn a_copy_there_and_back_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (first, there, back) = (sqlite(&folder, "1").await, postgres().await, sqlite(&folder, "2").await);
    fill(&*first).await;
    let copied = AtomicU64::new(0);
    let (moved, was_there) = copy(&*first, &*there, &|count| copied.store(count, Ordering::Relaxed)).await.unwrap();
    // 600 and 3 written; 2 removed, then the 120 of root one.
    assert_eq!((moved.documents, moved.tombstones, moved.roots, moved.tasks), (481, 122, 2, 2));
    assert_eq!((moved.keys, moved.history, moved.usage), (2, 12_001, 10_050));
    assert_eq!((moved.events, moved.snapshots, moved.rules), (12_000, 3, 2));
    assert_eq!((moved.last_sequence, was_there), (725, false));
    assert_eq!(copied.into_inner(), 603);
    assert_same(&*first, &*there).await;
    copy(&*there, &*back, &|_| ()).await.unwrap();
    assert_same(&*first, &*back).await;

    // Both go on as the first would have: next number, new ids, old ids for what comes back.
    for store in [&first, &there, &back] {
        let root = store.register_root("/three", "three").await.unwrap();
        assert_eq!(root.id, 3);
        assert_eq!(store.register_root("/one", "one").await.unwrap().id, 1);
        let mut new =
            vec![text(2, "\u{e9}/1.rs", "again"), text(root.id, "new", "new"), text(2, "\u{e9}/3.rs", "changed")];
        // Without one it is the clock's, and the stores are written one after the other.
        new.iter_mut().for_each(|document| document.modified = Some(7));
        let again = store.upsert(new).await.unwrap();
        assert_eq!(again, first_outcomes());
        assert!(store.append_events(&events([12_000])).await.is_err());
        store.append_events(&events([12_001])).await.unwrap();
        assert_eq!(store.save_snapshot(&snapshot(500, None), &[2], 1).await.unwrap(), 5);
        let left: Vec<u64> = store.snapshots().await.unwrap().into_iter().map(|left| left.id).collect();
        assert_eq!(left, [5, 4, 2], "the pinned one is still so");
    }
    let error = copy(&*first, &*there, &|_| ()).await;
    assert!(error.is_ok_and(|(_, was_there)| was_there), "the same changes make the same store");
}

/// Ids count from 1: the 600 of the first batch, then `empty`, `nul` and `damaged`; 604 is the next.
fn first_outcomes() -> Vec<crate::store::Upserted> {
    let written = |document, sequence| crate::store::Upserted::Written { document, sequence };
    vec![written(2, 726), written(604, 727), written(4, 728)]
}

#[tokio::test]
async fn an_interrupted_copy_goes_on_and_a_full_target_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let source = sqlite(&folder, "source").await;
    fill(&*source).await;
    for target in [sqlite(&folder, "target").await, postgres().await] {
        // As if it had been killed after the first page.
        target.begin_import().await.unwrap();
        target.import_roots(source.export_roots().await.unwrap()).await.unwrap();
        target.import_documents(source.export_documents(0).await.unwrap()).await.unwrap();
        target.append_events(&events(1..=10_000)).await.unwrap();
        target.record_usage(&source.export_usage(None).await.unwrap()).await.unwrap();
        // The source has let it go since.
        target.save_snapshot(&snapshot(50, None), &[3], 1).await.unwrap();
        target.save_rules(&rules(9, 9)).await.unwrap();
        assert_eq!(target.target().await.unwrap(), Target::Begun);
        copy(&*source, &*target, &|_| ()).await.unwrap();
        assert_same(&*source, &*target).await;
        assert!(copy(&*source, &*target, &|_| ()).await.unwrap().1);

        target.upsert(vec![text(0, "own", "own")]).await.unwrap();
        let error = copy(&*source, &*target, &|_| ()).await.unwrap_err();
        assert!(matches!(error, CopyError::NotEmpty { documents: 482, .. }), "{error}");
    }
}

#[tokio::test]
async fn counts_that_grow_between_two_pages_are_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = usage(USAGE_ROWS + 50);
    rows.sort_by(|one, two| (one.day, &one.question).cmp(&(two.day, &two.question)));
    let (first, rest) = rows.split_at(USAGE_ROWS as usize);
    for store in [sqlite(&folder, "store").await, postgres().await] {
        store.record_usage(&rows).await.unwrap();
        let page = store.export_usage(None).await.unwrap();
        assert!(page == first, "by day, then by question");
        // One of each page would change its place among the most counted.
        store.record_usage(&[first[0].clone(), rest[49].clone()]).await.unwrap();
        let page = store.export_usage(page.last()).await.unwrap();
        let grown = UsageRow { count: 4, ..rest[49].clone() };
        assert_eq!(page, [&rest[..49], &[grown]].concat());
        assert_eq!(store.export_usage(page.last()).await.unwrap(), []);
    }
}

#[tokio::test]
async fn what_a_target_has_beside_the_copy_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (sqlite(&folder, "source").await, postgres().await);
    source.upsert(vec![text(0, "a", "1")]).await.unwrap();
    // Left from a copy of another store.
    target.begin_import().await.unwrap();
    target.register_root("/other", "other").await.unwrap();
    let error = copy(&*source, &*target, &|_| ()).await.unwrap_err();
    let CopyError::Differs { source_has, target_has } = &error else { panic!("{error}") };
    assert_eq!((source_has.roots, target_has.roots), (0, 1));
}
