//! API keys over HTTP: the list, a new one, and the end of one.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::backend::{CreatedKey, KeyRequest, KeyStatus};
use crate::http::problem::{Problem, ProblemDocument, Violation};
use crate::http::{Name, Shared, body};

const FIELDS: [&str; 4] = ["name", "scopes", "expires_days", "rate_per_minute"];

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct KeyList {
    /// The oldest first.
    keys: Vec<KeyStatus>,
}

/// List the API keys.
#[utoipa::path(
    get,
    path = "/api/keys",
    tag = "keys",
    responses((status = 200, body = KeyList), (status = 503, body = ProblemDocument, description = "the store is away"))
)]
pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Result<Json<KeyList>, Problem> {
    Ok(Json(KeyList { keys: shared.backend.keys().await? }))
}

type Made = (StatusCode, [(HeaderName, HeaderValue); 1], Json<CreatedKey>);

/// Make an API key.
///
/// The answer is the only place where `key` is ever shown.
#[utoipa::path(
    post,
    path = "/api/keys",
    tag = "keys",
    request_body = KeyRequest,
    responses(
        (status = 201, body = CreatedKey, description = "with the key itself"),
        (status = 422, body = ProblemDocument, description = "not a valid request; `errors` name what is wrong"),
        (status = 503, body = ProblemDocument, description = "the store is away"),
    )
)]
pub(super) async fn create(State(shared): State<Arc<Shared>>, request: Request) -> Result<Made, Problem> {
    let body = body::read_json(request, body::SMALL).await?;
    let (request, mut violations) = body::parse::<KeyRequest>(&body, &FIELDS)?;
    for (field, missing, remedy) in [
        ("name", request.name.is_empty(), "say whose key it is"),
        ("scopes", request.scopes.is_empty(), "list at least one of `search`, `index`, `admin`"),
    ] {
        if missing && !violations.iter().any(|violation| violation.field.starts_with(field)) {
            violations.push(Violation::new(field, "is missing").remedy(remedy));
        }
    }
    if !violations.is_empty() {
        return Err(Problem::invalid(violations));
    }
    let created = shared.backend.create_key(request).await?;
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(created)))
}

/// Revoke an API key.
///
/// It ends on this host at once and on others within seconds.
#[utoipa::path(
    delete,
    path = "/api/keys/{id}",
    tag = "keys",
    params(("id" = String, Path, description = "as the list shows it")),
    responses(
        (status = 204, description = "revoked"),
        (status = 404, body = ProblemDocument, description = "no such key"),
        (status = 503, body = ProblemDocument, description = "the store is away"),
    )
)]
pub(super) async fn revoke(State(shared): State<Arc<Shared>>, Name(id): Name) -> Result<StatusCode, Problem> {
    shared.backend.revoke_key(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
