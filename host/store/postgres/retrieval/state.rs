//! The one row that says how far the tables are: the newest change in them, sums that scores need, and who was the
//! last to have the right to write.

use sqlx::postgres::PgRow;
use sqlx::{Connection, Executor, PgConnection, PgExecutor, Row};

use super::{Asking, Retrieval};
use crate::index::IndexError;
use crate::index::remote::terms::FIELDS;

/// The row, and the size of the tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    pub(super) epoch: i64,
    pub(super) format: String,
    /// Store sequence of the newest change in the tables.
    pub(super) applied: u64,
    pub(super) documents: u64,
    pub(super) chunks: u64,
    pub(super) content_bytes: u64,
    /// Chunks with an embedding.
    pub(super) vectors: u64,
    /// Terms of all chunks by field.
    pub(super) terms: [u64; FIELDS],
    /// With their indexes.
    pub(super) table_bytes: u64,
}

impl State {
    pub(super) async fn load(executor: impl PgExecutor<'_>) -> sqlx::Result<Self> {
        let row = sqlx::query(
            "SELECT *, CAST(pg_total_relation_size('chunks') + pg_total_relation_size('chunk_symbols')
                 + pg_total_relation_size('chunk_terms') AS BIGINT) AS table_bytes
             FROM retrieval_state WHERE id = 1",
        )
        .fetch_one(executor)
        .await?;
        Ok(Self { table_bytes: number(&row, "table_bytes")?, ..Self::of(&row)? })
    }

    /// Of a row of `retrieval_state` alone.
    pub(super) fn of(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            epoch: row.try_get("epoch")?,
            format: row.try_get("format")?,
            applied: number(row, "applied")?,
            documents: number(row, "documents")?,
            chunks: number(row, "chunks")?,
            content_bytes: number(row, "content_bytes")?,
            vectors: number(row, "vectors")?,
            terms: [
                number(row, "body_terms")?,
                number(row, "title_terms")?,
                number(row, "symbol_terms")?,
                number(row, "path_terms")?,
            ],
            table_bytes: 0,
        })
    }
}

/// What is stored is never negative.
fn number(row: &PgRow, column: &str) -> sqlx::Result<u64> {
    Ok(row.try_get::<i64, _>(column)?.max(0).cast_unsigned())
}

impl Retrieval {
    /// The store sequence up to which every change is in the tables, whoever wrote it, as far as is known here.
    pub fn applied(&self) -> u64 {
        self.written.lock().applied
    }

    /// Chunks that searches see.
    pub fn visible_chunks(&self) -> u64 {
        self.state.load().chunks
    }

    /// Looks how far the tables are and publishes it.
    pub fn refresh(&self) -> Result<(), IndexError> {
        let load = async |asking: &mut Asking<'_>| State::load(&mut *asking.connection).await;
        let state = self.run(super::FETCH, load).map_err(IndexError::Read)?;
        *self.written.lock() = state.clone();
        self.state.store(std::sync::Arc::new(state));
        Ok(())
    }

    /// Empties the tables. Only for whoever has the right to write.
    pub fn forget(&self) -> Result<(), IndexError> {
        let format = self.format();
        let forget = async |asking: &mut Asking<'_>| {
            let mut transaction = asking.connection.begin().await?;
            empty(&mut transaction, &format).await?;
            transaction.commit().await
        };
        self.run(super::WRITE, forget).map_err(IndexError::Write)?;
        self.refresh()
    }

    /// From now on this host writes and no other: for whoever has the lease. Tables in another format are emptied.
    pub fn begin_writing(&self) -> Result<(), IndexError> {
        let format = self.format();
        let begin = async |asking: &mut Asking<'_>| begin(asking.connection, &format).await;
        self.run(super::WRITE, begin).map_err(IndexError::Write)?;
        self.refresh()
    }
}

async fn begin(connection: &mut PgConnection, format: &str) -> sqlx::Result<()> {
    let mut transaction = connection.begin_with("BEGIN; SET LOCAL statement_timeout = 0").await?;
    let row = sqlx::query("UPDATE retrieval_state SET epoch = epoch + 1 WHERE id = 1 RETURNING *");
    let state = State::of(&row.fetch_one(&mut *transaction).await?)?;
    if state.format != format {
        if state.applied > 0 {
            tracing::warn!("the tables of the retrieval mode are in another format and are written anew");
        }
        empty(&mut transaction, format).await?;
    }
    transaction.commit().await
}

async fn empty(connection: &mut PgConnection, format: &str) -> sqlx::Result<()> {
    connection.execute("TRUNCATE chunks, chunk_symbols, chunk_terms").await?;
    sqlx::query(
        "UPDATE retrieval_state SET format = $1, applied = 0, documents = 0, chunks = 0, content_bytes = 0,
             vectors = 0, body_terms = 0, title_terms = 0, symbol_terms = 0, path_terms = 0
         WHERE id = 1",
    )
    .bind(format)
    .execute(connection)
    .await
    .map(drop)
}
