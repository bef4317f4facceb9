//! From files and lines, as an engine names them, to the chunks of this index: a phrase over the path finds a file's
//! chunks, the line finds the chunk. Knows probes; nothing of engines.
//!
//! The contract tells a strategy where a hit is by chunk and line; no probe gives back a path or takes one as it is.
//! So files whose paths have the same words, as `a-b.rs` and `a/b.rs`, cannot be told apart: their hits are left out
//! and counted, rather than shown in the wrong file. One case goes unnoticed: the index keeps `a_b` whole beside its
//! parts, which makes `a_b.rs` one word longer than `a-b.rs`; where both are, the second stands for the first.

use std::collections::BTreeMap;

use strategy_kit::{Hits, Probe, RetrievalError, TermMatch, TextField, TextProbe};

use crate::search::EngineHits;

/// Chunks of one file that are looked at.
const CHUNKS_OF_A_FILE: u32 = 1000;

/// Candidates in the engine's order, with its scores.
#[derive(Debug, Default, PartialEq)]
pub struct Located {
    pub chunks: Vec<u64>,
    pub lines: Vec<u32>,
    pub scores: Vec<f32>,
    /// Hits whose file this index does not have, or not in the scope of the query.
    pub unknown: usize,
    /// Hits whose path fits several files of this index.
    pub ambiguous: usize,
}

/// Fails only when no file at all could be looked up.
pub fn chunks(
    hits: &EngineHits,
    retrieve: impl Fn(&[Probe]) -> Vec<Result<Hits, RetrievalError>>,
) -> Result<Located, String> {
    let mut files: BTreeMap<&str, usize> = BTreeMap::new();
    let mut probes = Vec::new();
    for row in &hits.rows {
        files.entry(&row.path).or_insert_with(|| {
            probes.push(by_path(&row.path));
            probes.len() - 1
        });
    }
    if probes.is_empty() {
        return Ok(Located::default());
    }
    let found = retrieve(&probes);
    if let Some(Err(error)) = found.iter().find(|result| result.is_err())
        && found.iter().all(Result::is_err)
    {
        return Err(format!("its hits cannot be looked up here: {error:?}"));
    }
    let mut located = Located::default();
    let mut taken = std::collections::BTreeSet::new();
    for row in &hits.rows {
        let file = files.get(row.path.as_str()).and_then(|at| found.get(*at)?.as_ref().ok());
        let chunks = file.map(best).unwrap_or_default();
        // A file has one chunk that begins on its first line.
        if chunks.iter().filter(|(_, first)| *first == 1).count() > 1 {
            located.ambiguous += 1;
            continue;
        }
        match at_line(&chunks, row.line) {
            Some((chunk, line)) if taken.insert((chunk, line)) => {
                located.chunks.push(chunk);
                located.lines.push(line);
                located.scores.push(row.score);
            }
            Some(_) => {}
            None => located.unknown += 1,
        }
    }
    Ok(located)
}

fn by_path(path: &str) -> Probe {
    Probe::Text(TextProbe {
        text: path.into(),
        mode: TermMatch::Phrase,
        fuzziness: 0,
        prefix: false,
        fields: vec![(TextField::Path, 1.0)],
        limit: CHUNKS_OF_A_FILE,
    })
}

/// The chunks of the wanted path, with their first lines. Longer paths that end or begin alike match the phrase too,
/// but BM25 gives the shorter field the higher score, and all chunks of one path the same: the best score is the file.
fn best(found: &Hits) -> Vec<(u64, u32)> {
    let Some(best) = found.scores.iter().copied().max_by(f32::total_cmp) else { return vec![] };
    let rows = found.chunks.iter().zip(&found.lines).zip(&found.scores);
    rows.filter(|(_, score)| **score == best).map(|((chunk, first), _)| (*chunk, *first)).collect()
}

/// The chunk that has the line, else the file's first.
fn at_line(chunks: &[(u64, u32)], line: Option<u32>) -> Option<(u64, u32)> {
    let chunks = chunks.iter().copied();
    match line {
        None => chunks.min_by_key(|(_, first)| *first),
        Some(line) => {
            chunks.filter(|(_, first)| *first <= line).max_by_key(|(_, first)| *first).map(|(chunk, _)| (chunk, line))
        }
    }
}
