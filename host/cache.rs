//! The answer cache: finished bodies in process, bounded by bytes, with one life time per namespace and one
//! computation per key at a time; behind it, if there is one, a tier that hosts share. Knows nothing of
//! what it keeps or of who asks; a key says everything that the entry depends on, so nothing ever has to
//! be corrected, only to age.

/// What the cache says of itself.
mod figures;
/// The way of a key that is not there, or not fresh.
mod flight;
/// One namespace.
mod namespace;
/// What was computed a moment ago.
mod recent;
/// The tier that hosts share.
mod redis;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use moka::Expiry;
use moka::notification::RemovalCause;
use parking_lot::{Mutex, RwLock};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::figures::{CallFigures, Figures, NamespaceFigures, SharedFigures, TierState};
use self::namespace::{Namespace, count};
pub use self::recent::Recent;
pub use self::redis::{BadUrl, SharedOptions, SharedTier, TierError};
use self::redis::{Claim, ClearedElsewhere, Lock, SharedKey, Value, unix_ms};

/// 32 bytes of a cryptographic hash over all that the entry depends on.
pub type Digest = [u8; 32];

/// Bytes that an entry costs beside its body: key, validator, list links, counters. An estimate; it only
/// has to stop a million empty answers from being free.
const ENTRY_OVERHEAD: usize = 256;

/// What is kept: a finished body and its strong validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub body: Bytes,
    /// Without quotes.
    pub etag: Arc<str>,
}

/// What a computation gives.
#[derive(Clone, Debug)]
pub struct Computed {
    pub entry: Entry,
    /// False: those who wait for it get it, later ones compute again (a degraded answer).
    pub keep: bool,
}

/// How an entry was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Hit,
    /// Computed for this caller.
    Miss,
    /// Waited for the computation of another caller.
    Coalesced,
    /// Computed for this caller and not kept.
    Uncacheable,
    /// Past its life time, but not by much; a newer one is computed in the background.
    Stale,
    /// Found in the tier that hosts share.
    Shared,
}

impl Source {
    /// How many there are; `source as usize` is below it.
    pub const COUNT: usize = 6;

    /// Whether it came from the cache, without a computation to wait for.
    pub fn is_hit(self) -> bool {
        matches!(self, Self::Hit | Self::Stale | Self::Shared)
    }
}

/// Life times by namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    pub named: HashMap<String, Duration>,
    /// For every namespace without its own.
    pub other: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        let seconds = [("semantic", 3600), ("syntax", 1800), ("hybrid", 1800), ("suggestions", 86_400)];
        Self {
            named: seconds.map(|(name, seconds)| (name.to_owned(), Duration::from_secs(seconds))).into(),
            other: Duration::from_secs(1800),
        }
    }
}

/// What a cache is made of.
#[derive(Default)]
pub struct CacheOptions {
    /// Bounds bodies, validators and an estimate of the bookkeeping in process; 0 keeps nothing there.
    pub capacity_bytes: u64,
    pub lifetimes: Lifetimes,
    /// How long past its life time an entry may still be served while a newer one is computed.
    pub grace: Duration,
    pub shared: Option<Arc<SharedTier>>,
}

/// How much a clear dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Entries in this process.
    pub entries: u64,
    /// Entries in the shared tier, as far as they were counted within two seconds.
    pub shared: u64,
    /// Other hosts that were told at once.
    pub hosts: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    namespace: u32,
    epoch: u32,
    digest: Digest,
}

#[derive(Clone)]
struct Stored {
    entry: Entry,
    namespace: Arc<Namespace>,
    fresh_until: Instant,
    kept_until: Instant,
}

impl Stored {
    fn is_fresh(&self) -> bool {
        Instant::now() < self.fresh_until
    }
}

struct ByNamespace;

impl Expiry<Key, Stored> for ByNamespace {
    fn expire_after_create(&self, _key: &Key, stored: &Stored, created_at: Instant) -> Option<Duration> {
        Some(stored.kept_until.saturating_duration_since(created_at))
    }

    fn expire_after_update(
        &self,
        _key: &Key,
        stored: &Stored,
        updated_at: Instant,
        _before: Option<Duration>,
    ) -> Option<Duration> {
        Some(stored.kept_until.saturating_duration_since(updated_at))
    }
}

/// Cheap to clone; all clones are one cache.
#[derive(Clone)]
pub struct Cache {
    inner: Arc<Inner>,
}

struct Inner {
    entries: moka::future::Cache<Key, Stored>,
    namespaces: RwLock<HashMap<Box<str>, Arc<Namespace>>>,
    lifetimes: Lifetimes,
    grace: Duration,
    capacity_bytes: u64,
    shared: Option<Arc<SharedTier>>,
    /// Keys that are being computed again in the background.
    refreshing: Mutex<HashSet<Key>>,
    /// Ends the work in the background.
    _closing: DropGuard,
}

impl Cache {
    /// In process only; stale entries are not served.
    pub fn new(capacity_bytes: u64, lifetimes: Lifetimes) -> Self {
        Self::with(CacheOptions { capacity_bytes, lifetimes, ..CacheOptions::default() })
    }

    /// With a shared tier, within a runtime: it is looked after in the background as long as the cache lives.
    pub fn with(options: CacheOptions) -> Self {
        let CacheOptions { capacity_bytes, lifetimes, grace, shared } = options;
        let entries = moka::future::Cache::builder()
            .max_capacity(capacity_bytes)
            .weigher(|_key, stored: &Stored| {
                let bytes = stored.entry.body.len() + stored.entry.etag.len() + ENTRY_OVERHEAD;
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            .expire_after(ByNamespace)
            .eviction_listener(|_key, stored: Stored, cause| {
                if cause == RemovalCause::Size {
                    count(&stored.namespace.evicted);
                }
            })
            .build();
        let closing = CancellationToken::new();
        let inner = Arc::new(Inner {
            entries,
            namespaces: RwLock::default(),
            lifetimes,
            grace,
            capacity_bytes,
            shared,
            refreshing: Mutex::default(),
            _closing: closing.clone().drop_guard(),
        });
        if let Some(shared) = &inner.shared {
            let (cleared, mut elsewhere) = tokio::sync::mpsc::unbounded_channel::<ClearedElsewhere>();
            tokio::spawn(shared.clone().watch(cleared, closing));
            let weak = Arc::downgrade(&inner);
            tokio::spawn(async move {
                while let Some(namespace) = elsewhere.recv().await {
                    let Some(inner) = weak.upgrade() else { return };
                    inner.remove(&inner.outdate(namespace.as_deref())).await;
                }
            });
        }
        Self { inner }
    }

    /// The entry of a key, if it is in process and fresh. Counts a hit, never a miss: who does not find
    /// calls `get_or_compute`, which counts.
    pub async fn get(&self, namespace: &str, digest: Digest) -> Option<Entry> {
        let namespace = self.inner.namespace(namespace);
        let stored = self.inner.lookup(&namespace, digest).await?;
        if !stored.is_fresh() {
            return None;
        }
        count(&namespace.hits);
        Some(stored.entry)
    }

    /// As `get`, and if it is not in process, from the tier that hosts share; counts a hit there as one.
    pub async fn find(&self, namespace: &str, digest: Digest) -> Option<(Entry, Source)> {
        if let Some(entry) = self.get(namespace, digest).await {
            return Some((entry, Source::Hit));
        }
        let namespace = self.inner.namespace(namespace);
        let entry = self.inner.take(&namespace, &[digest]).await.pop()?;
        count(&namespace.shared);
        Some((entry, Source::Shared))
    }

    /// Whether a namespace was given a life time of its own.
    pub fn has_lifetime(&self, namespace: &str) -> bool {
        self.inner.lifetimes.named.contains_key(namespace)
    }

    /// How long entries of a namespace are fresh.
    pub fn lifetime(&self, namespace: &str) -> Duration {
        self.inner.namespace(namespace).lifetime
    }

    /// Whether a key is in process and fresh; counts nothing.
    pub async fn holds(&self, namespace: &str, digest: Digest) -> bool {
        let namespace = self.inner.namespace(namespace);
        self.inner.lookup(&namespace, digest).await.is_some_and(|stored| stored.is_fresh())
    }

    /// Counts how often a namespace was cleared; none when it keeps nothing. As part of a key, it makes a clear reach
    /// what is kept elsewhere, too.
    pub fn epoch(&self, namespace: &str) -> Option<u32> {
        let namespace = self.inner.namespace(namespace);
        let keeps = self.inner.capacity_bytes > 0 && !namespace.lifetime.is_zero();
        keeps.then(|| namespace.epoch.load(Ordering::Acquire))
    }

    /// Changes whenever the shared tier has come back, perhaps without what it had.
    pub fn returns(&self) -> u64 {
        self.inner.shared.as_ref().map_or(0, |shared| shared.returns())
    }

    /// Forgets a namespace, or with none everything, here and in the shared tier; other hosts are told.
    /// What is being computed at that moment reaches its callers but is not kept.
    pub async fn clear(&self, namespace: Option<&str>) -> Cleared {
        // First the shared tier, so that what is cleared here is not fetched from there again; and both before
        // anything is waited for, because whoever clears may be gone before the rest is done.
        let inner = &self.inner;
        if let Some(shared) = &inner.shared {
            shared.outdate(namespace);
        }
        let outdated = inner.outdate(namespace);
        let telling = async {
            match &inner.shared {
                Some(shared) => shared.tell().await,
                None => Default::default(),
            }
        };
        let (shared, entries) = futures::future::join(telling, inner.remove(&outdated)).await;
        Cleared { entries, shared: shared.entries, hosts: shared.hosts }
    }

    /// Counts and sizes; settles pending evictions first, so it is for status pages, not for every query.
    pub async fn figures(&self) -> Figures {
        let inner = &self.inner;
        inner.entries.run_pending_tasks().await;
        let mut namespaces: Vec<NamespaceFigures> =
            inner.namespaces.read().values().map(|namespace| namespace.figures()).collect();
        namespaces.sort_by(|left, right| left.namespace.cmp(&right.namespace));
        Figures {
            namespaces,
            entries: inner.entries.entry_count(),
            bytes: inner.entries.weighted_size(),
            capacity_bytes: inner.capacity_bytes,
            shared: inner.shared.as_ref().map(|shared| shared.figures()),
        }
    }
}

impl Inner {
    /// Fresh or stale, as long as it is kept.
    async fn lookup(&self, namespace: &Namespace, digest: Digest) -> Option<Stored> {
        let key = Key { namespace: namespace.number, epoch: namespace.epoch.load(Ordering::Acquire), digest };
        self.entries.get(&key).await
    }

    /// Nothing that is in process now is found any more; the numbers of the namespaces that this is about.
    fn outdate(&self, namespace: Option<&str>) -> Vec<u32> {
        let namespaces = self.namespaces.read();
        let chosen = namespaces.iter().filter(|(name, _)| namespace.is_none_or(|wanted| wanted == name.as_ref()));
        chosen
            .map(|(_, namespace)| {
                namespace.epoch.fetch_add(1, Ordering::AcqRel);
                namespace.number
            })
            .collect()
    }

    /// Makes room in process; the number of live entries that were dropped.
    async fn remove(&self, numbers: &[u32]) -> u64 {
        let doomed: Vec<Key> =
            self.entries.iter().map(|(key, _)| *key).filter(|key| numbers.contains(&key.namespace)).collect();
        let mut cleared = 0;
        for key in doomed {
            cleared += u64::from(self.entries.remove(&key).await.is_some());
        }
        cleared
    }

    fn namespace(&self, name: &str) -> Arc<Namespace> {
        if let Some(namespace) = self.namespaces.read().get(name) {
            return namespace.clone();
        }
        let mut namespaces = self.namespaces.write();
        let number = u32::try_from(namespaces.len()).unwrap_or(u32::MAX);
        let lifetime = self.lifetimes.named.get(name).copied().unwrap_or(self.lifetimes.other);
        let new = || Arc::new(Namespace::new(number, name, lifetime));
        namespaces.entry(name.into()).or_insert_with(new).clone()
    }

    /// How long entries of a namespace are served past their life time. What lives for no time at all is
    /// not wanted stale either.
    fn grace(&self, namespace: &Namespace) -> Duration {
        if namespace.lifetime.is_zero() { Duration::ZERO } else { self.grace }
    }
}

#[cfg(test)]
mod tests;
