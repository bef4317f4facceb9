//! What makes a document a new version, the same for every backend: how a given document is prepared, and how it
//! compares with what is stored. Knows no SQL.

use std::time::{SystemTime, UNIX_EPOCH};

use rayon::prelude::*;

use super::{NewDocument, StoreError, content};

/// A given document, ready to be written.
pub(super) struct Encoded {
    /// Without its text.
    pub document: NewDocument,
    /// blake3 of the text.
    pub digest: [u8; 32],
    /// Bytes of the text.
    pub size: i64,
    /// The text as it is stored.
    pub body: Vec<u8>,
}

/// What is stored of a document, as far as it matters for a new version.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub(super) struct Current {
    /// Empty when the text is known to be damaged.
    pub digest: Vec<u8>,
    pub language: Option<String>,
    pub title: Option<String>,
    pub modified: i64,
    pub stamp: Option<i64>,
    pub deleted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// A new version.
    Write,
    /// No new version, but another stamp of its source.
    Touch,
    Keep,
}

/// Refuses what no backend takes.
pub(super) fn check(documents: &[NewDocument], max_content_bytes: u64) -> Result<(), StoreError> {
    for document in documents {
        let size = document.content.len() as u64;
        if size > max_content_bytes {
            return Err(StoreError::TooLarge { path: document.path.clone(), size, limit: max_content_bytes });
        }
        if document.path.contains('\0') {
            return Err(StoreError::UnusablePath(document.path.escape_debug().to_string()));
        }
    }
    Ok(())
}

/// Digests and compresses on all cores; the text itself is dropped.
pub(super) async fn encode(documents: Vec<NewDocument>) -> Result<Vec<Encoded>, StoreError> {
    tokio::task::spawn_blocking(move || documents.into_par_iter().map(encode_one).collect())
        .await
        .map_err(|error| StoreError::Statement(error.to_string()))
}

fn encode_one(mut document: NewDocument) -> Encoded {
    let text = std::mem::take(&mut document.content);
    document.title = document.title.map(storable);
    document.language = document.language.map(storable);
    Encoded {
        document,
        digest: *blake3::hash(text.as_bytes()).as_bytes(),
        size: (text.len() as u64).cast_signed(),
        body: content::encode(&text),
    }
}

/// PostgreSQL's text has no NUL.
pub(super) fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// What to do with a document, given what is stored of it.
pub(super) fn decide(current: Option<&Current>, new: &Encoded) -> Decision {
    let Some(current) = current else { return Decision::Write };
    let document = &new.document;
    // Where the source has its own change mark, another time alone is not a change.
    let modified_counts = document.stamp.is_none();
    let differs = document.rewrite
        || current.deleted
        || current.digest != new.digest
        || current.language != document.language
        || current.title != document.title
        || (modified_counts && document.modified.is_some_and(|modified| modified != current.modified));
    if differs {
        Decision::Write
    } else if document.stamp.is_some() && document.stamp != current.stamp {
        Decision::Touch
    } else {
        Decision::Keep
    }
}

/// What will be stored of a document once it is written.
pub(super) fn current_after(new: &Encoded, now: i64) -> Current {
    let document = &new.document;
    Current {
        digest: new.digest.to_vec(),
        language: document.language.clone(),
        title: document.title.clone(),
        modified: document.modified.unwrap_or(now),
        stamp: document.stamp,
        deleted: false,
    }
}

pub(super) fn unix_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs().cast_signed())
}
