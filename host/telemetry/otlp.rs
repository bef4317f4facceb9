//! Export of traces by OTLP over HTTP. Spans are queued and sent by a thread of their own; a collector
//! that is away costs nothing but a line in the log now and then, and the spans.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use parking_lot::Mutex;

use super::TelemetryError;

/// The scope of every span.
pub(super) const TRACER: &str = "corsac";

/// Longer than any collector on a network takes for one batch.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Between two lines about the same trouble.
const COMPLAINTS: Duration = Duration::from_secs(60);

/// Where traces go.
#[derive(Clone, PartialEq)]
pub struct TraceExport {
    /// Such as `http://127.0.0.1:4318`, without the path of the signal. May hold a password.
    pub endpoint: String,
    pub service: String,
    /// Of traces that begin here, what share is kept, 0 to 1; others do as their parent did.
    pub ratio: f64,
}

/// What became of spans since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportFigures {
    pub exported: u64,
    /// Handed to a collector that did not take them.
    pub failed: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    exported: AtomicU64,
    failed: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> ExportFigures {
        ExportFigures { exported: self.exported.load(Ordering::Relaxed), failed: self.failed.load(Ordering::Relaxed) }
    }
}

/// Starts the exporting thread; nothing is sent before the first span ends.
pub(super) fn provider(export: &TraceExport, counters: Arc<Counters>) -> Result<SdkTracerProvider, TelemetryError> {
    // Its client wants one, also for a collector without TLS. An error means that some other part was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", export.endpoint.trim_end_matches('/')))
        .with_timeout(TIMEOUT)
        .build()
        .map_err(|error| TelemetryError::Export(without(&error.to_string(), &export.endpoint)))?;
    let resource = Resource::builder()
        .with_service_name(export.service.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let watched = Watched { exporter, counters, endpoint: export.endpoint.clone(), complained: Mutex::default() };
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(watched)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(export.ratio))))
        .with_resource(resource)
        .build())
}

/// Counts what goes and says when it does not.
struct Watched {
    exporter: opentelemetry_otlp::SpanExporter,
    counters: Arc<Counters>,
    endpoint: String,
    complained: Mutex<Option<Instant>>,
}

/// The endpoint stays out of it.
impl std::fmt::Debug for Watched {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Watched").field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        let result = self.exporter.export(batch).await;
        match &result {
            Ok(()) => {
                self.counters.exported.fetch_add(spans, Ordering::Relaxed);
            }
            Err(error) => {
                self.counters.failed.fetch_add(spans, Ordering::Relaxed);
                self.complain(&error.to_string());
            }
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl Watched {
    fn complain(&self, reason: &str) {
        let mut complained = self.complained.lock();
        if complained.is_some_and(|last| last.elapsed() < COMPLAINTS) {
            return;
        }
        *complained = Some(Instant::now());
        let reason = without(reason, &self.endpoint);
        tracing::warn!(reason, "traces cannot be exported and are dropped; requests are not affected");
    }
}

/// A text of the library without the address, which may hold a password.
fn without(text: &str, endpoint: &str) -> String {
    let text = text.replace(endpoint, "the collector");
    let Some((_, rest)) = endpoint.split_once("://") else { return text };
    match rest.rsplit_once('@') {
        Some((credentials, host)) => text.replace(credentials, "***").replace(host, "the collector"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_do_not_show_in_messages() {
        let endpoint = "http://me:hunter2@collector:4318";
        let shown = without("no route to http://me:hunter2@collector:4318/v1/traces (me:hunter2)", endpoint);
        assert_eq!(shown, "no route to the collector/v1/traces (***)");
        assert!(!without("cannot reach collector:4318", endpoint).contains("4318"));
    }
}
