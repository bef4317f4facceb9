//! What the two on-disk indexes have in common: opening with a check of every file, the generation that
//! a commit carries, a bounded writer.

use std::path::{Path, PathBuf};

use tantivy::directory::MmapDirectory;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::schema::{IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term};

use super::IndexError;

/// Memory for postings not yet written, of both indexes and all their threads.
const WRITER_BYTES: usize = 100 << 20;

/// One on-disk index with its only writer.
pub(crate) struct Disk {
    pub(crate) index: Index,
    writer: IndexWriter,
    reader: IndexReader,
}

impl Disk {
    /// Opens or creates. `prepare` registers tokenizers. Damage of any file is an error.
    pub(crate) fn open(folder: &Path, schema: Schema, prepare: impl Fn(&Index)) -> Result<Self, String> {
        let text = |error: tantivy::TantivyError| error.to_string();
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let directory = MmapDirectory::open(folder).map_err(|error| error.to_string())?;
        let index = Index::open_or_create(directory, schema).map_err(text)?;
        prepare(&index);
        let damaged = index.validate_checksum().map_err(text)?;
        if let Some(file) = damaged.iter().next() {
            return Err(format!("{} is damaged", file.display()));
        }
        // Two writers a machine of two cores: analysis is most of the work.
        let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 3);
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread(WRITER_BYTES / 2 / threads)
            .num_worker_threads(threads)
            .num_merge_threads(2)
            .build();
        let writer = index.writer_with_options(options).map_err(text)?;
        let mut policy = LogMergePolicy::default();
        policy.set_min_num_segments(8);
        policy.set_del_docs_ratio_before_merge(0.3);
        writer.set_merge_policy(Box::new(policy));
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into().map_err(text)?;
        Ok(Self { index, writer, reader })
    }

    /// The generation of the last commit; 0 when there is none.
    pub(crate) fn generation(&self) -> Result<u64, String> {
        let meta = self.index.load_metas().map_err(|error| error.to_string())?;
        match meta.payload {
            Some(payload) => payload.parse().map_err(|_| format!("`{payload}` is no generation")),
            None => Ok(0),
        }
    }

    pub(crate) fn add(&self, document: TantivyDocument) -> Result<(), IndexError> {
        self.writer.add_document(document).map(|_| ()).map_err(write)
    }

    /// Deletes all that was added before with this term.
    pub(crate) fn delete(&self, term: Term) {
        self.writer.delete_term(term);
    }

    pub(crate) fn commit(&mut self, generation: u64) -> Result<(), IndexError> {
        let mut commit = self.writer.prepare_commit().map_err(write)?;
        commit.set_payload(&generation.to_string());
        commit.commit().map_err(write)?;
        Ok(())
    }

    /// A view of the last commit.
    pub(crate) fn searcher(&self) -> Result<tantivy::Searcher, IndexError> {
        self.reader.reload().map_err(read)?;
        Ok(self.reader.searcher())
    }
}

fn write(error: tantivy::TantivyError) -> IndexError {
    IndexError::Write(error.to_string())
}

pub(crate) fn read(error: tantivy::TantivyError) -> IndexError {
    IndexError::Read(error.to_string())
}

/// A field of exact terms, neither stored nor scored.
pub(crate) fn exact_terms() -> TextOptions {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("raw")
        .set_fieldnorms(false)
        .set_index_option(IndexRecordOption::Basic);
    TextOptions::default().set_indexing_options(indexing)
}

/// Bytes of all files below `folder`; what vanishes meanwhile counts nothing.
pub(crate) fn bytes_below(folder: &Path) -> u64 {
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => bytes += metadata.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}
