//! `POST /api/search/feedback` and `/api/search/usage`: what was chosen, what is remembered of it, and forgetting it.
//! Knows nothing of how it counts.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::routing::{MethodRouter, delete, post};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::ecs::parameters::Parameters;
use crate::http::problem::{Problem, ProblemDocument, Violation};
use crate::http::{BackendError, Shared, body, fields};

const FIELDS: [&str; 3] = ["query", "file_path", "result_id"];

/// What the routes ask of the rest of the server.
pub trait Usage: Send + Sync + 'static {
    /// None: it is switched off. Else the choice is durable; an unknown document is the caller's fault.
    fn chosen(&self, query: &str, path: &str) -> BoxFuture<'_, Result<Option<()>, BackendError>>;

    /// Of one question, or of all.
    fn forget(&self, query: Option<String>) -> BoxFuture<'_, Result<u64, BackendError>>;

    fn remembered(&self, limit: usize) -> Remembered;
}

/// Which result of a search somebody took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FeedbackBody {
    /// As it was asked; 1 to 4096 bytes.
    #[schema(required = true, nullable = false, min_length = 1, max_length = 4096)]
    pub query: Option<String>,
    /// As the result has it.
    #[schema(required = true, nullable = false)]
    pub file_path: Option<String>,
    /// The result's `id`; only the document counts.
    pub result_id: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct FeedbackAnswer {
    success: bool,
    /// False where the server remembers nothing.
    recorded: bool,
    reason: Option<String>,
}

/// What is remembered of use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Remembered {
    pub enabled: bool,
    /// Days after which a count is worth half.
    pub half_life_days: f32,
    /// Days after which it is deleted.
    pub keep_days: u32,
    /// Different questions in memory.
    pub questions: u64,
    /// The most asked ones, best first.
    pub frequent: Vec<FrequentQuery>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FrequentQuery {
    pub query: String,
    /// How often it was asked, faded with age.
    pub weight: f32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct Forgotten {
    success: bool,
    /// Counts that went: one for a question or a choice, and a day.
    forgotten: u64,
}

pub(super) fn routes() -> Vec<(&'static str, MethodRouter<Arc<Shared>>)> {
    vec![("/api/search/feedback", post(choose)), ("/api/search/usage", delete(forget).get(remembered))]
}

/// Say which result was chosen.
///
/// Rankers that ask for the column `affinity` may then prefer the document when the same words are searched again.
#[utoipa::path(
    post,
    path = "/api/search/feedback",
    tag = "search",
    request_body = FeedbackBody,
    responses(
        (status = 200, body = FeedbackAnswer, description = "counted, or not where the server remembers nothing"),
        (status = 422, body = ProblemDocument, description = "every field that is not valid, at once"),
        (status = 503, body = ProblemDocument, description = "the store is away"),
    )
)]
pub(super) async fn choose(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Json<FeedbackAnswer>, Problem> {
    let body = body::read_json(request, body::SMALL).await?;
    let (body, mut violations) = body::parse::<FeedbackBody>(&body, &FIELDS)?;
    let readable = |field: &str, violations: &[Violation]| violations.iter().all(|violation| violation.field != field);
    let query = if readable("query", &violations) { fields::query(body.query, &mut violations) } else { String::new() };
    let path = body.file_path.unwrap_or_default();
    if readable("file_path", &violations) && (path.is_empty() || path.len() > 4096 || path.contains('\0')) {
        let violation = Violation::new("file_path", "is not the path of a result");
        violations.push(violation.remedy("send `file_path` as the result has it"));
    }
    if !violations.is_empty() {
        return Err(Problem::invalid(violations));
    }
    let recorded = shared.backend.usage().chosen(&query, &path).await?.is_some();
    let reason = (!recorded).then(|| "this server remembers nothing: usage.enabled is false".to_owned());
    Ok(Json(FeedbackAnswer { success: true, recorded, reason }))
}

/// What is remembered of use.
#[utoipa::path(get, path = "/api/search/usage", tag = "search", responses((status = 200, body = Remembered)))]
pub(super) async fn remembered(State(shared): State<Arc<Shared>>) -> Json<Remembered> {
    Json(shared.backend.usage().remembered(100))
}

/// Forget what was asked and chosen.
#[utoipa::path(
    delete,
    path = "/api/search/usage",
    tag = "search",
    params(("query" = Option<String>, Query, description = "forget only what was asked and chosen with this query; everything when left out")),
    responses(
        (status = 200, body = Forgotten, description = "gone, in the store as well"),
        (status = 422, body = ProblemDocument, description = "a parameter that is not known"),
        (status = 503, body = ProblemDocument, description = "the store is away"),
    )
)]
pub(super) async fn forget(State(shared): State<Arc<Shared>>, uri: Uri) -> Result<Json<Forgotten>, Problem> {
    let mut parameters = Parameters::of(&uri, &["query"]);
    let query = parameters.given("query").map(str::to_owned);
    if query.as_ref().is_some_and(|query| query.trim().is_empty()) {
        parameters.violations.push(Violation::new("query", "is empty").remedy("leave it out to forget everything"));
    } else if query.as_ref().is_some_and(|query| query.contains('\0')) {
        parameters.violations.push(Violation::new("query", "has a NUL character").remedy("send it without"));
    }
    parameters.done()?;
    Ok(Json(Forgotten { success: true, forgotten: shared.backend.usage().forget(query).await? }))
}
