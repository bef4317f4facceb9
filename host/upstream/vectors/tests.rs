//! Both dialects from servers on this machine, and every way in which an answer can be wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use axum::Router;
use axum::extract::Json;
use axum::http::Uri;
use axum::routing::any;
use parking_lot::Mutex;
use tokio::net::TcpListener;

use super::*;
use crate::upstream::{ClientOptions, Policy};

/// Answers with what `answer` makes of path and body, and keeps both.
async fn vectors(
    dialect: Dialect,
    batch: usize,
    answer: impl Fn(&Value) -> Value + Clone + Send + Sync + 'static,
) -> (Vectors, Arc<Mutex<Vec<(String, Value)>>>) {
    let seen = Arc::<Mutex<Vec<(String, Value)>>>::default();
    let kept = seen.clone();
    let handler = move |uri: Uri, Json(body): Json<Value>| async move {
        let answer = answer(&body);
        kept.lock().push((uri.path().to_owned(), body));
        Json(answer)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(handler))).await.unwrap() });
    let endpoint = Endpoint::new(&url, dialect, "m1", None).unwrap();
    let policy = Policy { hosts: vec![endpoint.host()], networks: vec![] };
    let client = Client::new(ClientOptions { policy, ..ClientOptions::default() }).unwrap();
    (Vectors::new(client, endpoint, batch), seen)
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|nth| "x".repeat(nth + 1)).collect()
}

/// A text's vector is its length and one.
fn lengths(body: &Value) -> Vec<[f64; 2]> {
    body["input"].as_array().unwrap().iter().map(|text| [text.as_str().unwrap().len() as f64, 1.0]).collect()
}

/// Members in reverse, as the protocol allows.
fn openai(body: &Value) -> Value {
    let data = lengths(body).into_iter().enumerate().map(|(index, row)| json!({ "index": index, "embedding": row }));
    json!({ "data": data.rev().collect::<Vec<_>>(), "model": "m1" })
}

#[tokio::test]
async fn texts_are_sent_in_batches_and_vectors_come_in_their_order() {
    let expected: Vec<Vec<f32>> = (1..=5).map(|length| vec![length as f32, 1.0]).collect();
    let (embeddings, seen) = vectors(Dialect::OpenAi, 2, openai).await;
    assert_eq!(embeddings.embed(texts(5)).await.unwrap(), expected);
    let mut sizes: Vec<usize> = seen.lock().iter().map(|(_, body)| body["input"].as_array().unwrap().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 2, 2]);
    assert_eq!(seen.lock()[0].0, "/v1/embeddings");
    assert_eq!((embeddings.model(), &seen.lock()[0].1["model"]), ("m1", &json!("m1")));

    let (embeddings, seen) = vectors(Dialect::Ollama, 100, |body| json!({ "embeddings": lengths(body) })).await;
    assert_eq!(embeddings.embed(texts(5)).await.unwrap(), expected);
    assert_eq!(seen.lock()[0], ("/api/embed".into(), json!({ "model": "m1", "input": texts(5) })));
}

#[tokio::test]
async fn no_texts_ask_nobody() {
    let (embeddings, seen) = vectors(Dialect::OpenAi, 2, openai).await;
    assert_eq!(embeddings.embed(vec![]).await, Ok(vec![]));
    assert!(seen.lock().is_empty());
}

#[tokio::test]
async fn every_wrong_answer_is_nonsense_that_says_why() {
    let cases = [
        (Dialect::OpenAi, json!({ "data": [{ "index": 0, "embedding": [1.0] }] }), "1 vectors for 2 texts"),
        (
            Dialect::OpenAi,
            json!({ "data": [{ "index": 0, "embedding": [1] }, { "index": 0, "embedding": [1] }] }),
            "twice",
        ),
        (
            Dialect::OpenAi,
            json!({ "data": [{ "index": 0, "embedding": [1] }, { "index": 2, "embedding": [1] }] }),
            "range",
        ),
        (Dialect::OpenAi, json!({ "data": [{ "embedding": [1, 2] }, { "embedding": [1] }] }), "of 2 and of 1"),
        (Dialect::OpenAi, json!({ "data": [{ "embedding": "AAAA" }, { "embedding": "AAAA" }] }), "no list `embedding`"),
        (Dialect::OpenAi, json!([1, 2]), "no list `data`"),
        (Dialect::OpenAi, json!({ "data": [1, 2] }), "no list `embedding`"),
        // The field of the older call, which takes one text.
        (Dialect::Ollama, json!({ "embedding": [1.0, 2.0] }), "no list `embeddings`"),
        (Dialect::Ollama, json!({ "embeddings": [[1.0], [2.0], [3.0]] }), "3 vectors for 2 texts"),
        (Dialect::Ollama, json!({ "embeddings": [[1.0], [null]] }), "no finite number"),
        // Larger than any f32.
        (Dialect::Ollama, json!({ "embeddings": [[1.0], [1e300]] }), "no finite number"),
        (Dialect::Ollama, json!({ "embeddings": [[], []] }), "without numbers"),
    ];
    for (dialect, answer, expected) in cases {
        let (embeddings, _) = vectors(dialect, 10, move |_| answer.clone()).await;
        let error = embeddings.embed(texts(2)).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Nonsense { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{error} instead of {expected}");
    }
}

#[tokio::test]
async fn batches_of_two_dimensions_are_no_answer() {
    let grown = |body: &Value| json!({ "embeddings": [vec![1.0; body["input"][0].as_str().unwrap().len()]] });
    let (embeddings, _) = vectors(Dialect::Ollama, 1, grown).await;
    let error = embeddings.embed(texts(2)).await.unwrap_err();
    assert!(error.to_string().contains("of 1 and of 2"), "{error}");
}

#[tokio::test]
async fn the_services_own_words_are_passed_on() {
    let (embeddings, _) = vectors(Dialect::Ollama, 10, |_| json!({ "error": "model is loading" })).await;
    let error = embeddings.embed(texts(1)).await.unwrap_err();
    assert!(matches!(&error, UpstreamError::Refused { reason, .. } if reason == "model is loading"), "{error:?}");
}
