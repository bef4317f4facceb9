//! Every statement about counts of use.

use async_trait::async_trait;
use sqlx::SqlitePool;

use super::{SqliteStore, failure};
use crate::store::StoreError;
use crate::store::usage::{ForgetUsage, UsageRow, UsageStore};

#[async_trait]
impl UsageStore for SqliteStore {
    async fn record_usage(&self, rows: &[UsageRow]) -> Result<(), StoreError> {
        let record = async {
            let mut transaction = self.writer.begin().await?;
            for row in rows {
                sqlx::query(
                    "INSERT INTO usage (question, path, day, count) VALUES ($1, $2, $3, $4)
                     ON CONFLICT (question, path, day) DO UPDATE SET count = count + excluded.count",
                )
                .bind(&row.question)
                .bind(&row.path)
                .bind(row.day)
                .bind(row.count)
                .execute(&mut *transaction)
                .await?;
            }
            transaction.commit().await
        };
        record.await.map_err(failure)
    }

    async fn usage(&self, limit: u32) -> Result<Vec<UsageRow>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT question, path, day, count FROM usage ORDER BY day DESC, count DESC, question, path LIMIT $1",
        );
        rows.bind(i64::from(limit)).fetch_all(&self.readers).await.map_err(failure)
    }

    async fn forget_usage(&self, which: &ForgetUsage) -> Result<u64, StoreError> {
        let forget = sqlx::query(
            "DELETE FROM usage WHERE ($1 IS NULL OR day < $1) AND ($2 IS NULL OR question = $2)
             AND ($3 IS NULL OR path = $3)",
        );
        let forget = forget.bind(which.before).bind(&which.question).bind(&which.path);
        Ok(forget.execute(&self.writer).await.map_err(failure)?.rows_affected())
    }
}

/// Rows after one, by day, question and path.
pub(super) async fn page(readers: &SqlitePool, after: Option<&UsageRow>, limit: i64) -> sqlx::Result<Vec<UsageRow>> {
    let (day, question, path) = UsageRow::place(after);
    let rows = sqlx::query_as(
        "SELECT question, path, day, count FROM usage WHERE day >= $1 AND (day, question, path) > ($1, $2, $3)
         ORDER BY day, question, path LIMIT $4",
    );
    rows.bind(day).bind(question).bind(path).bind(limit).fetch_all(readers).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::store::usage;

    #[tokio::test]
    async fn usage_conforms() {
        let folder = tempfile::tempdir().unwrap();
        usage::conforms(&SqliteStore::open(&folder.path().join("store.sqlite")).await.unwrap()).await;
    }
}
