//! The way of a granted plugin to services elsewhere: `wasi:http/outgoing-handler`, answered by whatever client the
//! host was given. Who may be called, and how, is that client's matter; here is what one call of a guest may do.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ::http::{Request, Response};
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full, Limited};
use wasmtime::component::ResourceTable;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks};

use super::limits::PluginOptions;
use crate::upstream::Host;

/// Requests of one call of a guest.
const REQUESTS_PER_CALL: u32 = 16;
/// Bytes of the body of one request.
const REQUEST_BYTES: usize = 1 << 20;

/// Where the requests of granted plugins go. The app implements it with the client that the whole host uses.
pub trait Outgoing: Send + Sync + 'static {
    /// The whole answer, of whatever status, of one of these hosts and of no other, within `timeout`.
    fn send(
        &self,
        hosts: Arc<[Host]>,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Response<Bytes>, OutgoingError>>;
}

/// Why a guest gets no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutgoingError {
    #[error("{0}")]
    Denied(String),
    #[error("the service did not answer in time")]
    TimedOut,
    #[error("{0}")]
    Failed(String),
}

/// What one plugin was granted. The default grants nothing.
#[derive(Clone, Default)]
pub struct Grant {
    outgoing: Option<Arc<dyn Outgoing>>,
    hosts: Arc<[Host]>,
    timeout: Duration,
    /// `name@version` for log lines.
    label: Arc<str>,
}

impl Grant {
    pub fn new(outgoing: Option<Arc<dyn Outgoing>>, options: &PluginOptions, label: Arc<str>) -> Self {
        let timeout = Duration::from_millis(options.http_timeout_ms);
        Self { outgoing, hosts: options.http.clone().into(), timeout, label }
    }
}

/// HTTP of one store.
#[derive(Default)]
pub struct Http {
    context: WasiHttpCtx,
    hooks: Hooks,
}

#[derive(Default)]
struct Hooks {
    grant: Grant,
    requests_left: u32,
    /// Microseconds that services took, for the split of guest and host time.
    waited: Arc<AtomicU64>,
}

impl Http {
    /// Prepares for one call.
    pub fn begin(&mut self, grant: &Grant) {
        self.hooks = Hooks { grant: grant.clone(), requests_left: REQUESTS_PER_CALL, waited: Arc::default() };
    }

    /// Time that services took in this call; of requests beside each other, the sum.
    pub fn waited(&self) -> Duration {
        Duration::from_micros(self.hooks.waited.load(Ordering::Relaxed))
    }

    pub fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> WasiHttpCtxView<'a> {
        WasiHttpCtxView { hooks: &mut self.hooks, table, ctx: &mut self.context }
    }
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sending = Box<dyn Future<Output = Result<(Response<WasiBody>, Io), Error>> + Send>;

impl WasiHttpHooks for Hooks {
    /// The client says itself whom it calls.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(&mut self, request: Request<WasiBody>, _: Option<RequestOptions>, _: Io) -> Sending {
        let Grant { outgoing, hosts, timeout, label } = self.grant.clone();
        let Some(outgoing) = outgoing else { return Box::new(async { Err(Error::HttpRequestDenied) }) };
        let Some(left) = self.requests_left.checked_sub(1) else {
            let reason = format!("more than {REQUESTS_PER_CALL} requests in one call");
            return Box::new(async { Err(Error::InternalError(Some(reason))) });
        };
        self.requests_left = left;
        let waited = self.waited.clone();
        Box::new(async move {
            let (start, (parts, body)) = (Instant::now(), request.into_parts());
            // The guest goes on writing it while this waits, or waits itself without having ended it.
            let body = tokio::time::timeout(timeout, Limited::new(body, REQUEST_BYTES).collect()).await;
            let body = body.map_err(|_| Error::HttpResponseTimeout)?;
            let body = body.map_err(|_| Error::HttpRequestBodySize(Some(REQUEST_BYTES as u64)))?.to_bytes();
            let began = Instant::now();
            let left = timeout.saturating_sub(start.elapsed());
            let answer = outgoing.send(hosts, Request::from_parts(parts, body), left).await;
            waited.fetch_add(began.elapsed().as_micros() as u64, Ordering::Relaxed);
            let answer = answer.map_err(|error| match error {
                OutgoingError::Denied(reason) => {
                    tracing::warn!(target: "plugin", plugin = &*label, reason, "a request was denied");
                    Error::HttpRequestDenied
                }
                OutgoingError::TimedOut => Error::HttpResponseTimeout,
                OutgoingError::Failed(reason) => Error::InternalError(Some(reason)),
            })?;
            let answer = answer.map(|body| Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync());
            Ok((answer, Box::new(async { Ok(()) }) as Io))
        })
    }
}
