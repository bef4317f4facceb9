//! The command line: what each command prints, how it ends, and what it says when it cannot do its work.

use std::net::TcpListener;
use std::path::Path;

use crate::support::server::{Process, corsac, data_folder};
use crate::support::tree::Tree;
use crate::support::{fixture, plugin};

/// Exit code, standard output, standard error.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = corsac(arguments.iter().copied()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn check(file: &Path) -> (i32, String, String) {
    run(&["plugin", "check", file.to_str().unwrap()])
}

#[test]
fn a_good_plugin_is_described() {
    let file = plugin("rank-fields");
    let (code, text, errors) = check(&file);
    assert_eq!((code, errors.as_str()), (0, ""), "{text}");
    let digest = blake3::hash(&std::fs::read(&file).unwrap()).to_hex();
    for part in
        ["rank-fields 0.1.0", "ranker", "corsac:plugin/ranking@0.1", "field:symbol", &*digest, "this host loads it"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let (code, text, _) = check(&plugin("strategy-hybrid"));
    assert!(code == 0 && text.contains("strategy") && text.contains("corsac:plugin/retrieval"), "{text}");
}

#[test]
fn a_file_that_is_no_plugin_is_refused_with_the_reason() {
    let (code, text, _) = check(&fixture("wrong-world"));
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("does not load it") && text.contains("corsac:plugin/ranking@0.1"), "{text}");

    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(plugin("rank-fields")).unwrap();
    for (name, bytes) in [("cut.wasm", &whole[..whole.len() / 2]), ("script.wasm", b"#!/bin/sh\n"), ("empty.wasm", b"")]
    {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        let (code, text, errors) = check(&file);
        assert_eq!(code, 1, "{name}: {text}");
        assert!(text.contains("this host does not load it: "), "{name}: {text}{errors}");
        assert!(!errors.contains("panicked"), "{name}: {errors}");
    }
    let (code, text, errors) = check(&folder.path().join("missing.wasm"));
    assert_eq!((code, text.as_str()), (1, ""));
    assert!(errors.contains("missing.wasm"), "{errors}");
}

/// Its author need not have the operator's configuration, and with it he sees what the server will say.
#[test]
fn a_plugin_that_calls_out_is_checked_with_and_without_the_operators_grant() {
    let file = fixture("strategy-opensearch");
    let (code, text, errors) = check(&file);
    assert_eq!((code, errors.as_str()), (0, ""), "{text}");
    for part in ["wasi:http/outgoing-handler", "needs     a grant", "[plugins.strategy-opensearch]", "host loads it"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }

    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("corsac.toml");
    let with = |configured: &str| {
        std::fs::write(&config, configured).unwrap();
        run(&["plugin", "check", file.to_str().unwrap(), "--config", config.to_str().unwrap()])
    };
    let (code, text, _) = with("");
    assert!(code == 1 && text.contains("does not load it") && text.contains("upstream.allowed_hosts"), "{text}");
    let granted =
        "[upstream]\nallowed_hosts = [\"a.example\"]\n[plugins.strategy-opensearch]\nhttp = [\"a.example\"]\n";
    let (code, text, errors) = with(granted);
    assert!(code == 0 && text.contains("this host loads it") && !text.contains("needs"), "{text}{errors}");
    let (code, text, errors) = with("[plugins.strategy-opensearch]\nhttp = [\"a.example\"]\n");
    assert!(code == 1 && text.is_empty() && errors.contains("upstream.allowed_hosts"), "{errors}");
    let (code, _, errors) = with("[plugins.strategy-opensearch]\nmemory = 1\n");
    assert!(code == 1 && errors.contains("memory"), "{errors}");
}

/// One line of the table that `corsac eval` prints: mode, queries, nDCG@10, MRR@10, recall@100.
fn figures<'a>(table: &'a str, mode: &str) -> Vec<&'a str> {
    let line = table.lines().find(|line| line.split_whitespace().next() == Some(mode)).unwrap();
    line.split_whitespace().take(5).collect()
}

/// By hand, with log2(3) = 1.584963:
/// - zebra: found d1, d2; relevant d2. nDCG 1/1.584963 = 0.630930, reciprocal rank 1/2, recall 1.
/// - walrus: found d3; relevant d3, d4, d5. nDCG 1/(1 + 0.630930 + 0.5) = 0.469279, 1, 1/3.
/// - penguin: found d6 (grade 1), d7 (grade 2). nDCG (1 + 2·0.630930)/(2 + 0.630930) = 0.859719, 1, 1.
/// - xylophone: nothing found, d5 relevant. 0, 0, 0.
///
/// Means of four: 0.489982, 0.625, 0.583333. The query without judgements does not count.
#[test]
fn eval_measures_what_it_should() {
    let filler = "with a great many other words that make this text so much longer than its neighbour";
    let documents = [
        ("d1", "zebra zebra zebra".to_owned()),
        ("d2", format!("zebra {filler}")),
        ("d3", "walrus".to_owned()),
        ("d4", "seal".to_owned()),
        ("d5", "otter".to_owned()),
        ("d6", "penguin penguin penguin".to_owned()),
        ("d7", format!("penguin {filler}")),
    ];
    let corpus: String = documents
        .iter()
        .map(|(id, text)| serde_json::json!({"_id": id, "title": "", "text": text}).to_string() + "\n")
        .collect();
    let queries: String = [("q1", "zebra"), ("q2", "walrus"), ("q3", "penguin"), ("q4", "xylophone"), ("q5", "seal")]
        .iter()
        .map(|(id, text)| serde_json::json!({"_id": id, "text": text}).to_string() + "\n")
        .collect();
    let judgements = "query-id\tcorpus-id\tscore\nq1\td2\t1\nq1\td1\t0\nq2\td3\t1\nq2\td4\t1\nq2\td5\t1\n\
                      q3\td6\t1\nq3\td7\t2\nq4\td5\t1\n";
    let collection =
        Tree::of(&[("corpus.jsonl", &corpus), ("queries.jsonl", &queries), ("qrels/test.tsv", judgements)]);
    let (code, table, errors) = run(&["eval", collection.name(), "--mode", "text"]);
    assert_eq!(code, 0, "{errors}");
    assert_eq!(figures(&table, "text"), ["text", "4", "0.4900", "0.6250", "0.5833"], "{table}");

    let (code, table, errors) = run(&["eval", collection.name()]);
    assert_eq!(code, 0, "{errors}");
    for mode in ["text", "vector", "semantic", "hybrid", "smart", "natural", "natural+"] {
        assert_eq!(figures(&table, mode)[1], "4", "{table}");
    }
    let (code, _, errors) = run(&["eval", collection.name(), "--mode", "nobody"]);
    assert!(code == 1 && errors.contains("nobody"), "{errors}");
    let (code, _, errors) = run(&["eval", "/nowhere/at/all"]);
    assert!(code == 1 && errors.contains("/nowhere/at/all/corpus.jsonl"), "{errors}");
}

/// Runs `corsac serve` with a data folder of its own; it must fail and say so on standard error.
fn serve_fails(arguments: &[&str]) -> String {
    let data = data_folder();
    let always = ["serve", "--data", data.path().to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let (code, _, errors) = run(&[&always, arguments].concat());
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains("corsac: ") && !errors.contains("panicked"), "{errors}");
    errors
}

#[test]
fn serve_says_why_it_does_not_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = data_folder();
    let (code, _, errors) = run(&["serve", "--data", data.path().to_str().unwrap(), "--listen", &address]);
    assert!(code == 1 && errors.contains(&format!("cannot serve on {address}")), "{errors}");

    let missing = serve_fails(&["/nowhere/at/all"]);
    assert!(missing.contains("/nowhere/at/all") && missing.contains("not there or no folder"), "{missing}");

    let configs = Tree::of(&[
        ("unknown.toml", "[server]\nlisten_on = \"127.0.0.1:0\"\n"),
        ("section.toml", "[sever]\n"),
        ("range.toml", "[server]\nmax_concurrent_searches = 0\n"),
        ("kind.toml", "[server]\nsearch_timeout_ms = \"soon\"\n"),
        ("broken.toml", "[server\n"),
    ]);
    for (name, words) in [
        ("unknown.toml", &["unknown.toml", "listen_on"][..]),
        ("section.toml", &["section.toml", "sever"]),
        ("range.toml", &["server.max_concurrent_searches", "0", "from 1 to"]),
        ("kind.toml", &["kind.toml", "search_timeout_ms"]),
        ("broken.toml", &["broken.toml"]),
        ("missing.toml", &["cannot read", "missing.toml"]),
    ] {
        let errors = serve_fails(&["--config", configs.path().join(name).to_str().unwrap()]);
        for word in words {
            assert!(errors.contains(word), "{name}: {word} is not in {errors}");
        }
    }
    let errors = serve_fails(&["--log", "corsac=loud"]);
    assert!(errors.contains("corsac=loud"), "{errors}");
    let (code, _, errors) = run(&["serve", "--no-such-flag"]);
    assert!(code == 2 && errors.contains("--no-such-flag"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_do_not_share_a_data_folder() {
    let data = data_folder();
    let name = data.path().to_str().unwrap();
    let first = Process::serve(data.path(), &[]).await;
    let (code, _, errors) = run(&["serve", "--data", name, "--listen", "127.0.0.1:0"]);
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains("another corsac uses the data folder") && errors.contains(name), "{errors}");
    // A server that was killed leaves the folder free.
    first.kill();
    let mut second = Process::serve(data.path(), &[]).await;
    second.started().await;
    second.terminate();
    assert_eq!(second.ended().await.code(), Some(0));
}

#[test]
fn help_and_version_are_there() {
    let (code, text, _) = run(&["--version"]);
    assert_eq!((code, text.trim()), (0, concat!("corsac ", env!("CARGO_PKG_VERSION"))));
    let (code, text, _) = run(&["serve", "--help"]);
    for flag in ["--listen", "--data", "--plugins", "--config", "--allow-root", "--no-index"] {
        assert!(code == 0 && text.contains(flag), "{flag} is not in\n{text}");
    }
}
