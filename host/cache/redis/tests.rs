//! What the shared tier promises over real servers: found by other hosts, cleared on all of them, computed once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// Nothing that becomes of Redis can hurt a request.
mod faults;

use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use services::{Redis, RedisCluster};

use super::*;
use crate::cache::{Cache, CacheOptions, Computed, Entry, Lifetimes, Source};

const PATIENCE: Duration = Duration::from_secs(60);

fn digest(number: u64) -> Digest {
    *blake3::hash(&number.to_le_bytes()).as_bytes()
}

fn entry(text: &str) -> Entry {
    Entry { body: Bytes::copy_from_slice(text.as_bytes()), etag: text[..text.len().min(8)].into() }
}

fn kept(text: &str) -> Result<Computed, String> {
    Ok(Computed { entry: entry(text), keep: true })
}

/// Long enough for a busy machine, short enough to wait for.
fn options() -> SharedOptions {
    SharedOptions {
        max_connections: 4,
        timeout: Duration::from_millis(500),
        prefix: "test".into(),
        compression_threshold: 1024,
        poll: Duration::from_millis(100),
    }
}

/// One more host over a server.
async fn host_with(url: &str, lifetime: Duration, grace: Duration, shared: SharedOptions) -> Cache {
    let shared = Arc::new(SharedTier::new(url, shared).unwrap());
    shared.open().await;
    let lifetimes = Lifetimes { named: HashMap::new(), other: lifetime };
    Cache::with(CacheOptions { capacity_bytes: 1 << 24, lifetimes, grace, shared: Some(shared) })
}

async fn host(url: &str) -> Cache {
    host_with(url, Duration::from_secs(3600), Duration::from_secs(60), options()).await
}

async fn ask(cache: &Cache, number: u64) -> (Entry, Source) {
    let text = format!("answer {number}");
    cache.get_or_compute("hybrid", digest(number), async move { kept(&text) }).await.unwrap()
}

async fn shared(cache: &Cache) -> SharedFigures {
    cache.figures().await.shared.unwrap()
}

async fn eventually(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !ask().await {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn written(cache: &Cache, count: u64) {
    eventually("a write", async || shared(cache).await.sets >= count).await;
}

/// A number out of an answer such as `:3\r\n`.
fn size(server: &Redis) -> u64 {
    server.command(&["DBSIZE"]).trim_matches([':', '\r', '\n']).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_finds_what_one_has_computed() {
    let server = Redis::start();
    let (one, two) = (host(&server.url()).await, host(&server.url()).await);
    let long = "the quick brown fox ".repeat(1000);
    let text = long.clone();
    let compute = async move { kept(&text) };
    assert_eq!(one.get_or_compute("hybrid", digest(1), compute).await.unwrap().1, Source::Miss);
    written(&one, 1).await;
    let never = async { panic!("another host has it") };
    let found = two.get_or_compute::<String, _>("hybrid", digest(1), never).await.unwrap();
    assert_eq!(found, (entry(&long), Source::Shared));
    assert_eq!(ask(&two, 1).await.1, Source::Hit);
    let (one, two) = (shared(&one).await, shared(&two).await);
    assert_eq!((one.hits, one.misses, one.sets), (0, 1, 1));
    assert_eq!((two.hits, two.misses, two.sets, two.hit_rate()), (1, 0, 0, 100.0));
    assert_eq!(one.body_bytes, long.len() as u64);
    assert!(one.saved_bytes() > long.len() as u64 / 2, "{one:?}");
    assert_eq!((one.get.all.count, one.set.all.count), (1, 1));
    let ttl = server.command(&["EVAL", "return redis.call('PTTL', redis.call('KEYS', 'test:v1:*')[1])", "0"]);
    let ttl: u64 = ttl.trim_matches([':', '\r', '\n']).parse().unwrap();
    assert!((3_000_000..=3_660_000).contains(&ttl), "one hour and the minute of grace, but {ttl} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn clearing_reaches_all_hosts_and_says_how_much() {
    let server = Redis::start();
    let hosts = [host(&server.url()).await, host(&server.url()).await, host(&server.url()).await];
    for number in 0..1500 {
        ask(&hosts[0], number).await;
        if number % 200 == 199 {
            written(&hosts[0], number + 1).await;
        }
    }
    written(&hosts[0], 1500).await;
    let other = hosts[0].get_or_compute("syntax", digest(1), async { kept("of another namespace") });
    other.await.unwrap();
    written(&hosts[0], 1501).await;
    for number in 0..10 {
        assert_eq!(ask(&hosts[1], number).await.1, Source::Shared);
    }
    let mut cleared = hosts[2].clear(Some("hybrid")).await;
    // Listeners arrive a moment after the start.
    assert!(cleared.hosts <= 2);
    assert_eq!((cleared.entries, cleared.shared), (0, 1500));
    for cache in &hosts {
        eventually("the end of old answers", async || cache.get("hybrid", digest(1)).await.is_none()).await;
    }
    assert_eq!(ask(&hosts[1], 1).await.1, Source::Miss);
    // A write that lands after a clear lies where nobody looks, but it lies there.
    written(&hosts[1], 1).await;
    assert_eq!(hosts[0].get("syntax", digest(1)).await, Some(entry("of another namespace")));
    eventually("all listeners", async || {
        cleared = hosts[1].clear(None).await;
        cleared.hosts == 2
    })
    .await;
    eventually("an empty cache", async || hosts[0].get("syntax", digest(1)).await.is_none()).await;
    // A lock may be on its way out; the generations stay.
    eventually("an empty Redis", async || size(&server) == 1).await;
}

#[test]
fn clearing_everything_is_newer_than_any_namespace_that_a_host_ahead_of_time_has_cleared() {
    let tier = SharedTier::new("redis://localhost", options()).unwrap();
    assert!(tier.adopt("hybrid", unix_ms() + 3_600_000));
    let before = tier.key("hybrid", &digest(1)).name;
    tier.outdate(None);
    assert_ne!(tier.key("hybrid", &digest(1)).name, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_go_in_one_round_trip() {
    let server = Redis::start();
    let (one, two) = (host(&server.url()).await, host(&server.url()).await);
    let digests: Vec<Digest> = (0..150).map(digest).collect();
    for number in 0..150 {
        ask(&one, number).await;
    }
    written(&one, 150).await;
    server.command(&["FLUSHALL"]);
    let before = shared(&one).await.set.all.count;
    assert_eq!(one.share("hybrid", &digests).await, 150);
    assert_eq!(shared(&one).await.set.all.count, before + 1);
    assert_eq!(two.fetch("hybrid", &digests).await, 150);
    assert_eq!(shared(&two).await.get.all.count, 1);
    assert_eq!(ask(&two, 149).await.1, Source::Hit);
    assert_eq!(two.figures().await.namespaces[0].warmed, 150);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_and_found_in_the_shared_tier_is_a_hit_there_and_nothing_warmed() {
    let server = Redis::start();
    let (one, two) = (host(&server.url()).await, host(&server.url()).await);
    ask(&one, 1).await;
    written(&one, 1).await;
    assert_eq!(two.find("hybrid", digest(1)).await, Some((entry("answer 1"), Source::Shared)));
    assert_eq!(two.find("hybrid", digest(1)).await, Some((entry("answer 1"), Source::Hit)));
    assert_eq!(two.find("hybrid", digest(2)).await, None);
    let figures = two.figures().await.namespaces.remove(0);
    assert_eq!((figures.shared, figures.hits, figures.misses, figures.warmed), (1, 1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_does_all_of_it() {
    let cluster = RedisCluster::start();
    let (one, two) = (host(&cluster.url()).await, host(&cluster.url()).await);
    assert!(shared(&one).await.state.available, "{:?}", shared(&one).await);
    for number in 0..60 {
        assert_eq!(ask(&one, number).await.1, Source::Miss);
    }
    written(&one, 60).await;
    assert!(cluster.nodes.iter().all(|node| size(node) > 5), "keys are spread");
    assert_eq!(ask(&two, 0).await.1, Source::Shared);
    let digests: Vec<Digest> = (0..60).map(digest).collect();
    assert_eq!(two.fetch("hybrid", &digests).await, 60);
    assert_eq!(one.share("hybrid", &digests).await, 60);
    let mut cleared = one.clear(Some("hybrid")).await;
    assert_eq!(cleared.shared, 60);
    eventually("the other host's notice", async || two.get("hybrid", digest(1)).await.is_none()).await;
    eventually("all listeners", async || {
        cleared = one.clear(None).await;
        cleared.hosts == 1
    })
    .await;
    let figures = shared(&one).await;
    assert!(figures.memory_usage_bytes > 3 << 19, "{figures:?}");
    assert_eq!(figures.errors, 0, "{figures:?}");
}

/// Asks for one key a thousand times on each host; how often each computed, and what they got.
async fn stampede(hosts: &[Cache], round: &'static str) -> Vec<usize> {
    let counts: Vec<Arc<AtomicUsize>> = hosts.iter().map(|_| Arc::default()).collect();
    let mut callers = Vec::new();
    for (cache, count) in hosts.iter().zip(&counts) {
        for _ in 0..1000 {
            let (cache, count) = (cache.clone(), count.clone());
            callers.push(tokio::spawn(async move {
                let compute = async move {
                    count.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    kept(round)
                };
                cache.get_or_compute("hybrid", digest(7), compute).await.unwrap()
            }));
        }
    }
    for caller in callers {
        caller.await.unwrap();
    }
    eventually("the new answer", async || {
        let mut fresh = 0;
        for cache in hosts {
            fresh += usize::from(cache.get("hybrid", digest(7)).await == Some(entry(round)));
        }
        // The last refresh may still be in the background; asking keeps it going.
        for cache in hosts {
            let never = async { Err::<Computed, _>("late".to_owned()) };
            let _ = cache.get_or_compute("hybrid", digest(7), never).await;
        }
        fresh >= 1
    })
    .await;
    counts.iter().map(|count| count.load(Ordering::SeqCst)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_key_is_computed_once_when_it_is_new_and_once_when_it_expires() {
    for grace in [Duration::ZERO, Duration::from_secs(60)] {
        let lifetimes = Lifetimes { named: HashMap::new(), other: Duration::from_secs(3) };
        let cache = Cache::with(CacheOptions { capacity_bytes: 1 << 20, lifetimes, grace, shared: None });
        assert_eq!(stampede(std::slice::from_ref(&cache), "new").await, [1]);
        eventually("the end of its life", async || cache.get("hybrid", digest(7)).await.is_none()).await;
        assert_eq!(stampede(std::slice::from_ref(&cache), "newer").await, [1], "with a grace of {grace:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_three_hosts_a_hot_key_is_computed_at_most_once_each() {
    let server = Redis::start();
    let (life, grace) = (Duration::from_secs(3), Duration::from_secs(60));
    let mut hosts = Vec::new();
    for _ in 0..3 {
        hosts.push(host_with(&server.url(), life, grace, options()).await);
    }
    for round in ["new", "newer"] {
        let counts = stampede(&hosts, round).await;
        assert!(counts.iter().all(|count| *count <= 1), "{round}: {counts:?}");
        assert!(counts.iter().sum::<usize>() >= 1, "{round}: {counts:?}");
        for cache in &hosts {
            eventually("the end of its life", async || cache.get("hybrid", digest(7)).await.is_none()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_agree_on_who_computes_what_is_expensive() {
    let server = Redis::start();
    let hosts = [host(&server.url()).await, host(&server.url()).await, host(&server.url()).await];
    let count = Arc::new(AtomicUsize::new(0));
    let asked = hosts.iter().map(|cache| {
        let count = count.clone();
        cache.get_or_compute("hybrid", digest(3), async move {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(300)).await;
            kept("expensive")
        })
    });
    let answers = join_all(asked).await;
    assert_eq!(count.load(Ordering::SeqCst), 1);
    let sources: Vec<Source> = answers.into_iter().map(|answer| answer.unwrap().1).collect();
    assert_eq!(sources.iter().filter(|source| **source == Source::Miss).count(), 1, "{sources:?}");
    assert_eq!(sources.iter().filter(|source| **source == Source::Shared).count(), 2, "{sources:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_holder_of_the_lock_leaves_the_key_to_the_others() {
    let server = Redis::start();
    let (one, two) = (host(&server.url()).await, host(&server.url()).await);
    let (started, has_started) = tokio::sync::oneshot::channel();
    let first = tokio::spawn(async move {
        let compute = async move {
            started.send(()).unwrap();
            std::future::pending::<Result<Computed, String>>().await
        };
        one.get_or_compute("hybrid", digest(3), compute).await
    });
    has_started.await.unwrap();
    let waiting = tokio::spawn(async move { ask(&two, 3).await });
    tokio::task::yield_now().await;
    first.abort();
    assert_eq!(tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap().1, Source::Miss);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_dropped_while_asking_for_the_lock_leaves_none() {
    let server = Redis::start();
    // Nothing else is asked meanwhile, so all goes over one connection and in order.
    let options = SharedOptions { poll: Duration::from_secs(3600), ..options() };
    let hour = Duration::from_secs(3600);
    let cache = host_with(&server.url(), hour, Duration::ZERO, options).await;
    let tier = cache.inner.shared.clone().unwrap();
    let key = tier.key("hybrid", &digest(3));
    server.pause();
    assert!(tokio::time::timeout(Duration::from_millis(20), tier.claim(&key, hour)).await.is_err());
    server.resume();
    eventually("the lock", async || matches!(tier.claim(&key, hour).await.0, Claim::Won(_))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_the_lock_after_another_host_has_finished_is_given_what_that_has_found() {
    let server = Redis::start();
    let (one, two) = (host(&server.url()).await, host(&server.url()).await);
    let tier = two.inner.shared.clone().unwrap();
    let key = tier.key("hybrid", &digest(3));
    assert!(tier.get(&key).await.unwrap().is_none());
    ask(&one, 3).await;
    written(&one, 1).await;
    let (_claim, value) = tier.claim(&key, Duration::from_secs(1)).await;
    assert_eq!(value.unwrap().entry, entry("answer 3"));
}
