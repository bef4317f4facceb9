//! What the operator allows the server to call, and which services write its answers and embed its texts.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::secret::Secret;
use super::settings::{Settings, set, within};
use crate::upstream::{Dialect, Endpoint, Host, IpNet};

/// Bounds of all calls to services elsewhere, and whom they may reach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamSettings {
    /// Calls under way, over all services; more wait.
    pub connection_limit: u32,
    /// Calls under way to one service.
    pub connection_limit_per_host: u32,
    /// How long a name's addresses are kept.
    pub dns_cache_ttl_seconds: u64,
    /// For a whole call with its retries; of a streamed answer, for its begin and then for each piece.
    pub timeout_seconds: u64,
    /// Larger answers are broken off.
    pub max_answer_bytes: u64,
    /// Hosts that plugins may be granted: `name:port`, or `name` for the ports 80 and 443.
    pub allowed_hosts: Vec<Host>,
    /// Networks that are not public and may be called all the same.
    pub allowed_networks: Vec<IpNet>,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            connection_limit: 100,
            connection_limit_per_host: 30,
            dns_cache_ttl_seconds: 300,
            timeout_seconds: 30,
            max_answer_bytes: 16 << 20,
            allowed_hosts: vec![],
            allowed_networks: vec![],
        }
    }
}

/// The language model that writes answers. Without a URL there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnswersSettings {
    /// `https://api.example` or `http://localhost:11434`.
    pub url: Option<String>,
    pub kind: Dialect,
    pub model: String,
    pub key: Option<Secret>,
}

/// An embedding model elsewhere. Without a URL the embedded one is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddingsSettings {
    pub url: Option<String>,
    pub kind: Dialect,
    pub model: String,
    pub key: Option<Secret>,
    /// Texts of one request.
    pub batch: u32,
}

impl Default for EmbeddingsSettings {
    fn default() -> Self {
        Self { url: None, kind: Dialect::default(), model: String::new(), key: None, batch: 64 }
    }
}

/// Of services elsewhere.
#[derive(Args, Clone, Debug, Default)]
pub struct UpstreamArguments {
    /// Calls to services elsewhere at once [default: 100].
    #[arg(long, env = "HTTP_CONNECTION_LIMIT", value_name = "COUNT")]
    pub http_connection_limit: Option<u32>,
    /// Calls to one service at once [default: 30].
    #[arg(long, env = "HTTP_CONNECTION_LIMIT_PER_HOST", value_name = "COUNT")]
    pub http_connection_limit_per_host: Option<u32>,
    /// Seconds that addresses of services are kept [default: 300].
    #[arg(long, env = "HTTP_DNS_CACHE_TTL", value_name = "SECONDS")]
    pub http_dns_cache_ttl: Option<u64>,
    /// Seconds that a call to a service may take [default: 30].
    #[arg(long, env = "HTTP_TIMEOUT_SECONDS", value_name = "SECONDS")]
    pub http_timeout_seconds: Option<u64>,
    /// Key for the language model that writes answers.
    #[arg(long, env = "CORSAC_ANSWERS_KEY", value_name = "KEY", hide_env_values = true)]
    pub answers_key: Option<Secret>,
    /// Key for the embedding model elsewhere.
    #[arg(long, env = "CORSAC_EMBEDDINGS_KEY", value_name = "KEY", hide_env_values = true)]
    pub embeddings_key: Option<Secret>,
}

impl UpstreamSettings {
    pub(super) fn apply(&mut self, arguments: &UpstreamArguments) {
        set(&mut self.connection_limit, arguments.http_connection_limit);
        set(&mut self.connection_limit_per_host, arguments.http_connection_limit_per_host);
        set(&mut self.dns_cache_ttl_seconds, arguments.http_dns_cache_ttl);
        set(&mut self.timeout_seconds, arguments.http_timeout_seconds);
    }

    fn check(&self) -> Result<(), ConfigError> {
        within("upstream.connection_limit (HTTP_CONNECTION_LIMIT)", self.connection_limit.into(), 1, 10_000)?;
        let per_host = self.connection_limit_per_host.into();
        within("upstream.connection_limit_per_host (HTTP_CONNECTION_LIMIT_PER_HOST)", per_host, 1, 10_000)?;
        within("upstream.dns_cache_ttl_seconds (HTTP_DNS_CACHE_TTL)", self.dns_cache_ttl_seconds, 0, 86_400)?;
        within("upstream.timeout_seconds (HTTP_TIMEOUT_SECONDS)", self.timeout_seconds, 1, 3600)?;
        within("upstream.max_answer_bytes", self.max_answer_bytes, 1024, 1 << 30)
    }
}

impl AnswersSettings {
    /// The service, if one is set.
    pub fn endpoint(&self) -> Result<Option<Endpoint>, ConfigError> {
        endpoint("answers", self.url.as_deref(), self.kind, &self.model, self.key.as_ref())
    }
}

impl EmbeddingsSettings {
    /// The service, if one is set.
    pub fn endpoint(&self) -> Result<Option<Endpoint>, ConfigError> {
        endpoint("embeddings", self.url.as_deref(), self.kind, &self.model, self.key.as_ref())
    }
}

/// A variable that is set to nothing is no key.
fn endpoint(
    section: &'static str,
    url: Option<&str>,
    kind: Dialect,
    model: &str,
    key: Option<&Secret>,
) -> Result<Option<Endpoint>, ConfigError> {
    let Some(url) = url.filter(|url| !url.is_empty()) else { return Ok(None) };
    let key = key.map(Secret::expose).filter(|key| !key.is_empty());
    Endpoint::new(url, kind, model, key).map(Some).map_err(|reason| ConfigError::Endpoint { section, reason })
}

/// The three sections, and that every plugin's grant is within what is allowed.
pub(super) fn check(settings: &Settings) -> Result<(), ConfigError> {
    settings.upstream.check()?;
    settings.answers.endpoint()?;
    settings.embeddings.endpoint()?;
    within("embeddings.batch", settings.embeddings.batch.into(), 1, 10_000)?;
    for (plugin, own) in &settings.plugins {
        for host in &own.http {
            if !settings.upstream.allowed_hosts.iter().any(|allowed| allowed.covers(host)) {
                return Err(ConfigError::Grant { plugin: plugin.clone(), host: host.clone() });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn checked(text: &str) -> Result<Settings, String> {
        let settings: Settings = toml::from_str(text).map_err(|error| error.to_string())?;
        check(&settings).map_err(|error| error.to_string())?;
        Ok(settings)
    }

    #[test]
    fn a_grant_is_a_part_of_what_the_operator_allows() {
        let allowed = "[upstream]\nallowed_hosts = [\"search.internal:9200\"]\n[plugins.strategy-a]\n";
        let settings = checked(&format!("{allowed}http = [\"search.internal:9200\"]")).unwrap();
        assert_eq!(settings.plugin("strategy-a").http, ["search.internal:9200".parse().unwrap()]);
        assert_eq!(settings.plugin("strategy-b").http, []);
        let error = checked(&format!("{allowed}http = [\"search.internal:9201\"]")).unwrap_err();
        for part in ["plugins.strategy-a", "search.internal:9201", "upstream.allowed_hosts"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(checked("[plugin_defaults]\nhttp = [\"a.example\"]").is_err(), "a grant for everybody");
        assert!(checked("[upstream]\nallowed_hosts = [\"http://a.example\"]").unwrap_err().contains("no host"));
    }

    #[test]
    fn a_service_is_complete_or_not_there() {
        assert!(checked("[answers]\nmodel = \"m\"").unwrap().answers.endpoint().unwrap().is_none());
        for (text, start) in [
            ("[answers]\nurl = \"http://localhost:11434\"\nkind = \"ollama\"", "answers.model is empty: "),
            ("[answers]\nurl = \"localhost\"\nmodel = \"m\"", "answers.url is no URL of a service: "),
            ("[answers]\nurl = \"http://a.example\"\nmodel = \"m\"\nkey = \"hidden\\n\"", "answers.key has chara"),
            ("[embeddings]\nurl = \"https://u:hidden@a.example\"\nmodel = \"m\"", "embeddings.url carries a user"),
        ] {
            let error = checked(text).unwrap_err();
            assert!(error.starts_with(start) && !error.contains("hidden"), "{error}");
        }
        let settings = checked("[answers]\nurl = \"http://localhost:11434\"\nmodel = \"m\"").unwrap();
        let host = settings.answers.endpoint().unwrap().unwrap().host();
        assert_eq!(host.to_string(), "localhost:11434");
        // Shown with a configuration, without the key.
        let settings = checked("[answers]\nkey = \"hidden\"").unwrap();
        assert!(!toml::to_string(&settings).unwrap().contains("hidden"));
    }

    #[test]
    fn the_variables_of_the_original_are_known() {
        let arguments = UpstreamArguments {
            http_connection_limit: Some(7),
            http_connection_limit_per_host: Some(3),
            http_dns_cache_ttl: Some(0),
            http_timeout_seconds: Some(9),
            ..UpstreamArguments::default()
        };
        let mut settings = UpstreamSettings::default();
        let defaults = (settings.connection_limit, settings.connection_limit_per_host);
        assert_eq!((defaults, settings.dns_cache_ttl_seconds, settings.timeout_seconds), ((100, 30), 300, 30));
        settings.apply(&arguments);
        let given = (settings.connection_limit, settings.connection_limit_per_host);
        assert_eq!((given, settings.dns_cache_ttl_seconds, settings.timeout_seconds), ((7, 3), 0, 9));
    }
}
