//! Documents that clients post: their JSON shape, and what is wrong with those that are refused.

use serde::{Deserialize, Serialize};

use crate::store::{NewDocument, POSTED_ROOT, Upserted};

const MAX_PATH_BYTES: usize = 512;
const MAX_TITLE_BYTES: usize = 1024;
const MAX_LANGUAGE_BYTES: usize = 64;
/// The last second of the year 9999, what RFC 3339 can say.
const MAX_UNIX_SECONDS: i64 = 253_402_300_799;

/// A document without a file. Posting the same path again replaces it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostedDocument {
    /// Its identity: a relative path or any other name, at most 512 bytes.
    #[serde(alias = "id")]
    pub path: String,
    #[serde(default)]
    pub title: Option<String>,
    /// Lower-case name such as `rust` or `markdown`; by default what the path's extension tells.
    #[serde(default)]
    pub language: Option<String>,
    pub content: String,
    /// Unix seconds; by default the time of the post that last changed it.
    #[serde(default)]
    pub modified: Option<i64>,
}

/// What became of the documents of one post.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Posted {
    /// New or changed, and durable.
    pub indexed: u64,
    pub unchanged: u64,
    pub refused: Vec<Refusal>,
    /// One entry for each document that was not refused, in their order: new or changed.
    #[serde(skip)]
    pub written: Vec<bool>,
    /// Store sequence of the newest change of this post; 0 when nothing changed.
    pub sequence: u64,
    /// Searches see them already. If not, they will without further ado.
    pub searchable: bool,
}

impl Posted {
    pub(super) fn count(&mut self, outcome: Upserted) {
        self.written.push(matches!(outcome, Upserted::Written { .. }));
        match outcome {
            Upserted::Written { sequence, .. } => {
                self.indexed += 1;
                self.sequence = self.sequence.max(sequence);
            }
            Upserted::Unchanged => self.unchanged += 1,
        }
    }
}

/// Why one document of a post was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Its place in the request, from 0.
    pub index: usize,
    /// As posted, shortened where it is too long.
    pub path: String,
    /// The field at fault.
    pub field: String,
    pub reason: String,
}

pub(super) struct Accepted {
    pub documents: Vec<NewDocument>,
    pub refused: Vec<Refusal>,
}

pub(super) fn validate(posted: Vec<PostedDocument>, max_content_bytes: u64) -> Accepted {
    let mut accepted = Accepted { documents: Vec::with_capacity(posted.len()), refused: vec![] };
    for (index, document) in posted.into_iter().enumerate() {
        match fault(&document, max_content_bytes) {
            Some((field, reason)) => accepted.refused.push(Refusal {
                index,
                path: document.path.chars().take(MAX_PATH_BYTES).collect(),
                field: field.to_owned(),
                reason,
            }),
            None => accepted.documents.push(new_document(document)),
        }
    }
    accepted
}

fn new_document(posted: PostedDocument) -> NewDocument {
    NewDocument {
        root: POSTED_ROOT,
        language: posted.language.map(|language| language.to_lowercase()),
        path: posted.path,
        title: posted.title,
        modified: posted.modified,
        stamp: None,
        content: posted.content,
        rewrite: false,
    }
}

/// The first field at fault, and why.
fn fault(document: &PostedDocument, max_content_bytes: u64) -> Option<(&'static str, String)> {
    let control = |text: &str| text.contains(char::is_control);
    let path = &document.path;
    if path.trim().is_empty() {
        return Some(("path", "must not be empty".into()));
    }
    if path.len() > MAX_PATH_BYTES {
        return Some(("path", format!("has {} bytes, at most {MAX_PATH_BYTES} are allowed", path.len())));
    }
    if control(path) {
        return Some(("path", "must not contain control characters".into()));
    }
    if path.starts_with('/') || path.split(['/', '\\']).any(|part| part == "..") {
        return Some(("path", "must be relative and without `..`".into()));
    }
    if let Some(title) = &document.title {
        if title.len() > MAX_TITLE_BYTES {
            return Some(("title", format!("has {} bytes, at most {MAX_TITLE_BYTES} are allowed", title.len())));
        }
        if control(title) {
            return Some(("title", "must not contain control characters".into()));
        }
    }
    if let Some(language) = &document.language
        && (language.is_empty() || language.len() > MAX_LANGUAGE_BYTES || control(language))
    {
        return Some(("language", format!("must be a name of 1 to {MAX_LANGUAGE_BYTES} bytes")));
    }
    let size = document.content.len() as u64;
    if size == 0 {
        return Some(("content", "must not be empty".into()));
    }
    if size > max_content_bytes {
        return Some(("content", format!("has {size} bytes, at most {max_content_bytes} are allowed")));
    }
    if document.modified.is_some_and(|modified| !(0..=MAX_UNIX_SECONDS).contains(&modified)) {
        return Some(("modified", format!("must be Unix seconds from 0 to {MAX_UNIX_SECONDS}")));
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn document(json: &str) -> PostedDocument {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn faults_name_document_and_field() {
        let long = "x".repeat(513);
        let cases = [
            (r#"{"path":"a.rs","content":"x"}"#.to_owned(), None),
            (r#"{"id":"https://example.org/a?b=..c","content":"x"}"#.to_owned(), None),
            (r#"{"path":"a","content":"x","modified":0,"title":"T","language":"Rust"}"#.to_owned(), None),
            (format!(r#"{{"path":"{}","content":"x"}}"#, &long[1..]), None),
            (r#"{"path":"","content":"x"}"#.to_owned(), Some("path")),
            (r#"{"path":"  ","content":"x"}"#.to_owned(), Some("path")),
            (format!(r#"{{"path":"{long}","content":"x"}}"#), Some("path")),
            (r#"{"path":"a\u0000b","content":"x"}"#.to_owned(), Some("path")),
            (r#"{"path":"/etc/passwd","content":"x"}"#.to_owned(), Some("path")),
            (r#"{"path":"a/../b","content":"x"}"#.to_owned(), Some("path")),
            (r#"{"path":"..\\b","content":"x"}"#.to_owned(), Some("path")),
            (r#"{"path":"a","content":""}"#.to_owned(), Some("content")),
            (r#"{"path":"a","content":"12345678901"}"#.to_owned(), Some("content")),
            (r#"{"path":"a","content":"x","modified":-1}"#.to_owned(), Some("modified")),
            (r#"{"path":"a","content":"x","title":"a\nb"}"#.to_owned(), Some("title")),
            (r#"{"path":"a","content":"x","language":""}"#.to_owned(), Some("language")),
        ];
        let accepted = validate(cases.iter().map(|(json, _)| document(json)).collect(), 10);
        let expected: Vec<_> = cases
            .iter()
            .enumerate()
            .filter_map(|(index, (_, field))| field.map(|field| (index, field.to_owned())))
            .collect();
        let refused: Vec<_> = accepted.refused.iter().map(|refusal| (refusal.index, refusal.field.clone())).collect();
        assert_eq!(refused, expected);
        assert_eq!(accepted.documents.len(), cases.len() - expected.len());
        assert_eq!(accepted.documents[0].language, None);
        assert_eq!(accepted.documents[2].language.as_deref(), Some("rust"));
    }

    #[test]
    fn unknown_fields_are_an_error() {
        assert!(serde_json::from_str::<PostedDocument>(r#"{"path":"a","content":"x","contents":"y"}"#).is_err());
    }
}
