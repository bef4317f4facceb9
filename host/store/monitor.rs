//! What a store says about itself: how long its statements take, which were slow, how its connections are used,
//! what its database reports and advises. The words that all backends share, and the log of statements that each
//! keeps; knows no SQL dialect and nothing of who asks.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{PoolFigures, StoreError};

/// Different statements whose times are kept; those of the store are far fewer, dynamic ones may be many.
const TIMED_STATEMENTS: usize = 500;

/// Slow statements that are kept, each once.
const SLOW_STATEMENTS: usize = 50;

/// A plan is made anew for a statement that is still slow after this long: data and statistics change.
const PLAN_LIFETIME: Duration = Duration::from_secs(600);

/// A statement is warned of this often at most.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// Longer texts are cut: generated statements would fill the log.
const STATEMENT_CHARACTERS: usize = 4000;

/// Pool use in percent beyond which there is a warning.
pub const POOL_WARNING_PERCENT: f64 = 80.0;

/// A store that can say how it fares.
#[async_trait]
pub trait MonitoredStore: Send + Sync {
    /// Everything at once; bounded in time, and up to a few seconds old.
    async fn report(&self) -> Result<DatabaseReport, StoreError>;
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct DatabaseReport {
    /// `sqlite` or `postgresql`.
    pub backend: &'static str,
    /// Of the server or library, such as `15.18`.
    pub version: String,
    /// Installed extensions of the database: name and version.
    pub extensions: Vec<(String, String)>,
    pub pool: Option<PoolFigures>,
    /// How often the pool's use became too high since the start.
    pub pool_warnings: u64,
    /// Most expensive first, by total time.
    pub statements: Vec<StatementFigures>,
    pub source: StatementSource,
    /// Newest first.
    pub slow: Vec<SlowStatement>,
    pub slow_from: Duration,
    /// The largest saving first; only what really lowers the cost.
    pub advice: Vec<IndexAdvice>,
    /// Largest first.
    pub unused: Vec<UnusedIndex>,
    /// What is missing in this report and how to have it.
    pub notes: Vec<String>,
}

/// Whether so many connections are in use that the pool's limit is near.
pub fn is_pool_warning(pool: &PoolFigures) -> bool {
    pool.usage * 100.0 > POOL_WARNING_PERCENT
}

/// Who measured the statements' times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatementSource {
    /// The database, for all its clients.
    PgStatStatements,
    /// This host, for its own statements, with the way to the database and back.
    #[default]
    Host,
}

/// Times of all executions of one statement, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatementFigures {
    pub statement: String,
    pub calls: u64,
    pub mean_ms: f64,
    pub total_ms: f64,
    pub max_ms: f64,
    /// What only the database knows.
    pub server: Option<ServerFigures>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerFigures {
    /// Rows that were returned or changed.
    pub rows: u64,
    /// Pages of shared buffers that were there, and that were read.
    pub shared_hits: u64,
    pub shared_reads: u64,
}

/// A statement that took longer than the operator wants.
#[derive(Clone, Debug, PartialEq)]
pub struct SlowStatement {
    pub statement: String,
    /// The last time.
    pub last_ms: f64,
    pub worst_ms: f64,
    /// How often it was slow.
    pub times: u64,
    pub last_at: SystemTime,
    /// The database's generic plan, as its own JSON; none until it is made, or where there is no way to have it.
    pub plan: Option<serde_json::Value>,
    /// Why there is no plan.
    pub plan_failure: Option<String>,
}

/// An index that the planner would use, with what it changes.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexAdvice {
    /// `schema.table`, quoted as SQL needs it.
    pub table: String,
    pub columns: Vec<String>,
    /// The statement that creates it.
    pub create: String,
    /// The statement that gains most.
    pub statement: String,
    /// How many of the looked-at statements gain.
    pub helps: u64,
    pub checked_by: CheckedBy,
    /// The planner's units, for `statement`.
    pub cost_before: f64,
    pub cost_after: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckedBy {
    /// The planner itself, with a hypothetical index.
    Hypopg,
    /// The planner's formulas over its statistics, computed here.
    Statistics,
}

/// An index that costs every write and served no read since the statistics began.
#[derive(Clone, Debug, PartialEq)]
pub struct UnusedIndex {
    pub table: String,
    pub index: String,
    pub bytes: u64,
    /// The statement that removes it.
    pub drop: String,
}

/// Times of statements, by their text. Parameters never come here.
pub struct StatementLog {
    slow_from: Duration,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    timings: HashMap<String, Timing>,
    /// Newest first.
    slow: Vec<Slow>,
}

#[derive(Default)]
struct Timing {
    calls: u64,
    total: Duration,
    max: Duration,
}

/// What is to be done about a slow statement.
struct Noted {
    warn: bool,
    times: u64,
    plan_wanted: bool,
}

struct Slow {
    shown: SlowStatement,
    plan_asked: Option<Instant>,
    warned: Option<Instant>,
}

impl StatementLog {
    /// Executions that take longer than `slow_from` are recorded as slow.
    pub fn new(slow_from: Duration) -> Self {
        Self { slow_from, kept: Mutex::default() }
    }

    /// Takes note of one execution. True when the caller should have a plan made for the statement; `planned`
    /// takes it.
    pub fn observe(&self, statement: &str, took: Duration) -> bool {
        let statement = cut(statement);
        let noted = {
            let mut kept = self.kept.lock();
            kept.time(statement, took);
            if took <= self.slow_from {
                return false;
            }
            kept.slow(statement, took)
        };
        if noted.warn {
            let (statement, times) = (one_line(statement), noted.times);
            tracing::warn!(statement, milliseconds = milliseconds(took), times, "slow statement of the document store");
        }
        noted.plan_wanted
    }

    /// The plan of a statement that `observe` asked for, or why there is none.
    pub fn planned(&self, statement: &str, plan: Result<serde_json::Value, String>) {
        self.with_slow(statement, |slow| match plan {
            Ok(plan) => (slow.shown.plan, slow.shown.plan_failure) = (Some(plan), None),
            // An earlier plan is better than none.
            Err(reason) => slow.shown.plan_failure = Some(reason),
        });
    }

    /// Nobody can make the plan that `observe` asked for now: it asks again when the statement is slow again.
    pub fn not_planned(&self, statement: &str) {
        self.with_slow(statement, |slow| slow.plan_asked = None);
    }

    fn with_slow(&self, statement: &str, change: impl FnOnce(&mut Slow)) {
        let statement = cut(statement);
        let mut kept = self.kept.lock();
        if let Some(slow) = kept.slow.iter_mut().find(|slow| slow.shown.statement == statement) {
            change(slow);
        }
    }

    pub fn slow_from(&self) -> Duration {
        self.slow_from
    }

    /// Newest first.
    pub fn slow_statements(&self) -> Vec<SlowStatement> {
        self.kept.lock().slow.iter().map(|slow| slow.shown.clone()).collect()
    }

    /// The `limit` statements with the longest total time, longest first.
    pub fn statements(&self, limit: usize) -> Vec<StatementFigures> {
        let kept = self.kept.lock();
        let mut timings: Vec<(&String, &Timing)> = kept.timings.iter().collect();
        timings.sort_by(|left, right| right.1.total.cmp(&left.1.total).then(left.0.cmp(right.0)));
        let figures = timings.into_iter().take(limit).map(|(statement, timing)| StatementFigures {
            statement: statement.clone(),
            calls: timing.calls,
            mean_ms: milliseconds(timing.total) / timing.calls.max(1) as f64,
            total_ms: milliseconds(timing.total),
            max_ms: milliseconds(timing.max),
            server: None,
        });
        figures.collect()
    }
}

impl Kept {
    fn time(&mut self, statement: &str, took: Duration) {
        let has_room = self.timings.len() < TIMED_STATEMENTS;
        let timing = match self.timings.get_mut(statement) {
            Some(timing) => timing,
            None if has_room => self.timings.entry(statement.to_owned()).or_default(),
            None => self.timings.entry("other statements".to_owned()).or_default(),
        };
        timing.calls += 1;
        timing.total += took;
        timing.max = timing.max.max(took);
    }

    fn slow(&mut self, statement: &str, took: Duration) -> Noted {
        let now = Instant::now();
        let known = self.slow.iter().position(|slow| slow.shown.statement == statement);
        let mut slow = match known {
            Some(at) => self.slow.remove(at),
            None => Slow::new(statement.to_owned()),
        };
        let took = milliseconds(took);
        let shown = &mut slow.shown;
        (shown.last_ms, shown.worst_ms, shown.last_at) = (took, shown.worst_ms.max(took), SystemTime::now());
        shown.times += 1;
        let older = |since: Option<Instant>, than| since.is_none_or(|since| now.duration_since(since) >= than);
        let noted = Noted {
            warn: older(slow.warned, WARNING_INTERVAL),
            times: shown.times,
            plan_wanted: older(slow.plan_asked, PLAN_LIFETIME),
        };
        if noted.warn {
            slow.warned = Some(now);
        }
        if noted.plan_wanted {
            slow.plan_asked = Some(now);
        }
        self.slow.insert(0, slow);
        self.slow.truncate(SLOW_STATEMENTS);
        noted
    }
}

impl Slow {
    fn new(statement: String) -> Self {
        let shown = SlowStatement {
            statement,
            last_ms: 0.0,
            worst_ms: 0.0,
            times: 0,
            last_at: SystemTime::UNIX_EPOCH,
            plan: None,
            plan_failure: None,
        };
        Self { shown, plan_asked: None, warned: None }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// As it is kept and found again; borrowed, because every execution asks.
fn cut(statement: &str) -> &str {
    let statement = statement.trim();
    // So few bytes cannot be more characters, which spares counting them.
    let end = (statement.len() > STATEMENT_CHARACTERS).then(|| statement.char_indices().nth(STATEMENT_CHARACTERS));
    end.flatten().map_or(statement, |(end, _)| &statement[..end])
}

fn one_line(statement: &str) -> String {
    statement.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde_json::json;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn times_add_up_by_statement() {
        let log = StatementLog::new(MS * 1000);
        for took in [MS * 2, MS * 4, MS * 9] {
            assert!(!log.observe("SELECT 1", took));
        }
        log.observe("SELECT 2", MS * 20);
        let found = log.statements(10);
        let names: Vec<&str> = found.iter().map(|figures| figures.statement.as_str()).collect();
        assert_eq!(names, ["SELECT 2", "SELECT 1"]);
        assert_eq!((found[1].calls, found[1].total_ms, found[1].mean_ms, found[1].max_ms), (3, 15.0, 5.0, 9.0));
        assert_eq!(log.statements(1).len(), 1);
        assert!(log.slow_statements().is_empty());
    }

    #[test]
    fn only_what_is_longer_than_the_threshold_is_slow() {
        let log = StatementLog::new(MS * 10);
        assert!(!log.observe("SELECT 1", MS * 10));
        assert!(log.observe("SELECT 1", MS * 11), "the first time asks for a plan");
        assert!(!log.observe("SELECT 1", MS * 30), "asked already");
        assert!(log.observe("SELECT 2", MS * 12));
        log.observe("SELECT 1", MS * 20);
        let slow = log.slow_statements();
        let seen: Vec<(&str, u64, f64, f64)> =
            slow.iter().map(|slow| (slow.statement.as_str(), slow.times, slow.last_ms, slow.worst_ms)).collect();
        assert_eq!(seen, [("SELECT 1", 3, 20.0, 30.0), ("SELECT 2", 1, 12.0, 12.0)]);

        log.planned("SELECT 2", Ok(json!({"a": 1})));
        log.planned("SELECT 2", Err("away".into()));
        log.planned("never seen", Ok(json!(2)));
        log.not_planned("SELECT 1");
        assert!(log.observe("SELECT 1", MS * 20), "no plan could be made");
        let second = &log.slow_statements()[1];
        assert_eq!((second.plan.as_ref(), second.plan_failure.as_deref()), (Some(&json!({"a": 1})), Some("away")));
    }

    #[test]
    fn nothing_grows_without_bound() {
        let log = StatementLog::new(Duration::ZERO);
        for at in 0..2000 {
            log.observe(&format!("SELECT {at} {}", "x".repeat(9000)), MS);
        }
        assert_eq!(log.slow_statements().len(), SLOW_STATEMENTS);
        assert!(log.slow_statements()[0].statement.starts_with("SELECT 1999 "));
        assert!(log.slow_statements()[0].statement.len() <= STATEMENT_CHARACTERS);
        // What is known already still counts for itself, however it is indented.
        log.observe(&format!("\n  SELECT 0 {}", "x".repeat(9000)), MS * 1000);
        let all = log.statements(usize::MAX);
        let first = all.iter().find(|figures| figures.statement.starts_with("SELECT 0 ")).unwrap();
        assert_eq!(first.calls, 2);
        assert!(all.len() <= TIMED_STATEMENTS + 1, "{}", all.len());
        assert_eq!(all.iter().map(|figures| figures.calls).sum::<u64>(), 2001);
    }

    #[test]
    fn the_pool_warns_over_four_fifths() {
        let pool = |in_use: u32| {
            let usage = f64::from(in_use) / 10.0;
            PoolFigures { size: 10, idle: 10 - in_use, in_use, max: 10, waiting: 0, usage }
        };
        assert_eq!((is_pool_warning(&pool(8)), is_pool_warning(&pool(9))), (false, true));
    }
}
