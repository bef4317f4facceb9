//! Index advice that was checked: indexes that the plans of real statements ask for, kept only when the planner,
//! or its own formulas, say that they lower the cost. Knows neither where the statements come from nor who reads
//! the advice.

use std::time::Instant;

use sqlx::AssertSqlSafe;

use super::cost::{Prices, index_scan_cost};
use super::figures::{self, TableFacts};
use super::inspection::Inspection;
use super::plan::{self, Proposal, Scan};
use crate::store::monitor::{CheckedBy, IndexAdvice};

/// Smaller savings are within the planner's error.
const LARGEST_REMAINDER: f64 = 0.9;

/// Proposals that are checked in one round, over all statements.
const MOST_CHECKS: usize = 40;

const MOST_ADVICE: usize = 10;

/// Wider values do not fit into a B-tree, or make it as large as the table.
const WIDEST_COLUMN_BYTES: f64 = 500.0;

/// How an index is tried.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Check {
    /// With hypopg, in this schema.
    Hypothetical { schema: String },
    /// With the planner's formulas, at these prices.
    Statistics(Prices),
}

pub(super) struct Advice {
    /// The largest saving first.
    pub(super) found: Vec<IndexAdvice>,
    /// Whether all statements were looked at.
    pub(super) complete: bool,
}

/// Advice for the statements, as far as there is time. A statement that cannot be explained has none.
pub(super) async fn advise(
    inspection: &mut Inspection,
    statements: &[String],
    check: &Check,
    until: Instant,
) -> Result<Advice, sqlx::Error> {
    let mut advice: Vec<IndexAdvice> = Vec::new();
    let mut checks = 0;
    let mut complete = true;
    for statement in statements {
        if checks == MOST_CHECKS || Instant::now() >= until {
            complete = false;
            break;
        }
        let Ok(explained) = inspection.explain(statement).await else { continue };
        let cost_before = plan::total_cost(plan::root(&explained));
        let mut best: Option<IndexAdvice> = None;
        for scan in plan::scans(plan::root(&explained)) {
            for proposal in scan.proposals() {
                if checks == MOST_CHECKS {
                    complete = false;
                    break;
                }
                let Some(facts) = facts(inspection, &proposal).await? else { continue };
                checks += 1;
                let cost_after = match check {
                    Check::Hypothetical { schema } => {
                        hypothetical_cost(inspection, statement, &proposal, &facts, schema).await?
                    }
                    Check::Statistics(prices) => Some(estimated_cost(prices, &scan, &proposal, &facts)),
                };
                let Some(cost_after) = cost_after else { continue };
                if cost_after < cost_before * LARGEST_REMAINDER
                    && best.as_ref().is_none_or(|best| cost_after < best.cost_after)
                {
                    let found = Found { statement, proposal: &proposal, facts: &facts, cost_before, cost_after };
                    best = Some(found.advice(check));
                }
            }
        }
        if let Some(best) = best {
            merge(&mut advice, best);
        }
    }
    advice.sort_by(|left, right| saving(right).total_cmp(&saving(left)));
    advice.truncate(MOST_ADVICE);
    Ok(Advice { found: advice, complete })
}

struct Found<'round> {
    statement: &'round str,
    proposal: &'round Proposal,
    facts: &'round TableFacts,
    cost_before: f64,
    cost_after: f64,
}

impl Found<'_> {
    fn advice(&self, check: &Check) -> IndexAdvice {
        IndexAdvice {
            table: self.facts.quoted.clone(),
            columns: self.proposal.column_names().into_iter().map(str::to_owned).collect(),
            create: format!("CREATE INDEX CONCURRENTLY ON {}", key(self.facts)),
            statement: self.statement.to_owned(),
            helps: 1,
            checked_by: match check {
                Check::Hypothetical { .. } => CheckedBy::Hypopg,
                Check::Statistics(_) => CheckedBy::Statistics,
            },
            cost_before: self.cost_before,
            cost_after: self.cost_after,
        }
    }
}

/// One line an index, with the statement that gains most.
fn merge(advice: &mut Vec<IndexAdvice>, new: IndexAdvice) {
    let same = |known: &&mut IndexAdvice| known.table == new.table && known.columns == new.columns;
    match advice.iter_mut().find(same) {
        Some(known) => {
            let helps = known.helps + 1;
            if saving(&new) > saving(known) {
                *known = new;
            }
            known.helps = helps;
        }
        None => advice.push(new),
    }
}

fn saving(advice: &IndexAdvice) -> f64 {
    advice.cost_before - advice.cost_after
}

/// What is known of the table, unless the index is there already or cannot be built.
async fn facts(inspection: &mut Inspection, proposal: &Proposal) -> Result<Option<TableFacts>, sqlx::Error> {
    let names = proposal.column_names();
    let facts = figures::table(&mut inspection.connection, &proposal.schema, &proposal.table, &names).await?;
    Ok(facts.filter(|facts| {
        let narrow = facts.columns.iter().all(|column| column.width.unwrap_or(0.0) <= WIDEST_COLUMN_BYTES);
        narrow && !facts.indexes.iter().any(|index| index.iter().take(names.len()).eq(&names))
    }))
}

fn key(facts: &TableFacts) -> String {
    format!("{} ({})", facts.quoted, facts.quoted_columns.join(", "))
}

/// The plan's cost with a hypothetical index; none when the planner does not use it, or it cannot be built.
async fn hypothetical_cost(
    inspection: &mut Inspection,
    statement: &str,
    proposal: &Proposal,
    facts: &TableFacts,
    schema: &str,
) -> Result<Option<f64>, sqlx::Error> {
    let create = format!("SELECT indexname FROM {schema}.hypopg_create_index($1)");
    let created = sqlx::query_scalar(AssertSqlSafe(create))
        .bind(format!("CREATE INDEX ON {}", key(facts)))
        .fetch_one(&mut inspection.connection)
        .await;
    let index: String = match created {
        Ok(index) => index,
        Err(sqlx::Error::Database(error)) => {
            tracing::debug!(table = proposal.table, reason = error.message(), "an index cannot be tried");
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let explained = inspection.explain(statement).await;
    sqlx::query(AssertSqlSafe(format!("SELECT {schema}.hypopg_reset()"))).execute(&mut inspection.connection).await?;
    Ok(explained.ok().as_ref().map(plan::root).filter(|root| plan::uses_index(root, &index)).map(plan::total_cost))
}

/// The plan's cost with the scan replaced by one of the index, by `cost`'s formulas.
fn estimated_cost(prices: &Prices, scan: &Scan<'_>, proposal: &Proposal, facts: &TableFacts) -> f64 {
    let compared = proposal.columns.iter().map(|column| column.comparison);
    let columns: Vec<_> = facts.columns.iter().copied().zip(compared).collect();
    let lookup = index_scan_cost(prices, facts.size, &columns, scan.filters(), proposal.at_least);
    scan.plan_cost_with(proposal, lookup * proposal.lookups)
}
