//! Learning from use, end to end: what was chosen moves up for whoever ranks by it, survives a kill and a restart, and
//! is forgotten when asked.

use serde_json::{Value, json};

use crate::support::client::{Client, paths};
use crate::support::server::{Local, Process, data_folder};
use crate::support::tree::Tree;

fn tree() -> Tree {
    Tree::of(&[
        ("a.txt", "the fox and the dog and the fox again\n"),
        ("b.txt", "a dog without much of a fox, and much more about something else entirely\n"),
    ])
}

async fn order(client: &Client, query: &str, ranker: &str) -> Vec<String> {
    let answer = client.found("hybrid", json!({"query": query, "ranker": ranker})).await;
    paths(&answer).into_iter().map(str::to_owned).collect()
}

async fn choose(client: &Client, query: &str, path: &str) -> Value {
    client.post("/api/search/feedback", json!({"query": query, "file_path": path})).await.json()
}

async fn forget(client: &Client, query: &str) -> Value {
    client.delete(&format!("/api/search/usage{query}")).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_chosen_moves_up_survives_a_kill_and_is_forgotten() {
    let (tree, data) = (tree(), data_folder());
    let arguments = [tree.path().to_str().unwrap()];
    let server = Process::serve(data.path(), &arguments).await;
    server.started().await;
    assert_eq!(order(&server, "fox and dog", "learned").await, ["a.txt", "b.txt"]);
    for _ in 0..4 {
        assert_eq!(choose(&server, "dog and fox", "b.txt").await["recorded"], true);
    }
    // The same words, in any order; not other words, and not for a ranker that does not ask.
    assert_eq!(order(&server, "fox and dog", "learned").await, ["b.txt", "a.txt"]);
    assert_eq!(order(&server, "fox and dog", "relevance").await, ["a.txt", "b.txt"]);
    assert_eq!(order(&server, "fox", "learned").await, ["a.txt", "b.txt"]);
    server.kill();

    let server = Process::serve(data.path(), &arguments).await;
    server.started().await;
    assert_eq!(order(&server, "fox and dog", "learned").await, ["b.txt", "a.txt"]);
    assert_eq!(forget(&server, "?query=dog%20and%20%20fox").await["success"], true);
    assert_eq!(order(&server, "fox and dog", "learned").await, ["a.txt", "b.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_found_something_are_remembered_and_others_are_not() {
    let tree = tree();
    let server = Local::start(&tree, |_| {}).await;
    // The second answer comes from the cache, and counts as well.
    for query in ["fox", "fox", "dog", "zzzqqqxxx"] {
        server.query("syntax", query).await;
    }
    let second_page = json!({"query": "fox", "offset": 1, "max_results": 1});
    server.found("syntax", second_page).await;
    let remembered = server.get("/api/search/usage").await.json();
    assert_eq!(remembered["frequent"], json!([{"query": "fox", "weight": 2.0}, {"query": "dog", "weight": 1.0}]));
    choose(&server, "fox", "b.txt").await;
    assert_eq!(forget(&server, "").await["success"], true);
    let remembered = server.get("/api/search/usage").await.json();
    assert_eq!((&remembered["frequent"], &remembered["questions"]), (&json!([]), &json!(0)));

    let reply = server.post("/api/search/feedback", json!({"query": "fox", "file_path": "none.txt"})).await;
    reply.problem(422, "invalid-request");
    assert_eq!(reply.violated(), ["file_path"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_shall_remember_nothing_does_not() {
    let tree = tree();
    let server = Local::start(&tree, |settings| settings.usage.enabled = false).await;
    server.query("syntax", "fox").await;
    let answer = choose(&server, "fox", "b.txt").await;
    assert_eq!((&answer["recorded"], &answer["success"]), (&json!(false), &json!(true)));
    let remembered = server.get("/api/search/usage").await.json();
    assert_eq!((&remembered["enabled"], &remembered["questions"]), (&json!(false), &json!(0)));
}
