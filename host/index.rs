//! The indexes that are derived from the store: text, vectors, patterns, symbols, and the catalogue of
//! live documents. Knows nothing of HTTP, plugins or SQL. One writer applies changes and commits;
//! readers hold a `Snapshot`, which never changes under them.

mod catalogue;
mod chunk;
mod deadline;
mod disk;
mod embed;
/// Vectors of texts that are in no index.
mod embedding;
mod fill;
mod format;
mod highlight;
/// Path to language and back.
pub mod language;
mod models;
mod pattern;
/// The seam to an engine elsewhere.
pub mod remote;
mod scope;
mod snapshot;
mod space;
mod symbol;
mod text;
mod tokenize;
mod vector;

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::query::ChunkId;
use catalogue::{Catalogue, Entry};
use chunk::Chunk;
pub use deadline::Deadline;
use embed::BuiltIn;
pub use embed::Embedder;
pub use embedding::TextEmbedder;
use fill::{Filler, Progress};
pub use highlight::Marker;
pub use models::{BetterModel, ModelStats};
use pattern::PatternIndex;
pub use remote::Searched;
pub use snapshot::Snapshot;
use snapshot::View;
use space::Space;
use text::TextIndex;
use vector::graph::{Graph, Grower};
use vector::{Embeddings, Vectors};

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
    Remove {
        document: u64,
        sequence: u64,
    },
}

/// A document version with its chunks and their embeddings.
pub struct Prepared {
    /// With its title from the text, where the source gave none.
    pub version: DocumentVersion,
    chunks: Vec<Chunk>,
    embeddings: Embeddings,
}

impl Prepared {
    /// How many chunks the document has; at least 1.
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }
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

impl DocumentInfo {
    fn of(version: &DocumentVersion, chunks: usize) -> Self {
        Self {
            sequence: version.sequence,
            document: version.document,
            root: version.root,
            path: version.path.as_str().into(),
            language: version.language.as_deref().map(Arc::from),
            title: version.title.as_deref().map(Arc::from),
            modified: version.modified,
            size: version.content.len() as u64,
            chunks: chunks as u32,
        }
    }
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
    /// Chunks with a vector of the model that answers.
    pub vectors: u64,
    /// Numbers of one.
    pub dimension: u32,
    /// The built-in model, and the better one if there is one.
    pub models: Vec<ModelStats>,
}

#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("cannot open the index in {folder}: {reason}; unless it may not be written, delete it: it is built again")]
    Open { folder: String, reason: String },
    #[error("another process has the index in {0} open: stop it, or use another data folder")]
    InUse(String),
    #[error("cannot write the index: {0}")]
    Write(String),
    #[error("cannot read the index: {0}")]
    Read(String),
    #[error("cannot load the embedding model: {0}")]
    Model(String),
}

/// The derived indexes below one folder, which they hold locked.
pub struct Index {
    folder: PathBuf,
    embedder: Arc<BuiltIn>,
    writer: Mutex<Writer>,
    published: Arc<ArcSwap<View>>,
    vectors: Vectors,
    // Dropped before the lock is released: it may still save.
    grower: Grower,
    /// None: there is no better model.
    filler: Option<Filler>,
    _lock: File,
}

/// What only the one writer touches.
struct Writer {
    text: TextIndex,
    patterns: PatternIndex,
    /// As the next commit will publish it.
    catalogue: Catalogue,
    /// Sequence of the live version by document.
    versions: HashMap<u64, u64>,
    /// Since the last commit.
    added: HashMap<u64, Arc<Entry>>,
    removed: Vec<u64>,
    generation: u64,
}

impl Index {
    /// Opens or creates the derived indexes below `folder`. Damage or another format version is no
    /// error: the index starts empty, `applied` says 0, and the caller replays the store. An index that
    /// another process has open is an error.
    pub fn open(folder: &Path) -> Result<Self, IndexError> {
        Self::open_with(folder, None)
    }

    /// As `open`, with a model whose vectors are filled in while the built-in one's answer, and answer themselves
    /// when there is one of every chunk.
    pub fn open_with(folder: &Path, better: Option<BetterModel>) -> Result<Self, IndexError> {
        let failed = |reason: String| IndexError::Open { folder: folder.display().to_string(), reason };
        std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        let lock = File::create(folder.join("lock")).map_err(|error| failed(error.to_string()))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => IndexError::InUse(folder.display().to_string()),
            TryLockError::Error(error) => failed(error.to_string()),
        })?;
        let embedder = BuiltIn::shared()?;
        let writer = match Writer::open(folder, &*embedder) {
            Ok(writer) => writer,
            Err(reason) => {
                tracing::warn!(%reason, folder = %folder.display(), "the index starts empty and is derived again");
                format::wipe(folder).map_err(|error| failed(error.to_string()))?;
                Writer::open(folder, &*embedder).map_err(failed)?
            }
        };
        let vectors_folder = folder.join("vectors");
        let graph = Graph::open(&vectors_folder, embedder.dimension(), &writer.catalogue).map_err(failed)?;
        let vectors = Vectors { graph: Arc::new(graph) };
        let grower =
            Grower::start(Arc::clone(&vectors.graph), vectors_folder).map_err(|error| failed(error.to_string()))?;
        let plain = Space { embedder: embedder.clone(), catalogue: writer.catalogue.clone(), vectors: vectors.clone() };
        let progress = better.as_ref().map(|model| Arc::new(Progress::of(model, writer.catalogue.chunks())));
        let published = Arc::new(ArcSwap::from_pointee(View::of(&writer, plain, progress.clone(), folder)?));
        let filler = match (better, progress) {
            (Some(model), Some(progress)) => Some(Filler::start(&model, progress, folder, published.clone())?),
            _ => None,
        };
        Ok(Self {
            folder: folder.to_owned(),
            embedder,
            writer: Mutex::new(writer),
            published,
            vectors,
            grower,
            filler,
            _lock: lock,
        })
    }

    /// The store sequence up to which every change is committed here.
    pub fn applied(&self) -> u64 {
        self.published.load().generation()
    }

    /// Chunks and embeds; pure CPU, safe to call from many threads at once.
    pub fn prepare(&self, version: DocumentVersion) -> Prepared {
        prepare(&*self.embedder, version)
    }

    /// Takes changes in, not yet visible. One caller at a time. A change that is older than what is
    /// known of its document is left out, so replaying is harmless.
    pub fn apply(&self, changes: Vec<Change>) -> Result<(), IndexError> {
        self.grower.touch();
        let mut writer = self.writer.lock();
        for change in changes {
            match change {
                Change::Upsert(prepared) => writer.upsert(*prepared)?,
                Change::Remove { document, sequence } => writer.remove(document, sequence),
            }
        }
        Ok(())
    }

    /// Makes everything applied so far durable and visible as generation `sequence`.
    pub fn commit(&self, sequence: u64) -> Result<(), IndexError> {
        self.grower.touch();
        let mut writer = self.writer.lock();
        if writer.generation == sequence && writer.added.is_empty() && writer.removed.is_empty() {
            return Ok(());
        }
        let Writer { text, patterns, .. } = &mut *writer;
        std::thread::scope(|scope| {
            let text = scope.spawn(|| text.commit(sequence));
            let patterns = patterns.commit(sequence);
            text.join()
                .unwrap_or_else(|_| Err(IndexError::Write("the text index's commit panicked".into())))
                .and(patterns)
        })?;
        writer.generation = sequence;
        let added: Vec<Arc<Entry>> = std::mem::take(&mut writer.added).into_values().collect();
        let removed = std::mem::take(&mut writer.removed);
        self.vectors.graph.update(&writer.catalogue, &added, &removed);
        self.publish(&writer, &added, &removed)
    }

    fn publish(&self, writer: &Writer, added: &[Arc<Entry>], removed: &[u64]) -> Result<(), IndexError> {
        let (embedder, vectors) = (self.embedder.clone(), self.vectors.clone());
        let plain = Space { embedder, catalogue: writer.catalogue.clone(), vectors };
        let filling = self.filler.as_ref().map(|filler| filler.progress.clone());
        let view = View::of(writer, plain, filling, &self.folder)?;
        // What only lost documents is still complete.
        let before = self.published.load();
        if let Some(better) = before.better().filter(|_| added.is_empty()) {
            view.set_better(better.without(removed));
        }
        self.published.store(Arc::new(view));
        if let Some(filler) = &self.filler {
            filler.wake();
        }
        Ok(())
    }

    /// Waits until the better model answers for all that is committed; at once where there is none.
    pub fn wait_for_model(&self) -> Result<(), IndexError> {
        match &self.filler {
            Some(filler) => filler.progress.wait(|| self.published.load().better().is_some()),
            None => Ok(()),
        }
    }

    /// A consistent view; cheap (an `Arc` clone).
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(self.published.load_full())
    }
}

fn prepare(embedder: &dyn Embedder, mut version: DocumentVersion) -> Prepared {
    if version.language.is_none() {
        version.language = language::language_of(&version.path).map(str::to_owned);
    }
    let cut = chunk::cut(version.language.as_deref(), &version.content);
    version.title = version.title.or(cut.title);
    let mut embeddings = Embeddings::new(embedder.dimension(), 0);
    for chunk in &cut.chunks {
        let text = embed::text_of(version.title.as_deref(), &version.path, chunk, &version.content);
        embeddings.push(&embedder.embed(&text));
    }
    Prepared { version, chunks: cut.chunks, embeddings }
}

impl Writer {
    fn open(folder: &Path, embedder: &dyn Embedder) -> Result<Self, String> {
        format::check(folder, embedder.digest())?;
        let text = TextIndex::open(&folder.join("text"))?;
        let patterns = PatternIndex::open(&folder.join("patterns"))?;
        // A crash between their commits leaves one ahead: what it has is applied again.
        let (text_generation, pattern_generation) = (text.generation()?, patterns.generation()?);
        if (text_generation == 0) != (pattern_generation == 0) {
            return Err("one of its two parts is empty".to_owned());
        }
        let generation = text_generation.min(pattern_generation);
        let catalogue = text.catalogue(embedder.dimension()).map_err(|error| error.to_string())?;
        let versions = catalogue.entries().map(|entry| (entry.info.document, entry.info.sequence)).collect();
        let (added, removed) = (HashMap::new(), Vec::new());
        Ok(Self { text, patterns, catalogue, versions, added, removed, generation })
    }

    fn upsert(&mut self, prepared: Prepared) -> Result<(), IndexError> {
        let Prepared { version, chunks, embeddings } = prepared;
        if self.versions.get(&version.document).is_some_and(|known| *known > version.sequence) {
            return Ok(());
        }
        self.forget(version.document);
        let info = DocumentInfo::of(&version, chunks.len());
        let entry = Arc::new(Entry { info: Arc::new(info), chunks: chunks.into(), embeddings });
        self.text.add(&entry, &version.content)?;
        self.versions.insert(version.document, version.sequence);
        self.catalogue.insert(Arc::clone(&entry));
        self.removed.retain(|sequence| *sequence != version.sequence);
        self.added.insert(version.sequence, entry);
        self.patterns.add(version)
    }

    fn remove(&mut self, document: u64, sequence: u64) {
        if self.versions.get(&document).is_none_or(|known| *known <= sequence) {
            self.forget(document);
        }
    }

    fn forget(&mut self, document: u64) {
        self.text.remove(document);
        self.patterns.remove(document);
        if let Some(sequence) = self.versions.remove(&document) {
            self.catalogue.remove(sequence);
            self.added.remove(&sequence);
            self.removed.push(sequence);
        }
    }
}

#[cfg(test)]
mod tests;
