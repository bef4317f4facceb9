//! The last statements of a write, each for all of its documents at once. The counter is held meanwhile, so there
//! are few of them and nothing large is sent.

use sqlx::PgConnection;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;

use super::connections::timed;
use super::documents::{Place, Stored};
use super::monitor::Monitor;
use crate::store::version::Encoded;

type Statement<'a> = Query<'a, Postgres, PgArguments>;

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
                (shard, id, language, title, modified, stamp, size, digest, sequence, root, path, path_digest)
            SELECT * FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
                $7::bigint[], $8::bytea[], $9::bigint[], $10::bigint[], $11::text[], $12::bytea[])
            ON CONFLICT (root, path_digest, shard) DO NOTHING";
        let insert = self.version(INSERT).bind(&self.roots).bind(&self.paths).bind(&self.path_digests);
        self.all(connection, monitor, INSERT, insert).await
    }

    pub(super) async fn update(&self, connection: &mut PgConnection, monitor: &Monitor) -> sqlx::Result<bool> {
        const UPDATE: &str = "
            UPDATE documents d SET language = new.language, title = new.title, modified = new.modified,
                stamp = new.stamp, size = new.size, digest = new.digest, sequence = new.sequence, deleted = FALSE
            FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
                $8::bytea[], $9::bigint[], $10::bigint[])
                AS new (shard, id, language, title, modified, stamp, size, digest, sequence, seen)
            WHERE d.id = new.id AND d.shard = new.shard AND d.sequence = new.seen";
        self.all(connection, monitor, UPDATE, self.version(UPDATE).bind(&self.seen)).await
    }

    pub(super) async fn touch(&self, connection: &mut PgConnection, monitor: &Monitor) -> sqlx::Result<bool> {
        const TOUCH: &str = "
            UPDATE documents d SET stamp = new.stamp
            FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[]) AS new (shard, id, stamp, seen)
            WHERE d.id = new.id AND d.shard = new.shard AND d.sequence = new.seen";
        let touch = sqlx::query(TOUCH).bind(&self.shards).bind(&self.ids).bind(&self.stamps).bind(&self.seen);
        self.all(connection, monitor, TOUCH, touch).await
    }

    /// A statement with what makes a version, as its first nine parameters.
    fn version(&self, sql: &'static str) -> Statement<'_> {
        sqlx::query(sql)
            .bind(&self.shards)
            .bind(&self.ids)
            .bind(&self.languages)
            .bind(&self.titles)
            .bind(&self.modified)
            .bind(&self.stamps)
            .bind(&self.sizes)
            .bind(&self.digests)
            .bind(&self.sequences)
    }

    async fn all(
        &self,
        connection: &mut PgConnection,
        monitor: &Monitor,
        sql: &'static str,
        statement: Statement<'_>,
    ) -> sqlx::Result<bool> {
        if self.ids.is_empty() {
            return Ok(true);
        }
        let met = timed(monitor, sql, statement.execute(connection)).await?.rows_affected();
        Ok(met == self.ids.len() as u64)
    }
}
