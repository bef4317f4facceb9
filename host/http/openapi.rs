//! The description of the API that clients can read. Made from the handlers' own annotations; a test
//! holds it against the routes.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::http::{database, indexing, keys, plugins, search, status, tasks};

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
        keys::list,
        keys::create,
        keys::revoke,
        document,
    ),
    tags(
        (name = "search", description = "ask"),
        (name = "indexing", description = "bring documents in"),
        (name = "plugins", description = "what answers"),
        (name = "keys", description = "who may ask"),
        (name = "status", description = "how the server fares"),
    ),
    modifiers(&Keys),
    security((), ("bearer" = []), ("header" = []))
)]
pub(super) struct Api;

/// Both ways to present a key.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("`corsac_<id>_<secret>`"));
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
        let header = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("x-api-key")));
        components.add_security_scheme("header", header);
    }
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "status", responses((status = 200, body = Object)))]
pub(super) async fn document() -> Response {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Api::openapi().to_json().unwrap_or_default().into());
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], DOCUMENT.clone()).into_response()
}
