//! Nothing that becomes of Redis can hurt a request: away, frozen, slow, full, damaged, or something else.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

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
async fn who_clears_may_be_gone_before_redis_was_told() {
    let server = Redis::start();
    let (one, two) = (host(&server.url()).await, host(&server.url()).await);
    ask(&one, 1).await;
    written(&one, 1).await;
    assert_eq!(ask(&two, 1).await.1, Source::Shared);
    server.pause();
    assert!(tokio::time::timeout(Duration::from_millis(20), one.clear(None)).await.is_err());
    assert_eq!(one.get("hybrid", digest(1)).await, None);
    server.resume();
    eventually("the other host's notice", async || two.get("hybrid", digest(1)).await.is_none()).await;
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
