//! What the shared tier promises over real servers: found by other hosts, cleared on all of them, computed
//! once; and that nothing it does can hurt a request.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use services::{Redis, RedisCluster};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
async fn what_is_damaged_or_foreign_is_a_miss_and_goes() {
    let server = Redis::start();
    let cache = host(&server.url()).await;
    let tier = cache.inner.shared.clone().unwrap();
    let foreign: [(u64, &[&str]); 4] = [
        (1, &["SET", "KEY", "what another program wrote"]),
        (2, &["RPUSH", "KEY", "a", "list"]),
        (3, &["SET", "KEY", ""]),
        (4, &["SETRANGE", "KEY", "40", "x"]),
    ];
    for (number, command) in foreign {
        let key = tier.key("hybrid", &digest(number)).name;
        let words: Vec<&str> = command.iter().map(|word| if *word == "KEY" { &*key } else { word }).collect();
        server.command(&words);
        assert_eq!(ask(&cache, number).await.1, Source::Miss, "{command:?}");
    }
    let figures = shared(&cache).await;
    assert_eq!((figures.corrupted, figures.misses), (4, 4));
    assert!(figures.state.available);
    // Deleted or overwritten by now: whoever asks next finds it.
    eventually("the true values", async || {
        let other = host(&server.url()).await;
        let mut sources = Vec::new();
        for number in 1..=4 {
            sources.push(ask(&other, number).await);
        }
        sources
            .iter()
            .enumerate()
            .all(|(at, (found, source))| *found == entry(&format!("answer {}", at + 1)) && *source == Source::Shared)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_may_go_and_come_back() {
    let mut server = Redis::start();
    let cache = host(&server.url()).await;
    ask(&cache, 0).await;
    server.kill();
    for number in 1..50 {
        assert_eq!(ask(&cache, number).await, (entry(&format!("answer {number}")), Source::Miss));
    }
    let figures = shared(&cache).await;
    assert!(!figures.state.available && figures.state.outages == 1, "{figures:?}");
    assert!(figures.state.last_error.unwrap().starts_with("redis"));
    server.restart();
    eventually("its return", async || shared(&cache).await.state.available).await;
    let before = shared(&cache).await.sets;
    assert_eq!(ask(&cache, 100).await.1, Source::Miss);
    written(&cache, before + 1).await;
    assert_eq!(ask(&host(&server.url()).await, 100).await.1, Source::Shared);
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_may_be_away_at_the_start() {
    let mut server = Redis::start();
    server.kill();
    let cache = host(&server.url()).await;
    assert_eq!(ask(&cache, 1).await.1, Source::Miss);
    let figures = shared(&cache).await;
    assert!(figures.skipped > 0 && figures.errors == 0, "nobody waits for what is known to be away: {figures:?}");
    server.restart();
    eventually("its arrival", async || shared(&cache).await.state.available).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_redis_costs_a_few_time_outs_and_then_nothing() {
    let server = Redis::start();
    let options = SharedOptions { timeout: Duration::from_millis(50), ..options() };
    let cache = host_with(&server.url(), Duration::from_secs(60), Duration::ZERO, options).await;
    ask(&cache, 0).await;
    written(&cache, 1).await;
    server.pause();
    for number in 1..40 {
        assert_eq!(ask(&cache, number).await.1, Source::Miss);
    }
    let figures = shared(&cache).await;
    assert!(!figures.state.available);
    // Five in a row open the breaker; a lock, a write and a look in the background may be under way as well.
    assert!(figures.timeouts <= 10, "{figures:?}");
    assert!(figures.skipped >= 30, "{figures:?}");
    server.resume();
    eventually("its return", async || shared(&cache).await.state.available).await;
}

/// Everything passes, but answers come late.
async fn late(port: u16, by: Duration) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let ((mut asked, mut answer), (mut answered, mut ask)) = (client.into_split(), server.into_split());
            tokio::spawn(async move { tokio::io::copy(&mut asked, &mut ask).await });
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = answered.read(&mut buffer).await {
                    tokio::time::sleep(by).await;
                    let _ = answer.write_all(&buffer[..read]).await;
                }
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_redis_is_left_alone() {
    let server = Redis::start();
    let url = late(server.port(), Duration::from_millis(150)).await;
    // Quick enough for patient looks in the background, too slow for requests.
    let options = SharedOptions { timeout: Duration::from_millis(50), ..options() };
    let cache = host_with(&url, Duration::from_secs(60), Duration::ZERO, options).await;
    let tier = cache.inner.shared.clone().unwrap();
    assert!(!shared(&cache).await.state.available);
    // As if it had become slow in use.
    tier.breaker.close();
    for number in 0..40 {
        ask(&cache, number).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let figures = shared(&cache).await;
    assert_eq!((figures.state.available, figures.state.outages), (false, 1), "{figures:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_redis_is_read_and_not_written() {
    let server = Redis::start_with(&["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]);
    let cache = host(&server.url()).await;
    ask(&cache, 0).await;
    written(&cache, 1).await;
    let mut number = 1;
    while shared(&cache).await.state.writable {
        let mut noise = vec![0; 100_000];
        blake3::Hasher::new().update(&digest(number)).finalize_xof().fill(&mut noise);
        let large = Computed { entry: Entry { body: noise.into(), etag: "e".into() }, keep: true };
        let compute = async move { Ok::<_, String>(large) };
        assert_eq!(cache.get_or_compute("hybrid", digest(number), compute).await.unwrap().1, Source::Miss);
        number += 1;
        assert!(number < 1000, "it never filled");
        tokio::task::yield_now().await;
    }
    let figures = shared(&cache).await;
    assert!(figures.state.available && figures.dropped > 0, "{figures:?}");
    assert!(figures.state.last_error.unwrap().contains("maxmemory"));
    assert_eq!(ask(&host(&server.url()).await, 0).await.1, Source::Shared, "what it has is still read");
    // Clearing works without room, and makes room.
    assert!(cache.clear(None).await.shared > 0);
    eventually("room", async || {
        number += 1;
        ask(&cache, number).await;
        shared(&cache).await.state.writable
    })
    .await;
}

/// Answers whatever comes with noise, with what looks like the protocol and is not, or hangs up.
async fn nonsense() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut turn = 0_u64;
        while let Ok((mut stream, _)) = listener.accept().await {
            turn += 1;
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let mut noise = [0; 512];
                blake3::Hasher::new().update(&turn.to_le_bytes()).finalize_xof().fill(&mut noise);
                let answers: [&[u8]; 8] = [
                    &noise,
                    b"$999999999999\r\nabc\r\n",
                    b"*1000000000\r\n$3\r\nabc\r\n",
                    b"HTTP/1.1 400 Bad Request\r\n\r\n",
                    b":42\r\n:42\r\n:42\r\n:42\r\n:42\r\n",
                    b"-ERR something else entirely\r\n",
                    b"+OK\r\n+OK\r\n+OK\r\n%1\r\n$1\r\na\r\n",
                    b"",
                ];
                while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    if stream.write_all(answers[(turn % 8) as usize]).await.is_err() || turn % 8 == 7 {
                        return;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_from_whatever_answers_hurts_nobody() {
    let url = nonsense().await;
    let options = SharedOptions { timeout: Duration::from_millis(50), ..options() };
    let cache = host_with(&url, Duration::from_secs(60), Duration::ZERO, options).await;
    let tier = cache.inner.shared.clone().unwrap();
    for number in 0..100 {
        // As if the last look had found it well.
        tier.breaker.close();
        assert_eq!(ask(&cache, number).await, (entry(&format!("answer {number}")), Source::Miss));
    }
    assert!(shared(&cache).await.errors > 0);
    assert_eq!(cache.clear(None).await.entries, 100);
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

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cleared_while_redis_was_away_does_not_come_back() {
    let server = Redis::start();
    let options = SharedOptions { timeout: Duration::from_millis(50), ..options() };
    let cache = host_with(&server.url(), Duration::from_secs(60), Duration::ZERO, options).await;
    let other = host(&server.url()).await;
    ask(&cache, 1).await;
    written(&cache, 1).await;
    assert_eq!(ask(&other, 1).await.1, Source::Shared);
    server.pause();
    let mut number = 10;
    eventually("the breaker", async || {
        number += 1;
        ask(&cache, number).await;
        !shared(&cache).await.state.available
    })
    .await;
    assert_eq!(cache.clear(None).await.shared, 0);
    server.resume();
    eventually("its return", async || shared(&cache).await.state.available).await;
    assert_eq!(ask(&cache, 1).await.1, Source::Miss);
    eventually("the other host's notice", async || {
        // It finds the new one or computes; what it must not do is keep the old one for ever.
        other.figures().await.namespaces[0].misses > 0 || ask(&other, 1).await.1 != Source::Hit
    })
    .await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_may_lose_a_node_and_get_it_back() {
    let mut cluster = RedisCluster::start();
    let cache = host(&cluster.url()).await;
    ask(&cache, 0).await;
    written(&cache, 1).await;
    cluster.nodes[1].kill();
    for number in 1..40 {
        assert_eq!(ask(&cache, number).await, (entry(&format!("answer {number}")), Source::Miss));
    }
    cluster.nodes[1].restart();
    let mut number = 1000;
    eventually("all slots", async || {
        // Enough keys for each node to have some of them.
        let digests: Vec<Digest> = (number..number + 30).map(digest).collect();
        for number in number..number + 30 {
            ask(&cache, number).await;
        }
        number += 30;
        shared(&cache).await.state.available && cache.share("hybrid", &digests).await == 30
    })
    .await;
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
