//! Columns of the world's tables, which both backends have alike, and what is made of them. Statements are the
//! backends' own.

use sqlx::FromRow;

use super::{SnapshotInfo, StoredEvent, StoredRules};
use crate::store::copy::SnapshotRow;

#[derive(FromRow)]
pub(in crate::store) struct EventRow {
    #[sqlx(try_from = "i64")]
    sequence: u64,
    #[sqlx(try_from = "i64")]
    tick: u64,
    at: i64,
    rules: Vec<u8>,
    kind: String,
    body: Vec<u8>,
}

impl EventRow {
    /// Bytes that count for a page.
    pub(in crate::store) fn size(&self) -> u64 {
        self.body.len() as u64
    }
}

impl TryFrom<EventRow> for StoredEvent {
    type Error = sqlx::Error;

    fn try_from(row: EventRow) -> sqlx::Result<Self> {
        let EventRow { sequence, tick, at, rules, kind, body } = row;
        Ok(Self { sequence, tick, at, rules: digest("rules", rules)?, kind, body })
    }
}

/// A snapshot without its body.
#[derive(FromRow)]
pub(in crate::store) struct SnapshotColumns {
    #[sqlx(try_from = "i64")]
    id: u64,
    #[sqlx(try_from = "i64")]
    sequence: u64,
    #[sqlx(try_from = "i64")]
    tick: u64,
    at: i64,
    name: Option<String>,
    #[sqlx(try_from = "i64")]
    agents: u64,
    digest: Vec<u8>,
    pinned: bool,
    #[sqlx(try_from = "i64")]
    size: u64,
}

impl TryFrom<SnapshotColumns> for SnapshotRow {
    type Error = sqlx::Error;

    fn try_from(row: SnapshotColumns) -> sqlx::Result<Self> {
        let SnapshotColumns { id, sequence, tick, at, name, agents, digest: world, pinned, size } = row;
        let digest = digest("digest", world)?;
        Ok(Self { info: SnapshotInfo { id, sequence, tick, at, name, agents, digest, size }, pinned })
    }
}

#[derive(FromRow)]
pub(in crate::store) struct RulesRow {
    digest: Vec<u8>,
    name: String,
    version: String,
    first_used: i64,
    body: Vec<u8>,
}

impl TryFrom<RulesRow> for StoredRules {
    type Error = sqlx::Error;

    fn try_from(row: RulesRow) -> sqlx::Result<Self> {
        let RulesRow { digest: of_body, name, version, first_used, body } = row;
        Ok(Self { digest: digest("digest", of_body)?, name, version, first_used, body })
    }
}

/// SQL integers are signed; nothing comes after the largest of them.
pub(in crate::store) fn position(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

fn digest(column: &str, bytes: Vec<u8>) -> sqlx::Result<[u8; 32]> {
    let wrong = |_| sqlx::Error::ColumnDecode { index: column.to_owned(), source: "its length is wrong".into() };
    bytes.try_into().map_err(wrong)
}
