//! Statements about roots, and those that remove or renew documents of a root.

use std::collections::{BTreeSet, HashMap};

use futures::TryStreamExt;
use sqlx::{Connection, PgConnection};

use super::connections::{BULK, Session, timed};
use super::documents::{ATTEMPTS, Place, conclude, hold_roots, path_digest, stored};
use super::feed::take_sequences;
use super::monitor::Monitor;
use crate::store::{Counts, Fingerprint, POSTED_ROOT, Renewed, Root, row};

pub(super) async fn register(session: &mut Session, path: &str, name: &str) -> sqlx::Result<Root> {
    const REGISTER: &str = "
        INSERT INTO roots (path, path_digest, name) VALUES ($1, $2, $3)
        ON CONFLICT (path_digest) DO UPDATE SET name = excluded.name, removed = FALSE
        RETURNING id, path, name, last_indexed";
    let (connection, monitor) = session.parts()?;
    let register = sqlx::query_as(REGISTER).bind(path).bind(path_digest(path)).bind(name);
    timed(monitor, REGISTER, register.fetch_one(connection)).await
}

pub(super) async fn list(session: &mut Session) -> sqlx::Result<Vec<Root>> {
    const LIST: &str = "SELECT id, path, name, last_indexed FROM roots WHERE id <> $1 AND NOT removed ORDER BY id";
    let (connection, monitor) = session.parts()?;
    let list = sqlx::query_as(LIST).bind(POSTED_ROOT.cast_signed()).fetch_all(connection);
    timed(monitor, LIST, list).await
}

pub(super) async fn mark_indexed(session: &mut Session, root: u64, at: i64) -> sqlx::Result<()> {
    const MARK: &str = "UPDATE roots SET last_indexed = $1 WHERE id = $2";
    let (connection, monitor) = session.parts()?;
    let mark = sqlx::query(MARK).bind(at).bind(root.cast_signed()).execute(connection);
    timed(monitor, MARK, mark).await.map(drop)
}

/// None when other writers won too often.
pub(super) async fn remove(
    session: &mut Session,
    host: &str,
    root: u64,
    paths: &[String],
) -> sqlx::Result<Option<u64>> {
    let (connection, monitor) = session.parts()?;
    let mut seen = BTreeSet::new();
    let places: Vec<Place> = paths.iter().filter(|path| seen.insert(*path)).map(|path| Place::of(root, path)).collect();
    for _ in 0..ATTEMPTS {
        let mut transaction = connection.begin().await?;
        let removed = async {
            hold_roots(&mut transaction, monitor, &places).await?;
            let live = live(&mut transaction, monitor, &places).await?;
            bury(&mut transaction, monitor, host, &live).await
        };
        let removed = removed.await;
        if let Some(removed) = conclude(transaction, removed).await? {
            return Ok(Some(removed));
        }
    }
    Ok(None)
}

pub(super) async fn remove_root(session: &mut Session, host: &str, root: u64) -> sqlx::Result<Option<u64>> {
    const LIVE: &str = "SELECT id, shard, sequence FROM documents WHERE root = $1 AND NOT deleted ORDER BY id";
    const REMOVE: &str = "UPDATE roots SET removed = TRUE, last_indexed = NULL WHERE id = $1 AND id <> $2";
    let (connection, monitor) = session.parts()?;
    for _ in 0..ATTEMPTS {
        let mut transaction = connection.begin().await?;
        let removed = async {
            sqlx::query("SELECT set_config('statement_timeout', $1, TRUE)")
                .bind(BULK.as_millis().to_string())
                .execute(&mut *transaction)
                .await?;
            // Waits for writers that have it, and keeps others out.
            sqlx::query("SELECT id FROM roots WHERE id = $1 FOR UPDATE")
                .bind(root.cast_signed())
                .execute(&mut *transaction)
                .await?;
            let live = sqlx::query_as(LIVE).bind(root.cast_signed()).fetch_all(&mut *transaction);
            let live: Vec<(i64, i32, i64)> = timed(monitor, LIVE, live).await?;
            let removed = bury(&mut transaction, monitor, host, &live).await?;
            let remove = sqlx::query(REMOVE).bind(root.cast_signed()).bind(POSTED_ROOT.cast_signed());
            timed(monitor, REMOVE, remove.execute(&mut *transaction)).await?;
            Ok(removed)
        };
        let removed = removed.await;
        if let Some(removed) = conclude(transaction, removed).await? {
            return Ok(Some(removed));
        }
    }
    Ok(None)
}

/// Live documents among `places`, in their order: id, shard and sequence.
async fn live(
    connection: &mut PgConnection,
    monitor: &Monitor,
    places: &[Place],
) -> sqlx::Result<Vec<(i64, i32, i64)>> {
    let stored = stored(connection, monitor, places).await?;
    let live = places.iter().filter_map(|place| Some((place, stored.get(place)?)));
    Ok(live
        .filter(|(_, document)| !document.current.deleted)
        .map(|(place, document)| (document.id, place.shard, document.sequence))
        .collect())
}

/// Turns live documents into tombstones. None when another writer has changed one of them meanwhile.
async fn bury(
    connection: &mut PgConnection,
    monitor: &Monitor,
    host: &str,
    live: &[(i64, i32, i64)],
) -> sqlx::Result<Option<u64>> {
    const EMPTY: &str = "
        DELETE FROM contents c USING unnest($1::bigint[], $2::int[]) AS gone (document, shard)
        WHERE c.document = gone.document AND c.shard = gone.shard";
    const BURY: &str = "
        UPDATE documents d SET deleted = TRUE, size = 0, stamp = NULL, sequence = gone.sequence
        FROM unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[]) AS gone (id, shard, seen, sequence)
        WHERE d.id = gone.id AND d.shard = gone.shard AND d.sequence = gone.seen";
    if live.is_empty() {
        return Ok(Some(0));
    }
    let ids: Vec<i64> = live.iter().map(|(id, _, _)| *id).collect();
    let shards: Vec<i32> = live.iter().map(|(_, shard, _)| *shard).collect();
    let seen: Vec<i64> = live.iter().map(|(_, _, sequence)| *sequence).collect();
    let empty = sqlx::query(EMPTY).bind(&ids).bind(&shards).execute(&mut *connection);
    timed(monitor, EMPTY, empty).await?;
    let before = take_sequences(connection, monitor, live.len(), host).await?;
    let sequences: Vec<i64> = (1..).take(live.len()).map(|number| before.cast_signed() + number).collect();
    let bury = sqlx::query(BURY).bind(&ids).bind(&shards).bind(&seen).bind(&sequences).execute(connection);
    let buried = timed(monitor, BURY, bury).await?.rows_affected();
    Ok((buried == live.len() as u64).then_some(buried))
}

/// None when other writers won too often.
pub(super) async fn renew(
    session: &mut Session,
    host: &str,
    root: u64,
    after: u64,
    until: u64,
    limit: u32,
) -> sqlx::Result<Option<Option<Renewed>>> {
    const LIVE: &str = "
        SELECT id, shard, sequence FROM documents
        WHERE sequence > $1 AND sequence <= $2 AND root = $3 AND NOT deleted ORDER BY sequence LIMIT $4";
    let (connection, monitor) = session.parts()?;
    for _ in 0..ATTEMPTS {
        let mut transaction = connection.begin().await?;
        let renewed = async {
            let live = sqlx::query_as(LIVE).bind(after.cast_signed()).bind(until.cast_signed());
            let live = live.bind(root.cast_signed()).bind(i64::from(limit)).fetch_all(&mut *transaction);
            let live: Vec<(i64, i32, i64)> = timed(monitor, LIVE, live).await?;
            number_anew(&mut transaction, monitor, host, &live).await
        };
        let renewed = renewed.await;
        if let Some(renewed) = conclude(transaction, renewed).await? {
            return Ok(Some(renewed));
        }
    }
    Ok(None)
}

/// Gives live documents the next numbers. None when another writer has changed or removed one of them meanwhile: each
/// number that is taken must be a document's.
async fn number_anew(
    connection: &mut PgConnection,
    monitor: &Monitor,
    host: &str,
    live: &[(i64, i32, i64)],
) -> sqlx::Result<Option<Option<Renewed>>> {
    const NUMBER: &str = "
        UPDATE documents d SET sequence = new.sequence
        FROM unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[]) AS new (id, shard, seen, sequence)
        WHERE d.id = new.id AND d.shard = new.shard AND d.sequence = new.seen";
    let Some((_, _, up_to)) = live.last() else { return Ok(Some(None)) };
    let ids: Vec<i64> = live.iter().map(|(id, _, _)| *id).collect();
    let shards: Vec<i32> = live.iter().map(|(_, shard, _)| *shard).collect();
    let seen: Vec<i64> = live.iter().map(|(_, _, sequence)| *sequence).collect();
    let before = take_sequences(connection, monitor, live.len(), host).await?;
    let sequences: Vec<i64> = (1..).take(live.len()).map(|number| before.cast_signed() + number).collect();
    let number = sqlx::query(NUMBER).bind(&ids).bind(&shards).bind(&seen).bind(&sequences).execute(connection);
    let documents = timed(monitor, NUMBER, number).await?.rows_affected();
    let renewed = Renewed { documents, up_to: up_to.cast_unsigned(), sequence: before + documents };
    Ok((documents == live.len() as u64).then_some(Some(renewed)))
}

pub(super) async fn fingerprints(session: &mut Session, root: u64) -> sqlx::Result<HashMap<String, Fingerprint>> {
    const FINGERPRINTS: &str =
        "SELECT path, digest, modified, stamp, size FROM documents WHERE root = $1 AND NOT deleted";
    let (connection, monitor) = session.parts()?;
    let rows = sqlx::query(FINGERPRINTS).bind(root.cast_signed()).fetch(connection);
    let fingerprints = rows.and_then(async |row| row::fingerprint(&row)).try_collect();
    timed(monitor, FINGERPRINTS, fingerprints).await
}

pub(super) async fn counts(session: &mut Session) -> sqlx::Result<Counts> {
    const COUNTS: &str = "
        SELECT count(*) FILTER (WHERE NOT deleted) AS documents, count(*) FILTER (WHERE deleted) AS tombstones,
            CAST(coalesce(sum(size), 0) AS BIGINT) AS content_bytes,
            (SELECT count(*) FROM roots WHERE id <> $1 AND NOT removed) AS roots
        FROM documents";
    let (connection, monitor) = session.parts()?;
    let counts = sqlx::query_as(COUNTS).bind(POSTED_ROOT.cast_signed()).fetch_one(connection);
    timed(monitor, COUNTS, counts).await
}
