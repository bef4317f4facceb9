//! What the server says about itself: the log and the figures. Every metric's name is in
//! `telemetry/metrics.rs` or `telemetry/exposition.rs` and nowhere else. Knows nothing of HTTP, wasm or
//! SQL; other layers hand it plain names and numbers.

/// Figures that are read from their owners when somebody asks for them.
mod exposition;
/// Percentiles without keeping every measurement.
mod latency;
/// Figures that are counted while requests run.
mod metrics;

pub use exposition::{IndexFigures, PluginFigures, Readings};
pub use latency::{Latency, LatencyFigures};
pub use metrics::{Metrics, RouteMetrics, SearchFigures};

use std::io::IsTerminal;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

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
}

/// Starts the log on standard error. `filter` has the syntax of `RUST_LOG`. Once per process; a second
/// call is an error, so tests do not call it.
pub fn start_log(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| TelemetryError::Filter { filter: filter.to_owned(), reason: error.to_string() })?;
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(filter);
    let started = match format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
    started.map_err(|error| TelemetryError::Start(error.to_string()))
}
