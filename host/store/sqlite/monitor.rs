//! How the embedded database fares. It has no connections to share, no server that counts, and its plans need no
//! advice: what there is are the times of the store's own operations.

use std::time::Instant;

use async_trait::async_trait;

use super::{READERS, SqliteStore, failure};
use crate::store::monitor::{DatabaseReport, MonitoredStore};
use crate::store::{PoolFigures, StoreError};

const LISTED_OPERATIONS: usize = 20;

impl SqliteStore {
    /// Awaits an operation of the store and keeps how long it took, with its wait for a connection.
    pub(super) async fn timed<T>(&self, operation: &str, work: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let outcome = work.await;
        self.log.observe(operation, start.elapsed());
        outcome
    }
}

#[async_trait]
impl MonitoredStore for SqliteStore {
    async fn report(&self) -> Result<DatabaseReport, StoreError> {
        let version = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&self.readers);
        let size = self.readers.size() + self.writer.size();
        let idle = u32::try_from(self.readers.num_idle() + self.writer.num_idle()).unwrap_or(size).min(size);
        let (in_use, max) = (size - idle, READERS + 1);
        let usage = f64::from(in_use) / f64::from(max);
        Ok(DatabaseReport {
            backend: "sqlite",
            version: version.await.map_err(failure)?,
            pool: Some(PoolFigures { size, idle, in_use, max, waiting: 0, usage }),
            statements: self.log.statements(LISTED_OPERATIONS),
            slow: self.log.slow_statements(),
            slow_from: self.log.slow_from(),
            notes: vec!["times are of whole operations of the store, which SQLite answers in this process".to_owned()],
            ..DatabaseReport::default()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::time::Duration;

    use super::*;
    use crate::store::{DocumentStore, conformance};

    #[tokio::test]
    async fn operations_are_timed_and_connections_counted() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("store.sqlite")).await.unwrap();
        let store = store.with_slow_from(Duration::ZERO);
        store.upsert(vec![conformance::text(0, "a.md", "one")]).await.unwrap();
        store.counts().await.unwrap();
        store.counts().await.unwrap();
        let report = store.report().await.unwrap();
        assert!(report.backend == "sqlite" && report.version.starts_with("3."), "{report:?}");
        let calls = |name: &str| report.statements.iter().find(|found| found.statement == name).unwrap().calls;
        assert_eq!((calls("upsert"), calls("counts")), (1, 2));
        let slow: Vec<(&str, u64)> = report.slow.iter().map(|slow| (slow.statement.as_str(), slow.times)).collect();
        assert_eq!(slow, [("counts", 2), ("upsert", 1)]);
        let pool = report.pool.unwrap();
        assert_eq!((pool.max, pool.in_use + pool.idle), (5, pool.size));
        assert!(report.advice.is_empty() && report.unused.is_empty());
    }
}
