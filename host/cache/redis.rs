//! The second tier of the cache, which hosts share: Redis, alone or as a cluster. The only module that
//! speaks to it. Whatever it does (away, slow, full, restarted, nonsense) looks like a miss from outside
//! and costs no more than the time allowed for one call; after a few of those, nothing at all.

/// Whether it is worth asking.
mod breaker;
/// Clearing on all hosts.
mod clear;
/// Connections and what goes over them.
mod connections;
/// One computation among all hosts.
mod lock;
/// How an entry lies in Redis.
mod value;
/// The background work: looks, generations, messages of other hosts.
mod watch;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::join_all;
use parking_lot::{Mutex, RwLock};
use redis::{Cmd, FromRedisValue, cmd};
use tokio::sync::Semaphore;

use self::breaker::Breaker;
pub use self::connections::{BadUrl, TierError};
use self::connections::{Connections, Request};
pub(super) use self::lock::{Claim, Lock};
pub(super) use self::value::Value;
pub(super) use self::watch::ClearedElsewhere;
use super::Digest;
use super::figures::{CallFigures, SharedFigures};
use super::namespace::count;
use crate::telemetry::Latency;

/// Writes under way at once; more are dropped, because a cache that is not filled is only slower.
const MOST_WRITES: usize = 256;
/// Keys of one round trip.
const BATCH: usize = 200;
/// Durations that the recent mean is made of.
const RECENT: usize = 100;

/// How the shared tier is reached and used.
#[derive(Clone, Debug)]
pub struct SharedOptions {
    pub max_connections: usize,
    /// Of one call, connecting included.
    pub timeout: Duration,
    /// In front of every key. What may be shared with whom ends with it: hosts that answer from different
    /// documents must have different ones.
    pub prefix: String,
    /// Larger bodies are compressed when that makes them smaller.
    pub compression_threshold: usize,
    /// How often the host asks whether another has cleared something, should a message get lost.
    pub poll: Duration,
}

/// Redis as a tier of the cache.
pub struct SharedTier {
    connections: Connections,
    breaker: Breaker,
    options: SharedOptions,
    /// When each namespace was last cleared; part of the keys, so what was before is not found any more.
    generations: RwLock<HashMap<String, u64>>,
    /// Namespaces that were cleared here and that the tier has not been told of yet.
    owed: Mutex<BTreeSet<String>>,
    writes: Arc<Semaphore>,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    sets: AtomicU64,
    deletes: AtomicU64,
    errors: AtomicU64,
    timeouts: AtomicU64,
    corrupted: AtomicU64,
    dropped: AtomicU64,
    skipped: AtomicU64,
    body_bytes: AtomicU64,
    stored_bytes: AtomicU64,
    get: Calls,
    set: Calls,
    memory_usage_bytes: AtomicU64,
    key_count: AtomicU64,
    evictions: AtomicU64,
}

#[derive(Default)]
struct Calls {
    all: Latency,
    recent: Mutex<VecDeque<Duration>>,
}

/// The full name of an entry at one generation of its namespace.
#[derive(Clone, Debug)]
pub(super) struct SharedKey {
    name: String,
}

impl SharedTier {
    /// Connects to nobody yet, so it works whether Redis is there or not.
    pub fn new(url: &str, options: SharedOptions) -> Result<Self, BadUrl> {
        Ok(Self {
            connections: Connections::new(url, options.max_connections, options.timeout)?,
            breaker: Breaker::new(),
            options,
            generations: RwLock::default(),
            owed: Mutex::default(),
            writes: Arc::new(Semaphore::new(MOST_WRITES)),
            counters: Counters::default(),
        })
    }

    /// The key of an entry as the namespace stands now. To be taken before an entry is computed: if the
    /// namespace is cleared meanwhile, the entry goes where nobody looks.
    pub(super) fn key(&self, namespace: &str, digest: &Digest) -> SharedKey {
        let generation = self.generation(namespace);
        let digest = blake3::Hash::from_bytes(*digest).to_hex();
        SharedKey { name: format!("{}{generation}:{digest}", self.start_of(namespace)) }
    }

    /// None: not there, not readable, or the tier is away.
    pub(super) async fn get(self: &Arc<Self>, key: &SharedKey) -> Option<Value> {
        let mut get = cmd("GET");
        get.arg(&key.name);
        let began = Instant::now();
        let bytes = match self.call::<Option<Vec<u8>>>(Request::Command(get)).await {
            Ok(bytes) => bytes,
            Err(Some(TierError::Foreign)) => return self.corrupted(key),
            Err(_) => return None,
        };
        self.counters.get.took(began.elapsed());
        self.read(key, bytes)
    }

    /// The same for many, in one round trip for every `BATCH` of them (in a cluster, one a node).
    pub(super) async fn get_many(self: &Arc<Self>, keys: &[SharedKey]) -> Vec<Option<Value>> {
        let mut values = Vec::with_capacity(keys.len());
        for keys in keys.chunks(BATCH) {
            let mut get = cmd("MGET");
            keys.iter().for_each(|key| {
                get.arg(&key.name);
            });
            let began = Instant::now();
            match self.call::<Vec<Option<Vec<u8>>>>(Request::Command(get)).await {
                Ok(found) if found.len() == keys.len() => {
                    self.counters.get.took(began.elapsed());
                    values.extend(keys.iter().zip(found).map(|(key, bytes)| self.read(key, bytes)));
                }
                _ => values.extend(keys.iter().map(|_| None)),
            }
        }
        values
    }

    /// Writes in the background, unless too much is being written already. `life`: after it Redis drops it.
    pub(super) fn put_later(self: &Arc<Self>, key: SharedKey, value: Value, life: Duration, lock: Option<Lock>) {
        let Ok(permit) = self.writes.clone().try_acquire_owned() else { return count(&self.counters.dropped) };
        let tier = self.clone();
        tokio::spawn(async move {
            tier.put(vec![(key, value, life)]).await;
            // Not before: who waits for the lock finds the value.
            drop((permit, lock));
        });
    }

    /// Writes, in one round trip for every `BATCH` of them (in a cluster, one a node). Says how many.
    pub(super) async fn put(&self, entries: Vec<(SharedKey, Value, Duration)>) -> usize {
        let mut written = 0;
        for entries in entries.chunks(BATCH) {
            if !self.breaker.allows_writing() {
                self.counters.dropped.fetch_add(entries.len() as u64, Ordering::Relaxed);
                continue;
            }
            let commands: Vec<Cmd> =
                entries.iter().filter_map(|(key, value, life)| self.set(key, value, *life)).collect();
            let count = commands.len();
            let began = Instant::now();
            match self.send_all(commands).await {
                Ok(()) => {
                    self.breaker.wrote();
                    self.counters.set.took(began.elapsed());
                    self.counters.sets.fetch_add(count as u64, Ordering::Relaxed);
                    written += count;
                }
                Err(error) => {
                    if error == Some(TierError::Full) {
                        self.breaker.refused_writing();
                    }
                    self.counters.dropped.fetch_add(count as u64, Ordering::Relaxed);
                }
            }
        }
        written
    }

    /// The right to compute an entry, for at most `life`.
    pub(super) async fn claim(self: &Arc<Self>, key: &SharedKey, life: Duration) -> Claim {
        let mut token = [0; 16];
        if getrandom::fill(&mut token).is_err() {
            return Claim::Free;
        }
        let token = u128::from_le_bytes(token).to_string();
        let mut set = cmd("SET");
        set.arg(lock::name(key)).arg(&token).arg("NX").arg("PX").arg(life.as_millis().max(1) as u64);
        match self.call::<Option<String>>(Request::Command(set)).await {
            Ok(Some(_)) => Claim::Won(Lock::new(self.clone(), key, token)),
            Ok(None) => Claim::Lost,
            Err(_) => Claim::Free,
        }
    }

    /// What another host has computed meanwhile, and whether it is still at it.
    pub(super) async fn look(&self, key: &SharedKey) -> (Option<Value>, bool) {
        let mut both = redis::pipe();
        both.cmd("GET").arg(&key.name).cmd("EXISTS").arg(lock::name(key));
        match self.call::<(Option<Vec<u8>>, bool)>(Request::Pipeline(both)).await {
            Ok((Some(bytes), busy)) => (value::decode(&key.name, bytes), busy),
            Ok((None, busy)) => (None, busy),
            Err(_) => (None, false),
        }
    }

    pub(super) fn figures(&self) -> SharedFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        let (connections, max_connections) = self.connections.counts();
        SharedFigures {
            state: self.breaker.state(),
            hits: read(&counters.hits),
            misses: read(&counters.misses),
            sets: read(&counters.sets),
            deletes: read(&counters.deletes),
            errors: read(&counters.errors),
            timeouts: read(&counters.timeouts),
            corrupted: read(&counters.corrupted),
            dropped: read(&counters.dropped),
            skipped: read(&counters.skipped),
            body_bytes: read(&counters.body_bytes),
            stored_bytes: read(&counters.stored_bytes),
            get: counters.get.figures(),
            set: counters.set.figures(),
            memory_usage_bytes: read(&counters.memory_usage_bytes),
            key_count: read(&counters.key_count),
            evictions: read(&counters.evictions),
            connections,
            max_connections,
        }
    }

    /// One call of a request. `Err(None)`: not made, because the tier is away.
    async fn call<T: FromRedisValue>(&self, request: Request) -> Result<T, Option<TierError>> {
        if !self.breaker.allows() {
            count(&self.counters.skipped);
            return Err(None);
        }
        let outcome = self.connections.ask(request).await;
        match &outcome {
            Ok(_) => self.breaker.succeeded(),
            Err(error) => self.failed(*error),
        }
        outcome.map_err(Some)
    }

    fn failed(&self, error: TierError) {
        count(&self.counters.errors);
        if error == TierError::TimedOut {
            count(&self.counters.timeouts);
        }
        self.breaker.failed(error);
    }

    async fn send_all(&self, mut commands: Vec<Cmd>) -> Result<(), Option<TierError>> {
        if commands.len() <= 1 {
            let Some(command) = commands.pop() else { return Ok(()) };
            return self.call(Request::Command(command)).await;
        }
        if self.connections.is_cluster() {
            // Each goes to its own node, all at once over the same few connections.
            let sent = commands.into_iter().map(|command| self.call::<()>(Request::Command(command)));
            return join_all(sent).await.into_iter().collect();
        }
        let mut pipeline = redis::pipe();
        commands.into_iter().for_each(|command| {
            pipeline.add_command(command);
        });
        self.call::<Vec<redis::Value>>(Request::Pipeline(pipeline)).await.map(|_| ())
    }

    fn set(&self, key: &SharedKey, value: &Value, life: Duration) -> Option<Cmd> {
        let Some(bytes) = value::encode(&key.name, value, self.options.compression_threshold) else {
            count(&self.counters.dropped);
            return None;
        };
        let (body, stored) = (value.entry.body.len() as u64, bytes.len() as u64);
        self.counters.body_bytes.fetch_add(body, Ordering::Relaxed);
        self.counters.stored_bytes.fetch_add(stored, Ordering::Relaxed);
        let mut set = cmd("SET");
        set.arg(&key.name).arg(&bytes[..]).arg("PX").arg(life.as_millis().max(1) as u64);
        Some(set)
    }

    fn read(self: &Arc<Self>, key: &SharedKey, bytes: Option<Vec<u8>>) -> Option<Value> {
        let Some(bytes) = bytes else {
            count(&self.counters.misses);
            return None;
        };
        let Some(value) = value::decode(&key.name, bytes) else { return self.corrupted(key) };
        count(&self.counters.hits);
        Some(value)
    }

    /// What is not ours or not whole any more is a miss, and goes.
    fn corrupted(self: &Arc<Self>, key: &SharedKey) -> Option<Value> {
        count(&self.counters.misses);
        count(&self.counters.corrupted);
        count(&self.counters.deletes);
        let mut unlink = cmd("UNLINK");
        unlink.arg(&key.name);
        let tier = self.clone();
        tokio::spawn(async move { tier.call::<u64>(Request::Command(unlink)).await });
        None
    }

    fn generation(&self, namespace: &str) -> u64 {
        let generations = self.generations.read();
        let of = |name: &str| generations.get(name).copied().unwrap_or(0);
        of(namespace).max(of(EVERYTHING))
    }

    /// What all keys of a namespace begin with, at any generation.
    fn start_of(&self, namespace: &str) -> String {
        format!("{}:v1:{namespace}:", self.options.prefix)
    }
}

/// The generation that counts for every namespace; not the name of one.
const EVERYTHING: &str = "*";

impl Calls {
    fn took(&self, elapsed: Duration) {
        self.all.record(elapsed);
        let mut recent = self.recent.lock();
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(elapsed);
    }

    fn figures(&self) -> CallFigures {
        let recent = self.recent.lock();
        let mean = recent.iter().sum::<Duration>().as_secs_f64() * 1e3 / recent.len().max(1) as f64;
        CallFigures { recent_ms: mean, all: self.all.figures() }
    }
}

/// Unix milliseconds.
pub(super) fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests;
