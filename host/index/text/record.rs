//! How a chunk, its document and its embedding are kept in the text index's rows, and how the
//! catalogue is read back from them.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tantivy::schema::Value;
use tantivy::{Searcher, TantivyDocument};

use super::Fields;
use crate::index::catalogue::{Catalogue, Entry};
use crate::index::chunk::{Chunk, Symbol};
use crate::index::disk;
use crate::index::vector::Embeddings;
use crate::index::{DocumentInfo, IndexError};

/// One row. Names are short because they are written once a chunk.
#[derive(Serialize, Deserialize)]
struct Record {
    /// Sequence and ordinal.
    i: (u64, u32),
    /// First and last line, start and end byte.
    r: (u32, u32, u32, u32),
    /// Enclosing names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    p: Vec<String>,
    /// Own names with their lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    s: Vec<(String, u32)>,
    /// With the first chunk of a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    d: Option<Document>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    document: u64,
    root: u64,
    path: String,
    language: Option<String>,
    title: Option<String>,
    modified: i64,
    size: u64,
    chunks: u32,
}

pub(super) fn encode(entry: &Entry, ordinal: usize) -> Result<String, IndexError> {
    let chunk = entry.chunks.get(ordinal).ok_or_else(|| IndexError::Write(format!("there is no chunk {ordinal}")))?;
    let info = &entry.info;
    let record = Record {
        i: (info.sequence, ordinal as u32),
        r: (chunk.first_line, chunk.last_line, chunk.start, chunk.end),
        p: chunk.parents.clone(),
        s: chunk.symbols.iter().map(|symbol| (symbol.name.clone(), symbol.line)).collect(),
        d: (ordinal == 0).then(|| Document {
            document: info.document,
            root: info.root,
            path: info.path.to_string(),
            language: info.language.as_deref().map(str::to_owned),
            title: info.title.as_deref().map(str::to_owned),
            modified: info.modified,
            size: info.size,
            chunks: info.chunks,
        }),
    };
    serde_json::to_string(&record).map_err(|error| IndexError::Write(error.to_string()))
}

/// The scale in four little-endian bytes, then the codes.
pub(super) fn encode_embedding(embeddings: &Embeddings, ordinal: usize) -> Vec<u8> {
    let Some((codes, scale)) = embeddings.get(ordinal) else { return Vec::new() };
    let mut bytes = Vec::with_capacity(4 + codes.len());
    bytes.extend(scale.to_le_bytes());
    bytes.extend(codes.iter().map(|code| code.cast_unsigned()));
    bytes
}

fn decode_embedding(bytes: &[u8], dimension: usize, into: &mut Embeddings) {
    match bytes.split_first_chunk::<4>() {
        Some((scale, codes)) if codes.len() == dimension => {
            into.push_coded(codes.iter().map(|code| code.cast_signed()), f32::from_le_bytes(*scale));
        }
        _ => into.push(&vec![0.0; dimension]),
    }
}

#[derive(Default)]
struct Gathered {
    document: Option<Document>,
    chunks: Vec<(u32, Chunk, Vec<u8>)>,
}

pub(super) fn catalogue(searcher: &Searcher, fields: &Fields, dimension: usize) -> Result<Catalogue, IndexError> {
    let mut gathered: HashMap<u64, Gathered> = HashMap::new();
    for segment in searcher.segment_readers() {
        let store = segment.get_store_reader(1).map_err(|error| IndexError::Read(error.to_string()))?;
        for row in store.iter::<TantivyDocument>(segment.alive_bitset()) {
            let row = row.map_err(disk::read)?;
            let text = row.get_first(fields.record).and_then(|value| value.as_str()).unwrap_or_default();
            let record: Record = serde_json::from_str(text).map_err(|error| IndexError::Read(error.to_string()))?;
            let bytes = row.get_first(fields.embedding).and_then(|value| value.as_bytes()).unwrap_or_default();
            let (first_line, last_line, start, end) = record.r;
            let symbols = record.s.into_iter().map(|(name, line)| Symbol { name, line }).collect();
            let chunk = Chunk { first_line, last_line, start, end, parents: record.p, symbols };
            let document = gathered.entry(record.i.0).or_default();
            document.chunks.push((record.i.1, chunk, bytes.to_vec()));
            document.document = record.d.or(document.document.take());
        }
    }
    let mut catalogue = Catalogue::default();
    for (sequence, mut parts) in gathered {
        parts.chunks.sort_unstable_by_key(|(ordinal, _, _)| *ordinal);
        let document = parts.document.filter(|document| document.chunks as usize == parts.chunks.len());
        let document = document.ok_or_else(|| IndexError::Read(format!("version {sequence} is incomplete")))?;
        let mut embeddings = Embeddings::new(dimension, 0);
        let mut chunks = Vec::with_capacity(parts.chunks.len());
        for (_, chunk, bytes) in parts.chunks {
            decode_embedding(&bytes, dimension, &mut embeddings);
            chunks.push(chunk);
        }
        let info = DocumentInfo {
            sequence,
            document: document.document,
            root: document.root,
            path: document.path.into(),
            language: document.language.map(Arc::from),
            title: document.title.map(Arc::from),
            modified: document.modified,
            size: document.size,
            chunks: document.chunks,
        };
        catalogue.insert(Arc::new(Entry { info: Arc::new(info), chunks: chunks.into(), embeddings }));
    }
    Ok(catalogue)
}
