//! BM25 in two steps. The database finds chunks that have the terms (a GIN index over our own analysis, not over a
//! configuration of its own) and sends their profiles; they are scored here, by the formula and the statistics of
//! the local index. PostgreSQL's own `ts_rank_cd` knows nothing of how rare a term is.
//!
//! When any term is enough, only the rarest terms choose the chunks, and the common ones add to the scores: the idea
//! of MaxScore (Turtle and Flood, "Query evaluation: strategies and optimizations", 1995), with a budget of chunks in
//! the place of its bounds. In a collection smaller than the budget, all terms choose, and the answer is exact.

use sqlx::{QueryBuilder, Row};

use super::fetch::{id, natural};
use super::rows::{LABELS, quoted, without_nul};
use super::{Asking, Retrieval, alternatives, failed, scope};
use crate::index::Deadline;
use crate::index::remote::bm25::{Collection, Scorer};
use crate::index::remote::question::{Alternatives, Question, Wanted};
use crate::index::remote::terms;
use crate::query::{ChunkId, Hits, RetrievalError, Scope, TermMatch, TextProbe};

/// Chunks that are scored for one question: some 800 bytes each are sent.
const BUDGET: u64 = 8192;

/// The planner counts the comparison of a `tsvector` as one cheap step and forgets that it must be read first: for
/// common terms it reads the whole table, which takes ten times as long as the index. Before version 18 the setting
/// makes a scan that is still needed look so costly that it would be compiled first.
const BY_INDEX: &str = "; SET LOCAL enable_seqscan = off; SET LOCAL jit = off";

impl Retrieval {
    pub(super) fn text(&self, probe: &TextProbe, within: &Scope, deadline: &Deadline) -> Result<Hits, RetrievalError> {
        let Some(question) = Question::of(probe)? else { return Ok(Hits::default()) };
        let state = self.state.load_full();
        let work = async |asking: &mut Asking<'_>| {
            let alternatives = alternatives::find(asking, &question).await.map_err(failed)?;
            let terms = question.weighted(&alternatives);
            let mut collection = Collection { chunks: state.chunks, lengths: state.terms, ..Collection::default() };
            look_up(asking, &terms, &mut collection).await.map_err(failed)?;
            let scorer = Scorer::new(&collection, &terms, question.fields, is_phrase(&question));
            let mut found = Found { scorer, scored: Vec::new(), cut: false };
            let labels = labels(&question.fields);
            match question.mode {
                TermMatch::Any => {
                    for wanted in any(&collection, &terms, &labels) {
                        found.scored.clear();
                        found.add(asking, &wanted, within).await.map_err(failed)?;
                        if found.scored.len() > probe.limit as usize {
                            break;
                        }
                    }
                }
                TermMatch::All => {
                    let wanted = all(&question, &alternatives, &labels);
                    found.add(asking, &wanted, within).await.map_err(failed)?;
                }
                TermMatch::Phrase => {
                    let wanted = phrase(&question, &alternatives, &labels);
                    found.add(asking, &wanted, within).await.map_err(failed)?;
                }
            }
            Ok(found.hits(probe.limit as usize))
        };
        self.ask(deadline, BY_INDEX, work)
    }
}

/// A single word is a term and no phrase.
fn is_phrase(question: &Question) -> bool {
    question.mode == TermMatch::Phrase && question.words.iter().map(|word| word.parts.len()).sum::<usize>() > 1
}

async fn look_up(asking: &mut Asking<'_>, terms: &[(String, f32)], collection: &mut Collection) -> sqlx::Result<()> {
    let keys: Vec<i32> = terms.iter().map(|(term, _)| terms::key(term).cast_signed()).collect();
    let rows = sqlx::query("SELECT key, body, title, symbol, path FROM chunk_terms WHERE key = ANY($1)").bind(keys);
    for row in asking.rows(rows).await? {
        let count = |column: &str| row.try_get::<i64, _>(column).map(|count| count.max(0).cast_unsigned());
        let counts = [count("body")?, count("title")?, count("symbol")?, count("path")?];
        collection.frequencies.insert(row.try_get::<i32, _>("key")?.cast_unsigned(), counts);
    }
    Ok(())
}

struct Found {
    scorer: Scorer,
    scored: Vec<(f32, ChunkId, u32)>,
    /// There were more than the budget.
    cut: bool,
}

impl Found {
    async fn add(&mut self, asking: &mut Asking<'_>, wanted: &str, within: &Scope) -> sqlx::Result<()> {
        let mut query = QueryBuilder::new(
            "SELECT sequence, ordinal, first_line, body_terms, title_terms, symbol_terms, path_terms, profile
             FROM chunks WHERE lexemes @@ ",
        );
        query.push_bind(wanted.to_owned()).push("::tsquery");
        scope::push(&mut query, within);
        query.push(" LIMIT ").push_bind(BUDGET.cast_signed());
        let rows = asking.rows(query.build()).await?;
        self.cut = rows.len() as u64 == BUDGET;
        for row in rows {
            let lengths = [
                natural(&row, "body_terms")?,
                natural(&row, "title_terms")?,
                natural(&row, "symbol_terms")?,
                natural(&row, "path_terms")?,
            ];
            let score = self.scorer.score(row.try_get("profile")?, lengths);
            if score > 0.0 {
                self.scored.push((score, id(&row)?, natural(&row, "first_line")?));
            }
        }
        Ok(())
    }

    fn hits(mut self, limit: usize) -> Hits {
        self.scored.sort_unstable_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
        let mut hits = Hits { truncated: self.cut || self.scored.len() > limit, ..Hits::default() };
        self.scored.into_iter().take(limit).for_each(|(score, id, line)| hits.push(id, line, score));
        hits
    }
}

/// What to ask for, one after the other until there are enough: first the rarest terms that fit the budget; then
/// chunks with all terms; then with any.
fn any(collection: &Collection, terms: &[(String, f32)], labels: &str) -> Vec<String> {
    let mut known: Vec<(u64, &str)> = terms
        .iter()
        .map(|(term, _)| (collection.frequency(term), term.as_str()))
        .filter(|(frequency, _)| *frequency > 0)
        .collect();
    known.sort_unstable();
    let join = |terms: &[(u64, &str)], with: &str| {
        terms.iter().map(|(_, term)| lexeme(term, labels, false)).collect::<Vec<_>>().join(with)
    };
    if known.is_empty() {
        return vec![];
    }
    let mut sum = 0;
    let rare = known.iter().take_while(|(frequency, _)| {
        sum += frequency;
        sum <= BUDGET
    });
    let rare = if collection.chunks <= BUDGET { known.len() } else { rare.count() };
    let mut asked = Vec::new();
    if rare > 0 {
        asked.push(join(&known[..rare], " | "));
    }
    if rare < known.len() {
        if rare == 0 && known.len() > 1 {
            asked.push(join(&known, " & "));
        }
        asked.push(join(&known, " | "));
    }
    asked
}

/// Each word as a whole or all of its parts, in any field.
fn all(question: &Question, alternatives: &Alternatives, labels: &str) -> String {
    let words = question.words.iter().enumerate().map(|(at, word)| {
        let terms = question.terms_of(at);
        let any_of = |wanted: &Wanted| {
            let terms = alternatives::of(alternatives, wanted);
            let terms: Vec<String> = terms.iter().map(|term| lexeme(term, labels, false)).collect();
            format!("({})", terms.join(" | "))
        };
        let (whole, parts) = terms.split_at(usize::from(word.whole.is_some()));
        let parts: Vec<String> = parts.iter().map(any_of).collect();
        let mut forms: Vec<String> = whole.iter().map(any_of).collect();
        if !parts.is_empty() {
            forms.push(format!("({})", parts.join(" & ")));
        }
        format!("({})", forms.join(" | "))
    });
    words.collect::<Vec<_>>().join(" & ")
}

/// The parts of all words, as far from each other as they are in the question.
fn phrase(question: &Question, alternatives: &Alternatives, labels: &str) -> String {
    let parts: Vec<(usize, &str)> =
        question.words.iter().flat_map(|word| &word.parts).map(|(at, part)| (*at, part.as_str())).collect();
    match parts.as_slice() {
        [] => all(question, alternatives, labels),
        [(_, only)] => {
            let wanted = Wanted { term: (*only).to_owned(), prefix: question.prefix };
            let terms = alternatives::of(alternatives, &wanted);
            terms.iter().map(|term| lexeme(term, labels, false)).collect::<Vec<_>>().join(" | ")
        }
        [(first, term), rest @ ..] => {
            let (mut asked, mut before) = (lexeme(term, labels, false), *first);
            for (at, (position, term)) in rest.iter().enumerate() {
                let prefix = question.prefix && at + 1 == rest.len();
                asked += &format!(" <{}> {}", position.saturating_sub(before).max(1), lexeme(term, labels, prefix));
                before = *position;
            }
            asked
        }
    }
}

fn lexeme(term: &str, labels: &str, prefix: bool) -> String {
    let star = if prefix { "*" } else { "" };
    let colon = if labels.is_empty() && !prefix { "" } else { ":" };
    format!("{}{colon}{star}{labels}", quoted(&without_nul(term)))
}

/// The labels of the fields that count; none when all do.
fn labels(fields: &[f32]) -> String {
    let count = |(field, label): (&f32, char)| (*field > 0.0).then_some(label);
    let labels: String = fields.iter().zip(LABELS).filter_map(count).collect();
    if labels.len() == LABELS.len() { String::new() } else { labels }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashMap;

    use super::*;
    use crate::query::TextField;

    fn question(text: &str, mode: TermMatch, prefix: bool, fields: Vec<(TextField, f32)>) -> Question {
        let probe = TextProbe { text: text.into(), mode, fuzziness: 0, prefix, fields, limit: 10 };
        Question::of(&probe).unwrap().unwrap()
    }

    #[test]
    fn questions_become_queries() {
        let none = Alternatives::new();
        let asked = question("load cacheKeys", TermMatch::All, false, vec![]);
        assert_eq!(all(&asked, &none, ""), "((('load'))) & (('cachekey') | (('cach') & ('key')))");
        let asked = question("the_old cache", TermMatch::Phrase, true, vec![(TextField::Title, 1.0)]);
        let labels = labels(&asked.fields);
        assert_eq!(phrase(&asked, &none, &labels), "'the':A <1> 'old':A <1> 'cach':*A");
        assert_eq!(lexeme("it's", "", false), "'it''s'");
    }

    #[test]
    fn rare_terms_choose_within_the_budget() {
        let known = [("a", 10), ("b", 100), ("c", 9000)];
        let frequencies: HashMap<u32, [u64; 4]> =
            known.iter().map(|(term, count)| (terms::key(term), [*count, 0, 0, 0])).collect();
        let terms: Vec<(String, f32)> = ["c", "b", "a", "x"].map(|term| (term.to_owned(), 1.0)).to_vec();
        let large = Collection { chunks: 100_000, lengths: [0; 4], frequencies };
        assert_eq!(any(&large, &terms, ""), ["'a' | 'b'", "'a' | 'b' | 'c'"]);
        assert_eq!(any(&large, &terms[..1], ""), ["'c'"]);
        let small = Collection { chunks: 5000, ..large };
        assert_eq!(any(&small, &terms, ""), ["'a' | 'b' | 'c'"]);
        assert!(any(&small, &terms[3..], "").is_empty());
    }
}
