//! How the server fares at present, in the field names of the system that Corsac re-creates, with true
//! figures: searches, both tiers of the cache, both pools of connections.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cache::NamespaceFigures;
use crate::http::Shared;
use crate::http::backend::{PluginState, PoolStatus};
use crate::telemetry::LatencyFigures;

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(in crate::http) struct Performance {
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
    pools: PoolsStatus,
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

/// The cache as searches see it, and each of its tiers.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct CacheStatus {
    cache_available: bool,
    redis_available: bool,
    /// Both tiers as one.
    #[serde(flatten)]
    whole: TierStatus,
    tiers: Tiers,
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
struct Tiers {
    /// In this process.
    process: TierStatus,
    /// Shared by hosts; null where there is none.
    redis: Option<SharedTierStatus>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
struct TierStatus {
    hits: u64,
    misses: u64,
    sets: u64,
    /// Entries that were cleared.
    deletes: u64,
    /// Entries dropped for want of room.
    evictions: u64,
    /// Hits and misses.
    total_requests: u64,
    /// Percent.
    hit_rate: f64,
    /// Percent.
    miss_rate: f64,
    /// Of the last hundred.
    average_get_time_ms: f64,
    /// Of the last hundred; 0 for the tier in process, where setting is a part of computing.
    average_set_time_ms: f64,
    memory_usage_bytes: u64,
    key_count: u64,
}

impl TierStatus {
    fn new(hits: u64, misses: u64) -> Self {
        let total = hits + misses;
        let percent = |part: u64| if total == 0 { 0.0 } else { part as f64 * 100.0 / total as f64 };
        let (hit_rate, miss_rate) = (percent(hits), percent(misses));
        Self { hits, misses, total_requests: total, hit_rate, miss_rate, ..Self::default() }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct SharedTierStatus {
    available: bool,
    #[serde(flatten)]
    tier: TierStatus,
}

/// Connections to other servers; null where there is no such server.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct PoolsStatus {
    database: Option<PoolBody>,
    redis: Option<PoolBody>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct PoolBody {
    /// Open ones.
    size: u64,
    idle: u64,
    in_use: u64,
    max: u64,
    /// Callers that wait for one.
    waiting: u64,
    /// Percent of `max` in use.
    usage: f64,
}

impl From<PoolStatus> for PoolBody {
    fn from(pool: PoolStatus) -> Self {
        let usage = pool.usage();
        let PoolStatus { size, idle, in_use, max, waiting } = pool;
        Self { size, idle, in_use, max, waiting, usage }
    }
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
pub(in crate::http) async fn performance(State(shared): State<Arc<Shared>>) -> Json<Performance> {
    let searches = shared.metrics.search_figures();
    let cache = shared.backend.cache().await;
    let active_plugins = shared.backend.plugins().iter().filter(|plugin| plugin.state == PluginState::Active).count();
    let pools = shared.backend.pools();
    let sum = |of: fn(&NamespaceFigures) -> u64| cache.namespaces.iter().map(of).sum::<u64>();
    let tier = || TierStatus {
        evictions: sum(|namespace| namespace.evicted),
        average_get_time_ms: shared.metrics.recent_hit_time(),
        memory_usage_bytes: cache.bytes,
        key_count: cache.entries,
        ..TierStatus::new(sum(|namespace| namespace.hits), sum(|namespace| namespace.misses))
    };
    let (whole, process) = (tier(), tier());
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
                redis_available: false,
                whole,
                tiers: Tiers { process, redis: None },
                entries: cache.entries,
                bytes: cache.bytes,
                capacity_bytes: cache.capacity_bytes,
                namespaces: namespaces.collect(),
            },
            optimization_status: OptimizationStatus { optimization_available: true, coalescing: true, active_plugins },
            pools: PoolsStatus { database: pools.database.map(PoolBody::from), redis: pools.redis.map(PoolBody::from) },
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
