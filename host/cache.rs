//! The first tier of the answer cache: finished bodies in process, bounded by bytes, with one life time
//! per namespace and one computation per key at a time. Knows nothing of what it keeps or of who asks;
//! a key says everything that the entry depends on, so nothing ever has to be corrected, only to age.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use moka::Expiry;
use moka::notification::RemovalCause;
use parking_lot::RwLock;

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

/// Counts of one namespace since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceFigures {
    pub namespace: String,
    pub hits: u64,
    pub misses: u64,
    pub coalesced: u64,
    /// Dropped for want of room, not for age.
    pub evicted: u64,
}

/// The whole cache at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub namespaces: Vec<NamespaceFigures>,
    pub entries: u64,
    pub bytes: u64,
    pub capacity_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    namespace: u32,
    /// Grows when the namespace is cleared, so what was still being computed then is never found.
    epoch: u32,
    digest: Digest,
}

#[derive(Debug)]
struct Namespace {
    number: u32,
    lifetime: Duration,
    epoch: AtomicU32,
    hits: AtomicU64,
    misses: AtomicU64,
    coalesced: AtomicU64,
    evicted: AtomicU64,
}

#[derive(Clone)]
struct Stored {
    entry: Entry,
    namespace: Arc<Namespace>,
}

/// Why a flight left nothing in the cache; travels to all who waited for it.
enum Unstored<E> {
    Failed(E),
    NotKept(Entry),
}

struct ByNamespace;

impl Expiry<Key, Stored> for ByNamespace {
    fn expire_after_create(&self, _key: &Key, stored: &Stored, _created_at: Instant) -> Option<Duration> {
        Some(stored.namespace.lifetime)
    }
}

/// Cheap to clone; all clones are one cache.
#[derive(Clone)]
pub struct Cache {
    entries: moka::future::Cache<Key, Stored>,
    namespaces: Arc<RwLock<HashMap<Box<str>, Arc<Namespace>>>>,
    lifetimes: Arc<Lifetimes>,
    capacity_bytes: u64,
}

impl Cache {
    /// `capacity_bytes` bounds bodies, validators and an estimate of the bookkeeping; 0 keeps nothing.
    pub fn new(capacity_bytes: u64, lifetimes: Lifetimes) -> Self {
        let entries = moka::future::Cache::builder()
            .max_capacity(capacity_bytes)
            .weigher(|_key, stored: &Stored| {
                let bytes = stored.entry.body.len() + stored.entry.etag.len() + ENTRY_OVERHEAD;
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            .expire_after(ByNamespace)
            .eviction_listener(|_key, stored: Stored, cause| {
                if cause == RemovalCause::Size {
                    stored.namespace.evicted.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build();
        Self { entries, namespaces: Arc::default(), lifetimes: Arc::new(lifetimes), capacity_bytes }
    }

    /// The entry of a key, if it is there and young enough. Counts a hit, never a miss: who does not find
    /// calls `get_or_compute`, which counts.
    pub async fn get(&self, namespace: &str, digest: Digest) -> Option<Entry> {
        let namespace = self.namespace(namespace);
        self.lookup(&namespace, digest).await
    }

    /// The entry of a key, computed if need be. One computation a key at a time: whoever asks meanwhile
    /// waits for it, and if its caller is cancelled one of the waiting takes over with its own. An error
    /// goes to all who waited and is not kept.
    pub async fn get_or_compute<E, F>(&self, namespace: &str, digest: Digest, compute: F) -> Result<(Entry, Source), E>
    where
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Computed, E>>,
    {
        let namespace = self.namespace(namespace);
        if let Some(entry) = self.lookup(&namespace, digest).await {
            return Ok((entry, Source::Hit));
        }
        // Boxed, because the state of a flight is large and every hit would carry room for it.
        Box::pin(self.compute(&namespace, digest, compute)).await
    }

    /// Forgets a namespace, or with none everything. Gives the number of live entries that were dropped;
    /// what is being computed at that moment reaches its callers but is not kept.
    pub async fn clear(&self, namespace: Option<&str>) -> u64 {
        let numbers: Vec<u32> = {
            let namespaces = self.namespaces.read();
            let chosen = namespaces.iter().filter(|(name, _)| namespace.is_none_or(|wanted| wanted == name.as_ref()));
            chosen
                .map(|(_, namespace)| {
                    namespace.epoch.fetch_add(1, Ordering::AcqRel);
                    namespace.number
                })
                .collect()
        };
        let doomed: Vec<Key> =
            self.entries.iter().map(|(key, _)| *key).filter(|key| numbers.contains(&key.namespace)).collect();
        let mut cleared = 0;
        for key in doomed {
            cleared += u64::from(self.entries.remove(&key).await.is_some());
        }
        cleared
    }

    /// What entries may take; 0: nothing is kept.
    pub fn capacity_bytes(&self) -> u64 {
        self.capacity_bytes
    }

    /// Counts and sizes; settles pending evictions first, so it is for status pages, not for every query.
    pub async fn figures(&self) -> Figures {
        self.entries.run_pending_tasks().await;
        let mut namespaces: Vec<NamespaceFigures> = self
            .namespaces
            .read()
            .iter()
            .map(|(name, namespace)| NamespaceFigures {
                namespace: name.to_string(),
                hits: namespace.hits.load(Ordering::Relaxed),
                misses: namespace.misses.load(Ordering::Relaxed),
                coalesced: namespace.coalesced.load(Ordering::Relaxed),
                evicted: namespace.evicted.load(Ordering::Relaxed),
            })
            .collect();
        namespaces.sort_by(|left, right| left.namespace.cmp(&right.namespace));
        Figures {
            namespaces,
            entries: self.entries.entry_count(),
            bytes: self.entries.weighted_size(),
            capacity_bytes: self.capacity_bytes,
        }
    }

    async fn compute<E, F>(&self, namespace: &Arc<Namespace>, digest: Digest, compute: F) -> Result<(Entry, Source), E>
    where
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Computed, E>>,
    {
        let epoch = namespace.epoch.load(Ordering::Acquire);
        let key = Key { namespace: namespace.number, epoch, digest };
        let computed_here = AtomicBool::new(false);
        let flight = async {
            computed_here.store(true, Ordering::Relaxed);
            namespace.misses.fetch_add(1, Ordering::Relaxed);
            let computed = compute.await.map_err(Unstored::Failed)?;
            let cleared_meanwhile = namespace.epoch.load(Ordering::Acquire) != epoch;
            if computed.keep && !cleared_meanwhile {
                Ok(Stored { entry: computed.entry, namespace: namespace.clone() })
            } else {
                Err(Unstored::NotKept(computed.entry))
            }
        };
        let landed = self.entries.try_get_with(key, flight).await;
        let computed_here = computed_here.into_inner();
        if !computed_here {
            namespace.coalesced.fetch_add(1, Ordering::Relaxed);
        }
        let source = if computed_here { Source::Miss } else { Source::Coalesced };
        match landed {
            Ok(stored) => Ok((stored.entry, source)),
            Err(unstored) => match &*unstored {
                Unstored::Failed(error) => Err(error.clone()),
                Unstored::NotKept(entry) if computed_here => Ok((entry.clone(), Source::Uncacheable)),
                Unstored::NotKept(entry) => Ok((entry.clone(), source)),
            },
        }
    }

    async fn lookup(&self, namespace: &Namespace, digest: Digest) -> Option<Entry> {
        let key = Key { namespace: namespace.number, epoch: namespace.epoch.load(Ordering::Acquire), digest };
        let stored = self.entries.get(&key).await?;
        namespace.hits.fetch_add(1, Ordering::Relaxed);
        Some(stored.entry)
    }

    /// Namespaces are names of loaded strategies and the like, so they are few and never removed.
    fn namespace(&self, name: &str) -> Arc<Namespace> {
        if let Some(namespace) = self.namespaces.read().get(name) {
            return namespace.clone();
        }
        let mut namespaces = self.namespaces.write();
        let number = u32::try_from(namespaces.len()).unwrap_or(u32::MAX);
        let lifetime = self.lifetimes.named.get(name).copied().unwrap_or(self.lifetimes.other);
        let new = || {
            Arc::new(Namespace {
                number,
                lifetime,
                epoch: AtomicU32::new(0),
                hits: AtomicU64::new(0),
                misses: AtomicU64::new(0),
                coalesced: AtomicU64::new(0),
                evicted: AtomicU64::new(0),
            })
        };
        namespaces.entry(name.into()).or_insert_with(new).clone()
    }
}

#[cfg(test)]
mod tests;
