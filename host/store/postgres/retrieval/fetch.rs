//! Chunks, contents and embeddings by their ids, whatever probe found them.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::Asking;
use super::rows::with_nul;
use crate::index::{ChunkInfo, DocumentInfo};
use crate::query::ChunkId;

/// The content of one version, with the last line of each of its chunks.
pub(super) struct Text {
    pub(super) sequence: u64,
    pub(super) content: String,
    pub(super) last_lines: Vec<u32>,
}

impl Text {
    /// The chunk that holds a line (from 1).
    pub(super) fn chunk_at(&self, line: u32) -> ChunkId {
        let after = self.last_lines.partition_point(|last| *last < line);
        ChunkId::new(self.sequence, after.min(self.last_lines.len().saturating_sub(1)) as u16)
    }
}

/// The id of a row with `sequence` and `ordinal`.
pub(super) fn id(row: &PgRow) -> sqlx::Result<ChunkId> {
    let (sequence, ordinal): (i64, i32) = (row.try_get("sequence")?, row.try_get("ordinal")?);
    Ok(ChunkId::new(sequence.cast_unsigned(), ordinal as u16))
}

/// A column that is never negative.
pub(super) fn natural(row: &PgRow, column: &str) -> sqlx::Result<u32> {
    row.try_get::<i32, _>(column).map(i32::cast_unsigned)
}

fn columns(ids: &[ChunkId]) -> (Vec<i64>, Vec<i32>) {
    ids.iter().map(|id| (id.sequence().cast_signed(), i32::from(id.ordinal()))).unzip()
}

pub(super) async fn chunks(asking: &mut Asking<'_>, ids: &[ChunkId]) -> sqlx::Result<HashMap<ChunkId, ChunkInfo>> {
    let (sequences, ordinals) = columns(ids);
    let rows = sqlx::query(
        "SELECT chunks.sequence, chunks.ordinal, document, root, path, language, title, modified, size, chunks.chunks,
             first_line, last_line, start_byte, end_byte, names
         FROM unnest($1::bigint[], $2::int[]) AS wanted (sequence, ordinal)
         JOIN chunks ON chunks.sequence = wanted.sequence AND chunks.ordinal = wanted.ordinal",
    );
    let mut documents: HashMap<u64, Arc<DocumentInfo>> = HashMap::new();
    let mut found = HashMap::with_capacity(ids.len());
    for row in asking.rows(rows.bind(sequences).bind(ordinals)).await? {
        let id = id(&row)?;
        let document = match documents.get(&id.sequence()) {
            Some(document) => Arc::clone(document),
            None => documents.entry(id.sequence()).or_insert(Arc::new(document(&row)?)).clone(),
        };
        let info = ChunkInfo {
            id,
            document,
            first_line: natural(&row, "first_line")?,
            last_line: natural(&row, "last_line")?,
            start: natural(&row, "start_byte")?,
            end: natural(&row, "end_byte")?,
            symbols: row.try_get("names")?,
        };
        found.insert(id, info);
    }
    Ok(found)
}

fn document(row: &PgRow) -> sqlx::Result<DocumentInfo> {
    Ok(DocumentInfo {
        sequence: row.try_get::<i64, _>("sequence")?.cast_unsigned(),
        document: row.try_get::<i64, _>("document")?.cast_unsigned(),
        root: row.try_get::<i64, _>("root")?.cast_unsigned(),
        path: row.try_get::<&str, _>("path")?.into(),
        language: row.try_get::<Option<&str>, _>("language")?.map(Arc::from),
        title: row.try_get::<Option<&str>, _>("title")?.map(Arc::from),
        modified: row.try_get("modified")?,
        size: row.try_get::<i64, _>("size")?.cast_unsigned(),
        chunks: natural(row, "chunks")?,
    })
}

/// Every document once: each has a first chunk.
pub(super) async fn documents(asking: &mut Asking<'_>) -> sqlx::Result<Vec<Arc<DocumentInfo>>> {
    let rows = sqlx::query(
        "SELECT sequence, document, root, path, language, title, modified, size, chunks FROM chunks WHERE ordinal = 0",
    );
    asking.rows(rows).await?.iter().map(|row| document(row).map(Arc::new)).collect()
}

/// The contents of versions, by sequence.
pub(super) async fn texts(asking: &mut Asking<'_>, sequences: &[u64]) -> sqlx::Result<Vec<Text>> {
    let wanted: Vec<i64> = sequences.iter().map(|sequence| sequence.cast_signed()).collect();
    let rows = sqlx::query(
        "SELECT sequence, ordinal, last_line, body, nuls FROM chunks WHERE sequence = ANY($1)
         ORDER BY sequence, ordinal",
    );
    let mut texts: Vec<Text> = Vec::new();
    for row in asking.rows(rows.bind(wanted)).await? {
        let sequence = row.try_get::<i64, _>("sequence")?.cast_unsigned();
        let body: String = match row.try_get::<Option<Vec<i32>>, _>("nuls")? {
            None => row.try_get("body")?,
            Some(nuls) => with_nul(row.try_get("body")?, &nuls),
        };
        let last_line = natural(&row, "last_line")?;
        match texts.last_mut().filter(|text| text.sequence == sequence) {
            Some(text) => {
                text.content.push_str(&body);
                text.last_lines.push(last_line);
            }
            None => texts.push(Text { sequence, content: body, last_lines: vec![last_line] }),
        }
    }
    Ok(texts)
}

pub(super) async fn embeddings(asking: &mut Asking<'_>, ids: &[ChunkId]) -> sqlx::Result<HashMap<ChunkId, Vec<u8>>> {
    let (sequences, ordinals) = columns(ids);
    let rows = sqlx::query(
        "SELECT chunks.sequence, chunks.ordinal, embedding
         FROM unnest($1::bigint[], $2::int[]) AS wanted (sequence, ordinal)
         JOIN chunks ON chunks.sequence = wanted.sequence AND chunks.ordinal = wanted.ordinal
         WHERE embedding IS NOT NULL",
    );
    let rows = asking.rows(rows.bind(sequences).bind(ordinals)).await?;
    rows.iter().map(|row| Ok((id(row)?, row.try_get("embedding")?))).collect()
}
