//! Which documents a query may see, as a condition on `chunks`.

use sqlx::{Postgres, QueryBuilder};

use crate::query::Scope;

/// As in the index `chunks_path`.
const INDEXED: i32 = 255;

pub(super) fn is_all(scope: &Scope) -> bool {
    scope.file_types.is_empty() && scope.directories.is_empty()
}

/// Adds ` AND …` for what the scope demands of the table `chunks`.
pub(super) fn push(query: &mut QueryBuilder<Postgres>, scope: &Scope) {
    if !scope.file_types.is_empty() {
        query.push(" AND chunks.extension = ANY(").push_bind(scope.file_types.clone()).push(")");
    }
    if scope.directories.is_empty() {
        return;
    }
    for (at, folder) in scope.directories.iter().enumerate() {
        let below = format!("{folder}/");
        // The beginning is what the index has; the rest is exact.
        query.push(if at == 0 { " AND (" } else { " OR " });
        query.push("(left(chunks.path, 255) >= left(").push_bind(folder.clone()).push(", ").push_bind(INDEXED);
        query.push(") AND left(chunks.path, 255) <= left(").push_bind(below.clone()).push(", ").push_bind(INDEXED);
        query.push(") || chr(1114111) AND (chunks.path = ").push_bind(folder.clone());
        query.push(" OR starts_with(chunks.path, ").push_bind(below).push(")))");
    }
    query.push(")");
}
