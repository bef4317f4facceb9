//! Which documents a query may see: as a test on a document, and as the terms that both on-disk
//! indexes carry for it.

use tantivy::Term;
use tantivy::query::{BooleanQuery, ConstScoreQuery, Occur, Query, TermSetQuery};
use tantivy::schema::Field;

use super::DocumentInfo;
use super::language::extension;
use crate::query::Scope;

/// The terms of a path that a scope can name: itself and all folders above it.
pub(crate) fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).chain(std::iter::once(path)).filter(|folder| !folder.is_empty())
}

pub(crate) fn is_all(scope: &Scope) -> bool {
    scope.file_types.is_empty() && scope.directories.is_empty()
}

pub(crate) fn holds(scope: &Scope, document: &DocumentInfo) -> bool {
    let types = &scope.file_types;
    let has_type = || extension(&document.path).is_some_and(|extension| types.contains(&extension));
    let below = |folder: &String| {
        let rest = document.path.strip_prefix(folder.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    (types.is_empty() || has_type()) && (scope.directories.is_empty() || scope.directories.iter().any(below))
}

/// The scope as a filter that does not score; none when it holds all documents.
pub(crate) fn filter(scope: &Scope, extension: Field, folder: Field) -> Option<Box<dyn Query>> {
    let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
    for (field, values) in [(extension, &scope.file_types), (folder, &scope.directories)] {
        if !values.is_empty() {
            let terms = values.iter().map(|value| Term::from_field_text(field, value));
            clauses.push((Occur::Must, Box::new(TermSetQuery::new(terms))));
        }
    }
    if clauses.is_empty() {
        return None;
    }
    Some(Box::new(ConstScoreQuery::new(Box::new(BooleanQuery::new(clauses)), 0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::catalogue::tests::entry;

    #[test]
    fn folders_of_a_path_end_at_borders() {
        assert_eq!(folders("a/bc/d.rs").collect::<Vec<_>>(), ["a", "a/bc", "a/bc/d.rs"]);
        assert_eq!(folders("/x").collect::<Vec<_>>(), ["/x"]);
    }

    #[test]
    fn a_scope_holds_types_and_folders() {
        let check = |types: &[&str], folders: &[&str], path: &str, expect: bool| {
            let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let scope = Scope { file_types: list(types), directories: list(folders) };
            assert_eq!(holds(&scope, &entry(1, path, &[1]).info), expect, "{types:?} {folders:?} {path}");
        };
        check(&[], &[], "a/b.rs", true);
        check(&["rs"], &[], "a/b.RS", true);
        check(&["rs"], &[], "a/rs", false);
        check(&[], &["a"], "a/b.rs", true);
        check(&[], &["a"], "ab/b.rs", false);
        check(&[], &["x", "a/b"], "a/b/c.py", true);
        check(&["rs"], &["a"], "a/b.py", false);
    }
}
