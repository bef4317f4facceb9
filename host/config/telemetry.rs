//! What the server says about itself, and to whom.

use serde::{Deserialize, Serialize};

use super::secret::Secret;
use super::settings::set;
use super::{ConfigError, TelemetryArguments};
use crate::telemetry::TraceExport;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySettings {
    /// Keep figures in the store, per minute for a day and per hour for a month.
    pub history: bool,
    /// `http://collector:4318`; none: traces are not exported. Headers that the collector wants are read from
    /// OTEL_EXPORTER_OTLP_HEADERS by the library that speaks to it.
    pub otlp_endpoint: Option<Secret>,
    /// What the collector calls this server.
    pub service_name: String,
    /// Share of the traces that begin here and are exported; a request that belongs to a trace follows it.
    pub sample_ratio: f64,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self { history: true, otlp_endpoint: None, service_name: "corsac".to_owned(), sample_ratio: 1.0 }
    }
}

impl TelemetrySettings {
    /// Where traces go, if anywhere.
    pub fn export(&self) -> Option<TraceExport> {
        let endpoint = self.otlp_endpoint.as_ref()?.expose().to_owned();
        Some(TraceExport { endpoint, service: self.service_name.clone(), ratio: self.sample_ratio })
    }

    pub(super) fn apply(&mut self, arguments: &TelemetryArguments) {
        set(&mut self.history, arguments.history);
        // A variable that is set to nothing means none, as the specification of these variables has it.
        let given = arguments.otlp_endpoint.clone().filter(|endpoint| !endpoint.expose().is_empty());
        self.otlp_endpoint = given.or(self.otlp_endpoint.take());
        set(&mut self.service_name, arguments.otlp_service_name.clone());
        set(&mut self.sample_ratio, arguments.trace_ratio);
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let endpoint = self.otlp_endpoint.as_ref().map(Secret::expose);
        if endpoint.is_some_and(|endpoint| !endpoint.starts_with("http://") || endpoint.len() == "http://".len()) {
            return Err(ConfigError::OtlpEndpoint);
        }
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            return Err(ConfigError::SampleRatio(self.sample_ratio));
        }
        Ok(())
    }
}
