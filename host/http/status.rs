//! What the server says about itself, in the field names of the system that Corsac re-creates, with
//! true figures. Reads counters; decides nothing.

/// Whether it works.
pub(super) mod health;
/// Figures of the past.
pub(super) mod history;
/// All figures for whatever scrapes them.
pub(super) mod metrics;
/// Figures of the present.
pub(super) mod performance;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::Shared;
use crate::http::ecs::parameters::Parameters;
use crate::http::problem::{Problem, ProblemDocument, Violation};
use crate::index::ModelStats;

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct SearchStats {
    total_files_indexed: u64,
    total_chunks: u64,
    /// On disk, in 2^20 bytes.
    index_size_mb: f64,
    /// RFC 3339.
    last_indexed: Option<String>,
    /// Answered searches since the start.
    search_count: u64,
    /// Milliseconds.
    avg_search_time: f64,
    /// Percent.
    cache_hit_rate: f64,
    /// Bytes of source text.
    content_bytes: u64,
    /// Chunks with a vector of the model that answers.
    vectors: u64,
    /// Numbers of one embedding.
    dimension: u32,
    /// The built-in model, and behind it the better one where there is one.
    embedding_models: Vec<EmbeddingModel>,
    /// Store sequence that searches see.
    generation: u64,
    /// The newest store sequence that this host knows of.
    latest: u64,
    /// Seconds since the store was last heard.
    checked: u64,
    /// The store is out of reach: there may be more than `latest`.
    stale: bool,
}

/// What the index has of one embedding model. Vectors of different models are never compared.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct EmbeddingModel {
    name: String,
    /// Of the model's files.
    digest: String,
    /// Numbers of one embedding.
    dimension: u32,
    /// Vector probes are answered with it.
    answers: bool,
    /// Share of the chunks that it has embedded, in percent.
    coverage: f64,
    /// Chunks that it has still to embed.
    backlog: u64,
    /// Why the backlog does not shrink at present.
    error: Option<String>,
}

impl From<ModelStats> for EmbeddingModel {
    fn from(model: ModelStats) -> Self {
        let coverage = model.coverage() * 100.0;
        let ModelStats { name, digest, dimension, answers, backlog, failure, .. } = model;
        Self { name, digest, dimension, answers, coverage, backlog, error: failure }
    }
}

/// Sizes of the index and counts of searches.
#[utoipa::path(get, path = "/api/search/stats", tag = "status", responses((status = 200, body = SearchStats)))]
pub(super) async fn stats(State(shared): State<Arc<Shared>>) -> Json<SearchStats> {
    let index = shared.backend.index();
    let freshness = shared.backend.freshness();
    let searches = shared.metrics.search_figures();
    Json(SearchStats {
        total_files_indexed: index.stats.documents,
        total_chunks: index.stats.chunks,
        index_size_mb: index.stats.index_bytes as f64 / f64::from(1 << 20),
        last_indexed: index.last_indexed,
        search_count: searches.total,
        avg_search_time: searches.latency.mean,
        cache_hit_rate: searches.hit_rate(),
        content_bytes: index.stats.content_bytes,
        vectors: index.stats.vectors,
        dimension: index.stats.dimension,
        embedding_models: index.stats.models.into_iter().map(EmbeddingModel::from).collect(),
        generation: index.stats.generation,
        latest: freshness.latest.max(index.stats.generation),
        checked: freshness.checked,
        stale: freshness.stale,
    })
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct Cleared {
    /// `success`.
    status: String,
    namespace: String,
    message: String,
    /// Entries dropped in this process.
    cleared: u64,
    /// Entries dropped in the tier that hosts share.
    shared: u64,
    /// Other hosts that were told.
    hosts: u64,
}

/// Forget cached answers.
#[utoipa::path(
    post,
    path = "/api/search/cache/clear",
    tag = "status",
    params(("namespace" = Option<String>, Query, description = "name of a strategy; everything when left out or `search_results`")),
    responses((status = 200, body = Cleared), (status = 422, body = ProblemDocument, description = "not a namespace's name"))
)]
pub(super) async fn clear_cache(State(shared): State<Arc<Shared>>, uri: Uri) -> Result<Json<Cleared>, Problem> {
    let mut parameters = Parameters::of(&uri, &["namespace"]);
    // The earlier API's name of all search answers, and its default.
    let namespace = parameters.given("namespace").unwrap_or("search_results").to_owned();
    if namespace.len() > 64 || !namespace.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        let violation = Violation::new("namespace", "is not the name of a namespace");
        parameters.violations.push(violation.remedy("write a strategy's, such as `hybrid`, or leave it out for all"));
    }
    parameters.done()?;
    let all = namespace == "search_results";
    let cleared = shared.backend.clear_cache((!all).then(|| namespace.clone())).await;
    let crate::cache::Cleared { entries: cleared, shared, hosts } = cleared;
    let message = format!("dropped {cleared} cached answers");
    Ok(Json(Cleared { status: "success".to_owned(), namespace, message, cleared, shared, hosts }))
}
