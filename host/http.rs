//! The HTTP face of the server: routes, JSON, status codes, event streams. Decides nothing about
//! searching: it asks one trait, `Backend`, and writes down what comes back. The only layer besides
//! `main` that says `axum`.

/// Keys and rates.
mod authorise;
/// What HTTP asks of the rest of the server.
mod backend;
/// From bytes to typed bodies.
mod body;
/// Pages of other origins.
mod cors;
/// What the database says about itself.
mod database;
/// The world of agents.
mod ecs;
/// What happens to every request.
mod edge;
/// What was chosen.
mod feedback;
/// Rules of fields that several requests share.
mod fields;
/// Folders and posted documents.
mod indexing;
/// API keys.
mod keys;
/// Searches in people's words.
mod language;
/// The description of the API.
mod openapi;
/// Who may ask at all.
mod origin;
/// The page at `/`.
mod page;
/// Loaded plugins.
mod plugins;
/// The one shape of every failure.
mod problem;
/// Retrieval for language models.
mod rag;
/// Searches.
mod search;
/// Accepting and stopping.
mod serve;
/// What the server says about itself.
mod status;
/// Suggestions.
mod suggest;
/// Background tasks.
mod tasks;

pub use backend::{
    Backend, BackendError, CreatedKey, DocumentOutcome, DocumentState, Freshness, HistoryRequest, HostSample,
    IndexRequest, IndexStatus, KeyRequest, KeyStatus, PartState, PartStatus, PastFigures, PluginErrors, PluginKind,
    PluginSource, PluginState, PluginStatus, PoolUse, PostedDocument, TaskState, TaskStatus,
};
pub use cors::Cors;
pub use database::{
    CheckedBy, DatabaseStatus, Extension, IndexAdvice, PoolStatus, QueryStatistics, SlowQueries, SlowQuery,
    StatementStatistics, StatisticsSource, UnusedIndex,
};
pub use ecs::search::{AgentMatch, AgentMatches, AgentSearch, AgentSearchError};
pub use feedback::{FrequentQuery, Remembered, Usage};
pub use origin::Hosts;
pub use problem::{ProblemDocument, Violation};
pub use rag::backend::{EmbedError, EmbeddingModel, Rag, RagConfig, Rebuild};
pub use search::request::SearchBody;
pub use serve::{Stopped, serve};

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::routing::{MethodRouter, delete, get, post};
use tokio_util::sync::CancellationToken;

use crate::access::Keyring;
use crate::http::authorise::Guard;
use crate::http::edge::Edge;
use crate::http::problem::{Code, Problem};
use crate::telemetry::Metrics;

/// What a router is made with beside its backend.
#[derive(Clone, Default)]
pub struct Options {
    pub metrics: Arc<Metrics>,
    /// Cancelled when the server stops: event streams end, `/readyz` says no.
    pub closing: CancellationToken,
    /// Which `Host` is answered.
    pub hosts: Hosts,
    /// Which pages of other origins are let in.
    pub cors: Cors,
    /// Who is let in, and how often; none: everyone, always.
    pub keyring: Option<Arc<Keyring>>,
}

/// What every handler can reach.
struct Shared {
    backend: Arc<dyn Backend>,
    metrics: Arc<Metrics>,
    closing: CancellationToken,
    freshness: search::freshness::FreshnessHeader,
}

/// All routes over a backend. Fixed paths win over `/api/search/{strategy}`, so a strategy that is named as one of
/// them (`index`, `stats`, `health`, `suggestions`, `feedback` and so on) cannot be reached.
pub fn router(backend: Arc<dyn Backend>, options: Options) -> Router {
    let Options { metrics, closing, hosts, cors, keyring } = options;
    let edge = |route: &'static str| Edge {
        metrics: metrics.route(route),
        hosts,
        cors: cors.clone(),
        guard: Guard::new(route, keyring.as_ref(), &metrics),
    };
    let mut router = Router::new();
    for (path, methods) in routes() {
        router = router.route(path, methods.fallback(method_not_allowed).layer(edge(path)));
    }
    let unmatched = MethodRouter::new().fallback(not_found).layer(edge("unmatched"));
    router.fallback_service(unmatched).with_state(Arc::new(Shared {
        backend,
        metrics,
        closing,
        freshness: Default::default(),
    }))
}

/// Every path with its handlers; a test holds the list against the OpenAPI document.
fn routes() -> Vec<(&'static str, MethodRouter<Arc<Shared>>)> {
    let mut routes = vec![
        ("/api/search/{strategy}", post(search::search)),
        ("/api/search/index", post(indexing::index)),
        ("/api/search/stats", get(status::stats)),
        ("/api/search/health", get(status::health::health)),
        ("/api/search/performance", get(status::performance::performance)),
        ("/api/search/performance/history", get(status::history::history)),
        ("/api/search/cache/clear", post(status::clear_cache)),
        ("/api/search/database", get(database::database)),
        ("/api/documents", post(indexing::post_documents)),
        ("/api/tasks", get(tasks::list)),
        ("/api/tasks/{id}", get(tasks::task)),
        ("/api/plugins", get(plugins::list)),
        ("/api/plugins/{name}/reload", post(plugins::reload)),
        ("/api/keys", get(keys::list).post(keys::create)),
        ("/api/keys/{id}", delete(keys::revoke)),
        ("/metrics", get(status::metrics::metrics)),
        ("/openapi.json", get(openapi::document)),
        ("/problems", get(problem::list::problems)),
        ("/healthz", get(status::health::alive)),
        ("/readyz", get(status::health::ready)),
    ];
    routes.extend(ecs::routes());
    routes.extend(page::routes());
    routes.extend(feedback::routes());
    routes.extend(suggest::routes());
    routes.extend(rag::routes());
    routes.extend(language::routes());
    routes
}

/// The one variable part of a path; one that is no text is a problem like any other.
struct Name(String);

impl<State: Send + Sync> FromRequestParts<State> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(error) => Err(Problem::new(Code::NotFound, error.body_text().to_lowercase())),
        }
    }
}

async fn not_found(request: Request) -> Problem {
    let path: String = request.uri().path().chars().take(200).collect();
    Problem::new(Code::NotFound, format!("there is nothing at {path}; /openapi.json lists what there is"))
}

async fn method_not_allowed(request: Request) -> Problem {
    let detail = format!("{} is not among the methods that `allow` lists", request.method());
    Problem::new(Code::MethodNotAllowed, detail)
}

#[cfg(test)]
mod tests;
