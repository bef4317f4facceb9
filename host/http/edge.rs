//! What happens to every request, whatever its route: it gets an id, is counted and timed, is turned away
//! if it may not come, and a panic in its handler becomes a problem instead of a broken connection. One
//! layer, because each layer costs an allocation on the way of a cached answer.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use futures::future::BoxFuture;
use tower::{Layer, Service};
use tracing::Instrument;

use crate::access::Allowance;
use crate::http::authorise::{self, Guard};
use crate::http::cors::{self, Cors};
use crate::http::origin::{self, Hosts};
use crate::http::problem::{Code, Problem};
use crate::http::search::accept;
use crate::telemetry::{RouteMetrics, trace};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request's id, for handlers whose answers are written after their heads: there is no second look at those.
#[derive(Clone)]
pub(super) struct RequestId(pub(super) HeaderValue);

/// Longer ids of clients are replaced; arbitrary, room for any usual trace or UUID notation.
const MAX_CLIENT_ID: usize = 128;

/// Wraps the handlers of one route.
#[derive(Clone)]
pub(super) struct Edge {
    pub(super) metrics: RouteMetrics,
    pub(super) hosts: Hosts,
    pub(super) cors: Cors,
    /// None: everyone may come.
    pub(super) guard: Option<Guard>,
}

impl<Inner> Layer<Inner> for Edge {
    type Service = EdgeService<Inner>;

    fn layer(&self, inner: Inner) -> Self::Service {
        EdgeService { inner, edge: self.clone() }
    }
}

impl Edge {
    /// What is left of the caller's rate if it has one, or the answer that the request gets instead.
    fn enter(&self, request: &Request, granted: bool) -> Result<Option<Allowance>, Box<Response>> {
        let headers = request.headers();
        origin::check(self.hosts, granted, headers).map_err(|problem| Box::new(problem.into_response()))?;
        if granted && cors::is_preflight(request.method(), headers) {
            return Err(Box::new(cors::preflight()));
        }
        self.guard.as_ref().map_or(Ok(None), |guard| guard.admit(request.method(), headers))
    }
}

#[derive(Clone)]
pub(super) struct EdgeService<Inner> {
    inner: Inner,
    edge: Edge,
}

impl<Inner> Service<Request> for EdgeService<Inner>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
    Inner::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let start = Instant::now();
        let id = client_id(request.headers()).unwrap_or_else(new_id);
        let method = name(request.method());
        if accept::names_a_stream(request.headers()) {
            request.extensions_mut().insert(RequestId(id.clone()));
        }
        let metrics = self.edge.metrics.clone();
        let span =
            trace::request(method, metrics.route(), id.to_str().unwrap_or_default(), || parent(request.headers()));
        let around = span.clone();
        let in_flight = metrics.begin();
        let cors = self.edge.cors.clone();
        let granted = cors.grant(request.headers());
        let (allowance, handled) = match self.edge.enter(&request, granted.is_some()) {
            Ok(allowance) => (allowance, Ok(AssertUnwindSafe(self.inner.call(request)).catch_unwind())),
            Err(answer) => (None, Err(answer)),
        };
        let answering = async move {
            let handled = match handled {
                Ok(handled) => handled.await,
                Err(answer) => Ok(Ok(*answer)),
            };
            let mut response = match handled {
                Ok(Ok(response)) => response,
                Ok(Err(never)) => match never {},
                // The panic hook has logged where.
                Err(_) => {
                    problem_with_id(Problem::new(Code::Internal, "the server failed; its log has the reason"), &id)
                }
            };
            if response.status().is_client_error() || response.status().is_server_error() {
                response = with_id(response, &id);
            }
            response.headers_mut().insert(REQUEST_ID.clone(), id);
            if let Some(allowance) = allowance {
                authorise::show(allowance, &mut response);
            }
            cors.decorate(&mut response, granted);
            let elapsed = start.elapsed();
            metrics.answered(method, response.status().as_u16(), elapsed);
            trace::answered(&span, response.status().as_u16());
            drop(in_flight);
            Ok(response)
        };
        Box::pin(answering.instrument(around))
    }
}

/// Writes a problem again, now with the id; keeps headers that the route added, such as `Allow`.
fn with_id(mut response: Response, id: &HeaderValue) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(request_id = ?id, detail = problem.detail, "answered 500");
    }
    let mut rewritten = problem_with_id(problem, id);
    for (name, value) in response.headers() {
        if *name != axum::http::header::CONTENT_LENGTH {
            rewritten.headers_mut().insert(name.clone(), value.clone());
        }
    }
    rewritten
}

fn problem_with_id(problem: Problem, id: &HeaderValue) -> Response {
    problem.render(id.to_str().unwrap_or_default())
}

/// The trace that the client says its request belongs to.
fn parent(headers: &HeaderMap) -> Option<trace::Parent<'_>> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    Some(trace::Parent { trace: text("traceparent")?, state: text("tracestate").unwrap_or_default() })
}

/// The client's id when it is short and harmless in a log.
fn client_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(&REQUEST_ID)?;
    let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
    let bytes = id.as_bytes();
    (!bytes.is_empty() && bytes.len() <= MAX_CLIENT_ID && bytes.iter().all(harmless)).then(|| id.clone())
}

/// Unique among processes by a random prefix, within one by a counter (its digits from the least on): no
/// random numbers and no formatting per request.
fn new_id() -> HeaderValue {
    static PREFIX: LazyLock<String> = LazyLock::new(|| uuid::Uuid::new_v4().simple().to_string()[..12].to_owned());
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut id = Vec::with_capacity(PREFIX.len() + 17);
    id.extend_from_slice(PREFIX.as_bytes());
    id.push(b'-');
    while number > 0 {
        id.push(b"0123456789abcdef"[(number & 15) as usize]);
        number >>= 4;
    }
    HeaderValue::from_bytes(&id).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// Bounded by design: metrics keep a series for each.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
