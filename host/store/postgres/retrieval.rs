//! The retrieval mode in which the database itself answers: chunks with their terms, vectors and names in tables that
//! one host writes and all hosts ask. Here are the connection to the database and what its errors mean; each kind of
//! probe has a file. Knows nothing of who may write, of plugins or of HTTP.

/// Terms of the collection that stand for another.
mod alternatives;
/// Chunks, contents and embeddings by their ids.
mod fetch;
/// Lines that match.
mod pattern;
/// The rows of a document.
mod rows;
/// What depends on extensions.
mod schema;
/// Which documents a query may see.
mod scope;
/// How far the tables are, and who writes them.
mod state;
/// Chunks that define a name.
mod symbol;
/// BM25.
mod text;
/// Nearest neighbours.
mod vector;
/// Changes, one transaction at a time.
mod write;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Connection, Execute, PgConnection, Postgres};
use tokio::runtime::Handle;

use super::PostgresStore;
use super::monitor::Monitor;
use crate::index::remote::{Analysis, Engine};
use crate::index::{ChunkInfo, Deadline, DocumentInfo, Embedder, IndexError, IndexStats, ModelStats};
use crate::query::{ChunkId, Hits, Probe, RetrievalError, Scope};
use schema::Extensions;
use state::State;
pub use write::Change;

/// How long a look-up that has no deadline of its own may take.
const FETCH: Duration = Duration::from_secs(30);

/// What this side waits longer than the server, which can say more about a timeout.
const GRACE: Duration = Duration::from_millis(500);

/// The same for one transaction that writes; a graph of neighbours takes its time.
const WRITE: Duration = Duration::from_secs(3600);

/// Between looks whether anybody still waits for a question; one that is answered sooner keeps its connection.
const LOOK: Duration = Duration::from_millis(50);

/// The engine. All methods of `Engine` except `generation` and `stats` wait for the database; call them from a
/// blocking thread.
pub struct Retrieval {
    store: Arc<PostgresStore>,
    handle: Handle,
    analysis: Analysis,
    extensions: Extensions,
    /// As last published.
    state: ArcSwap<State>,
    /// What the transactions since then have made of it.
    written: Mutex<State>,
}

/// A connection on which something is asked.
struct Asking<'a> {
    connection: &'a mut PgConnection,
    monitor: &'a Monitor,
}

impl Asking<'_> {
    /// The answer to one question; the monitor is told how long it took.
    async fn rows(&mut self, mut query: Query<'_, Postgres, PgArguments>) -> sqlx::Result<Vec<PgRow>> {
        let arguments = query.take_arguments().map_err(sqlx::Error::Encode)?.unwrap_or_default();
        let sql = query.sql();
        let _timing = self.monitor.timing(sql.as_str());
        sqlx::query_with(sql.clone(), arguments).fetch_all(&mut *self.connection).await
    }
}

impl Retrieval {
    /// Creates what the extensions of the database make possible, and looks how far the tables are. The tables
    /// themselves are the store's, whose connections are used. Call it within a tokio runtime.
    pub async fn open(store: Arc<PostgresStore>, analysis: Analysis) -> Result<Self, IndexError> {
        let mut session = store.connections.session().await.map_err(read)?;
        let looked = async {
            let (connection, _) = session.parts()?;
            let extensions = schema::prepare(connection, analysis.dimension()).await?;
            Ok((extensions, State::load(connection).await?))
        };
        let looked = looked.await;
        let (extensions, state) = session.settle(looked).map_err(read)?;
        let written = Mutex::new(state.clone());
        let state = ArcSwap::from_pointee(state);
        Ok(Self { store, handle: Handle::current(), analysis, extensions, state, written })
    }

    /// Tables in another format are not understood: nothing can be asked of them until they are written anew.
    fn format(&self) -> String {
        let vectors = if self.extensions.vector { "pgvector" } else { "plain" };
        format!("{}:{vectors}", self.analysis.format())
    }

    fn is_readable(&self) -> Result<(), String> {
        let state = self.state.load();
        match state.applied == 0 || state.format == self.format() {
            true => Ok(()),
            false => Err("the tables of the retrieval mode were written by another version of this program; \
                          they are written anew as soon as no host with that version runs"
                .into()),
        }
    }

    /// Reads within one view of the database, until the deadline. `settings` are statements for this transaction.
    fn ask<T>(
        &self,
        deadline: &Deadline,
        settings: &str,
        work: impl AsyncFnOnce(&mut Asking<'_>) -> Result<T, RetrievalError>,
    ) -> Result<T, RetrievalError> {
        self.is_readable().map_err(RetrievalError::Unavailable)?;
        let left = deadline.left();
        if left.is_zero() {
            return Err(RetrievalError::TimedOut);
        }
        let milliseconds = left.as_millis().max(1);
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {milliseconds}{settings}"
        );
        let asked = async {
            let mut session = self.store.connections.session().await.map_err(failed)?;
            let answer = async {
                let (connection, monitor) = session.parts().map_err(failed)?;
                let mut transaction = connection.begin_with(sqlx::AssertSqlSafe(begin)).await.map_err(failed)?;
                let answer = work(&mut Asking { connection: &mut transaction, monitor }).await?;
                transaction.commit().await.map_err(failed)?;
                Ok(answer)
            };
            let answer = answer.await;
            // A connection on which something else went wrong than the question is closed.
            if !matches!(answer, Err(RetrievalError::Unavailable(_))) {
                session.settle(Ok(())).map_err(failed)?;
            }
            answer
        };
        let bounded = tokio::time::timeout(left + GRACE, self.store.connections.unless_away(asked));
        let wanted = async {
            tokio::select! {
                answer = bounded => answer,
                () = abandoned(deadline) => Ok(Ok(Err(RetrievalError::TimedOut))),
            }
        };
        match self.handle.block_on(wanted) {
            Ok(Ok(answer)) => answer,
            Ok(Err(reason)) => Err(RetrievalError::Unavailable(format!("the database is away: {reason}"))),
            Err(_) => Err(RetrievalError::TimedOut),
        }
    }

    /// Does work that is no question, within `limit`. The reason of a failure says no address.
    fn run<T>(&self, limit: Duration, work: impl AsyncFnOnce(&mut Asking<'_>) -> sqlx::Result<T>) -> Result<T, String> {
        let asked = async {
            let mut session = self.store.connections.session().await?;
            let (connection, monitor) = session.parts()?;
            let outcome = work(&mut Asking { connection, monitor }).await;
            session.settle(outcome)
        };
        let bounded = tokio::time::timeout(limit, self.store.connections.unless_away(asked));
        match self.handle.block_on(bounded) {
            Ok(Ok(outcome)) => outcome.map_err(|error| reason(&error)),
            Ok(Err(reason)) => Err(format!("the database is away: {reason}")),
            Err(_) => Err(format!("the database did not answer within {} s", limit.as_secs())),
        }
    }

    /// A look-up that is no probe: one statement, which sees one state of the database without a transaction around it.
    fn fetch<T>(&self, work: impl AsyncFnOnce(&mut Asking<'_>) -> sqlx::Result<T>) -> Result<T, IndexError> {
        self.is_readable().and_then(|()| self.run(FETCH, work)).map_err(IndexError::Read)
    }
}

impl Engine for Retrieval {
    fn generation(&self) -> u64 {
        self.state.load().applied
    }

    fn stats(&self) -> IndexStats {
        let state = self.state.load();
        let model = ModelStats { embedded: state.chunks, answers: true, ..ModelStats::of(&*self.embedder()) };
        IndexStats {
            documents: state.documents,
            chunks: state.chunks,
            content_bytes: state.content_bytes,
            index_bytes: state.table_bytes,
            generation: state.applied,
            vectors: state.vectors,
            dimension: self.analysis.dimension() as u32,
            models: vec![model],
        }
    }

    fn embedder(&self) -> Arc<dyn Embedder> {
        self.analysis.embedder()
    }

    fn probe(&self, probe: &Probe, scope: &Scope, deadline: &Deadline) -> Result<Hits, RetrievalError> {
        match probe {
            Probe::Text(probe) => self.text(probe, scope, deadline),
            Probe::Vector(probe) => self.vector(probe, scope, deadline),
            Probe::Pattern(probe) => self.pattern(probe, scope, deadline),
            Probe::Symbol(probe) => self.symbol(probe, scope, deadline),
        }
    }

    fn chunks(&self, ids: &[ChunkId]) -> Result<Vec<Option<ChunkInfo>>, IndexError> {
        if ids.is_empty() {
            return Ok(vec![]);
        }
        let found = self.fetch(async |asking| fetch::chunks(asking, ids).await)?;
        // An id may be asked for more than once: two lines of one chunk.
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }

    fn contents(&self, sequences: &[u64]) -> Result<HashMap<u64, Arc<str>>, IndexError> {
        if sequences.is_empty() {
            return Ok(HashMap::new());
        }
        let texts = self.fetch(async |asking| fetch::texts(asking, sequences).await)?;
        Ok(texts.into_iter().map(|text| (text.sequence, text.content.into())).collect())
    }

    fn embeddings(&self, ids: &[ChunkId]) -> Result<HashMap<ChunkId, Vec<u8>>, IndexError> {
        match ids.is_empty() {
            true => Ok(HashMap::new()),
            false => self.fetch(async |asking| fetch::embeddings(asking, ids).await),
        }
    }

    fn documents(&self) -> Result<Vec<Arc<DocumentInfo>>, IndexError> {
        self.fetch(async |asking| fetch::documents(asking).await)
    }
}

async fn abandoned(deadline: &Deadline) {
    while !deadline.is_abandoned() {
        tokio::time::sleep(LOOK).await;
    }
}

/// What an error of the database means for a probe. Codes:
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>. Says no address and no password.
fn failed(error: sqlx::Error) -> RetrievalError {
    match error.as_database_error() {
        // Cancelled by its statement timeout.
        Some(database) if database.code().as_deref() == Some("57014") => RetrievalError::TimedOut,
        _ => RetrievalError::Unavailable(reason(&error)),
    }
}

fn read(error: sqlx::Error) -> IndexError {
    IndexError::Read(reason(&error))
}

fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => format!("the database refuses: {}", error.message()),
        sqlx::Error::PoolTimedOut => "all connections to the database are in use; try again in a moment".to_owned(),
        sqlx::Error::Configuration(error) => error.to_string(),
        sqlx::Error::Io(error) => format!("the database cannot be reached: {}", error.kind()),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => format!("a row cannot be read: {error}"),
        _ => "the database cannot be reached".to_owned(),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod write_tests;
