//! `GET /api/search/suggestions`: what may follow on what somebody has typed. Decides nothing about suggestions: it
//! asks one trait, `Suggester`, and sends the body as it was made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use utoipa::openapi::{ContentBuilder, Header, HeaderBuilder, Ref, RefOr, Response as ApiResponse, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::http::Shared;
use crate::http::backend::Freshness;
use crate::http::ecs::parameters::Parameters;
use crate::http::openapi::problems;
use crate::http::problem::{Code, Problem, Violation};
use crate::http::search::{freshness, to_response};
use crate::service::Answer;
use crate::suggest::answer::SuggestionsResponse;
use crate::suggest::{SuggestError, SuggestRequest};

const DEFAULT_SUGGESTIONS: usize = 10;
const MOST_SUGGESTIONS: usize = 50;
/// Bytes; who types more wants no suggestions any more.
const LONGEST_QUERY: usize = 1024;

/// Every path with its handlers.
pub(super) fn routes() -> Vec<(&'static str, MethodRouter<Arc<Shared>>)> {
    vec![("/api/search/suggestions", get(suggestions)), ("/api/search/suggestions/intelligent", get(intelligent))]
}

/// Completions of what was typed.
///
/// Symbols, paths, frequent words and phrases of the indexed documents and queries that found something, then
/// synonyms. First what begins with the query, then what has a later word that does, then what does but for one
/// typing error.
#[utoipa::path(
    get,
    path = "/api/search/suggestions",
    tag = "search",
    params(
        ("query" = Option<String>, Query, description = "what was typed, at most 1024 bytes; a space at its end says that the last word is whole; left out or empty: what is asked and named most"),
        ("max_suggestions" = Option<u32>, Query, description = "10 when left out", minimum = 1, maximum = 50),
        ("if-none-match" = Option<String>, Header, description = "the `etag` of an earlier answer"),
    ),
    responses(OfSuggestions)
)]
pub(super) async fn suggestions(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&shared, &uri, &headers, false).await
}

/// Completions, synonyms and more definite questions, by confidence.
#[utoipa::path(
    get,
    path = "/api/search/suggestions/intelligent",
    tag = "search",
    params(
        ("query" = Option<String>, Query, description = "what was typed, at most 1024 bytes; left out or empty: what is asked and named most"),
        ("max_suggestions" = Option<u32>, Query, description = "10 when left out", minimum = 1, maximum = 50),
        ("if-none-match" = Option<String>, Header, description = "the `etag` of an earlier answer"),
    ),
    responses(OfSuggestions)
)]
pub(super) async fn intelligent(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&shared, &uri, &headers, true).await
}

/// For the API's description: what either endpoint may answer.
enum OfSuggestions {}

impl IntoResponses for OfSuggestions {
    fn responses() -> BTreeMap<String, RefOr<ApiResponse>> {
        let header = |description: &str| HeaderBuilder::from(Header::default()).description(Some(description)).build();
        let schema = Ref::from_schema_name(SuggestionsResponse::name());
        let found = ResponseBuilder::new()
            .description("the suggestions, possibly none")
            .content("application/json", ContentBuilder::new().schema(Some(schema)).build())
            .header("etag", header("strong validator of the body"))
            .header("cache-status", header("hit or miss, RFC 9211"))
            .header(freshness::NAME, header("store sequence that the terms reflect and the newest one known, RFC 9651"))
            .header("server-timing", header("milliseconds"));
        let known = ResponseBuilder::new().description("the answer is still that of `if-none-match`");
        let mut responses =
            problems([("404", "suggestions are switched off"), ("422", "every parameter that is not valid")]);
        responses.insert("200".to_owned(), found.into());
        responses.insert("304".to_owned(), known.into());
        responses
    }
}

async fn answer(shared: &Shared, uri: &Uri, headers: &HeaderMap, intelligent: bool) -> Result<Response, Problem> {
    let began = Instant::now();
    let suggester = shared
        .backend
        .suggester()
        .ok_or_else(|| Problem::new(Code::NotFound, "this server makes no suggestions: suggest.enabled is false"))?;
    let request = to_request(uri, intelligent)?;
    let suggested = suggester.suggest(request).await?;
    let freshness = Freshness { generation: suggested.generation, ..shared.backend.freshness() };
    let timings = vec![(if suggested.cache.is_hit() { "cache" } else { "suggest" }, suggested.took)];
    let known = is_known(headers, &suggested.etag);
    let answer = Answer { body: suggested.body, etag: suggested.etag, cache: suggested.cache, timings };
    let mut response = to_response(answer, began.elapsed());
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static(freshness::NAME), shared.freshness.value(freshness));
    // Browsers may keep it but ask whether it still holds: it may need a key, and it changes with the index.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if known {
        headers.remove(header::CONTENT_TYPE);
        let headers = std::mem::take(headers);
        response = (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    Ok(response)
}

fn to_request(uri: &Uri, intelligent: bool) -> Result<SuggestRequest, Problem> {
    let mut parameters = Parameters::of(uri, &["query", "max_suggestions"]);
    let query = parameters.given("query").unwrap_or_default().trim_start().to_owned();
    if query.len() > LONGEST_QUERY {
        let message = format!("is {} bytes long, at most {LONGEST_QUERY} are taken", query.len());
        parameters.violations.push(Violation::new("query", message).remedy("ask with its last words"));
    } else if query.chars().any(|letter| letter.is_control() && !letter.is_whitespace()) {
        parameters.violations.push(Violation::new("query", "has a control character").remedy("leave it out"));
    }
    let max_suggestions = parameters.number("max_suggestions", DEFAULT_SUGGESTIONS, 1, MOST_SUGGESTIONS);
    parameters.done()?;
    Ok(SuggestRequest { query, max_suggestions, intelligent })
}

/// Whether the client has this very body (RFC 9110, section 13.1.2).
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let given = headers.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).map(str::trim).any(|known| {
        let known = known.strip_prefix("W/").unwrap_or(known);
        known == "*" || known.trim_matches('"') == etag
    })
}

impl From<SuggestError> for Problem {
    fn from(error: SuggestError) -> Self {
        tracing::error!(%error, "request failed");
        Problem::new(Code::Internal, "the server failed; its log has the reason")
    }
}
