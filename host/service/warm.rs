//! Answers before they are asked for: the most frequent questions of the last while are answered anew when
//! a plugin or the index has changed, off the way of requests and only while there is room. Counting is on
//! the way of every search, so it allocates nothing for a question that it knows and never waits.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{Plan, SearchRequest, Service, Timings};
use crate::cache::{Digest, Source};

/// Questions that are counted for each that is warmed: room for newcomers to prove themselves.
const COUNTED: usize = 8;
/// Between looks at what serves.
const LOOK: Duration = Duration::from_millis(200);
/// Changes come in bursts (a tree that is being indexed, a folder of plugins), each of which makes what was
/// warmed for the one before worthless: it begins when nothing has changed for this long.
const QUIET: Duration = Duration::from_millis(500);
/// After a round it rests this many times as long as the round took, so that an index that changes every
/// second costs a quarter of a processor and not a whole one.
const REST: u32 = 3;
const LONGEST_REST: Duration = Duration::from_secs(60);

/// Registry, index, returns of the shared tier, whether the better model answers.
type Serving = (u64, u64, u64, bool);

/// What warming did since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WarmFigures {
    /// Changes after which it ran to its end.
    pub rounds: u64,
    /// Answers computed.
    pub computed: u64,
    /// Answers that another host had computed already.
    pub fetched: u64,
    /// Answers given to a shared tier that came back, perhaps without what it had.
    pub given: u64,
    pub failed: u64,
    /// Questions that are counted at present.
    pub counted: u64,
}

/// Counts questions in bounded space: Space-Saving (Metwally, Agrawal and El Abbadi, "Efficient computation
/// of frequent and top-k elements in data streams", ICDT 2005), halved once a period so that what was
/// frequent long ago makes room.
pub(super) struct Frequent {
    top: Mutex<Top>,
    wanted: usize,
    period: Duration,
    rounds: AtomicU64,
    computed: AtomicU64,
    fetched: AtomicU64,
    given: AtomicU64,
    failed: AtomicU64,
}

#[derive(Default)]
struct Top {
    counts: HashMap<u128, (u64, Arc<SearchRequest>)>,
    halved: Option<Instant>,
}

impl Frequent {
    /// `wanted` questions shall be warmed; counts are halved every `period`.
    pub fn new(wanted: usize, period: Duration) -> Self {
        let [rounds, computed, fetched, given, failed] = [const { AtomicU64::new(0) }; 5];
        Self { top: Mutex::default(), wanted, period, rounds, computed, fetched, given, failed }
    }

    /// Counts one, unless another thread is counting at this very moment.
    pub fn count(&self, plan: &Plan, question: &Digest, now: Instant) {
        let mut names = DefaultHasher::new();
        (&plan.strategy.description.name, &plan.ranker.description.name).hash(&mut names);
        let mut first = [0; 16];
        first.copy_from_slice(&question[..16]);
        self.count_as(u128::from_le_bytes(first) ^ u128::from(names.finish()), &plan.request, now);
    }

    fn count_as(&self, question: u128, request: &SearchRequest, now: Instant) {
        let Some(mut top) = self.top.try_lock() else { return };
        let top = &mut *top;
        if now.saturating_duration_since(*top.halved.get_or_insert(now)) >= self.period {
            top.halved = Some(now);
            top.counts.retain(|_, (count, _)| {
                *count /= 2;
                *count > 0
            });
        }
        if let Some((count, _)) = top.counts.get_mut(&question) {
            *count += 1;
            return;
        }
        let mut inherited = 0;
        if top.counts.len() >= self.wanted * COUNTED {
            let least = top.counts.iter().min_by_key(|(_, (count, _))| *count).map(|(key, (count, _))| (*key, *count));
            if let Some((key, count)) = least {
                top.counts.remove(&key);
                inherited = count;
            }
        }
        top.counts.insert(question, (inherited + 1, Arc::new(request.clone())));
    }

    /// The most frequent first.
    fn most_frequent(&self) -> Vec<Arc<SearchRequest>> {
        let mut all: Vec<(u64, Arc<SearchRequest>)> = self.top.lock().counts.values().cloned().collect();
        all.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        all.truncate(self.wanted);
        all.into_iter().map(|(_, request)| request).collect()
    }

    fn figures(&self) -> WarmFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WarmFigures {
            rounds: read(&self.rounds),
            computed: read(&self.computed),
            fetched: read(&self.fetched),
            given: read(&self.given),
            failed: read(&self.failed),
            counted: self.top.lock().counts.len() as u64,
        }
    }
}

impl Service {
    /// Zeros when nothing is warmed.
    pub fn warm_figures(&self) -> WarmFigures {
        self.inner.frequent.as_ref().map(Frequent::figures).unwrap_or_default()
    }

    /// Warms after every change of plugins or index, until `closing`. Returns at once when nothing is counted.
    pub async fn keep_warm(self, closing: CancellationToken) {
        let Some(frequent) = &self.inner.frequent else { return };
        let work = async {
            let mut warmed_for = self.serving();
            loop {
                tokio::time::sleep(LOOK).await;
                if self.serving() != warmed_for {
                    let (before, now) = (warmed_for, self.quiet().await);
                    warmed_for = now;
                    let began = Instant::now();
                    if self.warm(frequent, now, now.2 != before.2).await {
                        frequent.rounds.fetch_add(1, Ordering::Relaxed);
                    }
                    tokio::time::sleep((began.elapsed() * REST).min(LONGEST_REST)).await;
                }
            }
        };
        tokio::select! {
            () = closing.cancelled() => {}
            () = work => {}
        }
    }

    /// What answers are made of, and how often the shared tier came back, as numbers that change with it.
    fn serving(&self) -> Serving {
        let inner = &self.inner;
        let snapshot = inner.index.snapshot();
        let registry = inner.runtime.registry().generation;
        (registry, snapshot.generation(), inner.cache.returns(), snapshot.has_better_model())
    }

    /// Waits until changes have come to rest.
    async fn quiet(&self) -> Serving {
        let mut serving = self.serving();
        loop {
            tokio::time::sleep(QUIET).await;
            let now = self.serving();
            if now == serving {
                return now;
            }
            serving = now;
        }
    }

    /// One round; false if it was overtaken by the next change. `give`: the shared tier may have lost what
    /// this host still has.
    async fn warm(&self, frequent: &Frequent, serving: Serving, give: bool) -> bool {
        let inner = &self.inner;
        let mut missing: HashMap<String, Vec<(Digest, Arc<SearchRequest>)>> = HashMap::new();
        let mut held: HashMap<String, Vec<Digest>> = HashMap::new();
        for request in frequent.most_frequent() {
            // A plugin that it names may be gone.
            let Ok(plan) = inner.plan((*request).clone()) else { continue };
            let key = plan.key(&inner.collection, &request.digest());
            if inner.cache.holds(plan.namespace(), key).await {
                held.entry(plan.namespace().to_owned()).or_default().push(key);
            } else {
                missing.entry(plan.namespace().to_owned()).or_default().push((key, request));
            }
        }
        for (namespace, keys) in held.into_iter().filter(|_| give) {
            let given = inner.cache.share(&namespace, &keys).await;
            frequent.given.fetch_add(given as u64, Ordering::Relaxed);
        }
        for (namespace, questions) in missing {
            let keys: Vec<Digest> = questions.iter().map(|(key, _)| *key).collect();
            let fetched = inner.cache.fetch(&namespace, &keys).await;
            frequent.fetched.fetch_add(fetched as u64, Ordering::Relaxed);
            for (key, request) in questions {
                if inner.cache.holds(&namespace, key).await {
                    continue;
                }
                self.room().await;
                let Ok(plan) = inner.plan((*request).clone()) else { continue };
                // After the look at what serves now, so that an answer never lies under the key of another.
                if self.serving() != serving {
                    return false;
                }
                let compute = inner.clone().answer(plan, Arc::new(Mutex::new(Timings::new())));
                let counter = match inner.cache.warm(&namespace, key, compute).await {
                    Ok(Source::Miss) => &frequent.computed,
                    // Somebody has asked meanwhile, here or elsewhere.
                    Ok(_) => continue,
                    Err(_) => &frequent.failed,
                };
                counter.fetch_add(1, Ordering::Relaxed);
            }
        }
        true
    }

    /// Waits until requests leave at least half of the turns free.
    async fn room(&self) {
        while self.inner.permits.available_permits() * 2 < self.inner.limits.concurrent_searches {
            tokio::time::sleep(LOOK).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Query;

    fn request(number: u128) -> SearchRequest {
        SearchRequest {
            strategy: "hybrid".into(),
            ranker: None,
            query: Query::new(number.to_string(), 10),
            offset: 0,
            max_results: 10,
            context_lines: 0,
            explain: false,
            facets: vec![],
            persona: None,
            understand: None,
        }
    }

    fn ask(frequent: &Frequent, number: u128, times: usize, now: Instant) {
        (0..times).for_each(|_| frequent.count_as(number, &request(number), now));
    }

    fn texts(frequent: &Frequent) -> Vec<String> {
        frequent.most_frequent().iter().map(|request| request.query.text.clone()).collect()
    }

    #[test]
    fn the_frequent_ones_survive_a_flood_of_others_in_bounded_space() {
        let (frequent, now) = (Frequent::new(3, Duration::from_secs(3600)), Instant::now());
        for turn in 0..200 {
            // Each of the frequent is a fifth of all: more than 1 in 24, which Space-Saving is sure to find.
            (1..=3).for_each(|number| ask(&frequent, number, 1, now));
            ask(&frequent, 1000 + 2 * turn, 1, now);
            ask(&frequent, 1001 + 2 * turn, 1, now);
        }
        let mut found = texts(&frequent);
        found.sort();
        assert_eq!(found, ["1", "2", "3"]);
        assert!(frequent.figures().counted <= 24);
    }

    #[test]
    fn what_was_frequent_long_ago_makes_room() {
        let (period, now) = (Duration::from_secs(3600), Instant::now());
        let frequent = Frequent::new(1, period);
        ask(&frequent, 1, 100, now);
        ask(&frequent, 2, 30, now + period);
        assert_eq!(texts(&frequent), ["1"]);
        // 100 / 2 / 2 = 25 against (30 + 5) / 2 = 17, then 12 against 8 + 10.
        ask(&frequent, 2, 5, now + period);
        ask(&frequent, 2, 1, now + period * 2);
        assert_eq!(texts(&frequent), ["1"]);
        ask(&frequent, 2, 10, now + period * 3);
        assert_eq!(texts(&frequent), ["2"]);
    }
}
