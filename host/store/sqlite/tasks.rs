//! Every statement about tasks. Enumerations and progress lie in their columns as JSON, so that a newer
//! program reads what an older one wrote.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use crate::store::{Task, TaskState};

pub(super) async fn save(writer: &SqlitePool, task: &Task) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO tasks (id, kind, state, path, progress, error, created_at, started_at, finished_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (id) DO UPDATE SET
             state = excluded.state, progress = excluded.progress, error = excluded.error,
             started_at = excluded.started_at, finished_at = excluded.finished_at",
    )
    .bind(&task.id)
    .bind(json(&task.kind)?)
    .bind(json(&task.state)?)
    .bind(&task.path)
    .bind(json(&task.progress)?)
    .bind(&task.error)
    .bind(&task.created_at)
    .bind(&task.started_at)
    .bind(&task.finished_at)
    .execute(writer)
    .await?;
    Ok(())
}

pub(super) async fn get(readers: &SqlitePool, id: &str) -> sqlx::Result<Option<Task>> {
    let row = sqlx::query("SELECT * FROM tasks WHERE id = $1").bind(id).fetch_optional(readers).await?;
    row.as_ref().map(task).transpose()
}

pub(super) async fn list(readers: &SqlitePool, limit: u32) -> sqlx::Result<Vec<Task>> {
    sqlx::query("SELECT * FROM tasks ORDER BY id DESC LIMIT $1")
        .bind(i64::from(limit))
        .fetch_all(readers)
        .await?
        .iter()
        .map(task)
        .collect()
}

pub(super) async fn interrupt(writer: &SqlitePool, message: &str) -> sqlx::Result<u64> {
    let result = sqlx::query("UPDATE tasks SET state = $1, error = $2 WHERE state = $3 OR state = $4")
        .bind(json(&TaskState::Interrupted)?)
        .bind(message)
        .bind(json(&TaskState::Queued)?)
        .bind(json(&TaskState::Running)?)
        .execute(writer)
        .await?;
    Ok(result.rows_affected())
}

fn task(row: &SqliteRow) -> sqlx::Result<Task> {
    Ok(Task {
        id: row.try_get("id")?,
        kind: parsed(row, "kind")?,
        state: parsed(row, "state")?,
        path: row.try_get("path")?,
        progress: parsed(row, "progress")?,
        error: row.try_get("error")?,
        created_at: row.try_get("created_at")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}

fn json(value: &impl Serialize) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

fn parsed<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> sqlx::Result<T> {
    let text: &str = row.try_get(column)?;
    serde_json::from_str(text)
        .map_err(|error| sqlx::Error::ColumnDecode { index: column.to_owned(), source: error.into() })
}
