//! Which models the vectors of an index are of, and the better one that an operator may give it.

use std::path::Path;
use std::sync::Arc;

use super::IndexError;
use super::embed::Embedder;
use super::embed::folder::FolderModel;

/// A model whose vectors are filled in behind those of the built-in one. Cheap to clone.
#[derive(Clone)]
pub struct BetterModel {
    pub embedder: Arc<dyn Embedder>,
    /// Of one core, what filling in may take: 1 to 100.
    pub core_percent: u32,
}

impl BetterModel {
    /// Reads a model in sentence-transformers' layout; takes a second.
    pub fn load(folder: &Path, core_percent: u32) -> Result<Self, IndexError> {
        Ok(Self { embedder: Arc::new(FolderModel::load(folder)?), core_percent })
    }
}

/// What an index has of one model.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct ModelStats {
    pub name: String,
    /// Of its files, in hexadecimal digits.
    pub digest: String,
    /// Numbers of a vector.
    pub dimension: u32,
    /// Chunks that it has embedded.
    pub embedded: u64,
    /// Chunks that it has still to embed.
    pub backlog: u64,
    /// Vector probes are answered from its vectors.
    pub answers: bool,
    /// Why the backlog does not shrink at present.
    pub failure: Option<String>,
}

impl ModelStats {
    pub(crate) fn of(embedder: &dyn Embedder) -> Self {
        Self {
            name: embedder.name().to_owned(),
            digest: embedder.digest().to_owned(),
            dimension: embedder.dimension() as u32,
            ..Self::default()
        }
    }

    /// Share of the chunks that it has embedded, 0 to 1; 1 when there are none.
    pub fn coverage(&self) -> f64 {
        let all = self.embedded + self.backlog;
        if all == 0 { 1.0 } else { self.embedded as f64 / all as f64 }
    }
}
