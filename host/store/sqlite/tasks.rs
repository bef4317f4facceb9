//! Every statement about tasks.

use sqlx::SqlitePool;

use crate::store::row::{TaskRow, json};
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
    let row: Option<TaskRow> =
        sqlx::query_as("SELECT * FROM tasks WHERE id = $1").bind(id).fetch_optional(readers).await?;
    row.map(Task::try_from).transpose()
}

pub(super) async fn list(readers: &SqlitePool, limit: u32) -> sqlx::Result<Vec<Task>> {
    let rows: Vec<TaskRow> = sqlx::query_as("SELECT * FROM tasks ORDER BY id DESC LIMIT $1")
        .bind(i64::from(limit))
        .fetch_all(readers)
        .await?;
    rows.into_iter().map(Task::try_from).collect()
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
