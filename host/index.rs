//! The indexes that are derived from the store: text, vectors, patterns, symbols, and the catalogue of
//! live documents. Knows nothing of HTTP, plugins or SQL. One writer applies changes and commits;
//! readers hold a `Snapshot`, which never changes under them.

use std::path::Path;
use std::sync::Arc;

mod highlight;

use crate::query::{ChunkId, Hits, Probe, RetrievalError, Scope};

/// One version of a document, as the store holds it; what all indexes derive from.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentVersion {
    /// Store sequence of this version; grows with every change, never reused.
    pub sequence: u64,
    /// Stable identity of the document over its versions.
    pub document: u64,
    /// 0 for posted documents, else the id of the indexed root.
    pub root: u64,
    /// Relative to its root, `/` between parts; for posted documents their own path or id.
    pub path: String,
    /// Lower-case name (`rust`, `python`, `markdown` …), if known.
    pub language: Option<String>,
    pub title: Option<String>,
    /// Unix seconds of the last change of the source.
    pub modified: i64,
    pub content: String,
}

/// A change ready to be applied: chunked and embedded, so that `apply` only writes.
pub enum Change {
    Upsert(Box<Prepared>),
    /// The document is gone as of `sequence`.
    Remove { document: u64, sequence: u64 },
}

/// A document version with its chunks and their embeddings.
pub struct Prepared {
    pub version: DocumentVersion,
    // the index's own: chunks, embeddings
}

/// What is known of a live document without touching the disk.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentInfo {
    pub sequence: u64,
    pub document: u64,
    pub root: u64,
    pub path: Arc<str>,
    pub language: Option<Arc<str>>,
    pub title: Option<Arc<str>>,
    pub modified: i64,
    /// Bytes of its content.
    pub size: u64,
    pub chunks: u32,
}

/// One chunk with its document, as hits and rankers need it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChunkInfo {
    pub id: ChunkId,
    pub document: Arc<DocumentInfo>,
    /// From 1, inclusive.
    pub first_line: u32,
    /// From 1, inclusive.
    pub last_line: u32,
    /// Byte range within the document's content.
    pub start: u32,
    pub end: u32,
    /// Names that it defines, the outermost first.
    pub symbols: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct IndexStats {
    pub documents: u64,
    pub chunks: u64,
    /// Bytes of source text.
    pub content_bytes: u64,
    /// Bytes on disk of all derived indexes.
    pub index_bytes: u64,
    /// Store sequence that a new snapshot reflects.
    pub generation: u64,
    pub vectors: u64,
    pub dimension: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("cannot open the index in {folder}: {reason}")]
    Open { folder: String, reason: String },
    #[error("cannot write the index: {0}")]
    Write(String),
    #[error("cannot read the index: {0}")]
    Read(String),
    #[error("cannot load the embedding model: {0}")]
    Model(String),
}

pub struct Index {}

impl Index {
    /// Opens or creates the derived indexes below `folder`. Damage or another format version is no
    /// error: the index starts empty, `applied` says 0, and the caller replays the store.
    pub fn open(_folder: &Path) -> Result<Self, IndexError> {
        Err(IndexError::Write("not built yet".into()))
    }

    /// The store sequence up to which every change is committed here.
    pub fn applied(&self) -> u64 {
        0
    }

    /// Chunks and embeds; pure CPU, safe to call from many threads at once.
    pub fn prepare(&self, version: DocumentVersion) -> Prepared {
        Prepared { version }
    }

    /// Takes changes in, not yet visible. One caller at a time.
    pub fn apply(&self, _changes: Vec<Change>) -> Result<(), IndexError> {
        Ok(())
    }

    /// Makes everything applied so far durable and visible as generation `sequence`.
    pub fn commit(&self, _sequence: u64) -> Result<(), IndexError> {
        Ok(())
    }

    /// A consistent view; cheap (an `Arc` clone).
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {}
    }
}

/// A consistent read view of all indexes. All methods are blocking CPU or page-cache work: call them
/// from a blocking thread.
#[derive(Clone)]
pub struct Snapshot {}

impl Snapshot {
    /// The store sequence that this view reflects.
    pub fn generation(&self) -> u64 {
        0
    }

    pub fn stats(&self) -> IndexStats {
        IndexStats::default()
    }

    /// Runs one probe within a scope. `deadline` is checked while verifying patterns.
    pub fn probe(&self, _probe: &Probe, _scope: &Scope, _deadline: std::time::Instant) -> Result<Hits, RetrievalError> {
        Err(RetrievalError::Unavailable("not built yet".into()))
    }

    /// None for each chunk that this view does not hold.
    pub fn chunks(&self, _ids: &[ChunkId]) -> Vec<Option<ChunkInfo>> {
        vec![]
    }

    /// The whole content of a document version, if live in this view.
    pub fn content(&self, _sequence: u64) -> Result<Option<Arc<str>>, IndexError> {
        Ok(None)
    }

    /// Row by row, `dimension` numbers each, unit length; zeros where a chunk has no embedding.
    pub fn embeddings(&self, _ids: &[ChunkId]) -> (u32, Vec<f32>) {
        (0, vec![])
    }

    /// The analysed (lower-cased, split, stemmed as the text index does it) distinct terms of a text.
    pub fn terms(&self, _text: &str) -> Vec<String> {
        vec![]
    }

    /// Live documents, in no order.
    pub fn documents(&self) -> Vec<Arc<DocumentInfo>> {
        vec![]
    }
}
