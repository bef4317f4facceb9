//! Figures that other layers already keep: read when somebody scrapes, never counted twice. The labels
//! are names of loaded plugins, of models and of cache namespaces, so their number is bounded by what is loaded.

/// Embedding models.
mod models;
/// The server as a whole.
mod server;
/// The tier of the cache that hosts share.
mod shared;
/// Services elsewhere.
mod upstream;

pub use server::{HistoryFigures, PartFigures, PoolFigures, ServerFigures, SuggestionFigures};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::cache;
use crate::index::ModelStats;

/// Sizes of the indexes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexFigures {
    pub documents: u64,
    pub chunks: u64,
    /// Bytes on disk.
    pub bytes: u64,
    pub generation: u64,
    /// Changes of the store, as far as this host knows of them, that searches do not see yet.
    pub lag: u64,
    /// The store has not been heard for a while.
    pub stale: bool,
}

/// Counts of one version of one plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginFigures {
    /// `name@version`.
    pub plugin: String,
    pub calls: u64,
    /// By kind of error.
    pub errors: Vec<(&'static str, u64)>,
    pub memory_high_water_bytes: u64,
}

/// All that is read at scrape time.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    pub index: IndexFigures,
    /// What the index has of each embedding model.
    pub models: Vec<ModelStats>,
    pub plugins: Vec<PluginFigures>,
    pub cache: cache::Figures,
    pub server: ServerFigures,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Plugin {
    plugin: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PluginError {
    plugin: String,
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CacheNamespace {
    namespace: String,
}

impl Readings {
    /// A registry for one scrape.
    pub(super) fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("corsac");
        self.add_index(&mut registry);
        models::add(&self.models, &mut registry);
        self.add_plugins(&mut registry);
        self.add_cache(&mut registry);
        if let Some(shared) = &self.cache.shared {
            shared::add(shared, &mut registry);
        }
        self.server.add(&mut registry);
        upstream::add(&self.server.upstreams, &mut registry);
        registry
    }

    fn add_index(&self, registry: &mut Registry) {
        let mut gauge = |name: &str, help: &str, value: u64| register_gauge(registry, name, help, value);
        gauge("index_documents", "Live documents", self.index.documents);
        gauge("index_chunks", "Live chunks", self.index.chunks);
        gauge("index_size_bytes", "Bytes of all indexes on disk", self.index.bytes);
        gauge("index_generation", "Store sequence that searches see", self.index.generation);
        gauge("index_lag", "Changes of the store that searches do not see yet", self.index.lag);
        gauge("index_stale", "1 while the store is out of reach, so that lag is not known", self.index.stale.into());
    }

    fn add_plugins(&self, registry: &mut Registry) {
        let calls = Family::<Plugin, Counter>::default();
        let errors = Family::<PluginError, Counter>::default();
        let memory = Family::<Plugin, Gauge>::default();
        for figures in &self.plugins {
            let plugin = Plugin { plugin: figures.plugin.clone() };
            calls.get_or_create(&plugin).inc_by(figures.calls);
            memory.get_or_create(&plugin).set(whole(figures.memory_high_water_bytes));
            for (kind, count) in &figures.errors {
                errors.get_or_create(&PluginError { plugin: figures.plugin.clone(), kind }).inc_by(*count);
            }
        }
        registry.register("plugin_calls", "Calls into a plugin", calls);
        registry.register("plugin_errors", "Calls that failed, by kind", errors);
        registry.register("plugin_memory_high_water_bytes", "Most memory that an instance used", memory);
    }

    fn add_cache(&self, registry: &mut Registry) {
        type Counters = Family<CacheNamespace, Counter>;
        let [hits, misses, coalesced, evicted, stale, shared, refreshed, warmed] =
            std::array::from_fn(|_| Counters::default());
        for figures in &self.cache.namespaces {
            let label = CacheNamespace { namespace: figures.namespace.clone() };
            hits.get_or_create(&label).inc_by(figures.hits);
            misses.get_or_create(&label).inc_by(figures.misses);
            coalesced.get_or_create(&label).inc_by(figures.coalesced);
            evicted.get_or_create(&label).inc_by(figures.evicted);
            stale.get_or_create(&label).inc_by(figures.stale);
            shared.get_or_create(&label).inc_by(figures.shared);
            refreshed.get_or_create(&label).inc_by(figures.refreshed);
            warmed.get_or_create(&label).inc_by(figures.warmed);
        }
        registry.register("cache_hits", "Answers found in the cache", hits);
        registry.register("cache_misses", "Answers computed", misses);
        registry.register("cache_coalesced", "Answers that waited for another's computation", coalesced);
        registry.register("cache_evicted", "Entries dropped for want of room", evicted);
        registry.register("cache_stale", "Answers served past their life time, for once", stale);
        registry.register("cache_shared_hits", "Answers found in the tier that hosts share", shared);
        registry.register("cache_refreshed", "Stale answers computed again in the background", refreshed);
        registry.register("cache_warmed", "Answers computed or fetched before anybody asked", warmed);
        register_gauge(registry, "cache_entries", "Entries in the cache", self.cache.entries);
        register_gauge(registry, "cache_size_bytes", "Bytes in the cache", self.cache.bytes);
        register_gauge(registry, "cache_capacity_bytes", "Bytes that the cache may hold", self.cache.capacity_bytes);
    }
}

fn register_gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let gauge: Gauge = Gauge::default();
    gauge.set(whole(value));
    registry.register(name, help, gauge);
}

fn register_counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let counter: Counter = Counter::default();
    counter.inc_by(value);
    registry.register(name, help, counter);
}

fn whole(value: u64) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn readings_become_lines() {
        let namespace =
            cache::NamespaceFigures { namespace: "syntax".into(), hits: 8, misses: 2, ..Default::default() };
        let readings = Readings {
            index: IndexFigures { documents: 12, chunks: 34, bytes: 56, generation: 78, lag: 3, stale: true },
            plugins: vec![PluginFigures {
                plugin: "rank-fields@0.1.0".into(),
                calls: 5,
                errors: vec![("trap", 1)],
                memory_high_water_bytes: 65536,
            }],
            cache: cache::Figures {
                namespaces: vec![namespace],
                entries: 2,
                bytes: 999,
                capacity_bytes: 1000,
                shared: None,
            },
            ..Readings::default()
        };
        let text = Metrics::default().render(&readings).unwrap();
        for line in [
            "corsac_index_documents 12",
            "corsac_index_generation 78",
            "corsac_index_lag 3",
            "corsac_index_stale 1",
            r#"corsac_plugin_calls_total{plugin="rank-fields@0.1.0"} 5"#,
            r#"corsac_plugin_errors_total{plugin="rank-fields@0.1.0",kind="trap"} 1"#,
            r#"corsac_plugin_memory_high_water_bytes{plugin="rank-fields@0.1.0"} 65536"#,
            r#"corsac_cache_hits_total{namespace="syntax"} 8"#,
            "corsac_cache_size_bytes 999",
        ] {
            assert!(text.lines().any(|written| written == line), "no line {line} in\n{text}");
        }
    }
}
