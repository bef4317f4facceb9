//! All hits of a window, one JSON document a line (NDJSON). A page of texts is read when the one before has been
//! written to the client, so a slow client slows the reading and not the server.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use futures::stream::{self, Stream};
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::accept::LINES;
use super::{Asked, server_timing};
use crate::http::problem::{Problem, ProblemDocument};
use crate::service::answer::{QueryAnalysis, SearchResult};
use crate::service::export::Export;
use crate::service::{CacheStatus, SearchError, SearchRequest};

/// The last line of an export that is whole.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(in crate::http) struct Exported {
    /// Always true.
    done: bool,
    /// Hits in the candidate window; as many lines came before, unless `offset` or `max_results` left some out.
    total_results: u32,
    /// There are, or may be, more hits than the window holds.
    truncated: bool,
    window: u32,
    /// A part of the search failed; `degraded_reasons` says which and why.
    degraded: bool,
    degraded_reasons: Vec<String>,
    /// How the query was understood, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    analysis: Option<QueryAnalysis>,
}

/// The last line of an export that failed.
#[derive(Serialize)]
struct Broken {
    error: ProblemDocument,
}

pub(super) async fn export(asked: Asked, request: SearchRequest) -> Result<Response, Problem> {
    let shared = Arc::clone(&asked.shared);
    let export = shared.backend.streams().export(request).await.map_err(|error| asked.failed(error))?;
    let elapsed = asked.start.elapsed();
    shared.metrics.searched(&asked.label, CacheStatus::Uncacheable, elapsed, &export.timings);
    let timing = HeaderValue::try_from(server_timing(&export.timings, elapsed));
    let mut response = Response::new(Body::from_stream(lines(asked, export).map(Ok::<_, Infallible>)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(LINES));
    headers.insert(HeaderName::from_static("cache-status"), HeaderValue::from_static("corsac; fwd=bypass"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    if let Ok(timing) = timing {
        headers.insert(HeaderName::from_static("server-timing"), timing);
    }
    Ok(response)
}

/// The pages, then the last line.
fn lines(asked: Asked, export: Export) -> impl Stream<Item = Bytes> + Send + 'static {
    let Export { total_results, window, truncated, degraded_reasons, analysis, timings: _, pages } = export;
    let degraded = !degraded_reasons.is_empty();
    let end = Exported { done: true, total_results, truncated, window, degraded, degraded_reasons, analysis };
    let pages = pages.map_ok(|page| page_of(&page));
    stream::unfold(Some((asked, pages, end)), async |rest| {
        let (asked, mut pages, end) = rest?;
        Some(match pages.next().await {
            Some(Ok(page)) => (page, Some((asked, pages, end))),
            Some(Err(error)) => (broken(&asked, error), None),
            None => (line(&end), None),
        })
    })
}

fn broken(asked: &Asked, error: SearchError) -> Bytes {
    line(&Broken { error: asked.failed(error).document(&asked.id) })
}

fn page_of(results: &[SearchResult]) -> Bytes {
    let mut page = Vec::new();
    results.iter().for_each(|result| push(&mut page, result));
    page.into()
}

fn line(value: &impl Serialize) -> Bytes {
    let mut line = Vec::new();
    push(&mut line, value);
    line.into()
}

/// What is told is plain data: it always has a JSON form, which has no line breaks but escaped ones.
fn push(lines: &mut Vec<u8>, value: &impl Serialize) {
    let _ = serde_json::to_writer(&mut *lines, value);
    lines.push(b'\n');
}
