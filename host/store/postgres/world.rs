//! Every statement about the world of agents. One host writes; that none writes beside it is what the key of the
//! events sees to, not a lock.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use sqlx::PgConnection;

use super::connections::{BULK, CALL, Session, timed};
use super::failure::is_duplicate;
use super::monitor::Monitor;
use super::{PostgresStore, call};
use crate::store::copy::SnapshotRow;
use crate::store::version::storable;
use crate::store::world::row::{EventRow, RulesRow, SnapshotColumns, position};
use crate::store::world::{conflict, follows, no_snapshot};
use crate::store::{PAGE_BYTES, SnapshotInfo, StoreError, StoredEvent, StoredRules, WorldStore};

#[async_trait]
impl WorldStore for PostgresStore {
    async fn append_events(&self, events: &[StoredEvent]) -> Result<(), StoreError> {
        let Some(first) = events.first() else { return Ok(()) };
        if !follows(events, first.sequence.wrapping_sub(1)) {
            return Err(conflict(events));
        }
        let begun = AtomicBool::new(false);
        match call!(self, CALL, |session| append(session, events, begun.swap(true, Ordering::Relaxed)))? {
            true => Ok(()),
            false => Err(conflict(events)),
        }
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        call!(self, CALL, |session| page(session, after, limit))
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        call!(self, CALL, |session| last_event(session))
    }

    async fn save_snapshot(&self, info: &SnapshotInfo, body: &[u8], keep_automatic: u32) -> Result<u64, StoreError> {
        let begun = AtomicBool::new(false);
        let saved = call!(self, BULK, |session| {
            save_snapshot(session, info, body, keep_automatic, begun.swap(true, Ordering::Relaxed))
        })?;
        saved.ok_or_else(|| StoreError::Conflict("a snapshot of the world".into()))
    }

    async fn snapshots(&self) -> Result<Vec<SnapshotInfo>, StoreError> {
        let rows = call!(self, CALL, |session| snapshots(session))?;
        Ok(rows.into_iter().rev().map(|row| row.info).collect())
    }

    async fn snapshot_body(&self, id: u64) -> Result<Option<Vec<u8>>, StoreError> {
        call!(self, BULK, |session| snapshot_body(session, id))
    }

    async fn pin_snapshot(&self, id: u64) -> Result<(), StoreError> {
        match call!(self, CALL, |session| pin(session, id))? {
            true => Ok(()),
            false => Err(no_snapshot(id)),
        }
    }

    async fn save_rules(&self, rules: &StoredRules) -> Result<(), StoreError> {
        call!(self, CALL, |session| save_rules(session, rules))
    }

    async fn rules(&self, digest: &[u8; 32]) -> Result<Option<StoredRules>, StoreError> {
        call!(self, CALL, |session| rules(session, digest))
    }

    async fn rules_used(&self) -> Result<Vec<StoredRules>, StoreError> {
        call!(self, CALL, |session| rules_used(session))
    }
}

/// False, and nothing done, when the events do not follow the last one. `begun`: the connection broke at the first
/// attempt, which may have written them.
async fn append(session: &mut Session, events: &[StoredEvent], begun: bool) -> sqlx::Result<bool> {
    // Two that see the same last event insert the same key, which one of them can.
    const APPEND: &str = "
        INSERT INTO world_events (sequence, tick, at, rules, kind, body)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[], $5::text[], $6::bytea[])
        WHERE (SELECT coalesce(max(sequence), 0) FROM world_events) = $7";
    let (connection, monitor) = session.parts()?;
    let before = events.first().map_or(0, |first| first.sequence.saturating_sub(1));
    let append = sqlx::query(APPEND)
        .bind(column(events, |event| event.sequence.cast_signed()))
        .bind(column(events, |event| event.tick.cast_signed()))
        .bind(column(events, |event| event.at))
        .bind(column(events, |event| event.rules.as_slice()))
        .bind(column(events, |event| event.kind.as_str()))
        .bind(column(events, |event| event.body.as_slice()))
        .bind(position(before));
    match timed(monitor, APPEND, append.execute(&mut *connection)).await {
        Ok(done) if done.rows_affected() == events.len() as u64 => Ok(true),
        Err(error) if !is_duplicate(&error) => Err(error),
        _ if begun => is_there(connection, monitor, events, before).await,
        _ => Ok(false),
    }
}

/// Whether the last events are these: then it is this host that wrote them.
async fn is_there(
    connection: &mut PgConnection,
    monitor: &Monitor,
    events: &[StoredEvent],
    before: u64,
) -> sqlx::Result<bool> {
    const AFTER: &str = "SELECT * FROM world_events WHERE sequence > $1 ORDER BY sequence LIMIT $2";
    let after = sqlx::query_as(AFTER).bind(position(before)).bind(events.len() as i64 + 1);
    let rows: Vec<EventRow> = timed(monitor, AFTER, after.fetch_all(connection)).await?;
    let there: Vec<StoredEvent> = rows.into_iter().map(StoredEvent::try_from).collect::<sqlx::Result<_>>()?;
    Ok(there == events)
}

fn column<'a, T>(events: &'a [StoredEvent], value: impl Fn(&'a StoredEvent) -> T) -> Vec<T> {
    events.iter().map(value).collect()
}

async fn page(session: &mut Session, after: u64, limit: u32) -> sqlx::Result<Vec<StoredEvent>> {
    // A page ends with the event that fills it, so the first is always in.
    const PAGE: &str = "
        SELECT sequence, tick, at, rules, kind, body FROM (
            SELECT page.*, sum(octet_length(body)) OVER (ORDER BY sequence) - octet_length(body) AS before
            FROM (SELECT * FROM world_events WHERE sequence > $1 ORDER BY sequence LIMIT $2) page
        ) sized WHERE before < $3 ORDER BY sequence";
    let (connection, monitor) = session.parts()?;
    let page = sqlx::query_as(PAGE).bind(position(after)).bind(i64::from(limit)).bind(PAGE_BYTES.cast_signed());
    let rows: Vec<EventRow> = timed(monitor, PAGE, page.fetch_all(connection)).await?;
    rows.into_iter().map(StoredEvent::try_from).collect()
}

async fn last_event(session: &mut Session) -> sqlx::Result<u64> {
    const LAST: &str = "SELECT coalesce(max(sequence), 0) FROM world_events";
    let (connection, monitor) = session.parts()?;
    timed(monitor, LAST, sqlx::query_scalar(LAST).fetch_one(connection)).await.map(i64::cast_unsigned)
}

/// None when another host took the id. `begun`: the connection broke at the first attempt, which may have saved it.
async fn save_snapshot(
    session: &mut Session,
    info: &SnapshotInfo,
    body: &[u8],
    keep_automatic: u32,
    begun: bool,
) -> sqlx::Result<Option<u64>> {
    const FIND: &str = "
        SELECT id FROM (SELECT * FROM world_snapshots ORDER BY id DESC LIMIT 1) latest
        WHERE sequence = $1 AND at = $2 AND name IS NOT DISTINCT FROM $3 AND digest = $4";
    // What is removed is what was there before: the new one is not among them, but counts.
    const SAVE: &str = "
        WITH saved AS (
            INSERT INTO world_snapshots (id, sequence, tick, at, name, agents, digest, body)
            SELECT coalesce(max(id), 0) + 1, $1, $2, $3, $4::text, $5, $6::bytea, $7::bytea FROM world_snapshots
            RETURNING id
        ), surplus AS (
            DELETE FROM world_snapshots WHERE name IS NULL AND NOT pinned AND id NOT IN (
                SELECT id FROM world_snapshots WHERE name IS NULL AND NOT pinned ORDER BY id DESC LIMIT $8)
        )
        SELECT id FROM saved";
    let (connection, monitor) = session.parts()?;
    let name = info.name.clone().map(storable);
    if begun {
        let find = sqlx::query_scalar(FIND).bind(info.sequence.cast_signed()).bind(info.at).bind(&name);
        let find = find.bind(info.digest.as_slice()).fetch_optional(&mut *connection);
        let found: Option<i64> = timed(monitor, FIND, find).await?;
        if let Some(id) = found {
            return Ok(Some(id.cast_unsigned()));
        }
    }
    let kept = i64::from(keep_automatic) - i64::from(name.is_none());
    let save = sqlx::query_scalar(SAVE)
        .bind(info.sequence.cast_signed())
        .bind(info.tick.cast_signed())
        .bind(info.at)
        .bind(name)
        .bind(info.agents.cast_signed())
        .bind(info.digest.as_slice())
        .bind(body)
        .bind(kept.max(0));
    match timed(monitor, SAVE, save.fetch_one(connection)).await {
        Ok(id) => Ok(Some(i64::cast_unsigned(id))),
        Err(error) if is_duplicate(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Without bodies, the earliest first.
pub(super) async fn snapshots(session: &mut Session) -> sqlx::Result<Vec<SnapshotRow>> {
    const SNAPSHOTS: &str = "
        SELECT id, sequence, tick, at, name, agents, digest, pinned, octet_length(body)::bigint AS size
        FROM world_snapshots ORDER BY id";
    let (connection, monitor) = session.parts()?;
    let rows: Vec<SnapshotColumns> = timed(monitor, SNAPSHOTS, sqlx::query_as(SNAPSHOTS).fetch_all(connection)).await?;
    rows.into_iter().map(SnapshotRow::try_from).collect()
}

async fn snapshot_body(session: &mut Session, id: u64) -> sqlx::Result<Option<Vec<u8>>> {
    const BODY: &str = "SELECT body FROM world_snapshots WHERE id = $1";
    let (connection, monitor) = session.parts()?;
    timed(monitor, BODY, sqlx::query_scalar(BODY).bind(position(id)).fetch_optional(connection)).await
}

/// Whether it is there.
async fn pin(session: &mut Session, id: u64) -> sqlx::Result<bool> {
    const PIN: &str = "UPDATE world_snapshots SET pinned = TRUE WHERE id = $1";
    let (connection, monitor) = session.parts()?;
    let pinned = timed(monitor, PIN, sqlx::query(PIN).bind(position(id)).execute(connection)).await?;
    Ok(pinned.rows_affected() > 0)
}

async fn save_rules(session: &mut Session, rules: &StoredRules) -> sqlx::Result<()> {
    const SAVE: &str = "
        INSERT INTO world_rules (digest, name, version, first_used, body) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (digest) DO NOTHING";
    let (connection, monitor) = session.parts()?;
    let save = sqlx::query(SAVE)
        .bind(rules.digest.as_slice())
        .bind(storable(rules.name.clone()))
        .bind(storable(rules.version.clone()))
        .bind(rules.first_used)
        .bind(&rules.body);
    timed(monitor, SAVE, save.execute(connection)).await.map(drop)
}

async fn rules(session: &mut Session, digest: &[u8; 32]) -> sqlx::Result<Option<StoredRules>> {
    const RULES: &str = "SELECT * FROM world_rules WHERE digest = $1";
    let (connection, monitor) = session.parts()?;
    let found = sqlx::query_as(RULES).bind(digest.as_slice()).fetch_optional(connection);
    let found: Option<RulesRow> = timed(monitor, RULES, found).await?;
    found.map(StoredRules::try_from).transpose()
}

async fn rules_used(session: &mut Session) -> sqlx::Result<Vec<StoredRules>> {
    const USED: &str = "
        SELECT digest, name, version, first_used, ''::bytea AS body FROM world_rules ORDER BY first_used, digest";
    let (connection, monitor) = session.parts()?;
    let used: Vec<RulesRow> = timed(monitor, USED, sqlx::query_as(USED).fetch_all(connection)).await?;
    used.into_iter().map(StoredRules::try_from).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::sync::Arc;

    use services::{Postgres, PostgresKind};

    use super::*;
    use crate::store::DocumentStore;
    use crate::store::postgres::PostgresOptions;
    use crate::store::world::conformance::{CHECKS, event, events, snapshot};

    async fn open(url: &str) -> Arc<PostgresStore> {
        Arc::new(PostgresStore::open(url, PostgresOptions::new("a")).await.unwrap())
    }

    async fn conforms(kind: PostgresKind) {
        for check in CHECKS {
            let store = open(&Postgres::shared(kind).database()).await;
            check(store.clone()).await;
            store.close().await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn world_conforms_on_debian() {
        conforms(PostgresKind::Debian).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn world_conforms_with_vectors() {
        conforms(PostgresKind::Vector).await;
    }

    /// A connection that breaks after the server has committed, and before it says so: the attempt is made again and
    /// finds its own work, which is no conflict. What another host has written there is one.
    #[tokio::test]
    async fn a_second_attempt_knows_what_the_first_has_written() {
        let store = open(&Postgres::shared(PostgresKind::Debian).database()).await;
        let mut session = store.connections.session().await.unwrap();
        let own = events(1..=3);
        assert!(append(&mut session, &own, false).await.unwrap());
        assert!(append(&mut session, &own, true).await.unwrap());
        assert!(!append(&mut session, &own, false).await.unwrap());
        let others = [event(1), StoredEvent { body: vec![9], ..event(2) }, event(3)];
        assert!(!append(&mut session, &others, true).await.unwrap());
        assert_eq!(store.events(0, 10).await.unwrap(), own);

        let first = save_snapshot(&mut session, &snapshot(3, None), &[1], 5, true).await.unwrap();
        let again = save_snapshot(&mut session, &snapshot(3, None), &[1], 5, true).await.unwrap();
        let other = save_snapshot(&mut session, &snapshot(3, Some("other")), &[1], 5, true).await.unwrap();
        assert_eq!((first, again, other), (Some(1), Some(1), Some(2)));
        session.settle(Ok(())).unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn acknowledged_events_survive_a_killed_server() {
        let mut server = Postgres::start();
        let store = open(&server.database()).await;
        store.append_events(&events(1..=2)).await.unwrap();
        server.kill();
        let error = store.append_events(&events([3])).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_) | StoreError::Busy(_)), "{error}");
        server.restart();
        crate::store::postgres::tests::eventually("the server's return", async || store.ping().await.ok()).await;
        assert_eq!(store.events(0, 10).await.unwrap(), events(1..=2));
        store.append_events(&events([3])).await.unwrap();
    }
}
