//! Figures of the past over HTTP: which stretch is asked for, and the shape of its answer.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::Shared;
use crate::http::backend::{HistoryRequest, HostSample};
use crate::http::ecs::parameters::Parameters;
use crate::http::problem::{Code, Problem, ProblemDocument, Violation};
use crate::telemetry::history::{Level, TierCounts};

/// Samples of one answer; a day of minutes of a dozen hosts.
const MOST_SAMPLES: u32 = 20_000;

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(in crate::http) struct History {
    /// `success`.
    status: String,
    resolution: String,
    /// Unix seconds.
    from: i64,
    /// Unix seconds.
    to: i64,
    /// The answering host's own name in `samples`.
    host: String,
    /// There is more: ask again from the last sample on.
    truncated: bool,
    /// By time, then by host.
    samples: Vec<SampleBody>,
}

/// What one host did in one minute or hour.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct SampleBody {
    /// Unix seconds at which the minute or the hour begins.
    timestamp: i64,
    host: String,
    /// How much of the minute or the hour the host was there for.
    seconds: u64,
    searches: u64,
    searches_per_second: f64,
    cache_hits: u64,
    /// Percent of the searches.
    cache_hit_rate: f64,
    search_errors: u64,
    requests: u64,
    request_errors: u64,
    mean_ms: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// The cache in process.
    process_cache: TierBody,
    /// The cache that hosts share; zeros where there is none.
    redis_cache: TierBody,
    cache_entries: LevelBody,
    cache_bytes: LevelBody,
    /// Connections; absent without a database that is shared.
    #[serde(skip_serializing_if = "Option::is_none")]
    database_in_use: Option<LevelBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database_waiting: Option<LevelBody>,
    /// Resident memory of the process.
    memory_bytes: LevelBody,
    index_documents: LevelBody,
    /// Store sequence that searches saw at the end.
    index_generation: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct TierBody {
    hits: u64,
    misses: u64,
    evictions: u64,
    errors: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct LevelBody {
    mean: f64,
    max: f64,
}

/// Figures of the past, per minute for a day and per hour for a month.
///
/// Percentiles of an hour are those of all its searches, not a mean of its minutes'.
#[utoipa::path(
    get,
    path = "/api/search/performance/history",
    tag = "status",
    params(
        ("resolution" = Option<String>, Query, description = "`minute` (kept for a day) or `hour` (kept for a month); `minute` when left out"),
        ("from" = Option<i64>, Query, description = "Unix seconds of the first sample; everything that is kept when left out"),
        ("to" = Option<i64>, Query, description = "Unix seconds before which samples begin; now when left out"),
        ("host" = Option<String>, Query, description = "one host's samples; all hosts' when left out"),
    ),
    responses(
        (status = 200, body = History),
        (status = 404, body = ProblemDocument, description = "history is turned off"),
        (status = 422, body = ProblemDocument, description = "not a time or a resolution"),
        (status = 503, body = ProblemDocument, description = "the store cannot be read"),
    )
)]
pub(in crate::http) async fn history(State(shared): State<Arc<Shared>>, uri: Uri) -> Result<Json<History>, Problem> {
    let mut parameters = Parameters::of(&uri, &["resolution", "from", "to", "host"]);
    let resolution = parameters.text("resolution").unwrap_or_else(|| "minute".to_owned());
    if !["minute", "hour"].contains(&resolution.as_str()) {
        parameters.violations.push(Violation::new("resolution", "is neither `minute` nor `hour`"));
    }
    let (period, kept) = if resolution == "hour" { (3600, 31 * 86_400) } else { (60, 86_400) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    // What began in this very second is there too.
    let to = seconds(&mut parameters, "to").unwrap_or(now.saturating_add(1));
    let from = seconds(&mut parameters, "from").unwrap_or(to.saturating_sub(kept));
    if from > to {
        let violation = Violation::new("from", "is after `to`, or after now without it");
        parameters.violations.push(violation.remedy("ask from an earlier time, or leave it out"));
    }
    let host = parameters.text("host");
    parameters.done()?;
    let request = HistoryRequest { hourly: period == 3600, from, to, host, limit: MOST_SAMPLES };
    let Some(found) = shared.backend.history(request).await? else {
        let detail = "no figures of the past are kept: set telemetry.history (CORSAC_HISTORY) to true";
        return Err(Problem::new(Code::NotFound, detail));
    };
    let samples = found.samples.into_iter().map(|sample| SampleBody::new(sample, period)).collect();
    Ok(Json(History {
        status: "success".to_owned(),
        resolution,
        from,
        to,
        host: found.host,
        truncated: found.truncated,
        samples,
    }))
}

/// None when it is left out, or no number, which is a violation.
fn seconds(parameters: &mut Parameters, field: &str) -> Option<i64> {
    let text = parameters.text(field)?;
    let seconds = text.parse().ok();
    if seconds.is_none() {
        let violation = Violation::new(field, "is not a number of Unix seconds");
        parameters.violations.push(violation.remedy("write it like 1767225600"));
    }
    seconds
}

impl SampleBody {
    fn new(HostSample { host, sample, times }: HostSample, period: i64) -> Self {
        let counts = sample.counts;
        let share = |part: u64, whole: f64| if whole > 0.0 { part as f64 / whole } else { 0.0 };
        Self {
            timestamp: sample.at.div_euclid(period) * period,
            host,
            seconds: sample.seconds,
            searches: counts.searches,
            searches_per_second: share(counts.searches, sample.seconds as f64),
            cache_hits: counts.cache_hits,
            cache_hit_rate: 100.0 * share(counts.cache_hits, counts.searches as f64),
            search_errors: counts.search_errors,
            requests: counts.requests,
            request_errors: counts.request_errors,
            mean_ms: times.mean,
            p50_ms: times.p50,
            p95_ms: times.p95,
            p99_ms: times.p99,
            max_ms: times.max,
            process_cache: counts.first_tier.into(),
            redis_cache: counts.second_tier.into(),
            cache_entries: sample.cache_entries.into(),
            cache_bytes: sample.cache_bytes.into(),
            database_in_use: sample.database_in_use.map(LevelBody::from),
            database_waiting: sample.database_waiting.map(LevelBody::from),
            memory_bytes: sample.memory_bytes.into(),
            index_documents: sample.index_documents.into(),
            index_generation: sample.generation,
        }
    }
}

impl From<TierCounts> for TierBody {
    fn from(counts: TierCounts) -> Self {
        let TierCounts { hits, misses, evictions, errors } = counts;
        Self { hits, misses, evictions, errors }
    }
}

impl From<Level> for LevelBody {
    fn from(Level { mean, max }: Level) -> Self {
        Self { mean, max }
    }
}
