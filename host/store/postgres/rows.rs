//! The last statements of a write, each for all of its documents at once. The counter is held meanwhile, so there
//! are few of them and nothing large is sent.

use sqlx::PgConnection;

use super::connections::timed;
use super::documents::{Place, Stored};
use super::monitor::Monitor;
use crate::store::version::Encoded;

/// Columns of documents to write.
#[derive(Default)]
pub(super) struct Rows<'a> {
    shards: Vec<i32>,
    ids: Vec<i64>,
    roots: Vec<i64>,
    paths: Vec<&'a str>,
    path_digests: Vec<&'a [u8]>,
    languages: Vec<Option<&'a str>>,
    titles: Vec<Option<&'a str>>,
    modified: Vec<i64>,
    stamps: Vec<Option<i64>>,
    sizes: Vec<i64>,
    digests: Vec<&'a [u8]>,
    sequences: Vec<i64>,
    /// Sequence of the version that this one follows; another one means that another writer came first.
    seen: Vec<i64>,
}

impl<'a> Rows<'a> {
    pub(super) fn push(
        &mut self,
        id: i64,
        place: &'a Place,
        stored: Option<&Stored>,
        encoded: &'a Encoded,
        sequence: u64,
        now: i64,
    ) {
        let document = &encoded.document;
        self.shards.push(place.shard);
        self.ids.push(id);
        self.roots.push(place.root);
        self.paths.push(&document.path);
        self.path_digests.push(&place.path_digest);
        self.languages.push(document.language.as_deref());
        self.titles.push(document.title.as_deref());
        self.modified.push(document.modified.unwrap_or(now));
        self.stamps.push(document.stamp);
        self.sizes.push(encoded.size);
        self.digests.push(&encoded.digest);
        self.sequences.push(sequence.cast_signed());
        self.seen.push(stored.map_or(0, |stored| stored.sequence));
    }

    /// Each says whether all of its rows were still as they had been seen.
    pub(super) async fn insert(&self, connection: &mut PgConnection, monitor: &Monitor) -> sqlx::Result<bool> {
        const INSERT: &str = "
            INSERT INTO documents
                (shard, id, root, path, path_digest, language, title, modified, stamp, size, digest, sequence)
            SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::text[], $5::bytea[], $6::text[],
                $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bytea[], $12::bigint[])
            ON CONFLICT (root, path_digest, shard) DO NOTHING";
        if self.ids.is_empty() {
            return Ok(true);
        }
        let insert = sqlx::query(INSERT)
            .bind(&self.shards)
            .bind(&self.ids)
            .bind(&self.roots)
            .bind(&self.paths)
            .bind(&self.path_digests)
            .bind(&self.languages)
            .bind(&self.titles)
            .bind(&self.modified)
            .bind(&self.stamps)
            .bind(&self.sizes)
            .bind(&self.digests)
            .bind(&self.sequences);
        let inserted = timed(monitor, INSERT, insert.execute(connection)).await?.rows_affected();
        Ok(inserted == self.ids.len() as u64)
    }

    pub(super) async fn update(&self, connection: &mut PgConnection, monitor: &Monitor) -> sqlx::Result<bool> {
        const UPDATE: &str = "
            UPDATE documents d SET language = new.language, title = new.title, modified = new.modified,
                stamp = new.stamp, size = new.size, digest = new.digest, sequence = new.sequence, deleted = FALSE
            FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
                $8::bytea[], $9::bigint[], $10::bigint[])
                AS new (shard, id, language, title, modified, stamp, size, digest, sequence, seen)
            WHERE d.id = new.id AND d.shard = new.shard AND d.sequence = new.seen";
        if self.ids.is_empty() {
            return Ok(true);
        }
        let update = sqlx::query(UPDATE)
            .bind(&self.shards)
            .bind(&self.ids)
            .bind(&self.languages)
            .bind(&self.titles)
            .bind(&self.modified)
            .bind(&self.stamps)
            .bind(&self.sizes)
            .bind(&self.digests)
            .bind(&self.sequences)
            .bind(&self.seen);
        let updated = timed(monitor, UPDATE, update.execute(connection)).await?.rows_affected();
        Ok(updated == self.ids.len() as u64)
    }

    pub(super) async fn touch(&self, connection: &mut PgConnection, monitor: &Monitor) -> sqlx::Result<bool> {
        const TOUCH: &str = "
            UPDATE documents d SET stamp = new.stamp
            FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[]) AS new (shard, id, stamp, seen)
            WHERE d.id = new.id AND d.shard = new.shard AND d.sequence = new.seen";
        if self.ids.is_empty() {
            return Ok(true);
        }
        let touch = sqlx::query(TOUCH).bind(&self.shards).bind(&self.ids).bind(&self.stamps).bind(&self.seen);
        let touched = timed(monitor, TOUCH, touch.execute(connection)).await?.rows_affected();
        Ok(touched == self.ids.len() as u64)
    }
}
