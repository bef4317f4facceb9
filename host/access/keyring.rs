//! The keys that are good at this moment. One look into memory decides about a request; the store is
//! asked in the background, and when it is away what was known last goes on.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::key;
use super::limit::{Allowance, Exceeded, Limit, MAX_RATE};
use super::{AccessError, Scope, Scopes};
use crate::store::{KeyStore, StoredKey};

/// How long a key that was revoked elsewhere may still be good here.
pub const REFRESH: Duration = Duration::from_secs(2);

/// A hundred years: beyond any use, within every calendar.
const MAX_DAYS: u32 = 36_500;

const DAY_SECONDS: i64 = 86_400;

/// Refused keys that are logged in a minute: whoever tries keys must not fill the disk.
const LOGGED_REFUSALS: u32 = 30;

/// What the operator decided.
#[derive(Clone, Default)]
pub struct Policy {
    /// Whether a request needs a key. Otherwise every caller may do everything, and all of them share
    /// one rate.
    pub required: bool,
    /// A key with every right that is not in the store.
    pub administrator: Option<String>,
    /// For keys without a rate of their own; 0: no limit.
    pub rate_per_minute: u32,
}

impl fmt::Debug for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { required, administrator: _, rate_per_minute } = self;
        formatter
            .debug_struct("Policy")
            .field("required", required)
            .field("rate_per_minute", rate_per_minute)
            .finish_non_exhaustive()
    }
}

/// A key as one may show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub id: String,
    pub name: String,
    pub scopes: Scopes,
    /// None: what holds for all keys. 0: no limit.
    pub rate_per_minute: Option<u32>,
    /// Unix seconds.
    pub created_at: i64,
    pub expires_at: Option<i64>,
}

/// What a new key shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    pub name: String,
    pub scopes: Scopes,
    pub expires_days: Option<u32>,
    pub rate_per_minute: Option<u32>,
}

/// A key with the text that a client presents, which is never to be had again.
pub struct MadeKey {
    pub key: Key,
    pub text: String,
}

/// Why a request is not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It brought no key.
    NoKey,
    /// What it brought is no key, or none that is known, or has another secret.
    UnknownKey,
    Expired,
    /// The key is good, but not for this.
    MissingScope(Scope),
    TooMany(Exceeded),
}

/// The keys of one store, as far as this host knows them.
pub struct Keyring {
    store: Arc<dyn KeyStore>,
    required: bool,
    rate_per_minute: u32,
    known: ArcSwap<HashMap<String, Arc<Known>>>,
    administrator: Option<([u8; 32], Option<Limit>)>,
    /// Of everyone together, while no keys are wanted.
    anonymous: Option<Limit>,
    logged: Option<Limit>,
    /// One at a time, so that what was read earlier does not replace what was read later.
    refreshing: Mutex<()>,
}

/// A stored key with its bucket. Goes when the key goes, so nothing piles up.
struct Known {
    stored: StoredKey,
    scopes: Scopes,
    limit: Option<Limit>,
}

impl Keyring {
    /// Nothing is known of the store's keys before the first `refresh`.
    pub fn new(store: Arc<dyn KeyStore>, policy: Policy) -> Self {
        let rate = policy.rate_per_minute;
        Self {
            store,
            required: policy.required,
            rate_per_minute: rate,
            known: ArcSwap::default(),
            administrator: policy.administrator.map(|text| (key::digest(&text), Limit::new(rate))),
            anonymous: Limit::new(rate),
            logged: Limit::new(LOGGED_REFUSALS),
            refreshing: Mutex::default(),
        }
    }

    /// Whether a request has anything to fear here.
    pub fn restricts(&self) -> bool {
        self.required || self.anonymous.is_some()
    }

    /// Whether anyone could get in.
    pub fn is_usable(&self) -> bool {
        let now = now();
        let good = |known: &Arc<Known>| known.stored.expires_at.is_none_or(|end| now < end);
        !self.required || self.administrator.is_some() || self.known.load().values().any(good)
    }

    /// Decides about one request that wants to do something of `scope`; says what is left of the caller's
    /// rate, if it has one.
    pub fn admit(&self, presented: Option<&str>, scope: Scope) -> Result<Option<Allowance>, Refusal> {
        if !self.required {
            return take(self.anonymous.as_ref());
        }
        let presented = presented.ok_or(Refusal::NoKey)?;
        if let Some((digest, limit)) = &self.administrator
            && key::same(digest, &key::digest(presented))
        {
            return take(limit.as_ref());
        }
        let known = self.known.load();
        let Some((id, secret)) = key::parts(presented) else { return Err(self.unknown("not a key")) };
        let found = known.get(id);
        // Before anything is decided, so that an unknown id takes as long as a wrong secret.
        let proven = key::same(&found.map_or([0; 32], |known| known.stored.digest), &key::digest(secret));
        let Some(found) = found.filter(|_| proven) else { return Err(self.unknown(id)) };
        if found.stored.expires_at.is_some_and(|end| end <= now()) {
            return Err(Refusal::Expired);
        }
        if !found.scopes.allow(scope) {
            return Err(Refusal::MissingScope(scope));
        }
        take(found.limit.as_ref())
    }

    /// Makes a key and keeps it; good on this host at once.
    pub async fn create(&self, new: NewKey) -> Result<MadeKey, AccessError> {
        let NewKey { name, scopes, expires_days, rate_per_minute } = new;
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
            return Err(AccessError::Name);
        }
        if scopes == Scopes::default() {
            return Err(AccessError::NoScope);
        }
        if let Some(days) = expires_days.filter(|days| !(1..=MAX_DAYS).contains(days)) {
            return Err(AccessError::Lifetime { days, most: MAX_DAYS });
        }
        if let Some(rate) = rate_per_minute.filter(|rate| *rate > MAX_RATE) {
            return Err(AccessError::Rate { rate, most: MAX_RATE });
        }
        let generated = key::generate()?;
        let created_at = now();
        let stored = StoredKey {
            id: generated.id,
            name,
            digest: generated.digest,
            scopes: scopes.to_string(),
            rate_per_minute,
            created_at,
            expires_at: expires_days.map(|days| created_at + i64::from(days) * DAY_SECONDS),
        };
        let key = shown(&stored);
        // Not read back from the store: a failure after the key is kept would lose its text for ever.
        let _alone = self.refreshing.lock().await;
        self.store.add_key(&stored).await?;
        self.change_known(|known| known.insert(stored.id.clone(), self.with_bucket(stored)));
        Ok(MadeKey { key, text: generated.text })
    }

    pub async fn list(&self) -> Result<Vec<Key>, AccessError> {
        Ok(self.store.keys().await?.iter().map(shown).collect())
    }

    /// Ends a key, here at once and on other hosts within `REFRESH`; whether there was one.
    pub async fn revoke(&self, id: &str) -> Result<bool, AccessError> {
        let _alone = self.refreshing.lock().await;
        let was_there = self.store.remove_key(id).await?;
        self.change_known(|known| known.remove(id));
        Ok(was_there)
    }

    /// Takes over what the store has now. Keys that did not change keep their buckets.
    pub async fn refresh(&self) -> Result<(), AccessError> {
        let _alone = self.refreshing.lock().await;
        let stored = self.store.keys().await?;
        let before = self.known.load_full();
        let same = before.len() == stored.len()
            && stored.iter().all(|key| before.get(&key.id).is_some_and(|known| known.stored == *key));
        if same {
            return Ok(());
        }
        let known = stored.into_iter().map(|stored| {
            let unchanged = before.get(&stored.id).filter(|known| known.stored == stored);
            let known = unchanged.cloned().unwrap_or_else(|| self.with_bucket(stored));
            (known.stored.id.clone(), known)
        });
        self.known.store(Arc::new(known.collect()));
        Ok(())
    }

    /// Looks every `REFRESH` for what other hosts and commands changed, until `closing`. Ends at once where no
    /// keys are wanted.
    pub async fn follow(self: Arc<Self>, closing: CancellationToken) {
        if !self.required {
            return;
        }
        let mut away = false;
        while closing.run_until_cancelled(tokio::time::sleep(REFRESH)).await.is_some() {
            let refreshed = self.refresh().await;
            match &refreshed {
                Ok(()) if away => tracing::info!("API keys are read again"),
                Err(error) if !away => tracing::warn!(%error, "API keys cannot be read; those known last go on"),
                _ => {}
            }
            away = refreshed.is_err();
        }
    }

    /// A key with a full bucket.
    fn with_bucket(&self, stored: StoredKey) -> Arc<Known> {
        let limit = Limit::new(stored.rate_per_minute.unwrap_or(self.rate_per_minute));
        Arc::new(Known { scopes: Scopes::known_in(&stored.scopes), limit, stored })
    }

    /// For whoever holds `refreshing`, so that nothing read before the change comes after it.
    fn change_known<T>(&self, change: impl FnOnce(&mut HashMap<String, Arc<Known>>) -> T) {
        let mut known = HashMap::clone(&self.known.load());
        change(&mut known);
        self.known.store(Arc::new(known));
    }

    fn unknown(&self, id: &str) -> Refusal {
        if self.logged.as_ref().is_some_and(|limit| limit.take().is_ok()) {
            tracing::warn!(id, "an API key was refused: it is wrong or was revoked");
        }
        Refusal::UnknownKey
    }
}

fn take(limit: Option<&Limit>) -> Result<Option<Allowance>, Refusal> {
    limit.map(Limit::take).transpose().map_err(Refusal::TooMany)
}

fn shown(stored: &StoredKey) -> Key {
    Key {
        id: stored.id.clone(),
        name: stored.name.clone(),
        scopes: Scopes::known_in(&stored.scopes),
        rate_per_minute: stored.rate_per_minute,
        created_at: stored.created_at,
        expires_at: stored.expires_at,
    }
}

/// Unix seconds.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
