//! The shared backend against real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use services::{Postgres, PostgresKind};

use super::*;
use crate::store::TaskState;
use crate::store::conformance::{self, task, text};

async fn open(url: &str, host: &str) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::open(url, PostgresOptions::new(host)).await.unwrap())
}

async fn conforms(kind: PostgresKind) {
    for check in conformance::CHECKS {
        let url = Postgres::shared(kind).database();
        let store = open(&url, "a").await;
        check(store.clone()).await;
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conforms_on_debian() {
    conforms(PostgresKind::Debian).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conforms_with_vectors() {
    conforms(PostgresKind::Vector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_conform() {
    let store = open(&database(), "a").await;
    crate::store::key::conforms(store.clone()).await;
    store.close().await;
}

#[tokio::test]
async fn hosts_that_start_at_once_share_one_database() {
    let url = Postgres::shared(PostgresKind::Debian).database();
    let stores = (0..6).map(|host| {
        let url = url.clone();
        tokio::spawn(async move { open(&url, &host.to_string()).await })
    });
    let stores: Vec<_> = futures::future::join_all(stores).await.into_iter().map(Result::unwrap).collect();
    stores[0].upsert(vec![text(0, "a", "1")]).await.unwrap();
    for store in &stores {
        assert_eq!(store.last_sequence().await.unwrap(), 1);
        assert_eq!(store.identity().await.unwrap(), stores[0].identity().await.unwrap());
    }
}

fn database() -> String {
    Postgres::shared(PostgresKind::Debian).database()
}

/// Runs a statement as nobody's host.
pub(super) async fn sql(store: &PostgresStore, statement: &'static str) {
    sqlx::query(statement).execute(store.connections.pool()).await.unwrap();
}

/// Until it holds; how long that takes is not judged.
pub(super) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what} does not happen");
}

/// Eight writers of two hosts, all of them also over the same documents; two followers see every sequence that
/// still stands, in order, and what they have seen at the end is the whole feed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sequences_become_visible_in_order_whoever_writes() {
    let url = database();
    let hosts = [open(&url, "a").await, open(&url, "b").await];
    let done = tokio_util::sync::CancellationToken::new();
    let followers = hosts.clone().map(|store| {
        let done = done.clone();
        tokio::spawn(async move {
            let (mut after, mut latest) = (0, HashMap::new());
            loop {
                let over = done.is_cancelled();
                let page = store.changes(after, 7).await.unwrap();
                for change in &page {
                    assert!(change.sequence() > after);
                    after = change.sequence();
                    match change {
                        StoredChange::Upsert(version) => {
                            latest.insert(version.document, (after, version.content.clone()))
                        }
                        StoredChange::Remove { document, .. } => latest.insert(*document, (after, "removed".into())),
                        StoredChange::Damaged { reason, .. } => panic!("{reason}"),
                    };
                }
                if page.is_empty() && over {
                    return (after, latest);
                }
            }
        })
    });
    let writers = (0..8).map(|writer| {
        let store = Arc::clone(&hosts[writer % 2]);
        tokio::spawn(async move {
            let mut sequences = Vec::new();
            for round in 0..12 {
                let own = (0..5).map(|number| text(0, &format!("{writer}/{round}/{number}"), "own"));
                let shared = (0..3).map(|number| text(0, &format!("shared {number}"), &format!("{writer} {round}")));
                let created = [text(0, &format!("round {round}"), &format!("by {writer}"))];
                for outcome in store.upsert(own.chain(shared).chain(created).collect()).await.unwrap() {
                    if let Upserted::Written { sequence, .. } = outcome {
                        sequences.push(sequence);
                    }
                }
                let removed = [format!("{writer}/{round}/0"), "shared 0".to_owned()];
                store.remove(0, &removed).await.unwrap();
            }
            sequences
        })
    });
    let mut sequences = Vec::new();
    for writer in futures::future::join_all(writers).await {
        let own = writer.unwrap();
        assert!(own.is_sorted());
        sequences.extend(own);
    }
    done.cancel();
    let last = hosts[0].last_sequence().await.unwrap();
    let count = sequences.len();
    sequences.sort_unstable();
    sequences.dedup();
    assert_eq!(sequences.len(), count, "no sequence was given out twice");
    assert!(sequences.last().unwrap() <= &last);
    let whole: HashMap<u64, (u64, String)> = hosts[0]
        .changes(0, 10_000)
        .await
        .unwrap()
        .into_iter()
        .map(|change| match change {
            StoredChange::Upsert(version) => (version.document, (version.sequence, version.content)),
            StoredChange::Remove { document, sequence } => (document, (sequence, "removed".to_owned())),
            StoredChange::Damaged { reason, .. } => panic!("{reason}"),
        })
        .collect();
    // 8 × 12 × 5 of their own, 12 of rounds, 3 shared.
    assert_eq!(whole.len(), 480 + 12 + 3);
    for follower in futures::future::join_all(followers).await {
        let (after, latest) = follower.unwrap();
        assert_eq!(after, last);
        assert!(latest == whole, "a follower has missed something");
    }
}

#[tokio::test]
async fn another_hosts_change_is_heard_and_ones_own_is_not() {
    let url = database();
    let hour = |host: &str| PostgresOptions { poll_interval: Duration::from_secs(3600), ..PostgresOptions::new(host) };
    let (a, b) = (PostgresStore::open(&url, hour("a")).await.unwrap(), open(&url, "b").await);
    // Until the listener is there, a change is not heard.
    let number = eventually("a notification", async || {
        let number = b.last_sequence().await.unwrap() + 1;
        b.upsert(vec![text(0, "b", &number.to_string())]).await.unwrap();
        timeout(Duration::from_millis(200), a.changed(number - 1)).await.ok().map(|()| number)
    })
    .await;
    a.changed(number - 1).await;
    a.upsert(vec![text(0, "a", "own")]).await.unwrap();
    assert!(timeout(Duration::from_millis(300), a.changed(number)).await.is_err());
    // The safety net alone.
    sql(
        &b,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()",
    )
    .await;
    b.changed(u64::MAX - 1).await;
}

#[tokio::test]
async fn a_lease_has_one_holder_and_ends_with_its_connection() {
    let url = database();
    let (a, b) = (open(&url, "a").await, open(&url, "b").await);
    let lease = a.lease("root").await.unwrap().unwrap();
    assert!(a.lease("root").await.unwrap().is_none(), "not twice in one host either");
    assert!(b.lease("root").await.unwrap().is_none());
    let other = b.lease("other").await.unwrap().unwrap();
    drop(lease);
    let lease = eventually("the lease", async || b.lease("root").await.unwrap()).await;
    assert!(a.lease("root").await.unwrap().is_none());
    assert!(!lease.lost().is_cancelled());

    sql(
        &a,
        "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity s USING (pid)
         WHERE l.locktype = 'advisory' AND s.application_name = 'corsac/b'",
    )
    .await;
    let taken = eventually("the lease to come free", async || a.lease("root").await.unwrap()).await;
    lease.lost().cancelled().await;
    other.lost().cancelled().await;
    // What was lost is not given back.
    drop(lease);
    let again = eventually("a new connection", async || b.lease("other").await.ok().flatten()).await;
    assert!(b.lease("root").await.unwrap().is_none());
    assert!(!taken.lost().is_cancelled() && !again.lost().is_cancelled());
    // A closed store holds nothing.
    a.close().await;
    taken.lost().cancelled().await;
    eventually("the lease to come free", async || b.lease("root").await.unwrap()).await;
}

#[tokio::test]
async fn tasks_of_a_dead_host_go_to_one_that_lives() {
    let url = database();
    let hosts = [open(&url, "a").await, open(&url, "b").await, open(&url, "c").await];
    for (host, id) in hosts.iter().zip(["1", "2", "3"]) {
        host.save_task(&task(id, TaskState::Running)).await.unwrap();
    }
    hosts[0].save_task(&task("4", TaskState::Running)).await.unwrap();
    let [a, b, c] = hosts;
    eventually("all hosts to hold their leases", async || {
        for host in ["a", "b", "c"] {
            let free = c.lease(&of_host(host)).await.unwrap();
            if free.is_some() {
                return None;
            }
        }
        Some(())
    })
    .await;
    assert!(b.adopt_tasks("gone").await.unwrap().is_empty());
    a.close().await;
    let (mut ids, mut rounds) = (Vec::new(), 0);
    while ids.len() < 2 && rounds < 100 {
        let (left, right) = tokio::join!(b.adopt_tasks("gone"), c.adopt_tasks("gone"));
        ids.extend(left.unwrap().into_iter().chain(right.unwrap()).map(|task| {
            assert_eq!(task.state, TaskState::Interrupted);
            assert_eq!(task.error.as_deref(), Some("gone"));
            task.id
        }));
        rounds += 1;
    }
    assert_eq!(ids, ["1", "4"]);
    assert!(b.adopt_tasks("gone").await.unwrap().is_empty());
    // At its start a host speaks for itself only.
    assert_eq!(b.interrupt_tasks("started").await.unwrap(), 1);
    assert_eq!(c.task("3").await.unwrap().unwrap().state, TaskState::Running);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let url = database();
    let store = open(&url, "a").await;
    sql(
        &store,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'future', TRUE, '', 0)",
    )
    .await;
    let error = PostgresStore::open(&url, PostgresOptions::new("b")).await.err().unwrap();
    assert!(matches!(error, StoreError::Schema(_)), "{error}");
}

#[tokio::test]
async fn a_damaged_row_costs_only_itself() {
    let store = open(&database(), "a").await;
    let documents = ["a", "b", "c"].map(|path| text(0, path, &format!("text of {path}")));
    store.upsert(documents.to_vec()).await.unwrap();
    sql(&store, r"UPDATE contents SET body = '\x07ff' WHERE document = (SELECT id FROM documents WHERE path = 'b')")
        .await;
    sql(&store, "DELETE FROM contents WHERE document = (SELECT id FROM documents WHERE path = 'c')").await;
    for path in ["b", "c"] {
        let error = store.document(0, path).await.unwrap_err();
        assert!(matches!(&error, StoreError::DamagedDocument { path: named, .. } if named == path), "{error}");
    }
    let changes = store.changes(0, 10).await.unwrap();
    let StoredChange::Damaged { document, sequence: 2, .. } = &changes[1] else { panic!("{:?}", changes[1]) };
    store.mark_damaged(*document).await.unwrap();
    let written = store.upsert(vec![documents[1].clone()]).await.unwrap();
    assert!(matches!(written[0], Upserted::Written { sequence: 4, .. }));
    assert_eq!(store.document(0, "b").await.unwrap().unwrap().content, "text of b");
}

/// What Citus asks of tables that it distributes, read from the catalogue: it is not here to be asked itself.
#[tokio::test]
async fn tables_can_be_distributed_by_shard() {
    let store = open(&database(), "a").await;
    let statements = include_str!("citus.sql");
    let distributed: Vec<&str> = statements
        .lines()
        .filter(|line| line.starts_with("SELECT create_distributed_table"))
        .map(|line| line.split('\'').nth(1).unwrap())
        .collect();
    assert!(distributed.starts_with(&["documents", "contents"]));
    let sharded: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE a.attname = 'shard' AND c.relkind = 'r' ORDER BY 1",
    )
    .fetch_all(store.connections.pool())
    .await
    .unwrap();
    let mut sorted = distributed.clone();
    sorted.sort_unstable();
    assert_eq!(sharded, sorted, "every table with a shard has its statement");
    let without: Vec<String> = sqlx::query_scalar(
        "SELECT i.indexrelid::regclass::text FROM pg_index i
         WHERE i.indrelid::regclass::text = ANY($1) AND i.indisunique AND NOT EXISTS (
             SELECT FROM pg_attribute a
             WHERE a.attrelid = i.indrelid AND a.attname = 'shard' AND a.attnum = ANY(i.indkey::int2[]))",
    )
    .bind(&distributed)
    .fetch_all(store.connections.pool())
    .await
    .unwrap();
    assert!(without.is_empty(), "{without:?} are unique without the shard");
    let foreign: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_constraint
         WHERE contype = 'f' AND (conrelid::regclass::text = ANY($1) OR confrelid::regclass::text = ANY($1))",
    )
    .bind(&distributed)
    .fetch_one(store.connections.pool())
    .await
    .unwrap();
    assert_eq!(foreign, 0);
}
