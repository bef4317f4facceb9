//! The terms of the collection that are near to, or begin with, a term of a question: what the local index finds with
//! automata in its dictionary, found in the table of terms.

use std::collections::HashMap;

use sqlx::Row;

use super::Asking;
use super::symbol::escaped;
use crate::index::remote::question::{self, Alternatives, MAX_ALTERNATIVES, Question, Wanted};

/// Terms looked at before the best are chosen.
const MAX_CONSIDERED: i64 = 1 << 16;

/// The share and the frequency of each term.
type Found = HashMap<String, (f32, i64)>;

pub(super) async fn find(asking: &mut Asking<'_>, question: &Question) -> sqlx::Result<Alternatives> {
    let mut alternatives = Alternatives::new();
    for wanted in question.approximate() {
        let mut found = Found::new();
        if question.fuzziness > 0 {
            similar(asking, &wanted.term, question.fuzziness, &mut found).await?;
        }
        if wanted.prefix {
            starting(asking, &wanted.term, &mut found).await?;
        }
        found.insert(wanted.term.clone(), (1.0, i64::MAX));
        let best = best(found);
        alternatives.insert(wanted, best);
    }
    Ok(alternatives)
}

/// Terms within an edit distance.
async fn similar(asking: &mut Asking<'_>, term: &str, most: u8, found: &mut Found) -> sqlx::Result<()> {
    // Stems end with `i` where words end with `y`, which a misspelt word may not have been given.
    let stem = term.strip_suffix('y').map(|stem| format!("{stem}i"));
    for form in [Some(term.to_owned()), stem].into_iter().flatten() {
        let length = form.chars().count() as i32;
        let rows = sqlx::query(
            "SELECT term, greatest(body, title, symbol, path) AS rows FROM chunk_terms
             WHERE char_length(term) BETWEEN $1 AND $2 AND term LIKE ANY($3)
             ORDER BY 2 DESC LIMIT $4",
        );
        let rows = rows.bind(length - i32::from(most)).bind(length + i32::from(most)).bind(pieces(&form, most));
        for row in asking.rows(rows.bind(MAX_CONSIDERED)).await? {
            let (known, rows): (String, i64) = (row.try_get("term")?, row.try_get("rows")?);
            if rows > 0
                && let Some(distance) = question::distance(&form, &known, most)
            {
                note(found, known, question::share(distance.max(1)), rows);
            }
        }
    }
    Ok(())
}

/// One of these a term within the distance must match: an edit, even a transposition, touches two of so many pieces
/// at most, so one piece is whole.
fn pieces(term: &str, most: u8) -> Vec<String> {
    let chars: Vec<char> = term.chars().collect();
    let pieces = 2 * usize::from(most) + 1;
    if chars.len() < pieces {
        return vec!["%".to_owned()];
    }
    let at = |piece: usize| piece * chars.len() / pieces;
    let piece = |number: usize| chars[at(number)..at(number + 1)].iter().collect::<String>();
    (0..pieces).map(|number| format!("%{}%", escaped(&piece(number)))).collect()
}

/// Terms that begin with `prefix`. As stems are stored, one that the prefix has outgrown by a few letters counts too.
async fn starting(asking: &mut Asking<'_>, prefix: &str, found: &mut Found) -> sqlx::Result<()> {
    let rows = sqlx::query(
        "SELECT term, greatest(body, title, symbol, path) AS rows FROM chunk_terms
         WHERE term >= $1 AND term <= $1 || chr(1114111) AND starts_with(term, $1)
         ORDER BY 2 DESC, term LIMIT $2",
    );
    for row in asking.rows(rows.bind(prefix).bind(MAX_ALTERNATIVES as i64)).await? {
        let rows: i64 = row.try_get("rows")?;
        if rows > 0 {
            note(found, row.try_get("term")?, question::share(0), rows);
        }
    }
    let chars: Vec<(usize, char)> = prefix.char_indices().collect();
    for (at, _) in chars.iter().skip(4).rev().take(3) {
        note(found, prefix[..*at].to_owned(), question::share(1), 0);
    }
    Ok(())
}

fn note(found: &mut Found, term: String, share: f32, rows: i64) {
    let best = found.entry(term).or_insert((share, rows));
    *best = (best.0.max(share), best.1.max(rows));
}

fn best(found: Found) -> Vec<(String, f32)> {
    let mut terms: Vec<(String, (f32, i64))> = found.into_iter().collect();
    terms.sort_unstable_by(|(left, (left_share, left_rows)), (right, (right_share, right_rows))| {
        right_share.total_cmp(left_share).then(right_rows.cmp(left_rows)).then(left.cmp(right))
    });
    terms.truncate(MAX_ALTERNATIVES);
    terms.into_iter().map(|(term, (share, _))| (term, share)).collect()
}

/// What stands for a term.
pub(super) fn of(alternatives: &Alternatives, wanted: &Wanted) -> Vec<String> {
    match alternatives.get(wanted) {
        Some(terms) => terms.iter().map(|(term, _)| term.clone()).collect(),
        None => vec![wanted.term.clone()],
    }
}
