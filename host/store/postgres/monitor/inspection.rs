//! A connection of its own for looking at the database: outside of the pool, so that a full pool can be looked at
//! too, and with short limits on everything. Explains statements without running them.

use std::time::Duration;

use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

/// Longest time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Nothing that is looked at may hold up the database: short statements, no waiting for locks, no writes.
const LIMITS: &str = "
    SET statement_timeout = '2s';
    SET lock_timeout = '500ms';
    SET default_transaction_read_only = on;
    SET plan_cache_mode = force_generic_plan;";

/// Statements that have a plan.
const PLANNED: [&str; 5] = ["select", "insert", "update", "delete", "with"];

/// Ends with the connection; nothing remains in the database.
pub(super) struct Inspection {
    pub(super) connection: PgConnection,
    explained: u32,
}

impl Inspection {
    pub(super) async fn open(options: &PgConnectOptions) -> Result<Self, sqlx::Error> {
        let connecting = async {
            let options = options.clone().application_name("corsac monitor").disable_statement_logging();
            let mut connection = options.connect().await?;
            sqlx::raw_sql(LIMITS).execute(&mut connection).await?;
            Ok::<_, sqlx::Error>(connection)
        };
        let late = |_| sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::TimedOut));
        let connection = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.map_err(late)??;
        Ok(Self { connection, explained: 0 })
    }

    pub(super) async fn close(self) {
        let _ = tokio::time::timeout(CONNECT_TIMEOUT, self.connection.close()).await;
    }

    /// The generic plan of a statement with any parameters, as EXPLAIN (VERBOSE, FORMAT JSON) prints it. The
    /// statement is prepared and planned anew, never run.
    ///
    /// EXPLAIN (GENERIC_PLAN) is new in PostgreSQL 16; a prepared statement with `plan_cache_mode` says the same in
    /// 12 and later.
    pub(super) async fn explain(&mut self, statement: &str) -> Result<Value, String> {
        if !has_plan(statement) {
            return Err("this kind of statement has no plan".to_owned());
        }
        self.explained += 1;
        let name = format!("corsac_explained_{}", self.explained);
        // A message of the extended protocol holds one statement: nothing can follow the one that is prepared.
        let prepare = format!("PREPARE {name} AS {}", statement.trim_end().trim_end_matches(';'));
        self.execute(prepare).await.map_err(reason)?;
        let plan = self.plan_of(&name).await.map_err(reason);
        // Where a proxy keeps the server's side of the connection, it is not ours alone.
        let _ = self.execute(format!("DEALLOCATE {name}")).await;
        plan
    }

    async fn plan_of(&mut self, name: &str) -> Result<Value, sqlx::Error> {
        let count = "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = $1";
        let count: i32 = sqlx::query_scalar(count).bind(name).fetch_one(&mut self.connection).await?;
        let arguments = match count {
            0 => String::new(),
            _ => format!("({})", vec!["NULL"; count.unsigned_abs() as usize].join(", ")),
        };
        let explain = format!("EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE {name}{arguments}");
        let query = sqlx::query(AssertSqlSafe(explain)).persistent(false);
        let row = query.fetch_one(&mut self.connection).await?;
        // The column's type is json, which the driver reads only with a feature that nothing else needs.
        let plan: String = row.try_get_unchecked(0)?;
        serde_json::from_str(&plan).map_err(|error| sqlx::Error::Decode(error.into()))
    }

    async fn execute(&mut self, statement: String) -> Result<(), sqlx::Error> {
        sqlx::query(AssertSqlSafe(statement)).persistent(false).execute(&mut self.connection).await.map(drop)
    }
}

/// Whether a statement is of a kind that EXPLAIN takes.
pub(super) fn has_plan(statement: &str) -> bool {
    let first = statement.split_whitespace().next().unwrap_or_default().to_lowercase();
    PLANNED.contains(&first.as_str())
}

/// What the database said, without what the driver adds.
fn reason(error: sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => database.message().to_owned(),
        other => other.to_string(),
    }
}
