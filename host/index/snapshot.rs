//! The read side: one generation of all indexes together, or an engine elsewhere that stands for them. Decides
//! nothing but which index answers.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::catalogue::Catalogue;
use super::embed::Embedder;
use super::fill::Progress;
use super::pattern::{PathOrder, PatternReader};
use super::remote::{self, Engine};
use super::space::Space;
use super::text::TextReader;
use super::{ChunkInfo, Deadline, DocumentInfo, IndexError, IndexStats, ModelStats, Writer, disk, symbol, tokenize};
use crate::query::{ChunkId, Hits, Probe, RetrievalError, Scope};

/// Hits that one probe may ask for: what an export takes at most.
const MAX_LIMIT: u32 = 10_000;

/// One published generation.
pub(super) struct View {
    generation: u64,
    catalogue: Catalogue,
    text: TextReader,
    patterns: PatternReader,
    /// Of the built-in model: complete from the start.
    plain: Arc<Space>,
    /// Of the better model, from when it is complete for this view.
    better: OnceLock<Arc<Space>>,
    /// How far the better model's space is; none: there is no such model.
    filling: Option<Arc<Progress>>,
    stats: IndexStats,
    /// Made by the first pattern probe.
    order: OnceLock<PathOrder>,
}

impl View {
    pub(super) fn of(
        writer: &Writer,
        plain: Space,
        filling: Option<Arc<Progress>>,
        folder: &Path,
    ) -> Result<Self, IndexError> {
        let catalogue = plain.catalogue.clone();
        let stats = IndexStats {
            documents: catalogue.documents(),
            chunks: catalogue.chunks(),
            content_bytes: catalogue.content_bytes(),
            index_bytes: disk::bytes_below(folder),
            generation: writer.generation,
            vectors: catalogue.vectors(),
            dimension: plain.embedder.dimension() as u32,
            models: vec![],
        };
        Ok(Self {
            generation: writer.generation,
            catalogue,
            text: writer.text.reader()?,
            patterns: writer.patterns.reader()?,
            plain: Arc::new(plain),
            better: OnceLock::new(),
            filling,
            stats,
            order: OnceLock::new(),
        })
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    pub(super) fn chunks(&self) -> u64 {
        self.catalogue.chunks()
    }

    /// The space of the better model, if it is complete.
    pub(super) fn better(&self) -> Option<&Arc<Space>> {
        self.better.get()
    }

    /// Snapshots that are taken from now on answer from `space`, which has every chunk of this view.
    pub(super) fn set_better(&self, space: Space) {
        // Whoever was first had the same vectors.
        let _ = self.better.set(Arc::new(space));
    }
}

/// A read view of all indexes; of this host's own ones a consistent one. All methods except `generation`,
/// `embedder` and `stats` are blocking work: call them from a blocking thread.
#[derive(Clone)]
pub struct Snapshot {
    source: Source,
}

#[derive(Clone)]
enum Source {
    /// With the space that answers vector probes.
    Here(Arc<View>, Arc<Space>),
    /// With what the engine was known to reflect when the snapshot was taken.
    Elsewhere(Arc<dyn Engine>, u64),
}

impl Snapshot {
    pub(super) fn of(view: Arc<View>) -> Self {
        let space = Arc::clone(view.better().unwrap_or(&view.plain));
        Self { source: Source::Here(view, space) }
    }

    pub(super) fn elsewhere(engine: Arc<dyn Engine>) -> Self {
        let generation = engine.generation();
        Self { source: Source::Elsewhere(engine, generation) }
    }

    /// The store sequence that this view reflects, at least.
    pub fn generation(&self) -> u64 {
        match &self.source {
            Source::Here(view, _) => view.generation,
            Source::Elsewhere(_, generation) => *generation,
        }
    }

    pub fn stats(&self) -> IndexStats {
        match &self.source {
            Source::Here(view, space) => view.stats_with(space),
            Source::Elsewhere(engine, _) => engine.stats(),
        }
    }

    /// The model whose vectors answer: the same as long as the snapshot lives. Together with `generation` it tells
    /// what a query finds.
    pub fn embedder(&self) -> Arc<dyn Embedder> {
        match &self.source {
            Source::Here(_, space) => Arc::clone(&space.embedder),
            Source::Elsewhere(engine, _) => engine.embedder(),
        }
    }

    /// Vector probes are answered by the better model, not by the built-in one.
    pub fn has_better_model(&self) -> bool {
        matches!(&self.source, Source::Here(view, space) if !Arc::ptr_eq(space, &view.plain))
    }

    /// Runs one probe within a scope. `deadline` is checked where a probe can take long.
    pub fn probe(&self, probe: &Probe, scope: &Scope, deadline: impl Into<Deadline>) -> Result<Hits, RetrievalError> {
        let deadline = &deadline.into();
        if deadline.is_abandoned() {
            return Err(RetrievalError::TimedOut);
        }
        let limit = probe.limit();
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(RetrievalError::BadProbe(format!("the limit is {limit}; use 1 to {MAX_LIMIT}")));
        }
        if matches!(probe, Probe::Symbol(symbol) if symbol.name.is_empty()) {
            return Err(RetrievalError::BadProbe("the name is empty; give at least one character".to_owned()));
        }
        match &self.source {
            Source::Here(view, space) => view.probe(space, probe, scope, deadline),
            Source::Elsewhere(engine, _) => engine.probe(probe, scope, deadline),
        }
    }

    /// None for each chunk that this view does not hold.
    pub fn chunks(&self, ids: &[ChunkId]) -> Result<Vec<Option<ChunkInfo>>, IndexError> {
        match &self.source {
            Source::Here(view, _) => Ok(ids.iter().map(|id| view.catalogue.chunk_info(*id)).collect()),
            Source::Elsewhere(engine, _) => engine.chunks(ids),
        }
    }

    /// The whole content of a document version, if live in this view.
    pub fn content(&self, sequence: u64) -> Result<Option<Arc<str>>, IndexError> {
        match &self.source {
            Source::Here(view, _) => view.content(sequence),
            Source::Elsewhere(engine, _) => Ok(engine.contents(&[sequence])?.remove(&sequence)),
        }
    }

    /// As `content`, of those versions that are live, in one go.
    pub fn contents(&self, sequences: &[u64]) -> Result<HashMap<u64, Arc<str>>, IndexError> {
        match &self.source {
            Source::Here(view, _) => {
                let read = |sequence: &u64| Ok(view.content(*sequence)?.map(|content| (*sequence, content)));
                sequences.iter().filter_map(|sequence| read(sequence).transpose()).collect()
            }
            Source::Elsewhere(engine, _) => engine.contents(sequences),
        }
    }

    /// Row by row, `dimension` numbers each, unit length; zeros where a chunk has no embedding.
    pub fn embeddings(&self, ids: &[ChunkId]) -> Result<(u32, Vec<f32>), IndexError> {
        match &self.source {
            Source::Here(_, space) => Ok(space.embeddings(ids)),
            Source::Elsewhere(engine, _) => {
                let (dimension, found) = (engine.stats().dimension as usize, engine.embeddings(ids)?);
                let mut rows = vec![0.0; ids.len() * dimension];
                for (row, id) in rows.chunks_exact_mut(dimension.max(1)).zip(ids) {
                    if let Some(bytes) = found.get(id) {
                        remote::decode_into(bytes, row);
                    }
                }
                Ok((dimension as u32, rows))
            }
        }
    }

    /// The analysed (lower-cased, split, stemmed as the text index does it) distinct terms of a text.
    pub fn terms(&self, text: &str) -> Vec<String> {
        tokenize::terms(text)
    }

    /// Live documents, in no order.
    pub fn documents(&self) -> Result<Vec<Arc<DocumentInfo>>, IndexError> {
        match &self.source {
            Source::Here(view, _) => Ok(view.catalogue.entries().map(|entry| Arc::clone(&entry.info)).collect()),
            Source::Elsewhere(engine, _) => engine.documents(),
        }
    }
}

impl View {
    fn stats_with(&self, answering: &Arc<Space>) -> IndexStats {
        let is_plain = Arc::ptr_eq(answering, &self.plain);
        let plain = ModelStats { embedded: self.chunks(), answers: is_plain, ..ModelStats::of(&*self.plain.embedder) };
        let better = self.filling.as_ref().map(|filling| filling.stats(!is_plain));
        IndexStats {
            vectors: answering.catalogue.vectors(),
            dimension: answering.embedder.dimension() as u32,
            models: [plain].into_iter().chain(better).collect(),
            ..self.stats.clone()
        }
    }

    fn probe(&self, space: &Space, probe: &Probe, scope: &Scope, deadline: &Deadline) -> Result<Hits, RetrievalError> {
        match probe {
            Probe::Text(probe) => self.text.probe(&self.catalogue, probe, scope),
            Probe::Vector(probe) => space.probe(probe, scope),
            Probe::Pattern(probe) => {
                let order = self.order.get_or_init(|| PathOrder::of(&self.catalogue));
                self.patterns.probe(&self.catalogue, order, probe, scope, deadline)
            }
            Probe::Symbol(probe) => symbol::probe(&self.text, &self.catalogue, probe, scope, deadline),
        }
    }

    pub(super) fn content(&self, sequence: u64) -> Result<Option<Arc<str>>, IndexError> {
        match self.catalogue.get(sequence) {
            Some(_) => self.patterns.content(sequence),
            None => Ok(None),
        }
    }
}
