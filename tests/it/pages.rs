//! Pages, facets, streams and exports over HTTP on real input: what is found is found once, in whatever parts it
//! comes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::client::{Client, place, results};
use crate::support::server::Local;
use crate::support::tree::Tree;

const STRATEGIES: [&str; 4] = ["semantic", "syntax", "hybrid", "search"];

/// A part of this project's own sources.
fn sources() -> (Tree, BTreeMap<String, String>) {
    let (tree, mut files) = (Tree::of(&[]), BTreeMap::new());
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("host");
    let mut folders = ["service", "http", "runtime"].map(|folder| host.join(folder)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&host).unwrap().to_str().unwrap().to_owned();
            // A picture is no text.
            if let Ok(content) = String::from_utf8(std::fs::read(path).unwrap()) {
                files.insert(name, content);
            }
        }
    }
    files.iter().for_each(|(name, content)| tree.write(name, content));
    (tree, files)
}

/// All pages of one window, as a client walks that knows only that the last page is short.
async fn walk(server: &Client, strategy: &str, request: &Value, page: usize) -> (Vec<Value>, Value) {
    let mut all = Vec::new();
    loop {
        let mut request = request.clone();
        request["offset"] = json!(all.len());
        request["max_results"] = json!(page);
        let answer = server.found(strategy, request).await;
        all.extend(results(&answer).iter().cloned());
        if results(&answer).len() < page {
            return (all, answer);
        }
    }
}

/// The lines of an export and its last one.
async fn export(server: &Client, strategy: &str, request: &Value) -> (Vec<Value>, Value) {
    let path = format!("/api/search/{strategy}");
    let request = server.posting(&path, request.to_string()).header("accept", "application/x-ndjson");
    let reply = server.send(request).await.unwrap();
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/x-ndjson"), "{}", reply.text());
    let mut lines: Vec<Value> = reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.pop().unwrap();
    assert_eq!(last["done"], true, "{last}");
    (lines, last)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_over_all_pages_finds_every_hit_once() {
    let (tree, files) = sources();
    let server = Local::start(&tree, |_| ()).await;
    for (strategy, query, ranker) in [
        ("semantic", "which errors end a search", "relevance"),
        ("syntax", "self", "relevance"),
        ("syntax", r"fn \w+", "diversity"),
        ("hybrid", "plan of a query", "fields"),
        ("hybrid", "snapshot", "relevance"),
        ("search", "\"the index\"", "relevance"),
        ("search", "http/search.rs", "diversity"),
        ("search", "SearchRequest", "fields"),
        ("search", r"pub fn \w+", "relevance"),
    ] {
        for (window, page) in [(None, 20), (Some(100), 7), (Some(300), 90)] {
            let what = format!("{strategy} {query} {ranker} {window:?} {page}");
            let mut request = json!({"query": query, "ranker": ranker});
            if let Some(window) = window {
                request["window"] = json!(window);
            }
            let (all, last) = walk(&server, strategy, &request, page).await;
            let places: Vec<String> = all.iter().map(place).collect();
            assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), places.len(), "{what}: a hit twice");
            assert_eq!((&last["total_results"], &last["window"]), (&json!(all.len()), &json!(window.unwrap_or(100))));
            // The window at once, which an export is, has the same hits in the same order.
            request["window"] = json!(window.unwrap_or(100));
            let (exported, end) = export(&server, strategy, &request).await;
            assert_eq!(exported.iter().map(place).collect::<Vec<_>>(), places, "{what}");
            assert_eq!((&end["total_results"], &end["truncated"]), (&last["total_results"], &last["truncated"]));
            assert!(all.len() <= window.unwrap_or(100), "{what}");
        }
    }
    // Against a look at every line: an export has them all.
    let found = files.iter().flat_map(|(name, content)| {
        let lines = content.lines().enumerate().filter(|(_, line)| line.contains("let"));
        lines.map(move |(at, _)| format!("{name}:{}", at + 1))
    });
    let expected: Vec<String> = found.collect();
    assert!(expected.len() > 1000, "{}", expected.len());
    let request = json!({"query": "let", "case_sensitive": true, "pattern_type": "literal"});
    let (lines, end) = export(&server, "syntax", &request).await;
    assert_eq!(lines.iter().map(place).collect::<Vec<_>>(), expected);
    assert_eq!((&end["total_results"], &end["truncated"]), (&json!(expected.len()), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facet_counts_what_a_narrower_search_leaves() {
    let (tree, _files) = sources();
    let server = Local::start(&tree, |_| ()).await;
    let request = json!({"query": "trait", "window": 1000, "facets": ["directory", "file_type", "language"]});
    let answer = server.found("syntax", request.clone()).await;
    let total = &answer["total_results"];
    assert_eq!(answer["truncated"], false);
    assert_eq!(answer["facets"]["language"], json!([{"value": "rust", "count": total}]));
    assert_eq!(answer["facets"]["file_type"], json!([{"value": "rs", "count": total}]));
    let directories = answer["facets"]["directory"].as_array().unwrap();
    assert!(directories.len() > 4, "{directories:?}");
    for directory in directories {
        let mut narrower = request.clone();
        narrower["directories"] = json!([directory["value"]]);
        assert_eq!(server.found("syntax", narrower).await["total_results"], directory["count"], "{directory}");
    }
    assert_eq!(server.query("syntax", "trait").await.get("facets"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_in_the_plain_answer() {
    let (tree, _files) = sources();
    let server = Local::start(&tree, |_| ()).await;
    for strategy in STRATEGIES {
        let request = json!({"query": "snapshot of the index", "max_results": 30, "pattern_type": "literal",
            "facets": ["directory"], "explain": true});
        let events = async || {
            let asked = server.posting(&format!("/api/search/{strategy}"), request.to_string());
            let reply = server.send(asked.header("accept", "text/event-stream")).await.unwrap();
            assert_eq!((reply.status, reply.header("content-type")), (200, "text/event-stream"), "{strategy}");
            let event = |block: &str| {
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                (field("event: ").unwrap(), field("data: ").unwrap())
            };
            // A slow server gives signs of life, which are comments.
            let text = reply.text();
            let blocks = text.split_terminator("\n\n").filter(|block| !block.starts_with(':'));
            blocks.map(event).collect::<Vec<(String, String)>>()
        };
        let first = events().await;
        let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
        let (before, end) = names.split_at(names.len() - 2);
        assert_eq!(end, ["final", "done"], "{strategy}");
        assert!(before.iter().all(|name| ["progress", "matches"].contains(name)), "{strategy}: {before:?}");
        let legs: Vec<Value> = (first.iter().filter(|(name, _)| name == "matches"))
            .map(|(_, data)| serde_json::from_str::<Value>(data).unwrap()["leg"].clone())
            .collect();
        assert_eq!(legs.is_empty(), strategy == "syntax", "{strategy}: {legs:?}");

        let plain = server.search(strategy, request.clone()).await;
        assert_eq!(plain.header("cache-status"), "corsac; hit", "{strategy}");
        assert_eq!(plain.text(), first[names.len() - 2].1, "{strategy}");
        let again = events().await;
        assert_eq!(again.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["final", "done"], "{strategy}");
        assert_eq!(again[0].1, plain.text(), "{strategy}");
        assert_eq!(serde_json::from_str::<Value>(&again[1].1).unwrap()["cache"], "corsac; hit", "{strategy}");
    }
}
