//! The page at `/`: files that are compiled in, served as they are. What they show they ask of the same API as
//! everyone; nothing here knows what that is.

use std::sync::{Arc, LazyLock};

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use crate::http::problem::{Code, Problem};
use crate::http::{Name, Shared};

/// One file of the page.
struct File {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
}

macro_rules! files {
    ($($name:literal: $kind:literal),* $(,)?) => {
        &[$(File { name: $name, kind: $kind, content: include_str!(concat!("page/", $name)) }),*]
    };
}

const FILES: &[File] = files! {
    "index.html": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "main.js": "text/javascript; charset=utf-8",
    "search.js": "text/javascript; charset=utf-8",
    "plugins.js": "text/javascript; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "world.js": "text/javascript; charset=utf-8",
};

/// Scripts and styles come from here and from nowhere else, nobody may frame the page, and what a document's text
/// holds can at worst be shown.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// One for all files, so that no mixture of two versions is taken from a browser's cache. In quotes.
static ETAG: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = blake3::Hasher::new();
    for file in FILES {
        hasher.update(file.content.as_bytes());
    }
    format!("\"{}\"", &hasher.finalize().to_hex()[..32])
});

pub(super) fn routes() -> Vec<(&'static str, MethodRouter<Arc<Shared>>)> {
    vec![("/", get(index)), ("/page/{file}", get(file))]
}

/// A page to search, to watch plugins and figures, and to look at the world.
#[utoipa::path(get, path = "/", tag = "status", responses((status = 200, content_type = "text/html", body = String)))]
pub(super) async fn index(request: Request) -> Response {
    FILES.first().map_or_else(|| StatusCode::NOT_FOUND.into_response(), |file| serve(file, &request))
}

/// What the page is made of.
#[utoipa::path(
    get,
    path = "/page/{file}",
    tag = "status",
    params(("file" = String, Path, description = "such as `main.js`")),
    responses(
        (status = 200, content_type = "text/javascript", body = String),
        (status = 304, description = "as `if-none-match` has it"),
        (status = 404, body = crate::http::problem::ProblemDocument, description = "no such file"),
    )
)]
pub(super) async fn file(Name(name): Name, request: Request) -> Result<Response, Problem> {
    match FILES.iter().find(|file| file.name == name) {
        Some(file) => Ok(serve(file, &request)),
        None => Err(Problem::new(Code::NotFound, "the page has no such file")),
    }
}

fn serve(file: &File, request: &Request) -> Response {
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = match known.is_some_and(|known| known.contains(ETAG.as_str())) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, file.kind)], file.content).into_response(),
    };
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&ETAG) {
        headers.insert(header::ETAG, etag);
    }
    for (name, value) in [
        // Asked again each time, and then mostly answered with 304: a new server has its new page at once.
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
