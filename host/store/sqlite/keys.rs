//! Every statement about API keys.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{SqliteStore, failure};
use crate::store::{KeyStore, StoreError, StoredKey};

#[async_trait]
impl KeyStore for SqliteStore {
    async fn add_key(&self, key: &StoredKey) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO api_keys (id, name, digest, scopes, rate_per_minute, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&key.id)
        .bind(&key.name)
        .bind(key.digest.as_slice())
        .bind(&key.scopes)
        .bind(key.rate_per_minute.map(i64::from))
        .bind(key.created_at)
        .bind(key.expires_at)
        .execute(&self.writer)
        .await
        .map(drop)
        .map_err(failure)
    }

    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        let rows = sqlx::query("SELECT * FROM api_keys ORDER BY created_at, id").fetch_all(&self.readers).await;
        rows.and_then(|rows| rows.iter().map(key).collect()).map_err(failure)
    }

    async fn remove_key(&self, id: &str) -> Result<bool, StoreError> {
        let removed = sqlx::query("DELETE FROM api_keys WHERE id = $1").bind(id).execute(&self.writer).await;
        removed.map(|removed| removed.rows_affected() > 0).map_err(failure)
    }
}

fn key(row: &SqliteRow) -> sqlx::Result<StoredKey> {
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
