//! A cached answer through the whole HTTP layer against a bare axum handler that returns the same bytes:
//! `cargo bench --bench cached_answer`. Both serve on loopback in this process and are asked by the same
//! client over the same number of kept-alive connections, in alternating rounds; the median round counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::header;
use axum::routing::post;
use bytes::Bytes;
use corsac::cache::{self, Cache, Computed, Entry, Lifetimes, Source};
use corsac::http::{
    Backend, BackendError, DocumentOutcome, IndexRequest, IndexStatus, Options, PluginStatus, PostedDocument,
    TaskStatus, router, serve,
};
use corsac::service::{Answer, CacheStatus, SearchError, SearchRequest};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_secs(1);
const REQUEST: &str = r#"{"query":"parse the configuration file","max_results":20,"file_types":["rs"]}"#;

/// A service that has one answer and a real cache, with a key that is hashed from the request.
struct OneAnswer {
    cache: Cache,
    body: Bytes,
}

impl Backend for OneAnswer {
    fn search(&self, request: SearchRequest) -> BoxFuture<'_, Result<Answer, SearchError>> {
        async move {
            let start = Instant::now();
            let key = key(&request);
            let compute = async {
                let entry = Entry { body: self.body.clone(), etag: Arc::from("0123456789abcdef") };
                Ok::<_, SearchError>(Computed { entry, keep: true })
            };
            let (entry, source) = self.cache.get_or_compute(&request.strategy, key, compute).await?;
            let cache = if source == Source::Hit { CacheStatus::Hit } else { CacheStatus::Miss };
            let timings = vec![("cache", start.elapsed())];
            Ok(Answer { body: entry.body, etag: entry.etag, cache, timings })
        }
        .boxed()
    }

    fn plugins(&self) -> Vec<PluginStatus> {
        vec![]
    }

    fn reload(&self, _name: &str) -> BoxFuture<'_, Result<PluginStatus, BackendError>> {
        nothing()
    }

    fn start_indexing(&self, _request: IndexRequest) -> BoxFuture<'_, Result<TaskStatus, BackendError>> {
        nothing()
    }

    fn put_documents(&self, _: Vec<PostedDocument>) -> BoxFuture<'_, Result<Vec<DocumentOutcome>, BackendError>> {
        nothing()
    }

    fn tasks(&self) -> BoxFuture<'_, Result<Vec<TaskStatus>, BackendError>> {
        nothing()
    }

    fn task(&self, _id: &str) -> BoxFuture<'_, Result<TaskStatus, BackendError>> {
        nothing()
    }

    fn watch_task(&self, _id: &str) -> BoxFuture<'_, Result<BoxStream<'static, TaskStatus>, BackendError>> {
        nothing()
    }

    fn index(&self) -> IndexStatus {
        IndexStatus::default()
    }

    fn cache(&self) -> BoxFuture<'_, cache::Figures> {
        self.cache.figures().boxed()
    }

    fn clear_cache(&self, _namespace: Option<String>) -> BoxFuture<'_, u64> {
        futures::future::ready(0).boxed()
    }

    fn problems(&self) -> Vec<String> {
        vec![]
    }

    fn ready(&self) -> bool {
        true
    }
}

/// What a service hashes for such a request: texts with their lengths, and numbers.
fn key(request: &SearchRequest) -> cache::Digest {
    let query = &request.query;
    let mut canonical = Vec::with_capacity(256);
    let lists = [&query.scope.file_types, &query.scope.directories];
    let texts = [&request.strategy, &query.text].into_iter().chain(lists.into_iter().flatten());
    for text in texts {
        canonical.extend_from_slice(&text.len().to_le_bytes());
        canonical.extend_from_slice(text.as_bytes());
    }
    for number in [request.offset, request.max_results, request.context_lines, query.limit] {
        canonical.extend_from_slice(&number.to_le_bytes());
    }
    *blake3::hash(&canonical).as_bytes()
}

fn nothing<T: Send + 'static>() -> BoxFuture<'static, Result<T, BackendError>> {
    futures::future::ready(Err(BackendError::Unavailable("not part of this measurement".into()))).boxed()
}

async fn start(router: Router) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let never = std::future::pending();
    tokio::spawn(serve(listener, router, CancellationToken::new(), Duration::ZERO, never));
    Ok(address)
}

/// One connection: ask, read the whole answer, again, until the time is over. Gives the number of answers.
async fn ask(address: SocketAddr, until: Instant) -> std::io::Result<u64> {
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let request = format!(
        "POST /api/search/hybrid HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{REQUEST}",
        REQUEST.len()
    );
    let mut buffer = vec![0; 1 << 16];
    let mut answers = 0;
    while Instant::now() < until {
        socket.write_all(request.as_bytes()).await?;
        let mut filled = 0;
        loop {
            filled += socket.read(&mut buffer[filled..]).await?;
            if whole_answer(&buffer[..filled]).is_some_and(|length| filled >= length) {
                break;
            }
        }
        assert!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer[..filled]));
        answers += 1;
    }
    Ok(answers)
}

/// Bytes of the answer from its head's `content-length`, once the head is there.
fn whole_answer(received: &[u8]) -> Option<usize> {
    let head = received.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&received[..head]).ok()?;
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    Some(head + 4 + length.parse::<usize>().ok()?)
}

async fn round(address: SocketAddr) -> std::io::Result<f64> {
    let start = Instant::now();
    let connections = (0..CONNECTIONS).map(|_| tokio::spawn(ask(address, start + ROUND)));
    let mut answers = 0;
    for connection in futures::future::join_all(connections).await {
        answers += connection??;
    }
    Ok(answers as f64 / start.elapsed().as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    for size in [1 << 10, 16 << 10] {
        let body = Bytes::from(vec![b'x'; size]);
        let cache = Cache::new(64 << 20, Lifetimes::default());
        let cached = start(router(Arc::new(OneAnswer { cache, body: body.clone() }), Options::default())).await?;
        let same = move || futures::future::ready(([(header::CONTENT_TYPE, "application/json")], body.clone()));
        let bare = start(Router::new().route("/api/search/hybrid", post(same))).await?;
        let (mut of_cached, mut of_bare) = (vec![], vec![]);
        for _ in 0..ROUNDS {
            of_cached.push(round(cached).await?);
            of_bare.push(round(bare).await?);
        }
        let (of_cached, of_bare) = (median(of_cached), median(of_bare));
        let ratio = of_cached / of_bare;
        println!("{size:>6} bytes: cached answer {of_cached:.0}/s, bare handler {of_bare:.0}/s, ratio {ratio:.3}");
    }
    Ok(())
}
