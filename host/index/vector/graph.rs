//! The graph of near neighbours (HNSW) over the vectors of the newest catalogue, grown by one thread of
//! its own when the writer is idle. It only ever proposes candidates: whether a chunk is live, in
//! scope, and how near it is, its caller decides. Its file is a cache of work, never the only copy.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::{Mutex, RwLock};
use rayon::prelude::*;
use usearch::{Index, IndexOptions, MetricKind, ScalarKind};

use super::super::catalogue::{Catalogue, Entry};
use super::SCAN_LIMIT;
use crate::query::ChunkId;

/// Neighbours a node, and how many candidates building and searching keep. Recall at 10 of real chunks
/// is .96 with these, measured on 180,000 chunks of 12,000 source files.
const CONNECTIVITY: usize = 16;
const EXPANSION_ADD: usize = 128;
const EXPANSION_SEARCH: usize = 128;
/// Vectors added while the graph is locked: searches scan meanwhile.
const BATCH: usize = 512;
/// The writer is idle after so long without a change.
const IDLE: Duration = Duration::from_millis(750);

pub(crate) struct Graph {
    state: RwLock<State>,
    /// Live entries that are not in the graph yet, by sequence.
    pending: Mutex<HashMap<u64, Arc<Entry>>>,
    latest: Mutex<Catalogue>,
    /// Vectors in the graph, dead ones included.
    size: AtomicU64,
    pending_vectors: AtomicU64,
    /// After an error of the library: everything is scanned from then on.
    broken: AtomicBool,
    dimension: usize,
    threads: usize,
    permits: (Sender<()>, Receiver<()>),
}

struct State {
    index: Index,
    /// Sequences whose chunks are in the graph.
    covered: HashSet<u64>,
    /// Vectors added since the graph was saved.
    unsaved: usize,
}

impl Graph {
    /// Takes up the graph saved in `folder` if it is whole, else starts an empty one.
    pub(crate) fn open(folder: &Path, dimension: usize, catalogue: &Catalogue) -> Result<Self, String> {
        let threads = rayon::current_num_threads().max(2) * 2;
        let mut state = new_state(dimension, threads)?;
        if let Some(loaded) = load(folder, dimension, threads) {
            state = loaded;
        }
        let pending = state.lacks(catalogue);
        let permits = bounded(threads);
        for _ in 0..threads {
            permits.0.try_send(()).map_err(|error| error.to_string())?;
        }
        Ok(Self {
            size: AtomicU64::new(state.index.size() as u64),
            pending_vectors: AtomicU64::new(vectors(pending.values())),
            state: RwLock::new(state),
            pending: Mutex::new(pending),
            latest: Mutex::new(catalogue.clone()),
            broken: AtomicBool::new(false),
            dimension,
            threads,
            permits,
        })
    }

    /// Tells of a commit.
    pub(crate) fn update(&self, catalogue: &Catalogue, added: &[Arc<Entry>], removed: &[u64]) {
        let mut pending = self.pending.lock();
        for entry in added {
            pending.insert(entry.info.sequence, Arc::clone(entry));
        }
        for sequence in removed {
            pending.remove(sequence);
        }
        self.pending_vectors.store(vectors(pending.values()), Ordering::Relaxed);
        drop(pending);
        *self.latest.lock() = catalogue.clone();
    }

    /// As `update`, where what was added and removed is not known.
    pub(crate) fn follow(&self, catalogue: &Catalogue) {
        let state = self.state.read();
        let mut pending = self.pending.lock();
        *pending = state.lacks(catalogue);
        self.pending_vectors.store(vectors(pending.values()), Ordering::Relaxed);
        drop((pending, state));
        *self.latest.lock() = catalogue.clone();
    }

    /// Whether asking the graph and scanning what it lacks is worth more than scanning all `total` vectors.
    pub(crate) fn covers(&self, total: u64) -> bool {
        let pending = self.pending_vectors.load(Ordering::Relaxed);
        self.size.load(Ordering::Relaxed) > 0 && pending <= total / 4 && !self.broken.load(Ordering::Relaxed)
    }

    /// Entries that are not in the graph yet.
    pub(crate) fn pending(&self) -> Vec<Arc<Entry>> {
        self.pending.lock().values().cloned().collect()
    }

    /// About `wanted` chunks near to `query` among those that are `alive`; none when the graph is being
    /// grown, or finds too few.
    pub(crate) fn nearest(&self, query: &[i8], wanted: usize, alive: impl Fn(ChunkId) -> bool) -> Option<Vec<ChunkId>> {
        let state = self.state.try_read()?;
        self.permits.1.recv().ok()?;
        let found = state.index.filtered_search(query, wanted, |key| alive(ChunkId(key)));
        // The channel has room for every permit that was taken from it.
        let _ = self.permits.0.try_send(());
        let found = found.ok()?;
        (found.keys.len() >= wanted.min(state.index.size())).then(|| found.keys.into_iter().map(ChunkId).collect())
    }

    /// Adds a batch of pending vectors; false when there is nothing to do.
    fn grow(&self) -> bool {
        if self.broken.load(Ordering::Relaxed) || self.latest.lock().vectors() <= SCAN_LIMIT {
            return false;
        }
        let mut batch = Vec::new();
        let mut count = 0;
        for entry in self.pending.lock().values() {
            batch.push(Arc::clone(entry));
            count += entry.embeddings.len();
            if count >= BATCH {
                break;
            }
        }
        if batch.is_empty() {
            return false;
        }
        let result = {
            let mut state = self.state.write();
            let result = state.add(&batch, count, self.threads);
            self.size.store(state.index.size() as u64, Ordering::Relaxed);
            result
        };
        if let Err(reason) = result {
            tracing::warn!(%reason, "the vector graph cannot grow; vectors are scanned from now on");
            self.broken.store(true, Ordering::Relaxed);
            return false;
        }
        let mut pending = self.pending.lock();
        let gone = batch.iter().filter_map(|entry| pending.remove(&entry.info.sequence)).collect::<Vec<_>>();
        self.pending_vectors.fetch_sub(vectors(gone.iter()), Ordering::Relaxed);
        true
    }

    /// Starts over when a third of the graph is dead.
    fn sweep(&self) {
        let latest = self.latest.lock().clone();
        let covered = latest.vectors().saturating_sub(self.pending_vectors.load(Ordering::Relaxed));
        let size = self.size.load(Ordering::Relaxed);
        if size < SCAN_LIMIT || size.saturating_sub(covered) <= size / 3 {
            return;
        }
        let Ok(fresh) = new_state(self.dimension, self.threads) else { return };
        let mut pending = self.pending.lock();
        *self.state.write() = fresh;
        self.size.store(0, Ordering::Relaxed);
        *pending = latest.entries().map(|entry| (entry.info.sequence, Arc::clone(entry))).collect();
        self.pending_vectors.store(vectors(pending.values()), Ordering::Relaxed);
    }

    /// Saves the graph when enough of it is new to be worth the writing.
    fn save(&self, folder: &Path, least: usize) {
        let state = self.state.read();
        if state.unsaved <= least {
            return;
        }
        if let Err(reason) = store(folder, &state) {
            tracing::warn!(%reason, "cannot save the vector graph; it is built again at the next start");
            return;
        }
        drop(state);
        self.state.write().unsaved = 0;
    }
}

fn vectors<'entries>(entries: impl Iterator<Item = &'entries Arc<Entry>>) -> u64 {
    entries.map(|entry| entry.embeddings.len() as u64).sum()
}

impl State {
    /// What is in the catalogue but not in the graph.
    fn lacks(&self, catalogue: &Catalogue) -> HashMap<u64, Arc<Entry>> {
        let entries = catalogue.entries().filter(|entry| !self.covered.contains(&entry.info.sequence));
        entries.map(|entry| (entry.info.sequence, Arc::clone(entry))).collect()
    }

    fn add(&mut self, batch: &[Arc<Entry>], count: usize, threads: usize) -> Result<(), String> {
        let needed = self.index.size() + count;
        if needed > self.index.capacity() {
            let capacity = (needed + needed / 2).max(SCAN_LIMIT as usize * 2);
            self.index.reserve_capacity_and_threads(capacity, threads).map_err(|error| error.to_string())?;
        }
        let index = &self.index;
        batch
            .par_iter()
            .flat_map_iter(|entry| (0..entry.embeddings.len()).map(move |ordinal| (entry, ordinal)))
            .try_for_each(|(entry, ordinal)| match entry.embeddings.get(ordinal) {
                Some((codes, _)) if !index.contains(entry.id(ordinal).0) => {
                    index.add(entry.id(ordinal).0, codes).map_err(|error| error.to_string())
                }
                _ => Ok(()),
            })?;
        self.covered.extend(batch.iter().map(|entry| entry.info.sequence));
        self.unsaved += count;
        Ok(())
    }
}

fn new_index(dimension: usize) -> Result<Index, String> {
    let options = IndexOptions {
        dimensions: dimension,
        metric: MetricKind::Cos,
        quantization: ScalarKind::I8,
        connectivity: CONNECTIVITY,
        expansion_add: EXPANSION_ADD,
        expansion_search: EXPANSION_SEARCH,
        multi: false,
    };
    Index::new(&options).map_err(|error| error.to_string())
}

fn new_state(dimension: usize, threads: usize) -> Result<State, String> {
    let index = new_index(dimension)?;
    index.reserve_capacity_and_threads(0, threads).map_err(|error| error.to_string())?;
    Ok(State { index, covered: HashSet::new(), unsaved: 0 })
}

/// What stands beside the graph's file; written after it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Manifest {
    digest: String,
    dimension: usize,
    covered: HashSet<u64>,
}

fn paths(folder: &Path) -> (PathBuf, PathBuf) {
    (folder.join("graph.usearch"), folder.join("graph.json"))
}

fn store(folder: &Path, state: &State) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let (graph, manifest) = paths(folder);
    let draft = graph.with_extension("draft");
    let name = draft.to_str().ok_or("the folder's name is not UTF-8")?;
    std::fs::create_dir_all(folder).map_err(text)?;
    state.index.save(name).map_err(|error| error.to_string())?;
    let content = Manifest {
        digest: digest(&draft).map_err(text)?,
        dimension: state.index.dimensions(),
        covered: state.covered.clone(),
    };
    let content = serde_json::to_vec(&content).map_err(|error| error.to_string())?;
    std::fs::rename(&draft, &graph).map_err(text)?;
    let draft = manifest.with_extension("draft");
    std::fs::write(&draft, content).map_err(text)?;
    std::fs::rename(&draft, &manifest).map_err(text)
}

fn load(folder: &Path, dimension: usize, threads: usize) -> Option<State> {
    let (graph, manifest) = paths(folder);
    let manifest: Manifest = serde_json::from_slice(&std::fs::read(manifest).ok()?).ok()?;
    if manifest.dimension != dimension || manifest.digest != digest(&graph).ok()? {
        return None;
    }
    let index = new_index(dimension).ok()?;
    index.load(graph.to_str()?).ok()?;
    index.reserve_capacity_and_threads(index.size(), threads).ok()?;
    index.change_expansion_add(EXPANSION_ADD);
    index.change_expansion_search(EXPANSION_SEARCH);
    Some(State { index, covered: manifest.covered, unsaved: 0 })
}

fn digest(path: &Path) -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// The thread that grows a graph; ends when dropped.
pub(crate) struct Grower {
    activity: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Grower {
    pub(crate) fn start(graph: Arc<Graph>, folder: PathBuf) -> std::io::Result<Self> {
        let (activity, changes) = bounded(1);
        let thread = std::thread::Builder::new()
            .name("vector-graph".to_owned())
            .spawn(move || run(&graph, &changes, &folder))?;
        Ok(Self { activity: Some(activity), thread: Some(thread) })
    }

    /// The writer is at work: leave it the cores.
    pub(crate) fn touch(&self) {
        if let Some(activity) = &self.activity {
            // A full channel already says so.
            let _ = activity.try_send(());
        }
    }
}

impl Drop for Grower {
    fn drop(&mut self) {
        self.activity = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Growing has threads of its own, half of the cores: queries verify patterns on the shared ones.
fn run(graph: &Graph, changes: &Receiver<()>, folder: &Path) {
    let threads = (rayon::current_num_threads() / 2).max(1);
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
        Ok(pool) => pool.install(|| follow(graph, changes, folder)),
        Err(reason) => tracing::warn!(%reason, "the vector graph has no threads; vectors are scanned"),
    }
}

fn follow(graph: &Graph, changes: &Receiver<()>, folder: &Path) {
    loop {
        match changes.recv_timeout(IDLE) {
            // A writer that never rests must not starve the graph for ever: a batch a change is a small share.
            Ok(()) if graph.pending_vectors.load(Ordering::Relaxed) > SCAN_LIMIT => {
                graph.grow();
            }
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => {
                graph.sweep();
                while changes.is_empty() && !is_closed(changes) && graph.grow() {}
                let size = graph.size.load(Ordering::Relaxed) as usize;
                graph.save(folder, size / 20);
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    graph.save(folder, 0);
}

/// The sender is gone: the index is being closed.
fn is_closed(changes: &Receiver<()>) -> bool {
    matches!(changes.try_recv(), Err(crossbeam_channel::TryRecvError::Disconnected))
}

#[cfg(test)]
impl Graph {
    /// Grows to the end, whatever the writer does.
    pub(crate) fn grow_fully(&self) {
        while self.grow() {}
    }

    /// As if the process ended in order.
    pub(crate) fn save_now(&self, folder: &Path) {
        self.save(folder, 0);
    }
}
