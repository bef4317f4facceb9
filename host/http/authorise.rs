//! Keys and rates on the way in: which scope a route wants, where a request carries its key, and what a
//! refusal looks like. Decides nothing itself: it asks `access`.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};

use crate::access::{Allowance, Exceeded, Keyring, Refusal, Scope};
use crate::http::problem::{Code, Problem};
use crate::telemetry::Metrics;

/// Names of draft-ietf-httpapi-ratelimit-headers.
static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The scope that a method of a route wants; none: it is open to everyone, always.
pub(super) fn scope_of(route: &str, method: &Method) -> Option<Scope> {
    let reads = reads(method);
    match route {
        // Orchestrators have no keys; the API's description and the pages hold no data; what is nowhere holds nothing.
        "/healthz" | "/readyz" | "/openapi.json" | "/problems" | "/" | "/page/{file}" | "unmatched" => None,
        "/api/search/{strategy}"
        | "/api/search/feedback"
        | "/api/search/natural-language"
        | "/api/search/intelligent"
        | "/api/search/contextual"
        | "/api/search/analyze-query"
        | "/api/search/stats"
        | "/api/search/suggestions"
        | "/api/search/suggestions/intelligent"
        | "/api/ecs/agents/search"
        | "/api/search/health"
        | "/api/search/performance"
        | "/api/plugins"
        | "/api/rag/query"
        | "/api/rag/embed"
        | "/api/rag/health"
        | "/v1/embeddings"
        | "/v1/models"
        | "/metrics" => Some(Scope::Search),
        "/api/rag/config" if reads => Some(Scope::Search),
        "/api/search/index"
        | "/api/documents"
        | "/api/rag/ingest"
        | "/api/rag/ingest/stream"
        | "/api/tasks"
        | "/api/tasks/{id}" => Some(Scope::Index),
        // The world as a whole: its time, its rules, its past.
        "/api/ecs/clock"
        | "/api/ecs/clock/pause"
        | "/api/ecs/clock/resume"
        | "/api/ecs/clock/step"
        | "/api/ecs/rules"
        | "/api/ecs/snapshots"
        | "/api/ecs/snapshots/{id}/restore"
        | "/api/ecs/replay"
            if !reads =>
        {
            Some(Scope::Admin)
        }
        agents if agents.starts_with("/api/ecs/") => Some(if reads { Scope::Search } else { Scope::Index }),
        // A new route is for administrators until someone has thought about it.
        _ => Some(Scope::Admin),
    }
}

fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Asks about the requests of one route.
#[derive(Clone)]
pub(super) struct Guard {
    keyring: Arc<Keyring>,
    metrics: Arc<Metrics>,
    reading: Scope,
    writing: Scope,
}

impl Guard {
    /// None: nothing to ask.
    pub(super) fn new(route: &str, keyring: Option<&Arc<Keyring>>, metrics: &Arc<Metrics>) -> Option<Self> {
        let keyring = keyring.filter(|keyring| keyring.restricts())?;
        let (reading, writing) = (scope_of(route, &Method::GET)?, scope_of(route, &Method::POST)?);
        Some(Self { keyring: keyring.clone(), metrics: metrics.clone(), reading, writing })
    }

    /// What is left of the caller's rate if it has one, or the answer that the request gets instead.
    pub(super) fn admit(&self, method: &Method, headers: &HeaderMap) -> Result<Option<Allowance>, Box<Response>> {
        let scope = if reads(method) { self.reading } else { self.writing };
        self.keyring.admit(presented(headers), scope).map_err(|refusal| {
            let (reason, response) = refused(refusal);
            self.metrics.refused(reason);
            Box::new(response)
        })
    }
}

/// Says on an answer what is left.
pub(super) fn show(allowance: Allowance, response: &mut Response) {
    let Allowance { per_minute, remaining, full_in } = allowance;
    rate_headers(response, per_minute, remaining, full_in);
}

/// `Authorization: Bearer KEY`, else `X-API-Key: KEY`.
fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    bearer.or_else(|| Some(headers.get("x-api-key")?.to_str().unwrap_or_default().trim()))
}

/// The refusal's word for metrics, and its answer.
fn refused(refusal: Refusal) -> (&'static str, Response) {
    match refusal {
        Refusal::NoKey => {
            let detail = "this server wants an API key: send it as `authorization: Bearer KEY` or `x-api-key: KEY`";
            ("no-key", challenge(Code::Unauthorized, detail.into(), "Bearer realm=\"corsac\""))
        }
        Refusal::UnknownKey => {
            let detail = "the API key is not known here: it is wrong, or it was revoked";
            ("unknown-key", challenge(Code::Unauthorized, detail.into(), INVALID))
        }
        Refusal::Expired => {
            ("expired", challenge(Code::Unauthorized, "the API key has expired: ask for a new one".into(), INVALID))
        }
        Refusal::MissingScope(scope) => {
            let detail = format!("this needs a key with the scope `{}`", scope.word());
            let challenged = match scope {
                Scope::Search => "Bearer realm=\"corsac\", error=\"insufficient_scope\", scope=\"search\"",
                Scope::Index => "Bearer realm=\"corsac\", error=\"insufficient_scope\", scope=\"index\"",
                Scope::Admin => "Bearer realm=\"corsac\", error=\"insufficient_scope\", scope=\"admin\"",
            };
            ("missing-scope", challenge(Code::MissingScope, detail, challenged))
        }
        Refusal::TooMany(Exceeded { per_minute, wait }) => {
            // Up, and at least one: whoever waits that long is let in.
            let wait = wait.as_millis().div_ceil(1000).max(1) as u64;
            let detail = format!("more than {per_minute} requests a minute: try again in {wait} s");
            let mut response = Problem::new(Code::RateLimited, detail).into_response();
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
            rate_headers(&mut response, per_minute, 0, wait);
            ("rate-limited", response)
        }
    }
}

const INVALID: &str = "Bearer realm=\"corsac\", error=\"invalid_token\"";

/// With the header that RFC 6750 wants.
fn challenge(code: Code, detail: String, challenge: &'static str) -> Response {
    let mut response = Problem::new(code, detail).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

fn rate_headers(response: &mut Response, per_minute: u32, remaining: u32, seconds: u64) {
    let headers = response.headers_mut();
    for (name, text) in [
        (&RATE_LIMIT_POLICY, format!("\"requests\";q={per_minute};w=60")),
        (&RATE_LIMIT, format!("\"requests\";r={remaining};t={seconds}")),
    ] {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name.clone(), value);
        }
    }
}
