//! Malformed and malicious input: an error each, nothing leaks, nothing hangs.

use super::*;

const JSON: (&str, &str) = ("content-type", "application/json");

async fn raw(server: &Server, body: impl Into<Body>) -> Reply {
    server.call(Method::POST, "/api/search/syntax", &[JSON], body).await
}

#[tokio::test]
async fn traversal_and_absolute_paths_are_refused() {
    let server = server();
    for folder in ["../../etc", "/etc", r"..\..\x", r"C:\Windows", "a/../../b", "a\u{0}b", r"\\host\share", "~root"] {
        let reply = server.post("/api/search/syntax", json!({"query": "a", "directories": ["ok", folder]})).await;
        assert_eq!(reply.violated(), ["directories[1]"], "{folder}");
    }
    for strategy in ["..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "a%00b", "%ff", "a%20b", &"x".repeat(65)] {
        let reply = server.post(&format!("/api/search/{strategy}"), json!({"query": "a"})).await;
        let text = String::from_utf8_lossy(&reply.body);
        assert!(reply.status == 404 || reply.status == 400, "{strategy}: {} {text}", reply.status);
        assert_eq!(reply.header("content-type"), "application/problem+json", "{strategy}");
    }
    assert!(server.fake.seen.lock().is_empty());
}

#[tokio::test]
async fn queries_that_look_like_options_or_shell_are_just_text() {
    let server = server();
    for text in ["-rf", "--files", "-e x", "--", "; rm -rf /", "$(id)", "' OR 1=1 --", "%00", "((((a*)*)*)*)*$"] {
        assert_eq!(server.post("/api/search/syntax", json!({"query": text})).await.status, 200);
        assert_eq!(server.seen().query.text, text);
    }
}

#[tokio::test]
async fn a_ten_megabyte_query_is_too_large() {
    let body = json!({"query": "x".repeat(10 << 20)}).to_string();
    raw(&server(), body).await.problem(413, "body-too-large");
    // Just below the limit of the body, the field's own limit tells.
    let body = json!({"query": "x".repeat((1 << 20) - 100)}).to_string();
    assert_eq!(raw(&server(), body).await.violated(), ["query"]);
}

#[tokio::test]
async fn documents_may_be_larger_than_queries() {
    let body = json!([{"id": "a", "content": "x".repeat(10 << 20)}]);
    assert_eq!(server().post("/api/documents", body).await.status, 200);
    let body = json!([{"id": "a", "content": "x".repeat(32 << 20)}]);
    server().post("/api/documents", body).await.problem(413, "body-too-large");
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off() {
    let endless = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 1 << 20])));
    raw(&server(), Body::from_stream(endless)).await.problem(413, "body-too-large");
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused() {
    for body in
        [&b"{\"query\":\"\xff\xfe\"}"[..], b"\xff", b"{\"query\":\"\xc3\x28\"}", b"{\"query\":\"\xed\xa0\x80\"}"]
    {
        raw(&server(), body.to_vec()).await.problem(400, "invalid-utf8");
    }
    // A lone surrogate as an escape is JSON that is no text either.
    raw(&server(), r#"{"query":"\ud800"}"#).await.problem(400, "malformed-json");
}

#[tokio::test]
async fn deep_json_is_refused_before_the_stack_ends() {
    let server = server();
    for field in ["query", "parameters", "context", "unknown"] {
        let deep = format!("{{\"query\":\"a\",\"{field}\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        let reply = raw(&server, deep).await;
        assert!(reply.status == 400 || reply.status == 422, "{field}: {}", reply.status);
        assert_eq!(reply.header("content-type"), "application/problem+json");
    }
    raw(&server, "[".repeat(500_000)).await.problem(400, "malformed-json");
    raw(&server, "{\"a\":".repeat(100_000)).await.problem(400, "malformed-json");
    let documents = server.call(Method::POST, "/api/documents", &[JSON], "[".repeat(500_000)).await;
    documents.problem(400, "malformed-json");
}

#[tokio::test]
async fn syntax_errors_say_where() {
    let problem = raw(&server(), "{\n \"query\": \"a\",\n}").await.problem(400, "malformed-json");
    assert!(problem.detail.contains("line 3 column 1"), "{}", problem.detail);
    for body in ["", "{", "nonsense", "{\"query\":\"a\"} trailing", "{\"query\":NaN}", "{\"query\":Infinity}"] {
        raw(&server(), body).await.problem(400, "malformed-json");
    }
    let problem = raw(&server(), "{\n\"query\": 5}").await.problem(422, "invalid-request");
    assert!(problem.errors[0].remedy.as_ref().unwrap().contains("line 2 column 10"), "{problem:?}");
}

#[tokio::test]
async fn bodies_that_are_no_object_or_say_a_thing_twice_are_refused() {
    for body in ["[]", "5", "\"query\"", "null", "true", "[{\"query\":\"a\"}]"] {
        assert_eq!(raw(&server(), body).await.status, 422, "{body}");
    }
    let twice = raw(&server(), r#"{"query":"a","query":"b"}"#).await.problem(422, "invalid-request");
    assert_eq!((twice.detail.as_str(), twice.errors[0].field.as_str()), ("query is there twice", "query"));
    assert!(twice.errors[0].remedy.as_ref().unwrap().contains("line 1 "), "{twice:?}");
}

#[tokio::test]
async fn only_json_is_taken() {
    let server = server();
    let body = r#"{"query":"a"}"#;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "application/jsonx"] {
        let reply = server.call(Method::POST, "/api/search/syntax", &[("content-type", kind)], body).await;
        reply.problem(415, "unsupported-media-type");
    }
    server.call(Method::POST, "/api/search/syntax", &[], body).await.problem(415, "unsupported-media-type");
    for kind in ["application/json; charset=utf-8", "Application/JSON", "application/vnd.api+json"] {
        assert_eq!(server.call(Method::POST, "/api/search/syntax", &[("content-type", kind)], body).await.status, 200);
    }
}

#[tokio::test]
async fn many_wrong_fields_do_not_make_a_large_answer_of_a_small_request() {
    let mut body = serde_json::Map::new();
    for number in 0..20_000 {
        body.insert(format!("f{number}"), json!(1));
    }
    let reply = server().post("/api/search/syntax", Value::Object(body)).await;
    reply.problem(422, "invalid-request");
    assert!(reply.body.len() < 64 * 1024, "{} bytes", reply.body.len());
}

#[tokio::test]
async fn the_body_of_a_get_is_ignored() {
    let server = server();
    let reply = server.call(Method::GET, "/api/search/stats", &[JSON], "[".repeat(1000)).await;
    assert_eq!(reply.status, 200);
}
