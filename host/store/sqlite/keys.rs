//! Every statement about API keys.

use async_trait::async_trait;

use super::{SqliteStore, failure};
use crate::store::row::KeyRow;
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
        let rows = sqlx::query_as("SELECT * FROM api_keys ORDER BY created_at, id").fetch_all(&self.readers);
        let rows: Vec<KeyRow> = rows.await.map_err(failure)?;
        rows.into_iter().map(StoredKey::try_from).collect::<sqlx::Result<_>>().map_err(failure)
    }

    async fn remove_key(&self, id: &str) -> Result<bool, StoreError> {
        let removed = sqlx::query("DELETE FROM api_keys WHERE id = $1").bind(id).execute(&self.writer).await;
        removed.map(|removed| removed.rows_affected() > 0).map_err(failure)
    }
}
