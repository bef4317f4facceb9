//! Every statement about counts of use. Hosts add to the same rows at once, in one order, so that none waits for
//! another that waits for it.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::connections::{CALL, Session, timed};
use super::{PostgresStore, call};
use crate::store::StoreError;
use crate::store::usage::{ForgetUsage, UsageRow, UsageStore};

#[async_trait]
impl UsageStore for PostgresStore {
    async fn record_usage(&self, rows: &[UsageRow]) -> Result<(), StoreError> {
        call!(self, CALL, |session| record(session, rows))
    }

    async fn usage(&self, limit: u32) -> Result<Vec<UsageRow>, StoreError> {
        call!(self, CALL, |session| read(session, limit))
    }

    async fn forget_usage(&self, which: &ForgetUsage) -> Result<u64, StoreError> {
        call!(self, CALL, |session| forget(session, which))
    }
}

/// What a question and a path are told apart by.
fn identity(question: &str, path: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(question.len() as u64).to_le_bytes()).update(question.as_bytes()).update(path.as_bytes());
    *hasher.finalize().as_bytes()
}

async fn record(session: &mut Session, rows: &[UsageRow]) -> sqlx::Result<()> {
    const RECORD: &str = "
        INSERT INTO usage AS kept (identity, question, path, day, count)
        SELECT * FROM UNNEST($1::BYTEA[], $2::TEXT[], $3::TEXT[], $4::BIGINT[], $5::BIGINT[])
        ON CONFLICT (identity, day) DO UPDATE SET count = kept.count + excluded.count";
    // One statement may not change a row twice; and in the order of the key, so that two hosts cannot lock each other.
    let mut sums: BTreeMap<([u8; 32], i64), (&UsageRow, i64)> = BTreeMap::new();
    for row in rows {
        sums.entry((identity(&row.question, &row.path), row.day)).or_insert((row, 0)).1 += row.count;
    }
    if sums.is_empty() {
        return Ok(());
    }
    let (mut identities, mut questions, mut paths) = (Vec::new(), Vec::new(), Vec::new());
    let (mut days, mut counts) = (Vec::new(), Vec::new());
    for ((identity, day), (row, count)) in &sums {
        identities.push(identity.as_slice());
        questions.push(row.question.as_str());
        paths.push(row.path.as_str());
        days.push(*day);
        counts.push(*count);
    }
    let (connection, monitor) = session.parts()?;
    let record = sqlx::query(RECORD).bind(identities).bind(questions).bind(paths).bind(days).bind(counts);
    timed(monitor, RECORD, record.execute(connection)).await.map(drop)
}

async fn read(session: &mut Session, limit: u32) -> sqlx::Result<Vec<UsageRow>> {
    const READ: &str =
        "SELECT question, path, day, count FROM usage ORDER BY day DESC, count DESC, question, path LIMIT $1";
    let (connection, monitor) = session.parts()?;
    let read = sqlx::query_as(READ).bind(i64::from(limit));
    timed(monitor, READ, read.fetch_all(connection)).await
}

/// Rows after one, by day, question and path.
pub(super) async fn page(session: &mut Session, after: Option<&UsageRow>, limit: i64) -> sqlx::Result<Vec<UsageRow>> {
    const PAGE: &str = "
        SELECT question, path, day, count FROM usage WHERE day >= $1 AND (day, question, path) > ($1, $2, $3)
        ORDER BY day, question, path LIMIT $4";
    let (day, question, path) = UsageRow::place(after);
    let (connection, monitor) = session.parts()?;
    let page = sqlx::query_as(PAGE).bind(day).bind(question).bind(path).bind(limit);
    timed(monitor, PAGE, page.fetch_all(connection)).await
}

async fn forget(session: &mut Session, which: &ForgetUsage) -> sqlx::Result<u64> {
    const FORGET: &str = "
        DELETE FROM usage WHERE ($1::BIGINT IS NULL OR day < $1) AND ($2::TEXT IS NULL OR question = $2)
        AND ($3::TEXT IS NULL OR path = $3)";
    let (connection, monitor) = session.parts()?;
    let forget = sqlx::query(FORGET).bind(which.before).bind(&which.question).bind(&which.path);
    Ok(timed(monitor, FORGET, forget.execute(connection)).await?.rows_affected())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use services::{Postgres, PostgresKind};

    use super::*;
    use crate::store::postgres::PostgresOptions;
    use crate::store::usage;

    #[tokio::test(flavor = "multi_thread")]
    async fn usage_conforms() {
        for kind in [PostgresKind::Debian, PostgresKind::Vector] {
            let url = Postgres::shared(kind).database();
            usage::conforms(&PostgresStore::open(&url, PostgresOptions::new("a")).await.unwrap()).await;
        }
    }
}
