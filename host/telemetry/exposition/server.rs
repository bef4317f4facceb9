//! Figures of the server as a whole: its parts, its connections, its memory, its history and its traces.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{register_counter, register_gauge, whole};
use crate::telemetry::otlp::ExportFigures;
use crate::upstream::UpstreamFigures;

/// Whether one part works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartFigures {
    pub part: &'static str,
    pub up: bool,
    /// Up, but not all of it works.
    pub degraded: bool,
}

/// Connections to one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolFigures {
    /// `database` or `redis`.
    pub pool: &'static str,
    /// Open connections.
    pub size: u64,
    pub in_use: u64,
    pub max: u64,
    /// Callers that wait for a connection.
    pub waiting: u64,
}

/// How keeping figures of the past goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryFigures {
    /// Samples that are in the store.
    pub written: u64,
    /// Samples that wait for the store.
    pub waiting: u64,
    /// Times that the store did not take or give samples.
    pub failures: u64,
    /// Samples lost because too many waited.
    pub dropped: u64,
}

/// What suggestions are made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SuggestionFigures {
    /// Of the corpus.
    pub terms: u64,
    /// Of the history.
    pub queries: u64,
    /// In memory.
    pub bytes: u64,
    /// The store sequence that the terms reflect.
    pub generation: u64,
}

/// The server as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFigures {
    pub parts: Vec<PartFigures>,
    pub pools: Vec<PoolFigures>,
    /// Resident memory.
    pub memory_bytes: Option<u64>,
    pub history: Option<HistoryFigures>,
    pub traces: Option<ExportFigures>,
    /// Services elsewhere that were called.
    pub upstreams: Vec<UpstreamFigures>,
    pub suggestions: Option<SuggestionFigures>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Part {
    part: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Pool {
    pool: &'static str,
}

impl ServerFigures {
    pub(super) fn add(&self, registry: &mut Registry) {
        self.add_parts(registry);
        self.add_pools(registry);
        if let Some(bytes) = self.memory_bytes {
            register_gauge(registry, "process_resident_memory_bytes", "Memory of the process in RAM", bytes);
        }
        if let Some(history) = self.history {
            register_counter(registry, "history_samples", "Samples kept in the store", history.written);
            register_counter(
                registry,
                "history_failures",
                "Times that the store did not take samples",
                history.failures,
            );
            register_counter(registry, "history_dropped", "Samples lost, too many waited", history.dropped);
            register_gauge(registry, "history_waiting", "Samples that wait for the store", history.waiting);
        }
        if let Some(suggestions) = self.suggestions {
            let SuggestionFigures { terms, queries, bytes, generation } = suggestions;
            register_gauge(registry, "suggestion_terms", "Terms of the corpus that are suggested", terms);
            register_gauge(registry, "suggestion_queries", "Earlier queries that are suggested", queries);
            register_gauge(registry, "suggestion_bytes", "Memory of what is suggested", bytes);
            register_gauge(registry, "suggestion_generation", "Store sequence that the terms reflect", generation);
        }
        if let Some(traces) = self.traces {
            register_counter(registry, "trace_spans_exported", "Spans that the collector took", traces.exported);
            register_counter(registry, "trace_spans_failed", "Spans that the collector did not take", traces.failed);
        }
    }

    fn add_parts(&self, registry: &mut Registry) {
        let (up, degraded) = (Family::<Part, Gauge>::default(), Family::<Part, Gauge>::default());
        for figures in &self.parts {
            let part = Part { part: figures.part };
            up.get_or_create(&part).set(figures.up.into());
            degraded.get_or_create(&part).set(figures.degraded.into());
        }
        registry.register("part_up", "1 while a part of the server works, 0 while it is away", up);
        registry.register("part_degraded", "1 while not all of a part works", degraded);
    }

    fn add_pools(&self, registry: &mut Registry) {
        type Gauges = Family<Pool, Gauge>;
        let [size, in_use, max, waiting] = std::array::from_fn(|_| Gauges::default());
        for figures in &self.pools {
            let pool = Pool { pool: figures.pool };
            for (gauge, value) in
                [(&size, figures.size), (&in_use, figures.in_use), (&max, figures.max), (&waiting, figures.waiting)]
            {
                gauge.get_or_create(&pool).set(whole(value));
            }
        }
        registry.register("pool_connections", "Open connections", size);
        registry.register("pool_connections_in_use", "Connections in use", in_use);
        registry.register("pool_connections_max", "Connections that there may be", max);
        registry.register("pool_waiting", "Callers that wait for a connection", waiting);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::telemetry::{Metrics, Readings};

    #[test]
    fn the_server_becomes_lines() {
        let server = ServerFigures {
            parts: vec![
                PartFigures { part: "store", up: true, degraded: true },
                PartFigures { part: "redis", ..PartFigures::default() },
            ],
            pools: vec![PoolFigures { pool: "database", size: 9, in_use: 4, max: 50, waiting: 2 }],
            memory_bytes: Some(4096),
            history: Some(HistoryFigures { written: 60, waiting: 3, failures: 2, dropped: 1 }),
            traces: Some(ExportFigures { exported: 11, failed: 7 }),
            suggestions: Some(SuggestionFigures { terms: 21, queries: 5, bytes: 1600, generation: 8 }),
            ..ServerFigures::default()
        };
        let readings = Readings { server, ..Readings::default() };
        let text = Metrics::default().render(&readings).unwrap();
        for line in [
            r#"corsac_part_up{part="store"} 1"#,
            r#"corsac_part_degraded{part="store"} 1"#,
            r#"corsac_part_up{part="redis"} 0"#,
            r#"corsac_pool_connections{pool="database"} 9"#,
            r#"corsac_pool_connections_in_use{pool="database"} 4"#,
            r#"corsac_pool_connections_max{pool="database"} 50"#,
            r#"corsac_pool_waiting{pool="database"} 2"#,
            "corsac_process_resident_memory_bytes 4096",
            "corsac_suggestion_terms 21",
            "corsac_suggestion_queries 5",
            "corsac_suggestion_bytes 1600",
            "corsac_suggestion_generation 8",
            "corsac_history_samples_total 60",
            "corsac_history_failures_total 2",
            "corsac_history_dropped_total 1",
            "corsac_history_waiting 3",
            "corsac_trace_spans_exported_total 11",
            "corsac_trace_spans_failed_total 7",
        ] {
            assert!(text.lines().any(|written| written == line), "no line {line} in\n{text}");
        }
        let text = Metrics::default().render(&Readings::default()).unwrap();
        assert!(!text.contains("corsac_history") && !text.contains("corsac_trace"), "{text}");
    }
}
