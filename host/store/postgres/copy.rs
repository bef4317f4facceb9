//! Rows in and out of the shared backend, as they are.

use async_trait::async_trait;
use sqlx::Connection;

use super::connections::{BULK, CALL, Session, timed};
use super::documents::{Place, path_digest};
use super::{PostgresStore, call, usage, world};
use crate::store::copy::{DocumentRow, PAGE_ROWS, Portable, RootRow, SnapshotRow, Target, USAGE_ROWS};
use crate::store::{PAGE_BYTES, StoreError, UsageRow};

#[async_trait]
impl Portable for PostgresStore {
    async fn export_roots(&self) -> Result<Vec<RootRow>, StoreError> {
        call!(self, CALL, |session| export_roots(session))
    }

    async fn export_documents(&self, after: i64) -> Result<Vec<DocumentRow>, StoreError> {
        call!(self, CALL, |session| export_documents(session, after))
    }

    async fn export_snapshots(&self) -> Result<Vec<SnapshotRow>, StoreError> {
        call!(self, CALL, |session| world::snapshots(session))
    }

    async fn export_usage(&self, after: Option<&UsageRow>) -> Result<Vec<UsageRow>, StoreError> {
        call!(self, CALL, |session| usage::page(session, after, USAGE_ROWS))
    }

    async fn target(&self) -> Result<Target, StoreError> {
        call!(self, CALL, |session| target(session))
    }

    async fn begin_import(&self) -> Result<(), StoreError> {
        call!(self, CALL, |session| begin(session))
    }

    async fn import_roots(&self, roots: Vec<RootRow>) -> Result<(), StoreError> {
        call!(self, CALL, |session| import_roots(session, &roots))
    }

    async fn import_documents(&self, documents: Vec<DocumentRow>) -> Result<(), StoreError> {
        call!(self, CALL, |session| import_documents(session, &documents))
    }

    async fn import_snapshot(&self, row: &SnapshotRow, body: &[u8]) -> Result<(), StoreError> {
        call!(self, BULK, |session| import_snapshot(session, row, body))
    }

    async fn finish_import(&self, last_sequence: u64) -> Result<(), StoreError> {
        call!(self, CALL, |session| finish(session, last_sequence))
    }
}

async fn export_roots(session: &mut Session) -> sqlx::Result<Vec<RootRow>> {
    const ROOTS: &str = "SELECT id, path, name, last_indexed, removed FROM roots ORDER BY id";
    let (connection, monitor) = session.parts()?;
    timed(monitor, ROOTS, sqlx::query_as(ROOTS).fetch_all(connection)).await
}

async fn export_documents(session: &mut Session, after: i64) -> sqlx::Result<Vec<DocumentRow>> {
    const DOCUMENTS: &str = "
        SELECT d.*, c.body FROM (
            SELECT page.*, sum(size) OVER (ORDER BY sequence) - size AS before
            FROM (SELECT * FROM documents WHERE sequence > $1 ORDER BY sequence LIMIT $2) page
        ) d LEFT JOIN contents c ON c.shard = d.shard AND c.document = d.id
        WHERE d.before < $3 ORDER BY d.sequence";
    let (connection, monitor) = session.parts()?;
    let page = sqlx::query_as(DOCUMENTS).bind(after).bind(PAGE_ROWS).bind(PAGE_BYTES.cast_signed());
    timed(monitor, DOCUMENTS, page.fetch_all(connection)).await
}

async fn target(session: &mut Session) -> sqlx::Result<Target> {
    const TARGET: &str = "
        SELECT EXISTS (SELECT FROM counters WHERE name = 'copying'),
            EXISTS (SELECT FROM documents) OR EXISTS (SELECT FROM roots WHERE id <> 0) OR EXISTS (SELECT FROM tasks)
                OR EXISTS (SELECT FROM api_keys) OR EXISTS (SELECT FROM history) OR EXISTS (SELECT FROM usage)
                OR EXISTS (SELECT FROM world_events)
                OR EXISTS (SELECT FROM world_snapshots) OR EXISTS (SELECT FROM world_rules)";
    let (connection, monitor) = session.parts()?;
    let (begun, used) = timed(monitor, TARGET, sqlx::query_as(TARGET).fetch_one(connection)).await?;
    Ok(Target::of(begun, used))
}

async fn begin(session: &mut Session) -> sqlx::Result<()> {
    const BEGIN: &str = "INSERT INTO counters (name, value) VALUES ('copying', 1) ON CONFLICT DO NOTHING";
    const SNAPSHOTS: &str = "DELETE FROM world_snapshots";
    const RULES: &str = "DELETE FROM world_rules";
    const USAGE: &str = "DELETE FROM usage";
    let (connection, monitor) = session.parts()?;
    let mut transaction = connection.begin().await?;
    for statement in [BEGIN, SNAPSHOTS, RULES, USAGE] {
        timed(monitor, statement, sqlx::query(statement).execute(&mut *transaction)).await?;
    }
    transaction.commit().await
}

async fn import_roots(session: &mut Session, roots: &[RootRow]) -> sqlx::Result<()> {
    const ROOT: &str = "
        INSERT INTO roots (id, path, path_digest, name, last_indexed, removed) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, last_indexed = excluded.last_indexed,
            removed = excluded.removed";
    let (connection, monitor) = session.parts()?;
    let mut transaction = connection.begin().await?;
    for RootRow { id, path, name, last_indexed, removed } in roots {
        let row = sqlx::query(ROOT).bind(id).bind(path).bind(path_digest(path)).bind(name);
        let row = row.bind(last_indexed).bind(removed).execute(&mut *transaction);
        timed(monitor, ROOT, row).await?;
    }
    transaction.commit().await
}

async fn import_documents(session: &mut Session, rows: &[DocumentRow]) -> sqlx::Result<()> {
    const DOCUMENTS: &str = "
        INSERT INTO documents
            (shard, id, root, path, path_digest, language, title, modified, stamp, size, digest, sequence, deleted)
        SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::text[], $5::bytea[], $6::text[], $7::text[],
            $8::bigint[], $9::bigint[], $10::bigint[], $11::bytea[], $12::bigint[], $13::boolean[])
        ON CONFLICT (id, shard) DO UPDATE SET language = excluded.language, title = excluded.title,
            modified = excluded.modified, stamp = excluded.stamp, size = excluded.size, digest = excluded.digest,
            sequence = excluded.sequence, deleted = excluded.deleted";
    const EMPTY: &str = "DELETE FROM contents WHERE document = ANY($1)";
    const CONTENTS: &str = "
        INSERT INTO contents (shard, document, body) SELECT * FROM unnest($1::int[], $2::bigint[], $3::bytea[])";
    let (connection, monitor) = session.parts()?;
    let places: Vec<Place> = rows.iter().map(|row| Place::of(row.root.cast_unsigned(), &row.path)).collect();
    let shards: Vec<i32> = places.iter().map(|place| place.shard).collect();
    let ids = column(rows, |row| row.id);
    let mut transaction = connection.begin().await?;
    let documents = sqlx::query(DOCUMENTS)
        .bind(&shards)
        .bind(&ids)
        .bind(column(rows, |row| row.root))
        .bind(column(rows, |row| row.path.as_str()))
        .bind(places.iter().map(|place| place.path_digest.as_slice()).collect::<Vec<_>>())
        .bind(column(rows, |row| row.language.as_deref()))
        .bind(column(rows, |row| row.title.as_deref()))
        .bind(column(rows, |row| row.modified))
        .bind(column(rows, |row| row.stamp))
        .bind(column(rows, |row| row.size))
        .bind(column(rows, |row| row.digest.as_slice()))
        .bind(column(rows, |row| row.sequence))
        .bind(column(rows, |row| row.deleted));
    timed(monitor, DOCUMENTS, documents.execute(&mut *transaction)).await?;
    timed(monitor, EMPTY, sqlx::query(EMPTY).bind(&ids).execute(&mut *transaction)).await?;
    let mut texts: (Vec<i32>, Vec<i64>, Vec<&[u8]>) = Default::default();
    for (row, shard) in rows.iter().zip(&shards) {
        if let Some(body) = &row.body {
            texts.0.push(*shard);
            texts.1.push(row.id);
            texts.2.push(body);
        }
    }
    let contents = sqlx::query(CONTENTS).bind(texts.0).bind(texts.1).bind(texts.2).execute(&mut *transaction);
    timed(monitor, CONTENTS, contents).await?;
    transaction.commit().await
}

/// Once more after a connection broke, it may be there already.
async fn import_snapshot(session: &mut Session, row: &SnapshotRow, body: &[u8]) -> sqlx::Result<()> {
    const SNAPSHOT: &str = "
        INSERT INTO world_snapshots (id, sequence, tick, at, name, agents, digest, pinned, body)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING";
    let (connection, monitor) = session.parts()?;
    let SnapshotRow { info, pinned } = row;
    let snapshot = sqlx::query(SNAPSHOT)
        .bind(info.id.cast_signed())
        .bind(info.sequence.cast_signed())
        .bind(info.tick.cast_signed())
        .bind(info.at)
        .bind(&info.name)
        .bind(info.agents.cast_signed())
        .bind(info.digest.as_slice())
        .bind(pinned)
        .bind(body);
    timed(monitor, SNAPSHOT, snapshot.execute(connection)).await.map(drop)
}

fn column<'a, T>(rows: &'a [DocumentRow], value: impl Fn(&'a DocumentRow) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

async fn finish(session: &mut Session, last_sequence: u64) -> sqlx::Result<()> {
    const SEQUENCE: &str = "UPDATE counters SET value = $1 WHERE name = 'sequence'";
    const IDS: &str = "
        SELECT setval('document_ids', coalesce((SELECT max(id) FROM documents), 0) + 1, FALSE),
            setval(pg_get_serial_sequence('roots', 'id'), (SELECT max(id) FROM roots) + 1, FALSE)";
    const DONE: &str = "DELETE FROM counters WHERE name = 'copying'";
    let (connection, monitor) = session.parts()?;
    let mut transaction = connection.begin().await?;
    let sequence = sqlx::query(SEQUENCE).bind(last_sequence.cast_signed()).execute(&mut *transaction);
    timed(monitor, SEQUENCE, sequence).await?;
    timed(monitor, IDS, sqlx::query(IDS).execute(&mut *transaction)).await?;
    timed(monitor, DONE, sqlx::query(DONE).execute(&mut *transaction)).await?;
    transaction.commit().await
}
