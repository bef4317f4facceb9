//! Lines that match: the database finds documents that have the strings which the pattern demands, in the order of
//! their paths; the regex engine of the local index verifies them here, so that both modes find the same lines.

use rayon::prelude::*;
use sqlx::{Postgres, QueryBuilder, Row};

use super::fetch::{self, Text};
use super::rows::without_nul;
use super::schema::FOLDED_BODY;
use super::symbol::escaped;
use super::{Asking, Retrieval, failed, scope};
use crate::index::Deadline;
use crate::index::remote::{CASED, Expression, Plan};
use crate::query::{Hits, PatternProbe, RetrievalError, Scope};

/// Candidates that are asked for at once.
const PAGE: usize = 2000;

/// Of these, the texts that are sent at once: documents at first and at most, and bytes.
const FIRST_BATCH: usize = 32;
const LAST_BATCH: usize = 512;
const BATCH_BYTES: i64 = 8 << 20;

/// Strings that are looked for in the database; what a pattern demands beyond them is left to the verification.
const MAX_STRINGS: usize = 24;

/// A document that may match, in the order of paths.
struct Candidate {
    path: String,
    root: i64,
    sequence: i64,
    size: i64,
}

impl Retrieval {
    pub(super) fn pattern(
        &self,
        probe: &PatternProbe,
        within: &Scope,
        deadline: &Deadline,
    ) -> Result<Hits, RetrievalError> {
        let expression = Expression::compile(probe)?;
        let condition = Condition::of(&expression.plan());
        let limit = probe.limit as usize;
        let work = async |asking: &mut Asking<'_>| {
            let mut hits = Hits::default();
            let (mut last, mut batch): (Option<Candidate>, usize) = (None, FIRST_BATCH);
            loop {
                let page = candidates(asking, &condition, within, last.as_ref()).await.map_err(failed)?;
                let complete = page.len() < PAGE;
                let mut rest = page.as_slice();
                while !rest.is_empty() {
                    let (now, later) = rest.split_at(fitting(rest, batch));
                    let sequences: Vec<u64> = now.iter().map(|candidate| candidate.sequence.cast_unsigned()).collect();
                    let texts = fetch::texts(asking, &sequences).await.map_err(failed)?;
                    let wanted = limit + 1 - hits.len();
                    for (text, lines) in in_order(&sequences, verified(texts, &expression, wanted, deadline)?) {
                        for line in lines {
                            if hits.len() == limit {
                                hits.truncated = true;
                                return Ok(hits);
                            }
                            hits.push(text.chunk_at(line), line, 1.0);
                        }
                    }
                    (rest, batch) = (later, (batch * 2).min(LAST_BATCH));
                }
                last = page.into_iter().last();
                if complete || last.is_none() {
                    return Ok(hits);
                }
            }
        };
        self.ask(deadline, "", work)
    }
}

/// How many documents from the beginning go into one batch; at least one.
fn fitting(candidates: &[Candidate], most: usize) -> usize {
    let mut bytes = 0;
    let fits = candidates.iter().take(most).take_while(|candidate| {
        let before = bytes;
        bytes += candidate.size;
        before < BATCH_BYTES
    });
    fits.count().max(1)
}

type Verified = (Text, Vec<u32>);

fn verified(
    texts: Vec<Text>,
    expression: &Expression,
    wanted: usize,
    deadline: &Deadline,
) -> Result<Vec<Verified>, RetrievalError> {
    let verify = |text: Text| {
        if deadline.is_over() {
            return Err(RetrievalError::TimedOut);
        }
        let lines = expression.lines(&text.content, wanted, deadline)?;
        Ok((text, lines))
    };
    texts.into_par_iter().map(verify).collect()
}

/// Texts come by sequence; hits by path.
fn in_order(sequences: &[u64], mut verified: Vec<Verified>) -> Vec<Verified> {
    let place = |sequence: u64| sequences.iter().position(|other| *other == sequence);
    verified.sort_by_cached_key(|(text, _)| place(text.sequence));
    verified
}

async fn candidates(
    asking: &mut Asking<'_>,
    condition: &Condition,
    within: &Scope,
    after: Option<&Candidate>,
) -> sqlx::Result<Vec<Candidate>> {
    let mut query = QueryBuilder::new("SELECT * FROM (");
    condition.push(&mut query, within);
    query.push(") AS found");
    if let Some(Candidate { path, root, sequence, .. }) = after {
        query.push(" WHERE (path, root, sequence) > (").push_bind(path.clone()).push(", ").push_bind(*root);
        query.push(", ").push_bind(*sequence).push(")");
    }
    query.push(" ORDER BY path, root, sequence LIMIT ").push_bind(PAGE as i64);
    let candidate = |row: &sqlx::postgres::PgRow| {
        Ok(Candidate {
            path: row.try_get("path")?,
            root: row.try_get("root")?,
            sequence: row.try_get("sequence")?,
            size: row.try_get("size")?,
        })
    };
    asking.rows(query.build()).await?.iter().map(candidate).collect()
}

/// What a document must have, as the tables can be asked for it.
#[derive(Clone, Debug, PartialEq)]
enum Condition {
    All,
    /// One chunk has one of these strings, as LIKE patterns.
    Chunk(Vec<String>),
    And(Vec<Condition>),
    Or(Vec<Condition>),
}

impl Condition {
    fn of(plan: &Plan) -> Self {
        let mut left = MAX_STRINGS;
        Self::within(plan, &mut left)
    }

    /// `left` strings may still be used. Less demanded is always right, only slower.
    fn within(plan: &Plan, left: &mut usize) -> Self {
        match plan {
            Plan::All => Self::All,
            // Every line is in one chunk; a string of several lines may be in several.
            Plan::Literal(text) => {
                let pieces: Vec<&str> = text.split('\n').filter(|piece| !piece.is_empty()).collect();
                let pieces: Vec<Self> = pieces
                    .into_iter()
                    .map_while(|piece| {
                        *left = left.checked_sub(1)?;
                        Some(Self::Chunk(vec![like(piece)]))
                    })
                    .collect();
                Self::and(pieces)
            }
            Plan::And(plans) => Self::and(plans.iter().map(|plan| Self::within(plan, left)).collect()),
            Plan::Or(plans) => {
                let branches: Vec<Self> = plans.iter().map(|plan| Self::within(plan, left)).collect();
                Self::or(branches)
            }
        }
    }

    /// Where an index can choose, what none can choose by is left to the verification: to look for it, the database
    /// would read and fold every body.
    fn and(mut conditions: Vec<Self>) -> Self {
        conditions.retain(|condition| *condition != Self::All);
        if conditions.iter().any(Self::has_trigrams) {
            conditions.retain(Self::has_trigrams);
        }
        match conditions.len() {
            0 => Self::All,
            1 => conditions.remove(0),
            _ => Self::And(conditions),
        }
    }

    fn or(branches: Vec<Self>) -> Self {
        let mut strings = Vec::new();
        let mut others = Vec::new();
        for branch in branches {
            match branch {
                Self::All => return Self::All,
                Self::Chunk(some) => strings.extend(some),
                other => others.push(other),
            }
        }
        if !strings.is_empty() {
            others.push(Self::Chunk(strings));
        }
        if others.len() == 1 { others.remove(0) } else { Self::Or(others) }
    }

    /// Whether the index of trigrams narrows it down.
    fn has_trigrams(&self) -> bool {
        match self {
            Self::All => false,
            Self::Chunk(patterns) => patterns.iter().all(|pattern| has_trigram(pattern)),
            Self::And(conditions) => conditions.iter().any(Self::has_trigrams),
            Self::Or(conditions) => conditions.iter().all(Self::has_trigrams),
        }
    }

    /// Adds a query for path, root, sequence and size of every document for which this holds, each once.
    fn push(&self, query: &mut QueryBuilder<Postgres>, within: &Scope) {
        const SELECT: &str = "SELECT DISTINCT path, root, sequence, size FROM chunks WHERE ";
        let (conditions, with) = match self {
            Self::All => {
                query.push(SELECT).push("ordinal = 0");
                return scope::push(query, within);
            }
            Self::Chunk(patterns) => {
                query.push(SELECT);
                for (at, pattern) in patterns.iter().enumerate() {
                    query.push(if at == 0 { "(" } else { " OR " });
                    query.push(FOLDED_BODY).push(" LIKE ").push_bind(pattern.clone());
                }
                query.push(")");
                return scope::push(query, within);
            }
            Self::And(conditions) => (conditions, " INTERSECT "),
            Self::Or(conditions) => (conditions, " UNION "),
        };
        for (at, condition) in conditions.iter().enumerate() {
            query.push(if at == 0 { "(" } else { with }).push(if at == 0 { "" } else { "(" });
            condition.push(query, within);
            query.push(")");
        }
    }
}

/// Whether a LIKE pattern has three letters or digits in a row, which pg_trgm makes its trigrams of.
fn has_trigram(pattern: &str) -> bool {
    pattern.split(|char: char| !char.is_alphanumeric()).any(|word| word.chars().count() >= 3)
}

/// The LIKE pattern for a folded string: a cased character beyond ASCII stands for any one.
fn like(folded: &str) -> String {
    let text: String = without_nul(folded);
    let parts: Vec<String> = text.split(CASED).map(escaped).collect();
    format!("%{}%", parts.join("_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Plan {
        Plan::Literal(text.to_owned())
    }

    fn chunk(patterns: &[&str]) -> Condition {
        Condition::Chunk(patterns.iter().map(|pattern| (*pattern).to_owned()).collect())
    }

    #[test]
    fn strings_become_patterns() {
        let both = Plan::And(vec![literal("a_b%"), literal("x\ny"), Plan::All]);
        let expected =
            Condition::And(vec![chunk(&["%a\\_b\\%%"]), Condition::And(vec![chunk(&["%x%"]), chunk(&["%y%"])])]);
        assert_eq!(Condition::of(&both), expected);
        let one = Plan::Or(vec![literal("gr\u{1}\u{1}e"), literal("grosse")]);
        assert_eq!(Condition::of(&one), chunk(&["%gr__e%", "%grosse%"]));
        assert_eq!(Condition::of(&Plan::Or(vec![literal("a"), Plan::All])), Condition::All);
        assert_eq!(Condition::of(&literal("\n")), Condition::All);
    }

    #[test]
    fn what_no_index_can_choose_by_is_left_to_the_verification() {
        let both = Plan::And(vec![literal("reply"), literal("(")]);
        assert_eq!(Condition::of(&both), chunk(&["%reply%"]));
        let any = Plan::Or(vec![literal("fn"), literal("struct")]);
        assert_eq!(Condition::of(&Plan::And(vec![any.clone(), literal("string")])), chunk(&["%string%"]));
        assert!(!Condition::of(&Plan::And(vec![any, literal("(")])).has_trigrams());
    }

    #[test]
    fn many_strings_demand_less_and_never_more() {
        let many = || (0..100).map(|number| literal(&format!("string{number}"))).collect();
        let Condition::And(demanded) = Condition::of(&Plan::And(many())) else { unreachable!() };
        assert_eq!(demanded.len(), MAX_STRINGS);
        assert_eq!(Condition::of(&Plan::Or(many())), Condition::All);
    }
}
