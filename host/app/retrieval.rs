//! The retrieval mode `postgres`: the database holds the index of all hosts and answers look-ups. One host at a time
//! brings it up to date, by a lease; the others look how far it is and take over when the lease is free.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::AppError;
use crate::index::remote::Analysis;
use crate::index::{IndexError, Searched};
use crate::ingest::{Ingest, IngestConfig, IngestError, Sink, Turn};
use crate::store::{DocumentStore, Lease, PostgresStore, Retrieval, StoreError, StoredChange, retrieval};

/// Name of the right to write.
const LEASE: &str = "retrieval";

/// How often a host that waits asks for the right: asking costs a connection.
const ASK: Duration = Duration::from_secs(1);

/// Opens the engine and starts to follow the store with it.
pub(super) async fn follow(database: Arc<PostgresStore>, config: IngestConfig) -> Result<(Searched, Ingest), AppError> {
    let load = tokio::task::spawn_blocking(Analysis::load).await;
    let analysis = load.map_err(|error| IndexError::Model(error.to_string()))??;
    let engine = Arc::new(Retrieval::open(Arc::clone(&database), analysis).await?);
    let store = database as Arc<dyn DocumentStore>;
    let sink = Arc::new(RetrievalSink::new(engine.clone(), store.clone()));
    match Ingest::start(store.clone(), sink.clone(), config.clone()).await {
        Ok(ingest) => Ok((Searched::Elsewhere(engine), ingest)),
        // Documents that were put back from a backup without the tables: what these have is worth nothing.
        Err(IngestError::IndexAhead { index, store: behind }) => {
            tracing::warn!(index, behind, "the tables of the retrieval mode are newer than the store");
            let forget = move || sink.forget();
            tokio::task::spawn_blocking(forget).await.map_err(|error| IndexError::Write(error.to_string()))??;
            let sink = Arc::new(RetrievalSink::new(engine.clone(), store.clone()));
            Ok((Searched::Elsewhere(engine), Ingest::start(store, sink, config).await?))
        }
        Err(error) => Err(error.into()),
    }
}

/// The tables as what follows the change feed.
struct RetrievalSink {
    engine: Arc<Retrieval>,
    store: Arc<dyn DocumentStore>,
    handle: Handle,
    right: Mutex<Right>,
}

/// Whether this host may write.
#[derive(Default)]
struct Right {
    lease: Option<Lease>,
    asked: Option<Instant>,
}

impl RetrievalSink {
    fn new(engine: Arc<Retrieval>, store: Arc<dyn DocumentStore>) -> Self {
        Self { engine, store, handle: Handle::current(), right: Mutex::default() }
    }

    /// Empties the tables, so that they are written anew; nothing while another host writes them.
    fn forget(&self) -> Result<(), IndexError> {
        match self.turn()? {
            Turn::Ours => self.engine.forget(),
            Turn::Theirs => Ok(()),
        }
    }
}

fn unavailable(error: StoreError) -> IndexError {
    IndexError::Write(error.to_string())
}

impl Sink for RetrievalSink {
    type Change = retrieval::Change;

    fn is_in_store(&self) -> bool {
        true
    }

    fn turn(&self) -> Result<Turn, IndexError> {
        let mut right = self.right.lock();
        if right.lease.as_ref().is_some_and(|lease| lease.lost().is_cancelled()) {
            tracing::warn!("this host lost the right to write the tables of the retrieval mode");
            right.lease = None;
        }
        if right.lease.is_some() {
            return Ok(Turn::Ours);
        }
        if right.asked.is_none_or(|asked| asked.elapsed() >= ASK) {
            right.asked = Some(Instant::now());
            if let Some(lease) = self.handle.block_on(self.store.lease(LEASE)).map_err(unavailable)? {
                self.engine.begin_writing()?;
                tracing::info!("this host writes the tables of the retrieval mode");
                right.lease = Some(lease);
                return Ok(Turn::Ours);
            }
        }
        self.engine.refresh()?;
        Ok(Turn::Theirs)
    }

    fn prepare(&self, change: StoredChange) -> retrieval::Change {
        match change {
            StoredChange::Upsert(version) => self.engine.prepare(version),
            // What cannot be read cannot be found either.
            StoredChange::Remove { document, sequence } | StoredChange::Damaged { document, sequence, .. } => {
                retrieval::Change::Remove { document, sequence }
            }
        }
    }

    fn apply(&self, changes: Vec<retrieval::Change>) -> Result<(), IndexError> {
        let applied = self.engine.apply(changes);
        if applied.is_err() {
            // Whoever else may have written in the meantime: begin with a fresh look.
            *self.right.lock() = Right::default();
        }
        applied
    }

    fn commit(&self, sequence: u64) -> Result<(), IndexError> {
        let newest = self.handle.block_on(self.store.last_sequence()).map_err(unavailable)?;
        self.engine.publish(sequence >= newest)
    }

    fn applied(&self) -> u64 {
        self.engine.applied()
    }

    fn chunks(&self) -> u64 {
        self.engine.visible_chunks()
    }
}
