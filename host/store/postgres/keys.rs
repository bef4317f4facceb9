//! Statements about API keys.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::connections::{Session, timed};
use crate::store::StoredKey;

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
    timed(monitor, LIST, sqlx::query(LIST).fetch_all(connection)).await?.iter().map(key).collect()
}

pub(super) async fn remove(session: &mut Session, id: &str) -> sqlx::Result<bool> {
    const REMOVE: &str = "DELETE FROM api_keys WHERE id = $1";
    let (connection, monitor) = session.parts()?;
    let removed = timed(monitor, REMOVE, sqlx::query(REMOVE).bind(id).execute(connection)).await?;
    Ok(removed.rows_affected() > 0)
}

fn key(row: &PgRow) -> sqlx::Result<StoredKey> {
    let undecodable = |column: &str| sqlx::Error::ColumnDecode { index: column.into(), source: "out of range".into() };
    let digest: Vec<u8> = row.try_get("digest")?;
    let rate: Option<i64> = row.try_get("rate_per_minute")?;
    Ok(StoredKey {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        digest: digest.try_into().map_err(|_| undecodable("digest"))?,
        scopes: row.try_get("scopes")?,
        rate_per_minute: rate.map(u32::try_from).transpose().map_err(|_| undecodable("rate_per_minute"))?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
    })
}
