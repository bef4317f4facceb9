//! What a plugin may call, and the state behind it: retrieval (strategies), its settings, its log, and
//! an empty WASI whose clocks stand still and whose randomness is fixed, so that a plugin stays pure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use wasmtime::ResourceLimiter;
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime_wasi::{Deterministic, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use super::bindings::strategy::corsac::plugin::{retrieval, types};
use super::bindings::strategy::wasi::config::store as config_store;
use super::bindings::strategy::wasi::logging::logging;
use super::convert;
use super::error::LoadError;
use super::outgoing::{Grant, Http};
use crate::query::{Hits, Probe, RetrievalError};

/// Where a strategy's probes go. The service implements it over one index snapshot.
pub trait Retriever: Send + Sync {
    /// One result a probe, in order. Must bound its own time: a guest's deadline does not run while it
    /// waits here.
    fn retrieve(&self, probes: Vec<Probe>) -> BoxFuture<'_, Vec<Result<Hits, RetrievalError>>>;
}

/// Log lines that one call may write; what exceeds it is counted, not written.
const LOG_LINES_PER_CALL: u32 = 20;
/// Bytes of one log line.
const LOG_LINE_BYTES: usize = 2048;

/// Everything of one store. Values of a call are set anew by `begin`.
pub struct HostState {
    wasi: WasiCtx,
    table: ResourceTable,
    http: Http,
    /// `name@version` for log lines.
    pub label: Arc<str>,
    pub settings: Arc<[(String, String)]>,
    retriever: Option<Arc<dyn Retriever>>,
    probes_left: u32,
    max_probes: u32,
    log_lines_left: u32,
    /// Epoch ticks that the guest may still see while it runs.
    pub ticks_left: u64,
    pub memory: MemoryMeter,
    /// Time in host calls, for the split of guest and host time.
    pub host_time: Duration,
}

/// Holds linear memory to its limit and remembers the most that was in use.
#[derive(Debug)]
pub struct MemoryMeter {
    pub limit: usize,
    pub high_water: usize,
    /// The guest asked for more than the limit in this call: a trap that follows is no other's fault.
    pub exceeded: bool,
}

impl HostState {
    pub fn new(label: Arc<str>, settings: Arc<[(String, String)]>, memory_limit: usize) -> Self {
        let wasi = WasiCtx::builder()
            .wall_clock(StoppedClock)
            .monotonic_clock(StoppedClock)
            .secure_random(fixed_random())
            .insecure_random(fixed_random())
            .insecure_random_seed(0)
            .build();
        Self {
            wasi,
            table: ResourceTable::new(),
            http: Http::default(),
            label,
            settings,
            retriever: None,
            probes_left: 0,
            max_probes: 0,
            log_lines_left: LOG_LINES_PER_CALL,
            ticks_left: u64::MAX,
            memory: MemoryMeter { limit: memory_limit, high_water: 0, exceeded: false },
            host_time: Duration::ZERO,
        }
    }

    /// Prepares for one call.
    pub fn begin(&mut self, retriever: Option<Arc<dyn Retriever>>, max_probes: u32, ticks: u64) {
        self.retriever = retriever;
        self.probes_left = max_probes;
        self.max_probes = max_probes;
        self.log_lines_left = LOG_LINES_PER_CALL;
        self.ticks_left = ticks;
        self.memory.exceeded = false;
        self.host_time = Duration::ZERO;
        self.http.begin(&Grant::default());
    }

    /// After `begin`: what the call may reach elsewhere.
    pub fn grant(&mut self, grant: &Grant) {
        self.http.begin(grant);
    }

    /// Time of this call that was not the guest's.
    pub fn elsewhere(&self) -> Duration {
        self.host_time + self.http.waited()
    }

    /// Lets go of what belongs to the call that ended.
    pub fn end(&mut self) {
        self.retriever = None;
    }
}

/// Adds everything that a plugin of any world may import.
pub fn add_to_linker(linker: &mut Linker<HostState>) -> Result<(), LoadError> {
    let failed = |error: wasmtime::Error| LoadError::Engine(format!("{error:#}"));
    wasmtime_wasi::p2::add_to_linker_async(linker).map_err(failed)?;
    config_store::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state).map_err(failed)?;
    logging::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state).map_err(failed)?;
    retrieval::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state).map_err(failed)?;
    types::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state).map_err(failed)?;
    // Linked for all and answered for those who were granted hosts; others that import it are refused when loaded.
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker).map_err(failed)
}

impl types::Host for HostState {}

impl retrieval::Host for HostState {
    async fn retrieve(
        &mut self,
        probes: Vec<retrieval::Probe>,
    ) -> Vec<Result<retrieval::Hits, retrieval::RetrievalError>> {
        let began = Instant::now();
        let count = probes.len();
        let refuse = |error: RetrievalError| vec![Err(convert::retrieval_error(error)); count];
        let Some(retriever) = self.retriever.clone() else {
            return refuse(RetrievalError::Unavailable("retrieval is not available here".into()));
        };
        if count as u64 > u64::from(self.probes_left) {
            let reason = format!("more than {} probes in one query", self.max_probes);
            return refuse(RetrievalError::LimitExceeded(reason));
        }
        self.probes_left -= count as u32;
        let checked: Vec<_> = probes.into_iter().map(convert::probe).collect();
        let valid: Vec<Probe> = checked.iter().filter_map(|probe| probe.as_ref().ok().cloned()).collect();
        let mut found = retriever.retrieve(valid).await.into_iter();
        let results = checked
            .into_iter()
            .map(|probe| {
                let missing = || Err(RetrievalError::Unavailable("the index gave no result".into()));
                probe
                    .and_then(|_| found.next().unwrap_or_else(missing))
                    .map(convert::hits)
                    .map_err(convert::retrieval_error)
            })
            .collect();
        self.host_time += began.elapsed();
        results
    }
}

impl config_store::Host for HostState {
    fn get(&mut self, key: String) -> Result<Option<String>, config_store::Error> {
        Ok(self.settings.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone()))
    }

    fn get_all(&mut self) -> Result<Vec<(String, String)>, config_store::Error> {
        Ok(self.settings.to_vec())
    }
}

impl logging::Host for HostState {
    fn log(&mut self, level: logging::Level, context: String, message: String) {
        if self.log_lines_left == 0 {
            return;
        }
        self.log_lines_left -= 1;
        let message = clip(&message);
        let plugin = &*self.label;
        match level {
            logging::Level::Trace => tracing::trace!(target: "plugin", plugin, context, "{message}"),
            logging::Level::Debug => tracing::debug!(target: "plugin", plugin, context, "{message}"),
            logging::Level::Info => tracing::info!(target: "plugin", plugin, context, "{message}"),
            logging::Level::Warn => tracing::warn!(target: "plugin", plugin, context, "{message}"),
            logging::Level::Error | logging::Level::Critical => {
                tracing::error!(target: "plugin", plugin, context, "{message}");
            }
        }
        if self.log_lines_left == 0 {
            tracing::warn!(target: "plugin", plugin, "more than {LOG_LINES_PER_CALL} log lines in one call, the rest is dropped");
        }
    }
}

/// Cuts at a character border and takes out line breaks, so that a guest cannot forge log lines.
fn clip(message: &str) -> String {
    let mut end = message.len().min(LOG_LINE_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message[..end].replace(['\n', '\r'], " ")
}

impl ResourceLimiter for MemoryMeter {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.limit {
            // The guest sees a failed allocation, as the specification has it; most abort on it.
            self.exceeded = true;
            return Ok(false);
        }
        self.high_water = self.high_water.max(desired);
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 100_000)
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for HostState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.http.view(&mut self.table)
    }
}

struct StoppedClock;

impl HostWallClock for StoppedClock {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for StoppedClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}

/// The same numbers for every instance.
fn fixed_random() -> Deterministic {
    Deterministic::new((0..=255).collect())
}
