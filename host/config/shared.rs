//! What hosts share when they are many: the database, the second tier of the cache.

use serde::{Deserialize, Serialize};

use super::secret::Secret;
use super::settings::{set, within};
use super::{ConfigError, SharedArguments};

/// Where documents are kept. Without a URL, in SQLite below the data folder, and of the rest only
/// `slow_query_ms` has an effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseSettings {
    /// `postgres://user:password@host:5432/database?sslmode=verify-full`.
    pub url: Option<Secret>,
    /// Connections that are kept.
    pub pool_size: u32,
    /// More of them under load, closed when they are not needed any more.
    pub max_overflow: u32,
    /// How long a request may wait for a connection before it is answered with 503.
    pub pool_timeout_seconds: u64,
    /// Connections are replaced at this age.
    pub recycle_seconds: u64,
    /// Statements that take longer are recorded with their plan.
    pub slow_query_ms: u64,
    /// How often a host asks for changes of other hosts, should a notification get lost.
    pub poll_interval_ms: u64,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            url: None,
            pool_size: 20,
            max_overflow: 30,
            pool_timeout_seconds: 30,
            recycle_seconds: 3600,
            slow_query_ms: 1000,
            poll_interval_ms: 1000,
        }
    }
}

/// The cache that hosts share, behind each one's own. Without a URL there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisSettings {
    /// `redis://` or `rediss://user:password@host:6379/1`; several nodes of a cluster, separated by commas.
    pub url: Option<Secret>,
    pub max_connections: u32,
    /// A call that takes longer counts as a miss.
    pub timeout_ms: u64,
    /// In front of every key, so that several installations can share one Redis.
    pub prefix: String,
    /// Larger values are compressed when that makes them smaller.
    pub compression_threshold_bytes: u64,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            url: None,
            max_connections: 20,
            timeout_ms: 100,
            prefix: "corsac".to_owned(),
            compression_threshold_bytes: 1024,
        }
    }
}

impl DatabaseSettings {
    pub(super) fn apply(&mut self, arguments: &SharedArguments) {
        self.url = arguments.database_url.clone().or(self.url.take());
        set(&mut self.pool_size, arguments.db_pool_size);
        set(&mut self.max_overflow, arguments.db_max_overflow);
        set(&mut self.pool_timeout_seconds, arguments.db_pool_timeout);
        set(&mut self.slow_query_ms, arguments.db_slow_query_ms);
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        scheme(
            "DATABASE_URL (database.url)",
            self.url.as_ref().map(Secret::expose),
            &["postgres://", "postgresql://"],
        )?;
        within("database.pool_size (DB_POOL_SIZE)", self.pool_size.into(), 1, 10_000)?;
        within("database.max_overflow (DB_MAX_OVERFLOW)", self.max_overflow.into(), 0, 10_000)?;
        within("database.pool_timeout_seconds (DB_POOL_TIMEOUT)", self.pool_timeout_seconds, 1, 3600)?;
        within("database.recycle_seconds", self.recycle_seconds, 1, 31_536_000)?;
        within("database.slow_query_ms (DB_SLOW_QUERY_MS)", self.slow_query_ms, 1, 3_600_000)?;
        within("database.poll_interval_ms", self.poll_interval_ms, 10, 3_600_000)
    }
}

impl RedisSettings {
    pub(super) fn apply(&mut self, arguments: &SharedArguments) {
        self.url = arguments.redis_url.clone().or(self.url.take());
        set(&mut self.max_connections, arguments.redis_max_connections);
        set(&mut self.compression_threshold_bytes, arguments.cache_compression_threshold);
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for node in self.url.iter().flat_map(|url| url.expose().split(',').map(str::trim)) {
            scheme("REDIS_URL (redis.url)", Some(node).filter(|node| !node.is_empty()), &["redis://", "rediss://"])?;
        }
        within("redis.max_connections (REDIS_MAX_CONNECTIONS)", self.max_connections.into(), 1, 10_000)?;
        within("redis.timeout_ms", self.timeout_ms, 1, 60_000)?;
        within(
            "redis.compression_threshold_bytes (CACHE_COMPRESSION_THRESHOLD)",
            self.compression_threshold_bytes,
            0,
            1 << 30,
        )
    }
}

/// Early and without the value: drivers would quote it.
fn scheme(name: &'static str, url: Option<&str>, schemes: &'static [&'static str; 2]) -> Result<(), ConfigError> {
    match url {
        Some(url) if !schemes.iter().any(|scheme| url.starts_with(scheme)) => {
            Err(ConfigError::Scheme { name, first: schemes[0], second: schemes[1] })
        }
        _ => Ok(()),
    }
}
