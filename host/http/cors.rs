//! Pages of other origins that the operator lets in. Without any, this costs nothing and adds nothing.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// How long a browser may remember a preflight, in seconds; what Chromium caps at is 7200.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE");
/// What a page may send beside what every page may.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "accept, authorization, content-type, if-none-match, traceparent, tracestate, x-api-key, x-request-id",
);
/// What a page may read beside what every page may.
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "cache-status, corsac-freshness, etag, location, ratelimit, ratelimit-policy, retry-after, server-timing, www-authenticate, x-request-id",
);

/// The origins that may come; none by default.
#[derive(Clone, Debug, Default)]
pub struct Cors(Option<Arc<Origins>>);

#[derive(Debug)]
struct Origins {
    any: bool,
    exact: Vec<String>,
}

/// The origin of a request that may come.
#[derive(Clone, Debug)]
pub(super) struct Granted(HeaderValue);

impl Cors {
    /// Origins as browsers write them, such as `https://search.example`, or `*`.
    pub fn new(origins: &[String]) -> Self {
        let any = origins.iter().any(|origin| origin == "*");
        Self((!origins.is_empty()).then(|| Arc::new(Origins { any, exact: origins.to_vec() })))
    }

    /// None: the request has no origin, or one that is not among those that may come.
    pub(super) fn grant(&self, headers: &HeaderMap) -> Option<Granted> {
        let origins = self.0.as_ref()?;
        let origin = headers.get(header::ORIGIN)?;
        if origins.any {
            return Some(Granted(HeaderValue::from_static("*")));
        }
        origins.exact.iter().any(|exact| exact.as_bytes() == origin.as_bytes()).then(|| Granted(origin.clone()))
    }

    /// Adds what a browser has to know before it lets a page read the answer.
    pub(super) fn decorate(&self, response: &mut Response, granted: Option<Granted>) {
        let Some(origins) = &self.0 else { return };
        let headers = response.headers_mut();
        if !origins.any {
            // Also without an origin: caches must not hand this answer to a page that would get another one.
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if let Some(Granted(origin)) = granted {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        }
    }
}

/// Whether a browser asks what it may send. Carries no key, so it is answered before keys are looked at.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to an origin that may come.
pub(super) fn preflight() -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 3] = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ];
    (StatusCode::NO_CONTENT, HEADERS).into_response()
}
