//! Documents by the item and by the line.

use super::*;

#[tokio::test]
async fn items_that_fail_are_named_and_hold_up_nothing() {
    let server = server();
    let items = json!([{"content": "one"}, {"source": "b.md"}, {"source": "../c", "content": "refused"},
        {"source": "d.md", "content": "four", "title": "D", "language": "markdown"}, 7]);
    let reply = server.post("/api/rag/ingest", json!({"items": items, "batch_size": 2, "force_reindex": true})).await;
    let reply = reply.json();
    assert_eq!(
        (&reply["processed"], &reply["total"], &reply["failures"]),
        (&json!(2), &json!(5), &json!(3)),
        "{reply}"
    );
    let failed: Vec<(u64, &Value)> = reply["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failed| (failed["item"].as_u64().unwrap(), &failed["source"]))
        .collect();
    assert_eq!(failed, [(1, &json!("b.md")), (2, &json!("../c")), (4, &Value::Null)]);
    assert_eq!(reply["failed"][1]["message"], "source must be relative");
    assert_eq!((&reply["success"], reply["processing_time"].is_number()), (&json!(false), true));
    let stored = std::mem::take(&mut *server.fake.rag.stored.lock());
    assert_eq!(stored.iter().map(|(batch, again)| (batch.len(), *again)).collect::<Vec<_>>(), [(2, true), (1, true)]);
    // A name of the content's own; the same content has the same one.
    let name = stored[0].0[0].path.clone().unwrap();
    assert!(name.starts_with("ingested/") && name.len() == 41, "{name}");

    server.fake.rag.lasts.store(1, Ordering::SeqCst);
    let many = json!({"items": vec![json!({"content": "x"}); 3], "batch_size": 2});
    let problem = server.post("/api/rag/ingest", many).await.problem(503, "unavailable");
    assert!(problem.detail.contains("2 of 3 items were stored before"), "{problem:?}");
    for (body, violated) in [
        (json!({}), &["items"][..]),
        (json!({"items": [], "batch_size": 0}), &["batch_size"]),
        (json!({"items": {}}), &["items"]),
        (json!({"items": vec![json!({}); 10_001]}), &["items"]),
    ] {
        assert_eq!(server.post("/api/rag/ingest", body).await.violated(), violated);
    }
}

const STREAM: &str = "/api/rag/ingest/stream";
const LINES: &str = "application/x-ndjson";

#[tokio::test]
async fn a_bad_line_is_one_failure_and_the_rest_goes_on() {
    let server = server();
    let long = format!("{{\"content\": \"{}\"}}", "x".repeat(9 << 20));
    let mut body =
        b"{\"source\": \"a.md\", \"content\": \"one\"}\r\n\nnot json\n{\"source\": \"b\"}\n\xff\xfe\n".to_vec();
    body.extend_from_slice(long.as_bytes());
    body.extend_from_slice(b"\n{\"source\": \"/c\", \"content\": \"refused\"}\n{\"content\": \"last\"}");
    let bytes = body.len();
    // As a network would bring it.
    let chunks: Vec<Result<Bytes, Infallible>> =
        body.chunks(100_003).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    let events = server.events(STREAM, LINES, Body::from_stream(stream::iter(chunks))).await;
    let failed: Vec<(u64, &str)> = events
        .iter()
        .filter(|(name, _)| name == "item_failed")
        .map(|(_, data)| (data["item"].as_u64().unwrap(), data["message"].as_str().unwrap()))
        .collect();
    let lines: Vec<u64> = failed.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [3, 4, 5, 6, 7], "{failed:?}");
    assert!(failed[2].1.contains("UTF-8") && failed[3].1.contains("8388608"), "{failed:?}");
    let (name, done) = events.last().unwrap();
    let counts = ["processed", "total", "failures", "bytes", "line"].map(|name| done[name].as_u64().unwrap());
    assert_eq!((name.as_str(), counts), ("done", [2, 7, 5, bytes as u64, 8]), "{done}");
    assert_eq!(done["success"], false);
    assert!(events.iter().any(|(name, _)| name == "progress"));
}

#[tokio::test]
async fn batches_are_bounded_and_the_events_too() {
    let server = server();
    let line = |number: usize| format!("{{\"source\": \"{number}\", \"content\": \"{}\"}}\n", "x".repeat(100_000));
    let chunks = (0..100).map(move |number| Ok::<_, Infallible>(Bytes::from(line(number))));
    let events = server.events(STREAM, LINES, Body::from_stream(stream::iter(chunks))).await;
    assert_eq!(events.last().unwrap().1["processed"], 100);
    let stored = std::mem::take(&mut *server.fake.rag.stored.lock());
    // 42 × 100,000 bytes are the first above 4 MiB.
    assert_eq!(stored.iter().map(|(batch, _)| batch.len()).collect::<Vec<_>>(), [42, 42, 16]);

    let bad = "x\n".repeat(5000);
    let events = server.events(&format!("{STREAM}?batch_size=1&force_reindex=true"), LINES, bad).await;
    assert_eq!((events.len(), &events[1000].1["failures"]), (1001, &json!(5000)));
    assert!(events[1000].1["message"].as_str().unwrap().contains("4000 of them unnamed"));
}

#[tokio::test]
async fn a_stream_that_breaks_says_what_is_safe() {
    let server = server();
    server.fake.rag.lasts.store(2, Ordering::SeqCst);
    let body = "{\"content\": \"x\"}\n".repeat(10);
    let events = server.events(&format!("{STREAM}?batch_size=3"), LINES, body).await;
    let (name, error) = events.last().unwrap();
    assert_eq!((name.as_str(), &error["code"], &error["line"]), ("error", &json!("unavailable"), &json!(6)), "{error}");
    assert!(!error.to_string().contains("secret"));

    server.fake.rag.lasts.store(0, Ordering::SeqCst);
    let chunks = [Ok(Bytes::from("{\"content\": \"x\"}\n{\"con")), Err("reset")];
    let events = server.events(STREAM, LINES, Body::from_stream(stream::iter(chunks))).await;
    let (name, error) = events.last().unwrap();
    assert_eq!((name.as_str(), &error["processed"], &error["line"]), ("error", &json!(1), &json!(1)), "{error}");
}

#[tokio::test]
async fn the_stream_s_answer_can_be_lines() {
    let server = server();
    let headers = [("content-type", "application/jsonl"), ("accept", LINES)];
    let reply = server.call(Method::POST, STREAM, &headers, "{\"content\": \"x\"}\noops\n").await;
    assert_eq!(reply.header("content-type"), LINES);
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!((names.first(), names.last()), (Some(&"item_failed"), Some(&"done")), "{text}");
    let kind = |kind| [("content-type", kind)];
    server.call(Method::POST, STREAM, &kind("text/csv"), "x").await.problem(415, "unsupported-media-type");
    let wrong = format!("{STREAM}?batch_size=0&force_reindex=maybe&batch=1");
    let reply = server.call(Method::POST, &wrong, &kind(LINES), "x").await;
    assert_eq!(reply.violated(), ["batch_size", "force_reindex", "batch"]);
}
