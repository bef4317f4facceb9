//! Lines that match a literal or a regular expression: documents that can match by their trigrams, then
//! verified by the regex engine on the stored text. Also keeps the documents' whole content.

pub(super) mod expression;
pub(super) mod plan;
pub(super) mod trigram;

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use tantivy::collector::DocSetCollector;
use tantivy::columnar::Column;
use tantivy::query::{AllQuery, BooleanQuery, Occur, Query, TermQuery};
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions, Value};
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{DocAddress, Index, Searcher, TantivyDocument, Term};

use super::catalogue::{Catalogue, Entry};
use super::disk::{self, Disk};
use super::{Deadline, DocumentVersion, IndexError, language, scope};
use crate::query::{Hits, PatternProbe, RetrievalError, Scope};
use expression::Expression;
use plan::Plan;

/// Documents verified between two looks at the clock and the limit; grows from the first to the second.
const FIRST_BATCH: usize = 32;
const LAST_BATCH: usize = 512;

#[derive(Clone, Copy, Debug)]
struct Fields {
    document: Field,
    sequence: Field,
    extension: Field,
    folder: Field,
    content: Field,
}

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let trigrams = TextFieldIndexing::default()
        .set_tokenizer("trigram")
        .set_fieldnorms(false)
        .set_index_option(IndexRecordOption::Basic);
    let fields = Fields {
        document: builder.add_u64_field("document", INDEXED),
        sequence: builder.add_u64_field("sequence", FAST | INDEXED),
        extension: builder.add_text_field("extension", disk::exact_terms()),
        folder: builder.add_text_field("folder", disk::exact_terms()),
        content: builder.add_text_field("content", TextOptions::default().set_indexing_options(trigrams).set_stored()),
    };
    (builder.build(), fields)
}

/// The writing side.
pub(crate) struct PatternIndex {
    disk: Disk,
    fields: Fields,
}

impl PatternIndex {
    pub(crate) fn open(folder: &Path) -> Result<Self, String> {
        let (schema, fields) = schema();
        let prepare = |index: &Index| {
            index.tokenizers().register("trigram", TextAnalyzer::builder(trigram::Trigrams::default()).build());
        };
        Ok(Self { disk: Disk::open(folder, schema, prepare)?, fields })
    }

    pub(crate) fn generation(&self) -> Result<u64, String> {
        self.disk.generation()
    }

    pub(crate) fn remove(&self, document: u64) {
        self.disk.delete(Term::from_field_u64(self.fields.document, document));
    }

    pub(crate) fn add(&self, version: DocumentVersion) -> Result<(), IndexError> {
        let fields = &self.fields;
        let mut row = TantivyDocument::default();
        row.add_u64(fields.document, version.document);
        row.add_u64(fields.sequence, version.sequence);
        if let Some(extension) = language::extension(&version.path) {
            row.add_text(fields.extension, extension);
        }
        for folder in scope::folders(&version.path) {
            row.add_text(fields.folder, folder);
        }
        row.add_text(fields.content, version.content);
        self.disk.add(row)
    }

    pub(crate) fn commit(&mut self, generation: u64) -> Result<(), IndexError> {
        self.disk.commit(generation)
    }

    pub(crate) fn reader(&self) -> Result<PatternReader, IndexError> {
        let searcher = self.disk.searcher()?;
        let sequences = searcher
            .segment_readers()
            .iter()
            .map(|segment| segment.fast_fields().u64("sequence"))
            .collect::<tantivy::Result<_>>()
            .map_err(disk::read)?;
        Ok(PatternReader { searcher, sequences, fields: self.fields })
    }
}

/// A view of one commit.
#[derive(Clone)]
pub(crate) struct PatternReader {
    searcher: Searcher,
    /// Store sequence by row, one column a segment.
    sequences: Vec<Column<u64>>,
    fields: Fields,
}

/// A document to verify: its place in the order of paths, and its text's place on disk.
struct Candidate<'view> {
    rank: u32,
    entry: &'view Arc<Entry>,
    address: DocAddress,
}

impl PatternReader {
    /// The content of a document version; none when this view does not hold it.
    pub(crate) fn content(&self, sequence: u64) -> Result<Option<Arc<str>>, IndexError> {
        let term = Term::from_field_u64(self.fields.sequence, sequence);
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let found = self.searcher.search(&query, &DocSetCollector).map_err(disk::read)?;
        found.into_iter().next().map(|address| self.text(address)).transpose()
    }

    /// `order` is the catalogue's entries by path, and the place of each sequence in it.
    pub(crate) fn probe(
        &self,
        catalogue: &Catalogue,
        order: &PathOrder,
        probe: &PatternProbe,
        within: &Scope,
        deadline: &Deadline,
    ) -> Result<Hits, RetrievalError> {
        let expression = Expression::compile(probe)?;
        let mut candidates = self.candidates(catalogue, order, expression.plan(), within)?;
        candidates.sort_unstable_by_key(|candidate| candidate.rank);
        let limit = probe.limit as usize;
        let mut hits = Hits::default();
        let (mut rest, mut batch) = (candidates.as_slice(), FIRST_BATCH);
        while !rest.is_empty() {
            if deadline.is_over() {
                return Err(RetrievalError::TimedOut);
            }
            let (now, later) = rest.split_at(batch.min(rest.len()));
            let wanted = limit + 1 - hits.len();
            let found: Vec<Vec<u32>> = now
                .par_iter()
                .map(|candidate| match deadline.is_over() {
                    false => self.verify(candidate.address, &expression, wanted, deadline),
                    true => Err(RetrievalError::TimedOut),
                })
                .collect::<Result<_, _>>()?;
            for (candidate, lines) in now.iter().zip(found) {
                for line in lines {
                    if hits.len() == limit {
                        hits.truncated = true;
                        return Ok(hits);
                    }
                    hits.push(candidate.entry.id(candidate.entry.chunk_at(line)), line, 1.0);
                }
            }
            (rest, batch) = (later, (batch * 2).min(LAST_BATCH));
        }
        Ok(hits)
    }

    fn candidates<'view>(
        &self,
        catalogue: &'view Catalogue,
        order: &PathOrder,
        plan: Plan,
        within: &Scope,
    ) -> Result<Vec<Candidate<'view>>, RetrievalError> {
        let mut query = plan.query(self.fields.content).unwrap_or_else(|| Box::new(AllQuery));
        if let Some(filter) = scope::filter(within, self.fields.extension, self.fields.folder) {
            query = Box::new(BooleanQuery::new(vec![(Occur::Must, query), (Occur::Must, filter)])) as Box<dyn Query>;
        }
        let found = self.searcher.search(&query, &DocSetCollector).map_err(unavailable)?;
        let candidate = |address: DocAddress| {
            let sequence = self.sequences.get(address.segment_ord as usize)?.first(address.doc_id)?;
            let entry = catalogue.get(sequence)?;
            Some(Candidate { rank: order.rank(sequence), entry, address })
        };
        Ok(found.into_iter().filter_map(candidate).collect())
    }

    /// The first `wanted` matching lines of one document.
    fn verify(
        &self,
        address: DocAddress,
        expression: &Expression,
        wanted: usize,
        deadline: &Deadline,
    ) -> Result<Vec<u32>, RetrievalError> {
        let row: TantivyDocument = self.searcher.doc(address).map_err(unavailable)?;
        let content = row.get_first(self.fields.content).and_then(|value| value.as_str()).unwrap_or_default();
        expression.lines(content, wanted, deadline)
    }

    fn text(&self, address: DocAddress) -> Result<Arc<str>, IndexError> {
        let row: TantivyDocument = self.searcher.doc(address).map_err(disk::read)?;
        Ok(row.get_first(self.fields.content).and_then(|value| value.as_str()).unwrap_or_default().into())
    }
}

fn unavailable(error: tantivy::TantivyError) -> RetrievalError {
    RetrievalError::Unavailable(format!("the pattern index cannot be read: {error}"))
}

/// The place of each document in the order of roots and paths.
pub(crate) struct PathOrder(std::collections::HashMap<u64, u32>);

impl PathOrder {
    pub(crate) fn of(catalogue: &Catalogue) -> Self {
        let mut entries: Vec<&Arc<Entry>> = catalogue.entries().collect();
        entries.sort_unstable_by(|left, right| {
            let (left, right) = (&left.info, &right.info);
            left.path.cmp(&right.path).then(left.root.cmp(&right.root)).then(left.sequence.cmp(&right.sequence))
        });
        Self(entries.iter().enumerate().map(|(rank, entry)| (entry.info.sequence, rank as u32)).collect())
    }

    fn rank(&self, sequence: u64) -> u32 {
        self.0.get(&sequence).copied().unwrap_or(u32::MAX)
    }
}
