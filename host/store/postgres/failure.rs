//! What errors of PostgreSQL mean for the caller. Codes:
//! <https://www.postgresql.org/docs/current/errcodes-appendix.html>. Never quotes an address or a password.

use crate::store::StoreError;

pub(super) fn failure(error: sqlx::Error) -> StoreError {
    let text = error.to_string();
    if let Some(code) = code(&error) {
        return match code.as_str() {
            // Too many connections; lost against other writers; no lock in time; took too long.
            "53300" | "40001" | "40P01" | "55P03" | "57014" => StoreError::Busy(text),
            // Stopping, crashed, starting; read only because it is a standby.
            "57P01" | "57P02" | "57P03" | "25006" | "25P03" => StoreError::Unavailable(text),
            "XX001" | "XX002" => StoreError::Corrupt(text),
            // Connection, authorisation, catalogue, resources, system.
            _ if ["08", "28", "3D", "53", "58"].iter().any(|class| code.starts_with(class)) => {
                StoreError::Unavailable(text)
            }
            _ => StoreError::Statement(text),
        };
    }
    match error {
        sqlx::Error::PoolTimedOut => StoreError::Busy("all connections to the database are in use".into()),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            StoreError::Unavailable(text)
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StoreError::Corrupt(text),
        _ => StoreError::Statement(text),
    }
}

pub(super) fn migration_failure(error: sqlx::migrate::MigrateError) -> StoreError {
    use sqlx::migrate::MigrateError;
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => failure(error),
        other => StoreError::Schema(other.to_string()),
    }
}

/// The connection broke; another one may work.
pub(super) fn connection_is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        error => code(error).is_some_and(|code| matches!(code.as_str(), "57P01" | "57P02" | "25P03")),
    }
}

/// A transaction lost against another one; from the beginning it may win.
pub(super) fn is_conflict(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| matches!(code.as_str(), "40001" | "40P01"))
}

/// Another row has its key.
pub(super) fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// The server is there and says no, or is not there: not the fault of one connection.
pub(super) fn server_is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        error => code(error).is_some_and(|code| matches!(code.as_str(), "57P01" | "57P02" | "57P03")),
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}
