//! Chunks that define a name, found in the text index's dictionary of names. Names are compared
//! lower-cased there and exactly, when asked for, against the catalogue.

use std::collections::HashSet;

use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, SegmentReader, TERMINATED};

use super::Deadline;
use super::catalogue::Catalogue;
use super::scope;
use super::text::{TextReader, unavailable};
use crate::query::{ChunkId, Hits, RetrievalError, Scope, SymbolMatch, SymbolProbe};

/// Names looked at between two looks at the clock.
const CHECK_EVERY: usize = 4096;

/// Score, chunk, and the line of the definition.
type Found = (f32, ChunkId, u32);

pub(crate) fn probe(
    reader: &TextReader,
    catalogue: &Catalogue,
    probe: &SymbolProbe,
    within: &Scope,
    deadline: &Deadline,
) -> Result<Hits, RetrievalError> {
    let search = Search { reader, catalogue, probe, within, folded: probe.name.to_lowercase() };
    let mut found = Vec::new();
    for (ordinal, segment) in reader.searcher.segment_readers().iter().enumerate() {
        search.segment(ordinal as u32, segment, deadline, &mut found)?;
    }
    found.sort_unstable_by(|left, right| {
        right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)).then(left.2.cmp(&right.2))
    });
    let mut seen = HashSet::new();
    found.retain(|(_, chunk, _)| seen.insert(*chunk));
    let limit = probe.limit as usize;
    let mut hits = Hits { truncated: found.len() > limit, ..Hits::default() };
    for (score, chunk, line) in found.into_iter().take(limit) {
        hits.push(chunk, line, score);
    }
    Ok(hits)
}

struct Search<'probe> {
    reader: &'probe TextReader,
    catalogue: &'probe Catalogue,
    probe: &'probe SymbolProbe,
    within: &'probe Scope,
    /// The name as the dictionary has it.
    folded: String,
}

impl Search<'_> {
    fn segment(
        &self,
        ordinal: u32,
        segment: &SegmentReader,
        deadline: &Deadline,
        found: &mut Vec<Found>,
    ) -> Result<(), RetrievalError> {
        let failed = |error: std::io::Error| unavailable(error.into());
        let index = segment.inverted_index(self.reader.fields.name).map_err(unavailable)?;
        let names = index.terms();
        let folded = self.folded.as_bytes();
        let mut stream = match self.probe.mode {
            SymbolMatch::Exact => names.range().ge(folded).le(folded).into_stream(),
            SymbolMatch::Prefix => names.range().ge(folded).into_stream(),
            SymbolMatch::Substring => names.stream(),
        }
        .map_err(failed)?;
        let mut looked_at = 0;
        while stream.advance() {
            looked_at += 1;
            if looked_at % CHECK_EVERY == 0 && deadline.is_over() {
                return Err(RetrievalError::TimedOut);
            }
            let Ok(name) = std::str::from_utf8(stream.key()) else { continue };
            match self.probe.mode {
                SymbolMatch::Prefix if !name.starts_with(&self.folded) => break,
                SymbolMatch::Substring if !name.contains(&self.folded) => continue,
                _ => {}
            }
            let mut rows =
                index.read_postings_from_terminfo(stream.value(), IndexRecordOption::Basic).map_err(failed)?;
            let mut row = rows.doc();
            while row != TERMINATED {
                if !segment.is_deleted(row) {
                    found.extend(self.hit(ordinal, row, name));
                }
                row = rows.advance();
            }
        }
        Ok(())
    }

    /// The best of the chunk's own names that is `name` but for case, and matches.
    fn hit(&self, segment: u32, row: u32, name: &str) -> Option<Found> {
        let id = self.reader.chunk(segment, row)?;
        let (entry, ordinal) = self.catalogue.chunk(id)?;
        if !scope::holds(self.within, &entry.info) {
            return None;
        }
        let symbols = &entry.chunks.get(ordinal)?.symbols;
        let symbol = symbols.iter().find(|symbol| symbol.name.to_lowercase() == name && self.matches(&symbol.name))?;
        let (asked, whole) = (self.probe.name.chars().count(), symbol.name.chars().count());
        Some(((asked as f32 / whole.max(1) as f32).min(1.0), id, symbol.line))
    }

    fn matches(&self, name: &str) -> bool {
        let asked = self.probe.name.as_str();
        match (self.probe.case_sensitive, self.probe.mode) {
            (false, _) => true,
            (true, SymbolMatch::Exact) => name == asked,
            (true, SymbolMatch::Prefix) => name.starts_with(asked),
            (true, SymbolMatch::Substring) => name.contains(asked),
        }
    }
}
