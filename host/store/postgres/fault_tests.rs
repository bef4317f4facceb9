//! The shared backend while its server is killed, frozen, restarted, or out of connections. Waiting for a connection
//! is allowed to take an hour here: what comes back earlier does so because the fault was noticed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use services::{Postgres, PostgresKind};

use super::tests::{eventually, sql};
use super::*;
use crate::store::conformance::text;

fn patient(host: &str) -> PostgresOptions {
    PostgresOptions { pool_timeout: Duration::from_secs(3600), ..PostgresOptions::new(host) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_noticed_and_comes_back_with_all_that_was_acknowledged() {
    let mut server = Postgres::start();
    let store = PostgresStore::open(&server.database(), patient("a")).await.unwrap();
    store.upsert(vec![text(0, "a", "acknowledged")]).await.unwrap();
    let lease = store.lease("root").await.unwrap().unwrap();
    server.kill();
    lease.lost().cancelled().await;
    let error = store.upsert(vec![text(0, "b", "not acknowledged")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    let error = store.lease("root").await.err().unwrap();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    server.restart();
    eventually("the server's return", async || store.ping().await.ok()).await;
    assert_eq!(store.document(0, "a").await.unwrap().unwrap().content, "acknowledged");
    store.upsert(vec![text(0, "b", "now it is")]).await.unwrap();
    assert!(store.lease("root").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_keeps_nobody_waiting() {
    let server = Postgres::start();
    let store = PostgresStore::open(&server.database(), patient("a")).await.unwrap();
    store.upsert(vec![text(0, "a", "1")]).await.unwrap();
    server.pause();
    // The first of them goes out on a connection that is there; the pool grows for the others, in vain.
    let calls = (0..4).map(|_| store.document(0, "a"));
    for outcome in futures::future::join_all(calls).await {
        let error = outcome.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }
    server.resume();
    eventually("the server's return", async || store.ping().await.ok()).await;
    assert_eq!(store.document(0, "a").await.unwrap().unwrap().content, "1");
}

#[tokio::test]
async fn a_broken_connection_costs_no_call() {
    let url = Postgres::shared(PostgresKind::Debian).database();
    let store = PostgresStore::open(&url, patient("broken")).await.unwrap();
    store.upsert(vec![text(0, "a", "1")]).await.unwrap();
    let killer = PostgresStore::open(&url, patient("killer")).await.unwrap();
    // The connection that holds leases is spared, which can be told by its lock.
    let held = "SELECT count(*) FROM pg_stat_activity JOIN pg_locks USING (pid)
        WHERE application_name = 'corsac/broken' AND locktype = 'advisory' AND granted";
    eventually("the lease of the host", async || {
        let count: i64 = sqlx::query_scalar(held).fetch_one(killer.connections.pool()).await.unwrap();
        (count > 0).then_some(())
    })
    .await;
    for round in 0..10 {
        sql(
            &killer,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
             WHERE application_name = 'corsac/broken' AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')",
        )
        .await;
        store.upsert(vec![text(0, "a", &round.to_string())]).await.unwrap();
        assert_eq!(store.document(0, "a").await.unwrap().unwrap().content, round.to_string());
    }
}

#[tokio::test]
async fn a_full_pool_says_so_and_shrinks_again() {
    let url = Postgres::shared(PostgresKind::Debian).database();
    let options = PostgresOptions {
        pool_size: 1,
        max_overflow: 2,
        pool_timeout: Duration::from_millis(300),
        ..PostgresOptions::new("a")
    };
    let store = PostgresStore::open(&url, options).await.unwrap();
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(store.connections.session().await.unwrap());
    }
    let full = PoolFigures { size: 3, idle: 0, in_use: 3, max: 3, waiting: 0, usage: 1.0 };
    assert_eq!(DocumentStore::pool(&store), Some(full));
    let (outcome, waiting) = tokio::join!(store.ping(), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        DocumentStore::pool(&store).unwrap().waiting
    });
    assert!(matches!(outcome, Err(StoreError::Busy(_))), "{outcome:?}");
    assert_eq!(waiting, 1);
    for session in sessions {
        session.settle(Ok(())).unwrap();
    }
    // Those beyond the first are closed, the first is kept.
    let kept = eventually("the pool to shrink", async || {
        let figures = DocumentStore::pool(&store).unwrap();
        (figures.size == 1 && figures.idle == 1).then_some(figures)
    })
    .await;
    assert_eq!((kept.in_use, kept.waiting), (0, 0));
    store.ping().await.unwrap();
}

#[tokio::test]
async fn no_error_quotes_a_password() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for url in [
        format!("postgres://corsac:hunter2@127.0.0.1:{nobody}/corsac"),
        format!("postgres://corsac:hunter2@127.0.0.1:{nobody}/corsac?sslmode=hunter2"),
        "postgres://corsac:hunter2@127.0.0.1:port/corsac".into(),
        "mysql://corsac:hunter2@127.0.0.1/corsac".into(),
        "hunter2".into(),
    ] {
        let options = PostgresOptions { pool_timeout: Duration::from_millis(1), ..PostgresOptions::new("a") };
        let error = PostgresStore::open(&url, options).await.err().unwrap();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}
