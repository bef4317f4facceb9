//! The read side: one generation of all indexes together, or an engine elsewhere that stands for them. Decides
//! nothing but which index answers.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::catalogue::Catalogue;
use super::embed::Embedder;
use super::pattern::{PathOrder, PatternReader};
use super::remote::{self, Engine};
use super::text::TextReader;
use super::vector::Vectors;
use super::{ChunkInfo, Deadline, DocumentInfo, IndexError, IndexStats, Writer, disk, symbol, tokenize};
use crate::query::{ChunkId, Hits, Probe, RetrievalError, Scope};

/// Hits that one probe may ask for: what an export takes at most.
const MAX_LIMIT: u32 = 10_000;

/// One published generation.
pub(super) struct View {
    generation: u64,
    catalogue: Catalogue,
    text: TextReader,
    patterns: PatternReader,
    vectors: Vectors,
    embedder: Arc<Embedder>,
    stats: IndexStats,
    /// Made by the first pattern probe.
    order: OnceLock<PathOrder>,
}

impl View {
    pub(super) fn of(
        writer: &Writer,
        embedder: &Arc<Embedder>,
        vectors: &Vectors,
        folder: &Path,
    ) -> Result<Self, IndexError> {
        let catalogue = writer.catalogue.clone();
        let stats = IndexStats {
            documents: catalogue.documents(),
            chunks: catalogue.chunks(),
            content_bytes: catalogue.content_bytes(),
            index_bytes: disk::bytes_below(folder),
            generation: writer.generation,
            vectors: catalogue.vectors(),
            dimension: embedder.dimension() as u32,
        };
        Ok(Self {
            generation: writer.generation,
            catalogue,
            text: writer.text.reader()?,
            patterns: writer.patterns.reader()?,
            vectors: vectors.clone(),
            embedder: Arc::clone(embedder),
            stats,
            order: OnceLock::new(),
        })
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }
}

/// A read view of all indexes; of this host's own ones a consistent one. All methods except `generation` and
/// `stats` are blocking work: call them from a blocking thread.
#[derive(Clone)]
pub struct Snapshot {
    source: Source,
}

#[derive(Clone)]
enum Source {
    Here(Arc<View>),
    /// With what the engine was known to reflect when the snapshot was taken.
    Elsewhere(Arc<dyn Engine>, u64),
}

impl Snapshot {
    pub(super) fn of(view: Arc<View>) -> Self {
        Self { source: Source::Here(view) }
    }

    pub(super) fn elsewhere(engine: Arc<dyn Engine>) -> Self {
        let generation = engine.generation();
        Self { source: Source::Elsewhere(engine, generation) }
    }

    /// The store sequence that this view reflects, at least.
    pub fn generation(&self) -> u64 {
        match &self.source {
            Source::Here(view) => view.generation,
            Source::Elsewhere(_, generation) => *generation,
        }
    }

    pub fn stats(&self) -> IndexStats {
        match &self.source {
            Source::Here(view) => view.stats.clone(),
            Source::Elsewhere(engine, _) => engine.stats(),
        }
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
            Source::Here(view) => view.probe(probe, scope, deadline),
            Source::Elsewhere(engine, _) => engine.probe(probe, scope, deadline),
        }
    }

    /// None for each chunk that this view does not hold.
    pub fn chunks(&self, ids: &[ChunkId]) -> Result<Vec<Option<ChunkInfo>>, IndexError> {
        match &self.source {
            Source::Here(view) => Ok(ids.iter().map(|id| view.catalogue.chunk_info(*id)).collect()),
            Source::Elsewhere(engine, _) => engine.chunks(ids),
        }
    }

    /// The whole content of a document version, if live in this view.
    pub fn content(&self, sequence: u64) -> Result<Option<Arc<str>>, IndexError> {
        match &self.source {
            Source::Here(view) => view.content(sequence),
            Source::Elsewhere(engine, _) => Ok(engine.contents(&[sequence])?.remove(&sequence)),
        }
    }

    /// As `content`, of those versions that are live, in one go.
    pub fn contents(&self, sequences: &[u64]) -> Result<HashMap<u64, Arc<str>>, IndexError> {
        match &self.source {
            Source::Here(view) => {
                let read = |sequence: &u64| Ok(view.content(*sequence)?.map(|content| (*sequence, content)));
                sequences.iter().filter_map(|sequence| read(sequence).transpose()).collect()
            }
            Source::Elsewhere(engine, _) => engine.contents(sequences),
        }
    }

    /// Row by row, `dimension` numbers each, unit length; zeros where a chunk has no embedding.
    pub fn embeddings(&self, ids: &[ChunkId]) -> Result<(u32, Vec<f32>), IndexError> {
        match &self.source {
            Source::Here(view) => Ok(view.embeddings(ids)),
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
            Source::Here(view) => Ok(view.catalogue.entries().map(|entry| Arc::clone(&entry.info)).collect()),
            Source::Elsewhere(engine, _) => engine.documents(),
        }
    }
}

impl View {
    fn probe(&self, probe: &Probe, scope: &Scope, deadline: &Deadline) -> Result<Hits, RetrievalError> {
        match probe {
            Probe::Text(probe) => self.text.probe(&self.catalogue, probe, scope),
            Probe::Vector(probe) => {
                let query = self.embedder.embed(&probe.text);
                self.vectors.probe(&self.catalogue, &query, probe.limit, probe.min_similarity, scope)
            }
            Probe::Pattern(probe) => {
                let order = self.order.get_or_init(|| PathOrder::of(&self.catalogue));
                self.patterns.probe(&self.catalogue, order, probe, scope, deadline)
            }
            Probe::Symbol(probe) => symbol::probe(&self.text, &self.catalogue, probe, scope, deadline),
        }
    }

    fn content(&self, sequence: u64) -> Result<Option<Arc<str>>, IndexError> {
        match self.catalogue.get(sequence) {
            Some(_) => self.patterns.content(sequence),
            None => Ok(None),
        }
    }

    fn embeddings(&self, ids: &[ChunkId]) -> (u32, Vec<f32>) {
        let dimension = self.embedder.dimension();
        let mut rows = vec![0.0; ids.len() * dimension];
        for (row, id) in rows.chunks_exact_mut(dimension).zip(ids) {
            if let Some((entry, ordinal)) = self.catalogue.chunk(*id) {
                entry.embeddings.decode_into(ordinal, row);
            }
        }
        (dimension as u32, rows)
    }
}
