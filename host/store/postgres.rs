//! The shared backend: PostgreSQL, which many hosts use at once. Owns opening, migration and the trait; the
//! statements are in its submodules. Needs sessions: a pooler in front must not change them between transactions.

/// What a URL may say.
mod address;
/// The pool and its bounds.
mod connections;
/// Rows in and out.
mod copy;
/// Statements that write documents.
mod documents;
/// What errors mean.
mod failure;
/// The change feed.
mod feed;
/// Figures of the past.
mod history;
/// Statements about API keys.
mod keys;
/// Rights that one host at a time has, and whether the server is there.
mod leases;
/// How the database fares: how long statements take, plans, advice.
mod monitor;
/// The mode in which the database answers look-ups.
pub mod retrieval;
/// Statements about roots, and those that remove.
mod roots;
/// The last statements of a write.
mod rows;
/// Statements about tasks.
mod tasks;
/// Statements about counts of use.
mod usage;
/// Statements about the world of agents.
mod world;

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::time::{Instant, timeout};

use super::{
    Counts, DEFAULT_MAX_CONTENT_BYTES, DocumentStore, Fingerprint, KeyStore, Lease, MonitoredStore, NewDocument,
    PoolFigures, Renewed, Root, StoreError, StoredChange, StoredKey, Task, Upserted, version,
};
use crate::index::DocumentVersion;
use crate::store::monitor::DatabaseReport;
use connections::{BULK, CALL, Connections, GREETING};
use failure::{failure, migration_failure};
use feed::Listener;
use leases::{Keeper, of_host};
use monitor::Monitor;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("host/store/postgres/migrations");

/// Migrations of a large database take their time; a server that was frozen meanwhile must not stop us for ever.
const MIGRATION: Duration = Duration::from_secs(3600);

const OPENING_RETRY: Duration = Duration::from_millis(200);

#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Connections that are kept.
    pub pool_size: u32,
    /// More of them under load.
    pub max_overflow: u32,
    /// How long a call waits for a connection, and `open` for the server.
    pub pool_timeout: Duration,
    /// Connections are replaced at this age.
    pub recycle: Duration,
    /// How often to look for changes of other hosts whose notification got lost.
    pub poll_interval: Duration,
    /// Statements that take longer are slow.
    pub slow_query: Duration,
    /// Tells this host from all others, also after a restart.
    pub host: String,
}

impl PostgresOptions {
    /// The defaults of the configuration, for a host of this name.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            pool_size: 20,
            max_overflow: 30,
            pool_timeout: Duration::from_secs(30),
            recycle: Duration::from_secs(3600),
            poll_interval: Duration::from_secs(1),
            slow_query: Duration::from_secs(1),
            host: host.into(),
        }
    }
}

/// Documents, roots and tasks in one PostgreSQL database, shared with other hosts.
pub struct PostgresStore {
    connections: Connections,
    keeper: Keeper,
    listener: Listener,
    host: String,
    identity: String,
    poll_interval: Duration,
    max_content_bytes: u64,
}

impl PostgresStore {
    /// Connects, waiting for the server as long as a call waits for a connection, and brings the tables up to date;
    /// several hosts may do so at once. `url` may hold a password, which no error quotes.
    pub async fn open(url: &str, options: PostgresOptions) -> Result<Self, StoreError> {
        let connect =
            address::parse(url)?.application_name(&format!("corsac/{}", options.host)).disable_statement_logging();
        let identity = prepare(&connect, options.pool_timeout).await?;
        let monitor = Monitor::start(connect.clone(), options.slow_query);
        let (keeper, away) = Keeper::start(connect.clone(), &of_host(&options.host));
        let listener = Listener::start(connect.clone(), options.host.clone());
        Ok(Self {
            connections: Connections::new(connect, &options, monitor, away),
            keeper,
            listener,
            host: options.host,
            identity,
            poll_interval: options.poll_interval,
            max_content_bytes: DEFAULT_MAX_CONTENT_BYTES,
        })
    }

    /// Sets the largest text of one document.
    pub fn with_max_content_bytes(mut self, limit: u64) -> Self {
        self.max_content_bytes = limit;
        self
    }
}

/// Migrates on a connection of its own, which has no time limit on the server. Returns the database's identity.
async fn prepare(connect: &PgConnectOptions, patience: Duration) -> Result<String, StoreError> {
    let until = Instant::now() + patience;
    let mut connection = loop {
        let error = match timeout(GREETING, connect.connect()).await {
            Ok(Ok(connection)) => break connection,
            Ok(Err(error)) => failure(error),
            Err(_) => StoreError::Unavailable("the server does not answer".into()),
        };
        let lasting = !matches!(error, StoreError::Unavailable(_) | StoreError::Busy(_));
        if lasting || Instant::now() >= until {
            return Err(error);
        }
        tracing::warn!(%error, "waiting for the database");
        tokio::time::sleep(OPENING_RETRY).await;
    };
    let late = |_| StoreError::Busy("the tables could not be brought up to date in an hour".into());
    // `run` is generic in a way that keeps the future from being spawned.
    let migrating = MIGRATIONS.run_direct(None, &mut connection, false);
    timeout(MIGRATION, migrating).await.map_err(late)?.map_err(migration_failure)?;
    let identity = sqlx::query_scalar("SELECT id FROM identity").fetch_one(&mut connection);
    let identity = timeout(CALL, identity).await.map_err(late)?.map_err(failure)?;
    let _ = timeout(GREETING, connection.close()).await;
    Ok(identity)
}

fn contended() -> StoreError {
    StoreError::Busy("other hosts change the same documents".into())
}

/// Borrows a connection for one piece of work, within bounds.
macro_rules! call {
    ($store:expr, $limit:expr, |$session:ident| $work:expr) => {
        $store
            .connections
            .bounded($limit, || async {
                let mut session = $store.connections.session().await?;
                let $session = &mut session;
                let outcome = $work.await;
                session.settle(outcome)
            })
            .await
    };
}

use call;

#[async_trait]
impl DocumentStore for PostgresStore {
    async fn register_root(&self, path: &str, name: &str) -> Result<Root, StoreError> {
        call!(self, CALL, |session| roots::register(session, path, name))
    }

    async fn roots(&self) -> Result<Vec<Root>, StoreError> {
        call!(self, CALL, |session| roots::list(session))
    }

    async fn mark_indexed(&self, root: u64, at: i64) -> Result<(), StoreError> {
        call!(self, CALL, |session| roots::mark_indexed(session, root, at))
    }

    async fn remove_root(&self, root: u64) -> Result<u64, StoreError> {
        call!(self, BULK, |session| roots::remove_root(session, &self.host, root))?.ok_or_else(contended)
    }

    async fn upsert(&self, documents: Vec<NewDocument>) -> Result<Vec<Upserted>, StoreError> {
        version::check(&documents, self.max_content_bytes)?;
        let encoded = version::encode(documents).await?;
        call!(self, CALL, |session| documents::upsert(session, &self.host, &encoded))?.ok_or_else(contended)
    }

    async fn remove(&self, root: u64, paths: &[String]) -> Result<u64, StoreError> {
        call!(self, CALL, |session| roots::remove(session, &self.host, root, paths))?.ok_or_else(contended)
    }

    async fn renew(&self, root: u64, after: u64, until: u64, limit: u32) -> Result<Option<Renewed>, StoreError> {
        let renewed = call!(self, CALL, |session| roots::renew(session, &self.host, root, after, until, limit))?;
        renewed.ok_or_else(contended)
    }

    async fn changes(&self, after: u64, limit: u32) -> Result<Vec<StoredChange>, StoreError> {
        let rows = call!(self, CALL, |session| feed::page(session, after, limit))?;
        feed::decode(rows).await.map_err(failure)
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        call!(self, CALL, |session| feed::last_sequence(session))
    }

    async fn fingerprints(&self, root: u64) -> Result<HashMap<String, Fingerprint>, StoreError> {
        call!(self, BULK, |session| roots::fingerprints(session, root))
    }

    async fn document(&self, root: u64, path: &str) -> Result<Option<DocumentVersion>, StoreError> {
        let found = call!(self, CALL, |session| documents::document(session, root, path))?;
        found.map_or(Ok(None), StoredChange::live)
    }

    async fn mark_damaged(&self, document: u64) -> Result<(), StoreError> {
        call!(self, CALL, |session| documents::mark_damaged(session, document))
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        call!(self, CALL, |session| roots::counts(session))
    }

    async fn save_task(&self, task: &Task) -> Result<(), StoreError> {
        call!(self, CALL, |session| tasks::save(session, &self.host, task))
    }

    async fn task(&self, id: &str) -> Result<Option<Task>, StoreError> {
        call!(self, CALL, |session| tasks::get(session, id))
    }

    async fn tasks(&self, limit: u32) -> Result<Vec<Task>, StoreError> {
        call!(self, CALL, |session| tasks::list(session, limit))
    }

    async fn interrupt_tasks(&self, message: &str) -> Result<u64, StoreError> {
        let own = call!(self, CALL, |session| tasks::interrupt(session, &self.host, message))?;
        Ok(own.len() as u64)
    }

    async fn adopt_tasks(&self, message: &str) -> Result<Vec<Task>, StoreError> {
        let mut adopted = Vec::new();
        for host in call!(self, CALL, |session| tasks::other_hosts(session, &self.host))? {
            // Whoever lives has it.
            if let Some(_gone) = self.keeper.take(&of_host(&host)).await? {
                adopted.extend(call!(self, CALL, |session| tasks::interrupt(session, &host, message))?);
            }
        }
        Ok(adopted)
    }

    async fn changed(&self, after: u64) {
        self.listener.changed(after, self.poll_interval).await;
    }

    async fn lease(&self, name: &str) -> Result<Option<Lease>, StoreError> {
        self.keeper.take(name).await
    }

    async fn identity(&self) -> Result<Option<String>, StoreError> {
        Ok(Some(self.identity.clone()))
    }

    fn pool(&self) -> Option<PoolFigures> {
        Some(self.connections.figures())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        call!(self, CALL, |session| connections::ping(session))
    }

    async fn close(&self) {
        self.listener.stop();
        self.keeper.stop();
        self.connections.close().await;
    }
}

#[async_trait]
impl MonitoredStore for PostgresStore {
    async fn report(&self) -> Result<DatabaseReport, StoreError> {
        self.connections.monitor().report(self.connections.figures()).await
    }
}

#[async_trait]
impl KeyStore for PostgresStore {
    async fn add_key(&self, key: &StoredKey) -> Result<(), StoreError> {
        call!(self, CALL, |session| keys::add(session, key))
    }

    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        call!(self, CALL, |session| keys::list(session))
    }

    async fn remove_key(&self, id: &str) -> Result<bool, StoreError> {
        call!(self, CALL, |session| keys::remove(session, id))
    }
}

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod tests;
