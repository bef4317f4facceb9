//! The seam to an engine elsewhere that holds all chunks and answers look-ups instead of the indexes on this host's
//! disk. Here is what both sides must agree on: how a document becomes chunks, terms and vectors, how a probe is
//! read, and how hits are scored. Knows nothing of how the engine stores or finds anything.

/// Scores of text hits.
pub(crate) mod bm25;
/// A text probe as terms.
pub(crate) mod question;
/// Which terms a chunk has.
pub(crate) mod terms;

use std::collections::HashMap;
use std::sync::Arc;

use super::embed::{BuiltIn, Embedder};
use super::vector::Embeddings;
use super::{ChunkInfo, Deadline, DocumentInfo, DocumentVersion, Index, IndexError, IndexStats, Snapshot};
use crate::query::{ChunkId, Hits, Probe, RetrievalError, Scope};

pub(crate) use super::pattern::expression::Expression;
pub(crate) use super::pattern::plan::Plan;
pub(crate) use super::pattern::trigram::CASED;
pub(crate) use super::vector::{Needle, wanted};

/// Changes whenever documents are read differently; what was written with another number is written anew.
const FORMAT: u32 = 1;

/// An engine that several hosts ask. Except for `generation`, `stats` and `embedder`, all methods wait for it: call them from a
/// blocking thread.
pub trait Engine: Send + Sync + 'static {
    /// The store sequence that the engine is known to reflect; what it finds may be newer.
    fn generation(&self) -> u64;

    /// As of `generation`.
    fn stats(&self) -> IndexStats;

    /// The model that the engine's vectors are of.
    fn embedder(&self) -> Arc<dyn Embedder>;

    /// One probe within a scope, its limit and the name of a symbol already checked.
    fn probe(&self, probe: &Probe, scope: &Scope, deadline: &Deadline) -> Result<Hits, RetrievalError>;

    /// In the order of `ids`; none for each chunk that is not there any more.
    fn chunks(&self, ids: &[ChunkId]) -> Result<Vec<Option<ChunkInfo>>, IndexError>;

    /// The whole contents of document versions that are there.
    fn contents(&self, sequences: &[u64]) -> Result<HashMap<u64, Arc<str>>, IndexError>;

    /// The codes of embeddings (see `decode`) of chunks that have one.
    fn embeddings(&self, ids: &[ChunkId]) -> Result<HashMap<ChunkId, Vec<u8>>, IndexError>;

    /// All documents, in no order.
    fn documents(&self) -> Result<Vec<Arc<DocumentInfo>>, IndexError>;
}

/// What answers the look-ups of queries: the indexes of this host, or an engine elsewhere. Cheap to clone.
#[derive(Clone)]
pub enum Searched {
    Here(Arc<Index>),
    Elsewhere(Arc<dyn Engine>),
}

impl Searched {
    /// A view for one query; cheap.
    pub fn snapshot(&self) -> Snapshot {
        match self {
            Self::Here(index) => index.snapshot(),
            Self::Elsewhere(engine) => Snapshot::elsewhere(Arc::clone(engine)),
        }
    }
}

impl From<Arc<Index>> for Searched {
    fn from(index: Arc<Index>) -> Self {
        Self::Here(index)
    }
}

/// A document version as an engine stores it.
pub(crate) struct Document {
    pub(crate) info: DocumentInfo,
    pub(crate) chunks: Vec<Chunk>,
}

/// One chunk of it; their texts, one after the other, are the document's content.
pub(crate) struct Chunk {
    /// From 1, inclusive.
    pub(crate) first_line: u32,
    /// From 1, inclusive.
    pub(crate) last_line: u32,
    /// Byte range within the content.
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) body: String,
    /// Enclosing and own names, the outermost first.
    pub(crate) names: Vec<String>,
    /// Own names with the lines of their definitions.
    pub(crate) symbols: Vec<(String, u32)>,
    pub(crate) terms: terms::Terms,
    /// None for a text without any known word.
    pub(crate) embedding: Option<Embedding>,
}

/// A vector of unit length in both precisions.
pub(crate) struct Embedding {
    pub(crate) exact: Vec<f32>,
    /// Scale and codes, as the local index quantizes it: see `decode`.
    pub(crate) codes: Vec<u8>,
}

/// Cuts, analyses and embeds documents and questions for an engine. Cheap to clone.
#[derive(Clone)]
pub struct Analysis {
    embedder: Arc<BuiltIn>,
}

impl Analysis {
    pub fn load() -> Result<Self, IndexError> {
        Ok(Self { embedder: BuiltIn::shared()? })
    }

    pub(crate) fn embedder(&self) -> Arc<dyn Embedder> {
        self.embedder.clone()
    }

    /// Numbers of a vector.
    pub(crate) fn dimension(&self) -> usize {
        self.embedder.dimension()
    }

    /// Equal for what can be compared: the way of reading documents, and the embedding model.
    pub(crate) fn format(&self) -> String {
        format!("{FORMAT}:{}", self.embedder.digest())
    }

    /// Pure CPU, safe to call from many threads at once.
    pub(crate) fn document(&self, version: DocumentVersion) -> Document {
        let super::Prepared { version, chunks, embeddings } = super::prepare(&*self.embedder, version);
        let info = DocumentInfo::of(&version, chunks.len());
        let chunk = |(ordinal, chunk): (usize, super::chunk::Chunk)| {
            let body = version.content.get(chunk.start as usize..chunk.end as usize).unwrap_or_default();
            let names = chunk.names();
            let title = info.title.as_deref().unwrap_or_default();
            Chunk {
                first_line: chunk.first_line,
                last_line: chunk.last_line,
                start: chunk.start,
                end: chunk.end,
                terms: terms::Terms::of([body, title, &names.join("\n"), &info.path]),
                body: body.to_owned(),
                names,
                symbols: chunk.symbols.into_iter().map(|symbol| (symbol.name, symbol.line)).collect(),
                embedding: embeddings.get(ordinal).map(|(codes, scale)| {
                    let exact = codes.iter().map(|code| f32::from(*code) * scale).collect();
                    Embedding { exact, codes: encode(codes, scale) }
                }),
            }
        };
        let chunks = chunks.into_iter().enumerate().map(chunk).collect();
        Document { info, chunks }
    }

    /// The vector of a question; none when it has no known word.
    pub(crate) fn question(&self, text: &str) -> Option<Vec<f32>> {
        let vector = self.embedder.embed(text);
        vector.iter().any(|value| *value != 0.0).then_some(vector)
    }
}

/// The scale in four little-endian bytes, then the codes.
fn encode(codes: &[i8], scale: f32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + codes.len());
    bytes.extend(scale.to_le_bytes());
    bytes.extend(codes.iter().map(|code| code.cast_unsigned()));
    bytes
}

/// Codes and scale of an embedding; none for foreign bytes.
pub(crate) fn decode(bytes: &[u8], dimension: usize) -> Option<(Vec<i8>, f32)> {
    let (scale, codes) = bytes.split_first_chunk::<4>()?;
    let codes: Vec<i8> = codes.iter().map(|code| code.cast_signed()).collect();
    (codes.len() == dimension).then(|| (codes, f32::from_le_bytes(*scale)))
}

/// Writes an encoded embedding into a row of numbers; zeros for foreign bytes.
pub(crate) fn decode_into(bytes: &[u8], row: &mut [f32]) {
    let mut embeddings = Embeddings::new(row.len(), 0);
    if let Some((codes, scale)) = decode(bytes, row.len()) {
        embeddings.push_coded(codes.into_iter(), scale);
    }
    embeddings.decode_into(0, row);
}
