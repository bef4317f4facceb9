//! What is in effect for language models, how its index and cache fare, and what administrators can do about it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::backend::{RagConfig, Rebuild};
use crate::http::backend::TaskState;
use crate::http::problem::{Code, Problem, ProblemDocument, Violation};
use crate::http::{Shared, body};
use crate::service::passages::NAMESPACE;

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RagConfigResponse {
    pub config: RagConfig,
    /// Always false: what is in effect comes from the configuration file.
    pub updated: bool,
}

/// What is in effect.
#[utoipa::path(get, path = "/api/rag/config", tag = "rag", responses((status = 200, body = RagConfigResponse)))]
pub(in crate::http) async fn config(State(shared): State<Arc<Shared>>) -> Json<RagConfigResponse> {
    Json(RagConfigResponse { config: shared.backend.rag().config(), updated: false })
}

/// Check what is in effect.
///
/// Fields that say what holds anyway are taken. Others are refused: hosts that share documents and cache must agree,
/// and after a restart too, so the configuration file is where to change them. A request can say everything for itself.
#[utoipa::path(
    post,
    path = "/api/rag/config",
    tag = "rag",
    request_body = Object,
    responses(
        (status = 200, body = RagConfigResponse, description = "all of it holds already"),
        (status = 409, body = ProblemDocument, description = "a value differs; the detail says where to change it"),
        (status = 422, body = ProblemDocument, description = "a field that there is not"),
    )
)]
pub(in crate::http) async fn set_config(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Json<RagConfigResponse>, Problem> {
    let body = body::read_json(request, body::SMALL).await?;
    let wanted: Value =
        serde_json::from_slice(&body).map_err(|error| Problem::new(Code::MalformedJson, error.to_string()))?;
    let config = shared.backend.rag().config();
    let (Value::Object(wanted), Ok(Value::Object(current))) = (wanted, serde_json::to_value(&config)) else {
        return Err(Problem::invalid(vec![Violation::new("", "the body must be a JSON object")]));
    };
    compare(&wanted, &current)?;
    Ok(Json(RagConfigResponse { config, updated: false }))
}

fn compare(wanted: &Map<String, Value>, current: &Map<String, Value>) -> Result<(), Problem> {
    let fields: Vec<&str> = current.keys().map(String::as_str).collect();
    let unknown = wanted.keys().filter(|name| !current.contains_key(*name));
    let violations: Vec<Violation> =
        unknown.take(body::MAX_VIOLATIONS).map(|name| body::unknown_field(name, &fields)).collect();
    if !violations.is_empty() {
        return Err(Problem::invalid(violations));
    }
    match wanted.iter().find(|(name, value)| current.get(*name) != Some(value)) {
        None => Ok(()),
        Some((name, _)) => {
            let is = current.get(name).cloned().unwrap_or_default();
            let remedy = match name.as_str() {
                "embedding_model" | "embedding_dimension" => "it follows from the index".to_owned(),
                "answer_model" => "it follows from the configured services".to_owned(),
                _ => format!("change rag.{name} in corsac.toml and start the server again"),
            };
            Err(Problem::new(Code::Conflict, format!("{name} is {is} here: {remedy}")))
        }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RagStats {
    pub total_documents: u64,
    pub total_chunks: u64,
    pub chunks_with_embeddings: u64,
    /// 0 to 1.
    pub embedding_coverage: f64,
    pub default_model: String,
    pub dimension: u32,
    /// Vectors are searched: always.
    pub vector_db_enabled: bool,
    /// Hits and misses of cached passages since the start.
    pub cache_hits: u64,
    pub cache_misses: u64,
    /// Answers in the cache of this process, of all kinds.
    pub cache_size: u64,
}

/// How much there is.
#[utoipa::path(get, path = "/api/rag/admin/stats", tag = "rag", responses((status = 200, body = RagStats)))]
pub(in crate::http) async fn stats(State(shared): State<Arc<Shared>>) -> Json<RagStats> {
    let (stats, cache) = (shared.backend.index().stats, shared.backend.cache().await);
    let own = cache.namespaces.iter().find(|figures| figures.namespace == NAMESPACE);
    let config = shared.backend.rag().config();
    Json(RagStats {
        total_documents: stats.documents,
        total_chunks: stats.chunks,
        chunks_with_embeddings: stats.vectors,
        embedding_coverage: if stats.chunks == 0 { 1.0 } else { stats.vectors as f64 / stats.chunks as f64 },
        default_model: config.embedding_model,
        dimension: stats.dimension,
        vector_db_enabled: true,
        cache_hits: own.map_or(0, |figures| figures.hits),
        cache_misses: own.map_or(0, |figures| figures.misses),
        cache_size: cache.entries,
    })
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IndexingStatus {
    /// Tasks that wait.
    pub queue_depth: u64,
    /// Tasks that run.
    pub in_flight: u64,
    /// Files a second of the tasks that run, on average since they began.
    pub processing_rate: f64,
    /// Always null: how many files a folder has is known when it has been read.
    pub estimated_completion: Option<String>,
    /// Changes in the store that searches do not see yet, as far as this host knows.
    pub pending_changes: u64,
}

/// How the index keeps up.
#[utoipa::path(
    get,
    path = "/api/rag/admin/indexing-status",
    tag = "rag",
    responses(
        (status = 200, body = IndexingStatus),
        (status = 503, body = ProblemDocument, description = "the store is away"),
    )
)]
pub(in crate::http) async fn indexing(State(shared): State<Arc<Shared>>) -> Result<Json<IndexingStatus>, Problem> {
    let tasks = shared.backend.tasks().await?;
    let running = tasks.iter().filter(|task| task.state == TaskState::Running);
    let rate = |progress: &Value| progress.get("files_per_second").and_then(Value::as_f64).unwrap_or(0.0);
    let freshness = shared.backend.freshness();
    Ok(Json(IndexingStatus {
        queue_depth: tasks.iter().filter(|task| task.state == TaskState::Queued).count() as u64,
        in_flight: running.clone().count() as u64,
        processing_rate: running.map(|task| rate(&task.progress)).sum(),
        estimated_completion: None,
        pending_changes: freshness.latest.saturating_sub(freshness.generation),
    }))
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RebuildResponse {
    pub message: String,
    pub result: Rebuild,
}

/// Build the index again.
///
/// Reads every indexed folder and derives chunks and vectors of every file anew, and those of every posted document
/// from what the store has, while searches go on. Tasks run one after the other. A folder that cannot be read again is
/// among `refused`, and what the index has of it stays as it is. Vectors of the better model are found by their text
/// and not computed again.
#[utoipa::path(
    post,
    path = "/api/rag/admin/rebuild-index",
    tag = "rag",
    responses(
        (status = 202, body = RebuildResponse, description = "the tasks that do it"),
        (status = 409, body = ProblemDocument, description = "too many tasks wait already"),
        (status = 503, body = ProblemDocument, description = "the store is away"),
    )
)]
pub(in crate::http) async fn rebuild(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let result = shared.backend.rag().rebuild().await?;
    let folders = match result.tasks.iter().filter(|task| task.kind == "index").count() {
        0 => "there is no folder to read again".to_owned(),
        1 => "a folder is read again".to_owned(),
        count => format!("{count} folders are read again"),
    };
    let message = format!("{folders}; posted documents are derived anew");
    Ok((StatusCode::ACCEPTED, Json(RebuildResponse { message, result })).into_response())
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RagCacheCleared {
    pub message: String,
    pub result: RagCleared,
}

/// Answers that are gone.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RagCleared {
    /// Here.
    pub entries: u64,
    /// In the tier that hosts share.
    pub shared: u64,
    /// Other hosts that were told.
    pub hosts: u64,
}

/// Forget cached passages; cached searches stay.
#[utoipa::path(post, path = "/api/rag/admin/clear-cache", tag = "rag", responses((status = 200, body = RagCacheCleared)))]
pub(in crate::http) async fn clear_cache(State(shared): State<Arc<Shared>>) -> Json<RagCacheCleared> {
    let cleared = shared.backend.clear_cache(Some(NAMESPACE.to_owned())).await;
    let message = format!("{} cached answers are gone", cleared.entries);
    let result = RagCleared { entries: cleared.entries, shared: cleared.shared, hosts: cleared.hosts };
    Json(RagCacheCleared { message, result })
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RagHealth {
    /// `healthy`, or `starting` while searches cannot be answered.
    pub status: String,
    /// `rag`.
    pub service: String,
    pub message: String,
}

/// Whether questions can be answered.
#[utoipa::path(get, path = "/api/rag/health", tag = "rag", responses((status = 200, body = RagHealth)))]
pub(in crate::http) async fn health(State(shared): State<Arc<Shared>>) -> Json<RagHealth> {
    let (ready, config) = (shared.backend.ready(), shared.backend.rag().config());
    let message = match &config.answer_model {
        Some(model) => format!("passages by {}, answers by {model}", config.embedding_model),
        None => format!("passages by {}; no model that answers is configured", config.embedding_model),
    };
    let status = if ready { "healthy" } else { "starting" }.to_owned();
    Json(RagHealth { status, service: "rag".to_owned(), message })
}
