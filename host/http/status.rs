//! What the server says about itself, in the field names of the system that Corsac re-creates, with
//! true figures. Reads counters; decides nothing.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::Shared;
use crate::http::backend::PluginState;
use crate::http::problem::{Code, Problem, ProblemDocument, Violation};
use crate::telemetry::{IndexFigures, LatencyFigures, PluginFigures, Readings};

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct SearchStats {
    total_files_indexed: u64,
    total_chunks: u64,
    /// On disk, in 2^20 bytes.
    index_size_mb: f64,
    /// RFC 3339.
    last_indexed: Option<String>,
    /// Answered searches since the start.
    search_count: u64,
    /// Milliseconds.
    avg_search_time: f64,
    /// Percent.
    cache_hit_rate: f64,
    /// Bytes of source text.
    content_bytes: u64,
    vectors: u64,
    /// Numbers of one embedding.
    dimension: u32,
    /// Store sequence that searches see.
    generation: u64,
    /// The newest store sequence that this host knows of.
    latest: u64,
    /// Seconds since the store was last heard.
    checked: u64,
    /// The store is out of reach: there may be more than `latest`.
    stale: bool,
}

/// Sizes of the index and counts of searches.
#[utoipa::path(get, path = "/api/search/stats", tag = "status", responses((status = 200, body = SearchStats)))]
pub(super) async fn stats(State(shared): State<Arc<Shared>>) -> Json<SearchStats> {
    let index = shared.backend.index();
    let freshness = shared.backend.freshness();
    let searches = shared.metrics.search_figures();
    Json(SearchStats {
        total_files_indexed: index.stats.documents,
        total_chunks: index.stats.chunks,
        index_size_mb: index.stats.index_bytes as f64 / f64::from(1 << 20),
        last_indexed: index.last_indexed,
        search_count: searches.total,
        avg_search_time: searches.latency.mean,
        cache_hit_rate: searches.hit_rate(),
        content_bytes: index.stats.content_bytes,
        vectors: index.stats.vectors,
        dimension: index.stats.dimension,
        generation: index.stats.generation,
        latest: freshness.latest.max(index.stats.generation),
        checked: freshness.checked,
        stale: freshness.stale,
    })
}

/// All values are text, as clients of the earlier API expect.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct Health {
    /// `healthy` or `unhealthy`.
    status: String,
    service: String,
    indexed_files: String,
    total_chunks: String,
    search_count: String,
    /// Such as `150.50ms`.
    avg_search_time: String,
    /// Such as `80.0%`.
    cache_hit_rate: String,
    /// What is wrong, when something is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    error: Option<String>,
}

/// Whether all parts work.
#[utoipa::path(
    get,
    path = "/api/search/health",
    tag = "status",
    responses((status = 200, body = Health), (status = 503, body = Health, description = "a part is away; `error` says which"))
)]
pub(super) async fn health(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<Health>) {
    let problems = shared.backend.problems();
    let index = shared.backend.index().stats;
    let searches = shared.metrics.search_figures();
    let healthy = problems.is_empty();
    let health = Health {
        status: if healthy { "healthy" } else { "unhealthy" }.to_owned(),
        service: "corsac".to_owned(),
        indexed_files: index.documents.to_string(),
        total_chunks: index.chunks.to_string(),
        search_count: searches.total.to_string(),
        avg_search_time: format!("{:.2}ms", searches.latency.mean),
        cache_hit_rate: format!("{:.1}%", searches.hit_rate()),
        error: (!healthy).then(|| problems.join("; ")),
    };
    (if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(health))
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct Performance {
    /// `success`.
    status: String,
    /// Unix seconds.
    timestamp: f64,
    metrics: PerformanceMetrics,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct PerformanceMetrics {
    search_metrics: SearchMetrics,
    cache_status: CacheStatus,
    optimization_status: OptimizationStatus,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct SearchMetrics {
    total_searches: u64,
    cache_hits: u64,
    cache_misses: u64,
    /// Percent.
    cache_hit_rate: f64,
    average_search_time_ms: f64,
    total_search_time_ms: f64,
    p50_search_time_ms: f64,
    p95_search_time_ms: f64,
    p99_search_time_ms: f64,
    max_search_time_ms: f64,
    strategies: Vec<StrategyMetrics>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct StrategyMetrics {
    strategy: String,
    searches: u64,
    mean_ms: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl StrategyMetrics {
    fn new(strategy: String, latency: LatencyFigures) -> Self {
        let LatencyFigures { count, mean, p50, p95, p99, max, .. } = latency;
        Self { strategy, searches: count, mean_ms: mean, p50_ms: p50, p95_ms: p95, p99_ms: p99, max_ms: max }
    }
}

/// The cache in process, and whether there is one that hosts share.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct CacheStatus {
    cache_available: bool,
    redis_available: bool,
    entries: u64,
    bytes: u64,
    capacity_bytes: u64,
    namespaces: Vec<NamespaceStatus>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct NamespaceStatus {
    namespace: String,
    hits: u64,
    misses: u64,
    /// Waited for the same computation of another request.
    coalesced: u64,
    /// Dropped for want of room.
    evicted: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct OptimizationStatus {
    optimization_available: bool,
    /// One computation for equal searches at the same time.
    coalescing: bool,
    active_plugins: usize,
}

/// How fast searches are, with percentiles, and what the cache does for them.
#[utoipa::path(get, path = "/api/search/performance", tag = "status", responses((status = 200, body = Performance)))]
pub(super) async fn performance(State(shared): State<Arc<Shared>>) -> Json<Performance> {
    let searches = shared.metrics.search_figures();
    let cache = shared.backend.cache().await;
    let active_plugins = shared.backend.plugins().iter().filter(|plugin| plugin.state == PluginState::Active).count();
    let namespaces = cache.namespaces.into_iter().map(|figures| NamespaceStatus {
        namespace: figures.namespace,
        hits: figures.hits,
        misses: figures.misses,
        coalesced: figures.coalesced,
        evicted: figures.evicted,
    });
    Json(Performance {
        status: "success".to_owned(),
        timestamp: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
        metrics: PerformanceMetrics {
            cache_status: CacheStatus {
                cache_available: cache.capacity_bytes > 0,
                redis_available: cache.shared.as_ref().is_some_and(|shared| shared.state.available),
                entries: cache.entries,
                bytes: cache.bytes,
                capacity_bytes: cache.capacity_bytes,
                namespaces: namespaces.collect(),
            },
            optimization_status: OptimizationStatus { optimization_available: true, coalescing: true, active_plugins },
            search_metrics: SearchMetrics {
                total_searches: searches.total,
                cache_hits: searches.hits,
                cache_misses: searches.misses(),
                cache_hit_rate: searches.hit_rate(),
                average_search_time_ms: searches.latency.mean,
                total_search_time_ms: searches.latency.total,
                p50_search_time_ms: searches.latency.p50,
                p95_search_time_ms: searches.latency.p95,
                p99_search_time_ms: searches.latency.p99,
                max_search_time_ms: searches.latency.max,
                strategies: searches
                    .strategies
                    .into_iter()
                    .map(|(name, figures)| StrategyMetrics::new(name, figures))
                    .collect(),
            },
        },
    })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ClearParameters {
    /// Name of a strategy; everything when left out or `search_results`.
    namespace: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct Cleared {
    /// `success`.
    status: String,
    namespace: String,
    message: String,
    /// Entries dropped in this process.
    cleared: u64,
    /// Entries dropped in the tier that hosts share.
    shared: u64,
    /// Other hosts that were told.
    hosts: u64,
}

/// Forget cached answers.
#[utoipa::path(
    post,
    path = "/api/search/cache/clear",
    tag = "status",
    params(ClearParameters),
    responses((status = 200, body = Cleared), (status = 422, body = ProblemDocument, description = "not a namespace's name"))
)]
pub(super) async fn clear_cache(
    State(shared): State<Arc<Shared>>,
    parameters: Result<Query<ClearParameters>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Cleared>, Problem> {
    let Query(parameters) =
        parameters.map_err(|error| Problem::invalid(vec![Violation::new("namespace", error.body_text())]))?;
    // The earlier API's name of all search answers, and its default.
    let namespace = parameters.namespace.unwrap_or_else(|| "search_results".to_owned());
    if namespace.len() > 64 || !namespace.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return Err(Problem::invalid(vec![Violation::new("namespace", "is not the name of a namespace")]));
    }
    let all = namespace == "search_results";
    let cleared = shared.backend.clear_cache((!all).then(|| namespace.clone())).await;
    let crate::cache::Cleared { entries: cleared, shared, hosts } = cleared;
    let message = format!("dropped {cleared} cached answers");
    Ok(Json(Cleared { status: "success".to_owned(), namespace, message, cleared, shared, hosts }))
}

/// All figures for Prometheus, in the OpenMetrics text format.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "status",
    responses((status = 200, body = String, content_type = "application/openmetrics-text"))
)]
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let index = shared.backend.index().stats;
    let plugins = shared.backend.plugins().into_iter().map(|plugin| PluginFigures {
        plugin: format!("{}@{}", plugin.name, plugin.version),
        calls: plugin.calls,
        errors: plugin.errors.by_kind(),
        memory_high_water_bytes: plugin.memory_high_water_bytes,
    });
    let readings = Readings {
        index: IndexFigures {
            documents: index.documents,
            chunks: index.chunks,
            bytes: index.index_bytes,
            generation: index.generation,
        },
        plugins: plugins.collect(),
        cache: shared.backend.cache().await,
    };
    let text = shared.metrics.render(&readings).map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "status", responses((status = 200, body = String)))]
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether searches can be answered.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "status",
    responses((status = 200, body = String), (status = 503, body = ProblemDocument, description = "not yet, or stopping"))
)]
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> Result<&'static str, Problem> {
    if shared.backend.ready() && !shared.closing.is_cancelled() {
        Ok("ready\n")
    } else {
        Err(Problem::new(Code::Unavailable, "searches cannot be answered yet, or no longer"))
    }
}
