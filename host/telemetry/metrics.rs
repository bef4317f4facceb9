//! Figures that are counted while requests run. A route or a strategy resolves its counters once and
//! keeps them, so counting on the way of a cached answer is a few atomic additions.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::cache::Source;
use crate::telemetry::distribution::{Distribution, LatencyFigures};
use crate::telemetry::exposition::Readings;
use crate::telemetry::latency::Latency;
use crate::telemetry::recent::Recent;

/// Strategies that get a label of their own; further ones count as `other`. Bounds the number of time
/// series when plugins come and go for months.
const MAX_STRATEGIES: usize = 64;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Search {
    strategy: String,
    cache: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Failure {
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Strategy {
    strategy: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Stage {
    stage: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

type Histograms<Labels> = Family<Labels, Histogram, fn() -> Histogram>;

/// 50 µs to 26 s, each bucket twice the one before.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(50e-6, 2.0, 20))
}

/// All counters of the process. One instance, shared; no globals, so tests do not meet each other.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    request_durations: Histograms<Route>,
    in_flight: Gauge<i64, AtomicI64>,
    searches: Family<Search, Counter>,
    search_durations: Histograms<Strategy>,
    search_failures: Family<Failure, Counter>,
    refusals: Family<Refused, Counter>,
    stage_durations: Histograms<Stage>,
    strategies: RwLock<HashMap<Box<str>, Arc<StrategyMetrics>>>,
    totals: Arc<Totals>,
    recent_hits: Recent,
}

/// Sums over all labels.
#[derive(Default)]
struct Totals {
    requests: AtomicU64,
    request_errors: AtomicU64,
    search_errors: AtomicU64,
}

/// Requests of any kind since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestFigures {
    pub requests: u64,
    /// Answered with a status of 500 or more.
    pub request_errors: u64,
    /// Searches without an answer.
    pub search_errors: u64,
}

struct StrategyMetrics {
    by_source: [Counter; Source::COUNT],
    durations: Histogram,
    latency: Latency,
}

/// What was searched and how fast, over all strategies and since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchFigures {
    /// Answers, whether computed or cached; failures are not among them.
    pub total: u64,
    pub hits: u64,
    pub coalesced: u64,
    pub latency: LatencyFigures,
    /// By strategy, in the order of their names.
    pub strategies: Vec<(String, LatencyFigures)>,
}

impl SearchFigures {
    /// Answers that were not in the cache, waited-for ones included.
    pub fn misses(&self) -> u64 {
        self.total.saturating_sub(self.hits)
    }

    /// Percent of all answers that came from the cache, 0 when there are none.
    pub fn hit_rate(&self) -> f64 {
        if self.total == 0 { 0.0 } else { self.hits as f64 * 100.0 / self.total as f64 }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("corsac");
        let requests = Family::default();
        let request_durations: Histograms<Route> = Family::new_with_constructor(durations);
        let in_flight = Gauge::default();
        let searches = Family::default();
        let search_durations: Histograms<Strategy> = Family::new_with_constructor(durations);
        let search_failures = Family::default();
        let refusals = Family::default();
        let stage_durations: Histograms<Stage> = Family::new_with_constructor(durations);
        registry.register("http_requests", "Requests answered, by route and status", requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "From the request's head to the answer's head",
            Unit::Seconds,
            request_durations.clone(),
        );
        registry.register("http_requests_in_flight", "Requests being answered now", in_flight.clone());
        registry.register("searches", "Searches answered, by strategy and cache status", searches.clone());
        registry.register_with_unit(
            "search_duration",
            "From the validated request to the answer",
            Unit::Seconds,
            search_durations.clone(),
        );
        registry.register("search_failures", "Searches without an answer, by problem code", search_failures.clone());
        registry.register("refusals", "Requests refused for their API key, scope or rate, by reason", refusals.clone());
        registry.register_with_unit(
            "search_stage_duration",
            "Time of one stage of an answer",
            Unit::Seconds,
            stage_durations.clone(),
        );
        Self {
            registry,
            requests,
            request_durations,
            in_flight,
            searches,
            search_durations,
            search_failures,
            refusals,
            stage_durations,
            strategies: RwLock::default(),
            totals: Arc::default(),
            recent_hits: Recent::default(),
        }
    }
}

impl Metrics {
    /// The counters of one route, to be resolved once and kept.
    pub fn route(&self, route: &'static str) -> RouteMetrics {
        RouteMetrics {
            route,
            requests: self.requests.clone(),
            succeeded: self.requests.get_or_create_owned(&Request { route, method: "POST", status: 200 }),
            durations: self.request_durations.get_or_create_owned(&Route { route }),
            in_flight: self.in_flight.clone(),
            totals: self.totals.clone(),
        }
    }

    /// Counts an answer. `strategy` must be the name of one that is loaded.
    pub fn searched(&self, strategy: &str, source: Source, elapsed: Duration, stages: &[(&'static str, Duration)]) {
        let metrics = self.strategy(strategy);
        metrics.by_source[source as usize].inc();
        metrics.durations.observe(elapsed.as_secs_f64());
        metrics.latency.record(elapsed);
        if source == Source::Hit
            && let Some((_, took)) = stages.first()
        {
            self.recent_hits.record(*took);
        }
        if source.is_hit() {
            return;
        }
        for (stage, duration) in stages {
            self.stage_durations.get_or_create(&Stage { stage }).observe(duration.as_secs_f64());
        }
    }

    /// Counts a search that failed; `code` is the problem's code.
    pub fn search_failed(&self, code: &'static str) {
        self.totals.search_errors.fetch_add(1, Ordering::Relaxed);
        self.search_failures.get_or_create(&Failure { code }).inc();
    }

    /// Counts a request that was not let in; `reason` is one of a few words.
    pub fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&Refused { reason }).inc();
    }

    /// Milliseconds that finding an answer in the cache took lately, from the validated request on.
    pub fn recent_hit_time(&self) -> f64 {
        self.recent_hits.mean()
    }

    pub fn request_figures(&self) -> RequestFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Totals { requests, request_errors, search_errors } = &*self.totals;
        RequestFigures {
            requests: read(requests),
            request_errors: read(request_errors),
            search_errors: read(search_errors),
        }
    }

    /// All search times since the start, over all strategies.
    pub fn search_times(&self) -> Distribution {
        Latency::distribution_of(self.strategies.read().values().map(|metrics| &metrics.latency))
    }

    pub fn search_figures(&self) -> SearchFigures {
        let strategies = self.strategies.read();
        let count = |source: Source| strategies.values().map(|metrics| metrics.by_source[source as usize].get()).sum();
        let mut all = Distribution::default();
        let mut by_strategy: Vec<_> = Vec::with_capacity(strategies.len());
        for (name, metrics) in strategies.iter() {
            let times = Latency::distribution_of([&metrics.latency]);
            all.add(&times);
            by_strategy.push((name.to_string(), times.figures()));
        }
        let latency = all.figures();
        by_strategy.sort_by(|left, right| left.0.cmp(&right.0));
        SearchFigures {
            total: latency.count,
            hits: count(Source::Hit) + count(Source::Stale) + count(Source::Shared),
            coalesced: count(Source::Coalesced),
            latency,
            strategies: by_strategy,
        }
    }

    /// All figures in the OpenMetrics text format, those of other layers from `readings`.
    pub fn render(&self, readings: &Readings) -> Result<String, std::fmt::Error> {
        let mut text = String::with_capacity(16 * 1024);
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &readings.registry())?;
        encode_eof(&mut text)?;
        Ok(text)
    }

    fn strategy(&self, name: &str) -> Arc<StrategyMetrics> {
        if let Some(metrics) = self.strategies.read().get(name) {
            return metrics.clone();
        }
        let mut strategies = self.strategies.write();
        let name = if strategies.len() < MAX_STRATEGIES { name } else { "other" };
        let new = || {
            let counter = |cache| self.searches.get_or_create_owned(&Search { strategy: name.to_owned(), cache });
            // In the order of `Source`.
            let by_source = ["hit", "miss", "coalesced", "uncacheable", "stale", "shared"].map(counter);
            let durations = self.search_durations.get_or_create_owned(&Strategy { strategy: name.to_owned() });
            Arc::new(StrategyMetrics { by_source, durations, latency: Latency::default() })
        };
        strategies.entry(name.into()).or_insert_with(new).clone()
    }
}

/// The counters of one route.
#[derive(Clone)]
pub struct RouteMetrics {
    route: &'static str,
    requests: Family<Request, Counter>,
    /// The most frequent outcome, resolved beforehand.
    succeeded: Counter,
    durations: Histogram,
    in_flight: Gauge<i64, AtomicI64>,
    totals: Arc<Totals>,
}

impl RouteMetrics {
    /// The route's pattern.
    pub fn route(&self) -> &'static str {
        self.route
    }

    /// One more request in flight, until the guard is dropped.
    pub fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Counts an answer; `method` is bounded by whoever turns the request's method into a static word.
    pub fn answered(&self, method: &'static str, status: u16, elapsed: Duration) {
        if status == 200 && method == "POST" {
            self.succeeded.inc();
        } else {
            self.requests.get_or_create(&Request { route: self.route, method, status }).inc();
        }
        self.durations.observe(elapsed.as_secs_f64());
        self.totals.requests.fetch_add(1, Ordering::Relaxed);
        if status >= 500 {
            self.totals.request_errors.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Counts as in flight until dropped, also when the request is cancelled.
pub struct InFlight(Gauge<i64, AtomicI64>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn figures_tell_hits_from_misses() {
        let metrics = Metrics::default();
        for _ in 0..8 {
            metrics.searched("syntax", Source::Hit, Duration::from_millis(1), &[]);
        }
        metrics.searched("syntax", Source::Miss, Duration::from_millis(21), &[("strategy", Duration::from_millis(20))]);
        metrics.searched("hybrid", Source::Coalesced, Duration::from_millis(21), &[]);
        let figures = metrics.search_figures();
        assert_eq!((figures.total, figures.hits, figures.misses(), figures.coalesced), (10, 8, 2, 1));
        assert!((figures.hit_rate() - 80.0).abs() < 1e-9);
        // (8 × 1 + 21 + 21) / 10
        assert!((figures.latency.mean - 5.0).abs() < 1e-6, "{}", figures.latency.mean);
        assert_eq!(figures.strategies.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["hybrid", "syntax"]);
    }

    #[test]
    fn strategy_labels_are_bounded() {
        let metrics = Metrics::default();
        for number in 0..10 * MAX_STRATEGIES {
            metrics.searched(&format!("s{number}"), Source::Miss, Duration::ZERO, &[]);
        }
        assert!(metrics.search_figures().strategies.len() <= MAX_STRATEGIES + 1);
        assert_eq!(metrics.search_figures().total, 10 * MAX_STRATEGIES as u64);
    }

    #[test]
    fn the_text_names_routes_strategies_and_stages() {
        let metrics = Metrics::default();
        let route = metrics.route("/api/search/{strategy}");
        let guard = route.begin();
        route.answered("POST", 200, Duration::from_millis(2));
        route.answered("POST", 422, Duration::from_millis(2));
        metrics.searched("smart", Source::Miss, Duration::ZERO, &[("rank", Duration::from_millis(1))]);
        metrics.search_failed("timed-out");
        let text = metrics.render(&Readings::default()).unwrap();
        for line in [
            r#"corsac_http_requests_total{route="/api/search/{strategy}",method="POST",status="200"} 1"#,
            r#"corsac_http_requests_total{route="/api/search/{strategy}",method="POST",status="422"} 1"#,
            "corsac_http_requests_in_flight 1",
            r#"corsac_searches_total{strategy="smart",cache="miss"} 1"#,
            r#"corsac_search_failures_total{code="timed-out"} 1"#,
            r#"corsac_search_stage_duration_seconds_count{stage="rank"} 1"#,
        ] {
            assert!(text.lines().any(|written| written == line), "no line {line} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        drop(guard);
        assert!(metrics.render(&Readings::default()).unwrap().contains("corsac_http_requests_in_flight 0"));
    }
}
