//! `/problems`: where the `type` of every problem leads.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::Code;
use super::code::Description;

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Problems</title>
<h1>Problems</h1>
<p>What the <code>code</code> of a failure (RFC 9457) means, and what to do. Its <code>detail</code> is about the
request at hand; <code>errors</code> has every field that is wrong, with a <code>remedy</code> where there is one to
tell.</p>
<table>
<tr><th>code</th><th>status</th><th>what it means</th><th>what to do</th></tr>
"#;

static PAGE: LazyLock<Bytes> = LazyLock::new(|| {
    let mut page = HEAD.to_owned();
    for code in Code::ALL {
        let Description { word, status, title, remedy } = code.describe();
        let (status, remedy) = (status.as_u16(), with_marks(remedy));
        // A text takes everything.
        let _ = writeln!(
            page,
            "<tr id=\"{word}\"><td><code>{word}</code></td><td>{status}</td><td>{title}</td><td>{remedy}</td></tr>"
        );
    }
    page.push_str("</table>\n</html>\n");
    page.into()
});

/// What stands between backticks is code. The table's texts have nothing that HTML would take for its own.
fn with_marks(text: &str) -> String {
    let mut marked = String::new();
    for (at, part) in text.split('`').enumerate() {
        match at % 2 {
            0 => marked.push_str(part),
            _ => marked.extend(["<code>", part, "</code>"]),
        }
    }
    marked
}

/// What every kind of problem means, and what to do.
#[utoipa::path(
    get,
    path = "/problems",
    tag = "status",
    responses((status = 200, content_type = "text/html", body = String))
)]
pub(in crate::http) async fn problems() -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, PAGE.clone()).into_response()
}
