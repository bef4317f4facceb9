//! Rows in and out of the embedded backend, as they are.

use super::documents::BEGIN;
use super::{SqliteStore, failure, usage, world};
use crate::store::copy::{DocumentRow, PAGE_ROWS, Portable, RootRow, SnapshotRow, Target, USAGE_ROWS};
use crate::store::{PAGE_BYTES, StoreError, UsageRow};
use async_trait::async_trait;

#[async_trait]
impl Portable for SqliteStore {
    async fn export_roots(&self) -> Result<Vec<RootRow>, StoreError> {
        let rows = sqlx::query_as("SELECT id, path, name, last_indexed, removed FROM roots ORDER BY id");
        rows.fetch_all(&self.readers).await.map_err(failure)
    }

    async fn export_documents(&self, after: i64) -> Result<Vec<DocumentRow>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT d.*, c.body FROM (
                 SELECT page.*, sum(size) OVER (ORDER BY sequence) - size AS before
                 FROM (SELECT * FROM documents WHERE sequence > $1 ORDER BY sequence LIMIT $2) page
             ) d LEFT JOIN contents c ON c.document = d.id
             WHERE d.before < $3 ORDER BY d.sequence",
        );
        let rows = rows.bind(after).bind(PAGE_ROWS).bind(PAGE_BYTES.cast_signed());
        rows.fetch_all(&self.readers).await.map_err(failure)
    }

    async fn export_snapshots(&self) -> Result<Vec<SnapshotRow>, StoreError> {
        world::snapshots(&self.readers).await.map_err(failure)
    }

    async fn export_usage(&self, after: Option<&UsageRow>) -> Result<Vec<UsageRow>, StoreError> {
        usage::page(&self.readers, after, USAGE_ROWS).await.map_err(failure)
    }

    async fn target(&self) -> Result<Target, StoreError> {
        let row = sqlx::query_as(
            "SELECT EXISTS (SELECT 1 FROM counters WHERE name = 'copying'),
                 EXISTS (SELECT 1 FROM documents) OR EXISTS (SELECT 1 FROM roots WHERE id <> 0)
                     OR EXISTS (SELECT 1 FROM tasks) OR EXISTS (SELECT 1 FROM api_keys)
                     OR EXISTS (SELECT 1 FROM history) OR EXISTS (SELECT 1 FROM usage)
                     OR EXISTS (SELECT 1 FROM world_events)
                     OR EXISTS (SELECT 1 FROM world_snapshots) OR EXISTS (SELECT 1 FROM world_rules)",
        );
        let (begun, used) = row.fetch_one(&self.readers).await.map_err(failure)?;
        Ok(Target::of(begun, used))
    }

    async fn begin_import(&self) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin_with(BEGIN).await.map_err(failure)?;
        for statement in [
            "INSERT INTO counters (name, value) VALUES ('copying', 1) ON CONFLICT DO NOTHING",
            "DELETE FROM world_snapshots",
            "DELETE FROM world_rules",
            "DELETE FROM usage",
        ] {
            sqlx::query(statement).execute(&mut *transaction).await.map_err(failure)?;
        }
        transaction.commit().await.map_err(failure)
    }

    async fn import_roots(&self, roots: Vec<RootRow>) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await.map_err(failure)?;
        for RootRow { id, path, name, last_indexed, removed } in roots {
            sqlx::query(
                "INSERT INTO roots (id, path, name, last_indexed, removed) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (id) DO UPDATE SET path = excluded.path, name = excluded.name,
                     last_indexed = excluded.last_indexed, removed = excluded.removed",
            )
            .bind(id)
            .bind(path)
            .bind(name)
            .bind(last_indexed)
            .bind(removed)
            .execute(&mut *transaction)
            .await
            .map_err(failure)?;
        }
        transaction.commit().await.map_err(failure)
    }

    async fn import_documents(&self, documents: Vec<DocumentRow>) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await.map_err(failure)?;
        for row in documents {
            sqlx::query(
                "INSERT INTO documents
                     (id, root, path, language, title, modified, stamp, size, digest, sequence, deleted)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                 ON CONFLICT (id) DO UPDATE SET
                     root = excluded.root, path = excluded.path, language = excluded.language,
                     title = excluded.title, modified = excluded.modified, stamp = excluded.stamp,
                     size = excluded.size, digest = excluded.digest, sequence = excluded.sequence,
                     deleted = excluded.deleted",
            )
            .bind(row.id)
            .bind(row.root)
            .bind(row.path)
            .bind(row.language)
            .bind(row.title)
            .bind(row.modified)
            .bind(row.stamp)
            .bind(row.size)
            .bind(row.digest)
            .bind(row.sequence)
            .bind(row.deleted)
            .execute(&mut *transaction)
            .await
            .map_err(failure)?;
            let content = match row.body {
                Some(body) => sqlx::query(
                    "INSERT INTO contents (document, body) VALUES ($1, $2)
                     ON CONFLICT (document) DO UPDATE SET body = excluded.body",
                )
                .bind(row.id)
                .bind(body),
                None => sqlx::query("DELETE FROM contents WHERE document = $1").bind(row.id),
            };
            content.execute(&mut *transaction).await.map_err(failure)?;
        }
        transaction.commit().await.map_err(failure)
    }

    async fn import_snapshot(&self, row: &SnapshotRow, body: &[u8]) -> Result<(), StoreError> {
        let SnapshotRow { info, pinned } = row;
        sqlx::query(
            "INSERT INTO world_snapshots (id, sequence, tick, at, name, agents, digest, pinned, body)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(info.id.cast_signed())
        .bind(info.sequence.cast_signed())
        .bind(info.tick.cast_signed())
        .bind(info.at)
        .bind(&info.name)
        .bind(info.agents.cast_signed())
        .bind(info.digest.as_slice())
        .bind(pinned)
        .bind(body)
        .execute(&self.writer)
        .await
        .map(drop)
        .map_err(failure)
    }

    /// New ids follow the largest one by themselves.
    async fn finish_import(&self, last_sequence: u64) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await.map_err(failure)?;
        sqlx::query("UPDATE counters SET value = $1 WHERE name = 'sequence'")
            .bind(last_sequence.cast_signed())
            .execute(&mut *transaction)
            .await
            .map_err(failure)?;
        sqlx::query("DELETE FROM counters WHERE name = 'copying'").execute(&mut *transaction).await.map_err(failure)?;
        transaction.commit().await.map_err(failure)
    }
}
