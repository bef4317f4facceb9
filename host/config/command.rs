//! The command line as typed, with the environment variable of every flag. Values that are not given
//! stay `None`; `Settings::load` says what they mean.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::location::StoreLocation;
use super::secret::Secret;
use super::security::SecurityArguments;
use super::settings::RetrievalMode;
use super::upstream::UpstreamArguments;
use crate::telemetry::LogFormat;

/// A search server whose retrieval strategies and rankers are hot-swappable WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "corsac", version, propagate_version = true)]
pub struct CommandLine {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Index a folder and serve searches over HTTP.
    Serve(Box<ServeArguments>),
    /// Look at plugins.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Make, list and revoke API keys.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Look after stores.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Measure relevance on a judged collection.
    Eval {
        /// Folder with the corpus, the queries and the judgements.
        collection: PathBuf,
        /// `text`, `vector`, or the name of a strategy (`natural+`: by what it understands); without it text, vector,
        /// semantic, hybrid, smart, natural and natural+.
        #[arg(long)]
        mode: Option<String>,
        /// Folder of plugins that add to and override the built-in ones; may be given more than once.
        #[arg(long, value_name = "FOLDER")]
        plugins: Vec<PathBuf>,
        /// Folder of an embedding model that answers in place of the built-in one.
        #[arg(long, value_name = "FOLDER")]
        model: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Say what a component is and whether this host would load it.
    Check {
        file: PathBuf,
        /// A server's configuration: its settings, limits and grants for plugins hold. Without it, default limits and
        /// whatever grant the file asks for.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key and print it; it cannot be shown again.
    Create {
        /// Whose key it is, for people.
        #[arg(long)]
        name: String,
        /// What it allows: `search`, `index`, `admin` (which implies the others), with commas between them.
        #[arg(long)]
        scope: String,
        /// Days until it ends by itself; without it, never.
        #[arg(long, value_name = "DAYS")]
        expires_days: Option<u32>,
        /// Requests that it allows, such as `600/minute`, or 0 for no limit; without it, what the server says for all.
        #[arg(long, value_name = "COUNT/minute", value_parser = rate)]
        rate: Option<u32>,
        #[command(flatten)]
        store: StoreArguments,
    },
    /// List the keys.
    List {
        #[command(flatten)]
        store: StoreArguments,
    },
    /// End a key; running servers follow within seconds.
    Revoke {
        /// As `corsac key list` shows it.
        id: String,
        #[command(flatten)]
        store: StoreArguments,
    },
}

/// Which store a command works on. A server may be running over it.
#[derive(Args, Clone, Debug, Default)]
pub struct StoreArguments {
    /// Configuration file of the server.
    #[arg(long, env = "CORSAC_CONFIG")]
    pub config: Option<PathBuf>,
    /// Folder of the store, as the server was told.
    #[arg(long, env = "CORSAC_DATA", value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// The folder that the server serves, when it was told no data folder.
    #[arg(long, value_name = "PATH")]
    pub tree: Option<PathBuf>,
    /// `postgres://…`, as the server was told.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<Secret>,
}

impl StoreArguments {
    /// As if a server were started with them.
    pub fn as_serve(&self) -> ServeArguments {
        ServeArguments {
            config: self.config.clone(),
            data: self.data.clone(),
            shared: SharedArguments { database_url: self.database_url.clone(), ..SharedArguments::default() },
            ..ServeArguments::default()
        }
    }
}

/// `600/minute` or `600`.
fn rate(text: &str) -> Result<u32, String> {
    let count = text.strip_suffix("/minute").unwrap_or(text);
    count.trim().parse().map_err(|_| "write a number of requests, such as 600/minute".to_owned())
}

#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Copy everything from one store into an empty one, and compare them. No server may use either meanwhile.
    ///
    /// A store is a server's data folder, `sqlite:FILE`, `postgres://…`, or `env:VARIABLE` for an environment
    /// variable that holds one of these, which keeps a password off the command line. A copy that was interrupted
    /// goes on when it is started again.
    Copy { from: StoreLocation, to: StoreLocation },
}

#[derive(Args, Clone, Debug, Default)]
pub struct ServeArguments {
    /// Folder to index; without it only posted documents are searched.
    pub path: Option<PathBuf>,
    /// Configuration file in TOML; `examples/corsac.toml` shows every value.
    #[arg(long, env = "CORSAC_CONFIG")]
    pub config: Option<PathBuf>,
    /// Address and port to serve on [default: 127.0.0.1:8000].
    #[arg(long, env = "CORSAC_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Folder of the store and the indexes [default: one for each PATH below the user's data folder].
    #[arg(long, env = "CORSAC_DATA", value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Folder of plugins that add to and override the built-in ones; may be given more than once.
    #[arg(long, env = "CORSAC_PLUGINS", value_name = "FOLDER", value_delimiter = ':')]
    pub plugins: Vec<PathBuf>,
    /// Folder that may be indexed over HTTP, beside PATH; may be given more than once.
    #[arg(long, env = "CORSAC_ALLOW_ROOTS", value_name = "FOLDER", value_delimiter = ':')]
    pub allow_root: Vec<PathBuf>,
    /// Serve what is already indexed; do not look at PATH at the start.
    #[arg(long, env = "CORSAC_NO_INDEX")]
    pub no_index: bool,
    /// Bytes that cached answers may take [default: 268435456].
    #[arg(long, env = "CORSAC_CACHE_BYTES", value_name = "BYTES")]
    pub cache_bytes: Option<u64>,
    /// Seconds that answers of `semantic` live [default: 3600].
    #[arg(long, env = "CACHE_TTL_SEMANTIC", value_name = "SECONDS")]
    pub cache_ttl_semantic: Option<u64>,
    /// Seconds that answers of `syntax` live [default: 1800].
    #[arg(long, env = "CACHE_TTL_SYNTAX", value_name = "SECONDS")]
    pub cache_ttl_syntax: Option<u64>,
    /// Seconds that answers of `hybrid` live [default: 1800].
    #[arg(long, env = "CACHE_TTL_HYBRID", value_name = "SECONDS")]
    pub cache_ttl_hybrid: Option<u64>,
    /// Seconds that answers of `suggestions` live [default: 86400].
    #[arg(long, env = "CACHE_TTL_SUGGESTIONS", value_name = "SECONDS")]
    pub cache_ttl_suggestions: Option<u64>,
    /// Searches that are computed at once; more wait for their turn [default: 64].
    #[arg(long, env = "CORSAC_MAX_CONCURRENT_SEARCHES", value_name = "COUNT")]
    pub max_concurrent_searches: Option<u32>,
    /// The same by its earlier name.
    #[arg(long, env = "MAX_CONCURRENT_SEARCHES", hide = true)]
    pub earlier_max_concurrent_searches: Option<u32>,
    /// Milliseconds after which a search is given up [default: 10000].
    #[arg(long, env = "CORSAC_SEARCH_TIMEOUT_MS", value_name = "MILLISECONDS")]
    pub search_timeout_ms: Option<u64>,
    /// Larger files are not indexed [default: 1048576].
    #[arg(long, env = "CORSAC_MAX_FILE_BYTES", value_name = "BYTES")]
    pub max_file_bytes: Option<u64>,
    #[command(flatten)]
    pub shared: SharedArguments,
    #[command(flatten)]
    pub security: SecurityArguments,
    #[command(flatten)]
    pub telemetry: TelemetryArguments,
    #[command(flatten)]
    pub upstream: UpstreamArguments,
    /// What answers a query's look-ups: each host's own index, or the database [default: index].
    #[arg(long, env = "CORSAC_RETRIEVAL", value_enum)]
    pub retrieval: Option<RetrievalMode>,
    /// Folder of a better embedding model, such as all-MiniLM-L6-v2; without it only the built-in one.
    #[arg(long, env = "CORSAC_MODEL", value_name = "FOLDER")]
    pub model: Option<PathBuf>,
    /// Seconds that answers of strategies without their own value live [default: 1800].
    #[arg(long, env = "CACHE_TTL", value_name = "SECONDS")]
    pub cache_ttl: Option<u64>,
    /// How log lines are written [default: text].
    #[arg(long, env = "CORSAC_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
    /// What is logged, such as `info` or `corsac=debug,warn` [default: info].
    #[arg(long, env = "RUST_LOG", value_name = "FILTER")]
    pub log: Option<String>,
}

/// Of what hosts share. URLs hold passwords: the environment is a better place for them than a command line.
#[derive(Args, Clone, Debug, Default)]
pub struct SharedArguments {
    /// `postgres://…`; without it documents are kept in SQLite below the data folder.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<Secret>,
    /// Database connections that are kept [default: 20].
    #[arg(long, env = "DB_POOL_SIZE", value_name = "COUNT")]
    pub db_pool_size: Option<u32>,
    /// Database connections beyond those, under load [default: 30].
    #[arg(long, env = "DB_MAX_OVERFLOW", value_name = "COUNT")]
    pub db_max_overflow: Option<u32>,
    /// Seconds that a request waits for a connection [default: 30].
    #[arg(long, env = "DB_POOL_TIMEOUT", value_name = "SECONDS")]
    pub db_pool_timeout: Option<u64>,
    /// Milliseconds after which a statement is recorded as slow [default: 1000].
    #[arg(long, env = "DB_SLOW_QUERY_MS", value_name = "MILLISECONDS")]
    pub db_slow_query_ms: Option<u64>,
    /// `redis://…` or `rediss://…`, nodes of a cluster separated by commas; without it nothing is shared.
    #[arg(long, env = "REDIS_URL", value_name = "URL", hide_env_values = true)]
    pub redis_url: Option<Secret>,
    /// Connections to Redis [default: 20].
    #[arg(long, env = "REDIS_MAX_CONNECTIONS", value_name = "COUNT")]
    pub redis_max_connections: Option<u32>,
    /// Values of more bytes are compressed in Redis [default: 1024].
    #[arg(long, env = "CACHE_COMPRESSION_THRESHOLD", value_name = "BYTES")]
    pub cache_compression_threshold: Option<u64>,
}

/// Of what the server says about itself. The `OTEL_` variables are those of the OpenTelemetry specification.
#[derive(Args, Clone, Debug, Default)]
pub struct TelemetryArguments {
    /// Keep figures in the store, per minute for a day and per hour for a month [default: true].
    #[arg(long, env = "CORSAC_HISTORY", value_name = "BOOLEAN")]
    pub history: Option<bool>,
    /// Send traces to this collector, such as `http://127.0.0.1:4318`.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL", hide_env_values = true)]
    pub otlp_endpoint: Option<Secret>,
    /// Name of this server in traces [default: corsac].
    #[arg(long, env = "OTEL_SERVICE_NAME", value_name = "NAME")]
    pub otlp_service_name: Option<String>,
    /// Share of the traces beginning here that are sent, 0 to 1 [default: 1].
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", value_name = "RATIO")]
    pub trace_ratio: Option<f64>,
}
