//! Every statement about documents, roots and the sequence.

use std::collections::HashMap;

use futures::TryStreamExt;
use sqlx::{Sqlite, SqliteExecutor, SqlitePool, Transaction};

use crate::store::version::{Current, Decision, Encoded};
use crate::store::{Counts, Fingerprint, PAGE_BYTES, POSTED_ROOT, Renewed, Root, StoredChange, Upserted, row, version};

/// Takes the write lock at once; a transaction that upgrades from reading may fail half-way instead.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

pub(super) async fn upsert(writer: &SqlitePool, documents: Vec<Encoded>) -> sqlx::Result<Vec<Upserted>> {
    let now = version::unix_now();
    let mut transaction = writer.begin_with(BEGIN).await?;
    let mut sequence = last_sequence(&mut *transaction).await?;
    let mut outcomes = Vec::with_capacity(documents.len());
    for encoded in documents {
        let document = &encoded.document;
        let stored: Option<Current> = sqlx::query_as(
            "SELECT language, title, modified, stamp, digest, deleted FROM documents WHERE root = $1 AND path = $2",
        )
        .bind(document.root.cast_signed())
        .bind(&document.path)
        .fetch_optional(&mut *transaction)
        .await?;
        match version::decide(stored.as_ref(), &encoded) {
            Decision::Write => {
                sequence += 1;
                let id = write(&mut transaction, &encoded, sequence, now).await?;
                outcomes.push(Upserted::Written { document: id.cast_unsigned(), sequence });
            }
            Decision::Touch => {
                sqlx::query("UPDATE documents SET stamp = $1 WHERE root = $2 AND path = $3")
                    .bind(document.stamp)
                    .bind(document.root.cast_signed())
                    .bind(&document.path)
                    .execute(&mut *transaction)
                    .await?;
                outcomes.push(Upserted::Unchanged);
            }
            Decision::Keep => outcomes.push(Upserted::Unchanged),
        }
    }
    set_sequence(&mut transaction, sequence).await?;
    transaction.commit().await?;
    Ok(outcomes)
}

async fn write(
    transaction: &mut Transaction<'_, Sqlite>,
    encoded: &Encoded,
    sequence: u64,
    now: i64,
) -> sqlx::Result<i64> {
    let Encoded { document, digest, size, body } = encoded;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO documents (root, path, language, title, modified, stamp, size, digest, sequence)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (root, path) DO UPDATE SET
             language = excluded.language, title = excluded.title, modified = excluded.modified,
             stamp = excluded.stamp, size = excluded.size, digest = excluded.digest,
             sequence = excluded.sequence, deleted = FALSE
         RETURNING id",
    )
    .bind(document.root.cast_signed())
    .bind(&document.path)
    .bind(&document.language)
    .bind(&document.title)
    .bind(document.modified.unwrap_or(now))
    .bind(document.stamp)
    .bind(size)
    .bind(digest.as_slice())
    .bind(sequence.cast_signed())
    .fetch_one(&mut **transaction)
    .await?;
    sqlx::query(
        "INSERT INTO contents (document, body) VALUES ($1, $2) ON CONFLICT (document) DO UPDATE SET body = excluded.body",
    )
    .bind(id)
    .bind(body)
    .execute(&mut **transaction)
    .await?;
    Ok(id)
}

pub(super) async fn remove(writer: &SqlitePool, root: u64, paths: &[String]) -> sqlx::Result<u64> {
    let mut transaction = writer.begin_with(BEGIN).await?;
    let mut sequence = last_sequence(&mut *transaction).await?;
    let mut removed = 0;
    for path in paths {
        let id: Option<i64> =
            sqlx::query_scalar("SELECT id FROM documents WHERE root = $1 AND path = $2 AND NOT deleted")
                .bind(root.cast_signed())
                .bind(path)
                .fetch_optional(&mut *transaction)
                .await?;
        if let Some(id) = id {
            sequence += 1;
            removed += 1;
            bury(&mut transaction, id, sequence).await?;
        }
    }
    set_sequence(&mut transaction, sequence).await?;
    transaction.commit().await?;
    Ok(removed)
}

/// Turns a live document into a tombstone.
async fn bury(transaction: &mut Transaction<'_, Sqlite>, id: i64, sequence: u64) -> sqlx::Result<()> {
    sqlx::query("UPDATE documents SET deleted = TRUE, sequence = $1, size = 0, stamp = NULL WHERE id = $2")
        .bind(sequence.cast_signed())
        .bind(id)
        .execute(&mut **transaction)
        .await?;
    sqlx::query("DELETE FROM contents WHERE document = $1").bind(id).execute(&mut **transaction).await?;
    Ok(())
}

pub(super) async fn renew(
    writer: &SqlitePool,
    root: u64,
    after: u64,
    until: u64,
    limit: u32,
) -> sqlx::Result<Option<Renewed>> {
    let mut transaction = writer.begin_with(BEGIN).await?;
    let live: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT id, sequence FROM documents
         WHERE sequence > $1 AND sequence <= $2 AND root = $3 AND NOT deleted ORDER BY sequence LIMIT $4",
    )
    .bind(after.cast_signed())
    .bind(until.cast_signed())
    .bind(root.cast_signed())
    .bind(i64::from(limit))
    .fetch_all(&mut *transaction)
    .await?;
    let Some((_, up_to)) = live.last() else { return Ok(None) };
    let mut sequence = last_sequence(&mut *transaction).await?;
    for (id, _) in &live {
        sequence += 1;
        sqlx::query("UPDATE documents SET sequence = $1 WHERE id = $2")
            .bind(sequence.cast_signed())
            .bind(id)
            .execute(&mut *transaction)
            .await?;
    }
    set_sequence(&mut transaction, sequence).await?;
    transaction.commit().await?;
    Ok(Some(Renewed { documents: live.len() as u64, up_to: up_to.cast_unsigned(), sequence }))
}

async fn set_sequence(transaction: &mut Transaction<'_, Sqlite>, sequence: u64) -> sqlx::Result<()> {
    sqlx::query("UPDATE counters SET value = $1 WHERE name = 'sequence'")
        .bind(sequence.cast_signed())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Also in a transaction that writes: it has the write lock from its beginning, so nobody else takes a number.
pub(super) async fn last_sequence(connection: impl SqliteExecutor<'_>) -> sqlx::Result<u64> {
    let value: i64 =
        sqlx::query_scalar("SELECT value FROM counters WHERE name = 'sequence'").fetch_one(connection).await?;
    Ok(value.cast_unsigned())
}

pub(super) async fn changes(readers: &SqlitePool, after: u64, limit: u32) -> sqlx::Result<Vec<StoredChange>> {
    let mut rows = sqlx::query(
        "SELECT d.id, d.root, d.path, d.language, d.title, d.modified, d.size, d.digest, d.sequence, d.deleted, c.body
         FROM documents d LEFT JOIN contents c ON c.document = d.id
         WHERE d.sequence > $1 ORDER BY d.sequence LIMIT $2",
    )
    .bind(after.cast_signed())
    .bind(i64::from(limit))
    .fetch(readers);
    let mut changes = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.try_next().await? {
        let change = row::change(&row)?;
        if let StoredChange::Upsert(version) = &change {
            bytes += version.content.len() as u64;
        }
        changes.push(change);
        if bytes >= PAGE_BYTES {
            break;
        }
    }
    Ok(changes)
}

pub(super) async fn document(readers: &SqlitePool, root: u64, path: &str) -> sqlx::Result<Option<StoredChange>> {
    let row = sqlx::query(
        "SELECT d.id, d.root, d.path, d.language, d.title, d.modified, d.size, d.digest, d.sequence, d.deleted, c.body
         FROM documents d LEFT JOIN contents c ON c.document = d.id
         WHERE d.root = $1 AND d.path = $2",
    )
    .bind(root.cast_signed())
    .bind(path)
    .fetch_optional(readers)
    .await?;
    row.as_ref().map(row::change).transpose()
}

pub(super) async fn fingerprints(readers: &SqlitePool, root: u64) -> sqlx::Result<HashMap<String, Fingerprint>> {
    let rows = sqlx::query("SELECT path, digest, modified, stamp, size FROM documents WHERE root = $1 AND NOT deleted")
        .bind(root.cast_signed())
        .fetch(readers);
    rows.and_then(async |row| row::fingerprint(&row)).try_collect().await
}

pub(super) async fn mark_damaged(writer: &SqlitePool, document: u64) -> sqlx::Result<()> {
    sqlx::query("UPDATE documents SET digest = x'', stamp = NULL WHERE id = $1 AND NOT deleted")
        .bind(document.cast_signed())
        .execute(writer)
        .await?;
    Ok(())
}

pub(super) async fn register_root(writer: &SqlitePool, path: &str, name: &str) -> sqlx::Result<Root> {
    sqlx::query_as(
        "INSERT INTO roots (path, name) VALUES ($1, $2)
         ON CONFLICT (path) DO UPDATE SET name = excluded.name, removed = FALSE
         RETURNING id, path, name, last_indexed",
    )
    .bind(path)
    .bind(name)
    .fetch_one(writer)
    .await
}

pub(super) async fn roots(readers: &SqlitePool) -> sqlx::Result<Vec<Root>> {
    sqlx::query_as("SELECT id, path, name, last_indexed FROM roots WHERE id <> $1 AND NOT removed ORDER BY id")
        .bind(POSTED_ROOT.cast_signed())
        .fetch_all(readers)
        .await
}

pub(super) async fn mark_indexed(writer: &SqlitePool, root: u64, at: i64) -> sqlx::Result<()> {
    sqlx::query("UPDATE roots SET last_indexed = $1 WHERE id = $2")
        .bind(at)
        .bind(root.cast_signed())
        .execute(writer)
        .await?;
    Ok(())
}

pub(super) async fn remove_root(writer: &SqlitePool, root: u64) -> sqlx::Result<u64> {
    let mut transaction = writer.begin_with(BEGIN).await?;
    let first = last_sequence(&mut *transaction).await?;
    let documents: Vec<i64> =
        sqlx::query_scalar("SELECT id FROM documents WHERE root = $1 AND NOT deleted ORDER BY id")
            .bind(root.cast_signed())
            .fetch_all(&mut *transaction)
            .await?;
    let mut sequence = first;
    for document in documents {
        sequence += 1;
        bury(&mut transaction, document, sequence).await?;
    }
    sqlx::query("UPDATE roots SET removed = TRUE, last_indexed = NULL WHERE id = $1 AND id <> $2")
        .bind(root.cast_signed())
        .bind(POSTED_ROOT.cast_signed())
        .execute(&mut *transaction)
        .await?;
    set_sequence(&mut transaction, sequence).await?;
    transaction.commit().await?;
    Ok(sequence - first)
}

pub(super) async fn counts(readers: &SqlitePool) -> sqlx::Result<Counts> {
    sqlx::query_as(
        "SELECT count(*) FILTER (WHERE NOT deleted) AS documents, count(*) FILTER (WHERE deleted) AS tombstones,
             CAST(coalesce(sum(size), 0) AS BIGINT) AS content_bytes,
             (SELECT count(*) FROM roots WHERE id <> $1 AND NOT removed) AS roots
         FROM documents",
    )
    .bind(POSTED_ROOT.cast_signed())
    .fetch_one(readers)
    .await
}
