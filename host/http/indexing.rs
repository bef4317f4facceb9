//! What brings documents in: folders as background tasks, and documents posted as JSON.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::backend::{DocumentOutcome, DocumentState, IndexRequest, PostedDocument, TaskStatus};
use crate::http::problem::{Code, Problem, ProblemDocument, Violation};
use crate::http::{Shared, body, fields};

const INDEX_FIELDS: &[&str] = &["project_root", "file_types", "directories", "force_reindex", "chunk_size", "overlap"];
const MAX_ROOT_BYTES: usize = 4096;
/// Documents of one request; a larger collection comes in several.
const MAX_DOCUMENTS: usize = 10_000;

/// The body as it comes; `null` is the same as leaving a field out.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct IndexBody {
    project_root: Option<String>,
    file_types: Option<Vec<String>>,
    directories: Option<Vec<String>>,
    force_reindex: Option<bool>,
    chunk_size: Option<i64>,
    overlap: Option<i64>,
}

/// Index a folder in the background.
///
/// Answers at once with the task that does it; while one runs for the same folder, with that one.
#[utoipa::path(
    post,
    path = "/api/search/index",
    tag = "indexing",
    request_body = IndexRequest,
    responses(
        (status = 202, body = TaskStatus, description = "the task; `location` is where to follow it",
         headers(("location" = String, description = "path of the task"))),
        (status = 409, body = ProblemDocument, description = "another task is in the way"),
        (status = 422, body = ProblemDocument, description = "every field that is not valid, or a folder that may not be indexed"),
        (status = 503, body = ProblemDocument, description = "the store is away"),
    )
)]
pub(super) async fn index(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Problem> {
    let body = body::read_json(request, body::SMALL).await?;
    let request = to_index_request(&body)?;
    let task = shared.backend.start_indexing(request).await?;
    let location = format!("/api/tasks/{}", task.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(task)).into_response())
}

fn to_index_request(body: &[u8]) -> Result<IndexRequest, Problem> {
    let (body, mut violations) = body::parse::<IndexBody>(body, INDEX_FIELDS)?;
    if let Some(root) = &body.project_root {
        if root.trim().is_empty() {
            violations.push(Violation::new("project_root", "is empty").remedy("leave it out for the served folder"));
        } else if root.len() > MAX_ROOT_BYTES {
            violations.push(Violation::new("project_root", format!("is longer than {MAX_ROOT_BYTES} bytes")));
        } else if root.chars().any(char::is_control) {
            violations.push(Violation::new("project_root", "has a control character").remedy("send it without"));
        }
    }
    let chunk_size =
        body.chunk_size.map(|size| fields::within("chunk_size", Some(size), 512, 64, 2048, &mut violations));
    let overlap = body.overlap.map(|size| fields::within("overlap", Some(size), 50, 0, 256, &mut violations));
    let request = IndexRequest {
        project_root: body.project_root,
        file_types: fields::file_types(body.file_types.unwrap_or_default(), &mut violations),
        directories: fields::directories(body.directories.unwrap_or_default(), &mut violations),
        force_reindex: body.force_reindex.unwrap_or(false),
        chunk_size: chunk_size.map(|size| size as u32),
        overlap: overlap.map(|size| size as u32),
    };
    if violations.is_empty() { Ok(request) } else { Err(Problem::invalid(violations)) }
}

/// Documents in an object; a bare array is accepted too.
#[derive(Serialize, Deserialize, ToSchema)]
pub(super) struct DocumentsBody {
    #[schema(max_items = 10_000)]
    documents: Vec<PostedDocument>,
}

/// What became of the posted documents, in their order.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct DocumentsResponse {
    /// True when none was rejected.
    success: bool,
    stored: usize,
    unchanged: usize,
    rejected: usize,
    results: Vec<DocumentOutcome>,
}

/// Post documents.
///
/// Durable and searchable when the answer comes. A document that is not valid is rejected with reasons
/// and holds up none of the others.
#[utoipa::path(
    post,
    path = "/api/documents",
    tag = "indexing",
    request_body = DocumentsBody,
    responses(
        (status = 200, body = DocumentsResponse, description = "one result for each document"),
        (status = 413, body = ProblemDocument, description = "a body of more than 32 MiB"),
        (status = 422, body = ProblemDocument, description = "not a list of documents"),
        (status = 503, body = ProblemDocument, description = "the store is away; nothing was acknowledged"),
    )
)]
pub(super) async fn post_documents(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Json<DocumentsResponse>, Problem> {
    let body = body::read_json(request, body::LARGE).await?;
    let (documents, mut results) = to_documents(&body)?;
    let places: Vec<usize> = documents.iter().map(|(place, _)| *place).collect();
    let documents: Vec<PostedDocument> = documents.into_iter().map(|(_, document)| document).collect();
    if !documents.is_empty() {
        let outcomes = shared.backend.put_documents(documents).await?;
        if outcomes.len() != places.len() {
            tracing::error!(
                posted = places.len(),
                outcomes = outcomes.len(),
                "documents and outcomes differ in number"
            );
            return Err(Problem::new(Code::Internal, "the server failed; its log has the reason"));
        }
        for (place, outcome) in places.into_iter().zip(outcomes) {
            results[place] = Some(outcome);
        }
    }
    let results: Vec<DocumentOutcome> = results.into_iter().flatten().collect();
    let count = |state| results.iter().filter(|outcome| outcome.state == state).count();
    let rejected = count(DocumentState::Rejected);
    Ok(Json(DocumentsResponse {
        success: rejected == 0,
        stored: count(DocumentState::Stored) + count(DocumentState::Pending),
        unchanged: count(DocumentState::Unchanged),
        rejected,
        results,
    }))
}

type Placed = Vec<(usize, PostedDocument)>;

/// The documents that can be read, each with its place, and the outcomes of those that cannot.
fn to_documents(body: &[u8]) -> Result<(Placed, Vec<Option<DocumentOutcome>>), Problem> {
    let whole: Value =
        serde_json::from_slice(body).map_err(|error| Problem::new(Code::MalformedJson, error.to_string()))?;
    let list = match whole {
        Value::Array(list) => list,
        Value::Object(mut object) => {
            let list = object.remove("documents");
            let mut violations: Vec<Violation> =
                object.keys().map(|name| body::unknown_field(name, &["documents"])).collect();
            match list {
                Some(Value::Array(list)) if violations.is_empty() => list,
                Some(Value::Array(_)) => return Err(Problem::invalid(violations)),
                Some(_) => {
                    violations.push(Violation::new("documents", "must be an array"));
                    return Err(Problem::invalid(violations));
                }
                None => {
                    let remedy = "send them as `documents`, or send the list itself";
                    violations.push(Violation::new("documents", "is missing").remedy(remedy));
                    return Err(Problem::invalid(violations));
                }
            }
        }
        _ => return Err(Problem::invalid(vec![Violation::new("", "must be an array of documents")])),
    };
    if list.len() > MAX_DOCUMENTS {
        let message = format!("has {} entries, at most {MAX_DOCUMENTS} are taken at once", list.len());
        return Err(Problem::invalid(vec![
            Violation::new("documents", message).remedy("post them in several requests"),
        ]));
    }
    let mut documents = Vec::with_capacity(list.len());
    let mut results = Vec::with_capacity(list.len());
    for (place, value) in list.into_iter().enumerate() {
        let named = |name| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let path = named("path").or_else(|| named("id"));
        match serde_path_to_error::deserialize::<_, PostedDocument>(value) {
            Ok(document) => {
                documents.push((place, document));
                results.push(None);
            }
            Err(error) => {
                let inner = error.path().to_string();
                let field = if inner == "." { format!("[{place}]") } else { format!("[{place}].{inner}") };
                let errors = vec![Violation::new(field, error.inner().to_string())];
                results.push(Some(DocumentOutcome { path, state: DocumentState::Rejected, errors }));
            }
        }
    }
    Ok((documents, results))
}
