//! A vector space: the embeddings of one model over the chunks of one view. A probe is answered by one space alone,
//! because similarities of different models cannot be compared. Knows nothing of how a space was filled.

use std::sync::Arc;

use super::catalogue::Catalogue;
use super::embed::Embedder;
use super::vector::Vectors;
use crate::query::{ChunkId, Hits, RetrievalError, Scope, VectorProbe};

#[derive(Clone)]
pub(super) struct Space {
    pub(super) embedder: Arc<dyn Embedder>,
    /// Every live document with its embeddings by this model.
    pub(super) catalogue: Catalogue,
    pub(super) vectors: Vectors,
}

impl Space {
    pub(super) fn probe(&self, probe: &VectorProbe, scope: &Scope) -> Result<Hits, RetrievalError> {
        let query = self.embedder.embed(&probe.text);
        self.vectors.probe(&self.catalogue, &query, probe.limit, probe.min_similarity, scope)
    }

    /// Row by row, and their length; zeros where a chunk has no embedding.
    pub(super) fn embeddings(&self, ids: &[ChunkId]) -> (u32, Vec<f32>) {
        let dimension = self.embedder.dimension();
        let mut rows = vec![0.0; ids.len() * dimension];
        for (row, id) in rows.chunks_exact_mut(dimension).zip(ids) {
            if let Some((entry, ordinal)) = self.catalogue.chunk(*id) {
                entry.embeddings.decode_into(ordinal, row);
            }
        }
        (dimension as u32, rows)
    }

    /// The space of the view that comes next, when that only lacks these document versions.
    pub(super) fn without(&self, removed: &[u64]) -> Self {
        let mut space = self.clone();
        for sequence in removed {
            space.catalogue.remove(*sequence);
        }
        space
    }
}
