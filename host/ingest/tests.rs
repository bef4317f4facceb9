//! The whole way from files and posts through a real store to a sink that records what searches would
//! see.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// Losing the process, the index, or its patience.
mod crash;
/// Folders: what is found, what is left out, what is news.
mod folders;
/// Several hosts over one store.
mod hosts;
/// Posted documents.
mod posts;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use tempfile::TempDir;

use super::*;
use crate::index::IndexError;
use crate::store::{SqliteStore, StoredChange, TaskKind, TaskState};

/// A sink that keeps texts by document, and fails or panics on demand.
#[derive(Default)]
struct Recorder {
    state: Mutex<Recorded>,
    /// So many of the next calls of `apply` fail half-way.
    failures: AtomicU32,
    prepared: AtomicU32,
}

#[derive(Default, Clone)]
struct Recorded {
    working: BTreeMap<u64, (String, String)>,
    visible: BTreeMap<u64, (String, String)>,
    applied: u64,
    committed: u64,
    commits: u32,
}

impl Recorder {
    /// Path and text of all that searches see.
    fn texts(&self) -> BTreeMap<String, String> {
        self.state.lock().visible.values().cloned().collect()
    }

    fn paths(&self) -> Vec<String> {
        self.texts().into_keys().collect()
    }
}

impl Sink for Recorder {
    type Change = StoredChange;

    fn prepare(&self, change: StoredChange) -> StoredChange {
        self.prepared.fetch_add(1, Ordering::Relaxed);
        assert!(!matches!(&change, StoredChange::Upsert(version) if version.content.contains("poison")), "poisoned");
        change
    }

    fn apply(&self, changes: Vec<StoredChange>) -> Result<(), IndexError> {
        let mut state = self.state.lock();
        let fails =
            self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        let half = changes.len() / 2;
        for (number, change) in changes.into_iter().enumerate() {
            if fails && number >= half {
                return Err(IndexError::Write("the disk is full".into()));
            }
            assert!(fails || change.sequence() > state.applied, "changes come in order");
            state.applied = change.sequence();
            match change {
                StoredChange::Upsert(version) => {
                    state.working.insert(version.document, (version.path, version.content));
                }
                StoredChange::Remove { document, .. } | StoredChange::Damaged { document, .. } => {
                    state.working.remove(&document);
                }
            }
        }
        Ok(())
    }

    fn commit(&self, sequence: u64) -> Result<(), IndexError> {
        let mut state = self.state.lock();
        state.visible = state.working.clone();
        state.committed = sequence;
        state.commits += 1;
        Ok(())
    }

    fn applied(&self) -> u64 {
        let mut state = self.state.lock();
        state.applied = state.committed;
        state.committed
    }

    fn chunks(&self) -> u64 {
        self.state.lock().visible.len() as u64
    }
}

/// A server's data folder and a folder to index.
struct World {
    data: TempDir,
    source: TempDir,
}

impl World {
    fn new() -> Self {
        Self { data: tempfile::tempdir().unwrap(), source: tempfile::tempdir().unwrap() }
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let file = self.source.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }

    fn delete(&self, path: &str) {
        fs::remove_file(self.source.path().join(path)).unwrap();
    }

    async fn store(&self) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(&self.data.path().join("store.sqlite")).await.unwrap())
    }

    fn config(&self) -> IngestConfig {
        IngestConfig {
            allowed_roots: vec![self.source.path().to_owned()],
            max_content_bytes: 1000,
            // Tests change files faster than a file system's clock may tick; size tells those apart.
            timestamp_granularity: Duration::ZERO,
            ..IngestConfig::default()
        }
    }

    async fn start(&self) -> (Ingest, Arc<Recorder>) {
        let recorder = Arc::new(Recorder::default());
        let ingest = Ingest::start(self.store().await, Arc::clone(&recorder), self.config()).await.unwrap();
        (ingest, recorder)
    }
}

fn request(path: &Path) -> IndexRequest {
    IndexRequest { path: path.to_str().unwrap().to_owned(), ..IndexRequest::default() }
}

/// Runs a request to its end, whatever that is.
async fn run(ingest: &Ingest, request: IndexRequest) -> Task {
    let task = ingest.start_indexing(request).await.unwrap();
    finished(ingest, &task.id).await
}

async fn finished(ingest: &Ingest, id: &str) -> Task {
    let mut watch = ingest.watch_task(id).await.unwrap().unwrap();
    watch.wait_for(|task| task.state.is_finished()).await.unwrap().clone()
}

async fn index(ingest: &Ingest, world: &World) -> Task {
    let task = run(ingest, request(world.source.path())).await;
    assert_eq!(task.state, TaskState::Succeeded, "{:?}", task.error);
    task
}

fn post(path: &str, content: &str) -> PostedDocument {
    PostedDocument { path: path.into(), title: None, language: None, content: content.into(), modified: None }
}
