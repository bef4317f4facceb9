//! What the cache promises: one flight a key, takeover, nothing kept that should not be, exact clearing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore, oneshot};

use super::*;

fn key(byte: u8) -> Digest {
    [byte; 32]
}

fn entry(text: &str) -> Entry {
    Entry { body: Bytes::copy_from_slice(text.as_bytes()), etag: Arc::from(text) }
}

fn kept(text: &str) -> Computed {
    Computed { entry: entry(text), keep: true }
}

fn cache() -> Cache {
    Cache::new(1 << 20, Lifetimes::default())
}

async fn put(cache: &Cache, namespace: &str, byte: u8) {
    cache.get_or_compute::<String, _>(namespace, key(byte), async { Ok(kept("x")) }).await.unwrap();
}

async fn has(cache: &Cache, namespace: &str, byte: u8) -> bool {
    cache.get(namespace, key(byte)).await.is_some()
}

#[tokio::test]
async fn second_call_is_a_hit_and_does_not_compute() {
    let cache = cache();
    let first = cache.get_or_compute::<String, _>("syntax", key(1), async { Ok(kept("a")) }).await.unwrap();
    let second = cache
        .get_or_compute::<String, _>("syntax", key(1), async { panic!("must not be computed again") })
        .await
        .unwrap();
    assert_eq!(first, (entry("a"), Source::Miss));
    assert_eq!(second, (entry("a"), Source::Hit));
    assert_eq!(second.0.body.as_ptr(), first.0.body.as_ptr(), "a hit must not copy the body");
}

#[tokio::test]
async fn namespaces_do_not_see_each_other() {
    let cache = cache();
    put(&cache, "syntax", 1).await;
    assert!(has(&cache, "syntax", 1).await);
    assert!(!has(&cache, "semantic", 1).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_callers_share_one_computation() {
    let cache = cache();
    let computations = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(Semaphore::new(0));
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (cache, computations, gate) = (cache.clone(), computations.clone(), gate.clone());
            tokio::spawn(async move {
                cache
                    .get_or_compute::<String, _>("hybrid", key(7), async move {
                        computations.fetch_add(1, Ordering::SeqCst);
                        let _permit = gate.acquire().await.unwrap();
                        Ok(kept("shared"))
                    })
                    .await
                    .unwrap()
            })
        })
        .collect();
    tokio::task::yield_now().await;
    gate.add_permits(1);
    let mut sources = Vec::new();
    for caller in callers {
        let (entry, source) = caller.await.unwrap();
        assert_eq!(&entry.body[..], b"shared");
        sources.push(source);
    }
    assert_eq!(computations.load(Ordering::SeqCst), 1);
    assert_eq!(sources.iter().filter(|source| **source == Source::Miss).count(), 1);
    let figures = cache.figures().await;
    let hybrid = figures.namespaces.iter().find(|figures| figures.namespace == "hybrid").unwrap();
    assert_eq!(hybrid.misses, 1);
    assert_eq!(hybrid.hits + hybrid.coalesced, 99);
}

#[tokio::test]
async fn a_waiter_takes_over_from_a_cancelled_leader() {
    let cache = cache();
    let (started, has_started) = oneshot::channel();
    let leader = tokio::spawn({
        let cache = cache.clone();
        async move {
            cache
                .get_or_compute::<String, _>("hybrid", key(1), async {
                    started.send(()).unwrap();
                    std::future::pending().await
                })
                .await
        }
    });
    has_started.await.unwrap();
    let waiter = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_compute::<String, _>("hybrid", key(1), async { Ok(kept("second")) }).await }
    });
    tokio::task::yield_now().await;
    leader.abort();
    let (entry, source) = tokio::time::timeout(Duration::from_secs(60), waiter).await.unwrap().unwrap().unwrap();
    assert_eq!((&entry.body[..], source), (&b"second"[..], Source::Miss));
}

/// Starts a computation that ends with `outcome` and one caller who waits for it; gives both results.
async fn leader_and_waiter(cache: &Cache, outcome: Result<Computed, String>) -> [Result<(Entry, Source), String>; 2] {
    let (started, has_started) = oneshot::channel();
    let gate = Arc::new(Notify::new());
    let leader = tokio::spawn({
        let (cache, gate) = (cache.clone(), gate.clone());
        async move {
            let compute = async move {
                started.send(()).unwrap();
                gate.notified().await;
                outcome
            };
            cache.get_or_compute("semantic", key(9), compute).await
        }
    });
    has_started.await.unwrap();
    let waiter = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_compute("semantic", key(9), async { panic!("the leader is at it") }).await }
    });
    // On a current-thread runtime one yield runs the waiter up to its wait for the leader.
    tokio::task::yield_now().await;
    gate.notify_one();
    [leader.await.unwrap(), waiter.await.unwrap()]
}

#[tokio::test]
async fn an_unkept_answer_reaches_waiters_and_nobody_after_them() {
    let cache = cache();
    let unkept = Computed { entry: entry("degraded"), keep: false };
    let [leader, waiter] = leader_and_waiter(&cache, Ok(unkept)).await;
    assert_eq!(leader, Ok((entry("degraded"), Source::Uncacheable)));
    assert_eq!(waiter, Ok((entry("degraded"), Source::Coalesced)));
    assert!(!has(&cache, "semantic", 9).await);
}

#[tokio::test]
async fn an_error_reaches_waiters_and_nobody_after_them() {
    let cache = cache();
    let [leader, waiter] = leader_and_waiter(&cache, Err("no index".to_owned())).await;
    assert_eq!(leader, Err("no index".to_owned()));
    assert_eq!(waiter, Err("no index".to_owned()));
    let later = cache.get_or_compute::<String, _>("semantic", key(9), async { Ok(kept("well again")) }).await;
    assert_eq!(later, Ok((entry("well again"), Source::Miss)));
}

#[tokio::test]
async fn entries_age_by_their_namespace() {
    let lifetimes =
        Lifetimes { named: [("brief".to_owned(), Duration::from_millis(20))].into(), other: Duration::from_secs(3600) };
    let cache = Cache::new(1 << 20, lifetimes);
    put(&cache, "brief", 1).await;
    put(&cache, "long", 1).await;
    let patience = Instant::now();
    while has(&cache, "brief", 1).await {
        assert!(patience.elapsed() < Duration::from_secs(60), "the entry never aged");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(has(&cache, "long", 1).await);
}

#[tokio::test]
async fn warming_renews_what_is_stale_and_counts_no_question() {
    let lifetimes = Lifetimes { named: [].into(), other: Duration::from_millis(20) };
    let grace = Duration::from_secs(3600);
    let cache = Cache::with(CacheOptions { capacity_bytes: 1 << 20, lifetimes, grace, shared: None });
    put(&cache, "hybrid", 1).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(cache.warm::<String, _>("hybrid", key(1), async { Ok(kept("y")) }).await, Ok(Source::Stale));
    let patience = Instant::now();
    while cache.figures().await.namespaces[0].refreshed == 0 {
        assert!(patience.elapsed() < Duration::from_secs(60), "it was never renewed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let figures = &cache.figures().await.namespaces[0];
    assert_eq!((figures.hits, figures.misses, figures.stale, figures.coalesced), (0, 1, 0, 0));
}

#[tokio::test]
async fn clearing_is_exact_and_keeps_other_namespaces() {
    let cache = cache();
    for byte in 0..7 {
        put(&cache, "semantic", byte).await;
    }
    for byte in 0..3 {
        put(&cache, "syntax", byte).await;
    }
    assert_eq!(cache.clear(Some("semantic")).await.entries, 7);
    assert_eq!(cache.clear(Some("semantic")).await.entries, 0);
    assert_eq!(cache.clear(Some("never seen")).await.entries, 0);
    assert!(!has(&cache, "semantic", 0).await);
    assert!(has(&cache, "syntax", 0).await);
    put(&cache, "semantic", 0).await;
    assert_eq!(cache.clear(None).await.entries, 4);
    assert!(!has(&cache, "syntax", 0).await);
}

#[tokio::test]
async fn what_was_being_computed_during_a_clear_is_not_kept() {
    let cache = cache();
    let clearing = cache.clone();
    let (answer, source) = cache
        .get_or_compute::<String, _>("semantic", key(1), async move {
            clearing.clear(Some("semantic")).await;
            Ok(kept("stale"))
        })
        .await
        .unwrap();
    assert_eq!((answer, source), (entry("stale"), Source::Uncacheable));
    assert!(!has(&cache, "semantic", 1).await);
}

#[tokio::test]
async fn bytes_are_bounded_and_evictions_counted() {
    let capacity = 64 * 1024;
    let cache = Cache::new(capacity, Lifetimes::default());
    for byte in 0..100 {
        let body = Entry { body: Bytes::from(vec![byte; 4096]), etag: Arc::from("e") };
        let compute = async { Ok(Computed { entry: body, keep: true }) };
        cache.get_or_compute::<String, _>("semantic", key(byte), compute).await.unwrap();
    }
    let figures = cache.figures().await;
    assert!(figures.bytes <= capacity, "{} bytes in a cache of {capacity}", figures.bytes);
    assert!(figures.entries <= capacity / 4096);
    assert_eq!(figures.namespaces[0].evicted + figures.entries, 100);
    assert_eq!(figures.namespaces[0].misses, 100);
}
