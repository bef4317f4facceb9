//! The change feed: pages of it, its end, and word from other hosts that it has grown. A notification is a hint that
//! may get lost; whoever waits for one is let go after the poll interval anyway.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions, PgRow};
use sqlx::{PgConnection, Row};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::connections::{GREETING, Session, timed};
use super::monitor::Monitor;
use crate::store::{PAGE_BYTES, StoredChange, row};

/// What writers notify: `<sequence> <host>`.
pub(super) const CHANNEL: &str = "corsac_changes";

const RETRY: Duration = Duration::from_secs(1);

/// After this long without a notification the connection is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(30);

const LAST_SEQUENCE: &str = "SELECT value FROM counters WHERE name = 'sequence'";

/// A page ends with the document that fills it, so the first is always in.
const CHANGES: &str = "
    SELECT d.id, d.root, d.path, d.language, d.title, d.modified, d.size, d.digest, d.sequence, d.deleted, c.body
    FROM (
        SELECT page.*, sum(size) OVER (ORDER BY sequence) - size AS before
        FROM (SELECT * FROM documents WHERE sequence > $1 ORDER BY sequence LIMIT $2) page
    ) d
    LEFT JOIN contents c ON c.shard = d.shard AND c.document = d.id
    WHERE d.before < $3
    ORDER BY d.sequence";

pub(super) async fn last_sequence(session: &mut Session) -> sqlx::Result<u64> {
    let (connection, monitor) = session.parts()?;
    let value: i64 = timed(monitor, LAST_SEQUENCE, sqlx::query_scalar(LAST_SEQUENCE).fetch_one(connection)).await?;
    Ok(value.cast_unsigned())
}

/// Rows of a page, for `decode`.
pub(super) async fn page(session: &mut Session, after: u64, limit: u32) -> sqlx::Result<Vec<PgRow>> {
    let (connection, monitor) = session.parts()?;
    let page = sqlx::query(CHANGES).bind(after.cast_signed()).bind(i64::from(limit)).bind(PAGE_BYTES.cast_signed());
    timed(monitor, CHANGES, page.fetch_all(connection)).await
}

/// Decompresses apart from the threads that serve requests.
pub(super) async fn decode(rows: Vec<PgRow>) -> sqlx::Result<Vec<StoredChange>> {
    tokio::task::spawn_blocking(move || rows.iter().map(row::change).collect())
        .await
        .map_err(|_| sqlx::Error::WorkerCrashed)?
}

/// Takes the next `count` numbers of the sequence and holds the counter until the transaction ends, so that numbers
/// become visible in their order; tells the other hosts. Returns the number before the first.
pub(super) async fn take_sequences(
    connection: &mut PgConnection,
    monitor: &Monitor,
    count: usize,
    host: &str,
) -> sqlx::Result<u64> {
    const TAKE: &str = "
        WITH taken AS (UPDATE counters SET value = value + $1 WHERE name = 'sequence' RETURNING value)
        SELECT value, pg_notify($2, value || ' ' || $3) FROM taken";
    let count = count as i64;
    let take = sqlx::query(TAKE).bind(count).bind(CHANNEL).bind(host);
    let value: i64 = timed(monitor, TAKE, take.fetch_one(connection)).await?.try_get("value")?;
    Ok((value - count).cast_unsigned())
}

/// Hears of other hosts' changes, on a connection of its own.
pub(super) struct Listener {
    /// The newest sequence that another host has written, as far as heard.
    heard: watch::Receiver<u64>,
    task: AbortHandle,
}

impl Listener {
    /// Connects in the background, and again whenever the connection is lost.
    pub(super) fn start(connect: PgConnectOptions, host: String) -> Self {
        let (tell, heard) = watch::channel(0);
        let task = tokio::spawn(async move {
            let pool = PgPoolOptions::new()
                .max_connections(1)
                .max_lifetime(None)
                .idle_timeout(None)
                .acquire_timeout(GREETING)
                .connect_lazy_with(connect);
            loop {
                // What comes meanwhile is found by polling.
                if let Err(error) = listen(&pool, &host, &tell).await {
                    tracing::debug!(%error, "changes of other hosts are found by polling only");
                }
                tokio::time::sleep(RETRY).await;
            }
        });
        Self { heard, task: task.abort_handle() }
    }

    /// Waits until another host has written something after `after`, at most for `poll`.
    pub(super) async fn changed(&self, after: u64, poll: Duration) {
        let mut heard = self.heard.clone();
        let _ = tokio::time::timeout(poll, async {
            if heard.wait_for(|sequence| *sequence > after).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
        .await;
    }

    pub(super) fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn listen(pool: &sqlx::PgPool, host: &str, tell: &watch::Sender<u64>) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        let Ok(notification) = tokio::time::timeout(SILENCE, listener.recv()).await else {
            // Nobody tells this side that the other one is gone.
            let ask = sqlx::query("SELECT 1").execute(&mut listener);
            tokio::time::timeout(GREETING, ask).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
            continue;
        };
        let notification = notification?;
        let Some((sequence, writer)) = notification.payload().split_once(' ') else { continue };
        if writer != host
            && let Ok(sequence) = sequence.parse::<u64>()
        {
            tell.send_if_modified(|heard| {
                let news = sequence > *heard;
                *heard = sequence.max(*heard);
                news
            });
        }
    }
}
