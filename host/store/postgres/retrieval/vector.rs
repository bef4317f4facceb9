//! Nearest neighbours by cosine. The database chooses candidates: by pgvector's graph where there are many, by
//! comparing all where there are few or the scope is narrow. The order among them is made here, by the codes and the
//! full query, as the local index makes it.

use futures::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row};

use super::fetch::{id, natural};
use super::write::GRAPH_FROM;
use super::{Asking, Retrieval, failed, scope};
use crate::index::Deadline;
use crate::index::remote::{Needle, decode, wanted};
use crate::query::{ChunkId, Hits, RetrievalError, Scope, VectorProbe};

/// Vectors that are sent here to be compared, where the database cannot do it: some 260 bytes each.
const MAX_COMPARED: u64 = 50_000;

/// Score, chunk, first line.
type Found = (f32, ChunkId, u32);

impl Retrieval {
    pub(super) fn vector(
        &self,
        probe: &VectorProbe,
        within: &Scope,
        deadline: &Deadline,
    ) -> Result<Hits, RetrievalError> {
        let Some(question) = self.analysis.question(&probe.text) else { return Ok(Hits::default()) };
        let search = Search { question: &question, wanted: wanted(probe.limit), within };
        let all = self.state.load().vectors;
        let mut found = match self.extensions.vector {
            true => {
                let few = all < GRAPH_FROM;
                // More than the graph looks at for a question of its own; with a filter it looks on.
                let breadth = search.wanted.clamp(100, 1000);
                let settings = match few {
                    true => String::new(),
                    false => {
                        format!("; SET LOCAL hnsw.ef_search = {breadth}; SET LOCAL hnsw.iterative_scan = relaxed_order")
                    }
                };
                let work = async |asking: &mut Asking<'_>| search.in_database(asking, few).await.map_err(failed);
                self.ask(deadline, &settings, work)?
            }
            false if scope::is_all(within) && all > MAX_COMPARED => return Err(too_many()),
            false => {
                let work = async |asking: &mut Asking<'_>| search.here(asking).await;
                self.ask(deadline, "", work)?
            }
        };
        found.retain(|(score, _, _)| probe.min_similarity.is_none_or(|least| *score >= least));
        found.sort_unstable_by(better);
        let limit = probe.limit as usize;
        let mut hits = Hits { truncated: found.len() > limit, ..Hits::default() };
        found.into_iter().take(limit).for_each(|(score, id, line)| hits.push(id, line, score));
        Ok(hits)
    }
}

fn better(left: &Found, right: &Found) -> std::cmp::Ordering {
    right.0.total_cmp(&left.0).then(left.1.cmp(&right.1))
}

fn too_many() -> RetrievalError {
    RetrievalError::Unavailable(format!(
        "the database has no pgvector, and without it at most {MAX_COMPARED} vectors are compared; \
         install it, or narrow the search by directories or file types"
    ))
}

struct Search<'probe> {
    question: &'probe [f32],
    wanted: usize,
    within: &'probe Scope,
}

impl Search<'_> {
    /// The nearest by pgvector.
    async fn in_database(&self, asking: &mut Asking<'_>, few: bool) -> sqlx::Result<Vec<Found>> {
        // An order that the graph does not have, where all that is left is to compare. A setting would not do: a
        // statement's plan is kept, and another question of the same form may be for the graph.
        let (order, end) = match few || self.scope_is_narrow(asking).await? {
            true => (" ORDER BY (vector <=> ", "::real[]::halfvec) + 0 LIMIT "),
            false => (" ORDER BY vector <=> ", "::real[]::halfvec LIMIT "),
        };
        let needle = Needle::new(self.question);
        let mut query =
            QueryBuilder::new("SELECT sequence, ordinal, first_line, embedding FROM chunks WHERE vector IS NOT NULL");
        scope::push(&mut query, self.within);
        query.push(order).push_bind(self.question.to_vec()).push(end);
        query.push_bind(self.wanted as i64);
        let rows = asking.rows(query.build()).await?;
        rows.iter().filter_map(|row| self.scored(&needle, row).transpose()).collect()
    }

    async fn scope_is_narrow(&self, asking: &mut Asking<'_>) -> sqlx::Result<bool> {
        if scope::is_all(self.within) {
            return Ok(false);
        }
        let mut query: QueryBuilder<Postgres> =
            QueryBuilder::new("SELECT count(*) FROM (SELECT 1 FROM chunks WHERE vector IS NOT NULL");
        scope::push(&mut query, self.within);
        query.push(" LIMIT ").push_bind(GRAPH_FROM.cast_signed() + 1).push(") AS counted");
        let rows = asking.rows(query.build()).await?;
        let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
        Ok(count <= GRAPH_FROM.cast_signed())
    }

    /// All that the scope holds, compared in this process while they arrive.
    async fn here(&self, asking: &mut Asking<'_>) -> Result<Vec<Found>, RetrievalError> {
        let needle = Needle::new(self.question);
        let mut query = QueryBuilder::new(
            "SELECT sequence, ordinal, first_line, embedding FROM chunks WHERE embedding IS NOT NULL",
        );
        scope::push(&mut query, self.within);
        query.push(" LIMIT ").push_bind(MAX_COMPARED.cast_signed() + 1);
        let sql = query.sql();
        let _timing = asking.monitor.timing(sql.as_str());
        let mut rows = query.build().fetch(&mut *asking.connection);
        let (mut found, mut compared) = (Vec::new(), 0);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            compared += 1;
            if compared > MAX_COMPARED {
                return Err(too_many());
            }
            found.extend(self.scored(&needle, &row).map_err(failed)?);
            if found.len() > 4 * self.wanted {
                found.select_nth_unstable_by(self.wanted, better);
                found.truncate(self.wanted);
            }
        }
        found.sort_unstable_by(better);
        found.truncate(self.wanted);
        Ok(found)
    }

    fn scored(&self, needle: &Needle<'_>, row: &PgRow) -> sqlx::Result<Option<Found>> {
        let Some((codes, scale)) = decode(row.try_get("embedding")?, self.question.len()) else { return Ok(None) };
        Ok(Some((needle.cosine(&codes, scale), id(row)?, natural(row, "first_line")?)))
    }
}
