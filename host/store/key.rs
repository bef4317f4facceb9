//! API keys as they are kept: who may ask, without what would let someone ask. Knows nothing of how a key
//! is made, presented or checked; what scopes mean is the business of `access`.

use async_trait::async_trait;

use super::StoreError;

/// One API key. The secret itself is nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// What the key is looked up by; public.
    pub id: String,
    /// For people.
    pub name: String,
    /// BLAKE3 of the secret.
    pub digest: [u8; 32],
    /// Words with commas between them.
    pub scopes: String,
    /// Requests a minute; none: what holds for all keys. 0: no limit.
    pub rate_per_minute: Option<u32>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds; none: never.
    pub expires_at: Option<i64>,
}

/// API keys, kept durably. Hosts that share a store share its keys.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Keeps a new key; an error when there is one with its id.
    async fn add_key(&self, key: &StoredKey) -> Result<(), StoreError>;

    /// All of them, in the order of their creation.
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError>;

    /// Forgets a key; whether there was one.
    async fn remove_key(&self, id: &str) -> Result<bool, StoreError>;
}

/// What any backend must do; `store` is empty.
#[cfg(test)]
pub(crate) async fn conforms(store: std::sync::Arc<dyn KeyStore>) {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    let first = StoredKey {
        id: "0a1b".into(),
        name: "dashboard, \u{fc}ber".into(),
        digest: std::array::from_fn(|at| at as u8 * 8),
        scopes: "search,index".into(),
        rate_per_minute: Some(u32::MAX),
        created_at: 1_700_000_000,
        expires_at: Some(4_000_000_000),
    };
    let second = StoredKey {
        id: "ffff".into(),
        digest: [255; 32],
        scopes: "admin".into(),
        rate_per_minute: None,
        created_at: 1_700_000_001,
        expires_at: None,
        ..first.clone()
    };
    assert_eq!(store.keys().await.unwrap(), []);
    store.add_key(&second).await.unwrap();
    store.add_key(&first).await.unwrap();
    assert_eq!(store.keys().await.unwrap(), [first.clone(), second.clone()]);
    assert!(store.add_key(&StoredKey { name: "another".into(), ..first.clone() }).await.is_err());
    assert!(!store.remove_key("0a1").await.unwrap());
    assert!(store.remove_key(&first.id).await.unwrap());
    assert!(!store.remove_key(&first.id).await.unwrap());
    assert_eq!(store.keys().await.unwrap(), [second]);
}
