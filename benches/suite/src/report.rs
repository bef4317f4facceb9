//! All that was measured in one run. The same data as JSON, which later runs compare with, as Markdown and as one HTML
//! page that needs nothing else.

/// One run beside an earlier one.
mod compare;
/// The page.
mod html;
/// Tables for `benches/README.md`.
mod markdown;
/// What the original claims, and what it measured.
mod seed;
/// Charts.
mod svg;

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::machine::{Machine, Use};
use crate::outcome::Failures;
use crate::tally::{Latency, Tally};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Unix seconds.
    pub started: u64,
    /// Its figures mean little.
    pub quick: bool,
    pub machine: Machine,
    /// What the server had indexed when the first request came.
    pub corpus: Corpus,
    pub micro: Vec<Micro>,
    pub rows: Vec<Row>,
    /// Endpoints of the table that this server does not have.
    pub absent: Vec<String>,
    /// What one needs to know to read the rows.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Corpus {
    pub files: u64,
    pub chunks: u64,
    pub content_mb: f64,
}

/// One micro benchmark, in nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Micro {
    pub name: String,
    pub median: f64,
    /// 95 % confidence interval of the median.
    pub low: f64,
    pub high: f64,
}

/// Which part of a run a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// An endpoint, closed loop.
    Http,
    /// A mix of endpoints, open loop.
    Open,
    /// Users who wait between requests.
    Load,
    Day,
}

/// One endpoint or task under one kind of load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub part: Part,
    pub name: String,
    /// `cold`: never asked before; `warm`: asked before; `mixed`; empty where it makes no difference.
    pub state: String,
    /// Such as `10 clients` or `50 users`.
    pub load: String,
    pub requests: u64,
    /// Requests a second that were due; none in a closed loop, whose clients take what they get.
    pub offered: Option<f64>,
    /// Successes a second.
    pub served: f64,
    /// Of successes, in milliseconds.
    pub latency: Option<Latency>,
    /// Of the answers that say whether they came from a cache, the share that did.
    pub hit_rate: Option<f64>,
    pub failures: Failures,
    /// Megabytes of bodies that were received.
    pub body_mb: f64,
    /// Of the server alone. None for one task among several that run at once.
    pub server: Option<Use>,
}

impl Row {
    pub fn new(part: Part, name: impl Into<String>, state: &str, load: String, tally: Tally, lasted: Duration) -> Self {
        let seconds = lasted.as_secs_f64().max(f64::MIN_POSITIVE);
        Self {
            part,
            name: name.into(),
            state: state.into(),
            load,
            requests: tally.requests(),
            offered: None,
            served: tally.samples.len() as f64 / seconds,
            hit_rate: (tally.asked_cache > 0).then(|| tally.hits as f64 / tally.asked_cache as f64),
            body_mb: tally.bytes as f64 / 1e6,
            failures: tally.failures,
            latency: Latency::of(tally.samples),
            server: None,
        }
    }

    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Such as `GET /a, cold, 5 clients`.
    pub fn title(&self) -> String {
        let parts = [self.name.as_str(), &self.state, &self.load];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }
}

impl Report {
    pub fn of_this_machine(quick: bool) -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self { started, quick, machine: Machine::this(), ..Self::default() }
    }

    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not a report.json of this suite", file.display()))
    }

    pub fn measured_nothing(&self) -> bool {
        self.rows.is_empty() && self.micro.is_empty()
    }

    pub fn markdown(&self, earlier: Option<&Self>) -> String {
        markdown::page(self, earlier)
    }

    pub fn write(&self, folder: &Path, earlier: Option<&Self>) -> anyhow::Result<()> {
        let write = |name: &str, text: String| {
            let file = folder.join(name);
            std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
        };
        write("report.json", serde_json::to_string_pretty(self)?)?;
        write("report.md", self.markdown(earlier))?;
        write("report.html", html::page(self, earlier))
    }

    /// Also for the log of the run.
    pub fn push(&mut self, row: Row) {
        let p95 = row.latency.map_or("–".into(), |latency| short(latency.p95));
        let failed = match row.failed() {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        eprintln!("{}: {}/s, p95 {p95} ms{failed}", row.title(), short(row.served));
        self.rows.push(row);
    }
}

/// About three digits that mean something.
fn short(value: f64) -> String {
    match value.abs() {
        value if value.is_nan() => "–".into(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or("–".into(), |share| short(share * 100.0))
}

/// Such as `3 × status 503, 1 × timeout`.
fn failures(row: &Row) -> String {
    if row.failures.is_empty() {
        return "0".into();
    }
    row.failures.iter().map(|(kind, count)| format!("{count} × {kind}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn row(name: &str, p95: f64) -> Row {
        let tally = Tally { samples: vec![p95 / 2.0, p95], asked_cache: 2, hits: 1, ..Tally::default() };
        Row::new(Part::Http, name, "cold", "5 clients".into(), tally, Duration::from_secs(4))
    }

    pub fn report(rows: Vec<Row>) -> Report {
        Report { rows, ..Report::default() }
    }

    #[test]
    fn a_row_counts_successes_by_the_second_and_hits_by_what_said_so() {
        let row = row("a", 8.0);
        assert_eq!((row.served, row.hit_rate, row.requests), (0.5, Some(0.5), 2));
        assert_eq!(row.latency.map(|latency| (latency.p50, latency.max)), Some((4.0, 8.0)));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut report = report(vec![row("GET /a <b>", 3.0)]);
        report.micro.push(Micro { name: "cache/get".into(), median: 900.0, low: 890.0, high: 910.0 });
        report.write(folder.path(), Some(&report)).unwrap();
        assert_eq!(Report::read(&folder.path().join("report.json")).unwrap(), report);
        let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
        assert!(page.contains("GET /a &lt;b&gt;") && !page.contains("<b>"), "names are escaped");
        assert!(!page.contains("http://") && !page.contains("https://"), "nothing is fetched");
        assert!(page.contains("<svg") && page.contains("prefers-color-scheme: dark"));
        let refused = Report::read(&folder.path().join("report.md")).unwrap_err().to_string();
        assert!(refused.contains("report.md"), "{refused}");
    }
}
