//! The text index: one row a chunk, ranked by BM25 (tantivy's, k1 = 1.2, b = 0.75). It also keeps
//! each chunk's record and embedding, from which the catalogue is read at the start.

mod expand;
pub(super) mod plan;
pub(crate) mod record;

use std::path::Path;

use tantivy::collector::TopDocs;
use tantivy::columnar::Column;
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions};
use tantivy::{Index, Searcher, TantivyDocument, Term};

use super::catalogue::{Catalogue, Entry};
use super::disk::{self, Disk};
use super::{IndexError, language, scope, tokenize};
use crate::query::{ChunkId, Hits, RetrievalError, Scope, TextProbe};

/// Hits beyond the limit that are read so that ties at the limit are broken by id, not by place on disk: that
/// differs from host to host.
const TIE_MARGIN: usize = 32;

/// When more than those are as good as the last one, the look-up is made again, up to this deep.
const DEEPEST_TIES: usize = 8192;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields {
    /// `ChunkId`.
    chunk: Field,
    document: Field,
    extension: Field,
    folder: Field,
    body: Field,
    title: Field,
    symbol: Field,
    path: Field,
    /// Own names of the chunk as they are, lower-cased.
    pub(crate) name: Field,
    record: Field,
    embedding: Field,
}

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let indexing =
        TextFieldIndexing::default().set_tokenizer("code").set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let analysed = TextOptions::default().set_indexing_options(indexing);
    let fields = Fields {
        chunk: builder.add_u64_field("chunk", FAST),
        document: builder.add_u64_field("document", INDEXED),
        extension: builder.add_text_field("extension", disk::exact_terms()),
        folder: builder.add_text_field("folder", disk::exact_terms()),
        body: builder.add_text_field("body", analysed.clone()),
        title: builder.add_text_field("title", analysed.clone()),
        symbol: builder.add_text_field("symbol", analysed.clone()),
        path: builder.add_text_field("path", analysed),
        name: builder.add_text_field("name", disk::exact_terms()),
        record: builder.add_text_field("record", STORED),
        embedding: builder.add_bytes_field("embedding", STORED),
    };
    (builder.build(), fields)
}

/// The writing side.
pub(crate) struct TextIndex {
    disk: Disk,
    fields: Fields,
}

impl TextIndex {
    pub(crate) fn open(folder: &Path) -> Result<Self, String> {
        let (schema, fields) = schema();
        let prepare = |index: &Index| index.tokenizers().register("code", tokenize::analyzer());
        Ok(Self { disk: Disk::open(folder, schema, prepare)?, fields })
    }

    pub(crate) fn generation(&self) -> Result<u64, String> {
        self.disk.generation()
    }

    pub(crate) fn remove(&self, document: u64) {
        self.disk.delete(Term::from_field_u64(self.fields.document, document));
    }

    pub(crate) fn add(&self, entry: &Entry, content: &str) -> Result<(), IndexError> {
        let fields = &self.fields;
        for (ordinal, chunk) in entry.chunks.iter().enumerate() {
            let mut row = TantivyDocument::default();
            row.add_u64(fields.chunk, entry.id(ordinal).0);
            row.add_u64(fields.document, entry.info.document);
            if let Some(extension) = language::extension(&entry.info.path) {
                row.add_text(fields.extension, extension);
            }
            for folder in scope::folders(&entry.info.path) {
                row.add_text(fields.folder, folder);
            }
            row.add_text(fields.body, content.get(chunk.start as usize..chunk.end as usize).unwrap_or_default());
            if let Some(title) = &entry.info.title {
                row.add_text(fields.title, title);
            }
            row.add_text(fields.path, &entry.info.path);
            let names = chunk.names();
            if !names.is_empty() {
                row.add_text(fields.symbol, names.join("\n"));
            }
            for symbol in &chunk.symbols {
                row.add_text(fields.name, symbol.name.to_lowercase());
            }
            row.add_text(fields.record, record::encode(entry, ordinal)?);
            row.add_bytes(fields.embedding, &record::encode_embedding(&entry.embeddings, ordinal));
            self.disk.add(row)?;
        }
        Ok(())
    }

    pub(crate) fn commit(&mut self, generation: u64) -> Result<(), IndexError> {
        self.disk.commit(generation)
    }

    /// Reads back all live documents.
    pub(crate) fn catalogue(&self, dimension: usize) -> Result<Catalogue, IndexError> {
        record::catalogue(&self.disk.searcher()?, &self.fields, dimension)
    }

    pub(crate) fn reader(&self) -> Result<TextReader, IndexError> {
        let searcher = self.disk.searcher()?;
        let chunks = searcher
            .segment_readers()
            .iter()
            .map(|segment| segment.fast_fields().u64("chunk"))
            .collect::<tantivy::Result<_>>()
            .map_err(disk::read)?;
        Ok(TextReader { searcher, chunks, fields: self.fields })
    }
}

/// A view of one commit.
#[derive(Clone)]
pub(crate) struct TextReader {
    pub(crate) searcher: Searcher,
    /// `ChunkId` by row, one column a segment.
    chunks: Vec<Column<u64>>,
    pub(crate) fields: Fields,
}

impl TextReader {
    pub(crate) fn probe(
        &self,
        catalogue: &Catalogue,
        probe: &TextProbe,
        within: &Scope,
    ) -> Result<Hits, RetrievalError> {
        let Some(query) = plan::query(self, probe)? else { return Ok(Hits::default()) };
        let query = match self.filter(within) {
            Some(filter) => plan::filtered(query, filter),
            None => query,
        };
        let limit = probe.limit as usize;
        let mut depth = limit + TIE_MARGIN;
        let found = loop {
            let collector = TopDocs::with_limit(depth).order_by_score();
            let found = self.searcher.search(&query, &collector).map_err(unavailable)?;
            let score = |at: usize| found.get(at).map(|(score, _)| *score);
            let may_have_more_ties = limit > 0 && found.len() == depth && score(limit - 1) == score(depth - 1);
            if !may_have_more_ties || depth >= DEEPEST_TIES {
                break found;
            }
            depth = (depth * 8).min(DEEPEST_TIES);
        };
        let mut scored: Vec<(f32, ChunkId)> = found
            .into_iter()
            .filter_map(|(score, address)| Some((score, self.chunk(address.segment_ord, address.doc_id)?)))
            .filter(|(score, id)| score.is_finite() && catalogue.chunk(*id).is_some())
            .collect();
        scored.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
        let mut hits = Hits { truncated: scored.len() > limit, ..Hits::default() };
        for (score, id) in scored.into_iter().take(limit) {
            let chunk = catalogue.chunk(id).and_then(|(entry, ordinal)| entry.chunks.get(ordinal));
            hits.push(id, chunk.map_or(1, |chunk| chunk.first_line), score);
        }
        Ok(hits)
    }

    pub(crate) fn chunk(&self, segment: u32, row: u32) -> Option<ChunkId> {
        self.chunks.get(segment as usize)?.first(row).map(ChunkId)
    }

    fn filter(&self, within: &Scope) -> Option<Box<dyn tantivy::query::Query>> {
        scope::filter(within, self.fields.extension, self.fields.folder)
    }
}

pub(crate) fn unavailable(error: tantivy::TantivyError) -> RetrievalError {
    RetrievalError::Unavailable(format!("the text index cannot be read: {error}"))
}

#[cfg(test)]
mod tests;
