//! The way of a key that is not fresh in process: ask the shared tier, agree with other hosts on who
//! computes, compute, keep in both tiers. One flight a key and host, led by one of those who wait. A stale
//! entry is served at once and flies in the background instead.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tracing::{Instrument, debug_span, field};

use super::namespace::{Namespace, count};
use super::{
    Cache, Claim, Computed, Digest, Entry, Inner, Key, Lock, SharedKey, SharedTier, Source, Stored, Value, unix_ms,
};

/// Cheaper computations are done twice rather than agreed upon: to ask for a lock costs a round trip, and
/// to wait for another host costs polls of `FIRST_POLL` and more.
const WORTH_A_LOCK: Duration = Duration::from_millis(20);
/// Life of a lock, and the longest wait for another host, when nothing is known of the costs yet.
const FIRST_LOCK: Duration = Duration::from_secs(1);
/// A lock lives several times the mean cost, within these bounds.
const COSTS: u32 = 4;
const SHORTEST_LOCK: Duration = Duration::from_millis(200);
const LONGEST_LOCK: Duration = Duration::from_secs(2);
/// Between looks for what another host computes; each twice as long as the one before, with jitter.
const FIRST_POLL: Duration = Duration::from_millis(10);
const LONGEST_POLL: Duration = Duration::from_millis(100);
/// Keys that are computed again in the background at the same time; more stay stale until their turn.
const MOST_REFRESHES: usize = 64;
/// A refresh that gave nothing is not tried again at once.
const REFRESH_PAUSE: Duration = Duration::from_secs(1);

/// Why a flight left nothing in the cache; travels to all who waited for it.
enum Unstored<E> {
    Failed(E),
    NotKept(Entry),
}

/// Why something is computed; decides what is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    Asked,
    /// Nobody has asked yet.
    Warming,
}

/// The one who computes a key again, until dropped.
struct Refresh {
    inner: Arc<Inner>,
    key: Key,
}

impl Drop for Refresh {
    fn drop(&mut self) {
        self.inner.refreshing.lock().remove(&self.key);
    }
}

impl Cache {
    /// The entry of a key, computed if need be. One computation a key at a time: whoever asks meanwhile
    /// waits for it, and if its caller is cancelled one of the waiting takes over with its own. An error
    /// goes to all who waited and is not kept. A stale entry is given at once, and `compute` then runs in
    /// the background, past the end of this call.
    pub async fn get_or_compute<E, F>(&self, namespace: &str, digest: Digest, compute: F) -> Result<(Entry, Source), E>
    where
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Computed, E>> + Send + 'static,
    {
        let namespace = self.inner.namespace(namespace);
        if let Some(stored) = self.inner.lookup(&namespace, digest).await {
            if stored.is_fresh() {
                count(&namespace.hits);
                return Ok((stored.entry, Source::Hit));
            }
            count(&namespace.stale);
            self.inner.refresh(&namespace, digest, compute);
            return Ok((stored.entry, Source::Stale));
        }
        // Boxed, because the state of a flight is large and every hit would carry room for it.
        Box::pin(self.inner.fly(&namespace, digest, compute, Reason::Asked)).await
    }

    /// Keeps what was computed outside of a flight by someone who watched it being made. `since` is the namespace's
    /// epoch before that. Gives what the next who asks will get: of two that computed at the same time, the first's.
    pub async fn keep(
        &self,
        namespace: &str,
        digest: Digest,
        since: Option<u32>,
        computed: Computed,
        took: Duration,
    ) -> (Entry, Source) {
        let inner = &self.inner;
        let namespace = inner.namespace(namespace);
        if let Some(stored) = inner.lookup(&namespace, digest).await.filter(Stored::is_fresh) {
            count(&namespace.coalesced);
            return (stored.entry, Source::Coalesced);
        }
        count(&namespace.misses);
        namespace.took(took);
        let Some(epoch) = since else { return (computed.entry, Source::Uncacheable) };
        let shared = inner.shared_of(&namespace).map(|shared| (shared, shared.key(&namespace.name, &digest)));
        match inner.settle(&namespace, epoch, computed, shared, None) {
            Ok(stored) => {
                let key = Key { namespace: namespace.number, epoch, digest };
                inner.entries.insert(key, stored.clone()).await;
                (stored.entry, Source::Miss)
            }
            Err(entry) => (entry, Source::Uncacheable),
        }
    }

    /// Makes a key fresh before anybody asks: as `get_or_compute`, but counted as warmed.
    pub async fn warm<E, F>(&self, namespace: &str, digest: Digest, compute: F) -> Result<Source, E>
    where
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Computed, E>> + Send + 'static,
    {
        let namespace = self.inner.namespace(namespace);
        if self.inner.lookup(&namespace, digest).await.is_some_and(|stored| !stored.is_fresh()) {
            self.inner.refresh(&namespace, digest, compute);
            return Ok(Source::Stale);
        }
        let (_, source) = Box::pin(self.inner.fly(&namespace, digest, compute, Reason::Warming)).await?;
        if source == Source::Miss {
            count(&namespace.warmed);
        }
        Ok(source)
    }

    /// Takes what the shared tier has fresh of some keys into this process before anybody asks, in one round trip; says
    /// how many. Counted as warmed.
    pub async fn fetch(&self, namespace: &str, digests: &[Digest]) -> usize {
        let namespace = self.inner.namespace(namespace);
        let taken = self.inner.take(&namespace, digests).await;
        namespace.warmed.fetch_add(taken.len() as u64, Ordering::Relaxed);
        taken.len()
    }

    /// Gives what this process has fresh of some keys to the shared tier, in one round trip; says how many.
    /// For a tier that has lost everything.
    pub async fn share(&self, namespace: &str, digests: &[Digest]) -> usize {
        let inner = &self.inner;
        let namespace = inner.namespace(namespace);
        let Some(shared) = inner.shared_of(&namespace) else { return 0 };
        let mut entries = Vec::with_capacity(digests.len());
        for digest in digests {
            let key = shared.key(&namespace.name, digest);
            let Some(stored) = inner.lookup(&namespace, *digest).await else { continue };
            let left = stored.fresh_until.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                let fresh_until = unix_ms() + left.as_millis() as u64;
                entries.push((key, Value { entry: stored.entry, fresh_until }, left + inner.grace(&namespace)));
            }
        }
        shared.put(entries).await
    }
}

impl Inner {
    /// What the shared tier has fresh of some keys, which is then in this process, too; counts nothing.
    pub(super) async fn take(&self, namespace: &Arc<Namespace>, digests: &[Digest]) -> Vec<Entry> {
        let Some(shared) = self.shared_of(namespace) else { return vec![] };
        let epoch = namespace.epoch.load(Ordering::Acquire);
        let keys: Vec<_> = digests.iter().map(|digest| shared.key(&namespace.name, digest)).collect();
        let mut taken = Vec::new();
        for (digest, value) in digests.iter().zip(shared.get_many(&keys).await) {
            let Some(stored) = value.and_then(|value| self.stored(namespace, value)) else { continue };
            if stored.is_fresh() {
                taken.push(stored.entry.clone());
                self.entries.insert(Key { namespace: namespace.number, epoch, digest: *digest }, stored).await;
            }
        }
        taken
    }

    async fn fly<E, F>(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        digest: Digest,
        compute: F,
        reason: Reason,
    ) -> Result<(Entry, Source), E>
    where
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Computed, E>> + Send + 'static,
    {
        let epoch = namespace.epoch.load(Ordering::Acquire);
        let key = Key { namespace: namespace.number, epoch, digest };
        // Boxed, so that it can go on in the background if it is not begun here.
        let mut compute = Box::pin(compute);
        // Set by whoever leads the flight.
        let mut led = None;
        let flight = async {
            let shared = self.shared_of(namespace).map(|shared| (shared, shared.key(&namespace.name, &digest)));
            let mut lock = None;
            if let Some((shared, key)) = &shared {
                let span = debug_span!("redis", hit = field::Empty);
                let asked = shared.get(key).instrument(span.clone()).await;
                span.record("hit", matches!(asked, Ok(Some(_))));
                drop(span);
                let found = match asked {
                    Ok(None) => self.agree(shared, key, namespace, &mut lock).await,
                    Ok(found) => found,
                    Err(_away) => None,
                };
                if let Some(stored) = found.and_then(|value| self.stored(namespace, value)) {
                    led = Some(if stored.is_fresh() { Source::Shared } else { Source::Stale });
                    return Ok(stored);
                }
            }
            led = Some(Source::Miss);
            if reason == Reason::Asked {
                count(&namespace.misses);
            }
            self.make(namespace, epoch, compute.as_mut(), shared, lock).await
        };
        let landed = self.entries.try_get_with(key, flight).await;
        let source = led.unwrap_or(Source::Coalesced);
        match source {
            _ if reason == Reason::Warming => {}
            Source::Coalesced => count(&namespace.coalesced),
            Source::Shared => count(&namespace.shared),
            Source::Stale => count(&namespace.stale),
            // A miss was counted when it began.
            _ => {}
        }
        if source == Source::Stale {
            self.refresh(namespace, digest, compute);
        }
        match landed {
            Ok(stored) => Ok((stored.entry, source)),
            Err(unstored) => match &*unstored {
                Unstored::Failed(error) => Err(error.clone()),
                Unstored::NotKept(entry) if source == Source::Miss => Ok((entry.clone(), Source::Uncacheable)),
                Unstored::NotKept(entry) => Ok((entry.clone(), source)),
            },
        }
    }

    /// Computes a stale key again in the background, unless somebody here or on another host is at it.
    fn refresh<E, F>(self: &Arc<Self>, namespace: &Arc<Namespace>, digest: Digest, compute: F)
    where
        E: Send + 'static,
        F: Future<Output = Result<Computed, E>> + Send + 'static,
    {
        let epoch = namespace.epoch.load(Ordering::Acquire);
        let key = Key { namespace: namespace.number, epoch, digest };
        {
            let mut refreshing = self.refreshing.lock();
            if refreshing.len() >= MOST_REFRESHES || !refreshing.insert(key) {
                return;
            }
        }
        let refresh = Refresh { inner: self.clone(), key };
        let namespace = namespace.clone();
        // A trace of its own: nobody waits for it.
        let span = debug_span!(parent: None, "refresh", namespace = &*namespace.name);
        let refreshing = async move {
            let inner = &refresh.inner;
            let shared = inner.shared_of(&namespace).map(|shared| (shared, shared.key(&namespace.name, &digest)));
            let mut lock = None;
            if let Some((shared, shared_key)) = &shared {
                let (claim, value) = shared.claim(shared_key, lock_life(&namespace)).await;
                let stored = value.and_then(|value| inner.stored(&namespace, value));
                if let Some(stored) = stored.filter(Stored::is_fresh) {
                    inner.entries.insert(key, stored).await;
                    return;
                }
                match claim {
                    Claim::Won(won) => lock = Some(won),
                    Claim::Free => {}
                    // The next to meet the stale entry looks whether it is done.
                    Claim::Lost => return tokio::time::sleep(LONGEST_POLL).await,
                }
            }
            match inner.make(&namespace, epoch, compute, shared, lock).await {
                Ok(stored) => {
                    inner.entries.insert(key, stored).await;
                    count(&namespace.refreshed);
                }
                // The lock is free by now: another host may do better.
                Err(_) => tokio::time::sleep(REFRESH_PAUSE).await,
            }
        };
        tokio::spawn(refreshing.instrument(span));
    }

    /// Who computes a key that no host has: gives what another host has computed, or none, and then it is
    /// for this host, with the lock if it got one.
    async fn agree(
        &self,
        shared: &Arc<SharedTier>,
        key: &SharedKey,
        namespace: &Namespace,
        lock: &mut Option<Lock>,
    ) -> Option<Value> {
        if namespace.cost().is_some_and(|cost| cost < WORTH_A_LOCK) {
            return None;
        }
        let life = lock_life(namespace);
        match shared.claim(key, life).instrument(debug_span!("claim")).await {
            (_, Some(value)) => return Some(value),
            (Claim::Won(won), None) => {
                *lock = Some(won);
                return None;
            }
            (Claim::Free, None) => return None,
            (Claim::Lost, None) => {}
        }
        self.wait_for_other(shared, key, life).instrument(debug_span!("wait")).await
    }

    /// What the host that has the lock computes; none when it gave up or takes too long.
    async fn wait_for_other(&self, shared: &Arc<SharedTier>, key: &SharedKey, life: Duration) -> Option<Value> {
        let (began, mut wait) = (Instant::now(), FIRST_POLL);
        while began.elapsed() < life {
            tokio::time::sleep(jittered(wait)).await;
            wait = (wait * 2).min(LONGEST_POLL);
            match shared.look(key).await {
                (Some(value), _) => return Some(value),
                (None, true) => {}
                // It gave up, or what it found is not for keeping.
                (None, false) => break,
            }
        }
        None
    }

    /// Computes an entry; gives it as it is kept here, and to the shared tier in the background.
    async fn make<E>(
        &self,
        namespace: &Arc<Namespace>,
        epoch: u32,
        compute: impl Future<Output = Result<Computed, E>>,
        shared: Option<(&Arc<SharedTier>, SharedKey)>,
        lock: Option<Lock>,
    ) -> Result<Stored, Unstored<E>> {
        let began = Instant::now();
        let computed = compute.await.map_err(Unstored::Failed)?;
        namespace.took(began.elapsed());
        self.settle(namespace, epoch, computed, shared, lock).map_err(Unstored::NotKept)
    }

    /// What was computed since `epoch`, as it is kept here; or only the entry, if it is not for keeping.
    fn settle(
        &self,
        namespace: &Arc<Namespace>,
        epoch: u32,
        computed: Computed,
        shared: Option<(&Arc<SharedTier>, SharedKey)>,
        lock: Option<Lock>,
    ) -> Result<Stored, Entry> {
        let Computed { entry, keep } = computed;
        let cleared_meanwhile = namespace.epoch.load(Ordering::Acquire) != epoch;
        if !keep || cleared_meanwhile {
            return Err(entry);
        }
        let grace = self.grace(namespace);
        if let Some((shared, key)) = shared {
            let fresh_until = unix_ms() + namespace.lifetime.as_millis() as u64;
            shared.put_later(key, Value { entry: entry.clone(), fresh_until }, namespace.lifetime + grace, lock);
        }
        let fresh_until = Instant::now() + namespace.lifetime;
        Ok(Stored { entry, namespace: namespace.clone(), fresh_until, kept_until: fresh_until + grace })
    }

    /// A value of the shared tier, as it is kept here; none when it is past its grace. The clocks of hosts
    /// may differ, so a life is never believed to be longer than the namespace's own.
    fn stored(&self, namespace: &Arc<Namespace>, value: Value) -> Option<Stored> {
        let now = Instant::now();
        let grace = self.grace(namespace);
        let left = Duration::from_millis(value.fresh_until.saturating_sub(unix_ms())).min(namespace.lifetime);
        let past = Duration::from_millis(unix_ms().saturating_sub(value.fresh_until));
        let kept_until = now + left + grace.checked_sub(past)?;
        (kept_until > now).then(|| Stored {
            entry: value.entry,
            namespace: namespace.clone(),
            fresh_until: now + left,
            kept_until,
        })
    }

    /// None also for a namespace whose entries live for no time.
    fn shared_of(&self, namespace: &Namespace) -> Option<&Arc<SharedTier>> {
        self.shared.as_ref().filter(|_| !namespace.lifetime.is_zero())
    }
}

fn lock_life(namespace: &Namespace) -> Duration {
    namespace.cost().map_or(FIRST_LOCK, |cost| (cost * COSTS).clamp(SHORTEST_LOCK, LONGEST_LOCK))
}

/// Between half and one and a half of it, so that hosts do not look in step.
fn jittered(wait: Duration) -> Duration {
    let mut random = [0; 1];
    let _ = getrandom::fill(&mut random);
    wait.mul_f32(0.5 + f32::from(random[0]) / 255.0)
}
