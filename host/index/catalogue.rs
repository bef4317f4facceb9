//! All live documents with their chunks, names and embeddings, in memory: what probes need of a hit
//! without touching the disk. Knows nothing of how they are found.
//!
//! A catalogue is a value: a clone shares everything until one side changes, then only the changed
//! shards are copied. So a commit of one document does not copy a million.

use std::collections::HashMap;
use std::sync::Arc;

use super::chunk::Chunk;
use super::vector::Embeddings;
use super::{ChunkInfo, DocumentInfo};
use crate::query::ChunkId;

/// Copying a shard is what the first change after a commit costs.
const SHARDS: usize = 256;

/// One live document version.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) info: Arc<DocumentInfo>,
    /// Shared by the spaces of all models.
    pub(crate) chunks: Arc<[Chunk]>,
    pub(crate) embeddings: Embeddings,
}

impl Entry {
    /// The id of the chunk at `ordinal`.
    pub(crate) fn id(&self, ordinal: usize) -> ChunkId {
        ChunkId::new(self.info.sequence, ordinal as u16)
    }

    /// The ordinal of the chunk that holds a line (from 1).
    pub(crate) fn chunk_at(&self, line: u32) -> usize {
        let after = self.chunks.partition_point(|chunk| chunk.last_line < line);
        after.min(self.chunks.len().saturating_sub(1))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Catalogue {
    /// By store sequence.
    shards: Vec<Arc<HashMap<u64, Arc<Entry>>>>,
    documents: u64,
    chunks: u64,
    content_bytes: u64,
    vectors: u64,
}

impl Default for Catalogue {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Arc::default()).collect();
        Self { shards, documents: 0, chunks: 0, content_bytes: 0, vectors: 0 }
    }
}

impl Catalogue {
    pub(crate) fn get(&self, sequence: u64) -> Option<&Arc<Entry>> {
        self.shards[shard_of(sequence)].get(&sequence)
    }

    /// The entry of a chunk and its ordinal therein.
    pub(crate) fn chunk(&self, id: ChunkId) -> Option<(&Arc<Entry>, usize)> {
        let entry = self.get(id.sequence())?;
        let ordinal = usize::from(id.ordinal());
        (ordinal < entry.chunks.len()).then_some((entry, ordinal))
    }

    pub(crate) fn chunk_info(&self, id: ChunkId) -> Option<ChunkInfo> {
        let (entry, ordinal) = self.chunk(id)?;
        let chunk = entry.chunks.get(ordinal)?;
        Some(ChunkInfo {
            id,
            document: Arc::clone(&entry.info),
            first_line: chunk.first_line,
            last_line: chunk.last_line,
            start: chunk.start,
            end: chunk.end,
            symbols: chunk.names(),
        })
    }

    /// All entries, in no order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.shards.iter().flat_map(|shard| shard.values())
    }

    pub(crate) fn insert(&mut self, entry: Arc<Entry>) {
        self.remove(entry.info.sequence);
        self.documents += 1;
        self.chunks += entry.chunks.len() as u64;
        self.content_bytes += entry.info.size;
        self.vectors += entry.embeddings.count() as u64;
        let sequence = entry.info.sequence;
        Arc::make_mut(&mut self.shards[shard_of(sequence)]).insert(sequence, entry);
    }

    pub(crate) fn remove(&mut self, sequence: u64) -> Option<Arc<Entry>> {
        let shard = &mut self.shards[shard_of(sequence)];
        if !shard.contains_key(&sequence) {
            return None;
        }
        let entry = Arc::make_mut(shard).remove(&sequence)?;
        self.documents -= 1;
        self.chunks -= entry.chunks.len() as u64;
        self.content_bytes -= entry.info.size;
        self.vectors -= entry.embeddings.count() as u64;
        Some(entry)
    }

    pub(crate) fn documents(&self) -> u64 {
        self.documents
    }

    pub(crate) fn chunks(&self) -> u64 {
        self.chunks
    }

    /// Bytes of source text.
    pub(crate) fn content_bytes(&self) -> u64 {
        self.content_bytes
    }

    /// Chunks with an embedding.
    pub(crate) fn vectors(&self) -> u64 {
        self.vectors
    }
}

fn shard_of(sequence: u64) -> usize {
    (sequence % SHARDS as u64) as usize
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    /// An entry with one chunk a given last line.
    pub(crate) fn entry(sequence: u64, path: &str, last_lines: &[u32]) -> Arc<Entry> {
        let mut first_line = 1;
        let chunks: Arc<[Chunk]> = last_lines
            .iter()
            .map(|last_line| {
                let chunk =
                    Chunk { first_line, last_line: *last_line, start: 0, end: 0, parents: vec![], symbols: vec![] };
                first_line = last_line + 1;
                chunk
            })
            .collect();
        let info = DocumentInfo {
            sequence,
            document: sequence,
            root: 0,
            path: path.into(),
            language: None,
            title: None,
            modified: 0,
            size: 10,
            chunks: chunks.len() as u32,
        };
        let embeddings = Embeddings::new(256, chunks.len());
        Arc::new(Entry { info: Arc::new(info), chunks, embeddings })
    }

    #[test]
    fn every_line_has_its_chunk() {
        let entry = entry(1, "a", &[3, 7, 9]);
        let found: Vec<usize> = [1, 3, 4, 7, 8, 9, 99].map(|line| entry.chunk_at(line)).to_vec();
        assert_eq!(found, [0, 0, 1, 1, 2, 2, 2]);
    }

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut catalogue = Catalogue::default();
        catalogue.insert(entry(1, "a", &[3]));
        let before = catalogue.clone();
        catalogue.insert(entry(257, "b", &[3, 4]));
        catalogue.remove(1);
        assert!(before.get(1).is_some() && before.get(257).is_none());
        assert!(catalogue.get(1).is_none() && catalogue.get(257).is_some());
        assert_eq!((before.documents(), before.chunks(), before.content_bytes()), (1, 1, 10));
        assert_eq!((catalogue.documents(), catalogue.chunks(), catalogue.content_bytes()), (1, 2, 10));
    }

    #[test]
    fn a_chunk_beyond_the_last_is_none() {
        let mut catalogue = Catalogue::default();
        catalogue.insert(entry(1, "a", &[3]));
        assert!(catalogue.chunk_info(ChunkId::new(1, 0)).is_some());
        assert!(catalogue.chunk_info(ChunkId::new(1, 1)).is_none());
        assert!(catalogue.chunk_info(ChunkId::new(2, 0)).is_none());
    }
}
