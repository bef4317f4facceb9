//! The values that decide how the server behaves. Every one has a default here, is shown with it in
//! `examples/corsac.toml` (a test compares them), and is checked before anything starts.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cache::Lifetimes;
use crate::config::{
    AnswersSettings, ConfigError, DatabaseSettings, EcsSettings, EmbeddingsSettings, ModelSettings, RagSettings,
    RedisSettings, SecuritySettings, ServeArguments, SuggestSettings, TelemetrySettings, UpstreamSettings,
    UsageSettings,
};
use crate::config::{file, upstream};
use crate::runtime::{InstancePolicy, PluginOptions};
use crate::telemetry::LogFormat;
use crate::upstream::Host;

/// Seconds; thirty years: far above any use, far below what a clock can add to now.
const LONGEST_LIFE: u64 = 946_080_000;

/// The whole configuration; also the shape of the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub server: ServerSettings,
    pub index: IndexSettings,
    pub cache: CacheSettings,
    pub database: DatabaseSettings,
    pub redis: RedisSettings,
    pub security: SecuritySettings,
    pub telemetry: TelemetrySettings,
    pub ecs: EcsSettings,
    pub usage: UsageSettings,
    pub upstream: UpstreamSettings,
    pub answers: AnswersSettings,
    pub embeddings: EmbeddingsSettings,
    pub suggest: SuggestSettings,
    pub rag: RagSettings,
    /// What holds for every plugin that has nothing of its own.
    pub plugin_defaults: PluginOptions,
    /// By plugin name, such as `rank-recency`.
    pub plugins: BTreeMap<String, PluginOverrides>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Loopback, where requests need no key.
    pub listen: SocketAddr,
    /// None: `default_data_folder` of the served tree.
    pub data: Option<PathBuf>,
    /// Searched in order; a later folder's plugin wins over an earlier one's of the same name.
    pub plugin_folders: Vec<PathBuf>,
    /// Searches computed at once; cached answers need no turn.
    pub max_concurrent_searches: u32,
    pub search_timeout_ms: u64,
    /// How long requests in flight may take to finish after a stop signal.
    pub drain_ms: u64,
    pub log_format: LogFormat,
    /// With the syntax of `RUST_LOG`.
    pub log: String,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8000),
            data: None,
            plugin_folders: vec![],
            max_concurrent_searches: 64,
            search_timeout_ms: 10_000,
            drain_ms: 10_000,
            log_format: LogFormat::Text,
            log: "info".to_owned(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IndexSettings {
    /// Larger files are skipped and counted.
    pub max_file_bytes: u64,
    /// Folders that may be indexed over HTTP, beside the served tree.
    pub allowed_roots: Vec<PathBuf>,
    /// Bring the index up to date when the server starts.
    pub on_start: bool,
    pub retrieval: RetrievalMode,
    pub model: ModelSettings,
}

/// What answers the look-ups of a query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum RetrievalMode {
    /// The host's own text and vector index, which follows the store.
    #[default]
    Index,
    /// The database itself, for collections that outgrow a host's disk.
    Postgres,
}

impl Default for IndexSettings {
    fn default() -> Self {
        Self {
            max_file_bytes: 1 << 20,
            allowed_roots: vec![],
            on_start: true,
            retrieval: RetrievalMode::Index,
            model: ModelSettings::default(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheSettings {
    /// What cached answers may take in memory; 0 keeps none.
    pub bytes: u64,
    /// How long past its life time an answer may be served while a newer one is computed; 0: not at all.
    pub stale_seconds: u64,
    /// The most frequent searches that are answered ahead when a plugin or the index has changed; 0: none.
    pub warm_queries: u32,
    /// Frequency is counted over about this long.
    pub warm_period_seconds: u64,
    /// Life time of the answers of strategies that `ttl_seconds` does not name.
    pub other_ttl_seconds: u64,
    /// By namespace: the strategy's name without its `strategy-` prefix. Naming one in a file leaves the
    /// others at their defaults.
    #[serde(deserialize_with = "over_default_ttls")]
    pub ttl_seconds: BTreeMap<String, u64>,
}

fn default_ttls() -> (BTreeMap<String, u64>, u64) {
    let lifetimes = Lifetimes::default();
    (lifetimes.named.into_iter().map(|(name, life)| (name, life.as_secs())).collect(), lifetimes.other.as_secs())
}

fn over_default_ttls<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, u64>, D::Error> {
    let mut ttls = default_ttls().0;
    ttls.extend(BTreeMap::<String, u64>::deserialize(deserializer)?);
    Ok(ttls)
}

impl Default for CacheSettings {
    fn default() -> Self {
        let (ttl_seconds, other_ttl_seconds) = default_ttls();
        Self {
            bytes: 256 << 20,
            stale_seconds: 60,
            warm_queries: 100,
            warm_period_seconds: 3600,
            other_ttl_seconds,
            ttl_seconds,
        }
    }
}

impl CacheSettings {
    pub fn lifetimes(&self) -> Lifetimes {
        let named = self.ttl_seconds.iter().map(|(name, seconds)| (name.clone(), Duration::from_secs(*seconds)));
        Lifetimes { named: named.collect(), other: Duration::from_secs(self.other_ttl_seconds) }
    }
}

/// What one plugin has of its own; the rest comes from `plugin_defaults`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginOverrides {
    pub deadline_ms: Option<u64>,
    pub memory_bytes: Option<u64>,
    pub max_output_bytes: Option<u64>,
    pub max_probes: Option<u32>,
    pub concurrent_calls: Option<u32>,
    pub instances: Option<InstancePolicy>,
    /// Hosts that it may call over HTTP; part of `upstream.allowed_hosts`.
    pub http: Vec<Host>,
    pub http_timeout_ms: Option<u64>,
    /// Added to the default settings, key by key.
    pub settings: BTreeMap<String, String>,
}

impl Settings {
    /// The file that the arguments name, if any, with the arguments over it; checked.
    pub fn load(arguments: &ServeArguments) -> Result<Self, ConfigError> {
        let mut settings = match &arguments.config {
            Some(path) => Self::read(path)?,
            None => Self::default(),
        };
        settings.apply(arguments);
        settings.check()?;
        Ok(settings)
    }

    /// A file alone, checked.
    pub fn of_file(path: &Path) -> Result<Self, ConfigError> {
        let settings = Self::read(path)?;
        settings.check()?;
        Ok(settings)
    }

    /// A file as it stands; relative folders in it are relative to the file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Read { path: path.to_owned(), reason: error.to_string() })?;
        let mut settings: Self = toml::from_str(&text)
            .map_err(|error| ConfigError::Parse { path: path.to_owned(), reason: file::reason(&text, &error) })?;
        let base = path.parent().unwrap_or(Path::new(""));
        let server = &mut settings.server;
        let index = &mut settings.index;
        let folders = server.plugin_folders.iter_mut().chain(&mut index.allowed_roots);
        for folder in folders.chain(&mut server.data).chain(&mut index.model.folder) {
            *folder = base.join(&folder);
        }
        Ok(settings)
    }

    /// What holds for one plugin.
    pub fn plugin(&self, name: &str) -> PluginOptions {
        let mut policy = self.plugin_defaults.clone();
        let Some(own) = self.plugins.get(name) else { return policy };
        set(&mut policy.deadline_ms, own.deadline_ms);
        set(&mut policy.memory_bytes, own.memory_bytes);
        set(&mut policy.max_output_bytes, own.max_output_bytes);
        set(&mut policy.max_probes, own.max_probes);
        set(&mut policy.concurrent_calls, own.concurrent_calls);
        set(&mut policy.instances, own.instances);
        set(&mut policy.http_timeout_ms, own.http_timeout_ms);
        policy.http.clone_from(&own.http);
        policy.settings.extend(own.settings.clone());
        policy
    }

    fn apply(&mut self, arguments: &ServeArguments) {
        let server = &mut self.server;
        set(&mut server.listen, arguments.listen);
        server.data = arguments.data.clone().or(server.data.take());
        server.plugin_folders.extend(arguments.plugins.iter().cloned());
        set(&mut server.max_concurrent_searches, arguments.earlier_max_concurrent_searches);
        set(&mut server.max_concurrent_searches, arguments.max_concurrent_searches);
        set(&mut server.search_timeout_ms, arguments.search_timeout_ms);
        set(&mut server.log_format, arguments.log_format);
        set(&mut server.log, arguments.log.clone());
        set(&mut self.index.max_file_bytes, arguments.max_file_bytes);
        self.index.allowed_roots.extend(arguments.allow_root.iter().cloned());
        self.index.on_start &= !arguments.no_index;
        set(&mut self.index.retrieval, arguments.retrieval);
        self.index.model.folder = arguments.model.clone().or(self.index.model.folder.take());
        self.database.apply(&arguments.shared);
        self.redis.apply(&arguments.shared);
        self.security.apply(&arguments.security);
        self.telemetry.apply(&arguments.telemetry);
        self.upstream.apply(&arguments.upstream);
        self.answers.key = arguments.upstream.answers_key.clone().or(self.answers.key.take());
        self.embeddings.key = arguments.upstream.embeddings_key.clone().or(self.embeddings.key.take());
        set(&mut self.cache.bytes, arguments.cache_bytes);
        set(&mut self.cache.other_ttl_seconds, arguments.cache_ttl);
        for (namespace, seconds) in [
            ("semantic", arguments.cache_ttl_semantic),
            ("syntax", arguments.cache_ttl_syntax),
            ("hybrid", arguments.cache_ttl_hybrid),
            ("suggestions", arguments.cache_ttl_suggestions),
        ] {
            if let Some(seconds) = seconds {
                self.cache.ttl_seconds.insert(namespace.to_owned(), seconds);
            }
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        within("server.max_concurrent_searches", self.server.max_concurrent_searches.into(), 1, 100_000)?;
        within("server.search_timeout_ms", self.server.search_timeout_ms, 1, 3_600_000)?;
        within("server.drain_ms", self.server.drain_ms, 0, 3_600_000)?;
        within("index.max_file_bytes", self.index.max_file_bytes, 1, 1 << 30)?;
        self.database.check()?;
        self.redis.check()?;
        self.security.check()?;
        self.telemetry.check()?;
        self.ecs.check()?;
        self.usage.check()?;
        upstream::check(self)?;
        self.suggest.check()?;
        self.rag.check()?;
        if self.index.retrieval == RetrievalMode::Postgres && self.database.url.is_none() {
            return Err(ConfigError::RetrievalWithoutDatabase);
        }
        self.index.model.check(self.index.retrieval == RetrievalMode::Postgres)?;
        within("cache.stale_seconds", self.cache.stale_seconds, 0, 86_400)?;
        within("cache.warm_queries", self.cache.warm_queries.into(), 0, 1000)?;
        within("cache.warm_period_seconds", self.cache.warm_period_seconds, 1, 31_536_000)?;
        within("cache.other_ttl_seconds (CACHE_TTL)", self.cache.other_ttl_seconds, 0, LONGEST_LIFE)?;
        for (namespace, seconds) in &self.cache.ttl_seconds {
            within(format!("cache.ttl_seconds.{namespace}"), *seconds, 0, LONGEST_LIFE)?;
        }
        // First, so that what is wrong with a plugin afterwards is its own.
        check_plugin("plugin_defaults", &self.plugin_defaults)?;
        self.plugins.keys().try_for_each(|name| check_plugin(&format!("plugins.{name}"), &self.plugin(name)))
    }
}

fn check_plugin(section: &str, policy: &PluginOptions) -> Result<(), ConfigError> {
    let key = |name: &str| format!("{section}.{name}");
    within(key("deadline_ms"), policy.deadline_ms, 1, 3_600_000)?;
    within(key("memory_bytes"), policy.memory_bytes, 64 << 10, 1 << 30)?;
    within(key("max_output_bytes"), policy.max_output_bytes, 1, 1 << 30)?;
    within(key("http_timeout_ms"), policy.http_timeout_ms, 1, 3_600_000)?;
    within(key("max_probes"), policy.max_probes.into(), 1, 10_000)?;
    within(key("concurrent_calls"), policy.concurrent_calls.into(), 1, 100_000)
}

pub(super) fn set<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

pub(super) fn within(name: impl Into<String>, value: u64, least: u64, most: u64) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::Value { name: name.into(), value, least, most })
}
