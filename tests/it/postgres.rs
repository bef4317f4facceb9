//! A server over PostgreSQL: what it keeps there, what it does while the database is away, and how a store moves
//! between the two backends.

use std::process::Command;

use serde_json::json;
use services::{Postgres, PostgresKind};

use crate::support::client::{Client, wait_for};
use crate::support::server::{Process, corsac, data_folder};
use crate::support::tree::Tree;

async fn post(client: &Client, path: &str, content: &str) {
    let reply = client.post("/api/documents", json!({"documents": [{"path": path, "content": content}]})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

async fn finds(client: &Client, word: &str, path: &str) {
    wait_for("the document to be found", async || {
        let answer = client.query("semantic", word).await;
        let first = answer["results"].get(0)?;
        first.to_string().contains(path).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_database_outlives_its_hosts() {
    let url = Postgres::shared(PostgresKind::Debian).database();
    let arguments = ["--database-url", &url];
    let first = data_folder();
    let server = Process::serve(first.path(), &arguments).await;
    server.started().await;
    post(&server, "posted/a.md", "quokkas eat leaves").await;
    server.kill();
    assert!(!first.path().join("store.sqlite").exists());

    // Another host, with nothing of its own.
    let second = data_folder();
    let server = Process::serve(second.path(), &arguments).await;
    server.started().await;
    finds(&server, "quokkas", "posted/a.md").await;
    let name = |folder: &tempfile::TempDir, file: &str| std::fs::read_to_string(folder.path().join(file)).unwrap();
    assert_eq!(name(&first, "database"), name(&second, "database"));
    assert_ne!(name(&first, "host"), name(&second, "host"));
    server.kill();

    // The first one over another database: what its index has is not there.
    let other = Postgres::shared(PostgresKind::Debian).database();
    let server = Process::serve(first.path(), &["--database-url", &other]).await;
    server.started().await;
    assert!(server.log().contains("built again"), "{}", server.log());
    assert_eq!(server.query("semantic", "quokkas").await["results"], json!([]));
}

#[tokio::test]
async fn writes_are_refused_while_the_database_is_away_and_searches_are_not() {
    let mut postgres = tokio::task::spawn_blocking(Postgres::start).await.unwrap();
    let tree = Tree::of(&[("a.md", "wombats dig burrows\n")]);
    let data = data_folder();
    let url = postgres.database();
    let server = Process::serve(data.path(), &[tree.path().to_str().unwrap(), "--database-url", &url]).await;
    server.started().await;
    post(&server, "posted/a.md", "quokkas eat leaves").await;
    finds(&server, "quokkas", "posted/a.md").await;

    postgres.kill();
    let documents = json!({"documents": [{"path": "posted/b.md", "content": "numbats eat termites"}]});
    for (path, body) in [("/api/documents", documents), ("/api/search/index", json!({}))] {
        let reply = server.post(path, body).await;
        assert_eq!(reply.status, 503, "{path}: {}", reply.text());
        assert!(reply.headers.contains_key("retry-after"), "{path}");
        assert_eq!(reply.json()["code"], "unavailable");
    }
    finds(&server, "wombats", "a.md").await;
    finds(&server, "quokkas leaves", "posted/a.md").await;

    postgres.restart();
    wait_for("the database's return", async || {
        let body = json!({"documents": [{"path": "posted/c.md", "content": "bilbies dig too"}]});
        (server.post("/api/documents", body).await.status == 200).then_some(())
    })
    .await;
    finds(&server, "bilbies", "posted/c.md").await;
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// Exit code, standard output, standard error.
fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn a_store_moves_to_a_database_and_back() {
    let url = Postgres::shared(PostgresKind::Debian).database();
    let tree = Tree::of(&[("a.md", "wombats dig burrows\n"), ("b.md", "echidnas have spines\n")]);
    let data = data_folder();
    let folder = data.path().to_str().unwrap();
    let mut server = Process::serve(data.path(), &[tree.path().to_str().unwrap()]).await;
    server.started().await;
    post(&server, "posted/a.md", "quokkas eat leaves").await;
    let copy = |from: &str, to: &str| run(corsac(["store", "copy", from, to]).env("DATABASE", &url));
    let (code, _, errors) = copy(folder, "env:DATABASE");
    assert!(code == 1 && errors.contains("another corsac uses the data folder"), "{errors}");
    server.terminate();
    assert!(server.ended().await.success());

    let (code, text, errors) = copy(folder, "env:DATABASE");
    assert_eq!(code, 0, "{errors}");
    assert!(text.starts_with("copied: 3 documents, 0 tombstones, 1 roots, 1 tasks, 0 API keys, "), "{text}");
    let (code, text, errors) = copy(folder, "env:DATABASE");
    assert!(code == 0 && text.starts_with("nothing to copy: 3 documents"), "{text}{errors}");

    // The index in the data folder goes on from where it was.
    let server = Process::serve(data.path(), &["--database-url", &url]).await;
    server.started().await;
    assert!(!server.log().contains("built again"), "{}", server.log());
    finds(&server, "quokkas", "posted/a.md").await;
    post(&server, "posted/b.md", "numbats eat termites").await;
    server.kill();

    let (code, _, errors) = copy(folder, "env:DATABASE");
    assert!(code == 1 && errors.contains("4 documents of its own"), "{errors}");
    let back = data_folder();
    let (code, text, errors) = copy("env:DATABASE", back.path().to_str().unwrap());
    assert!(code == 0 && text.starts_with("copied: 4 documents"), "{text}{errors}");
    let server = Process::serve(back.path(), &[]).await;
    server.started().await;
    finds(&server, "numbats", "posted/b.md").await;
    finds(&server, "echidnas", "b.md").await;
}

#[test]
fn what_cannot_be_copied_or_opened_is_told_without_passwords() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    for (from, to, message) in [
        (path, "sqlite:unused", "there is no store at"),
        ("env:NOT_THERE", path, "NOT_THERE is not set"),
        ("postgres://a:hunter2@127.0.0.1:port/b", path, "cannot be read: it is like"),
    ] {
        let (code, _, errors) = run(&mut corsac(["store", "copy", from, to]));
        assert!(code != 0 && errors.contains(message) && !errors.contains("hunter2"), "{errors}");
    }
    assert!(!folder.path().join("store.sqlite").exists());

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://a:hunter2@127.0.0.1:{nobody}/b");
    let mut serve = corsac(["serve", "--listen", "127.0.0.1:0", "--data", path]);
    let (code, _, errors) = run(serve.env("DATABASE_URL", &url).env("DB_POOL_TIMEOUT", "1"));
    assert_eq!(code, 1);
    assert!(errors.contains("document store is unavailable") && !errors.contains("hunter2"), "{errors}");
}
