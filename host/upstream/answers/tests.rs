//! Both dialects from servers on this machine, in whole and in odd pieces, and what is no answer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::any;
use parking_lot::Mutex;
use tokio::net::TcpListener;

use super::*;
use crate::upstream::{ClientOptions, Policy};

const OPENAI: &str = ": hello\n\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
    data: {\"choices\":[{\"delta\":{\"content\":\"Gr\u{fc}\u{df}e \"}}]}\r\n\r\n\
    data: {\"choices\":[{\"delta\":{\"content\":\"\u{1f98a}[1]\"},\"finish_reason\":null}]}\n\n\
    data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{}}\n\ndata: [DONE]\n\n";
const OLLAMA: &str = "{\"message\":{\"role\":\"assistant\",\"content\":\"Gr\u{fc}\u{df}e \"},\"done\":false}\n\
    {\"message\":{\"content\":\"\u{1f98a}[1]\"},\"done\":false}\n{\"message\":{\"content\":\"\"},\"done\":true}\n";
const KEY: &str = "sk-very-secret";

type Seen = Arc<Mutex<Vec<(String, HeaderMap, Value)>>>;

/// Answers `body` in pieces of `size` bytes, and keeps what it was asked.
async fn serve(status: u16, body: &'static str, size: usize) -> (String, Seen) {
    let seen = Seen::default();
    let kept = seen.clone();
    let handler = move |uri: Uri, headers: HeaderMap, asked: String| async move {
        kept.lock().push((uri.path().to_owned(), headers, serde_json::from_str(&asked).unwrap()));
        let pieces = body.as_bytes().chunks(size).map(|piece| Ok::<_, std::io::Error>(piece.to_vec()));
        (StatusCode::from_u16(status).unwrap(), Body::from_stream(stream::iter(pieces))).into_response()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(handler))).await.unwrap() });
    (format!("http://{address}"), seen)
}

async fn chat(url: &str, dialect: Dialect) -> Vec<Result<String, UpstreamError>> {
    let endpoint = Endpoint::new(url, dialect, "m1", Some(KEY)).unwrap();
    let policy = Policy { hosts: vec![endpoint.host()], networks: vec![] };
    let client = Client::new(ClientOptions { policy, ..ClientOptions::default() }).unwrap();
    let chat = Chat::new(client, endpoint);
    assert_eq!(chat.model(), "m1");
    chat.answer(Prompt { system: "be brief".into(), user: "hello".into(), max_tokens: 7 }).collect().await
}

fn texts(answer: &[Result<String, UpstreamError>]) -> String {
    answer.iter().map(|piece| piece.as_deref().unwrap()).collect()
}

#[tokio::test]
async fn an_answer_is_the_same_in_pieces_of_any_size() {
    for (dialect, body) in [(Dialect::OpenAi, OPENAI), (Dialect::Ollama, OLLAMA)] {
        for size in [1, 2, 3, 7, 64, 4096] {
            let (url, _) = serve(200, body, size).await;
            let answer = chat(&url, dialect).await;
            assert_eq!(texts(&answer), "Gr\u{fc}\u{df}e \u{1f98a}[1]", "{dialect:?} in pieces of {size}");
            assert_eq!(answer.len(), 2);
        }
    }
}

#[tokio::test]
async fn each_dialect_is_asked_in_its_own_words() {
    let (url, seen) = serve(200, OPENAI, 64).await;
    chat(&format!("{url}/v1/"), Dialect::OpenAi).await;
    let (url, ollama) = serve(200, OLLAMA, 64).await;
    chat(&format!("{url}/below"), Dialect::Ollama).await;
    let messages = json!([{ "role": "system", "content": "be brief" }, { "role": "user", "content": "hello" }]);
    let seen = seen.lock();
    let (path, headers, body) = &seen[0];
    assert_eq!(path, "/v1/chat/completions");
    assert_eq!(headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(*body, json!({ "model": "m1", "messages": messages, "max_tokens": 7, "stream": true }));
    let ollama = ollama.lock();
    assert_eq!(ollama[0].0, "/below/api/chat");
    let body = json!({ "model": "m1", "messages": messages, "stream": true, "options": { "num_predict": 7 } });
    assert_eq!(ollama[0].2, body);
}

#[tokio::test]
async fn the_last_value_may_have_text() {
    let (url, _) = serve(200, "{\"message\":{\"content\":\"all\"},\"done\":true}\n", 9).await;
    assert_eq!(chat(&url, Dialect::Ollama).await, [Ok("all".to_owned())]);
}

#[tokio::test]
async fn an_answer_that_breaks_off_says_so_after_what_came() {
    for (dialect, body) in [
        (Dialect::OpenAi, "data: {\"choices\":[{\"delta\":{\"content\":\"half\"}}]}\n\n"),
        (Dialect::Ollama, "{\"message\":{\"content\":\"half\"},\"done\":false}"),
    ] {
        let (url, _) = serve(200, body, 9).await;
        let answer = chat(&url, dialect).await;
        assert_eq!(answer[0].as_deref(), Ok("half"));
        assert!(matches!(&answer[1..], [Err(UpstreamError::Nonsense { .. })]), "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_the_last_item() {
    let cases = [
        (200, "data: {\"error\":{\"message\":\"overloaded\"}}\n\ndata: [DONE]\n\n", Dialect::OpenAi, "200: overloaded"),
        (200, "{\"error\":\"model not found\"}\n{\"done\":true}\n", Dialect::Ollama, "200: model not found"),
        (200, "data: <html>\n\n", Dialect::OpenAi, "no JSON"),
        (200, "{\"choices\":[{\"message\":{\"content\":\"x\"}}]}", Dialect::OpenAi, "does not stream"),
        (
            404,
            "{\"error\":\"model \\\"m1\\\" not found, try pulling it first\"}",
            Dialect::Ollama,
            "404: model \"m1\" not",
        ),
        (302, "", Dialect::OpenAi, "302: no text"),
        (200, "", Dialect::OpenAi, "broke off"),
    ];
    for (status, body, dialect, expected) in cases {
        let (url, _) = serve(status, body, 5).await;
        let answer = chat(&url, dialect).await;
        let [Err(error)] = &answer[..] else { panic!("{expected}: {answer:?}") };
        assert!(error.to_string().contains(expected), "{error} instead of {expected}");
    }
}

/// Services repeat the key that they refuse.
#[tokio::test]
async fn a_key_is_in_no_error() {
    for status in [401, 200] {
        let body = "data: {\"error\":{\"message\":\"Incorrect API key provided: sk-very-secret\"}}\n\n";
        let body = if status == 401 { &body[6..] } else { body };
        let (url, _) = serve(status, body, 11).await;
        let answer = chat(&url, Dialect::OpenAi).await;
        let error = answer[0].as_ref().unwrap_err();
        assert!(error.to_string().contains("provided: ***"), "{error}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
    let endpoint = Endpoint::new("http://a.example", Dialect::OpenAi, "m", Some(KEY)).unwrap();
    // Where a long text is cut, the key may stand.
    for before in 280..300 {
        let reason = error_in(&json!({ "error": { "message": format!("{}{KEY}", "x".repeat(before)) } })).unwrap();
        let error = endpoint.said(401, &reason);
        assert!(!error.to_string().contains("sk-"), "{error}");
    }
    let call = format!("{endpoint:?} {:?}", endpoint.call("/x", &json!({}), false, None));
    assert!(!call.contains("secret"), "{call}");
}

#[test]
fn an_endpoint_says_what_is_wrong_with_it() {
    use crate::upstream::BadEndpoint;
    let new = |url: &str, model: &str, key| Endpoint::new(url, Dialect::OpenAi, model, key).err();
    assert_eq!(new("ftp://a.example", "m", None), Some(BadEndpoint::Url));
    assert_eq!(new("a.example", "m", None), Some(BadEndpoint::Url));
    assert_eq!(new("https://a.example?key=1", "m", None), Some(BadEndpoint::Url));
    assert_eq!(new("https://u:p@a.example", "m", None), Some(BadEndpoint::Credentials));
    assert_eq!(new("https://a.example", " ", None), Some(BadEndpoint::Model));
    assert_eq!(new("https://a.example", "m", Some("a\nb")), Some(BadEndpoint::Key));
    assert_eq!(new("https://a.example/v1", "m", Some("a")), None);
}
