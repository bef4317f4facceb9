//! Whether the server works: for people (`health`), for whatever starts it again (`healthz`), and for
//! whatever sends requests to it (`readyz`).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::Shared;
use crate::http::backend::{PartState, PartStatus};
use crate::http::problem::{Code, Problem, ProblemDocument};

/// All values are text, as clients of the earlier API expect.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(in crate::http) struct Health {
    /// `healthy`; `degraded`: searches are answered, but a part does not work as it should; `unhealthy`:
    /// searches cannot be answered.
    status: String,
    service: String,
    indexed_files: String,
    total_chunks: String,
    search_count: String,
    /// Such as `150.50ms`.
    avg_search_time: String,
    /// Such as `80.0%`.
    cache_hit_rate: String,
    /// By name: `store`, `index`, `plugins`, `world`, `cache`, `redis`, `upstreams`.
    parts: BTreeMap<String, PartHealth>,
    /// What is wrong, when something is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    error: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct PartHealth {
    /// `up`, `degraded`, `away`, or `off` when it was not asked for.
    state: String,
    /// What it is, or what is wrong with it.
    detail: String,
}

/// Whether all parts work.
///
/// 503 only when searches cannot be answered. A database that is away while every host has its own index,
/// a Redis that is away, a plugin file that does not load: the status is `degraded`, the code is 200.
#[utoipa::path(
    get,
    path = "/api/search/health",
    tag = "status",
    responses((status = 200, body = Health), (status = 503, body = Health, description = "searches cannot be answered; `error` says why"))
)]
pub(in crate::http) async fn health(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<Health>) {
    let parts = shared.backend.parts().await;
    let index = shared.backend.index().stats;
    let searches = shared.metrics.search_figures();
    let (status, code) = if parts.iter().any(PartStatus::stops_searches) {
        ("unhealthy", StatusCode::SERVICE_UNAVAILABLE)
    } else if parts.iter().any(PartStatus::is_in_trouble) {
        ("degraded", StatusCode::OK)
    } else {
        ("healthy", StatusCode::OK)
    };
    let troubles = troubles(&parts);
    let health = Health {
        status: status.to_owned(),
        service: "corsac".to_owned(),
        indexed_files: index.documents.to_string(),
        total_chunks: index.chunks.to_string(),
        search_count: searches.total.to_string(),
        avg_search_time: format!("{:.2}ms", searches.latency.mean),
        cache_hit_rate: format!("{:.1}%", searches.hit_rate()),
        error: (!troubles.is_empty()).then(|| troubles.join("; ")),
        parts: parts
            .into_iter()
            .map(|part| (part.name.to_owned(), PartHealth { state: part.state.word().to_owned(), detail: part.detail }))
            .collect(),
    };
    (code, Json(health))
}

fn troubles(parts: &[PartStatus]) -> Vec<String> {
    let troubled = parts.iter().filter(|part| part.is_in_trouble());
    troubled.map(|part| format!("{}: {}", part.name, part.detail)).collect()
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "status", responses((status = 200, body = String)))]
pub(in crate::http) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether searches can be answered.
///
/// The first line says so. A line follows for each part that does not work and that searches do without,
/// such as a database that is away while this host has its own index.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "status",
    responses((status = 200, body = String), (status = 503, body = ProblemDocument, description = "not yet, or stopping, or a part that searches need is away"))
)]
pub(in crate::http) async fn ready(State(shared): State<Arc<Shared>>) -> Result<String, Problem> {
    if !shared.backend.ready() || shared.closing.is_cancelled() {
        return Err(Problem::new(Code::Unavailable, "searches cannot be answered yet, or no longer"));
    }
    let parts = shared.backend.parts().await;
    if let Some(part) = parts.iter().find(|part| part.stops_searches()) {
        return Err(Problem::new(Code::Unavailable, format!("{}: {}", part.name, part.detail)));
    }
    let mut text = "ready\n".to_owned();
    for trouble in troubles(&parts) {
        text.push_str(&trouble);
        text.push('\n');
    }
    Ok(text)
}

impl PartState {
    fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Away => "away",
            Self::Off => "off",
        }
    }
}
