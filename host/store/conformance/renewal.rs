//! Documents that get new versions as they are: all that were meant, once, and nobody's change is undone.

use super::*;

pub(super) async fn documents_are_news_as_they_are(store: Arc<dyn DocumentStore>) {
    let root = store.register_root("/src", "src").await.unwrap().id;
    let titled = NewDocument { title: Some("T".into()), modified: Some(7), ..text(0, "a", "1") };
    let others = [text(root, "b", "2"), text(0, "c", "3"), text(0, "d", "4"), text(0, "e", "5")];
    store.upsert([vec![titled], others.to_vec()].concat()).await.unwrap();
    store.remove(0, &["c".to_owned()]).await.unwrap();
    store.upsert(vec![text(0, "d", "changed")]).await.unwrap();
    let before = store.document(0, "a").await.unwrap().unwrap();
    let counts = store.counts().await.unwrap();

    // 1 is `a`, 2 of another root, 3 was removed, 4 changed, 5 is `e`.
    let first = store.renew(0, 0, 5, 1).await.unwrap();
    assert_eq!(first, Some(Renewed { documents: 1, up_to: 1, sequence: 8 }));
    let rest = store.renew(0, 1, 5, 10).await.unwrap();
    assert_eq!(rest, Some(Renewed { documents: 1, up_to: 5, sequence: 9 }));
    assert_eq!(store.renew(0, 5, 5, 10).await.unwrap(), None);
    assert_eq!(store.renew(99, 0, 100, 10).await.unwrap(), None);
    assert_eq!(store.last_sequence().await.unwrap(), 9);
    let sequences: Vec<u64> = feed(&store).await.iter().map(StoredChange::sequence).collect();
    assert_eq!(sequences, [2, 6, 7, 8, 9]);
    let after = store.document(0, "a").await.unwrap().unwrap();
    assert_eq!(after, DocumentVersion { sequence: 8, ..before });
    assert_eq!(store.document(0, "c").await.unwrap(), None);
    assert_eq!(store.counts().await.unwrap(), counts);
    // What its source says of it is what is stored: no change.
    assert_eq!(store.upsert(vec![text(0, "e", "5")]).await.unwrap(), [Upserted::Unchanged]);
}

pub(super) async fn nothing_comes_back(store: Arc<dyn DocumentStore>) {
    let path = |number: u32| format!("{number}");
    store.upsert((0..40).map(|number| text(0, &path(number), "old")).collect()).await.unwrap();
    let writing = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for number in 0..20 {
                store.upsert(vec![text(0, &path(number), "new")]).await.unwrap();
                store.remove(0, &[path(number + 20)]).await.unwrap();
            }
        })
    };
    for _ in 0..5 {
        let (mut after, until) = (0, store.last_sequence().await.unwrap());
        while let Some(renewed) = store.renew(0, after, until, 7).await.unwrap() {
            assert!(renewed.documents <= 7 && renewed.up_to > after && renewed.sequence > until);
            after = renewed.up_to;
        }
    }
    writing.await.unwrap();
    for number in 0..20 {
        assert_eq!(store.document(0, &path(number)).await.unwrap().unwrap().content, "new");
        assert_eq!(store.document(0, &path(number + 20)).await.unwrap(), None);
    }
    let changes = feed(&store).await;
    assert_eq!(changes.len(), 40);
    assert!(changes.is_sorted_by(|a, b| a.sequence() < b.sequence()));
    assert_eq!(changes.last().unwrap().sequence(), store.last_sequence().await.unwrap());
}
