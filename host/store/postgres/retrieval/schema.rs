//! What depends on extensions: whether they are there, and the columns and indexes that they make possible. An
//! extension that is missing is a warning that says what is slower without it, never an error.

use sqlx::{Connection, PgConnection, Row};

/// Hosts that start at once do this one after the other: the key of an advisory lock.
const LOCK: i64 = 0x636f_7273_6163_0004;

/// Bodies as patterns are compared with them: lower case in ASCII alone, whatever the locale, and the two characters
/// beyond ASCII that fold to ASCII letters. Must be no finer than the pattern planner's folding.
pub(super) const FOLDED_BODY: &str = r#"translate(lower(body COLLATE "C"), U&'\017F\212A', 'sk')"#;

/// The oldest pgvector that scans on when a filter leaves too few hits.
const VECTOR_VERSION: (u32, u32) = (0, 8);

/// Which extensions can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    /// pgvector.
    pub(super) vector: bool,
    /// pg_trgm.
    pub(super) trigrams: bool,
}

/// Creates extensions, columns and indexes that are possible and missing; says what is there then.
pub(super) async fn prepare(connection: &mut PgConnection, dimension: usize) -> sqlx::Result<Extensions> {
    let encoding: String = sqlx::query_scalar("SHOW server_encoding").fetch_one(&mut *connection).await?;
    if encoding != "UTF8" {
        let text = format!("the database's encoding is {encoding}; create one with encoding UTF8");
        return Err(sqlx::Error::Configuration(text.into()));
    }
    let vector = extension(connection, "vector").await?;
    let trigrams = extension(connection, "pg_trgm").await?;
    let new_enough = vector.as_deref().is_some_and(|version| at_least(version, VECTOR_VERSION));
    match vector {
        None => tracing::warn!(
            "the database has no pgvector: vectors are compared one by one, and not at all when they are many; \
             install it, then `CREATE EXTENSION vector`, then start again"
        ),
        Some(version) if !new_enough => {
            tracing::warn!(version, "pgvector is too old to be used; update it to 0.8 or later, then start again");
        }
        Some(_) => {}
    }
    if trigrams.is_none() {
        tracing::warn!(
            "the database has no pg_trgm: patterns and parts of names are looked for in every row; \
             install it, then `CREATE EXTENSION pg_trgm`, then start again"
        );
    }
    let extensions = Extensions { vector: new_enough, trigrams: trigrams.is_some() };
    let mut transaction = connection.begin_with("BEGIN; SET LOCAL statement_timeout = 0").await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
    if extensions.vector {
        add_vectors(&mut transaction, dimension).await?;
    }
    if extensions.trigrams {
        run(
            &mut transaction,
            format!("CREATE INDEX IF NOT EXISTS chunks_trigrams ON chunks USING gin (({FOLDED_BODY}) gin_trgm_ops)"),
        )
        .await?;
        let names =
            "CREATE INDEX IF NOT EXISTS chunk_symbols_trigrams ON chunk_symbols USING gin (folded gin_trgm_ops)";
        run(&mut transaction, names.to_owned()).await?;
    }
    transaction.commit().await?;
    Ok(extensions)
}

/// The version of an extension, created if that is possible; none when it is not.
async fn extension(connection: &mut PgConnection, name: &'static str) -> sqlx::Result<Option<String>> {
    const VERSION: &str = "SELECT extversion FROM pg_extension WHERE extname = $1";
    let installed: Option<String> = sqlx::query_scalar(VERSION).bind(name).fetch_optional(&mut *connection).await?;
    if installed.is_some() {
        return Ok(installed);
    }
    let available = sqlx::query("SELECT 1 FROM pg_available_extensions WHERE name = $1").bind(name);
    if available.fetch_optional(&mut *connection).await?.is_none() {
        return Ok(None);
    }
    let create = sqlx::AssertSqlSafe(format!("CREATE EXTENSION IF NOT EXISTS {name}"));
    if let Err(error) = sqlx::query(create).execute(&mut *connection).await {
        // Not permitted, or another host did it at this moment: the next look tells.
        let reason = error.as_database_error().map_or_else(String::new, |error| error.message().to_owned());
        tracing::warn!(name, reason, "the extension was not created");
    }
    sqlx::query_scalar(VERSION).bind(name).fetch_optional(&mut *connection).await
}

fn at_least(version: &str, least: (u32, u32)) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= least
}

/// Two bytes a number: more than the codes have, half of what four would take in the index.
async fn add_vectors(connection: &mut PgConnection, dimension: usize) -> sqlx::Result<()> {
    let column = sqlx::query(
        "SELECT 1 FROM pg_attribute
         WHERE attrelid = 'chunks'::regclass AND attname = 'vector' AND NOT attisdropped",
    );
    if column.fetch_optional(&mut *connection).await?.is_none() {
        run(connection, format!("ALTER TABLE chunks ADD COLUMN vector halfvec({dimension})")).await?;
        run(connection, "ALTER TABLE chunks ALTER COLUMN vector SET STORAGE PLAIN".to_owned()).await?;
    }
    Ok(())
}

/// Whether the graph of neighbours is there.
pub(super) async fn has_graph(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let row = sqlx::query("SELECT to_regclass('chunks_vector') IS NOT NULL AS there").fetch_one(connection).await?;
    row.try_get("there")
}

/// Builds the graph of neighbours; at once is many times faster than row by row. Nobody can write meanwhile, but
/// everybody can read.
pub(super) async fn build_graph(connection: &mut PgConnection) -> sqlx::Result<()> {
    let mut transaction = connection.begin_with("BEGIN; SET LOCAL statement_timeout = 0").await?;
    let sql = "CREATE INDEX IF NOT EXISTS chunks_vector ON chunks USING hnsw (vector halfvec_cosine_ops)";
    run(&mut transaction, sql.to_owned()).await?;
    transaction.commit().await
}

async fn run(connection: &mut PgConnection, sql: String) -> sqlx::Result<()> {
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, expected) in [("0.8.2", true), ("0.10.0", true), ("1.0", true), ("0.7.4", false), ("x", false)] {
            assert_eq!(at_least(version, VECTOR_VERSION), expected, "{version}");
        }
    }
}
