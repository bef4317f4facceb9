//! Searches in people's words: bodies to requests that the strategy is asked to understand, and what it
//! understands of a query on its own. Decides nothing about language.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::ecs::parameters::Parameters;
use crate::http::problem::{Problem, ProblemDocument, Violation};
use crate::http::search::request::{SearchBody, to_request_with};
use crate::http::search::{Asked, OfSearches};
use crate::http::{Shared, body, fields};
use crate::query::{Analysis, CONTEXT_PARAMETERS, Query};
use crate::service::analysis::{QueryEntity, QueryFilters};
use crate::service::answer::{SearchResponse, SearchResult};
use crate::service::{LEAST_CONFIDENCE, SearchRequest, Understand};

/// The strategy that understands.
const STRATEGY: &str = "natural";
/// For what is no language.
const OTHERWISE: &str = "smart";
/// Bytes of one part of a context; the bound of a parameter.
const MAX_CONTEXT_BYTES: usize = 1024;
/// Parts of a context as clients write them, the earlier API's names second, and the parameters of a strategy.
const CONTEXT: [(&str, &str, &str); 3] = [
    ("file", "file_path", CONTEXT_PARAMETERS[0]),
    ("function", "function_name", CONTEXT_PARAMETERS[1]),
    ("class", "class_name", CONTEXT_PARAMETERS[2]),
];

pub(super) fn routes() -> Vec<(&'static str, MethodRouter<Arc<Shared>>)> {
    vec![
        ("/api/search/natural-language", post(natural_language)),
        ("/api/search/intelligent", post(intelligent)),
        ("/api/search/contextual", post(contextual)),
        ("/api/search/analyze-query", get(analyze_query)),
    ]
}

/// Where a client is while it asks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct SearchContext {
    /// Relative to the indexed folder; `file_path` means the same.
    #[schema(example = "src/http/server.rs")]
    file: Option<String>,
    /// `function_name` means the same.
    function: Option<String>,
    /// `class_name` means the same.
    class: Option<String>,
}

/// What is understood of a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct AnalyzedQuery {
    /// Always true: a failure is a problem document with its own status.
    success: bool,
    query: String,
    analysis: UnderstoodQuery,
}

/// The earlier API's fields, and beside them what the strategy would search for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct UnderstoodQuery {
    original_query: String,
    /// The words that carry meaning, lower case.
    normalized_query: String,
    /// Such as `error_handling`; `general_search` when nothing special is known.
    intent: String,
    /// 0 to 1.
    intent_confidence: f32,
    /// In the order of the text.
    entities: Vec<QueryEntity>,
    /// Words that may stand for others of the query.
    expanded_terms: Vec<String>,
    /// Null: the text as it is.
    rewritten_query: Option<String>,
    /// Name of the strategy that suits the query, without `strategy-`.
    search_strategy: String,
    /// Names out of code in the query, which are looked up as definitions.
    code_patterns: Vec<String>,
    file_filters: QueryFilters,
    /// Names of folders that are preferred.
    likely_folders: Vec<String>,
    /// 0 to 1.
    confidence: f32,
}

impl UnderstoodQuery {
    fn new(query: String, analysis: Analysis) -> Self {
        let names = analysis.entities.iter().filter(|entity| entity.kind.ends_with("identifier"));
        Self {
            original_query: query,
            normalized_query: analysis.normalised,
            intent: analysis.intent.name,
            intent_confidence: analysis.intent.confidence,
            code_patterns: names.map(|entity| entity.value.clone()).collect(),
            entities: analysis.entities.into_iter().map(QueryEntity::from).collect(),
            expanded_terms: analysis.expansions,
            rewritten_query: analysis.rewritten,
            search_strategy: analysis.suggested_strategy.unwrap_or_else(|| STRATEGY.to_owned()),
            file_filters: analysis.filters.into(),
            likely_folders: analysis.likely_folders,
            confidence: analysis.confidence,
        }
    }
}

/// Search in your own words.
///
/// The query is taken apart (languages, names, folders, what is looked for) and searched as it is understood;
/// where the query as it was asked finds more, that is served. `analysis` in the answer says which and why.
/// `file_types` and `directories` win over what the text says.
#[utoipa::path(
    post,
    path = "/api/search/natural-language",
    tag = "search",
    request_body = SearchBody,
    responses(
        (status = 200, description = "the results, possibly none, and `analysis`",
         content((SearchResponse = "application/json"), (String = "text/event-stream"), (SearchResult = "application/x-ndjson"))),
        OfSearches,
    )
)]
pub(super) async fn natural_language(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Problem> {
    respond(shared, "natural-language", request, Wish { otherwise: false, context: false }).await
}

/// Search in your own words, or with whatever the query looks like.
///
/// Language is understood as by `natural-language`; paths, names, patterns and quoted phrases go to `smart`.
/// `reason` begins with the one that answered.
#[utoipa::path(
    post,
    path = "/api/search/intelligent",
    tag = "search",
    request_body = SearchBody,
    responses(
        (status = 200, description = "the results, possibly none, and `analysis`",
         content((SearchResponse = "application/json"), (String = "text/event-stream"), (SearchResult = "application/x-ndjson"))),
        OfSearches,
    )
)]
pub(super) async fn intelligent(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Problem> {
    respond(shared, "intelligent", request, Wish { otherwise: true, context: false }).await
}

/// Search from within a file, a function or a class.
///
/// As `natural-language`; of what is found, that in the same file, folder, function or class is preferred.
#[utoipa::path(
    post,
    path = "/api/search/contextual",
    tag = "search",
    request_body = SearchBody,
    responses(
        (status = 200, description = "the results, possibly none, and `analysis`",
         content((SearchResponse = "application/json"), (String = "text/event-stream"), (SearchResult = "application/x-ndjson"))),
        OfSearches,
    )
)]
pub(super) async fn contextual(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Problem> {
    respond(shared, "contextual", request, Wish { otherwise: false, context: true }).await
}

/// What would be understood of a query.
#[utoipa::path(
    get,
    path = "/api/search/analyze-query",
    tag = "search",
    params(("query" = String, Query, description = "1 to 4096 bytes")),
    responses(
        (status = 200, body = AnalyzedQuery),
        (status = 422, body = ProblemDocument, description = "no query, or the strategy does not say what it understands"),
        (status = 404, body = ProblemDocument, description = "there is no strategy `natural`"),
        (status = 502, body = ProblemDocument, description = "the strategy failed"),
        (status = 503, body = ProblemDocument, description = "too many calls at once; see `retry-after`"),
        (status = 504, body = ProblemDocument, description = "the strategy took too long"),
    )
)]
pub(super) async fn analyze_query(State(shared): State<Arc<Shared>>, uri: Uri) -> Result<Json<AnalyzedQuery>, Problem> {
    let mut parameters = Parameters::of(&uri, &["query"]);
    let text = fields::query(parameters.given("query").map(str::to_owned), &mut parameters.violations);
    parameters.done()?;
    let analysis = shared.backend.analyze(STRATEGY, Query::new(text.clone(), 1)).await?;
    let understood = UnderstoodQuery::new(text.clone(), analysis);
    Ok(Json(AnalyzedQuery { success: true, query: text, analysis: understood }))
}

/// What tells the endpoints from each other.
#[derive(Clone, Copy)]
struct Wish {
    otherwise: bool,
    context: bool,
}

async fn respond(shared: Arc<Shared>, label: &'static str, request: Request, wish: Wish) -> Result<Response, Problem> {
    let asked = Asked::of(shared, label, &request)?;
    let body = body::read_json(request, body::SMALL).await?;
    let rules = |body: &mut SearchBody, violations: &mut Vec<Violation>| rules(body, wish, violations);
    let (request, agent) = to_request_with(STRATEGY, &body, asked.is_export(), rules)?;
    asked.answer(request, agent).await
}

/// The fields that only these endpoints know.
fn rules(
    body: &mut SearchBody,
    wish: Wish,
    violations: &mut Vec<Violation>,
) -> impl FnOnce(&mut SearchRequest) + use<> {
    let least = match body.confidence_threshold.take().map(|value| value.as_f64()) {
        None => LEAST_CONFIDENCE,
        Some(Some(least)) => fields::within("confidence_threshold", Some(least), 0.0, 0.0, 1.0, violations) as f32,
        Some(None) => {
            violations.push(Violation::new("confidence_threshold", "must be a number from 0 to 1"));
            LEAST_CONFIDENCE
        }
    };
    let expand = match body.enable_expansion.take().map(|value| value.as_bool()) {
        None => true,
        Some(Some(expand)) => expand,
        Some(None) => {
            violations.push(Violation::new("enable_expansion", "must be true or false"));
            true
        }
    };
    let context = body.context.take().filter(|_| wish.context);
    let mut parameters = context.map_or(vec![], |given| context_parameters(*given, violations));
    if !expand {
        parameters.push(("enable_expansion", "false".to_owned()));
    }
    move |request| {
        for (name, value) in parameters {
            request.query.parameters.retain(|(known, _)| known != name);
            request.query.parameters.push((name.to_owned(), value));
        }
        // In the order of their names, so that equal requests have equal cache keys.
        request.query.parameters.sort();
        let otherwise = wish.otherwise.then(|| OTHERWISE.to_owned());
        request.understand = Some(Understand { least_confidence: least, otherwise });
    }
}

fn context_parameters(given: Value, violations: &mut Vec<Violation>) -> Vec<(&'static str, String)> {
    let Value::Object(given) = given else {
        let violation = Violation::new("context", "is no object");
        violations.push(violation.remedy("write {\"file\": …, \"function\": …, \"class\": …}, each a text"));
        return vec![];
    };
    let mut parameters: Vec<(&'static str, String)> = Vec::new();
    for (name, value) in given {
        let known = CONTEXT.into_iter().find(|(today, earlier, _)| name == *today || name == *earlier);
        let Some((_, _, parameter)) = known else {
            // Only so much of a name as an answer should repeat.
            let name: String = name.chars().filter(|letter| !letter.is_control()).take(64).collect();
            let violation = Violation::new(format!("context.{name}"), "is not a part of a context");
            violations.push(violation.remedy("parts are `file`, `function` and `class`"));
            continue;
        };
        match value {
            Value::Null => {}
            Value::String(text) if text.len() > MAX_CONTEXT_BYTES => {
                let message = format!("is longer than {MAX_CONTEXT_BYTES} bytes");
                violations.push(Violation::new(format!("context.{name}"), message));
            }
            Value::String(text) if text.contains('\0') => {
                let violation = Violation::new(format!("context.{name}"), "has a NUL character");
                violations.push(violation.remedy("send it without"));
            }
            Value::String(_) if parameters.iter().any(|(other, _)| *other == parameter) => {
                let violation = Violation::new(format!("context.{name}"), "is there twice, under two names");
                violations.push(violation.remedy("send one of them"));
            }
            Value::String(text) if text.trim().is_empty() => {}
            Value::String(text) => parameters.push((parameter, text.trim().replace('\\', "/"))),
            _ => violations.push(Violation::new(format!("context.{name}"), "must be text")),
        }
    }
    parameters
}
