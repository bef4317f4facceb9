//! `POST /api/search/{strategy}`: JSON to `SearchRequest`, `Answer` to bytes and headers. No decisions
//! about searching; the body goes out as the service made it.

/// How fresh an answer is.
pub(super) mod freshness;
/// The agent for whom a search is.
pub(super) mod persona;
/// The body of a search and its rules.
pub(super) mod request;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;

use self::request::{SearchBody, to_request};
use crate::http::problem::{Problem, ProblemDocument, code_of};
use crate::http::{Name, Shared, body};
use crate::service::answer::SearchResponse;
use crate::service::{Answer, CacheStatus, SearchRequest};

/// Search with a strategy.
///
/// `semantic`, `syntax`, `hybrid`, `search` (which chooses by what the query looks like) or any other
/// loaded strategy. The body of an answer is the same for everyone who asks the same of the same plugins
/// and index; what differs from call to call is in the headers.
#[utoipa::path(
    post,
    path = "/api/search/{strategy}",
    tag = "search",
    params(("strategy" = String, Path, description = "name of a loaded strategy, with or without `strategy-`")),
    request_body = SearchBody,
    responses(
        (status = 200, body = SearchResponse, description = "the results, possibly none",
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
        (status = 422, body = ProblemDocument, description = "every field that is not valid, at once"),
        (status = 502, body = ProblemDocument, description = "a plugin failed"),
        (status = 503, body = ProblemDocument, description = "too many searches at once, or the world of `agent` is away; see `retry-after`"),
        (status = 504, body = ProblemDocument, description = "the search or a plugin took too long"),
    )
)]
pub(super) async fn search(
    State(shared): State<Arc<Shared>>,
    Name(strategy): Name,
    request: Request,
) -> Result<Response, Problem> {
    let start = Instant::now();
    let body = body::read_json(request, body::SMALL).await?;
    let (request, agent) = to_request(&strategy, &body)?;
    answer(&shared, label(&strategy), request, agent, start).await
}

/// One validated search, counted under `label`.
pub(super) async fn answer(
    shared: &Shared,
    label: &str,
    mut request: SearchRequest,
    agent: Option<String>,
    start: Instant,
) -> Result<Response, Problem> {
    request.persona = agent.map(|agent| persona::of(&*shared.backend, &agent)).transpose()?;
    // Before the search, so that its answer is at least as fresh as that.
    let freshness = shared.freshness.value(shared.backend.freshness());
    let answer = match shared.backend.search(request).await {
        Ok(answer) => answer,
        Err(error) => {
            shared.metrics.search_failed(code_of(&error).word());
            return Err(error.into());
        }
    };
    let elapsed = start.elapsed();
    shared.metrics.searched(label, answer.cache, elapsed, &answer.timings);
    let mut response = to_response(answer, elapsed);
    response.headers_mut().insert(HeaderName::from_static(freshness::NAME), freshness);
    Ok(response)
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
    // RFC 9211, section 2.
    let cache = HeaderValue::from_static(match answer.cache {
        CacheStatus::Hit => "corsac; hit",
        CacheStatus::Stale => "corsac; hit; detail=stale",
        CacheStatus::Shared => "corsac; hit; detail=redis",
        CacheStatus::Miss => "corsac; fwd=miss; stored",
        CacheStatus::Coalesced => "corsac; fwd=miss; collapsed",
        CacheStatus::Uncacheable => "corsac; fwd=miss; stored=?0",
    });
    headers.insert(HeaderName::from_static("cache-status"), cache);
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
