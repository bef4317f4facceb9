//! What the operator decides: command line, environment and configuration file become one `Settings`.
//! A flag wins over its environment variable, that over the file, that over the default. The only
//! module that reads the environment; past it nobody sees flags.

/// The command line.
mod command;
/// The values of the world of agents.
mod ecs;
/// What is wrong with a file.
mod file;
/// Where a store is.
mod location;
/// The values of a better embedding model.
mod model;
/// The values of retrieval for language models.
mod rag;
/// Values that are never shown.
mod secret;
/// Who may ask.
mod security;
/// The values, their defaults, and the file that sets them.
mod settings;
/// The values of what hosts share.
mod shared;
/// The values of suggestions.
mod suggest;
/// The values of what the server says about itself.
mod telemetry;
/// The values of services elsewhere.
mod upstream;
/// The values of what is remembered of use.
mod usage;

pub use command::{
    Command, CommandLine, KeyCommand, PluginCommand, ServeArguments, SharedArguments, StoreArguments, StoreCommand,
    TelemetryArguments,
};
pub use ecs::EcsSettings;
pub use location::{LocationError, StoreLocation};
pub use model::ModelSettings;
pub use rag::RagSettings;
pub use secret::Secret;
pub use security::{KeyPolicy, SecurityArguments, SecuritySettings};
pub use settings::{CacheSettings, IndexSettings, PluginOverrides, RetrievalMode, ServerSettings, Settings};
pub use shared::{DatabaseSettings, RedisSettings};
pub use suggest::SuggestSettings;
pub use telemetry::TelemetrySettings;
pub use upstream::{AnswersSettings, EmbeddingsSettings, UpstreamArguments, UpstreamSettings};
pub use usage::UsageSettings;

use std::path::{Path, PathBuf};

use crate::upstream::{BadEndpoint, Host};

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration {path}: {reason}")]
    Read { path: PathBuf, reason: String },
    #[error("cannot understand the configuration {path}: {reason}")]
    Parse { path: PathBuf, reason: String },
    #[error("{name} is {value}, but must be from {least} to {most}")]
    Value { name: String, value: u64, least: u64, most: u64 },
    #[error("{name} is {value}, but must be from {least} to {most}")]
    Number { name: &'static str, value: f32, least: f32, most: f32 },
    #[error("index.retrieval is postgres, but there is no database: set DATABASE_URL or database.url")]
    RetrievalWithoutDatabase,
    #[error(
        "index.model.folder (CORSAC_MODEL) is set, but index.retrieval is postgres, and the database has only vectors of the built-in model: take one of the two away"
    )]
    ModelWithoutIndex,
    /// The value is not shown: it holds a password.
    #[error("{name} must begin with {first} or {second}")]
    Scheme { name: &'static str, first: &'static str, second: &'static str },
    #[error(
        "security.admin_key (CORSAC_ADMIN_KEY) must have at least {least} characters and no spaces: try `openssl rand -hex 32`"
    )]
    AdminKey { least: usize },
    #[error(
        "security.cors_origins (CORSAC_CORS_ORIGINS) has `{0}`, which is no origin: write `https://host` or `https://host:port` in lower case without a path, or `*`"
    )]
    Origin(String),
    #[error(
        "telemetry.otlp_endpoint (OTEL_EXPORTER_OTLP_ENDPOINT) does not start with http://; a collector that wants TLS is reached through one on this host"
    )]
    OtlpEndpoint,
    #[error("telemetry.sample_ratio (OTEL_TRACES_SAMPLER_ARG) is {0}, but must be from 0 to 1")]
    SampleRatio(f64),
    #[error("{section}.{} {reason}", reason.key())]
    Endpoint { section: &'static str, reason: BadEndpoint },
    #[error(
        "plugins.{plugin} is granted {host} in `http`, which is not in upstream.allowed_hosts: add it there if plugins may call it"
    )]
    Grant { plugin: String, host: Host },
    #[error("there is no home folder to keep the data in; say where with --data")]
    NoDataFolder,
}

/// Where the data of one indexed tree lives when `--data` does not say: a folder of its own below the
/// user's data folder (`$XDG_DATA_HOME`, else `~/.local/share`), named after the tree and a digest of
/// its full path. Never inside the tree, so that indexing does not meet itself.
pub fn default_data_folder(tree: Option<&Path>) -> Result<PathBuf, ConfigError> {
    let absolute = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_DATA_HOME")
        .or_else(|| std::env::home_dir().map(|home| home.join(".local/share")))
        .ok_or(ConfigError::NoDataFolder)?;
    Ok(base.join("corsac").join(data_folder_name(tree)))
}

fn data_folder_name(tree: Option<&Path>) -> String {
    let Some(tree) = tree else { return "documents".to_owned() };
    let full = tree.canonicalize().unwrap_or_else(|_| tree.to_path_buf());
    let digest = blake3::hash(full.as_os_str().as_encoded_bytes()).to_hex();
    let name: String =
        full.file_name().map(|name| name.to_string_lossy()).unwrap_or_default().chars().take(40).collect();
    let name = name.replace(|letter: char| !letter.is_ascii_alphanumeric() && !"-_.".contains(letter), "_");
    format!("{name}-{}", &digest[..12])
}

#[cfg(test)]
mod tests;
