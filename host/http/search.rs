//! `POST /api/search/{strategy}`: JSON to `SearchRequest`, `Answer` to bytes and headers. No decisions
//! about searching; the body goes out as the service made it.

/// In which form a client wants its answer.
pub(super) mod accept;
/// A search as events.
pub(super) mod events;
/// How fresh an answer is.
pub(super) mod freshness;
/// All hits of a window, one a line.
pub(super) mod lines;
/// The agent for whom a search is.
pub(super) mod persona;
/// The body of a search and its rules.
pub(super) mod request;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use utoipa::IntoResponses;
use utoipa::openapi::{RefOr, Response as ApiResponse};

use self::accept::Form;
use self::request::{SearchBody, to_export, to_request};
use crate::http::edge::RequestId;
use crate::http::openapi::problems;
use crate::http::problem::{Problem, ProblemDocument, code_of};
use crate::http::{Name, Shared, body};
use crate::service::answer::{SearchResponse, SearchResult};
use crate::service::{Answer, CacheStatus, SearchError, SearchRequest};

/// Search with a strategy.
///
/// `semantic`, `syntax`, `hybrid`, `search` (which chooses by what the query looks like) or any other
/// loaded strategy. The body of an answer is the same for everyone who asks the same of the same plugins
/// and index; what differs from call to call is in the headers.
///
/// With `accept: text/event-stream` the answer is a stream of events. `progress`: a stage began or ended, or a
/// probe is done (`Progress`). `matches`: the best hits of one probe as soon as it is back, before they are fused
/// and ranked (`Matches`). `final`: the very body of the answer without a stream. `done`: times and the cache's
/// status (`Done`), the end. `error`: a problem document, also the end. A comment every 15 seconds is a sign of
/// life. An answer from the cache is `final` and `done` at once. The work stops when the client goes away.
///
/// With `accept: application/x-ndjson` it is one result a line, up to 10,000 of them, and a last line that is
/// `{"done":true,…}` (`Exported`, with the `analysis` of a query that was understood) or `{"error":…}` with a problem
/// document; without either it was cut off.
#[utoipa::path(
    post,
    path = "/api/search/{strategy}",
    tag = "search",
    params(("strategy" = String, Path, description = "name of a loaded strategy, with or without `strategy-`")),
    request_body = SearchBody,
    responses(
        (status = 200, description = "the results, possibly none",
         content((SearchResponse = "application/json"), (String = "text/event-stream"), (SearchResult = "application/x-ndjson")),
         headers(
            ("etag" = String, description = "strong validator of the body"),
            ("cache-status" = String, description = "hit or miss, RFC 9211"),
            ("corsac-freshness" = String, description = "store sequence that the answer reflects and the newest one known, RFC 9651"),
            ("server-timing" = String, description = "milliseconds by stage"),
            ("x-request-id" = String, description = "the client's own or a new one")
         )),
        (status = 400, body = ProblemDocument, description = "not JSON, or not UTF-8"),
        (status = 404, body = ProblemDocument, description = "no such strategy; the detail lists the loaded ones"),
        (status = 413, body = ProblemDocument, description = "a body of more than 1 MiB"),
        (status = 415, body = ProblemDocument, description = "not `application/json`"),
        OfSearches,
    )
)]
pub(super) async fn search(
    State(shared): State<Arc<Shared>>,
    Name(strategy): Name,
    request: Request,
) -> Result<Response, Problem> {
    let asked = Asked::of(shared, label(&strategy), &request)?;
    let body = body::read_json(request, body::SMALL).await?;
    let (request, agent) = match asked.form {
        Form::Document | Form::Events => to_request(&strategy, &body)?,
        Form::Lines => to_export(&strategy, &body)?,
    };
    asked.answer(request, agent).await
}

/// For the API's description: what any search may be answered with instead of results.
pub(super) enum OfSearches {}

impl IntoResponses for OfSearches {
    fn responses() -> BTreeMap<String, RefOr<ApiResponse>> {
        problems([
            ("406", "`accept` names none of the three forms"),
            ("422", "every field that is not valid, at once"),
            ("502", "a plugin failed"),
            ("503", "too many searches at once, or the world of `agent` is away; see `retry-after`"),
            ("504", "the search or a plugin took too long"),
        ])
    }
}

/// What is known of a search before its body is read.
pub(super) struct Asked {
    shared: Arc<Shared>,
    start: Instant,
    /// Of the strategy, for metrics.
    label: String,
    form: Form,
    /// Empty for an answer whose failure has a head of its own.
    id: String,
}

impl Asked {
    /// `label`: under which name the search is counted.
    pub(super) fn of(shared: Arc<Shared>, label: &str, request: &Request) -> Result<Self, Problem> {
        let id = request.extensions().get::<RequestId>().and_then(|id| id.0.to_str().ok()).unwrap_or_default();
        let form = accept::form(request.headers())?;
        Ok(Self { shared, start: Instant::now(), label: label.to_owned(), form, id: id.to_owned() })
    }

    /// All hits of a large window are wanted.
    pub(super) fn is_export(&self) -> bool {
        self.form == Form::Lines
    }

    /// One validated search for an agent, if there is one.
    pub(super) async fn answer(self, mut request: SearchRequest, agent: Option<String>) -> Result<Response, Problem> {
        request.persona = agent.map(|agent| persona::of(&*self.shared.backend, &agent)).transpose()?;
        // Before the search, so that its answer is at least as fresh as that.
        let freshness = self.shared.freshness.value(self.shared.backend.freshness());
        let mut response = match self.form {
            Form::Document => self.document(request).await?,
            Form::Events => events::follow(self, request).await?,
            Form::Lines => lines::export(self, request).await?,
        };
        response.headers_mut().insert(HeaderName::from_static(freshness::NAME), freshness);
        Ok(response)
    }

    async fn document(self, request: SearchRequest) -> Result<Response, Problem> {
        let answer = self.shared.backend.search(request).await.map_err(|error| self.failed(error))?;
        let elapsed = self.start.elapsed();
        self.shared.metrics.searched(&self.label, answer.cache, elapsed, &answer.timings);
        Ok(to_response(answer, elapsed))
    }

    fn failed(&self, error: SearchError) -> Problem {
        self.shared.metrics.search_failed(code_of(&error).word());
        error.into()
    }
}

/// The name that counts for metrics: `strategy-hybrid` and `hybrid` are one, `search` is `smart`.
fn label(strategy: &str) -> &str {
    let strategy = strategy.strip_prefix("strategy-").unwrap_or(strategy);
    if strategy == "search" { "smart" } else { strategy }
}

pub(super) fn to_response(answer: Answer, elapsed: Duration) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    // Room for these and the edge's, so that the map does not grow on the way.
    *response.headers_mut() = HeaderMap::with_capacity(8);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(HeaderName::from_static("cache-status"), HeaderValue::from_static(cache_status(answer.cache)));
    let mut etag = String::with_capacity(answer.etag.len() + 2);
    etag.push('"');
    etag.push_str(&answer.etag);
    etag.push('"');
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(header::ETAG, etag);
    }
    if let Ok(timing) = HeaderValue::try_from(server_timing(&answer.timings, elapsed)) {
        headers.insert(HeaderName::from_static("server-timing"), timing);
    }
    response
}

/// RFC 9211, section 2.
fn cache_status(source: CacheStatus) -> &'static str {
    match source {
        CacheStatus::Hit => "corsac; hit",
        CacheStatus::Stale => "corsac; hit; detail=stale",
        CacheStatus::Shared => "corsac; hit; detail=redis",
        CacheStatus::Miss => "corsac; fwd=miss; stored",
        CacheStatus::Coalesced => "corsac; fwd=miss; collapsed",
        CacheStatus::Uncacheable => "corsac; fwd=miss; stored=?0",
    }
}

/// W3C Server Timing: milliseconds, here with three decimals.
fn server_timing(timings: &[(&'static str, Duration)], total: Duration) -> String {
    let mut text = String::with_capacity(32 * (timings.len() + 1));
    for (stage, duration) in timings.iter().copied().chain([("total", total)]) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(stage);
        text.push_str(";dur=");
        push_milliseconds(&mut text, duration);
    }
    text
}

/// By hand, because `format!` is a sixth of what a cached answer costs this layer.
fn push_milliseconds(text: &mut String, duration: Duration) {
    let mut microseconds = duration.as_micros();
    let mut reversed = [b'0'; 24];
    let mut length = 0;
    // At least one digit before the point and three after it.
    while microseconds > 0 || length < 5 {
        if length == 3 {
            reversed[length] = b'.';
        } else {
            reversed[length] = b'0' + (microseconds % 10) as u8;
            microseconds /= 10;
        }
        length += 1;
        if length == reversed.len() {
            break;
        }
    }
    text.extend(reversed[..length].iter().rev().map(|digit| char::from(*digit)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_have_three_decimals() {
        for (microseconds, expected) in [
            (0, "0.000"),
            (7, "0.007"),
            (42, "0.042"),
            (1500, "1.500"),
            (12_345_678, "12345.678"),
            (1_000_000, "1000.000"),
        ] {
            let mut text = String::new();
            push_milliseconds(&mut text, Duration::from_micros(microseconds));
            assert_eq!(text, expected);
        }
    }
}
