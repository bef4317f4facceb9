//! Columns as the tables of every backend have them, and what is made of them. Statements are the backends' own.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::{FromRow, Row};

use super::{Fingerprint, StoredChange, StoredKey, Task, content};
use crate::index::DocumentVersion;

/// A document with its text, also a tombstone. SQL integers are signed; what is stored in them never is.
#[derive(FromRow)]
pub(super) struct ChangeRow<'r> {
    #[sqlx(try_from = "i64")]
    id: u64,
    #[sqlx(try_from = "i64")]
    root: u64,
    path: String,
    language: Option<String>,
    title: Option<String>,
    modified: i64,
    #[sqlx(try_from = "i64")]
    size: u64,
    digest: &'r [u8],
    #[sqlx(try_from = "i64")]
    sequence: u64,
    deleted: bool,
    body: Option<&'r [u8]>,
}

/// Decompresses the text, and tells damage from it.
pub(super) fn change<'r, R: Row>(row: &'r R) -> sqlx::Result<StoredChange>
where
    ChangeRow<'r>: FromRow<'r, R>,
{
    let ChangeRow { id: document, root, path, language, title, modified, size, digest, sequence, deleted, body } =
        FromRow::from_row(row)?;
    if deleted {
        return Ok(StoredChange::Remove { document, sequence });
    }
    Ok(match content::decode(body.unwrap_or_default(), size, digest) {
        Ok(content) => {
            StoredChange::Upsert(DocumentVersion { sequence, document, root, path, language, title, modified, content })
        }
        Err(error) => StoredChange::Damaged { document, sequence, path, reason: error.to_string() },
    })
}

#[derive(FromRow)]
pub(super) struct FingerprintRow<'r> {
    path: String,
    digest: &'r [u8],
    modified: i64,
    stamp: Option<i64>,
    #[sqlx(try_from = "i64")]
    size: u64,
}

/// A live document's path and fingerprint.
pub(super) fn fingerprint<'r, R: Row>(row: &'r R) -> sqlx::Result<(String, Fingerprint)>
where
    FingerprintRow<'r>: FromRow<'r, R>,
{
    let FingerprintRow { path, digest, modified, stamp, size } = FromRow::from_row(row)?;
    Ok((path, Fingerprint { digest: digest.try_into().unwrap_or_default(), modified, stamp, size }))
}

#[derive(FromRow)]
pub(super) struct KeyRow {
    id: String,
    name: String,
    digest: Vec<u8>,
    scopes: String,
    rate_per_minute: Option<i64>,
    created_at: i64,
    expires_at: Option<i64>,
}

impl TryFrom<KeyRow> for StoredKey {
    type Error = sqlx::Error;

    fn try_from(row: KeyRow) -> sqlx::Result<Self> {
        let KeyRow { id, name, digest, scopes, rate_per_minute, created_at, expires_at } = row;
        let digest = digest.try_into().map_err(|_| undecodable("digest", "its length is wrong"))?;
        let rate_per_minute = rate_per_minute.map(u32::try_from).transpose();
        let rate_per_minute = rate_per_minute.map_err(|error| undecodable("rate_per_minute", error))?;
        Ok(Self { id, name, digest, scopes, rate_per_minute, created_at, expires_at })
    }
}

/// Enumerations and progress lie in their columns as JSON, so that a newer program reads what an older one wrote.
#[derive(FromRow)]
pub(super) struct TaskRow {
    id: String,
    kind: String,
    state: String,
    path: String,
    progress: String,
    error: Option<String>,
    created_at: String,
    started_at: Option<String>,
    finished_at: Option<String>,
}

impl TryFrom<TaskRow> for Task {
    type Error = sqlx::Error;

    fn try_from(row: TaskRow) -> sqlx::Result<Self> {
        let TaskRow { id, kind, state, path, progress, error, created_at, started_at, finished_at } = row;
        let (kind, state) = (parsed("kind", &kind)?, parsed("state", &state)?);
        let progress = parsed("progress", &progress)?;
        Ok(Self { id, kind, state, path, progress, error, created_at, started_at, finished_at })
    }
}

/// For a column that `TaskRow` reads.
pub(super) fn json(value: &impl Serialize) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

fn parsed<T: DeserializeOwned>(column: &str, text: &str) -> sqlx::Result<T> {
    serde_json::from_str(text).map_err(|error| undecodable(column, error))
}

fn undecodable(column: &str, reason: impl Into<sqlx::error::BoxDynError>) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: reason.into() }
}
