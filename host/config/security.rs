//! Who may ask: keys, rates, pages of other origins.

use std::net::SocketAddr;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::secret::Secret;
use super::settings::{set, within};
use crate::access::MAX_RATE;

/// A shorter administrator's key could be guessed.
const LEAST_KEY_LETTERS: usize = 32;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecuritySettings {
    pub keys: KeyPolicy,
    /// A key with every right that is not kept in the store: for the first start, and for machines.
    pub admin_key: Option<Secret>,
    /// Of each key without its own, or of all callers together where no keys are wanted; 0: no limit.
    pub rate_per_minute: u32,
    /// Origins whose pages may use this server, such as `https://search.example`, or `*`.
    pub cors_origins: Vec<String>,
}

/// Whether requests need a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum KeyPolicy {
    /// On every address that is not loopback.
    #[default]
    Auto,
    On,
    Off,
}

impl KeyPolicy {
    pub fn requires_keys(self, listen: SocketAddr) -> bool {
        match self {
            Self::Auto => !listen.ip().to_canonical().is_loopback(),
            Self::On => true,
            Self::Off => false,
        }
    }
}

#[derive(Args, Clone, Debug, Default)]
pub struct SecurityArguments {
    /// Whether requests need an API key: `auto` is on every address but loopback [default: auto].
    #[arg(long, env = "CORSAC_KEYS", value_enum)]
    pub keys: Option<KeyPolicy>,
    /// An API key with every right that is not in the store; give it in the environment, not here.
    #[arg(long, env = "CORSAC_ADMIN_KEY", value_name = "KEY", hide_env_values = true)]
    pub admin_key: Option<Secret>,
    /// Requests a minute of each API key without a rate of its own; 0: no limit [default: 0].
    #[arg(long, env = "CORSAC_RATE_PER_MINUTE", value_name = "COUNT")]
    pub rate_per_minute: Option<u32>,
    /// Origin whose pages may use this server, or `*`; may be given more than once.
    #[arg(long = "cors-origin", env = "CORSAC_CORS_ORIGINS", value_name = "ORIGIN", value_delimiter = ',')]
    pub cors_origins: Vec<String>,
}

impl SecuritySettings {
    pub(super) fn apply(&mut self, arguments: &SecurityArguments) {
        set(&mut self.keys, arguments.keys);
        self.admin_key = arguments.admin_key.clone().or(self.admin_key.take());
        set(&mut self.rate_per_minute, arguments.rate_per_minute);
        self.cors_origins.extend(arguments.cors_origins.iter().cloned());
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("security.rate_per_minute (CORSAC_RATE_PER_MINUTE)", self.rate_per_minute.into(), 0, MAX_RATE.into())?;
        if let Some(key) = &self.admin_key {
            let key = key.expose();
            if key.len() < LEAST_KEY_LETTERS || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(ConfigError::AdminKey { least: LEAST_KEY_LETTERS });
            }
        }
        match self.cors_origins.iter().find(|origin| !is_origin(origin)) {
            Some(wrong) => Err(ConfigError::Origin(wrong.chars().take(100).collect())),
            None => Ok(()),
        }
    }
}

/// As browsers write it: scheme and host in lower case, no path, no `/` at the end.
fn is_origin(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase() && !b"/?#@,*\"'".contains(&byte);
    text == "*"
        || text.split_once("://").is_some_and(|(scheme, authority)| {
            let letters = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            !scheme.is_empty() && scheme.bytes().all(letters) && !authority.is_empty() && authority.bytes().all(plain)
        })
}
