//! Vectors of texts, in our shape and in OpenAI's.

use super::*;

#[tokio::test]
async fn texts_are_embedded_by_the_model_that_is_named() {
    let server = server();
    let reply = server.post("/api/rag/embed", json!({"texts": ["ab", "é".repeat(200_000)]})).await.json();
    let expected = json!({"embeddings": [[2.0, -0.5], [262_144.0, -0.5]], "model": "built-in", "dimension": 2,
        "count": 2, "truncated": [1]});
    assert_eq!(reply, expected);
    let far = server.post("/api/rag/embed", json!({"texts": ["ab"], "model": "far-away"})).await.json();
    assert_eq!((&far["dimension"], &far["model"]), (&json!(3), &json!("far-away")));
    for (body, violated) in [
        (json!({}), &["texts"][..]),
        (json!({"texts": []}), &["texts"]),
        (json!({"texts": vec!["x"; 257]}), &["texts"]),
        (json!({"texts": ["x", 1], "model": "mxbai-embed-large"}), &["texts[1]", "model"]),
        (json!({"texts": ["x"], "modle": "built-in"}), &["modle"]),
    ] {
        assert_eq!(server.post("/api/rag/embed", body).await.violated(), violated);
    }
    let failing = json!({"texts": ["upstream fails"], "model": "far-away"});
    server.post("/api/rag/embed", failing).await.problem(502, "upstream-failed");
}

#[tokio::test]
async fn embeddings_have_the_shape_that_openai_publishes() {
    let server = server();
    let body = json!({"input": ["ab", "some words"], "model": "built-in", "encoding_format": "float", "user": "u"});
    let tokens = tokens::count("ab") + tokens::count("some words");
    let expected = json!({
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [2.0, -0.5]},
            {"object": "embedding", "index": 1, "embedding": [10.0, -0.5]},
        ],
        "model": "built-in",
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    });
    assert_eq!(server.post("/v1/embeddings", body).await.json(), expected);
    // 2.0 is 0x40000000, −0.5 is 0xbf000000; the least significant byte first.
    let body = json!({"input": "ab", "model": "built-in", "encoding_format": "base64", "dimensions": 2});
    assert_eq!(server.post("/v1/embeddings", body).await.json()["data"][0]["embedding"], "AAAAQAAAAL8=");
    let models = server.get("/v1/models").await.json();
    let model = json!({"id": "built-in", "object": "model", "created": 0, "owned_by": "corsac"});
    assert_eq!((&models["object"], &models["data"][0]), (&json!("list"), &model));
}

#[tokio::test]
async fn failures_of_embeddings_have_that_shape_too() {
    let server = server();
    let check = async |body: Value, status: u16, param: Option<&str>, code: Option<&str>| {
        let reply = server.post("/v1/embeddings", body).await;
        let whole = reply.json();
        assert_eq!(reply.status, status, "{whole}");
        assert_eq!(whole.as_object().unwrap().len(), 1, "{whole}");
        let error = whole["error"].as_object().unwrap();
        let mut names: Vec<&String> = error.keys().collect();
        names.sort();
        assert_eq!(names, ["code", "message", "param", "type"]);
        assert!(!error["message"].as_str().unwrap().is_empty() && !whole.to_string().contains("secret"), "{whole}");
        assert_eq!((&error["param"], &error["code"]), (&json!(param), &json!(code)), "{whole}");
        let kind = if status < 500 { "invalid_request_error" } else { "server_error" };
        assert_eq!(error["type"], kind);
    };
    check(json!({"model": "built-in"}), 400, Some("input"), None).await;
    check(json!({"input": "x"}), 400, Some("model"), None).await;
    check(json!({"input": [1, 2], "model": "built-in"}), 400, Some("input"), None).await;
    check(json!({"input": ["x", ""], "model": "built-in"}), 400, Some("input"), None).await;
    check(json!({"input": [], "model": "built-in"}), 400, Some("input"), None).await;
    check(json!({"input": vec!["x"; 257], "model": "built-in"}), 400, Some("input"), None).await;
    check(json!({"input": "x".repeat(300_000), "model": "built-in"}), 400, Some("input"), None).await;
    check(json!({"input": "x", "model": "gpt"}), 404, Some("model"), Some("model_not_found")).await;
    check(json!({"input": "x", "model": "built-in", "encoding_format": "hex"}), 400, Some("encoding_format"), None)
        .await;
    check(json!({"input": "x", "model": "built-in", "dimensions": 1}), 400, Some("dimensions"), None).await;
    check(json!({"input": "x", "model": "far-away", "dimensions": 2}), 400, Some("dimensions"), None).await;
    check(json!({"input": "x", "modle": "gpt"}), 400, Some("modle"), Some("invalid-request")).await;
    let failing = json!({"input": "upstream fails", "model": "far-away"});
    check(failing, 502, None, Some("upstream-failed")).await;
    let reply = server.call(Method::POST, "/v1/embeddings", &[("content-type", "text/plain")], "x").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]["code"]), (415, &json!("unsupported-media-type")));
}
