//! Counts over the candidate window, by what a client can narrow a search with. Knows no plugin.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::columns::Candidate;
use crate::index::language::extension;

/// Values of one facet that are shown.
const MOST_VALUES: usize = 100;

/// What hits can be counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Facet {
    Language,
    Directory,
    FileType,
}

impl Facet {
    pub const ALL: [Facet; 3] = [Facet::Language, Facet::Directory, Facet::FileType];

    pub fn name(self) -> &'static str {
        match self {
            Self::Language => "language",
            Self::Directory => "directory",
            Self::FileType => "file_type",
        }
    }
}

/// Counts over all hits of the candidate window; only those facets that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Facets {
    /// As `metadata.language` has it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub language: Option<Vec<FacetCount>>,
    /// A hit counts for each folder above it, so that a count says what is left of the window when the search
    /// is narrowed by `directories` to this value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub directory: Option<Vec<FacetCount>>,
    /// As `file_types` takes it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file_type: Option<Vec<FacetCount>>,
}

/// One value and the hits that have it; most first, then by value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FacetCount {
    pub value: String,
    pub count: u32,
}

impl Facets {
    /// None when nothing is wanted.
    pub(super) fn count(wanted: &[Facet], candidates: &[Candidate]) -> Option<Self> {
        let counted = |facet: Facet| {
            wanted.contains(&facet).then(|| counts(candidates.iter().flat_map(|candidate| values(facet, candidate))))
        };
        (!wanted.is_empty()).then(|| Self {
            language: counted(Facet::Language),
            directory: counted(Facet::Directory),
            file_type: counted(Facet::FileType),
        })
    }
}

/// Borrowed: a path of many folders has as many values, each nearly as long as itself.
fn values(facet: Facet, candidate: &Candidate) -> Vec<Cow<'_, str>> {
    let document = &candidate.chunk.document;
    match facet {
        Facet::Language => document.language.as_deref().map(Cow::Borrowed).into_iter().collect(),
        Facet::FileType => extension(&document.path).map(Cow::Owned).into_iter().collect(),
        Facet::Directory => {
            document.path.match_indices('/').map(|(at, _)| Cow::Borrowed(&document.path[..at])).collect()
        }
    }
}

fn counts<'a>(values: impl Iterator<Item = Cow<'a, str>>) -> Vec<FacetCount> {
    let mut counts: HashMap<Cow<'a, str>, u32> = HashMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    let mut counts: Vec<(Cow<'a, str>, u32)> = counts.into_iter().collect();
    counts.sort_unstable_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    counts.truncate(MOST_VALUES);
    counts.into_iter().map(|(value, count)| FacetCount { value: value.into_owned(), count }).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::index::{ChunkInfo, DocumentInfo};
    use crate::query::ChunkId;
    use crate::service::columns::Legs;

    fn candidate(path: &str, language: Option<&str>) -> Candidate {
        let document = DocumentInfo {
            sequence: 1,
            document: 1,
            root: 0,
            path: path.into(),
            language: language.map(Arc::from),
            title: None,
            modified: 0,
            size: 1,
            chunks: 1,
        };
        let id = ChunkId::new(1, 0);
        let document = Arc::new(document);
        let chunk = ChunkInfo { id, document, first_line: 1, last_line: 1, start: 0, end: 1, symbols: vec![] };
        Candidate { chunk, line: 1, score: 1.0, legs: Legs::default() }
    }

    fn pairs(counts: Option<Vec<FacetCount>>) -> Option<Vec<(String, u32)>> {
        counts.map(|counts| counts.into_iter().map(|FacetCount { value, count }| (value, count)).collect())
    }

    fn expected(pairs: &[(&str, u32)]) -> Option<Vec<(String, u32)>> {
        Some(pairs.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect())
    }

    #[test]
    fn by_hand_most_first_then_by_value() {
        let window = [
            candidate("host/http/search.rs", Some("rust")),
            candidate("host/http/search.rs", Some("rust")),
            candidate("host/app.RS", Some("rust")),
            candidate("docs/guide.md", Some("markdown")),
            candidate("a/b.md", Some("markdown")),
            candidate("LICENSE", None),
        ];
        let Facets { language, directory, file_type } = Facets::count(&Facet::ALL, &window).unwrap_or_default();
        assert_eq!(pairs(language), expected(&[("rust", 3), ("markdown", 2)]));
        assert_eq!(pairs(directory), expected(&[("host", 3), ("host/http", 2), ("a", 1), ("docs", 1)]));
        assert_eq!(pairs(file_type), expected(&[("rs", 3), ("md", 2)]));
    }

    #[test]
    fn only_what_is_wanted_and_a_hundred_values_at_most() {
        assert_eq!(Facets::count(&[], &[candidate("a/b.rs", None)]), None);
        let window: Vec<Candidate> = (0..150).map(|number| candidate(&format!("{number:03}/x.rs"), None)).collect();
        let Facets { language, directory, file_type } = Facets::count(&[Facet::Directory], &window).unwrap_or_default();
        assert_eq!((language, file_type), (None, None));
        let directory = pairs(directory).unwrap_or_default();
        assert_eq!((directory.len(), &directory[99]), (100, &("099".to_owned(), 1)));
    }
}
