//! Every statement about figures of the past. Hosts write rows of their own, so they never wait for each
//! other here.

use std::collections::BTreeMap;

use super::connections::{CALL, Session, timed};
use super::{PostgresStore, call};
use crate::store::StoreError;
use crate::store::history::{HistoryRange, HistoryRow, HistoryStore, Resolution};
use async_trait::async_trait;

#[async_trait]
impl HistoryStore for PostgresStore {
    async fn record_history(&self, rows: &[HistoryRow]) -> Result<(), StoreError> {
        call!(self, CALL, |session| record(session, rows))
    }

    async fn history(&self, range: &HistoryRange) -> Result<Vec<HistoryRow>, StoreError> {
        call!(self, CALL, |session| read(session, range))
    }

    async fn forget_history(&self, resolution: Resolution, before: i64) -> Result<u64, StoreError> {
        call!(self, CALL, |session| forget(session, resolution, before))
    }
}

async fn record(session: &mut Session, rows: &[HistoryRow]) -> sqlx::Result<()> {
    const RECORD: &str = "
        INSERT INTO history (resolution, at, host, figures, times)
        SELECT * FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::TEXT[], $4::TEXT[], $5::BYTEA[])
        ON CONFLICT (resolution, at, host) DO UPDATE SET figures = excluded.figures, times = excluded.times";
    // One statement may not change a row twice: the last one counts.
    let rows: BTreeMap<_, _> = rows.iter().map(|row| ((row.resolution.seconds(), row.at, &row.host), row)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let (mut resolutions, mut begins, mut hosts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut figures, mut times) = (Vec::new(), Vec::new());
    for row in rows.values() {
        resolutions.push(row.resolution.seconds());
        begins.push(row.at);
        hosts.push(row.host.as_str());
        figures.push(row.figures.as_str());
        times.push(row.times.as_slice());
    }
    let (connection, monitor) = session.parts()?;
    let record = sqlx::query(RECORD).bind(resolutions).bind(begins).bind(hosts).bind(figures).bind(times);
    timed(monitor, RECORD, record.execute(connection)).await.map(drop)
}

async fn read(session: &mut Session, range: &HistoryRange) -> sqlx::Result<Vec<HistoryRow>> {
    const READ: &str = "
        SELECT at, host, figures, times FROM history
        WHERE resolution = $1 AND at >= $2 AND at < $3 AND ($4::TEXT IS NULL OR host = $4)
        ORDER BY at, host LIMIT $5";
    let (connection, monitor) = session.parts()?;
    let read = sqlx::query_as(READ)
        .bind(range.resolution.seconds())
        .bind(range.from)
        .bind(range.until)
        .bind(&range.host)
        .bind(i64::from(range.limit));
    let rows = timed(monitor, READ, read.fetch_all(connection)).await?;
    Ok(rows.into_iter().map(|columns| range.row(columns)).collect())
}

async fn forget(session: &mut Session, resolution: Resolution, before: i64) -> sqlx::Result<u64> {
    const FORGET: &str = "DELETE FROM history WHERE resolution = $1 AND at < $2";
    let (connection, monitor) = session.parts()?;
    let forget = sqlx::query(FORGET).bind(resolution.seconds()).bind(before);
    Ok(timed(monitor, FORGET, forget.execute(connection)).await?.rows_affected())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use services::{Postgres, PostgresKind};

    use super::*;
    use crate::store::history;
    use crate::store::postgres::PostgresOptions;

    #[tokio::test(flavor = "multi_thread")]
    async fn history_conforms() {
        for kind in [PostgresKind::Debian, PostgresKind::Vector] {
            let url = Postgres::shared(kind).database();
            history::conforms(&PostgresStore::open(&url, PostgresOptions::new("a")).await.unwrap()).await;
        }
    }
}
