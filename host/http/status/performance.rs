//! How the server fares at present, in the field names of the system that Corsac re-creates, with true
//! figures: searches, both tiers of the cache, both pools of connections.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cache::{NamespaceFigures, SharedFigures};
use crate::http::Shared;
use crate::http::backend::{PluginState, PoolUse};
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
    /// Served past their life time while a newer answer was computed.
    stale: u64,
    /// Found in the tier that hosts share.
    shared: u64,
    /// Stale answers computed again in the background.
    refreshed: u64,
    /// Computed or fetched before anybody asked.
    warmed: u64,
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
    /// False while it is read, but takes no values because it is full or read-only.
    writable: bool,
    /// Unix seconds: since when it is available, or is not.
    since: f64,
    /// Also when it is long over.
    last_error: Option<String>,
    /// How often it went away.
    outages: u64,
    #[serde(flatten)]
    tier: TierStatus,
    errors: u64,
    /// Of the errors: calls that took too long.
    timeouts: u64,
    /// Values that were damaged or not ours.
    corrupted: u64,
    /// Values that were not written.
    dropped: u64,
    /// Calls that were not made because it was away.
    skipped: u64,
    /// Bytes that compression saved.
    saved_bytes: u64,
    get_p99_ms: f64,
    set_p99_ms: f64,
}

impl SharedTierStatus {
    fn new(figures: &SharedFigures) -> Self {
        let state = &figures.state;
        Self {
            available: state.available,
            writable: state.writable,
            since: state.since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            last_error: state.last_error.clone(),
            outages: state.outages,
            tier: TierStatus {
                sets: figures.sets,
                deletes: figures.deletes,
                evictions: figures.evictions,
                average_get_time_ms: figures.get.recent_ms,
                average_set_time_ms: figures.set.recent_ms,
                memory_usage_bytes: figures.memory_usage_bytes,
                key_count: figures.key_count,
                ..TierStatus::new(figures.hits, figures.misses)
            },
            errors: figures.errors,
            timeouts: figures.timeouts,
            corrupted: figures.corrupted,
            dropped: figures.dropped,
            skipped: figures.skipped,
            saved_bytes: figures.saved_bytes(),
            get_p99_ms: figures.get.all.p99,
            set_p99_ms: figures.set.all.p99,
        }
    }
}

/// Connections to other servers; null where there is no such server.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct PoolsStatus {
    database: Option<PoolBody>,
    /// Callers share these connections: all that are open are in use, and nobody waits for one.
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

impl From<PoolUse> for PoolBody {
    fn from(pool: PoolUse) -> Self {
        let usage = pool.usage();
        let PoolUse { size, idle, in_use, max, waiting } = pool;
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
    let redis = cache.shared.as_ref();
    let tier = |tier: TierStatus| TierStatus {
        evictions: sum(&cache.namespaces, |namespace| namespace.evicted),
        average_get_time_ms: shared.metrics.recent_hit_time(),
        memory_usage_bytes: cache.bytes,
        key_count: cache.entries,
        ..tier
    };
    let (own, stale) =
        (sum(&cache.namespaces, |namespace| namespace.hits), sum(&cache.namespaces, |namespace| namespace.stale));
    let found = sum(&cache.namespaces, |namespace| namespace.shared);
    let computed = sum(&cache.namespaces, |namespace| namespace.misses + namespace.coalesced);
    let process = tier(TierStatus::new(own + stale, found + computed));
    let whole = TierStatus {
        sets: redis.map_or(0, |redis| redis.sets),
        deletes: redis.map_or(0, |redis| redis.deletes),
        average_set_time_ms: redis.map_or(0.0, |redis| redis.set.recent_ms),
        ..tier(TierStatus::new(own + stale + found, computed))
    };
    let redis_pool = redis.map(|redis| PoolBody::from(PoolUse::from(redis)));
    let tiers = Tiers { process, redis: redis.map(SharedTierStatus::new) };
    let redis_available = redis.is_some_and(|redis| redis.state.available);
    let namespaces = cache.namespaces.into_iter().map(|figures| NamespaceStatus {
        namespace: figures.namespace,
        hits: figures.hits,
        misses: figures.misses,
        coalesced: figures.coalesced,
        evicted: figures.evicted,
        stale: figures.stale,
        shared: figures.shared,
        refreshed: figures.refreshed,
        warmed: figures.warmed,
    });
    Json(Performance {
        status: "success".to_owned(),
        timestamp: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
        metrics: PerformanceMetrics {
            cache_status: CacheStatus {
                cache_available: cache.capacity_bytes > 0,
                redis_available,
                whole,
                tiers,
                entries: cache.entries,
                bytes: cache.bytes,
                capacity_bytes: cache.capacity_bytes,
                namespaces: namespaces.collect(),
            },
            optimization_status: OptimizationStatus { optimization_available: true, coalescing: true, active_plugins },
            pools: PoolsStatus { database: shared.backend.database_pool().map(PoolBody::from), redis: redis_pool },
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

fn sum(namespaces: &[NamespaceFigures], of: fn(&NamespaceFigures) -> u64) -> u64 {
    namespaces.iter().map(of).sum()
}
