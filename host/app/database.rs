//! What the store says about its database, in the words of the HTTP layer. Only turns one into the other.

use time::OffsetDateTime;

use super::backend::rfc3339;
use crate::http::{
    BackendError, CheckedBy, DatabaseStatus, Extension, IndexAdvice, PoolStatus, QueryStatistics, SlowQueries,
    SlowQuery, StatementStatistics, StatisticsSource, UnusedIndex,
};
use crate::store::monitor::{self, DatabaseReport, StatementFigures, is_pool_warning};
use crate::store::{PoolFigures, StoreError};

pub(super) fn status(report: DatabaseReport) -> DatabaseStatus {
    let warnings = report.pool_warnings;
    DatabaseStatus {
        backend: report.backend.to_owned(),
        version: report.version,
        extensions: report.extensions.into_iter().map(|(name, version)| Extension { name, version }).collect(),
        pool: report.pool.map(|figures| pool(&figures, warnings)),
        query_statistics: QueryStatistics {
            source: match report.source {
                monitor::StatementSource::PgStatStatements => StatisticsSource::PgStatStatements,
                monitor::StatementSource::Host => StatisticsSource::Host,
            },
            statements: report.statements.into_iter().map(statement).collect(),
        },
        slow_queries: SlowQueries {
            threshold_ms: u64::try_from(report.slow_from.as_millis()).unwrap_or(u64::MAX),
            queries: report.slow.into_iter().map(slow).collect(),
        },
        index_advice: report.advice.into_iter().map(advice).collect(),
        unused_indexes: report.unused.into_iter().map(unused).collect(),
        notes: report.notes,
    }
}

/// A store that is away or busy comes back, and what another host wrote is read in a moment; anything else is a failure
/// of this server.
pub(super) fn failure(error: &StoreError) -> BackendError {
    match error {
        StoreError::Unavailable(_) | StoreError::Busy(_) | StoreError::Conflict(_) => {
            BackendError::Unavailable(error.to_string())
        }
        _ => BackendError::Internal(error.to_string()),
    }
}

fn pool(figures: &PoolFigures, warnings: u64) -> PoolStatus {
    let PoolFigures { size, idle, in_use, max, waiting, usage } = *figures;
    let warning = is_pool_warning(figures);
    PoolStatus { size, in_use, idle, max, waiting, usage_percent: usage * 100.0, warning, warnings }
}

fn statement(figures: StatementFigures) -> StatementStatistics {
    let StatementFigures { statement, calls, mean_ms, total_ms, max_ms, server } = figures;
    StatementStatistics {
        statement,
        calls,
        mean_ms,
        total_ms,
        max_ms,
        rows: server.map(|server| server.rows),
        shared_hits: server.map(|server| server.shared_hits),
        shared_reads: server.map(|server| server.shared_reads),
    }
}

fn slow(slow: monitor::SlowStatement) -> SlowQuery {
    SlowQuery {
        statement: slow.statement,
        last_ms: slow.last_ms,
        worst_ms: slow.worst_ms,
        times: slow.times,
        last_at: rfc3339(OffsetDateTime::from(slow.last_at)),
        plan: slow.plan,
        plan_error: slow.plan_failure,
    }
}

fn advice(advice: monitor::IndexAdvice) -> IndexAdvice {
    IndexAdvice {
        table: advice.table,
        columns: advice.columns,
        create: advice.create,
        statement: advice.statement,
        helps: advice.helps,
        checked_by: match advice.checked_by {
            monitor::CheckedBy::Hypopg => CheckedBy::Hypopg,
            monitor::CheckedBy::Statistics => CheckedBy::Statistics,
        },
        cost_before: advice.cost_before,
        cost_after: advice.cost_after,
    }
}

fn unused(index: monitor::UnusedIndex) -> UnusedIndex {
    UnusedIndex { table: index.table, index: index.index, size_bytes: index.bytes, drop: index.drop }
}
