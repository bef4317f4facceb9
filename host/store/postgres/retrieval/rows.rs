//! A document as the rows that it becomes: everything that can be computed before a transaction begins. Columns, not
//! records: one array a column is one parameter, however many rows there are.

use crate::index::language;
use crate::index::remote::terms::{Term, Terms};
use crate::index::remote::{Chunk, Document};
use crate::store::postgres::documents::Place;

/// Between names in one text; no name has it.
pub(super) const SEPARATOR: char = '\u{1f}';

/// Stands for NUL, which PostgreSQL's text cannot hold; one byte as well.
pub(super) const NUL: char = '\u{1}';

/// Greatest position in a tsvector.
const LAST_POSITION: usize = 16_383;

/// Positions of a term in a tsvector.
const MAX_POSITIONS: usize = 255;

/// Where the positions of title, symbols, path and body begin, so that no phrase goes from one to another.
const BODY: usize = 3072;
const FIRST_POSITIONS: [usize; 4] = [BODY, 1, 1024, 2048];

/// By field: body, title, symbols, path.
pub(super) const LABELS: [char; 4] = ['D', 'A', 'B', 'C'];

/// Bytes of terms of one chunk that are searchable: a tsvector has a limit of a megabyte.
const MAX_LEXEMES: usize = 500_000;

/// The columns of some chunks of one document.
#[derive(Debug, Default)]
pub struct Rows {
    pub(super) shard: i32,
    pub(super) document: i64,
    pub(super) sequence: i64,
    pub(super) root: i64,
    pub(super) path: String,
    pub(super) extension: Option<String>,
    pub(super) language: Option<String>,
    pub(super) title: Option<String>,
    pub(super) modified: i64,
    pub(super) size: i64,
    pub(super) chunks: Vec<ChunkRow>,
}

#[derive(Debug)]
pub(super) struct ChunkRow {
    pub(super) lines: (i32, i32),
    pub(super) bytes: (i32, i32),
    pub(super) names: String,
    pub(super) body: String,
    pub(super) nuls: Option<String>,
    pub(super) lexemes: String,
    pub(super) terms: Terms,
    pub(super) profile: Vec<u8>,
    pub(super) embedding: Option<Vec<u8>>,
    /// Zeros where there is no embedding.
    pub(super) vector: Vec<f32>,
    pub(super) symbols: Vec<(String, i32)>,
}

impl Rows {
    pub(super) fn of(document: Document, dimension: usize) -> Self {
        let info = document.info;
        Self {
            shard: Place::of(info.root, &info.path).shard,
            document: info.document.cast_signed(),
            sequence: info.sequence.cast_signed(),
            root: info.root.cast_signed(),
            path: without_nul(&info.path),
            extension: language::extension(&info.path).map(|extension| without_nul(&extension)),
            language: info.language.as_deref().map(without_nul),
            title: info.title.as_deref().map(without_nul),
            modified: info.modified,
            size: info.size.cast_signed(),
            chunks: document.chunks.into_iter().map(|chunk| row(chunk, dimension)).collect(),
        }
    }
}

fn row(chunk: Chunk, dimension: usize) -> ChunkRow {
    let nuls: Vec<String> = chunk.body.match_indices('\0').map(|(at, _)| at.to_string()).collect();
    let (embedding, vector) = match chunk.embedding {
        Some(embedding) => (Some(embedding.codes), embedding.exact),
        None => (None, vec![0.0; dimension]),
    };
    ChunkRow {
        lines: (chunk.first_line.cast_signed(), chunk.last_line.cast_signed()),
        bytes: (chunk.start.cast_signed(), chunk.end.cast_signed()),
        names: without_nul(&chunk.names.join(&SEPARATOR.to_string())),
        nuls: (!nuls.is_empty()).then(|| nuls.join(",")),
        body: without_nul(&chunk.body),
        lexemes: lexemes(&chunk.terms),
        profile: chunk.terms.profile(),
        terms: chunk.terms,
        embedding,
        vector,
        symbols: chunk.symbols.into_iter().map(|(name, line)| (without_nul(&name), line.cast_signed())).collect(),
    }
}

pub(super) fn without_nul(text: &str) -> String {
    text.replace('\0', NUL.encode_utf8(&mut [0; 4]))
}

/// The text as it was.
pub(super) fn with_nul(body: String, nuls: &[i32]) -> String {
    let mut bytes = body.into_bytes();
    for at in nuls {
        if let Some(byte) = usize::try_from(*at).ok().and_then(|at| bytes.get_mut(at)) {
            *byte = 0;
        }
    }
    // One byte of ASCII for another: it is still UTF-8.
    String::from_utf8(bytes).unwrap_or_default()
}

/// The text form of a tsvector: `'term':3073,3080 'other':1A`.
fn lexemes(terms: &Terms) -> String {
    let mut sorted: Vec<(&String, &Term)> = terms.terms.iter().collect();
    sorted.sort_unstable_by_key(|(text, _)| *text);
    let (mut lexemes, mut bytes) = (String::new(), 0);
    for (text, term) in sorted {
        bytes += text.len() + 4 + 2 * term.positions.len().min(MAX_POSITIONS);
        if bytes > MAX_LEXEMES {
            break;
        }
        lexemes.push_str(&quoted(text));
        let mut before = ':';
        for (field, position) in term.positions.iter().take(MAX_POSITIONS) {
            let room = if *field == 0 { LAST_POSITION } else { FIRST_POSITIONS[*field] + 1000 };
            let position = (FIRST_POSITIONS[*field] + position).min(room);
            lexemes.push(before);
            lexemes.push_str(&position.to_string());
            lexemes.push(LABELS[*field]);
            before = ',';
        }
        lexemes.push(' ');
    }
    lexemes
}

/// A term within the text form of a tsvector or tsquery.
pub(super) fn quoted(term: &str) -> String {
    format!("'{}'", term.replace('\\', "\\\\").replace('\'', "''"))
}
