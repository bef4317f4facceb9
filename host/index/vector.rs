//! Nearest neighbours by cosine. A snapshot's vectors live in its catalogue, eight bits a number; the
//! graph over them is an accelerator that may lag behind or be missing without changing what is found:
//! what it does not cover is scanned, and small sets are always scanned, which is exact.

pub(crate) mod graph;

use std::sync::Arc;

use rayon::prelude::*;

use super::catalogue::{Catalogue, Entry};
use super::scope;
use crate::query::{ChunkId, Hits, RetrievalError, Scope};
use graph::Graph;

/// Up to so many vectors a scan takes about a millisecond: no graph is asked (arbitrary within a factor of two).
pub(crate) const SCAN_LIMIT: u64 = 20_000;

/// The embeddings of one document's chunks, each number in eight bits with one scale a vector.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Embeddings {
    dimension: usize,
    codes: Vec<i8>,
    /// 0 for a chunk without an embedding.
    scales: Vec<f32>,
}

impl Embeddings {
    /// `count` chunks without embeddings.
    pub(crate) fn new(dimension: usize, count: usize) -> Self {
        Self { dimension, codes: vec![0; dimension * count], scales: vec![0.0; count] }
    }

    /// Takes in the vector of the next chunk: symmetric scalar quantization by its largest number.
    pub(crate) fn push(&mut self, vector: &[f32]) {
        let largest = vector.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let step = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        let from = self.codes.len();
        self.codes.extend(vector.iter().map(|value| (value * step).round() as i8));
        // The scale makes the decoded vector's length exactly 1, so that products are cosines.
        let squares: i64 = self.codes[from..].iter().map(|code| i64::from(*code) * i64::from(*code)).sum();
        self.scales.push(if squares > 0 { 1.0 / (squares as f32).sqrt() } else { 0.0 });
    }

    /// As `push` made it: codes and scale.
    pub(crate) fn push_coded(&mut self, codes: impl Iterator<Item = i8>, scale: f32) {
        self.codes.extend(codes);
        self.scales.push(scale);
    }

    pub(crate) fn get(&self, ordinal: usize) -> Option<(&[i8], f32)> {
        let scale = *self.scales.get(ordinal).filter(|scale| **scale > 0.0)?;
        Some((self.codes.get(ordinal * self.dimension..(ordinal + 1) * self.dimension)?, scale))
    }

    /// Codes and scale of the chunk that was taken in last.
    pub(crate) fn last(&self) -> (&[i8], f32) {
        let from = self.codes.len().saturating_sub(self.dimension);
        (&self.codes[from..], self.scales.last().copied().unwrap_or(0.0))
    }

    pub(crate) fn len(&self) -> usize {
        self.scales.len()
    }

    /// Chunks that have an embedding.
    pub(crate) fn count(&self) -> usize {
        self.scales.iter().filter(|scale| **scale > 0.0).count()
    }

    /// The vector of a chunk, unit length; zeros where it has none.
    pub(crate) fn decode_into(&self, ordinal: usize, row: &mut [f32]) {
        match self.get(ordinal) {
            Some((codes, scale)) => {
                row.iter_mut().zip(codes).for_each(|(value, code)| *value = f32::from(*code) * scale);
            }
            None => row.fill(0.0),
        }
    }
}

/// A query in both precisions: eight bits to find, full to score.
pub(crate) struct Needle<'query> {
    exact: &'query [f32],
    coded: Embeddings,
}

impl<'query> Needle<'query> {
    pub(crate) fn new(exact: &'query [f32]) -> Self {
        let mut coded = Embeddings::new(exact.len(), 0);
        coded.push(exact);
        Self { exact, coded }
    }

    pub(crate) fn cosine(&self, codes: &[i8], scale: f32) -> f32 {
        let product: f32 = self.exact.iter().zip(codes).map(|(value, code)| value * f32::from(*code)).sum();
        (product * scale).clamp(-1.0, 1.0)
    }

    /// Near enough to `cosine` to choose candidates by, several times faster.
    pub(crate) fn rough(&self, codes: &[i8], scale: f32) -> f32 {
        let Some((query, query_scale)) = self.coded.get(0) else { return 0.0 };
        let product: i32 = query.iter().zip(codes).map(|(left, right)| i32::from(*left) * i32::from(*right)).sum();
        product as f32 * scale * query_scale
    }
}

/// What a snapshot has for vector probes.
#[derive(Clone)]
pub(crate) struct Vectors {
    pub(crate) graph: Arc<Graph>,
}

impl Vectors {
    /// The nearest chunks to `query`, best first, ties by id.
    pub(crate) fn probe(
        &self,
        catalogue: &Catalogue,
        query: &[f32],
        limit: u32,
        least: Option<f32>,
        within: &Scope,
    ) -> Result<Hits, RetrievalError> {
        if query.iter().all(|value| *value == 0.0) {
            return Ok(Hits::default());
        }
        let needle = Needle::new(query);
        let wanted = wanted(limit);
        let found = self.candidates(catalogue, &needle, wanted, within);
        let mut scored: Vec<(f32, ChunkId)> = found
            .into_iter()
            .filter_map(|id| {
                let (entry, ordinal) = catalogue.chunk(id)?;
                let (codes, scale) = entry.embeddings.get(ordinal)?;
                Some((needle.cosine(codes, scale), id))
            })
            .filter(|(score, _)| least.is_none_or(|least| *score >= least))
            .collect();
        scored.sort_unstable_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
        scored.dedup_by_key(|(_, id)| *id);
        let mut hits = Hits { truncated: scored.len() > limit as usize, ..Hits::default() };
        for (score, id) in scored.into_iter().take(limit as usize) {
            let line = catalogue
                .chunk(id)
                .and_then(|(entry, ordinal)| entry.chunks.get(ordinal))
                .map_or(1, |chunk| chunk.first_line);
            hits.push(id, line, score);
        }
        Ok(hits)
    }

    fn candidates(&self, catalogue: &Catalogue, needle: &Needle<'_>, wanted: usize, within: &Scope) -> Vec<ChunkId> {
        let all = scope::is_all(within);
        let inside = |entry: &Arc<Entry>| all || scope::holds(within, &entry.info);
        if catalogue.vectors() > SCAN_LIMIT && self.graph.covers(catalogue.vectors()) {
            let scoped: u64 = match all {
                true => catalogue.vectors(),
                false => catalogue.entries().filter(|entry| inside(entry)).map(|entry| entry.chunks.len() as u64).sum(),
            };
            let alive = |id: ChunkId| catalogue.get(id.sequence()).is_some_and(inside);
            // Taken before the graph is asked: an entry leaves it only after it is in the graph.
            let rest = self.graph.pending();
            let found = match scoped > SCAN_LIMIT {
                true => needle.coded.get(0).and_then(|(codes, _)| self.graph.nearest(codes, wanted, alive)),
                false => None,
            };
            if let Some(mut found) = found {
                let rest: Vec<&Arc<Entry>> = rest.iter().filter(|entry| alive(entry.id(0))).collect();
                found.extend(scan(&rest, needle, wanted));
                return found;
            }
        }
        let entries: Vec<&Arc<Entry>> = catalogue.entries().filter(|entry| inside(entry)).collect();
        scan(&entries, needle, wanted)
    }
}

/// Candidates to look at: one more than asked for tells whether there are more; a few more so that rough ranks do
/// no harm.
pub(crate) fn wanted(limit: u32) -> usize {
    limit as usize + 1 + limit as usize / 4 + 8
}

/// The `wanted` nearest of all chunks of these entries, in no order.
fn scan(entries: &[&Arc<Entry>], needle: &Needle<'_>, wanted: usize) -> Vec<ChunkId> {
    let mut best: Vec<(f32, ChunkId)> = entries
        .par_chunks(256)
        .map(|entries| {
            let mut best = Vec::new();
            for entry in entries {
                for ordinal in 0..entry.embeddings.len() {
                    if let Some((codes, scale)) = entry.embeddings.get(ordinal) {
                        best.push((needle.rough(codes, scale), entry.id(ordinal)));
                    }
                }
                keep_best(&mut best, wanted, 4 * wanted);
            }
            best
        })
        .reduce(Vec::new, |mut left, right| {
            left.extend(right);
            keep_best(&mut left, wanted, 4 * wanted);
            left
        });
    keep_best(&mut best, wanted, wanted);
    best.into_iter().map(|(_, id)| id).collect()
}

/// Cuts a list that outgrew `bound` down to its `wanted` best.
fn keep_best(list: &mut Vec<(f32, ChunkId)>, wanted: usize, bound: usize) {
    if list.len() > bound {
        list.select_nth_unstable_by(wanted, |left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
        list.truncate(wanted);
    }
}

#[cfg(test)]
mod tests;
