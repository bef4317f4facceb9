//! Retrieval for language models over a real index: passages that can be cited, vectors, documents in bulk.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::stream;
use serde_json::{Value, json};

use crate::support::client::Reply;
use crate::support::server::Local;
use crate::support::tree::Tree;

fn tree() -> Tree {
    let filler = "Some words that say nothing in particular about anything at all.\n".repeat(30);
    let section = |name: &str| format!("# {name}\n\nHow {name} are fed.\n\n{filler}\n");
    let guide: String = ["alpacas", "badgers", "chameleons", "dingos"].map(section).concat();
    Tree::of(&[
        ("guide.md", guide.as_str()),
        (
            "src/zoo.rs",
            "/// Feeds a chameleon by hand.\npub fn feed_chameleon(crickets: u32) -> u32 {\n    crickets\n}\n",
        ),
    ])
}

async fn served() -> (Tree, Local) {
    let tree = tree();
    let server = Local::start(&tree, |_| ()).await;
    (tree, server)
}

async fn ask(server: &Local, request: Value) -> Value {
    let reply = server.post("/api/rag/query", request).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_citation_leads_to_the_lines_that_it_names() {
    let (tree, server) = served().await;
    let answer = ask(&server, json!({"q": "how are chameleons fed", "top_k": 3, "temporal_weight": 0})).await;
    let passages = answer["passages"].as_array().unwrap();
    assert!(!passages.is_empty());
    let mut expected = String::new();
    for (passage, number) in passages.iter().zip(1..) {
        let citation = &passage["citation"];
        let (start, end) = (citation["start_line"].as_u64().unwrap(), citation["end_line"].as_u64().unwrap());
        let path = citation["path"].as_str().unwrap();
        let file = std::fs::read_to_string(tree.path().join(path)).unwrap();
        let lines: Vec<&str> = file.lines().skip(start as usize - 1).take((end + 1 - start) as usize).collect();
        assert_eq!(passage["text"], lines.join("\n"), "{citation}");
        assert_eq!(citation["number"], number);
        let separator = if number == 1 { "" } else { "\n" };
        expected.push_str(&format!("{separator}[{number}] {path}:{start}-{end}\n{}\n", lines.join("\n")));
    }
    assert_eq!(answer["context"], expected);
    assert!(answer["metadata"]["tokens"].as_u64().unwrap() <= 2000);
    assert_eq!(answer["answer_reason"], "no model that answers is configured");
    let hit = &answer["hits"][0];
    assert_eq!(hit["score"], 1.0);
    for highlight in hit["highlights"].as_array().unwrap() {
        let range = highlight["start"].as_u64().unwrap() as usize..highlight["end"].as_u64().unwrap() as usize;
        assert!(hit["chunk_text"].as_str().unwrap().get(range).is_some(), "{hit}");
    }
    let code = ask(&server, json!({"q": "how are chameleons fed", "modality": "code"})).await;
    assert_eq!((code["hits"].as_array().unwrap().len(), &code["hits"][0]["file_path"]), (1, &json!("src/zoo.rs")));
    assert_eq!(code["hits"][0]["chunk_metadata"]["symbols"], json!(["feed_chameleon"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn passages_are_kept_until_plugins_or_index_change() {
    let (tree, server) = served().await;
    let ask = async |request: Value| server.post("/api/rag/query", request).await;
    let status = |reply: &Reply| reply.header("cache-status").to_owned();
    let plain = || json!({"q": "chameleons"});
    let first = ask(plain()).await;
    assert_eq!(status(&first), "corsac; fwd=miss; stored");
    let again = ask(json!({"q": " chameleons ", "top_k": 20, "strategy": "strategy-hybrid", "user_id": "u"})).await;
    assert_eq!((status(&again).as_str(), &again.body), ("corsac; hit", &first.body));
    let reranked = ask(json!({"q": "chameleons", "enable_reranking": true})).await;
    assert_eq!(status(&reranked), "corsac; fwd=miss; stored");
    assert_eq!(reranked.json()["metadata"]["ranker"]["name"], "rank-fields");
    assert_eq!(first.json()["metadata"]["ranker"]["name"], "rank-relevance");

    let cleared = server.post("/api/rag/admin/clear-cache", json!({})).await.json();
    assert_eq!(cleared["result"]["entries"], 2, "{cleared}");
    assert_eq!(status(&ask(plain()).await), "corsac; fwd=miss; stored");
    tree.write("more.md", "Even more chameleons.\n");
    server.index(json!({})).await;
    let later = ask(plain()).await;
    assert_eq!(status(&later), "corsac; fwd=miss; stored");
    assert_eq!(later.json()["total"].as_u64().unwrap(), first.json()["total"].as_u64().unwrap() + 1);
    ask(json!({"q": "x", "strategy": "nobody"})).await.problem(404, "unknown-strategy");
    ask(json!({"q": "x", "ranker": "nobody"})).await.problem(422, "unknown-ranker");
}

fn cosine(left: &Value, right: &Value) -> f64 {
    let numbers = |vector: &Value| vector.as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect::<Vec<_>>();
    numbers(left).iter().zip(numbers(right)).map(|(left, right)| left * right).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_of_the_index_embeds_texts() {
    let (_tree, server) = served().await;
    let texts = ["a man plays the guitar", "someone makes music on a string instrument", "quarterly revenue"];
    let answer = server.post("/api/rag/embed", json!({"texts": texts})).await.json();
    assert_eq!((&answer["model"], &answer["dimension"]), (&json!("minilm-static-256"), &json!(256)));
    let vectors = answer["embeddings"].as_array().unwrap();
    assert!((cosine(&vectors[0], &vectors[0]) - 1.0).abs() < 1e-4);
    assert!(cosine(&vectors[0], &vectors[1]) > cosine(&vectors[0], &vectors[2]) + 0.2);

    let model = server.get("/v1/models").await.json()["data"][0]["id"].clone();
    let ask = |format: &str| json!({"input": texts, "model": model, "encoding_format": format});
    let floats = server.post("/v1/embeddings", ask("float")).await.json();
    let packed = server.post("/v1/embeddings", ask("base64")).await.json();
    for (at, vector) in vectors.iter().enumerate() {
        assert_eq!(&floats["data"][at]["embedding"], vector);
        let bytes = BASE64_STANDARD.decode(packed["data"][at]["embedding"].as_str().unwrap()).unwrap();
        let numbers: Vec<f32> =
            bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
        let shown: Vec<f32> = vector.as_array().unwrap().iter().map(|n| n.as_f64().unwrap() as f32).collect();
        assert_eq!(numbers, shown);
    }
    // What a hit is given as its vector is what the index compares by.
    let query =
        json!({"q": "feed a chameleon by hand", "include_embeddings": true, "top_k": 1, "strategy": "semantic"});
    let hit = server.post("/api/rag/query", query).await.json()["hits"][0].clone();
    let asked = server.post("/api/rag/embed", json!({"texts": ["feed a chameleon by hand"]})).await.json();
    let similarity = hit["extra"]["similarity"].as_f64().unwrap();
    assert!((cosine(&hit["embedding_vector"], &asked["embeddings"][0]) - similarity).abs() < 0.02, "{similarity}");
}

#[tokio::test(flavor = "multi_thread")]
async fn items_are_searchable_when_the_answer_comes() {
    let (_tree, server) = served().await;
    let generation = async || server.get("/api/search/stats").await.json()["generation"].clone();
    let items = json!([{"source": "notes/llamas.md", "content": "# Llamas\n\nLlamas spit.\n"},
        {"content": "A text about wombats, without a name.\n"}, {"source": "../up", "content": "x"}]);
    let reply = server.post("/api/rag/ingest", json!({"items": items})).await.json();
    assert_eq!((&reply["processed"], &reply["failures"]), (&json!(2), &json!(1)), "{reply}");
    let message = reply["failed"][0]["message"].as_str().unwrap();
    assert!(reply["failed"][0]["item"] == 2 && message.starts_with("source must be relative"), "{reply}");
    let found = ask(&server, json!({"q": "why do llamas spit"})).await;
    assert_eq!(found["hits"][0]["file_path"], "notes/llamas.md");
    let found = ask(&server, json!({"q": "wombats"})).await;
    assert!(found["hits"][0]["file_path"].as_str().unwrap().starts_with("ingested/"));

    let llamas = json!([items[0]]);
    let before = generation().await;
    server.post("/api/rag/ingest", json!({"items": llamas})).await;
    assert_eq!(generation().await, before);
    server.post("/api/rag/ingest", json!({"items": llamas, "force_reindex": true})).await;
    assert_ne!(generation().await, before);
}

/// 20 MB in lines: a long one, the same document again and again, here and there another or a broken one.
fn many_lines() -> impl Iterator<Item = String> {
    let content = "The same words about the same thing, again and again.\n".repeat(1000);
    let same = json!({"source": "same.md", "content": content}).to_string() + "\n";
    let long = format!("{{\"content\": \"{}\"}}\n", "x".repeat(9 << 20));
    let others = (0..200).flat_map(move |number| {
        let other = json!({"source": format!("many/{number}.md"), "content": format!("unique_{number}_word\n")});
        [same.clone(), if number % 10 == 9 { "{broken\n".to_owned() } else { format!("{other}\n") }]
    });
    std::iter::once(long).chain(others)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_stream_is_stored_as_it_comes() {
    let (_tree, server) = served().await;
    let bytes: usize = many_lines().map(|line| line.len()).sum();
    assert!(bytes > 20_000_000);
    let lines = stream::iter(many_lines().map(Ok::<_, std::io::Error>));
    let kind = "application/x-ndjson";
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(server.url("/api/rag/ingest/stream")).header("content-type", kind).header("accept", kind);
    let sent = request.body(reqwest::Body::wrap_stream(lines)).send().await.unwrap();
    let text = sent.text().await.unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let done = events.last().unwrap();
    assert_eq!((&done["event"], &done["bytes"]), (&json!("done"), &json!(bytes)), "{done}");
    assert_eq!((&done["processed"], &done["failures"]), (&json!(380), &json!(21)), "{done}");
    assert_eq!(events.iter().filter(|event| event["event"] == "item_failed").count(), 21);
    for number in [0, 108, 198] {
        let found = ask(&server, json!({"q": format!("unique_{number}_word"), "strategy": "syntax"})).await;
        assert_eq!(found["hits"][0]["file_path"], format!("many/{number}.md"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_derives_every_document_again() {
    let (_tree, server) = served().await;
    let items = json!([{"source": "llamas.md", "content": "Llamas spit.\n"}, {"content": "Wombats dig.\n"}]);
    server.post("/api/rag/ingest", json!({"items": items})).await;
    let chunks = async || server.get("/api/rag/admin/stats").await.json()["total_chunks"].clone();
    let generation = async || server.get("/api/search/stats").await.json()["generation"].as_u64().unwrap();
    let before = (chunks().await, generation().await);
    let reply = server.post("/api/rag/admin/rebuild-index", json!({})).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    let message = "a folder is read again; posted documents are derived anew";
    assert_eq!(reply.json()["message"], message);
    let tasks = reply.json()["result"]["tasks"].as_array().unwrap().clone();
    assert_eq!(tasks.iter().map(|task| task["kind"].as_str().unwrap()).collect::<Vec<_>>(), ["index", "renew"]);
    for task in tasks {
        let task = server.finished(task["id"].as_str().unwrap()).await;
        assert_eq!((&task["state"], &task["progress"]["indexed"]), (&json!("succeeded"), &json!(2)), "{task}");
    }
    assert_eq!((chunks().await, generation().await), (before.0, before.1 + 4));
    let found = ask(&server, json!({"q": "why do llamas spit"})).await;
    assert_eq!(found["hits"][0]["file_path"], "llamas.md");
    let status = server.get("/api/rag/admin/indexing-status").await.json();
    assert_eq!(
        (&status["queue_depth"], &status["in_flight"], &status["pending_changes"]),
        (&json!(0), &json!(0), &json!(0))
    );
}
