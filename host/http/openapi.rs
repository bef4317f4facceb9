//! The description of the API that clients can read. Made from the handlers' own annotations; a test
//! holds it against the routes.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use utoipa::OpenApi;

use crate::http::{database, indexing, plugins, search, status, tasks};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Corsac",
        description = "A search server whose retrieval strategies and rankers are hot-swappable WebAssembly components. Failures are problem documents (RFC 9457) with a stable `code`."
    ),
    paths(
        search::search,
        indexing::index,
        indexing::post_documents,
        tasks::list,
        tasks::task,
        status::stats,
        status::health::health,
        status::performance::performance,
        status::history::history,
        status::clear_cache,
        database::database,
        status::metrics::metrics,
        status::health::alive,
        status::health::ready,
        plugins::list,
        plugins::reload,
        document,
    ),
    tags(
        (name = "search", description = "ask"),
        (name = "indexing", description = "bring documents in"),
        (name = "plugins", description = "what answers"),
        (name = "status", description = "how the server fares"),
    )
)]
pub(super) struct Api;

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "status", responses((status = 200, body = Object)))]
pub(super) async fn document() -> Response {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Api::openapi().to_json().unwrap_or_default().into());
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], DOCUMENT.clone()).into_response()
}
