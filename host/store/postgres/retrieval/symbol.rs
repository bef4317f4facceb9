//! Chunks that define a name, in the order of the local index: the longer the share of the name that was asked for,
//! the better.

use sqlx::{Postgres, QueryBuilder, Row};

use super::fetch::{id, natural};
use super::rows::without_nul;
use super::{Asking, Retrieval, failed, scope};
use crate::index::Deadline;
use crate::query::{Hits, RetrievalError, Scope, SymbolMatch, SymbolProbe};

impl Retrieval {
    pub(super) fn symbol(
        &self,
        probe: &SymbolProbe,
        within: &Scope,
        deadline: &Deadline,
    ) -> Result<Hits, RetrievalError> {
        let work = async |asking: &mut Asking<'_>| search(asking, probe, within).await.map_err(failed);
        self.ask(deadline, "", work)
    }
}

async fn search(asking: &mut Asking<'_>, probe: &SymbolProbe, within: &Scope) -> sqlx::Result<Hits> {
    let name = without_nul(&probe.name);
    let folded = name.to_lowercase();
    // The best name of each chunk, then the best chunks.
    let mut query = QueryBuilder::new(
        "SELECT * FROM (
             SELECT DISTINCT ON (named.sequence, named.ordinal) named.sequence, named.ordinal, named.line,
                 char_length(named.name) AS length
             FROM chunk_symbols named
             JOIN chunks ON chunks.shard = named.shard AND chunks.sequence = named.sequence
                 AND chunks.ordinal = named.ordinal
             WHERE ",
    );
    match probe.mode {
        SymbolMatch::Exact => {
            query.push("left(named.folded, 255) = left(").push_bind(folded.clone());
            query.push(", 255) AND named.folded = ").push_bind(folded);
        }
        SymbolMatch::Prefix => {
            query.push("left(named.folded, 255) >= left(").push_bind(folded.clone());
            query.push(", 255) AND left(named.folded, 255) <= left(").push_bind(folded.clone());
            query.push(", 255) || chr(1114111) AND starts_with(named.folded, ").push_bind(folded).push(")");
        }
        SymbolMatch::Substring => {
            query.push("named.folded LIKE ").push_bind(format!("%{}%", escaped(&folded)));
        }
    }
    if probe.case_sensitive {
        match probe.mode {
            SymbolMatch::Exact => query.push(" AND named.name = ").push_bind(name.clone()),
            SymbolMatch::Prefix => query.push(" AND starts_with(named.name, ").push_bind(name.clone()).push(")"),
            SymbolMatch::Substring => query.push(" AND strpos(named.name, ").push_bind(name.clone()).push(") > 0"),
        };
    }
    scope::push(&mut query, within);
    let asked = name.chars().count();
    query.push(
        " ORDER BY named.sequence, named.ordinal, char_length(named.name), named.line, named.place
         ) AS best ORDER BY greatest(length, ",
    );
    query.push_bind(asked as i32).push("), sequence, ordinal LIMIT ").push_bind(i64::from(probe.limit) + 1);
    query_hits(asking, &mut query, probe.limit as usize, asked).await
}

async fn query_hits(
    asking: &mut Asking<'_>,
    query: &mut QueryBuilder<Postgres>,
    limit: usize,
    asked: usize,
) -> sqlx::Result<Hits> {
    let rows = asking.rows(query.build()).await?;
    let mut hits = Hits { truncated: rows.len() > limit, ..Hits::default() };
    for row in rows.iter().take(limit) {
        let whole: i32 = row.try_get("length")?;
        hits.push(id(row)?, natural(row, "line")?, (asked as f32 / whole.max(1) as f32).min(1.0));
    }
    Ok(hits)
}

/// For LIKE.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}
