//! Every statement about figures of the past.

use async_trait::async_trait;
use sqlx::SqlitePool;

use super::{SqliteStore, failure};
use crate::store::StoreError;
use crate::store::history::{HistoryRange, HistoryRow, HistoryStore, Resolution};

#[async_trait]
impl HistoryStore for SqliteStore {
    async fn record_history(&self, rows: &[HistoryRow]) -> Result<(), StoreError> {
        record(&self.writer, rows).await.map_err(failure)
    }

    async fn history(&self, range: &HistoryRange) -> Result<Vec<HistoryRow>, StoreError> {
        read(&self.readers, range).await.map_err(failure)
    }

    async fn forget_history(&self, resolution: Resolution, before: i64) -> Result<u64, StoreError> {
        let forgotten = sqlx::query("DELETE FROM history WHERE resolution = $1 AND at < $2")
            .bind(resolution.seconds())
            .bind(before)
            .execute(&self.writer)
            .await
            .map_err(failure)?;
        Ok(forgotten.rows_affected())
    }
}

async fn record(writer: &SqlitePool, rows: &[HistoryRow]) -> sqlx::Result<()> {
    let mut transaction = writer.begin().await?;
    for row in rows {
        sqlx::query(
            "INSERT OR REPLACE INTO history (resolution, at, host, figures, times) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(row.resolution.seconds())
        .bind(row.at)
        .bind(&row.host)
        .bind(&row.figures)
        .bind(&row.times)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}

async fn read(readers: &SqlitePool, range: &HistoryRange) -> sqlx::Result<Vec<HistoryRow>> {
    let rows = sqlx::query_as(
        "SELECT at, host, figures, times FROM history
         WHERE resolution = $1 AND at >= $2 AND at < $3 AND ($4 IS NULL OR host = $4)
         ORDER BY at, host LIMIT $5",
    )
    .bind(range.resolution.seconds())
    .bind(range.from)
    .bind(range.until)
    .bind(&range.host)
    .bind(i64::from(range.limit))
    .fetch_all(readers)
    .await?;
    Ok(rows.into_iter().map(|columns| range.row(columns)).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::store::history;

    #[tokio::test]
    async fn history_conforms() {
        let folder = tempfile::tempdir().unwrap();
        history::conforms(&SqliteStore::open(&folder.path().join("store.sqlite")).await.unwrap()).await;
    }
}
