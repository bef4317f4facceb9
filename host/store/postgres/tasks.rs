//! Statements about tasks, each of which one host runs.

use super::connections::{Session, timed};
use crate::store::row::{TaskRow, json};
use crate::store::version::storable;
use crate::store::{Task, TaskState};

pub(super) async fn save(session: &mut Session, host: &str, task: &Task) -> sqlx::Result<()> {
    const SAVE: &str = "
        INSERT INTO tasks (id, host, kind, state, path, progress, error, created_at, started_at, finished_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (id) DO UPDATE SET
            host = excluded.host, state = excluded.state, progress = excluded.progress, error = excluded.error,
            started_at = excluded.started_at, finished_at = excluded.finished_at";
    let (connection, monitor) = session.parts()?;
    let save = sqlx::query(SAVE)
        .bind(&task.id)
        .bind(host)
        .bind(json(&task.kind)?)
        .bind(json(&task.state)?)
        .bind(storable(task.path.clone()))
        .bind(json(&task.progress)?)
        .bind(task.error.clone().map(storable))
        .bind(&task.created_at)
        .bind(&task.started_at)
        .bind(&task.finished_at);
    timed(monitor, SAVE, save.execute(connection)).await.map(drop)
}

pub(super) async fn get(session: &mut Session, id: &str) -> sqlx::Result<Option<Task>> {
    const GET: &str = "SELECT * FROM tasks WHERE id = $1";
    let (connection, monitor) = session.parts()?;
    let get = sqlx::query_as(GET).bind(id).fetch_optional(connection);
    let row: Option<TaskRow> = timed(monitor, GET, get).await?;
    row.map(Task::try_from).transpose()
}

pub(super) async fn list(session: &mut Session, limit: u32) -> sqlx::Result<Vec<Task>> {
    const LIST: &str = "SELECT * FROM tasks ORDER BY id DESC LIMIT $1";
    let (connection, monitor) = session.parts()?;
    let list = sqlx::query_as(LIST).bind(i64::from(limit)).fetch_all(connection);
    let rows: Vec<TaskRow> = timed(monitor, LIST, list).await?;
    rows.into_iter().map(Task::try_from).collect()
}

/// Marks unfinished tasks of one host, and returns them as they are now.
pub(super) async fn interrupt(session: &mut Session, host: &str, message: &str) -> sqlx::Result<Vec<Task>> {
    const INTERRUPT: &str = "UPDATE tasks SET state = $1, error = $2 WHERE host = $3 AND state IN ($4, $5) RETURNING *";
    let (connection, monitor) = session.parts()?;
    let interrupt = sqlx::query_as(INTERRUPT)
        .bind(json(&TaskState::Interrupted)?)
        .bind(message)
        .bind(host)
        .bind(json(&TaskState::Queued)?)
        .bind(json(&TaskState::Running)?);
    let rows: Vec<TaskRow> = timed(monitor, INTERRUPT, interrupt.fetch_all(connection)).await?;
    let mut tasks = rows.into_iter().map(Task::try_from).collect::<sqlx::Result<Vec<_>>>()?;
    tasks.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(tasks)
}

/// Hosts, other than `host`, that have unfinished tasks.
pub(super) async fn other_hosts(session: &mut Session, host: &str) -> sqlx::Result<Vec<String>> {
    const HOSTS: &str = "SELECT DISTINCT host FROM tasks WHERE host <> $1 AND state IN ($2, $3) ORDER BY host";
    let (connection, monitor) = session.parts()?;
    let hosts = sqlx::query_scalar(HOSTS).bind(host).bind(json(&TaskState::Queued)?).bind(json(&TaskState::Running)?);
    timed(monitor, HOSTS, hosts.fetch_all(connection)).await
}
