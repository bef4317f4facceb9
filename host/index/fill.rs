//! Fills in the space of a better, dearer model behind the built-in one: one thread embeds what the newest view has
//! and the space lacks, chunk by chunk, and gives the space to the view when nothing is lacking any more. Until then
//! the view answers from the built-in model. Knows nothing of probes.

/// The file of finished vectors.
mod ledger;

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded, never, select};
use parking_lot::{Condvar, Mutex};

use super::catalogue::{Catalogue, Entry};
use super::embed::{self, Embedder};
use super::snapshot::View;
use super::space::Space;
use super::vector::graph::{Graph, Grower};
use super::vector::{Embeddings, Vectors};
use super::{BetterModel, IndexError, ModelStats};
use ledger::{Ledger, TextDigest, digest_of};

/// How long after a failure to try again.
const RETRY: Duration = Duration::from_secs(30);

/// After so long without a new view, vectors of texts that are in none go. Not at once: an index that is derived again
/// begins empty, and is to find them.
const SETTLED: Duration = Duration::from_secs(600);

/// The handle of the thread; ends it when dropped.
pub(super) struct Filler {
    pub(super) progress: Arc<Progress>,
    wake: Option<Sender<()>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How far the space is filled; what others see of the thread.
pub(super) struct Progress {
    pub(super) embedder: Arc<dyn Embedder>,
    state: Mutex<State>,
    /// The space was given to a view, or filling failed.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Chunks of the newest view that have been embedded, and those that have not.
    embedded: u64,
    backlog: u64,
    failure: Option<String>,
}

impl Progress {
    /// Nothing of so many chunks is filled.
    pub(super) fn of(model: &BetterModel, backlog: u64) -> Self {
        let state = Mutex::new(State { backlog, ..State::default() });
        Self { embedder: Arc::clone(&model.embedder), state, changed: Condvar::new() }
    }

    pub(super) fn stats(&self, answers: bool) -> ModelStats {
        let state = self.state.lock();
        ModelStats {
            embedded: state.embedded,
            backlog: state.backlog,
            answers,
            failure: state.failure.clone(),
            ..ModelStats::of(&*self.embedder)
        }
    }

    /// Waits until `view` says that it has the space, or filling has failed.
    pub(super) fn wait(&self, has_space: impl Fn() -> bool) -> Result<(), IndexError> {
        let mut state = self.state.lock();
        loop {
            if has_space() {
                return Ok(());
            }
            if let Some(failure) = &state.failure {
                return Err(IndexError::Model(failure.clone()));
            }
            self.changed.wait(&mut state);
        }
    }

    fn set(&self, embedded: u64, backlog: u64) {
        let mut state = self.state.lock();
        (state.embedded, state.backlog) = (embedded, backlog);
    }

    fn step(&self) {
        let mut state = self.state.lock();
        state.embedded += 1;
        state.backlog = state.backlog.saturating_sub(1);
    }

    fn end(&self, failure: Option<String>) {
        self.state.lock().failure = failure;
        self.changed.notify_all();
    }
}

impl Filler {
    /// Vectors are kept below the index's `folder`, and so is the graph over them.
    pub(super) fn start(
        model: &BetterModel,
        progress: Arc<Progress>,
        folder: &Path,
        published: Arc<ArcSwap<View>>,
    ) -> Result<Self, IndexError> {
        let failed = |error: std::io::Error| IndexError::Model(format!("{}: {error}", folder.display()));
        let embedder = &model.embedder;
        let name = embedder.digest().get(..16).unwrap_or(embedder.digest());
        let (kept, graphs) = (folder.join("models"), folder.join("vectors"));
        std::fs::create_dir_all(&kept).map_err(failed)?;
        drop_others(&kept, &graphs, name).map_err(failed)?;
        let ledger = Ledger::open(&kept.join(name), embedder.digest(), embedder.dimension()).map_err(failed)?;
        let graph_folder = graphs.join(name);
        let graph = Graph::open(&graph_folder, embedder.dimension(), &Catalogue::default());
        let graph = Arc::new(graph.map_err(IndexError::Model)?);
        let grower = Grower::start(Arc::clone(&graph), graph_folder).map_err(failed)?;

        let (wake, woken) = bounded(1);
        let (stop, stopped) = bounded(0);
        let worker = Worker {
            progress: Arc::clone(&progress),
            published,
            ledger,
            filled: Catalogue::default(),
            texts: HashMap::new(),
            graph,
            _grower: grower,
            rest: 100.0 / f64::from(model.core_percent.clamp(1, 100)) - 1.0,
            stopped,
        };
        let run = move || worker.run(&woken);
        let thread = std::thread::Builder::new().name("fill-model".to_owned()).spawn(run).map_err(failed)?;
        let filler = Self { progress, wake: Some(wake), stop: Some(stop), thread: Some(thread) };
        filler.wake();
        Ok(filler)
    }

    /// There is a new view.
    pub(super) fn wake(&self) {
        if let Some(wake) = &self.wake {
            // A full channel already says so.
            let _ = wake.try_send(());
        }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        (self.wake, self.stop) = (None, None);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Files of models that were configured before: what they hold will hardly be asked for again.
fn drop_others(kept: &Path, graphs: &Path, own: &str) -> std::io::Result<()> {
    for file in std::fs::read_dir(kept)? {
        let file = file?;
        if file.file_name() != own {
            std::fs::remove_file(file.path())?;
        }
    }
    // Beside its own graph's files, the built-in model has one folder for the graph of each other model.
    for file in std::fs::read_dir(graphs).into_iter().flatten() {
        let file = file?;
        if file.file_type()?.is_dir() && file.file_name() != own {
            std::fs::remove_dir_all(file.path())?;
        }
    }
    Ok(())
}

struct Worker {
    progress: Arc<Progress>,
    published: Arc<ArcSwap<View>>,
    ledger: Ledger,
    /// What is filled of the newest view, and perhaps of those before.
    filled: Catalogue,
    /// The texts of each filled document version.
    texts: HashMap<u64, Vec<TextDigest>>,
    graph: Arc<Graph>,
    _grower: Grower,
    /// Time to rest after work, as a multiple of the work.
    rest: f64,
    stopped: Receiver<()>,
}

/// Why filling ends early.
enum Halt {
    Stopped,
    Failed(String),
}

impl From<std::io::Error> for Halt {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(format!("the file of vectors: {error}"))
    }
}

impl Worker {
    fn run(mut self, woken: &Receiver<()>) {
        let (mut retry, mut settled) = (never(), never());
        loop {
            let mut is_settled = false;
            select! {
                recv(self.stopped) -> _ => return,
                recv(woken) -> message => if message.is_err() { return },
                recv(retry) -> _ => {}
                recv(settled) -> _ => is_settled = true,
            }
            let caught_up = catch_unwind(AssertUnwindSafe(|| self.catch_up(is_settled)));
            (retry, settled) = (never(), never());
            match caught_up.unwrap_or_else(|_| Err(Halt::Failed("the model panicked on a text".to_owned()))) {
                Ok(()) => {
                    self.progress.end(None);
                    if !is_settled {
                        settled = crossbeam_channel::after(SETTLED);
                    }
                }
                Err(Halt::Stopped) => return,
                Err(Halt::Failed(reason)) => {
                    tracing::warn!(
                        reason,
                        model = self.progress.embedder.name(),
                        "vectors are not filled in; again later"
                    );
                    self.progress.end(Some(reason));
                    retry = crossbeam_channel::after(RETRY);
                }
            }
        }
    }

    /// Until the newest view has its space. `is_settled`: dead vectors may go.
    fn catch_up(&mut self, is_settled: bool) -> Result<(), Halt> {
        let began = Instant::now();
        loop {
            let published = Arc::clone(&self.published);
            let view = published.load_full();
            self.forget_dead(&view);
            let entries = view.catalogue().entries();
            let mut missing: Vec<&Arc<Entry>> =
                entries.filter(|entry| self.filled.get(entry.info.sequence).is_none()).collect();
            missing.sort_unstable_by_key(|entry| entry.info.sequence);
            let is_old = || !Arc::ptr_eq(&view, &published.load());
            let chunks = view.chunks();
            self.progress.set(self.filled.chunks(), chunks.saturating_sub(self.filled.chunks()));
            let some = !missing.is_empty();
            for entry in missing {
                self.fill(&view, entry)?;
                if is_old() {
                    break;
                }
            }
            if is_old() {
                continue;
            }
            if some || view.better().is_none() {
                self.graph.follow(&self.filled);
                let (embedder, catalogue) = (Arc::clone(&self.progress.embedder), self.filled.clone());
                view.set_better(Space { embedder, catalogue, vectors: Vectors { graph: Arc::clone(&self.graph) } });
            }
            // A collection that never rests makes room when this run has replaced more than is alive.
            if is_settled || self.ledger.is_worn(chunks) {
                let alive: HashSet<TextDigest> = self.texts.values().flatten().copied().collect();
                self.ledger.sweep(&alive)?;
            }
            if !is_old() {
                let seconds = began.elapsed().as_secs_f32();
                let model = self.progress.embedder.name();
                tracing::debug!(model, chunks, seconds, texts = self.ledger.len(), "vectors are filled in");
                return Ok(());
            }
        }
    }

    fn forget_dead(&mut self, view: &View) {
        let live = view.catalogue();
        let dead = self.filled.entries().map(|entry| entry.info.sequence).filter(|live_| live.get(*live_).is_none());
        for sequence in dead.collect::<Vec<u64>>() {
            self.filled.remove(sequence);
            self.texts.remove(&sequence);
        }
    }

    fn fill(&mut self, view: &View, entry: &Arc<Entry>) -> Result<(), Halt> {
        let sequence = entry.info.sequence;
        let content = view.content(sequence).map_err(|error| Halt::Failed(error.to_string()))?.unwrap_or_default();
        let embedder = Arc::clone(&self.progress.embedder);
        let mut embeddings = Embeddings::new(embedder.dimension(), 0);
        let mut texts = Vec::with_capacity(entry.chunks.len());
        for chunk in entry.chunks.iter() {
            if self.stopped.try_recv() == Err(TryRecvError::Disconnected) {
                return Err(Halt::Stopped);
            }
            let text = embed::text_of(entry.info.title.as_deref(), &entry.info.path, chunk, &content);
            let digest = digest_of(&text);
            texts.push(digest);
            match self.ledger.get(&digest)? {
                Some((codes, scale)) => embeddings.push_coded(codes.into_iter(), scale),
                None => {
                    let began = Instant::now();
                    embeddings.push(&embedder.embed(&text));
                    let (codes, scale) = embeddings.last();
                    self.ledger.put(digest, codes, scale)?;
                    self.pause(began.elapsed())?;
                }
            }
            self.progress.step();
        }
        let (info, chunks) = (Arc::clone(&entry.info), Arc::clone(&entry.chunks));
        self.filled.insert(Arc::new(Entry { info, chunks, embeddings }));
        self.texts.insert(sequence, texts);
        Ok(())
    }

    fn pause(&self, worked: Duration) -> Result<(), Halt> {
        match self.stopped.recv_timeout(worked.mul_f64(self.rest)) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            _ => Err(Halt::Stopped),
        }
    }
}

#[cfg(test)]
mod tests;
