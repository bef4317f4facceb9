//! The routes over a fake backend: what clients see, whatever is behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// Keys, rates and pages of other origins.
mod access;
/// Agents that search and are searched.
mod agents;
/// The world of agents.
mod ecs;
/// The backend.
mod fake;
mod feedback;
/// Malformed and malicious input.
mod hostile;
/// Searches in people's words.
mod language;
/// Over a real socket: streams, stopping.
mod live;
/// Searches whose answers come in parts.
mod parts;
/// Retrieval for language models.
mod rag;
/// What all refusals have.
mod refusals;
/// Answers of searching and indexing.
mod routes;
/// Answers about the server itself.
mod status;
/// Suggestions.
mod suggest;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tower::ServiceExt;

use self::fake::{BODY, Fake, SECRET, failure, part, task_at};
use super::*;
use crate::query::Analysis;
use crate::service::{Answer, CacheStatus, SearchError, SearchRequest};

/// A router, its fake backend and its options.
pub(super) struct Server {
    pub(super) router: Router,
    pub(super) fake: Arc<Fake>,
    pub(super) options: Options,
}

pub(super) fn server() -> Server {
    let (fake, options) = (Arc::new(Fake::default()), Options::default());
    Server { router: router(fake.clone(), options.clone()), fake, options }
}

/// An answer that has fully arrived.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// A complete problem document with this status and code.
    pub(super) fn problem(&self, status: u16, code: &str) -> ProblemDocument {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem: ProblemDocument = serde_json::from_slice(&self.body).unwrap();
        assert_eq!((problem.status, problem.code.as_str()), (status, code), "{text}");
        assert_eq!(problem.kind, format!("/problems#{code}"));
        assert!(!problem.title.is_empty() && !problem.detail.is_empty(), "{text}");
        assert_eq!(problem.request_id, self.header("x-request-id"));
        assert!(!problem.request_id.is_empty());
        assert!(!text.contains("secret"), "leaks: {text}");
        problem
    }

    /// The fields of all violations of a 422.
    pub(super) fn violated(&self) -> Vec<String> {
        self.problem(422, "invalid-request").errors.into_iter().map(|error| error.field).collect()
    }
}

impl Server {
    pub(super) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 24).await.unwrap();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, &[], "").await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Reply {
        self.call(Method::POST, path, &[("content-type", "application/json")], body.to_string()).await
    }

    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    /// The request that the backend saw last.
    pub(super) fn seen(&self) -> SearchRequest {
        self.fake.seen.lock().last().unwrap().clone()
    }
}
