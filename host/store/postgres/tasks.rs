//! Statements about tasks, each of which one host runs. Enumerations and progress lie in their columns as JSON, as
//! in the embedded backend.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::connections::{Session, timed};
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
        .bind(encoded(&task.kind)?)
        .bind(encoded(&task.state)?)
        .bind(storable(task.path.clone()))
        .bind(encoded(&task.progress)?)
        .bind(task.error.clone().map(storable))
        .bind(&task.created_at)
        .bind(&task.started_at)
        .bind(&task.finished_at);
    timed(monitor, SAVE, save.execute(connection)).await.map(drop)
}

pub(super) async fn get(session: &mut Session, id: &str) -> sqlx::Result<Option<Task>> {
    const GET: &str = "SELECT * FROM tasks WHERE id = $1";
    let (connection, monitor) = session.parts()?;
    let get = sqlx::query(GET).bind(id).fetch_optional(connection);
    timed(monitor, GET, get).await?.as_ref().map(task).transpose()
}

pub(super) async fn list(session: &mut Session, limit: u32) -> sqlx::Result<Vec<Task>> {
    const LIST: &str = "SELECT * FROM tasks ORDER BY id DESC LIMIT $1";
    let (connection, monitor) = session.parts()?;
    let list = sqlx::query(LIST).bind(i64::from(limit)).fetch_all(connection);
    timed(monitor, LIST, list).await?.iter().map(task).collect()
}

/// Marks unfinished tasks of one host, and returns them as they are now.
pub(super) async fn interrupt(session: &mut Session, host: &str, message: &str) -> sqlx::Result<Vec<Task>> {
    const INTERRUPT: &str = "UPDATE tasks SET state = $1, error = $2 WHERE host = $3 AND state IN ($4, $5) RETURNING *";
    let (connection, monitor) = session.parts()?;
    let interrupt = sqlx::query(INTERRUPT)
        .bind(encoded(&TaskState::Interrupted)?)
        .bind(message)
        .bind(host)
        .bind(encoded(&TaskState::Queued)?)
        .bind(encoded(&TaskState::Running)?);
    let mut tasks: Vec<Task> =
        timed(monitor, INTERRUPT, interrupt.fetch_all(connection)).await?.iter().map(task).collect::<Result<_, _>>()?;
    tasks.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(tasks)
}

/// Hosts, other than `host`, that have unfinished tasks.
pub(super) async fn other_hosts(session: &mut Session, host: &str) -> sqlx::Result<Vec<String>> {
    const HOSTS: &str = "SELECT DISTINCT host FROM tasks WHERE host <> $1 AND state IN ($2, $3) ORDER BY host";
    let (connection, monitor) = session.parts()?;
    let hosts =
        sqlx::query_scalar(HOSTS).bind(host).bind(encoded(&TaskState::Queued)?).bind(encoded(&TaskState::Running)?);
    timed(monitor, HOSTS, hosts.fetch_all(connection)).await
}

fn task(row: &PgRow) -> sqlx::Result<Task> {
    let column = |name: &'static str| row.try_get::<&str, _>(name);
    let damaged = |name: &str, error: serde_json::Error| sqlx::Error::ColumnDecode {
        index: name.to_owned(),
        source: error.into(),
    };
    Ok(Task {
        id: row.try_get("id")?,
        kind: serde_json::from_str(column("kind")?).map_err(|error| damaged("kind", error))?,
        state: serde_json::from_str(column("state")?).map_err(|error| damaged("state", error))?,
        path: row.try_get("path")?,
        progress: serde_json::from_str(column("progress")?).map_err(|error| damaged("progress", error))?,
        error: row.try_get("error")?,
        created_at: row.try_get("created_at")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}

fn encoded(value: &impl serde::Serialize) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}
