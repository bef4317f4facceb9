//! Bringing documents in over HTTP: folders as tasks that are polled or streamed, and posted documents.

use serde_json::{Value, json};

use crate::support::client::{paths, places, results};
use crate::support::server::Local;
use crate::support::tree::Tree;

async fn serve(tree: &Tree) -> Local {
    Local::start(tree, |_| ()).await
}

/// Counts of a task's progress: new or changed, unchanged, removed.
fn counts(task: &Value) -> [u64; 3] {
    ["indexed", "unchanged", "removed"].map(|name| task["progress"][name].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn indexing_is_a_task_that_can_be_polled_and_streamed() {
    let tree = Tree::of(&[("a.rs", "fn alpha() {}\n"), ("b.py", "def beta(): pass\n")]);
    let server = serve(&tree).await;
    tree.write("c.md", "# Gamma\n");
    let reply = server.post("/api/search/index", json!({})).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    let location = reply.header("location").to_owned();
    let task = reply.json();
    assert_eq!(location, format!("/api/tasks/{}", task["id"].as_str().unwrap()));
    assert_eq!(task["kind"], "index");

    let stream = server.getting(&location).header("accept", "text/event-stream");
    let stream = server.send(stream).await.unwrap();
    assert_eq!((stream.status, stream.header("content-type")), (200, "text/event-stream"));
    let text = stream.text();
    let events: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!((events.last(), events.iter().filter(|event| **event == "done").count()), (Some(&"done"), 1), "{text}");
    let last = text.lines().filter_map(|line| line.strip_prefix("data: ")).next_back().unwrap();
    let done: Value = serde_json::from_str(last).unwrap();
    assert_eq!((&done["state"], counts(&done)), (&json!("succeeded"), [1, 2, 0]), "{done}");
    // Polled, it says the same; and what the task has done can be searched.
    assert_eq!(server.task(done["id"].as_str().unwrap()).await, done);
    assert_eq!(paths(&server.query("search", "gamma").await)[0], "c.md");
    assert!(done["finished_at"].as_str().unwrap() >= done["started_at"].as_str().unwrap());
    let stats = server.get("/api/search/stats").await.json();
    assert_eq!((&stats["total_files_indexed"], &stats["last_indexed"]), (&json!(3), &done["finished_at"]));

    let list = server.get("/api/tasks").await.json();
    assert_eq!(list["tasks"].as_array().unwrap().len(), 2);
    assert_eq!(list["tasks"][0], done);
    server.get("/api/tasks/nobody").await.problem(404, "unknown-task");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_follows_changes_and_nothing_else() {
    let tree = Tree::of(&[
        ("keep.txt", "constant needle\n"),
        ("change.txt", "early needle\n"),
        ("remove.txt", "doomed needle\n"),
        ("sub/move.txt", "moving needle\n"),
    ]);
    let server = serve(&tree).await;
    assert_eq!(server.query("syntax", "needle").await["total_results"], 4);
    assert_eq!(counts(&server.index(json!({})).await), [0, 4, 0]);

    tree.write("change.txt", "late\nneedle\n");
    tree.write("new.txt", "fresh needle\n");
    tree.remove("remove.txt");
    std::fs::rename(tree.path().join("sub/move.txt"), tree.path().join("moved.txt")).unwrap();
    assert_eq!(counts(&server.index(json!({})).await), [3, 1, 2]);
    let found = places(&server.query("syntax", "needle").await);
    assert_eq!(found, ["change.txt:2", "keep.txt:1", "moved.txt:1", "new.txt:1"]);
    for gone in ["early", "doomed"] {
        for strategy in ["semantic", "syntax", "hybrid", "search"] {
            let answer = server.found(strategy, json!({"query": gone, "similarity_threshold": 1.0})).await;
            assert!(results(&answer).is_empty(), "{strategy} {gone}: {:?}", places(&answer));
        }
    }
    // Only a part of the tree, or only some types: the rest stays as it was.
    tree.write("keep.txt", "changed needle\n");
    tree.write("sub/deep.txt", "deep needle\n");
    assert_eq!(counts(&server.index(json!({"directories": ["sub"]})).await), [1, 0, 0]);
    assert_eq!(server.query("syntax", "constant").await["total_results"], 1);
    assert_eq!(counts(&server.index(json!({"file_types": ["md"]})).await), [0, 0, 0]);
    assert_eq!(server.query("syntax", "needle").await["total_results"], 5);
    // Everything anew.
    assert_eq!(counts(&server.index(json!({"force_reindex": true})).await), [5, 0, 0]);
    assert_eq!(server.query("syntax", "needle").await["total_results"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_source_text_is_left_out_and_counted() {
    let tree = Tree::of(&[
        (".gitignore", "/build\n*.log\n!keep.log\n"),
        ("build/out.rs", "needle\n"),
        ("trace.log", "needle\n"),
        ("keep.log", "needle\n"),
        ("src/.gitignore", "private.rs\n"),
        ("src/private.rs", "// needle\n"),
        ("src/lib.rs", "// needle\n"),
        ("empty.txt", ""),
    ]);
    tree.write("image.png", b"\x89PNG\r\n\x1a\n\0\0needle\0");
    tree.write("latin1.txt", b"needle caf\xe9\n");
    tree.write("large.txt", "needle ".repeat(200_000));
    // `.gitignore` counts where git would read it.
    std::fs::create_dir(tree.path().join(".git")).unwrap();
    tree.write(".git/config", "needle\n");
    let server = serve(&tree).await;
    let answer = server.query("syntax", "needle").await;
    let found = paths(&answer);
    for expected in ["keep.log", "src/lib.rs"] {
        assert!(found.contains(&expected), "{found:?}");
    }
    for left_out in ["build/out.rs", "trace.log", "src/private.rs", "image.png", "large.txt", ".git/config"] {
        assert!(!found.contains(&left_out), "{left_out} in {found:?}");
    }
    let tasks = server.get("/api/tasks").await.json();
    let skipped = &tasks["tasks"][0]["progress"]["skipped"];
    for reason in ["binary", "empty", "too-large"] {
        assert_eq!(skipped[reason]["count"], 1, "{reason}: {skipped}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_folders_that_the_server_was_given_are_indexed() {
    let (tree, other, outside) = (
        Tree::of(&[("a.txt", "needle\n")]),
        Tree::of(&[("b.txt", "needle\n")]),
        Tree::of(&[("secret/c.txt", "needle\n")]),
    );
    let allowed = other.path().to_owned();
    let server = Local::start(&tree, |settings| settings.index.allowed_roots = vec![allowed]).await;
    server.index(json!({"project_root": other.name()})).await;
    assert_eq!(server.query("syntax", "needle").await["total_results"], 2);

    std::os::unix::fs::symlink(outside.path(), tree.path().join("link")).unwrap();
    let mut words = std::collections::BTreeSet::new();
    let linked = format!("{}/link", tree.name());
    for path in [
        outside.name(),
        &format!("{}/secret", outside.name()),
        &format!("{}/secret/c.txt", outside.name()),
        &format!("{}/missing", outside.name()),
        &format!("{}/../", tree.name()),
        &format!("{}x", tree.name()),
        &linked,
        "..",
        "../..",
        "link",
        "link/secret",
        "missing",
        "/",
        "/etc",
        "/etc/shadow",
        "/nowhere/at/all",
        "~",
        "-rf",
        "file:///etc",
    ] {
        let reply = server.post("/api/search/index", json!({"project_root": path})).await;
        assert_eq!(reply.violated(), ["project_root"], "{path}");
        // The same words for what is there and what is not.
        words.insert(reply.json()["errors"][0]["message"].as_str().unwrap().replace(path, "PATH"));
    }
    assert_eq!(words.len(), 1, "{words:?}");
    for root in ["", " ", "a\nb", &"x".repeat(5000)] {
        assert_eq!(server.post("/api/search/index", json!({"project_root": root})).await.violated(), ["project_root"]);
    }
    let wrong = json!({"chunk_size": 63, "overlap": 257, "directories": ["/etc"], "force": true});
    let mut violated = server.post("/api/search/index", wrong).await.violated();
    violated.sort();
    assert_eq!(violated, ["chunk_size", "directories[0]", "force", "overlap"]);
    assert_eq!(server.query("syntax", "needle").await["total_results"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn posted_documents_are_searchable_when_the_answer_comes() {
    let tree = Tree::of(&[("a.txt", "from the tree\n")]);
    let server = serve(&tree).await;
    let post = async |documents: Value| {
        let reply = server.post("/api/documents", documents).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    };
    let first = post(json!({"documents": [
        {"path": "notes/one.md", "content": "# Marmots\n\nThey whistle.\n"},
        {"id": "two", "title": "Badgers", "content": "They dig."},
        {"path": "a.txt", "content": "posted under the name of a file"},
    ]}))
    .await;
    assert_eq!((&first["stored"], &first["success"]), (&json!(3), &json!(true)), "{first}");
    assert_eq!(paths(&server.query("semantic", "marmots").await)[0], "notes/one.md");
    assert_eq!(paths(&server.query("semantic", "badgers").await)[0], "two");
    // A posted document is not the file of the same path.
    assert_eq!(server.query("syntax", "from the tree").await["total_results"], 1);
    assert_eq!(server.query("syntax", "posted under").await["total_results"], 1);

    let second = post(json!([
        {"path": "notes/one.md", "content": "# Marmots\n\nThey whistle.\n"},
        {"path": "two", "content": "They dig no more."},
    ]))
    .await;
    let states: Vec<&Value> = second["results"].as_array().unwrap().iter().map(|outcome| &outcome["state"]).collect();
    assert_eq!(states, ["unchanged", "stored"]);
    assert_eq!(places(&server.query("syntax", "They dig").await), ["two:1"]);

    // One that is wrong holds up none of the others.
    let mixed = post(json!([
        {"path": "good/1.md", "content": "goodword"},
        {"path": "", "content": "x"},
        {"content": "x"},
        {"path": "bad/2.md"},
        {"path": "bad/3.md", "content": 5},
        {"path": "x".repeat(513), "content": "x"},
        {"path": "good/4.md", "content": "goodword"},
    ]))
    .await;
    assert_eq!((&mixed["stored"], &mixed["rejected"], &mixed["success"]), (&json!(2), &json!(5), &json!(false)));
    for outcome in mixed["results"].as_array().unwrap() {
        assert_eq!(outcome["errors"].is_array(), outcome["state"] == "rejected", "{outcome}");
    }
    assert_eq!(places(&server.query("syntax", "goodword").await), ["good/1.md:1", "good/4.md:1"]);
    // Indexing the tree again does not touch them.
    server.index(json!({})).await;
    assert_eq!(server.query("syntax", "goodword").await["total_results"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_data_is_no_source() {
    let tree = Tree::of(&[("a.txt", "needle\n")]);
    tree.write("sub/b.txt", "needle\n");
    let canonical = tree.path().canonicalize().unwrap();
    for data in ["data", "sub/../other", "deep/er/data"] {
        let folder = canonical.join(data);
        let server = Local::start(&tree, |settings| settings.server.data = Some(folder.clone())).await;
        server.index(json!({"force_reindex": true})).await;
        let stats = server.get("/api/search/stats").await.json();
        assert_eq!(stats["total_files_indexed"], 2, "{data}");
        drop(server);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_files_and_names_stop_nothing() {
    use std::os::unix::ffi::OsStrExt;

    let tree = Tree::of(&[
        ("with space/and 'quotes\".txt", "needle\n"),
        ("grüße/🦊.txt", "needle\n"),
        ("windows.txt", "first\r\nthe needle\r\nlast\r\n"),
        ("-rf", "needle\n"),
        ("no_newline", "needle"),
    ]);
    tree.write(&format!("{}/deep.txt", vec!["d"; 60].join("/")), "needle\n");
    std::fs::write(tree.path().join(std::ffi::OsStr::from_bytes(b"not\xfftext.txt")), "needle\n").unwrap();
    // Reading it would never end.
    let pipe = std::process::Command::new("mkfifo").arg(tree.path().join("pipe.txt")).status().unwrap();
    assert!(pipe.success());
    std::os::unix::fs::symlink("loop", tree.path().join("loop")).unwrap();
    std::os::unix::fs::symlink(tree.path(), tree.path().join("self")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(tree.path().join("socket.txt")).unwrap();

    let server = serve(&tree).await;
    let answer = server.query("syntax", "needle").await;
    let found = paths(&answer);
    for expected in ["with space/and 'quotes\".txt", "grüße/🦊.txt", "windows.txt", "-rf", "no_newline"] {
        assert!(found.contains(&expected), "{expected} is not in {found:?}");
    }
    assert!(found.iter().any(|path| path.ends_with("/d/deep.txt")), "{found:?}");
    assert!(!found.iter().any(|path| path.starts_with("self/") || path.contains("pipe")), "{found:?}");
    // Line ends are none of the line.
    let request = json!({"query": "needle$", "file_types": ["txt"], "context_lines": 1, "max_results": 100});
    let answer = server.found("syntax", request).await;
    let windows = results(&answer).iter().find(|result| result["file_path"] == "windows.txt").unwrap();
    assert_eq!((&windows["content"], &windows["line_number"]), (&json!("the needle"), &json!(2)));
    assert_eq!(windows["context"], "first\nthe needle\nlast");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_twice_at_once_is_one_task() {
    let tree = Tree::of(&[]);
    for file in 0..300 {
        tree.write(&format!("{file}.txt"), format!("number {file}\n"));
    }
    let server = serve(&tree).await;
    let request = json!({"force_reindex": true});
    let posts = (0..5).map(|_| server.post("/api/search/index", request.clone()));
    let replies = futures::future::join_all(posts).await;
    let ids: std::collections::BTreeSet<String> =
        replies.iter().map(|reply| reply.json()["id"].as_str().unwrap().to_owned()).collect();
    for id in &ids {
        assert_eq!(server.finished(id).await["state"], "succeeded");
    }
    // While the first one walks, the others join it; one more may follow when it has walked already.
    assert!(ids.len() < 5, "{ids:?}");
    assert_eq!(server.get("/api/search/stats").await.json()["total_files_indexed"], 300);
}
