//! Statements about API keys.

use super::connections::{Session, timed};
use crate::store::StoredKey;
use crate::store::row::KeyRow;

pub(super) async fn add(session: &mut Session, key: &StoredKey) -> sqlx::Result<()> {
    const ADD: &str = "
        INSERT INTO api_keys (id, name, digest, scopes, rate_per_minute, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let (connection, monitor) = session.parts()?;
    let add = sqlx::query(ADD)
        .bind(&key.id)
        .bind(&key.name)
        .bind(key.digest.as_slice())
        .bind(&key.scopes)
        .bind(key.rate_per_minute.map(i64::from))
        .bind(key.created_at)
        .bind(key.expires_at);
    timed(monitor, ADD, add.execute(connection)).await.map(drop)
}

pub(super) async fn list(session: &mut Session) -> sqlx::Result<Vec<StoredKey>> {
    const LIST: &str = "SELECT * FROM api_keys ORDER BY created_at, id";
    let (connection, monitor) = session.parts()?;
    let rows: Vec<KeyRow> = timed(monitor, LIST, sqlx::query_as(LIST).fetch_all(connection)).await?;
    rows.into_iter().map(StoredKey::try_from).collect()
}

pub(super) async fn remove(session: &mut Session, id: &str) -> sqlx::Result<bool> {
    const REMOVE: &str = "DELETE FROM api_keys WHERE id = $1";
    let (connection, monitor) = session.parts()?;
    let removed = timed(monitor, REMOVE, sqlx::query(REMOVE).bind(id).execute(connection)).await?;
    Ok(removed.rows_affected() > 0)
}
