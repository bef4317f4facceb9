//! What the database behind the store says about itself. Shapes of the answer; decides nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::Shared;
use crate::http::problem::{Problem, ProblemDocument};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DatabaseStatus {
    /// `sqlite` or `postgresql`.
    pub backend: String,
    pub version: String,
    pub extensions: Vec<Extension>,
    /// Null where nothing is pooled.
    pub pool: Option<PoolStatus>,
    pub query_statistics: QueryStatistics,
    pub slow_queries: SlowQueries,
    /// Indexes that lower the cost of real statements, the largest saving first.
    pub index_advice: Vec<IndexAdvice>,
    /// Indexes that nothing has read since the database's statistics began, the largest first.
    pub unused_indexes: Vec<UnusedIndex>,
    /// What is missing here, and how to have it.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Extension {
    pub name: String,
    pub version: String,
}

/// This host's connections to the database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PoolStatus {
    /// Open connections.
    pub size: u32,
    pub in_use: u32,
    pub idle: u32,
    /// DB_POOL_SIZE + DB_MAX_OVERFLOW.
    pub max: u32,
    /// Calls that wait for a connection.
    pub waiting: u32,
    /// Of `max`.
    pub usage_percent: f64,
    /// Over 80 percent.
    pub warning: bool,
    /// How often that happened since the start.
    pub warnings: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueryStatistics {
    pub source: StatisticsSource,
    /// The longest total time first.
    pub statements: Vec<StatementStatistics>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatisticsSource {
    /// The database counts, for all its clients.
    PgStatStatements,
    /// This host counts, its own statements, with the way to the database.
    Host,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatementStatistics {
    /// Without its parameters.
    pub statement: String,
    pub calls: u64,
    pub mean_ms: f64,
    pub total_ms: f64,
    pub max_ms: f64,
    /// Returned or changed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rows: Option<u64>,
    /// Pages that were in the database's memory.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shared_hits: Option<u64>,
    /// Pages that were not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shared_reads: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SlowQueries {
    /// DB_SLOW_QUERY_MS.
    pub threshold_ms: u64,
    /// Each statement once, the newest first.
    pub queries: Vec<SlowQuery>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SlowQuery {
    /// Without its parameters.
    pub statement: String,
    /// The last time, and the worst.
    pub last_ms: f64,
    pub worst_ms: f64,
    /// How often it was slow.
    pub times: u64,
    /// RFC 3339.
    pub last_at: String,
    /// The database's generic plan, in its own words; null until it is made, and for SQLite.
    #[schema(value_type = Option<Object>)]
    pub plan: Option<serde_json::Value>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plan_error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IndexAdvice {
    pub table: String,
    pub columns: Vec<String>,
    /// The statement that creates it.
    pub create: String,
    /// The statement that gains most.
    pub statement: String,
    /// How many of the statements that were looked at gain.
    pub helps: u64,
    pub checked_by: CheckedBy,
    /// Of `statement`, in the planner's units.
    pub cost_before: f64,
    pub cost_after: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckedBy {
    /// The planner was asked with a hypothetical index.
    Hypopg,
    /// Its formulas were computed over its statistics.
    Statistics,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnusedIndex {
    pub table: String,
    pub index: String,
    pub size_bytes: u64,
    /// The statement that removes it.
    pub drop: String,
}

/// How the database fares: connections, statements, slow ones with their plan, index advice that was checked.
#[utoipa::path(
    get,
    path = "/api/search/database",
    tag = "status",
    responses(
        (status = 200, body = DatabaseStatus, description = "up to five seconds old"),
        (status = 503, body = ProblemDocument, description = "the database is away or too busy to say"),
    )
)]
pub(super) async fn database(State(shared): State<Arc<Shared>>) -> Result<Json<DatabaseStatus>, Problem> {
    Ok(Json(shared.backend.database().await?))
}
