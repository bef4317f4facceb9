//! What any store of the world must do, as functions over the trait. Each gets an empty store; a backend's own tests
//! run them all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::*;
use crate::store::PAGE_BYTES;

type Check = fn(Arc<dyn WorldStore>) -> BoxFuture<'static, ()>;

pub(crate) const CHECKS: &[Check] = &[
    |store| events_follow_each_other(store).boxed(),
    |store| events_that_do_not_follow_are_refused_whole(store).boxed(),
    |store| events_come_in_pages(store).boxed(),
    |store| of_writers_at_once_one_wins(store).boxed(),
    |store| automatic_snapshots_pass(store).boxed(),
    |store| large_bodies_survive(store).boxed(),
    |store| rules_are_kept_once(store).boxed(),
];

/// An event that any backend keeps as it is, told from others by its number.
pub(crate) fn event(sequence: u64) -> StoredEvent {
    StoredEvent {
        sequence,
        tick: sequence / 2,
        at: 1_700_000_000_000 - sequence.cast_signed(),
        rules: [sequence as u8; 32],
        kind: "ticked".into(),
        body: vec![0, 255, sequence as u8],
    }
}

pub(crate) fn events(sequences: impl IntoIterator<Item = u64>) -> Vec<StoredEvent> {
    sequences.into_iter().map(event).collect()
}

/// Without id and size, which are the store's.
pub(crate) fn snapshot(sequence: u64, name: Option<&str>) -> SnapshotInfo {
    SnapshotInfo {
        id: 0,
        sequence,
        tick: sequence * 3,
        at: -1,
        name: name.map(str::to_owned),
        agents: 100_000,
        digest: [sequence as u8; 32],
        size: 0,
    }
}

pub(crate) fn rules(number: u8, first_used: i64) -> StoredRules {
    StoredRules {
        digest: [number; 32],
        name: format!("traits-{number}"),
        version: "1.2.3".into(),
        first_used,
        body: vec![0, number, 255],
    }
}

async fn events_follow_each_other(store: Arc<dyn WorldStore>) {
    assert_eq!(store.last_event().await.unwrap(), 0);
    assert_eq!(store.events(0, 10).await.unwrap(), []);
    store.append_events(&[]).await.unwrap();
    store.append_events(&events([1])).await.unwrap();
    let empty = StoredEvent { kind: "gr\u{fc}\u{df}e".into(), body: vec![], at: i64::MIN, ..event(2) };
    store.append_events(&[empty.clone(), event(3)]).await.unwrap();
    assert_eq!(store.last_event().await.unwrap(), 3);
    assert_eq!(store.events(0, 10).await.unwrap(), [event(1), empty.clone(), event(3)]);
    assert_eq!(store.events(1, 1).await.unwrap(), [empty]);
    assert_eq!(store.events(2, 10).await.unwrap(), [event(3)]);
    for beyond in [3, 4, u64::MAX] {
        assert_eq!(store.events(beyond, 10).await.unwrap(), []);
    }
    assert_eq!(store.events(0, 0).await.unwrap(), []);
}

async fn events_that_do_not_follow_are_refused_whole(store: Arc<dyn WorldStore>) {
    store.append_events(&events(1..=2)).await.unwrap();
    // Another one's, the same once more, a gap before, a gap between, backwards, twice the same, nothing's.
    for wrong in
        [vec![2, 3], vec![1, 2], vec![4], vec![3, 5], vec![4, 3], vec![3, 3], vec![0], vec![0, 1], vec![u64::MAX]]
    {
        let error = store.append_events(&events(wrong.clone())).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict(_)), "{wrong:?}: {error}");
        assert_eq!(store.events(0, 10).await.unwrap(), events(1..=2), "{wrong:?}");
    }
    store.append_events(&events([3])).await.unwrap();
    assert_eq!(store.last_event().await.unwrap(), 3);
}

async fn events_come_in_pages(store: Arc<dyn WorldStore>) {
    let half = |sequence| StoredEvent { body: vec![7; PAGE_BYTES as usize / 2], ..event(sequence) };
    let all =
        vec![half(1), half(2), event(3), StoredEvent { body: vec![1; PAGE_BYTES as usize + 1], ..event(4) }, event(5)];
    store.append_events(&all).await.unwrap();
    let page = async |after| -> Vec<u64> {
        store.events(after, 10).await.unwrap().into_iter().map(|event| event.sequence).collect()
    };
    // A page ends with the event that fills it.
    assert_eq!(page(0).await, [1, 2]);
    assert_eq!(page(1).await, [2, 3, 4]);
    // What is larger than a page is one of its own.
    assert_eq!(page(3).await, [4]);
    assert_eq!(page(4).await, [5]);
    assert!(store.events(3, 1).await.unwrap() == all[3..4]);

    // More than any database takes parameters in one statement.
    store.append_events(&events(6..=20_000)).await.unwrap();
    assert!(store.events(5, 30_000).await.unwrap() == events(6..=20_000));
}

/// Each appends after what it saw; whoever is told that it conflicts has written nothing.
async fn of_writers_at_once_one_wins(store: Arc<dyn WorldStore>) {
    let writers = (0..4_u8).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut written = Vec::new();
            while written.len() < 10 {
                let last = store.last_event().await.unwrap();
                let own = [last + 1, last + 2].map(|sequence| StoredEvent { body: vec![writer], ..event(sequence) });
                match store.append_events(&own).await {
                    Ok(()) => written.extend(own),
                    Err(StoreError::Conflict(_)) => tokio::task::yield_now().await,
                    Err(other) => panic!("{other}"),
                }
            }
            written
        })
    });
    let mut acknowledged: Vec<StoredEvent> =
        futures::future::join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
    acknowledged.sort_by_key(|event| event.sequence);
    let sequences: Vec<u64> = acknowledged.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (1..=40).collect::<Vec<u64>>());
    assert_eq!(store.events(0, 100).await.unwrap(), acknowledged);
}

async fn automatic_snapshots_pass(store: Arc<dyn WorldStore>) {
    let ids = async || -> Vec<u64> { store.snapshots().await.unwrap().into_iter().map(|found| found.id).collect() };
    assert!(ids().await.is_empty());
    assert_eq!(store.snapshot_body(1).await.unwrap(), None);
    let save = async |sequence, name, keep| {
        let body = vec![sequence as u8; sequence as usize];
        store.save_snapshot(&snapshot(sequence, name), &body, keep).await.unwrap()
    };
    assert_eq!(save(10, None, 2).await, 1);
    assert_eq!(save(11, Some("before the feast"), 2).await, 2);
    assert_eq!(save(12, None, 2).await, 3);
    let found = store.snapshots().await.unwrap();
    let expected = |id, sequence, name| SnapshotInfo { id, size: sequence, ..snapshot(sequence, name) };
    assert_eq!(found, [expected(3, 12, None), expected(2, 11, Some("before the feast")), expected(1, 10, None)]);
    assert_eq!(store.snapshot_body(3).await.unwrap(), Some(vec![12; 12]));

    // A third automatic one pushes out the first, never the one with a name.
    assert_eq!(save(13, None, 2).await, 4);
    assert_eq!(ids().await, [4, 3, 2]);
    assert_eq!(store.snapshot_body(1).await.unwrap(), None);
    // What has served a restore stays, and is none of those that are counted.
    store.pin_snapshot(3).await.unwrap();
    store.pin_snapshot(3).await.unwrap();
    assert_eq!(save(14, None, 2).await, 5);
    assert_eq!(ids().await, [5, 4, 3, 2]);
    assert_eq!(save(15, None, 2).await, 6);
    assert_eq!(ids().await, [6, 5, 3, 2]);
    // One with a name lets others go, too, and the new one stays whatever is said.
    assert_eq!(save(16, Some(""), 1).await, 7);
    assert_eq!(ids().await, [7, 6, 3, 2]);
    assert_eq!(save(17, None, 0).await, 8);
    assert_eq!(ids().await, [8, 7, 3, 2]);
    for gone in [1, 99] {
        assert!(store.pin_snapshot(gone).await.is_err(), "a restore from {gone} could not be replayed");
    }
}

async fn large_bodies_survive(store: Arc<dyn WorldStore>) {
    let body: Vec<u8> = (0..40_000_000_u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let id = store.save_snapshot(&snapshot(1, None), &body, 1).await.unwrap();
    assert_eq!(store.snapshots().await.unwrap()[0].size, 40_000_000);
    assert!(store.snapshot_body(id).await.unwrap().unwrap() == body);
    store.save_snapshot(&snapshot(2, None), &[], 1).await.unwrap();
    assert_eq!(store.snapshot_body(id + 1).await.unwrap(), Some(vec![]));
    assert_eq!(store.snapshot_body(id).await.unwrap(), None);
}

async fn rules_are_kept_once(store: Arc<dyn WorldStore>) {
    assert_eq!(store.rules(&[1; 32]).await.unwrap(), None);
    assert_eq!(store.rules_used().await.unwrap(), []);
    store.save_rules(&rules(1, 50)).await.unwrap();
    store.save_rules(&rules(2, 40)).await.unwrap();
    store.save_rules(&StoredRules { first_used: 99, body: vec![], ..rules(1, 50) }).await.unwrap();
    assert_eq!(store.rules(&[1; 32]).await.unwrap(), Some(rules(1, 50)));
    let listed = |number, first_used| StoredRules { body: vec![], ..rules(number, first_used) };
    assert_eq!(store.rules_used().await.unwrap(), [listed(2, 40), listed(1, 50)]);
}
