//! Posted documents: acknowledged, refused, and all at once.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_durable_and_searchable_when_it_returns() {
    let world = World::new();
    let (ingest, recorder) = world.start().await;
    let documents = vec![post("a.md", "one"), post("../b", "two"), post("c", ""), post("d", "four")];
    let posted = ingest.put_documents(documents).await.unwrap();
    assert_eq!((posted.indexed, posted.unchanged, posted.sequence, posted.searchable), (2, 0, 2, true));
    let refused: Vec<_> = posted.refused.iter().map(|refusal| (refusal.index, refusal.field.as_str())).collect();
    assert_eq!(refused, [(1, "path"), (2, "content")]);
    assert_eq!(recorder.paths(), ["a.md", "d"]);

    let posted = ingest.put_documents(vec![post("a.md", "one"), post("d", "changed")]).await.unwrap();
    assert_eq!((posted.indexed, posted.unchanged, posted.sequence), (1, 1, 3));
    assert_eq!(recorder.texts()["d"], "changed");

    assert_eq!(ingest.remove_documents(&["a.md".into(), "missing".into()]).await.unwrap(), 1);
    assert_eq!(recorder.paths(), ["d"]);
    let posted = ingest.put_documents(vec![]).await.unwrap();
    assert_eq!((posted.sequence, posted.searchable), (0, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_derives_every_post_anew_and_no_file() {
    let world = World::new();
    let (ingest, recorder) = world.start().await;
    world.write("a.rs", "fn a() {}");
    index(&ingest, &world).await;
    // More than one batch.
    ingest.put_documents((0..300).map(|number| post(&format!("{number}"), "x")).collect()).await.unwrap();
    ingest.remove_documents(&["7".to_owned()]).await.unwrap();
    let (before, prepared) = (recorder.texts(), recorder.prepared.load(Ordering::Relaxed));
    let last = ingest.store.last_sequence().await.unwrap();

    let task = ingest.start_renewal().await.unwrap();
    let task = finished(&ingest, &task.id).await;
    assert_eq!((task.state, task.kind), (TaskState::Succeeded, TaskKind::RenewDocuments), "{:?}", task.error);
    assert_eq!((task.progress.files_seen, task.progress.indexed, task.progress.pending), (299, 299, 0));
    assert_eq!(recorder.prepared.load(Ordering::Relaxed), prepared + 299);
    assert_eq!(ingest.store.last_sequence().await.unwrap(), last + 299);
    assert_eq!(recorder.texts(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_at_once_and_a_folder_between_them_all_arrive() {
    let world = World::new();
    let (ingest, recorder) = world.start().await;
    for number in 0..1500 {
        world.write(&format!("{number}.rs"), format!("fn f{number}() {{}}"));
    }
    let folder = ingest.start_indexing(request(world.source.path())).await.unwrap();
    let posts = (0..40).map(|number| {
        let (ingest, recorder) = (ingest.clone(), Arc::clone(&recorder));
        tokio::spawn(async move {
            let path = format!("posted-{number}");
            let posted = ingest.put_documents(vec![post(&path, "x"), post("shared", &path)]).await.unwrap();
            assert!(posted.searchable);
            assert!(recorder.texts().contains_key(&path));
        })
    });
    for post in futures::future::join_all(posts).await {
        post.unwrap();
    }
    let folder = finished(&ingest, &folder.id).await;
    assert_eq!(folder.progress.indexed, 1500);
    assert_eq!(recorder.paths().len(), 1500 + 40 + 1);
}
