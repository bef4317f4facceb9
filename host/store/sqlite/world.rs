//! Every statement about the world of agents.

use async_trait::async_trait;
use futures::TryStreamExt;
use sqlx::SqlitePool;

use super::documents::BEGIN;
use super::{SqliteStore, failure};
use crate::store::copy::SnapshotRow;
use crate::store::world::row::{EventRow, RulesRow, SnapshotColumns, position};
use crate::store::world::{conflict, follows, no_snapshot};
use crate::store::{PAGE_BYTES, SnapshotInfo, StoreError, StoredEvent, StoredRules, WorldStore};

#[async_trait]
impl WorldStore for SqliteStore {
    async fn append_events(&self, events: &[StoredEvent]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        match self.timed("append_events", append(&self.writer, events)).await.map_err(failure)? {
            true => Ok(()),
            false => Err(conflict(events)),
        }
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        self.timed("events", events(&self.readers, after, limit)).await.map_err(failure)
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        let last = sqlx::query_scalar(LAST_EVENT).fetch_one(&self.readers);
        self.timed("last_event", last).await.map(i64::cast_unsigned).map_err(failure)
    }

    async fn save_snapshot(&self, info: &SnapshotInfo, body: &[u8], keep_automatic: u32) -> Result<u64, StoreError> {
        self.timed("save_snapshot", save_snapshot(&self.writer, info, body, keep_automatic)).await.map_err(failure)
    }

    async fn snapshots(&self) -> Result<Vec<SnapshotInfo>, StoreError> {
        let rows = self.timed("snapshots", snapshots(&self.readers)).await.map_err(failure)?;
        Ok(rows.into_iter().rev().map(|row| row.info).collect())
    }

    async fn snapshot_body(&self, id: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let body = sqlx::query_scalar("SELECT body FROM world_snapshots WHERE id = $1").bind(position(id));
        self.timed("snapshot_body", body.fetch_optional(&self.readers)).await.map_err(failure)
    }

    async fn pin_snapshot(&self, id: u64) -> Result<(), StoreError> {
        let pin = sqlx::query("UPDATE world_snapshots SET pinned = TRUE WHERE id = $1").bind(position(id));
        match self.timed("pin_snapshot", pin.execute(&self.writer)).await.map_err(failure)?.rows_affected() {
            0 => Err(no_snapshot(id)),
            _ => Ok(()),
        }
    }

    async fn save_rules(&self, rules: &StoredRules) -> Result<(), StoreError> {
        let save = sqlx::query(
            "INSERT INTO world_rules (digest, name, version, first_used, body) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (digest) DO NOTHING",
        )
        .bind(rules.digest.as_slice())
        .bind(&rules.name)
        .bind(&rules.version)
        .bind(rules.first_used)
        .bind(&rules.body);
        self.timed("save_rules", save.execute(&self.writer)).await.map(drop).map_err(failure)
    }

    async fn rules(&self, digest: &[u8; 32]) -> Result<Option<StoredRules>, StoreError> {
        let found = sqlx::query_as("SELECT * FROM world_rules WHERE digest = $1").bind(digest.as_slice());
        let found: Option<RulesRow> =
            self.timed("rules", found.fetch_optional(&self.readers)).await.map_err(failure)?;
        found.map(StoredRules::try_from).transpose().map_err(failure)
    }

    async fn rules_used(&self) -> Result<Vec<StoredRules>, StoreError> {
        let used = sqlx::query_as(
            "SELECT digest, name, version, first_used, x'' AS body FROM world_rules ORDER BY first_used, digest",
        );
        let used: Vec<RulesRow> = self.timed("rules_used", used.fetch_all(&self.readers)).await.map_err(failure)?;
        used.into_iter().map(StoredRules::try_from).collect::<sqlx::Result<_>>().map_err(failure)
    }
}

const LAST_EVENT: &str = "SELECT coalesce(max(sequence), 0) FROM world_events";

/// False, and nothing done, when the events do not follow.
async fn append(writer: &SqlitePool, events: &[StoredEvent]) -> sqlx::Result<bool> {
    let mut transaction = writer.begin_with(BEGIN).await?;
    let last: i64 = sqlx::query_scalar(LAST_EVENT).fetch_one(&mut *transaction).await?;
    if !follows(events, last.cast_unsigned()) {
        return Ok(false);
    }
    for event in events {
        sqlx::query("INSERT INTO world_events (sequence, tick, at, rules, kind, body) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(event.sequence.cast_signed())
            .bind(event.tick.cast_signed())
            .bind(event.at)
            .bind(event.rules.as_slice())
            .bind(&event.kind)
            .bind(&event.body)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(true)
}

async fn events(readers: &SqlitePool, after: u64, limit: u32) -> sqlx::Result<Vec<StoredEvent>> {
    let page = sqlx::query_as("SELECT * FROM world_events WHERE sequence > $1 ORDER BY sequence LIMIT $2");
    let mut rows = page.bind(position(after)).bind(i64::from(limit)).fetch(readers);
    let mut events = Vec::new();
    let mut bytes = 0;
    while bytes < PAGE_BYTES {
        let Some(row): Option<EventRow> = rows.try_next().await? else { break };
        bytes += row.size();
        events.push(row.try_into()?);
    }
    Ok(events)
}

async fn save_snapshot(
    writer: &SqlitePool,
    info: &SnapshotInfo,
    body: &[u8],
    keep_automatic: u32,
) -> sqlx::Result<u64> {
    let mut transaction = writer.begin_with(BEGIN).await?;
    // A new row's id is the one after the largest; the newest row is never removed.
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO world_snapshots (sequence, tick, at, name, agents, digest, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
    )
    .bind(info.sequence.cast_signed())
    .bind(info.tick.cast_signed())
    .bind(info.at)
    .bind(&info.name)
    .bind(info.agents.cast_signed())
    .bind(info.digest.as_slice())
    .bind(body)
    .fetch_one(&mut *transaction)
    .await?;
    sqlx::query(
        "DELETE FROM world_snapshots WHERE name IS NULL AND NOT pinned AND id <> $1 AND id NOT IN (
             SELECT id FROM world_snapshots WHERE name IS NULL AND NOT pinned ORDER BY id DESC LIMIT $2)",
    )
    .bind(id)
    .bind(i64::from(keep_automatic))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(id.cast_unsigned())
}

/// Without bodies, the earliest first.
pub(super) async fn snapshots(readers: &SqlitePool) -> sqlx::Result<Vec<SnapshotRow>> {
    let rows: Vec<SnapshotColumns> = sqlx::query_as(
        "SELECT id, sequence, tick, at, name, agents, digest, pinned, length(body) AS size
         FROM world_snapshots ORDER BY id",
    )
    .fetch_all(readers)
    .await?;
    rows.into_iter().map(SnapshotRow::try_from).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::sync::Arc;

    use super::*;
    use crate::store::world::conformance::{CHECKS, events};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn world_conforms() {
        for check in CHECKS {
            let folder = tempfile::tempdir().unwrap();
            check(Arc::new(SqliteStore::open(&folder.path().join("store.sqlite")).await.unwrap())).await;
        }
    }

    /// Not closed, like after kill -9: the write-ahead log alone carries them.
    #[tokio::test]
    async fn acknowledged_events_survive_a_lost_process() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("store.sqlite")).await.unwrap();
        store.append_events(&events(1..=3)).await.unwrap();
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        let store = SqliteStore::open(&copy.path().join("store.sqlite")).await.unwrap();
        assert_eq!(store.events(0, 10).await.unwrap(), events(1..=3));
    }
}
