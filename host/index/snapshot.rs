//! The read side: one generation of all indexes together. Decides nothing but which index answers.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::catalogue::Catalogue;
use super::embed::Embedder;
use super::pattern::{PathOrder, PatternReader};
use super::text::TextReader;
use super::vector::Vectors;
use super::{ChunkInfo, DocumentInfo, IndexError, IndexStats, Writer, disk, symbol, tokenize};
use crate::query::{ChunkId, Hits, Probe, RetrievalError, Scope};

/// Hits that one probe may ask for.
const MAX_LIMIT: u32 = 1000;

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

/// A consistent read view of all indexes. All methods are blocking CPU or page-cache work: call them
/// from a blocking thread.
#[derive(Clone)]
pub struct Snapshot {
    view: Arc<View>,
}

impl Snapshot {
    pub(super) fn of(view: Arc<View>) -> Self {
        Self { view }
    }

    /// The store sequence that this view reflects.
    pub fn generation(&self) -> u64 {
        self.view.generation
    }

    pub fn stats(&self) -> IndexStats {
        self.view.stats.clone()
    }

    /// Runs one probe within a scope. `deadline` is checked while verifying patterns.
    pub fn probe(&self, probe: &Probe, scope: &Scope, deadline: Instant) -> Result<Hits, RetrievalError> {
        let view = &*self.view;
        let limit = probe.limit();
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(RetrievalError::BadProbe(format!("the limit is {limit}; use 1 to {MAX_LIMIT}")));
        }
        match probe {
            Probe::Text(probe) => view.text.probe(&view.catalogue, probe, scope),
            Probe::Vector(probe) => {
                let query = view.embedder.embed(&probe.text);
                view.vectors.probe(&view.catalogue, &query, probe.limit, probe.min_similarity, scope)
            }
            Probe::Pattern(probe) => {
                let order = view.order.get_or_init(|| PathOrder::of(&view.catalogue));
                view.patterns.probe(&view.catalogue, order, probe, scope, deadline)
            }
            Probe::Symbol(probe) => symbol::probe(&view.text, &view.catalogue, probe, scope, deadline),
        }
    }

    /// None for each chunk that this view does not hold.
    pub fn chunks(&self, ids: &[ChunkId]) -> Vec<Option<ChunkInfo>> {
        ids.iter().map(|id| self.view.catalogue.chunk_info(*id)).collect()
    }

    /// The whole content of a document version, if live in this view.
    pub fn content(&self, sequence: u64) -> Result<Option<Arc<str>>, IndexError> {
        match self.view.catalogue.get(sequence) {
            Some(_) => self.view.patterns.content(sequence),
            None => Ok(None),
        }
    }

    /// Row by row, `dimension` numbers each, unit length; zeros where a chunk has no embedding.
    pub fn embeddings(&self, ids: &[ChunkId]) -> (u32, Vec<f32>) {
        let dimension = self.view.embedder.dimension();
        let mut rows = vec![0.0; ids.len() * dimension];
        for (row, id) in rows.chunks_exact_mut(dimension).zip(ids) {
            if let Some((entry, ordinal)) = self.view.catalogue.chunk(*id) {
                entry.embeddings.decode_into(ordinal, row);
            }
        }
        (dimension as u32, rows)
    }

    /// The analysed (lower-cased, split, stemmed as the text index does it) distinct terms of a text.
    pub fn terms(&self, text: &str) -> Vec<String> {
        tokenize::terms(text)
    }

    /// Live documents, in no order.
    pub fn documents(&self) -> Vec<Arc<DocumentInfo>> {
        self.view.catalogue.entries().map(|entry| Arc::clone(&entry.info)).collect()
    }
}
