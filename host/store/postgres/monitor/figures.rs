//! What the database's own catalogues and statistics say: version, extensions, statements, indexes, tables. One
//! question each; decides nothing.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row};

use super::cost::{ColumnStatistics, Prices, TableSize};
use super::inspection::has_plan;
use crate::store::monitor::{ServerFigures, StatementFigures, UnusedIndex};

/// Smaller indexes cost next to nothing.
const LARGE_INDEX_BYTES: i64 = 1 << 20;

/// A table that was read less often says nothing about its indexes yet.
const FEWEST_READS: i64 = 100;

/// Extensions that this program uses when they are there.
const USEFUL: [&str; 2] = ["pg_stat_statements", "hypopg"];

/// Creates the extensions that help to look at the database, where the server has them and the user may. What fails
/// is left out: everything works without them.
pub(super) async fn create_extensions(connection: &mut PgConnection) {
    for extension in USEFUL {
        let missing = "SELECT installed_version IS NULL FROM pg_available_extensions WHERE name = $1";
        let missing = sqlx::query_scalar(missing).bind(extension).fetch_optional(&mut *connection).await;
        if !matches!(missing, Ok(Some(true))) {
            continue;
        }
        let create = async {
            let mut transaction = connection.begin_with("BEGIN READ WRITE").await?;
            let create = format!("CREATE EXTENSION IF NOT EXISTS {extension}");
            sqlx::query(AssertSqlSafe(create)).execute(&mut *transaction).await?;
            transaction.commit().await
        };
        match create.await {
            Ok(()) => tracing::info!(extension, "created an extension of the database"),
            // Mostly a user who may not, or another host that was faster.
            Err(error) => tracing::debug!(extension, %error, "an extension of the database could not be created"),
        }
    }
}

/// Such as `15.18`, without what the packager adds.
pub(super) async fn version(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("SELECT split_part(current_setting('server_version'), ' ', 1)").fetch_one(connection).await
}

/// Names and versions.
pub(super) async fn extensions(connection: &mut PgConnection) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as("SELECT extname::text, extversion FROM pg_extension ORDER BY extname").fetch_all(connection).await
}

/// The schema of an extension, quoted; none when it is not installed.
pub(super) async fn extension_schema(
    connection: &mut PgConnection,
    extension: &str,
) -> Result<Option<String>, sqlx::Error> {
    let schema = "SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
        WHERE extname = $1";
    sqlx::query_scalar(schema).bind(extension).fetch_optional(connection).await
}

/// The statements of this database with the longest total time. `schema` is where pg_stat_statements is.
pub(super) async fn statements(
    connection: &mut PgConnection,
    schema: &str,
    limit: i64,
) -> Result<Vec<StatementFigures>, sqlx::Error> {
    let query = format!(
        "SELECT query, sum(calls)::bigint, sum(total_exec_time), max(max_exec_time), sum(rows)::bigint,
            sum(shared_blks_hit)::bigint, sum(shared_blks_read)::bigint
        FROM {schema}.pg_stat_statements
        WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query IS NOT NULL
        GROUP BY query ORDER BY 3 DESC LIMIT $1"
    );
    let rows = sqlx::query(AssertSqlSafe(query)).bind(limit).fetch_all(connection).await?;
    rows.iter().map(statement).collect()
}

fn statement(row: &PgRow) -> Result<StatementFigures, sqlx::Error> {
    let count = |at: usize| row.try_get::<i64, _>(at).map(|count| u64::try_from(count).unwrap_or(0));
    let (calls, total_ms) = (count(1)?, row.try_get::<f64, _>(2)?);
    Ok(StatementFigures {
        statement: without_values(row.try_get(0)?),
        calls,
        total_ms,
        mean_ms: total_ms / calls.max(1) as f64,
        max_ms: row.try_get(3)?,
        server: Some(ServerFigures { rows: count(4)?, shared_hits: count(5)?, shared_reads: count(6)? }),
    })
}

/// The database puts parameters for the values of statements that have a plan. Of others it keeps the text, which may
/// be `ALTER ROLE … PASSWORD …`: only their kind is shown.
fn without_values(statement: String) -> String {
    // `<insufficient privilege>` stands where the user may not read it.
    if has_plan(&statement) || statement.starts_with('<') {
        return statement;
    }
    // `CALL f('…')` and `DO $$…$$` have values in their second word.
    let words = statement.split_whitespace().take_while(|word| word.bytes().all(|byte| byte.is_ascii_alphabetic()));
    let kind: Vec<&str> = words.take(2).collect();
    let kind = kind.join(" ");
    if kind == statement { statement } else { format!("{kind} …").trim_start().to_owned() }
}

/// Indexes that were never used, though their tables were, and that keep no rule.
pub(super) async fn unused_indexes(connection: &mut PgConnection) -> Result<Vec<UnusedIndex>, sqlx::Error> {
    let query = "SELECT format('%I.%I', used.schemaname, used.relname), format('%I.%I', used.schemaname,
            used.indexrelname), pg_relation_size(used.indexrelid)
        FROM pg_stat_user_indexes AS used
        JOIN pg_index ON pg_index.indexrelid = used.indexrelid
        JOIN pg_stat_user_tables AS tables ON tables.relid = used.relid
        WHERE used.idx_scan = 0 AND NOT indisunique AND NOT indisprimary AND NOT indisexclusion
            AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = used.indexrelid)
            AND tables.seq_scan + coalesce(tables.idx_scan, 0) >= $1
            AND pg_relation_size(used.indexrelid) >= $2
        ORDER BY 3 DESC LIMIT 20";
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as(query).bind(FEWEST_READS).bind(LARGE_INDEX_BYTES).fetch_all(connection).await?;
    let unused = rows.into_iter().map(|(table, index, bytes)| UnusedIndex {
        drop: format!("DROP INDEX CONCURRENTLY {index}"),
        table,
        index,
        bytes: u64::try_from(bytes).unwrap_or(0),
    });
    Ok(unused.collect())
}

/// What the planner charges.
pub(super) async fn prices(connection: &mut PgConnection) -> Result<Prices, sqlx::Error> {
    let names = [
        "seq_page_cost",
        "random_page_cost",
        "cpu_tuple_cost",
        "cpu_index_tuple_cost",
        "cpu_operator_cost",
        "effective_cache_size",
    ];
    // Of pg_settings, because there sizes are in pages.
    let query = "SELECT setting::float8 FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place)
        JOIN pg_settings USING (name) ORDER BY place";
    let values: Vec<f64> = sqlx::query_scalar(query).bind(&names[..]).fetch_all(connection).await?;
    let [seq_page_cost, random_page_cost, cpu_tuple_cost, cpu_index_tuple_cost, cpu_operator_cost, cache] = values[..]
    else {
        return Err(sqlx::Error::RowNotFound);
    };
    Ok(Prices {
        seq_page_cost,
        random_page_cost,
        cpu_tuple_cost,
        cpu_index_tuple_cost,
        cpu_operator_cost,
        effective_cache_size: cache,
    })
}

/// A table as the planner knows it.
pub(super) struct TableFacts {
    /// `schema.table` and columns, quoted where SQL needs it.
    pub(super) quoted: String,
    pub(super) quoted_columns: Vec<String>,
    pub(super) size: TableSize,
    /// In the order of the wanted columns.
    pub(super) columns: Vec<ColumnStatistics>,
    /// Columns of every index that is there, in their order.
    pub(super) indexes: Vec<Vec<String>>,
}

/// None when there is no such table any more.
pub(super) async fn table(
    connection: &mut PgConnection,
    schema: &str,
    table: &str,
    columns: &[&str],
) -> Result<Option<TableFacts>, sqlx::Error> {
    let query = "SELECT format('%I.%I', nspname, relname), reltuples::float8, relpages::float8, pg_class.oid::bigint
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = $1 AND relname = $2";
    let found: Option<(String, f64, f64, i64)> =
        sqlx::query_as(query).bind(schema).bind(table).fetch_optional(&mut *connection).await?;
    let Some((quoted, rows, pages, oid)) = found else { return Ok(None) };
    let query = "SELECT quote_ident(wanted.name), n_distinct::float8, null_frac::float8, correlation::float8,
            avg_width::float8
        FROM unnest($3::text[]) WITH ORDINALITY AS wanted (name, place)
        LEFT JOIN pg_stats ON schemaname = $1 AND tablename = $2 AND attname = wanted.name AND NOT inherited
        ORDER BY place";
    let query = sqlx::query(query).bind(schema).bind(table).bind(columns);
    let lines = query.fetch_all(&mut *connection).await?;
    let statistics: Result<Vec<ColumnStatistics>, sqlx::Error> = lines
        .iter()
        .map(|line| {
            Ok(ColumnStatistics {
                distinct: line.try_get(1)?,
                null_fraction: line.try_get(2)?,
                correlation: line.try_get(3)?,
                width: line.try_get(4)?,
            })
        })
        .collect();
    let quoted_columns: Result<Vec<String>, sqlx::Error> = lines.iter().map(|line| line.try_get(0)).collect();
    let query = "SELECT array_agg(attname::text ORDER BY place)
        FROM pg_index, unnest(indkey::smallint[]) WITH ORDINALITY AS key (number, place)
        JOIN pg_attribute ON attnum = key.number
        WHERE indrelid = $1::oid AND attrelid = indrelid AND indisvalid AND indpred IS NULL AND place <= indnkeyatts
        GROUP BY indexrelid";
    let indexes: Vec<Vec<String>> = sqlx::query_scalar(query).bind(oid).fetch_all(connection).await?;
    let size = TableSize { rows: rows.max(0.0), pages };
    Ok(Some(TableFacts { quoted, quoted_columns: quoted_columns?, size, columns: statistics?, indexes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_without_a_plan_show_their_kind_only() {
        for (statement, shown) in [
            ("SELECT $1", "SELECT $1"),
            ("ALTER ROLE somebody PASSWORD 'hidden'", "ALTER ROLE …"),
            ("CALL f('hidden')", "CALL …"),
            ("DO $$hidden$$", "DO …"),
            ("COMMIT", "COMMIT"),
            ("/*hidden*/", "…"),
            ("<insufficient privilege>", "<insufficient privilege>"),
        ] {
            assert_eq!(without_values(statement.to_owned()), shown);
        }
    }
}
