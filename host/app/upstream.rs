//! Services elsewhere between the parts: the client by the operator's settings, the language model and the embedding
//! model that go through it, and the way of granted plugins to it.

use std::sync::Arc;
use std::time::Duration;

use ::http::{Method, Request, Response};
use bytes::Bytes;
use futures::future::BoxFuture;

use super::AppError;
use crate::config::Settings;
use crate::http::{PartState, PartStatus};
use crate::runtime::{Outgoing, OutgoingError};
use crate::upstream::{
    BreakerState, Call, Chat, Client, ClientOptions, Embeddings, Generator, Host, Policy, UpstreamError,
    UpstreamFigures, Vectors,
};

/// What the server has of services elsewhere.
pub struct Upstreams {
    pub client: Client,
    /// None unless `answers.url` is set.
    pub generator: Option<Arc<dyn Generator>>,
    /// None unless `embeddings.url` is set.
    pub embeddings: Option<Arc<dyn Embeddings>>,
    /// Whether anything may be called at all.
    used: bool,
}

impl Upstreams {
    /// Calls nobody yet.
    pub fn new(settings: &Settings) -> Result<Self, AppError> {
        let (bounds, answers, embeddings) =
            (&settings.upstream, settings.answers.endpoint()?, settings.embeddings.endpoint()?);
        let mut hosts = bounds.allowed_hosts.clone();
        hosts.extend([&answers, &embeddings].into_iter().flatten().map(|endpoint| endpoint.host()));
        let used = !hosts.is_empty();
        let client = Client::new(ClientOptions {
            connections: bounds.connection_limit as usize,
            connections_per_host: bounds.connection_limit_per_host as usize,
            dns_life: Duration::from_secs(bounds.dns_cache_ttl_seconds),
            timeout: Duration::from_secs(bounds.timeout_seconds),
            max_answer_bytes: bounds.max_answer_bytes as usize,
            policy: Policy { hosts, networks: bounds.allowed_networks.clone() },
        })?;
        let generator = answers.map(|endpoint| Arc::new(Chat::new(client.clone(), endpoint)) as Arc<dyn Generator>);
        let batch = settings.embeddings.batch as usize;
        let embeddings =
            embeddings.map(|endpoint| Arc::new(Vectors::new(client.clone(), endpoint, batch)) as Arc<dyn Embeddings>);
        Ok(Self { client, generator, embeddings, used })
    }

    /// The client for plugins that were granted hosts.
    pub fn outgoing(&self) -> Arc<dyn Outgoing> {
        Arc::new(Granted(self.client.clone()))
    }

    /// Without names: who may see them reads `/metrics`.
    pub(super) fn part(&self) -> PartStatus {
        let figures = self.client.figures();
        let open = figures.iter().filter(|figures| figures.breaker != BreakerState::Closed).count();
        let (state, detail) = match (self.used, open) {
            (false, _) => (PartState::Off, "no service elsewhere is named in the configuration".to_owned()),
            (true, 0) => (PartState::Up, format!("{} called so far", figures.len())),
            (true, open) => {
                let detail =
                    format!("{open} of {} fail and are left alone for a while; /metrics says which", figures.len());
                (PartState::Degraded, detail)
            }
        };
        PartStatus { name: "upstreams", state, detail, needed: false }
    }

    pub(super) fn figures(&self) -> Vec<UpstreamFigures> {
        self.client.figures()
    }
}

/// The client as plugins see it.
struct Granted(Client);

impl Outgoing for Granted {
    fn send(
        &self,
        hosts: Arc<[Host]>,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Response<Bytes>, OutgoingError>> {
        let client = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            // What is checked is what is sent: from here on there is this URL alone.
            let url: url::Url = parts.uri.to_string().parse().map_err(|_| denied("this is no URL"))?;
            let called = Host::of(&url).ok_or_else(|| denied("this is no HTTP URL"))?;
            if !hosts.iter().any(|host| host.covers(&called)) {
                return Err(denied(&format!("{called} is not among the hosts that the plugin was granted")));
            }
            let repeatable = matches!(parts.method, Method::GET | Method::HEAD);
            let (method, mut headers) = (parts.method, parts.headers);
            // The body says how long it is; a guest that says otherwise would disturb the next call's connection.
            headers.remove(::http::header::CONTENT_LENGTH);
            let call = Call { method, url, headers, body, repeatable, timeout: Some(timeout) };
            client.fetch(call).await.map_err(|error| match error {
                UpstreamError::Forbidden { .. } => OutgoingError::Denied(error.to_string()),
                UpstreamError::TimedOut { .. } => OutgoingError::TimedOut,
                other => OutgoingError::Failed(other.to_string()),
            })
        })
    }
}

fn denied(reason: &str) -> OutgoingError {
    OutgoingError::Denied(reason.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn upstreams(text: &str) -> Upstreams {
        Upstreams::new(&toml::from_str(text).unwrap()).unwrap()
    }

    #[test]
    fn services_are_there_when_they_are_named() {
        let none = upstreams("");
        assert!(none.generator.is_none() && none.embeddings.is_none());
        assert_eq!(none.part().state, PartState::Off);
        let some = upstreams(
            "[answers]\nurl = \"http://localhost:11434\"\nkind = \"ollama\"\nmodel = \"small\"\n\
             [embeddings]\nurl = \"https://api.example/v1\"\nmodel = \"vectors\"",
        );
        assert_eq!(some.generator.as_ref().unwrap().model(), "small");
        assert_eq!(some.embeddings.as_ref().unwrap().model(), "vectors");
        assert_eq!(some.part().state, PartState::Up);
    }

    /// That the operator names a language model allows no plugin to call it.
    #[tokio::test]
    async fn a_plugin_reaches_what_it_was_granted_and_nothing_else() {
        let some = upstreams(
            "[upstream]\nallowed_hosts = [\"127.0.0.1:9\"]\n[answers]\nurl = \"http://localhost:11434\"\nmodel = \"m\"",
        );
        let send = |url: &str| {
            let hosts = Arc::from(["127.0.0.1:9".parse().unwrap()]);
            let request = Request::get(url).body(Bytes::new()).unwrap();
            some.outgoing().send(hosts, request, Duration::from_secs(10))
        };
        for url in ["http://localhost:11434/", "http://127.0.0.1:10/", "http://127.0.0.1:9@evil.example/"] {
            assert!(matches!(send(url).await, Err(OutgoingError::Denied(_))), "{url}");
        }
        // The discard port: nobody listens, but the call was made.
        assert!(matches!(send("http://127.0.0.1:9/").await, Err(OutgoingError::Failed(_))));
        assert_eq!(some.figures()[0].upstream, "127.0.0.1:9");
    }
}
