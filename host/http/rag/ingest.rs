//! `POST /api/rag/ingest`: documents as items of a list. What is wrong with one holds up none of the others.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::backend::{DocumentOutcome, DocumentState, PostedDocument};
use crate::http::problem::{Problem, ProblemDocument, Violation};
use crate::http::{Shared, body, fields};

/// Items of one request; larger collections come as a stream.
const MAX_ITEMS: usize = 10_000;
/// Where documents without a name of their own are kept.
const FOLDER: &str = "ingested";

const FIELDS: &[&str] = &["items", "model", "batch_size", "force_reindex"];

/// One document.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IngestItem {
    /// Its path or name: what comes later under the same one replaces it. Left out: `ingested/` and a digest of the
    /// content, so that the same content is kept once.
    #[serde(default, alias = "path")]
    pub source: Option<String>,
    pub content: String,
    #[serde(default)]
    pub title: Option<String>,
    /// Lower-case name such as `rust`; by default what the extension of `source` tells.
    #[serde(default)]
    pub language: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IngestBody {
    /// At most 10,000.
    #[schema(required = true, nullable = false, value_type = Vec<IngestItem>, max_items = 10_000)]
    pub items: Option<Vec<Value>>,
    /// Accepted for clients of the earlier API, without effect: the index has one model.
    pub model: Option<String>,
    /// Items that are stored in one transaction.
    #[schema(minimum = 1, maximum = 1000, default = 16)]
    pub batch_size: Option<i64>,
    /// Derive chunks and vectors again, also of what did not change.
    #[schema(default = false)]
    pub force_reindex: Option<bool>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IngestResponse {
    /// True when none failed.
    pub success: bool,
    /// Stored, or found unchanged.
    pub processed: u64,
    pub total: u64,
    pub failures: u64,
    /// Each item that failed.
    pub failed: Vec<FailedItem>,
    /// Seconds.
    pub processing_time: f64,
    pub message: String,
}

/// One item that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailedItem {
    /// Place in `items`, from 0; of a stream the line, from 1.
    pub item: u64,
    pub source: Option<String>,
    /// What is wrong with it.
    pub message: String,
}

/// Store documents.
///
/// Durable and searchable when the answer comes.
#[utoipa::path(
    post,
    path = "/api/rag/ingest",
    tag = "rag",
    request_body = IngestBody,
    responses(
        (status = 200, body = IngestResponse, description = "what became of the items"),
        (status = 413, body = ProblemDocument, description = "a body of more than 32 MiB; a stream has no limit"),
        (status = 422, body = ProblemDocument, description = "not a list of items"),
        (status = 503, body = ProblemDocument, description = "the store is away; the detail says what was stored before"),
    )
)]
pub(in crate::http) async fn ingest(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Json<IngestResponse>, Problem> {
    let began = Instant::now();
    let body = body::read_json(request, body::LARGE).await?;
    let (body, mut violations) = body::parse::<IngestBody>(&body, FIELDS)?;
    let batch_size = fields::within("batch_size", body.batch_size, 16, 1, 1000, &mut violations) as usize;
    let items = body.items.unwrap_or_else(|| {
        if !violations.iter().any(|violation| violation.field == "items") {
            let remedy = "send a list of {\"source\": …, \"content\": …}";
            violations.push(Violation::new("items", "is missing").remedy(remedy));
        }
        vec![]
    });
    if items.len() > MAX_ITEMS {
        let message = format!("has {} entries, at most {MAX_ITEMS} are taken at once", items.len());
        violations.push(Violation::new("items", message).remedy("send them to /api/rag/ingest/stream"));
    }
    if !violations.is_empty() {
        return Err(Problem::invalid(violations));
    }
    let total = items.len() as u64;
    let again = body.force_reindex.unwrap_or(false);
    let (mut documents, mut failed) = (vec![], vec![]);
    for (item, value) in (0..).zip(items) {
        let source = value.get("source").and_then(Value::as_str).map(shortened);
        match serde_path_to_error::deserialize::<_, IngestItem>(value) {
            Ok(read) => documents.push((item, document(read))),
            // It may quote a value as long as the item.
            Err(error) => failed.push(FailedItem { item, source, message: shortened(&error.to_string()) }),
        }
    }
    let mut processed = 0;
    while !documents.is_empty() {
        let batch: Vec<(u64, PostedDocument)> = documents.drain(..batch_size.min(documents.len())).collect();
        let stored = store(&shared, batch, again).await.map_err(|mut problem| {
            problem.detail.push_str(&format!("; {processed} of {total} items were stored before"));
            problem
        })?;
        processed += stored.processed;
        failed.extend(stored.failed);
    }
    failed.sort_by_key(|failed| failed.item);
    let failures = failed.len() as u64;
    let message = match failures {
        0 => format!("{processed} items are searchable"),
        _ => format!("{processed} items are searchable, {failures} were not taken: `failed` says why"),
    };
    let processing_time = began.elapsed().as_secs_f64();
    let success = failures == 0;
    Ok(Json(IngestResponse { success, processed, total, failures, failed, processing_time, message }))
}

/// What became of one batch.
#[derive(Default)]
pub(super) struct Stored {
    pub(super) processed: u64,
    pub(super) failed: Vec<FailedItem>,
}

/// Stores documents, each with the number of its item.
pub(super) async fn store(shared: &Shared, batch: Vec<(u64, PostedDocument)>, again: bool) -> Result<Stored, Problem> {
    let mut stored = Stored::default();
    if batch.is_empty() {
        return Ok(stored);
    }
    let (items, documents): (Vec<u64>, Vec<PostedDocument>) = batch.into_iter().unzip();
    let outcomes = shared.backend.rag().ingest(documents, again).await?;
    for (item, outcome) in items.into_iter().zip(outcomes) {
        let DocumentOutcome { path, state, errors } = outcome;
        if state != DocumentState::Rejected {
            stored.processed += 1;
            continue;
        }
        let told = errors.iter().map(|error| {
            let field = error.field.rsplit('.').next().unwrap_or_default();
            // What the store calls a path came as `source`.
            format!("{} {}", if field == "path" { "source" } else { field }, error.message)
        });
        let message = told.collect::<Vec<_>>().join("; ");
        stored.failed.push(FailedItem { item, source: path.as_deref().map(shortened), message });
    }
    Ok(stored)
}

/// As the store takes it.
pub(super) fn document(item: IngestItem) -> PostedDocument {
    let IngestItem { source, content, title, language } = item;
    let path = source.unwrap_or_else(|| format!("{FOLDER}/{}", &blake3::hash(content.as_bytes()).to_hex()[..32]));
    PostedDocument { path: Some(path), id: None, title, language, content, modified: None }
}

/// A name, or what is wrong with an item, may be as long as a document; an answer shows its beginning.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(512).collect()
}
