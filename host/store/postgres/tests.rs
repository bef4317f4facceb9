//! The shared backend against real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use services::{Postgres, PostgresKind};

use super::*;
use crate::store::conformance::{self, text};

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
