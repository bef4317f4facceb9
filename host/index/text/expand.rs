//! The terms of the index that are near to, or begin with, a term of a query. Each keeps its own rarity
//! in the ranking, and an approximate one less weight than the exact one.

use std::collections::HashMap;

use tantivy::query::FuzzyTermQuery;
use tantivy::schema::Field;
use tantivy::{Searcher, Term};

use super::unavailable;
use crate::query::RetrievalError;

/// Terms that stand for one term, the best first, with the share of its weight that each keeps.
pub(super) type Expansion = Vec<(String, f32)>;

/// More alternatives than this are noise.
const MAX_ALTERNATIVES: usize = 48;
/// Terms looked at in a segment before the best are chosen.
const MAX_CONSIDERED: usize = 1 << 16;

/// Terms within an edit distance of 1 or 2 (a transposition counts one), the term itself first.
pub(super) fn similar(
    searcher: &Searcher,
    fields: &[Field],
    term: &str,
    distance: u8,
) -> Result<Expansion, RetrievalError> {
    let mut found = HashMap::new();
    for field in fields {
        for distance in 1..=distance {
            for form in [Some(term.to_owned()), as_stem(term)].into_iter().flatten() {
                let query = FuzzyTermQuery::new(Term::from_field_text(*field, &form), distance, true);
                collect(searcher, *field, &query, share(distance), &mut found)?;
            }
        }
    }
    found.insert(term.to_owned(), (1.0, u64::MAX));
    Ok(best(found))
}

/// Terms that begin with `prefix`, or nearly so with a fuzziness. As the index holds stems, a stem that
/// the prefix has outgrown by a few letters counts too.
pub(super) fn starting(
    searcher: &Searcher,
    fields: &[Field],
    prefix: &str,
    distance: u8,
) -> Result<Expansion, RetrievalError> {
    let mut found = HashMap::new();
    for field in fields {
        for distance in 0..=distance {
            let query = FuzzyTermQuery::new_prefix(Term::from_field_text(*field, prefix), distance, true);
            collect(searcher, *field, &query, share(distance), &mut found)?;
        }
    }
    let chars: Vec<(usize, char)> = prefix.char_indices().collect();
    for (at, _) in chars.iter().skip(4).rev().take(3) {
        found.entry(prefix[..*at].to_owned()).or_insert((share(1), 0));
    }
    found.insert(prefix.to_owned(), (1.0, u64::MAX));
    Ok(best(found))
}

/// Stems end with `i` where words end with `y`, which a misspelt word may not have been given.
fn as_stem(term: &str) -> Option<String> {
    term.strip_suffix('y').map(|stem| format!("{stem}i"))
}

fn share(distance: u8) -> f32 {
    match distance {
        0 => 0.9,
        1 => 0.7,
        _ => 0.4,
    }
}

fn collect(
    searcher: &Searcher,
    field: Field,
    query: &FuzzyTermQuery,
    share: f32,
    found: &mut HashMap<String, (f32, u64)>,
) -> Result<(), RetrievalError> {
    let failed = |error: std::io::Error| unavailable(error.into());
    for segment in searcher.segment_readers() {
        let automaton = query.automaton().map_err(unavailable)?;
        let index = segment.inverted_index(field).map_err(unavailable)?;
        let mut stream = index.terms().search(automaton).into_stream().map_err(failed)?;
        let mut considered = 0;
        while considered < MAX_CONSIDERED && stream.advance() {
            considered += 1;
            let rows = u64::from(stream.value().doc_freq);
            if let Ok(term) = std::str::from_utf8(stream.key()) {
                match found.get_mut(term) {
                    Some((best, count)) => {
                        *best = best.max(share);
                        *count = count.saturating_add(rows);
                    }
                    None => {
                        found.insert(term.to_owned(), (share, rows));
                    }
                }
            }
        }
    }
    Ok(())
}

fn best(found: HashMap<String, (f32, u64)>) -> Expansion {
    let mut terms: Vec<(String, (f32, u64))> = found.into_iter().collect();
    terms.sort_unstable_by(|(left, (left_share, left_rows)), (right, (right_share, right_rows))| {
        right_share.total_cmp(left_share).then(right_rows.cmp(left_rows)).then(left.cmp(right))
    });
    terms.truncate(MAX_ALTERNATIVES);
    terms.into_iter().map(|(term, (share, _))| (term, share)).collect()
}
