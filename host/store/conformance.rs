//! What any document store must do, as functions over the trait. Each gets an empty store; a backend's
//! own tests run them all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// Documents that get new versions as they are.
mod renewal;

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::*;

type Check = fn(Arc<dyn DocumentStore>) -> BoxFuture<'static, ()>;

pub(crate) const CHECKS: &[Check] = &[
    |store| versions_take_sequences_in_order(store).boxed(),
    |store| unchanged_documents_are_not_rewritten(store).boxed(),
    |store| metadata_makes_a_new_version(store).boxed(),
    |store| a_touched_file_is_no_new_version(store).boxed(),
    |store| the_feed_has_the_last_change_of_each(store).boxed(),
    |store| the_feed_comes_in_pages(store).boxed(),
    |store| removed_documents_come_back_with_their_identity(store).boxed(),
    |store| too_large_writes_nothing(store).boxed(),
    |store| roots_are_registered_once_and_removed(store).boxed(),
    |store| writers_at_once_lose_nothing(store).boxed(),
    |store| tasks_are_kept_and_interrupted(store).boxed(),
    |store| any_text_survives(store).boxed(),
    |store| one_batch_decides_document_by_document(store).boxed(),
    |store| a_large_batch_is_written_whole(store).boxed(),
    |store| names_without_room_for_nul_are_refused_or_mended(store).boxed(),
    |store| nothing_to_do_changes_nothing(store).boxed(),
    |store| renewal::documents_are_news_as_they_are(store).boxed(),
    |store| renewal::nothing_comes_back(store).boxed(),
];

/// A document without stamp, written now.
pub(crate) fn text(root: u64, path: &str, content: &str) -> NewDocument {
    NewDocument {
        root,
        path: path.to_owned(),
        language: None,
        title: None,
        modified: None,
        stamp: None,
        content: content.to_owned(),
        rewrite: false,
    }
}

/// A task that was made a while ago.
pub(crate) fn task(id: &str, state: TaskState) -> Task {
    Task {
        id: id.to_owned(),
        kind: TaskKind::IndexFolder,
        state,
        path: "src".into(),
        progress: Progress::default(),
        error: None,
        created_at: "2026-01-02T03:04:05Z".into(),
        started_at: None,
        finished_at: None,
    }
}

fn written(outcome: Upserted) -> (u64, u64) {
    match outcome {
        Upserted::Written { document, sequence } => (document, sequence),
        Upserted::Unchanged => panic!("should have been written"),
    }
}

async fn feed(store: &Arc<dyn DocumentStore>) -> Vec<StoredChange> {
    store.changes(0, 1000).await.unwrap()
}

async fn versions_take_sequences_in_order(store: Arc<dyn DocumentStore>) {
    assert_eq!(store.last_sequence().await.unwrap(), 0);
    assert!(feed(&store).await.is_empty());
    let outcomes = store.upsert(vec![text(0, "a", "1"), text(0, "b", "2")]).await.unwrap();
    let (a, first) = written(outcomes[0]);
    let (b, second) = written(outcomes[1]);
    assert_ne!(a, b);
    assert_eq!((first, second), (1, 2));
    // The same path twice in one batch: the last one stays.
    let outcomes = store.upsert(vec![text(0, "a", "3"), text(0, "a", "4")]).await.unwrap();
    assert_eq!([written(outcomes[0]), written(outcomes[1])], [(a, 3), (a, 4)]);
    assert_eq!(store.last_sequence().await.unwrap(), 4);
    let version = store.document(0, "a").await.unwrap().unwrap();
    assert_eq!((version.document, version.sequence, version.content.as_str()), (a, 4, "4"));
    assert_eq!(store.document(0, "c").await.unwrap(), None);
    assert_eq!(store.counts().await.unwrap(), Counts { documents: 2, tombstones: 0, content_bytes: 2, roots: 0 });
}

async fn unchanged_documents_are_not_rewritten(store: Arc<dyn DocumentStore>) {
    let document = NewDocument { modified: Some(7), ..text(0, "a", "same") };
    written(store.upsert(vec![document.clone()]).await.unwrap()[0]);
    assert_eq!(store.upsert(vec![document.clone()]).await.unwrap(), [Upserted::Unchanged]);
    // Without a time of its own, the stored one stays.
    assert_eq!(store.upsert(vec![text(0, "a", "same")]).await.unwrap(), [Upserted::Unchanged]);
    assert_eq!(store.document(0, "a").await.unwrap().unwrap().modified, 7);
    assert_eq!(store.last_sequence().await.unwrap(), 1);
    let rewritten = NewDocument { rewrite: true, ..document };
    assert_eq!(written(store.upsert(vec![rewritten]).await.unwrap()[0]).1, 2);
}

async fn metadata_makes_a_new_version(store: Arc<dyn DocumentStore>) {
    let mut document = text(0, "a", "same");
    let mut expected = 0;
    for change in [
        (|_| ()) as fn(&mut NewDocument),
        |document| document.title = Some("Title".into()),
        |document| document.language = Some("rust".into()),
        |document| document.modified = Some(1_000_000_000),
        |document| document.title = None,
    ] {
        change(&mut document);
        expected += 1;
        assert_eq!(written(store.upsert(vec![document.clone()]).await.unwrap()[0]).1, expected);
    }
    let version = store.document(0, "a").await.unwrap().unwrap();
    assert_eq!(version.language.as_deref(), Some("rust"));
    assert_eq!(version.title, None);
    assert_eq!(version.modified, 1_000_000_000);
}

async fn a_touched_file_is_no_new_version(store: Arc<dyn DocumentStore>) {
    let root = store.register_root("/src", "src").await.unwrap().id;
    let file = |stamp| NewDocument { modified: Some(stamp), stamp: Some(stamp), ..text(root, "a", "same") };
    store.upsert(vec![file(1)]).await.unwrap();
    assert_eq!(store.upsert(vec![file(2)]).await.unwrap(), [Upserted::Unchanged]);
    let fingerprints = store.fingerprints(root).await.unwrap();
    assert_eq!(
        fingerprints["a"],
        Fingerprint { digest: *blake3::hash(b"same").as_bytes(), modified: 1, stamp: Some(2), size: 4 }
    );
    assert_eq!(fingerprints.len(), 1);
    assert!(store.fingerprints(POSTED_ROOT).await.unwrap().is_empty());
}

async fn the_feed_has_the_last_change_of_each(store: Arc<dyn DocumentStore>) {
    store.upsert(vec![text(0, "a", "1"), text(0, "b", "2"), text(0, "c", "3")]).await.unwrap();
    store.upsert(vec![text(0, "a", "4")]).await.unwrap();
    let paths = ["b".to_owned(), "missing".to_owned()];
    assert_eq!(store.remove(0, &paths).await.unwrap(), 1);
    assert_eq!(store.remove(0, &paths).await.unwrap(), 0);
    let seen: Vec<_> = feed(&store)
        .await
        .into_iter()
        .map(|change| match change {
            StoredChange::Upsert(version) => (version.sequence, version.content),
            StoredChange::Remove { sequence, .. } => (sequence, "removed".into()),
            StoredChange::Damaged { reason, .. } => panic!("{reason}"),
        })
        .collect();
    assert_eq!(seen, [(3, "3".into()), (4, "4".into()), (5, "removed".into())]);
    assert_eq!(store.last_sequence().await.unwrap(), 5);
    assert_eq!(store.changes(4, 10).await.unwrap().len(), 1);
    assert!(store.changes(5, 10).await.unwrap().is_empty());
    assert_eq!(store.document(0, "b").await.unwrap(), None);
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.documents, counts.tombstones, counts.content_bytes), (2, 1, 2));
}

async fn the_feed_comes_in_pages(store: Arc<dyn DocumentStore>) {
    let big = "x".repeat(1 << 20);
    let documents = (0..20).map(|number| text(0, &format!("{number}"), &big)).collect();
    store.upsert(documents).await.unwrap();
    assert_eq!(store.changes(0, 3).await.unwrap().len(), 3);
    // 8 MiB a page: the eighth document of 1 MiB fills it.
    let mut sizes = vec![];
    let mut after = 0;
    loop {
        let page = store.changes(after, 1000).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.sequence();
        sizes.push(page.len());
    }
    assert_eq!(sizes, [8, 8, 4]);
    assert_eq!(after, 20);
}

async fn removed_documents_come_back_with_their_identity(store: Arc<dyn DocumentStore>) {
    let (id, _) = written(store.upsert(vec![text(0, "a", "same")]).await.unwrap()[0]);
    store.remove(0, &["a".to_owned()]).await.unwrap();
    assert_eq!(feed(&store).await, [StoredChange::Remove { document: id, sequence: 2 }]);
    // The same text as before is a change all the same.
    assert_eq!(written(store.upsert(vec![text(0, "a", "same")]).await.unwrap()[0]), (id, 3));
    assert_eq!(store.document(0, "a").await.unwrap().unwrap().content, "same");
    assert_eq!(feed(&store).await.len(), 1);
}

async fn too_large_writes_nothing(store: Arc<dyn DocumentStore>) {
    let exact = "x".repeat(DEFAULT_MAX_CONTENT_BYTES as usize);
    let over = format!("{exact}y");
    let error = store.upsert(vec![text(0, "fits", "a"), text(0, "over", &over)]).await.unwrap_err();
    let StoreError::TooLarge { path, size, limit } = error else { panic!("{error}") };
    assert_eq!((path.as_str(), size, limit), ("over", 1_048_577, 1_048_576));
    assert_eq!(store.last_sequence().await.unwrap(), 0);
    store.upsert(vec![text(0, "exact", &exact)]).await.unwrap();
}

async fn roots_are_registered_once_and_removed(store: Arc<dyn DocumentStore>) {
    assert!(store.roots().await.unwrap().is_empty());
    let one = store.register_root("/one", "one").await.unwrap();
    let two = store.register_root("/two", "two").await.unwrap();
    assert!(one.id != two.id && one.id != POSTED_ROOT && two.id != POSTED_ROOT);
    assert_eq!(store.register_root("/one", "one").await.unwrap(), one);
    store.mark_indexed(one.id, 1234).await.unwrap();
    store.upsert(vec![text(one.id, "a", "1"), text(one.id, "b", "1"), text(two.id, "a", "2")]).await.unwrap();
    assert_eq!(store.roots().await.unwrap()[0].last_indexed, Some(1234));

    assert_eq!(store.remove_root(one.id).await.unwrap(), 2);
    assert_eq!(store.roots().await.unwrap(), std::slice::from_ref(&two));
    assert_eq!(store.document(one.id, "a").await.unwrap(), None);
    assert_eq!(store.document(two.id, "a").await.unwrap().unwrap().content, "2");
    assert_eq!(store.last_sequence().await.unwrap(), 5);
    assert_eq!(store.changes(3, 10).await.unwrap().len(), 2);

    let again = store.register_root("/one", "one").await.unwrap();
    assert_eq!((again.id, again.last_indexed), (one.id, None));
    assert!(store.upsert(vec![text(99, "a", "no such root")]).await.is_err());
}

async fn writers_at_once_lose_nothing(store: Arc<dyn DocumentStore>) {
    let writers = (0..8).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut sequences = vec![];
            for number in 0..10 {
                let documents =
                    vec![text(0, &format!("{writer}-{number}"), "x"), text(0, "shared", &format!("{writer}"))];
                let outcomes = store.upsert(documents).await.unwrap();
                sequences.push(written(outcomes[0]).1);
            }
            sequences
        })
    });
    let mut all = vec![];
    for writer in futures::future::join_all(writers).await {
        let sequences = writer.unwrap();
        assert!(sequences.is_sorted());
        all.extend(sequences);
    }
    let mut distinct = all.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 80);
    let changes = feed(&store).await;
    assert_eq!(changes.len(), 81);
    assert!(changes.is_sorted_by(|a, b| a.sequence() < b.sequence()));
    assert_eq!(changes.last().unwrap().sequence(), store.last_sequence().await.unwrap());
}

async fn tasks_are_kept_and_interrupted(store: Arc<dyn DocumentStore>) {
    let mut first = task("1", TaskState::Queued);
    store.save_task(&first).await.unwrap();
    store.save_task(&task("2", TaskState::Succeeded)).await.unwrap();
    first.state = TaskState::Running;
    first.started_at = Some("2026-01-02T03:04:06Z".into());
    first.progress.files_seen = 12;
    first.progress.skipped.entry(SkipReason::Binary).or_default().add("logo.png");
    store.save_task(&first).await.unwrap();
    assert_eq!(store.task("1").await.unwrap(), Some(first.clone()));
    assert_eq!(store.task("3").await.unwrap(), None);

    assert_eq!(store.interrupt_tasks("the server stopped").await.unwrap(), 1);
    let tasks = store.tasks(10).await.unwrap();
    assert_eq!([tasks[0].id.as_str(), tasks[1].id.as_str()], ["2", "1"]);
    assert_eq!(tasks[0].state, TaskState::Succeeded);
    assert_eq!(tasks[1].state, TaskState::Interrupted);
    assert_eq!(tasks[1].error.as_deref(), Some("the server stopped"));
    assert_eq!(tasks[1].progress, first.progress);
    assert_eq!(store.tasks(1).await.unwrap().len(), 1);
}

async fn any_text_survives(store: Arc<dyn DocumentStore>) {
    let texts = ["\u{0}nul", "ünïcödé 漢字 🦊", "'; DROP TABLE documents; --", "\r\n\t", "\u{feff}bom"];
    for (number, content) in texts.iter().enumerate() {
        store.upsert(vec![text(0, &format!("ü/{number} '%_"), content)]).await.unwrap();
    }
    for (number, content) in texts.iter().enumerate() {
        let version = store.document(0, &format!("ü/{number} '%_")).await.unwrap().unwrap();
        assert_eq!(version.content, *content);
    }
    store.ping().await.unwrap();
}

async fn one_batch_decides_document_by_document(store: Arc<dyn DocumentStore>) {
    let root = store.register_root("/src", "src").await.unwrap().id;
    let file = |path: &str, content: &str, stamp| NewDocument { stamp: Some(stamp), ..text(root, path, content) };
    store.upsert(vec![file("kept", "k", 1), file("touched", "t", 1), file("gone", "g", 1)]).await.unwrap();
    store.remove(root, &["gone".to_owned()]).await.unwrap();
    let batch = vec![
        file("new", "n", 1),
        file("kept", "k", 1),
        file("touched", "t", 2),
        file("new", "n", 1),
        file("gone", "g", 1),
        file("new", "m", 1),
    ];
    let outcomes = store.upsert(batch).await.unwrap();
    let sequences: Vec<Option<u64>> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Upserted::Written { sequence, .. } => Some(*sequence),
            Upserted::Unchanged => None,
        })
        .collect();
    assert_eq!(sequences, [Some(5), None, None, None, Some(6), Some(7)]);
    let fingerprints = store.fingerprints(root).await.unwrap();
    assert_eq!(fingerprints["touched"].stamp, Some(2));
    assert_eq!(fingerprints.len(), 4);
    assert_eq!(store.last_sequence().await.unwrap(), 7);
    let feed: Vec<u64> = feed(&store).await.iter().map(StoredChange::sequence).collect();
    assert_eq!(feed, [1, 2, 6, 7]);
}

async fn a_large_batch_is_written_whole(store: Arc<dyn DocumentStore>) {
    let documents = |suffix: &str| -> Vec<NewDocument> {
        (0..1000).map(|number| text(0, &format!("{number}"), &format!("{number}{suffix}"))).collect()
    };
    let sequences: Vec<u64> =
        store.upsert(documents("")).await.unwrap().into_iter().map(|outcome| written(outcome).1).collect();
    assert_eq!(sequences, (1..=1000).collect::<Vec<u64>>());
    store.upsert(documents("!")).await.unwrap();
    assert_eq!(store.last_sequence().await.unwrap(), 2000);
    let changes = feed(&store).await;
    assert_eq!(changes.len(), 1000);
    for (number, change) in changes.iter().enumerate() {
        let StoredChange::Upsert(version) = change else { panic!("{change:?}") };
        assert_eq!((version.sequence, version.path.as_str()), (1001 + number as u64, &*format!("{number}")));
        assert_eq!(version.content, format!("{number}!"));
    }
    let paths: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    assert_eq!(store.remove(0, &paths).await.unwrap(), 1000);
    assert_eq!(store.last_sequence().await.unwrap(), 3000);
}

async fn names_without_room_for_nul_are_refused_or_mended(store: Arc<dyn DocumentStore>) {
    let error = store.upsert(vec![text(0, "a\0b", "text")]).await.unwrap_err();
    assert!(matches!(&error, StoreError::UnusablePath(path) if path == "a\\0b"), "{error}");
    let titled = NewDocument { title: Some("a\0b".into()), ..text(0, "a", "") };
    written(store.upsert(vec![titled.clone()]).await.unwrap()[0]);
    let version = store.document(0, "a").await.unwrap().unwrap();
    assert_eq!((version.title.as_deref(), version.content.as_str()), (Some("a\u{fffd}b"), ""));
    assert_eq!(store.upsert(vec![titled]).await.unwrap(), [Upserted::Unchanged]);
    // Longer than an entry of an index may be.
    let long = "/\u{e9}".repeat(2000);
    written(store.upsert(vec![text(0, &long, "long")]).await.unwrap()[0]);
    assert_eq!(store.document(0, &long).await.unwrap().unwrap().content, "long");
    assert_eq!(store.register_root(&long, "long").await.unwrap(), store.register_root(&long, "long").await.unwrap());
}

async fn nothing_to_do_changes_nothing(store: Arc<dyn DocumentStore>) {
    assert!(store.upsert(vec![]).await.unwrap().is_empty());
    assert_eq!(store.remove(0, &[]).await.unwrap(), 0);
    assert_eq!(store.remove(99, &["a".to_owned()]).await.unwrap(), 0);
    assert_eq!(store.remove_root(99).await.unwrap(), 0);
    store.mark_damaged(99).await.unwrap();
    store.upsert(vec![text(0, "a", "1")]).await.unwrap();
    let twice = ["a".to_owned(), "a".to_owned()];
    assert_eq!(store.remove(0, &twice).await.unwrap(), 1);
    assert_eq!(store.last_sequence().await.unwrap(), 2);
    assert_eq!(store.interrupt_tasks("nothing runs").await.unwrap(), 0);
    assert!(store.adopt_tasks("nobody is gone").await.unwrap().is_empty());
}
