//! From files and lines, as an engine names them, to the chunks of this index: a phrase over the path finds a file's
//! chunks, the line finds the chunk. Knows probes; nothing of engines.

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
        match file.and_then(|file| chunk_of(file, row.line)) {
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

/// The chunk that has the line, else the file's first. Longer paths that end or begin alike match the phrase too, but
/// BM25 gives the shorter field the higher score, and all chunks of one path the same: the best score is the file.
fn chunk_of(file: &Hits, line: Option<u32>) -> Option<(u64, u32)> {
    let best = file.scores.iter().copied().max_by(f32::total_cmp)?;
    let rows = file.chunks.iter().zip(&file.lines).zip(&file.scores);
    let of_file = rows.filter(|(_, score)| **score == best).map(|((chunk, first), _)| (*chunk, *first));
    match line {
        None => of_file.min_by_key(|(_, first)| *first),
        Some(line) => {
            of_file.filter(|(_, first)| *first <= line).max_by_key(|(_, first)| *first).map(|(chunk, _)| (chunk, line))
        }
    }
}
