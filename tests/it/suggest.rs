//! Suggestions while somebody types, from indexing to the answer over HTTP.

use corsac::config::{RetrievalMode, Secret};
use serde_json::{Value, json};
use services::{Postgres, PostgresKind};

use crate::support::client::{Client, wait_for};
use crate::support::server::Local;
use crate::support::tree::Tree;

async fn serve(tree: &Tree) -> Local {
    Local::start(tree, |settings| settings.suggest.refresh_seconds = 0).await
}

/// Suggestions as `type match text`.
fn lines(answer: &Value) -> Vec<String> {
    let text = |found: &Value, field: &str| found[field].as_str().unwrap().to_owned();
    let line = |found| ["type", "match", "suggestion"].map(|field| text(found, field)).join(" ");
    answer["suggestions"].as_array().unwrap().iter().map(line).collect()
}

async fn ask(client: &Client, query: &str) -> Value {
    let reply = client.get(&format!("/api/search/suggestions?query={query}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// Asks until this line is among the answer's; the answer.
async fn until(client: &Client, query: &str, line: &str) -> Value {
    wait_for(line, async || {
        let answer = ask(client, query).await;
        lines(&answer).iter().any(|found| found == line).then_some(answer)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_come_from_the_corpus_and_follow_it() {
    let notes = "How to read configuration files.\nWe read configuration files once.\n";
    let tree = Tree::of(&[("src/quokka.rs", "fn quokkaCount() {}\n"), ("notes.md", notes)]);
    let server = serve(&tree).await;
    let answer = until(&server, "quok", "symbol prefix quokkaCount").await;
    assert_eq!(lines(&answer), ["symbol prefix quokkaCount", "path prefix quokka.rs", "path word src/quokka.rs"]);
    assert_eq!((&answer["success"], &answer["query"], &answer["error"]), (&json!(true), &json!("quok"), &Value::Null));
    let confidences: Vec<f64> =
        answer["suggestions"].as_array().unwrap().iter().map(|found| found["confidence"].as_f64().unwrap()).collect();
    assert!(confidences.is_sorted_by(|one, next| one >= next) && confidences[0] <= 1.0, "{confidences:?}");

    assert_eq!(lines(&ask(&server, "Read+conf").await)[0], "phrase prefix read configuration");
    assert_eq!(lines(&ask(&server, "whoever+read+conf").await)[0], "phrase tail whoever read configuration");
    assert_eq!(lines(&ask(&server, "count").await)[0], "symbol word quokkaCount");
    assert_eq!(lines(&ask(&server, "qoukka").await)[0], "symbol typo quokkaCount");

    // The answer renews itself when the index changes, though it was cached.
    let path = "/api/search/suggestions?query=quok";
    let before = server.get(path).await;
    assert_eq!(before.header("cache-status"), "corsac; hit");
    tree.write("src/other.rs", "fn quokkaSleeps() {}\n");
    server.index(json!({})).await;
    until(&server, "quok", "symbol prefix quokkaSleeps").await;
    let after = server.get(path).await;
    assert_ne!(after.header("etag"), before.header("etag"));
    let same = server.send(server.getting(path).header("if-none-match", after.header("etag"))).await.unwrap();
    assert_eq!((same.status, same.body.len()), (304, 0));
    // What is gone is suggested no more.
    tree.remove("src/quokka.rs");
    server.index(json!({})).await;
    wait_for("the end of quokkaCount", async || {
        let answer = ask(&server, "quok").await;
        (lines(&answer) == ["symbol prefix quokkaSleeps"]).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn intelligent_suggestions_have_refinements_and_synonyms() {
    let tree = Tree::of(&[("a.rs", "fn find_user() {}\n")]);
    let server = serve(&tree).await;
    until(&server, "find", "symbol prefix find_user").await;
    let answer = server.get("/api/search/suggestions/intelligent?query=find&max_suggestions=4").await.json();
    let expected = [
        "symbol prefix find_user",
        "intent_refinement related function that find",
        "intent_refinement related class that find",
        "synonym related search",
    ];
    assert_eq!(lines(&answer), expected);
    assert_eq!(lines(&ask(&server, "").await), ["symbol popular find_user"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn suggestions_can_be_switched_off() {
    let tree = Tree::of(&[("a.rs", "fn a() {}\n")]);
    let server = Local::start(&tree, |settings| settings.suggest.enabled = false).await;
    server.get("/api/search/suggestions?query=a").await.problem(404, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_are_the_same_when_the_database_answers_look_ups() {
    let notes = "How to read configuration files.\nWe read configuration files once.\n";
    let tree = Tree::of(&[("src/quokka.rs", "fn quokkaCount() {}\n"), ("notes.md", notes)]);
    let embedded = serve(&tree).await;
    let url = Postgres::shared(PostgresKind::Debian).database();
    let database = Local::start(&tree, |settings| {
        settings.suggest.refresh_seconds = 0;
        settings.database.url = Some(Secret::new(url));
        settings.index.retrieval = RetrievalMode::Postgres;
    })
    .await;
    for server in [&embedded, &database] {
        until(server, "quok", "symbol prefix quokkaCount").await;
        until(server, "read", "phrase prefix read configuration files").await;
    }
    for query in ["quok", "read+conf", "count", "qoukka", "", "no"] {
        assert_eq!(ask(&database, query).await, ask(&embedded, query).await, "{query}");
    }
}
