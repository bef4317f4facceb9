//! The pool: how connections are made, borrowed and given back, and that no call lasts for ever. A frozen server
//! keeps connections open and answers nothing, so every bound is kept on this side; the server's own are there to
//! end what nobody waits for any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool, Postgres};
use tokio::sync::watch;

use super::PostgresOptions;
use super::failure::{connection_is_lost, failure};
use super::monitor::Monitor;
use crate::store::{PoolFigures, StoreError};

/// How long one call may take once it has a connection.
pub(super) const CALL: Duration = Duration::from_secs(30);

/// The same for calls about a whole root.
pub(super) const BULK: Duration = Duration::from_secs(600);

/// The server ends statements after this time.
const STATEMENT: Duration = Duration::from_secs(60);

/// A server that does not greet within this time is away.
pub(super) const GREETING: Duration = Duration::from_secs(5);

/// A connection that was used this short a time ago is not asked whether it is still there.
const FRESH: Duration = Duration::from_millis(500);

/// Unless one has broken this short a time ago: others may have with it.
const SUSPICION: Duration = Duration::from_secs(10);

const IDLE: Duration = Duration::from_secs(300);

/// The pool, and what is known of the server beside it.
pub(super) struct Connections {
    pool: PgPool,
    /// The pool itself, for its own hook that closes connections beyond those to keep. Emptied to break the circle.
    own: Arc<Mutex<Option<PgPool>>>,
    max: u32,
    timeout: Duration,
    waiting: AtomicU32,
    /// When a connection last broke in the middle of something.
    broken: Arc<Mutex<Option<Instant>>>,
    monitor: Arc<Monitor>,
    away: watch::Receiver<Option<String>>,
}

/// A borrowed connection. It goes back to the pool through `settle`; when it is dropped without, something is still
/// under way on it or it is broken, and it is closed.
pub(super) struct Session {
    connection: Option<PoolConnection<Postgres>>,
    monitor: Arc<Monitor>,
}

impl Connections {
    /// Connects to nothing yet. `away` has the reason while the server cannot be reached.
    pub(super) fn new(
        connect: PgConnectOptions,
        options: &PostgresOptions,
        monitor: Arc<Monitor>,
        away: watch::Receiver<Option<String>>,
    ) -> Self {
        let max = options.pool_size.saturating_add(options.max_overflow).max(1);
        let own: Arc<Mutex<Option<PgPool>>> = Arc::default();
        let (keep, pool) = (options.pool_size, Arc::clone(&own));
        let broken: Arc<Mutex<Option<Instant>>> = Arc::default();
        let suspicious = Arc::clone(&broken);
        let pool = PgPoolOptions::new()
            .min_connections(0)
            .max_connections(max)
            .acquire_timeout(options.pool_timeout)
            .max_lifetime(options.recycle)
            .idle_timeout(IDLE)
            .test_before_acquire(false)
            .after_connect(|connection, _| Box::pin(bound_on_server(connection, STATEMENT)))
            .before_acquire(move |connection, meta| {
                let trusted = suspicious.lock().is_none_or(|at| at.elapsed() > SUSPICION);
                Box::pin(async move {
                    if meta.idle_for < FRESH && trusted {
                        return Ok(true);
                    }
                    match tokio::time::timeout(GREETING, connection.ping()).await {
                        Ok(answer) => answer.map(|()| true),
                        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
                    }
                })
            })
            .after_release(move |_, _| {
                let size = pool.lock().as_ref().map_or(0, PgPool::size);
                Box::pin(std::future::ready(Ok(size <= keep)))
            })
            .connect_lazy_with(connect);
        *own.lock() = Some(pool.clone());
        Self { pool, own, max, timeout: options.pool_timeout, waiting: AtomicU32::new(0), broken, monitor, away }
    }

    /// For tests with statements of their own.
    #[cfg(test)]
    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    pub(super) async fn session(&self) -> sqlx::Result<Session> {
        struct Waiting<'a>(&'a AtomicU32);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        let connection = self.pool.acquire().await?;
        self.monitor.observe_pool(self.figures());
        Ok(Session { connection: Some(connection), monitor: Arc::clone(&self.monitor) })
    }

    /// Does `work`, once more when its connection broke, and gives it up after `limit`, or as soon as the server is
    /// known to be away.
    pub(super) async fn bounded<T, Work>(&self, limit: Duration, work: impl Fn() -> Work) -> Result<T, StoreError>
    where
        Work: Future<Output = sqlx::Result<T>>,
    {
        let limit = self.timeout + limit;
        let mut away = self.away.clone();
        let mut again = true;
        loop {
            let outcome = tokio::select! {
                biased;
                reason = gone(&mut away) => return Err(StoreError::Unavailable(reason)),
                outcome = tokio::time::timeout(limit, work()) => outcome,
            };
            match outcome {
                Ok(Err(error)) if again && connection_is_lost(&error) => {
                    *self.broken.lock() = Some(Instant::now());
                    again = false;
                }
                Ok(outcome) => return outcome.map_err(failure),
                Err(_) => return Err(StoreError::Busy(format!("no answer within {} s", limit.as_secs()))),
            }
        }
    }

    /// Does `work`, unless the server is known to be away or comes to be so.
    pub(super) async fn unless_away<T>(&self, work: impl Future<Output = T>) -> Result<T, String> {
        let mut away = self.away.clone();
        tokio::select! {
            biased;
            reason = gone(&mut away) => Err(reason),
            outcome = work => Ok(outcome),
        }
    }

    pub(super) fn figures(&self) -> PoolFigures {
        let size = self.pool.size();
        let idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX).min(size);
        let in_use = size - idle;
        let waiting = self.waiting.load(Ordering::Relaxed);
        PoolFigures { size, idle, in_use, max: self.max, waiting, usage: f64::from(in_use) / f64::from(self.max) }
    }

    /// Waits for what is under way, a while.
    pub(super) async fn close(&self) {
        self.own.lock().take();
        let _ = tokio::time::timeout(GREETING, self.pool.close()).await;
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.own.lock().take();
    }
}

/// Waits until the server is away; says why.
async fn gone(away: &mut watch::Receiver<Option<String>>) -> String {
    let reason = away.wait_for(Option::is_some).await.map(|reason| reason.clone().unwrap_or_default());
    match reason {
        Ok(reason) => reason,
        // Nobody watches any more: the store is being closed, which the pool knows too.
        Err(_) => std::future::pending().await,
    }
}

/// Awaits a statement and tells the monitor how long it took.
pub(super) async fn timed<T>(monitor: &Monitor, sql: &'static str, statement: impl Future<Output = T>) -> T {
    let _timing = monitor.timing(sql);
    statement.await
}

/// Ends on the server what nobody waits for any more.
pub(super) async fn bound_on_server(connection: &mut PgConnection, statement: Duration) -> sqlx::Result<()> {
    sqlx::query(
        "SELECT set_config('statement_timeout', $1, FALSE),
             set_config('idle_in_transaction_session_timeout', '60000', FALSE),
             set_config('tcp_keepalives_idle', '5', FALSE), set_config('tcp_keepalives_interval', '2', FALSE),
             set_config('tcp_keepalives_count', '3', FALSE), set_config('tcp_user_timeout', '10000', FALSE)",
    )
    .bind(statement.as_millis().to_string())
    .execute(connection)
    .await
    .map(drop)
}

impl Session {
    pub(super) fn parts(&mut self) -> sqlx::Result<(&mut PgConnection, &Monitor)> {
        match &mut self.connection {
            Some(connection) => Ok((&mut *connection, &self.monitor)),
            None => Err(sqlx::Error::PoolClosed),
        }
    }

    /// Gives the connection back, unless `outcome` says that it is broken.
    pub(super) fn settle<T>(mut self, outcome: sqlx::Result<T>) -> sqlx::Result<T> {
        let usable = match &outcome {
            Ok(_) => true,
            Err(error) => error.as_database_error().is_some() && !connection_is_lost(error),
        };
        if usable {
            self.connection.take();
        }
        outcome
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.close_on_drop();
        }
    }
}

pub(super) async fn ping(session: &mut Session) -> sqlx::Result<()> {
    session.parts()?.0.ping().await
}
