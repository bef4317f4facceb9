//! The span of a request and its place in a trace that began elsewhere (W3C Trace Context). Spans of the
//! stages are written where the stages are, as plain `tracing` spans at level debug: where nobody listens
//! at that level, each costs one comparison. No span carries what a client searches for.

use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// What a client said about the trace that its request belongs to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parent<'a> {
    /// Header `traceparent`.
    pub trace: &'a str,
    /// Header `tracestate`, empty when it is not there.
    pub state: &'a str,
}

impl Extractor for Parent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => Some(self.trace),
            "tracestate" => Some(self.state),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

/// The span around everything that one request does. `method` and `route` are bounded sets of words, `id`
/// is harmless in a log. `parent` is asked only when somebody listens.
pub fn request<'a>(
    method: &'static str,
    route: &'static str,
    id: &str,
    parent: impl FnOnce() -> Option<Parent<'a>>,
) -> Span {
    let span = tracing::debug_span!(
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        request_id = id,
    );
    if !span.is_disabled()
        && let Some(parent) = parent()
    {
        // It fails where spans are only logged; what does not parse is no parent.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&parent));
    }
    span
}

/// Notes how the request ended.
pub fn answered(span: &Span, status: u16) {
    if span.is_disabled() {
        return;
    }
    span.record("http.response.status_code", status);
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}
