//! What the database says about itself: how long statements take, the plans of slow ones, how full the pool is, and
//! index advice that was checked. Looks through a connection of its own, never through the pool and never on the way
//! of a request that is not about it. Knows no statement of the store.

/// Index advice that was checked.
mod advice;
/// Comparisons in the conditions of plans.
mod condition;
/// What an index would cost.
mod cost;
/// The database's catalogues and statistics.
mod figures;
/// The connection for looking.
mod inspection;
/// What plans say.
mod plan;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;

use advice::Check;
use inspection::{Inspection, has_plan};

use crate::store::monitor::{DatabaseReport, StatementLog, StatementSource, is_pool_warning};
use crate::store::{PoolFigures, StoreError};

/// A report is answered again for this long, a failure for less.
const REPORT_LIFETIME: Duration = Duration::from_secs(5);
const FAILURE_LIFETIME: Duration = Duration::from_secs(1);

/// Longest time for everything that is asked for a report, without the advice.
const FIGURES_TIMEOUT: Duration = Duration::from_secs(5);

/// No further statement is looked at for advice after this time, and none is waited for after the second.
const ADVICE_TIME: Duration = Duration::from_secs(3);
const ADVICE_TIMEOUT: Duration = Duration::from_secs(6);

/// One plan, with the connection for it.
const PLAN_TIMEOUT: Duration = Duration::from_secs(6);

/// Slow statements that wait for their plan; others get theirs when they are slow again.
const WAITING_PLANS: usize = 16;

const LISTED_STATEMENTS: usize = 20;

/// The warning comes again only after the pool's use fell below this share.
const POOL_CALM: f64 = 0.7;

/// Told of every statement; answers for all.
pub(super) struct Monitor {
    log: Arc<StatementLog>,
    connect: PgConnectOptions,
    plans: mpsc::Sender<String>,
    planner: AbortHandle,
    pool_warned: AtomicBool,
    pool_warnings: AtomicU64,
    /// Also keeps a second question from being asked while the first is under way.
    reported: Mutex<Option<(Instant, Result<DatabaseReport, StoreError>)>>,
}

impl Monitor {
    /// Starts the background task that explains slow statements; it ends with the monitor. `connect` is where the
    /// pool connects to.
    pub(super) fn start(connect: PgConnectOptions, slow_from: Duration) -> Arc<Self> {
        let log = Arc::new(StatementLog::new(slow_from));
        let (plans, wanted) = mpsc::channel(WAITING_PLANS);
        let planner = tokio::spawn(explain_slow(connect.clone(), log.clone(), wanted)).abort_handle();
        Arc::new(Self {
            log,
            connect,
            plans,
            planner,
            pool_warned: AtomicBool::new(false),
            pool_warnings: AtomicU64::new(0),
            reported: Mutex::default(),
        })
    }

    /// An execution that begins now and ends when this is dropped, also when it is given up.
    pub(super) fn timing<'monitor>(&'monitor self, sql: &'monitor str) -> Timing<'monitor> {
        Timing { monitor: self, sql, start: Instant::now() }
    }

    /// Takes note of one execution; only its text, never its parameters. Does not block.
    pub(super) fn observe(&self, sql: &str, took: Duration) {
        if self.log.observe(sql, took) && self.plans.try_send(sql.to_owned()).is_err() {
            self.log.not_planned(sql);
            tracing::debug!("too many slow statements wait for their plan");
        }
    }

    /// Takes note of the pool's use, whenever a connection was borrowed; warns once when it becomes too high.
    pub(super) fn observe_pool(&self, pool: PoolFigures) {
        if is_pool_warning(&pool) {
            if !self.pool_warned.swap(true, Ordering::Relaxed) {
                self.pool_warnings.fetch_add(1, Ordering::Relaxed);
                let PoolFigures { in_use, max, waiting, .. } = pool;
                tracing::warn!(in_use, max, waiting, "most connections of the database pool are in use");
            }
        } else if pool.usage < POOL_CALM {
            self.pool_warned.store(false, Ordering::Relaxed);
        }
    }

    /// What the database says, at most `REPORT_LIFETIME` old; the pool and the slow statements as they are now.
    pub(super) async fn report(&self, pool: PoolFigures) -> Result<DatabaseReport, StoreError> {
        self.observe_pool(pool);
        let mut reported = self.reported.lock().await;
        let lifetime = |outcome: &Result<_, _>| if outcome.is_ok() { REPORT_LIFETIME } else { FAILURE_LIFETIME };
        let outcome = match &*reported {
            Some((at, outcome)) if at.elapsed() < lifetime(outcome) => outcome.clone(),
            _ => {
                let outcome = self.look().await;
                *reported = Some((Instant::now(), outcome.clone()));
                outcome
            }
        };
        drop(reported);
        let mut report = outcome?;
        report.pool = Some(pool);
        report.pool_warnings = self.pool_warnings.load(Ordering::Relaxed);
        report.slow = self.log.slow_statements();
        Ok(report)
    }

    async fn look(&self) -> Result<DatabaseReport, StoreError> {
        let mut inspection = Inspection::open(&self.connect).await.map_err(away)?;
        let mut report = DatabaseReport { backend: "postgresql", ..DatabaseReport::default() };
        report.slow_from = self.log.slow_from();
        let figures = self.figures(&mut inspection, &mut report);
        let late = |_| StoreError::Busy("it did not answer in time what was asked about itself".to_owned());
        tokio::time::timeout(FIGURES_TIMEOUT, figures).await.map_err(late)?.map_err(away)?;
        // The last question: when it takes too long, the connection is in the middle of something.
        match tokio::time::timeout(ADVICE_TIMEOUT, self.advise(&mut inspection, &mut report)).await {
            Ok(Ok(())) => inspection.close().await,
            Ok(Err(error)) => report.notes.push(format!("there is no index advice: {error}")),
            Err(_) => report.notes.push("there is no index advice: making it took too long".to_owned()),
        }
        Ok(report)
    }

    async fn figures(&self, inspection: &mut Inspection, report: &mut DatabaseReport) -> Result<(), sqlx::Error> {
        let connection = &mut inspection.connection;
        report.version = figures::version(connection).await?;
        report.extensions = figures::extensions(connection).await?;
        report.statements = self.log.statements(LISTED_STATEMENTS);
        match figures::extension_schema(connection, "pg_stat_statements").await? {
            None => report.notes.push(
                "pg_stat_statements is not installed in this database, so times of statements are this host's own: \
                 add it to shared_preload_libraries and run CREATE EXTENSION pg_stat_statements"
                    .to_owned(),
            ),
            Some(schema) => match figures::statements(connection, &schema, LISTED_STATEMENTS as i64).await {
                Ok(statements) => (report.statements, report.source) = (statements, StatementSource::PgStatStatements),
                Err(sqlx::Error::Database(error)) => report.notes.push(format!(
                    "pg_stat_statements does not answer, so times of statements are this host's own: {}",
                    error.message()
                )),
                Err(error) => return Err(error),
            },
        }
        match figures::unused_indexes(connection).await {
            Ok(unused) => report.unused = unused,
            Err(sqlx::Error::Database(error)) => {
                report.notes.push(format!("unused indexes cannot be found: {}", error.message()));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn advise(&self, inspection: &mut Inspection, report: &mut DatabaseReport) -> Result<(), sqlx::Error> {
        let check = match figures::extension_schema(&mut inspection.connection, "hypopg").await? {
            Some(schema) => Check::Hypothetical { schema },
            None => {
                let note = "hypopg is not installed in this database, so index advice is checked by statistics";
                report.notes.push(note.to_owned());
                Check::Statistics(figures::prices(&mut inspection.connection).await?)
            }
        };
        let slow = self.log.slow_statements().into_iter().map(|slow| slow.statement);
        let expensive = report.statements.iter().map(|figures| figures.statement.clone());
        let mut statements: Vec<String> = Vec::new();
        for statement in slow.chain(expensive).filter(|statement| has_plan(statement)) {
            if !statements.contains(&statement) {
                statements.push(statement);
            }
        }
        let advice = advice::advise(inspection, &statements, &check, Instant::now() + ADVICE_TIME).await?;
        if !advice.complete {
            report.notes.push("there was no time to look at all statements for index advice".to_owned());
        }
        report.advice = advice.found;
        Ok(())
    }
}

/// A statement that is being executed.
pub(super) struct Timing<'monitor> {
    monitor: &'monitor Monitor,
    sql: &'monitor str,
    start: Instant,
}

impl Drop for Timing<'_> {
    fn drop(&mut self) {
        self.monitor.observe(self.sql, self.start.elapsed());
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.planner.abort();
    }
}

/// Makes the plans of slow statements, one after the other.
async fn explain_slow(connect: PgConnectOptions, log: Arc<StatementLog>, mut wanted: mpsc::Receiver<String>) {
    if let Ok(mut inspection) = Inspection::open(&connect).await {
        figures::create_extensions(&mut inspection.connection).await;
        inspection.close().await;
    }
    while let Some(statement) = wanted.recv().await {
        let explaining = async {
            let mut inspection = Inspection::open(&connect).await.map_err(|error| away(error).to_string())?;
            let explained = inspection.explain(&statement).await?;
            inspection.close().await;
            Ok(plan::root(&explained).clone())
        };
        let plan = tokio::time::timeout(PLAN_TIMEOUT, explaining).await;
        log.planned(&statement, plan.unwrap_or_else(|_| Err("the database took too long to explain it".to_owned())));
    }
}

/// The driver's own texts name no address and no password.
fn away(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) => StoreError::Unavailable(error.message().to_owned()),
        other => StoreError::Unavailable(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
