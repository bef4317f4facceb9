//! The one client for services elsewhere: pooled connections, limits in all and for each upstream, a breaker for
//! each, retries of what may be repeated, answers of bounded size. Knows HTTP; nothing of what is asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use http::header::{HeaderMap, RETRY_AFTER};
use http::{Method, Response, StatusCode};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use super::UpstreamError;
use super::breaker::{Breaker, BreakerState, Pass};
use super::policy::{Host, Policy};
use super::resolve::{Forbidden, Lookup, Resolver, System};

/// Of an answer that is an error, what goes into its text.
const REASON_BYTES: usize = 300;
/// Attempts after the first, of calls that may be repeated.
const RETRIES: usize = 2;
/// Before the first of them, doubled before the next, each with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// A connection that is not there by then is tried again or given up, so that one dead address does not take it all.
const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// What bounds all calls together.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Calls under way, over all upstreams; more wait.
    pub connections: usize,
    /// Calls under way to one upstream.
    pub connections_per_host: usize,
    /// How long a name's addresses are kept.
    pub dns_life: Duration,
    /// From the start of a call to the end of its answer, retries and waiting included. For a stream: until it
    /// begins, and then for each piece.
    pub timeout: Duration,
    /// Larger answers are broken off.
    pub max_answer_bytes: usize,
    pub policy: Policy,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connections: 100,
            connections_per_host: 30,
            dns_life: Duration::from_secs(300),
            timeout: Duration::from_secs(30),
            max_answer_bytes: 16 << 20,
            policy: Policy::default(),
        }
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    pub url: Url,
    /// Secrets are marked as sensitive.
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Doing it twice does no more than doing it once.
    pub repeatable: bool,
    /// Shorter than the client's, if at all.
    pub timeout: Option<Duration>,
}

/// What one upstream saw of us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamFigures {
    /// `name:port`.
    pub upstream: String,
    /// Attempts, retries included.
    pub calls: u64,
    /// Attempts that failed: no connection, no answer in time, a status of 500 and more.
    pub failures: u64,
    pub retries: u64,
    /// Calls that were refused because the breaker was open.
    pub refused: u64,
    pub in_flight: u64,
    pub breaker: BreakerState,
}

/// Clones share everything.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    options: ClientOptions,
    policy: Arc<Policy>,
    permits: Arc<Semaphore>,
    upstreams: Mutex<BTreeMap<String, Arc<Upstream>>>,
}

struct Upstream {
    name: String,
    permits: Arc<Semaphore>,
    breaker: Arc<Breaker>,
    calls: AtomicU64,
    failures: AtomicU64,
    retries: AtomicU64,
    refused: AtomicU64,
    limit: usize,
}

/// An answer that has begun, and what it holds until it ends.
struct Begun {
    response: reqwest::Response,
    pass: Pass,
    _turn: Turn,
}

/// Its own upstream's permit is taken first: whoever waits for a slow one holds nothing that others need.
struct Turn {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the HTTP client cannot start: {0}")]
pub struct ClientError(String);

impl Client {
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        Self::with_lookup(options, System)
    }

    fn with_lookup(options: ClientOptions, lookup: impl Lookup) -> Result<Self, ClientError> {
        // Whoever comes first in the process installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let policy = Arc::new(options.policy.clone());
        let resolver = Arc::new(Resolver::new(lookup, policy.clone(), options.dns_life));
        let builder = || {
            reqwest::Client::builder()
                // A redirect would go where nobody looked; its answer is given as it is.
                .redirect(reqwest::redirect::Policy::none())
                // A proxy would resolve names itself.
                .no_proxy()
                .referer(false)
                .user_agent(concat!("corsac/", env!("CARGO_PKG_VERSION")))
                .dns_resolver(resolver.clone())
                .connect_timeout(options.timeout.min(LONGEST_CONNECT))
                .pool_max_idle_per_host(options.connections_per_host)
                // Ours has its own say about repeating.
                .retry(reqwest::retry::never())
        };
        let http = builder().build().or_else(|error| {
            // A machine without certificates of authorities: what needs none shall work.
            tracing::debug!(%error, "no certificates of authorities, so HTTPS to services elsewhere will fail");
            builder().tls_certs_only([]).build()
        });
        let http = http.map_err(|error| ClientError(error.to_string()))?;
        let permits = Arc::new(Semaphore::new(options.connections));
        Ok(Self { inner: Arc::new(Inner { http, options, policy, permits, upstreams: Mutex::default() }) })
    }

    /// The whole answer, of whatever status.
    pub async fn fetch(&self, call: Call) -> Result<Response<Bytes>, UpstreamError> {
        let inner = &*self.inner;
        let upstream = inner.upstream(&call)?;
        let timeout = call.timeout.unwrap_or(inner.options.timeout).min(inner.options.timeout);
        let deadline = Instant::now() + timeout;
        let pauses = ExponentialBuilder::default().with_min_delay(FIRST_PAUSE).with_max_times(RETRIES).with_jitter();
        let mut pauses = pauses.build();
        loop {
            let outcome = inner.attempt(&upstream, &call, deadline).await;
            let wait = match &outcome {
                Ok(response) if is_passing(response.status()) => retry_after(response.headers()),
                Err(UpstreamError::Unreachable { .. }) => Duration::ZERO,
                _ => return outcome,
            };
            let Some(pause) = pauses.next().filter(|_| call.repeatable) else { return outcome };
            let pause = pause.max(wait);
            if Instant::now() + pause >= deadline {
                return outcome;
            }
            upstream.retries.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(pause).await;
        }
    }

    /// Status and body as it comes. Never repeated; dropping the stream ends the call.
    pub async fn stream(
        &self,
        call: Call,
    ) -> Result<(StatusCode, BoxStream<'static, Result<Bytes, UpstreamError>>), UpstreamError> {
        let upstream = self.inner.upstream(&call)?;
        let timeout = call.timeout.unwrap_or(self.inner.options.timeout).min(self.inner.options.timeout);
        let begun = self.inner.begin(&upstream, &call, Instant::now() + timeout).await?;
        let (response, mut pass) = (begun.response, Some(begun.pass));
        let status = response.status();
        if status.is_server_error() {
            // Counted now, for nobody may want to read why to the end.
            upstream.failed(pass.take());
        }
        pass.iter_mut().for_each(Pass::answered);
        let limit = self.inner.options.max_answer_bytes;
        let state = (response.bytes_stream(), Some((pass, begun._turn)), 0);
        let pieces = futures::stream::unfold(state, move |(mut body, held, read)| {
            let upstream = upstream.clone();
            async move {
                // After the last item nothing is held any more.
                let (pass, turn) = held?;
                let last = match tokio::time::timeout(timeout, body.next()).await {
                    Ok(Some(Ok(piece))) if read + piece.len() > limit => upstream.too_large(limit),
                    Ok(Some(Ok(piece))) => {
                        let read = read + piece.len();
                        return Some((Ok(piece), (body, Some((pass, turn)), read)));
                    }
                    Ok(Some(Err(error))) => upstream.broke(pass, error),
                    Ok(None) => {
                        pass.into_iter().for_each(Pass::succeeded);
                        return None;
                    }
                    Err(_) => upstream.late(pass),
                };
                Some((Err(last), (body, None, read)))
            }
        });
        Ok((status, pieces.boxed()))
    }

    /// Of every upstream that was called, by name.
    pub fn figures(&self) -> Vec<UpstreamFigures> {
        self.inner.upstreams.lock().values().map(|upstream| upstream.figures()).collect()
    }
}

impl Inner {
    /// Checks that the call is allowed, and finds what is known of its upstream.
    fn upstream(&self, call: &Call) -> Result<Arc<Upstream>, UpstreamError> {
        let forbidden = |upstream: String, reason: String| UpstreamError::Forbidden { upstream, reason };
        let host = Host::of(&call.url).ok_or_else(|| {
            forbidden(format!("a URL of {}", call.url.scheme()), "it is neither http nor https".into())
        })?;
        let name = host.to_string();
        self.policy.check(&host).map_err(|reason| forbidden(name.clone(), reason))?;
        let limit = self.options.connections_per_host;
        let new = || {
            let [calls, failures, retries, refused] = [const { AtomicU64::new(0) }; 4];
            let (permits, breaker) = (Arc::new(Semaphore::new(limit)), Arc::default());
            Arc::new(Upstream { name: name.clone(), permits, breaker, calls, failures, retries, refused, limit })
        };
        Ok(self.upstreams.lock().entry(name.clone()).or_insert_with(new).clone())
    }

    async fn attempt(
        &self,
        upstream: &Arc<Upstream>,
        call: &Call,
        deadline: Instant,
    ) -> Result<Response<Bytes>, UpstreamError> {
        let Begun { mut response, pass, _turn } = self.begin(upstream, call, deadline).await?;
        let limit = self.options.max_answer_bytes;
        let mut body = BytesMut::new();
        loop {
            match tokio::time::timeout_at(deadline.into(), response.chunk()).await {
                Ok(Ok(Some(piece))) if body.len() + piece.len() > limit => return Err(upstream.too_large(limit)),
                Ok(Ok(Some(piece))) => body.extend_from_slice(&piece),
                Ok(Ok(None)) => break,
                Ok(Err(error)) => return Err(upstream.broke(pass, error)),
                Err(_) => return Err(upstream.late(pass)),
            }
        }
        upstream.settle(pass, response.status());
        let mut answer = Response::new(body.freeze());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }

    /// Waits for its turn, asks the breaker, and sends.
    async fn begin(&self, upstream: &Arc<Upstream>, call: &Call, deadline: Instant) -> Result<Begun, UpstreamError> {
        let turn = async {
            let own = upstream.permits.clone().acquire_owned().await.ok()?;
            Some(Turn { _own: own, _all: self.permits.clone().acquire_owned().await.ok()? })
        };
        // Waiting for a turn is no fault of the upstream, so the breaker does not hear of it.
        let turn = tokio::time::timeout_at(deadline.into(), turn).await.ok().flatten();
        let turn = turn.ok_or_else(|| upstream.timed_out())?;
        let pass = upstream.breaker.admit(Instant::now()).map_err(|wait| {
            upstream.refused.fetch_add(1, Ordering::Relaxed);
            UpstreamError::Open { upstream: upstream.name.clone(), seconds: wait.as_secs().max(1) }
        })?;
        upstream.calls.fetch_add(1, Ordering::Relaxed);
        let request = self.http.request(call.method.clone(), call.url.clone());
        let sending = request.headers(call.headers.clone()).body(call.body.clone()).send();
        match tokio::time::timeout_at(deadline.into(), sending).await {
            Ok(Ok(response)) => Ok(Begun { response, pass, _turn: turn }),
            Ok(Err(error)) => Err(upstream.broke(pass, error)),
            Err(_) => Err(upstream.late(pass)),
        }
    }
}

impl Upstream {
    fn timed_out(&self) -> UpstreamError {
        UpstreamError::TimedOut { upstream: self.name.clone() }
    }

    fn too_large(&self, limit: usize) -> UpstreamError {
        let reason = format!("more than the {limit} bytes of upstream.max_answer_bytes");
        UpstreamError::Nonsense { upstream: self.name.clone(), reason }
    }

    fn late(&self, pass: impl Into<Option<Pass>>) -> UpstreamError {
        self.failed(pass);
        self.timed_out()
    }

    fn broke(&self, pass: impl Into<Option<Pass>>, error: reqwest::Error) -> UpstreamError {
        if let Some(reason) = forbidden(&error) {
            return UpstreamError::Forbidden { upstream: self.name.clone(), reason };
        }
        self.failed(pass);
        if error.is_timeout() { self.timed_out() } else { self.unreachable(&error) }
    }

    /// Without the URL, which may carry what is nobody's business, and with the innermost cause, which says most.
    fn unreachable(&self, error: &reqwest::Error) -> UpstreamError {
        let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
        let reason = causes.last().map_or_else(|| "the connection broke".to_owned(), ToString::to_string);
        UpstreamError::Unreachable { upstream: self.name.clone(), reason }
    }

    /// An answer came to its end. One of 500 and more says that the service does not work.
    fn settle(&self, pass: Pass, status: StatusCode) {
        if status.is_server_error() { self.failed(pass) } else { pass.succeeded() }
    }

    /// Without a pass, the failure was counted before.
    fn failed(&self, pass: impl Into<Option<Pass>>) {
        let Some(pass) = pass.into() else { return };
        self.failures.fetch_add(1, Ordering::Relaxed);
        if pass.failed(Instant::now()) {
            tracing::warn!(upstream = self.name, "fails again and again and is left alone for a while");
        }
    }

    fn figures(&self) -> UpstreamFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        UpstreamFigures {
            upstream: self.name.clone(),
            calls: read(&self.calls),
            failures: read(&self.failures),
            retries: read(&self.retries),
            refused: read(&self.refused),
            in_flight: (self.limit - self.permits.available_permits().min(self.limit)) as u64,
            breaker: self.breaker.state(Instant::now()),
        }
    }
}

/// What the resolver refused, if that was it.
fn forbidden(error: &reqwest::Error) -> Option<String> {
    let mut causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.find_map(|cause| cause.downcast_ref::<Forbidden>()).map(ToString::to_string)
}

/// Statuses that say "not now".
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3); zero without one.
fn retry_after(headers: &HeaderMap) -> Duration {
    let value = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Duration::from_secs(seconds.min(86_400));
    }
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let at = time::PrimitiveDateTime::parse(value, &format).map(time::PrimitiveDateTime::assume_utc);
    let left = at.map(|at| at - time::OffsetDateTime::now_utc()).unwrap_or_default();
    left.try_into().unwrap_or_default()
}

/// Of an answer that is an error, its beginning in one line.
pub(super) fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(REASON_BYTES)]);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { "no text".to_owned() } else { text }
}

#[cfg(test)]
mod tests;
