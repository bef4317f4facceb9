//! The second tier of the cache, which hosts share: Redis, alone or as a cluster. The only module that
//! speaks to it. Whatever it does (away, slow, full, restarted, nonsense) looks like a miss from outside
//! and costs no more than the time allowed for one call; after a few of those, nothing at all.

/// Whether it is worth asking.
mod breaker;
/// Clearing on all hosts.
mod clear;
/// Connections and what goes over them.
mod connections;
/// What it counts.
mod counters;
/// One computation among all hosts.
mod lock;
/// How an entry lies in Redis.
mod value;
/// The background work: looks, generations, messages of other hosts.
mod watch;

use std::collections::{BTreeMap, HashMap};
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
use self::counters::Counters;
pub(super) use self::lock::{Claim, Lock};
pub(super) use self::value::Value;
pub(super) use self::watch::ClearedElsewhere;
use super::Digest;
use super::figures::SharedFigures;
use super::namespace::count;

/// Writes under way at once; more are dropped, because a cache that is not filled is only slower.
const MOST_WRITES: usize = 256;
/// Keys of one round trip.
const BATCH: usize = 200;

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
    /// Namespaces that were cleared here and that the tier has not been told of yet, with their generations.
    owed: Mutex<BTreeMap<String, u64>>,
    /// What Redis was marked with at the last look; 0 before the first.
    mark: AtomicU64,
    /// How often it had lost its mark, and so everything.
    losses: AtomicU64,
    writes: Arc<Semaphore>,
    counters: Counters,
}

/// The tier did not answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Away;

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
            mark: AtomicU64::new(0),
            losses: AtomicU64::new(0),
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

    /// None: not there, or not readable. An error means that the tier is no help at present, and that
    /// whoever waits has waited enough for it.
    pub(super) async fn get(self: &Arc<Self>, key: &SharedKey) -> Result<Option<Value>, Away> {
        let mut get = cmd("GET");
        get.arg(&key.name);
        let began = Instant::now();
        match self.call::<Option<Vec<u8>>>(Request::Command(get)).await {
            Ok(bytes) => {
                self.counters.get.took(began.elapsed());
                Ok(self.read(key, bytes))
            }
            Err(Some(TierError::Foreign)) => Ok(self.corrupted(key)),
            Err(_) => Err(Away),
        }
    }

    /// The same for many, in one round trip for every `BATCH` of them (in a cluster, one a node).
    pub(super) async fn get_many(self: &Arc<Self>, keys: &[SharedKey]) -> Vec<Option<Value>> {
        let mut values = Vec::with_capacity(keys.len());
        for keys in keys.chunks(BATCH) {
            let mut get = cmd("MGET");
            keys.iter().for_each(|key| {
                get.arg(&key.name);
            });
            let (began, count) = (Instant::now(), keys.len());
            match self.call::<Vec<Option<Vec<u8>>>>(Request::Command(get)).await {
                Ok(found) if found.len() == count => {
                    self.counters.get.took(began.elapsed());
                    let (tier, keys) = (self.clone(), keys.to_vec());
                    let read = move || keys.iter().zip(found).map(|(key, bytes)| tier.read(key, bytes)).collect();
                    values.extend(tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| vec![None; count]));
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
    pub(super) async fn put(self: &Arc<Self>, entries: Vec<(SharedKey, Value, Duration)>) -> usize {
        let mut written = 0;
        for entries in entries.chunks(BATCH) {
            if !self.breaker.allows_writing() {
                self.counters.dropped.fetch_add(entries.len() as u64, Ordering::Relaxed);
                continue;
            }
            let commands = self.encoded(entries).await;
            let count = commands.len();
            // All of them are too large to be shared.
            if count == 0 {
                continue;
            }
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

    /// What another host has computed meanwhile, and whether it is still at it.
    pub(super) async fn look(&self, key: &SharedKey) -> (Option<Value>, bool) {
        let mut both = redis::pipe();
        both.cmd("GET").arg(&key.name).cmd("EXISTS").arg(self.lock_name(key));
        match self.call::<(Option<Vec<u8>>, bool)>(Request::Pipeline(both)).await {
            Ok((Some(bytes), busy)) => (value::decode(&key.name, bytes), busy),
            Ok((None, busy)) => (None, busy),
            Err(_) => (None, false),
        }
    }

    /// Changes whenever it has come back, noticed or not.
    pub(super) fn returns(&self) -> u64 {
        self.breaker.closings() + self.losses.load(Ordering::Relaxed)
    }

    pub(super) fn figures(&self) -> SharedFigures {
        self.counters.figures(self.breaker.state(), self.connections.counts())
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

    /// One command each. Compressing has no place on the threads that serve connections.
    async fn encoded(self: &Arc<Self>, entries: &[(SharedKey, Value, Duration)]) -> Vec<Cmd> {
        let (tier, entries) = (self.clone(), entries.to_vec());
        let encode = move || entries.iter().filter_map(|(key, value, life)| tier.set(key, value, *life)).collect();
        tokio::task::spawn_blocking(encode).await.unwrap_or_default()
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

/// Unix milliseconds.
pub(super) fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests;
