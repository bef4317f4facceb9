//! What the server says about itself: the log, the traces and the figures. Every metric's name is in
//! `telemetry/metrics.rs` or `telemetry/exposition*.rs` and nowhere else. Knows nothing of HTTP, wasm or
//! SQL; other layers hand it plain names and numbers.

/// Durations that can be added up and kept.
mod distribution;
/// Figures that are read from their owners when somebody asks for them.
mod exposition;
/// What a process did in a stretch of time.
pub mod history;
/// Percentiles without keeping every measurement.
mod latency;
/// Figures that are counted while requests run.
mod metrics;
/// Traces on their way to a collector.
mod otlp;
/// What the operating system says about the process.
mod process;
/// Means of the last few.
mod recent;
/// The span of a request.
pub mod trace;

pub use distribution::{Distribution, LatencyFigures};
pub use exposition::{
    HistoryFigures, IndexFigures, PartFigures, PluginFigures, PoolFigures, Readings, ServerFigures, SuggestionFigures,
};
pub use latency::Latency;
pub use metrics::{Metrics, RequestFigures, RouteMetrics, SearchFigures};
pub use otlp::{ExportFigures, TraceExport};
pub use process::resident_bytes;
pub use recent::Recent;

use std::io::IsTerminal;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde::{Deserialize, Serialize};
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

/// How long the end of the process waits for a collector.
const LAST_EXPORT: Duration = Duration::from_secs(5);

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line, for machines.
    Json,
}

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("cannot read the log filter `{filter}`: {reason}; write it like `info` or `corsac=debug,warn`")]
    Filter { filter: String, reason: String },
    #[error("cannot start the log: {0}")]
    Start(String),
    #[error("cannot export traces: {0}; write the endpoint like http://127.0.0.1:4318")]
    Export(String),
}

/// The running log. Whoever holds it ends it when everything else has ended, so that the last spans go out.
#[must_use = "the last traces are lost without `finish`"]
pub struct Log {
    provider: Option<SdkTracerProvider>,
}

impl Log {
    /// Sends what is queued, waiting a few seconds at most. Blocks: not for a thread that serves.
    pub fn finish(self) {
        if let Some(provider) = self.provider {
            // What could not be sent has been said by the exporter.
            let _ = provider.shutdown_with_timeout(LAST_EXPORT);
        }
    }
}

/// What became of exported spans in this process; none when they are not exported.
pub fn export_figures() -> Option<ExportFigures> {
    EXPORT.get().map(|counters| counters.read())
}

/// The log is one for the process, so its counters are.
static EXPORT: OnceLock<Arc<otlp::Counters>> = OnceLock::new();

/// Starts the log on standard error and, where `export` says so, traces. `filter` has the syntax of
/// `RUST_LOG` and is for the log alone. Once per process; a second call is an error, so tests do not call it.
pub fn start_log(format: LogFormat, filter: &str, export: Option<&TraceExport>) -> Result<Log, TelemetryError> {
    let counters = Arc::<otlp::Counters>::default();
    let provider = export.map(|export| otlp::provider(export, counters.clone())).transpose()?;
    let subscriber = subscriber(format, filter, provider.as_ref())?;
    subscriber.try_init().map_err(|error| TelemetryError::Start(error.to_string()))?;
    if provider.is_some() {
        let _ = EXPORT.set(counters);
    }
    Ok(Log { provider })
}

fn subscriber(
    format: LogFormat,
    filter: &str,
    provider: Option<&SdkTracerProvider>,
) -> Result<impl Subscriber + Send + Sync + use<>, TelemetryError> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| TelemetryError::Filter { filter: filter.to_owned(), reason: error.to_string() })?;
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Text => lines.with_filter(filter).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    };
    let mut layers = vec![lines];
    if let Some(provider) = provider {
        // Spans of this program alone; what libraries say belongs into the log, and so do events.
        let own = filter_fn(|metadata| {
            metadata.is_span() && *metadata.level() <= Level::DEBUG && metadata.target().starts_with("corsac")
        });
        let own = own.with_max_level_hint(Level::DEBUG);
        let traces = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer(otlp::TRACER))
            .with_location(false)
            .with_threads(false)
            .with_filter(own);
        layers.push(traces.boxed());
    }
    Ok(tracing_subscriber::registry().with(layers))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use tracing::level_filters::LevelFilter;

    use super::*;

    /// With this hint, a span at level debug is one comparison: nobody is asked about it.
    #[test]
    fn without_export_the_log_filter_alone_decides_what_is_looked_at() {
        for (filter, level) in [("info", LevelFilter::INFO), ("corsac=trace", LevelFilter::TRACE)] {
            assert_eq!(subscriber(LogFormat::Text, filter, None).unwrap().max_level_hint(), Some(level));
        }
        let provider = SdkTracerProvider::builder().build();
        let traced = subscriber(LogFormat::Json, "info", Some(&provider)).unwrap();
        assert_eq!(traced.max_level_hint(), Some(LevelFilter::DEBUG));
        assert!(matches!(subscriber(LogFormat::Text, "a=b=c", None), Err(TelemetryError::Filter { .. })));
    }
}
