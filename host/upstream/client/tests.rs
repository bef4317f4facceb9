//! The client against servers on this machine that count, fail, redirect and dawdle.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::AtomicUsize;

use axum::Router;
use axum::extract::State as Shared;
use axum::response::IntoResponse;
use axum::routing::any;
use tokio::net::TcpListener;

use super::super::resolve::fake::Answers;
use super::*;

/// Serves on a free port of loopback.
async fn serve(router: Router) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// Allows these hosts, and nothing else.
fn options(hosts: &[&str]) -> ClientOptions {
    let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
    ClientOptions { policy: Policy { hosts, networks: vec![] }, ..ClientOptions::default() }
}

fn client(hosts: &[&str]) -> Client {
    Client::new(options(hosts)).unwrap()
}

fn call(method: Method, url: &str) -> Call {
    let repeatable = method == Method::GET;
    let url = url.parse().unwrap();
    Call { method, url, headers: HeaderMap::new(), body: Bytes::new(), repeatable, timeout: None }
}

/// Answers with the statuses in turn, the last again and again, and counts.
fn failing(statuses: &'static [u16], headers: &'static [(&'static str, &'static str)]) -> (Router, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let handler = move |Shared(asked): Shared<Arc<AtomicUsize>>| async move {
        let nth = asked.fetch_add(1, Ordering::Relaxed).min(statuses.len() - 1);
        let mut headers_out = HeaderMap::new();
        headers.iter().for_each(|(name, value)| _ = headers_out.insert(*name, value.parse().unwrap()));
        (StatusCode::from_u16(statuses[nth]).unwrap(), headers_out, "said").into_response()
    };
    (Router::new().fallback(any(handler)).with_state(asked.clone()), asked)
}

#[tokio::test]
async fn what_may_be_repeated_is_and_the_rest_is_not() {
    let (router, asked) = failing(&[503, 429, 200], &[]);
    let address = serve(router).await.to_string();
    let client = client(&[&address]);
    let answer = client.fetch(call(Method::GET, &format!("http://{address}/"))).await.unwrap();
    assert_eq!((answer.status(), answer.body().as_ref()), (StatusCode::OK, &b"said"[..]));
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    assert_eq!(client.figures()[0].retries, 2);

    let (router, asked) = failing(&[503, 200], &[]);
    let address = serve(router).await.to_string();
    let answer = self::client(&[&address]).fetch(call(Method::POST, &format!("http://{address}/"))).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_status_that_will_not_pass_is_not_tried_again() {
    let (router, asked) = failing(&[404, 200], &[]);
    let address = serve(router).await.to_string();
    let answer = client(&[&address]).fetch(call(Method::GET, &format!("http://{address}/"))).await.unwrap();
    assert_eq!((answer.status(), asked.load(Ordering::Relaxed)), (StatusCode::NOT_FOUND, 1));
}

/// A wait that is longer than the call may take is not begun; one second is within it, and is waited for.
#[tokio::test]
async fn retry_after_is_waited_for_or_the_call_ends() {
    let (router, asked) = failing(&[503, 200], &[("retry-after", "3600")]);
    let address = serve(router).await.to_string();
    let answer = client(&[&address]).fetch(call(Method::GET, &format!("http://{address}/"))).await.unwrap();
    assert_eq!((answer.status(), asked.load(Ordering::Relaxed)), (StatusCode::SERVICE_UNAVAILABLE, 1));

    let (router, asked) = failing(&[503, 200], &[("retry-after", "1")]);
    let address = serve(router).await.to_string();
    let began = Instant::now();
    let answer = client(&[&address]).fetch(call(Method::GET, &format!("http://{address}/"))).await.unwrap();
    assert_eq!((answer.status(), asked.load(Ordering::Relaxed)), (StatusCode::OK, 2));
    assert!(began.elapsed() >= Duration::from_secs(1), "it did not wait");
}

#[test]
fn retry_after_is_read_in_both_its_forms() {
    let of = |value: &str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]));
    assert_eq!(of("120"), Duration::from_secs(120));
    // The date of RFC 9110, long ago; and one that is still to come.
    assert_eq!(of("Fri, 31 Dec 1999 23:59:59 GMT"), Duration::ZERO);
    assert!(of("Sat, 01 Jan 2125 00:00:00 GMT") > Duration::from_secs(86_400));
    assert_eq!((of("soon"), retry_after(&HeaderMap::new())), (Duration::ZERO, Duration::ZERO));
}

#[tokio::test]
async fn a_breaker_opens_for_its_upstream_alone() {
    let (router, asked) = failing(&[500], &[]);
    let bad = serve(router).await.to_string();
    let (router, _) = failing(&[200], &[]);
    let good = serve(router).await.to_string();
    let client = client(&[&bad, &good]);
    for _ in 0..5 {
        client.fetch(call(Method::POST, &format!("http://{bad}/"))).await.unwrap();
    }
    let error = client.fetch(call(Method::POST, &format!("http://{bad}/"))).await.unwrap_err();
    assert!(matches!(&error, UpstreamError::Open { upstream, seconds: 1..=5 } if *upstream == bad), "{error:?}");
    assert_eq!(asked.load(Ordering::Relaxed), 5);
    assert!(client.fetch(call(Method::POST, &format!("http://{good}/"))).await.is_ok());
    let figures = client.figures();
    let of = |name: &str| figures.iter().find(|figures| figures.upstream == name).unwrap();
    assert_eq!((of(&bad).calls, of(&bad).failures, of(&bad).refused, of(&bad).breaker), (5, 5, 1, BreakerState::Open));
    assert_eq!((of(&good).failures, of(&good).breaker, of(&good).in_flight), (0, BreakerState::Closed, 0));
}

/// Whoever reads a stream may leave it at any place.
#[tokio::test]
async fn a_stream_counts_by_how_it_begins() {
    let (router, _) = failing(&[500, 200], &[]);
    let address = serve(router).await.to_string();
    let client = client(&[&address]);
    for _ in 0..2 {
        drop(client.stream(call(Method::POST, &format!("http://{address}/"))).await.unwrap());
    }
    assert_eq!((client.figures()[0].calls, client.figures()[0].failures), (2, 1));
}

/// `/3` and `/4` answer when so many calls wait there: fewer at once would never come to an end. What all of them count
/// is the most at once, which is the other side.
#[tokio::test]
async fn limits_hold_for_each_host_and_in_all() {
    #[derive(Default)]
    struct Counting {
        now: AtomicUsize,
        most: AtomicUsize,
    }
    impl Counting {
        fn enter(&self) {
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
        }
    }
    #[derive(Clone)]
    struct Server {
        own: Arc<Counting>,
        all: Arc<Counting>,
        three: Arc<tokio::sync::Barrier>,
        four: Arc<tokio::sync::Barrier>,
    }
    async fn handler(Shared(server): Shared<Server>, uri: axum::http::Uri) {
        [&server.own, &server.all].iter().for_each(|counting| counting.enter());
        match uri.path() {
            "/3" => _ = server.three.wait().await,
            "/4" => _ = server.four.wait().await,
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
        [&server.own, &server.all].iter().for_each(|counting| _ = counting.now.fetch_sub(1, Ordering::SeqCst));
    }
    let barrier = |size| Arc::new(tokio::sync::Barrier::new(size));
    let first = Server { own: Arc::default(), all: Arc::default(), three: barrier(3), four: barrier(4) };
    let second = Server { own: Arc::default(), ..first.clone() };
    let router = |server: &Server| Router::new().fallback(any(handler)).with_state(server.clone());
    let hosts = [serve(router(&first)).await.to_string(), serve(router(&second)).await.to_string()];
    let limits = ClientOptions { connections: 4, connections_per_host: 3, ..options(&[&hosts[0], &hosts[1]]) };
    let client = Client::new(limits).unwrap();
    let calls = |count: usize, path: &str, hosts: &[String]| {
        let url = |nth: usize| format!("http://{}{path}", hosts[nth % hosts.len()]);
        let urls: Vec<String> = (0..count).map(url).collect();
        let client = client.clone();
        async move {
            let calls = urls.iter().map(|url| client.fetch(call(Method::GET, url)));
            assert!(futures::future::join_all(calls).await.iter().all(Result::is_ok));
        }
    };
    calls(12, "/3", &hosts[..1]).await;
    assert_eq!(first.own.most.load(Ordering::SeqCst), 3);
    calls(4, "/4", &hosts).await;
    calls(40, "/", &hosts).await;
    assert_eq!(first.all.most.load(Ordering::SeqCst), 4);
    assert!(first.own.most.load(Ordering::SeqCst) <= 3 && second.own.most.load(Ordering::SeqCst) <= 3);
}

#[tokio::test]
async fn a_host_that_is_not_listed_is_not_called() {
    let (router, asked) = failing(&[200], &[]);
    let address = serve(router).await;
    let error = client(&["api.example"]).fetch(call(Method::GET, &format!("http://{address}/"))).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Forbidden { .. }), "{error:?}");
    // Listed for another port.
    let error = client(&["127.0.0.1"]).fetch(call(Method::GET, &format!("http://{address}/"))).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Forbidden { .. }), "{error:?}");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

/// First a public address, then one of this machine: the answer that is used is the one that is looked at.
#[tokio::test]
async fn a_name_that_turns_to_this_machine_is_refused() {
    let (router, asked) = failing(&[200], &[]);
    let port = serve(router).await.port();
    let host = format!("rebound.example:{port}");
    let answers = Answers::new(&[&["127.0.0.1"], &["::ffff:169.254.169.254"]]);
    let client = Client::with_lookup(ClientOptions { dns_life: Duration::ZERO, ..options(&[&host]) }, answers).unwrap();
    for address in ["127.0.0.1", "169.254.169.254"] {
        let error = client.fetch(call(Method::GET, &format!("http://{host}/"))).await.unwrap_err();
        let UpstreamError::Forbidden { reason, .. } = &error else { panic!("{error:?}") };
        assert!(reason.contains(address) && reason.contains("upstream.allowed_networks"), "{reason}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    // That nobody may call is no failure of a service.
    assert_eq!(client.figures()[0].failures, 0);

    let mut allowed = options(&[&host]);
    allowed.policy.networks = vec!["127.0.0.0/8".parse().unwrap()];
    let client = Client::with_lookup(allowed, Answers::new(&[&["127.0.0.1"]])).unwrap();
    assert!(client.fetch(call(Method::GET, &format!("http://{host}/"))).await.is_ok());
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_redirect_is_shown_and_not_followed() {
    let (target, reached) = failing(&[200], &[]);
    let target = serve(target).await;
    let to = Box::leak(format!("http://{target}/latest/meta-data").into_boxed_str());
    let headers = Box::leak(Box::new([("location", &*to)]));
    let (router, _) = failing(&[307], headers);
    let address = serve(router).await.to_string();
    let answer = client(&[&address]).fetch(call(Method::GET, &format!("http://{address}/"))).await.unwrap();
    assert_eq!((answer.status().as_u16(), reached.load(Ordering::Relaxed)), (307, 0));
}

#[tokio::test]
async fn an_answer_ends_at_its_limit_whole_and_in_pieces() {
    let router = Router::new().fallback(any(|| async { "x".repeat(1001) }));
    let address = serve(router).await.to_string();
    let client = Client::new(ClientOptions { max_answer_bytes: 1000, ..options(&[&address]) }).unwrap();
    let url = format!("http://{address}/");
    let error = client.fetch(call(Method::GET, &url)).await.unwrap_err();
    assert!(matches!(&error, UpstreamError::Nonsense { reason, .. } if reason.contains("max_answer_bytes")), "{error}");
    let (_, pieces) = client.stream(call(Method::GET, &url)).await.unwrap();
    let pieces: Vec<_> = pieces.collect().await;
    assert!(matches!(pieces.last(), Some(Err(UpstreamError::Nonsense { .. }))), "{pieces:?}");
    assert_eq!(client.figures()[0].in_flight, 0);
}

/// The server never answers, so only the client can end the call.
#[tokio::test]
async fn a_call_ends_in_time_and_counts_as_failed() {
    let router = Router::new().fallback(any(std::future::pending::<()>));
    let address = serve(router).await.to_string();
    let client = client(&[&address]);
    let call = Call { timeout: Some(Duration::from_millis(50)), ..call(Method::GET, &format!("http://{address}/")) };
    assert!(matches!(client.fetch(call.clone()).await, Err(UpstreamError::TimedOut { .. })));
    assert!(matches!(client.stream(call).await.err(), Some(UpstreamError::TimedOut { .. })));
    assert_eq!((client.figures()[0].failures, client.figures()[0].in_flight), (2, 0));
}

#[tokio::test]
async fn who_is_not_there_is_named_without_the_url() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let url = format!("http://user:secret@{address}/?api_key=secret");
    let error = client(&[&address]).fetch(call(Method::POST, &url)).await.unwrap_err();
    let UpstreamError::Unreachable { upstream, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*upstream, address);
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
}
