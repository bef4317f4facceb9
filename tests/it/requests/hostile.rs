//! Requests that are wrong or hostile: each gets an answer or one error of its kind, and the server goes on.

use serde_json::json;

use super::{STRATEGIES, served, small_tree};
use crate::support::client::{Client, PATIENCE, paths};
use crate::support::server::Local;
use crate::support::tree::Tree;

#[tokio::test(flavor = "multi_thread")]
async fn any_text_is_a_query() {
    let (_tree, server) = served().await;
    let longest = "feed cat ".repeat(455) + "x";
    assert_eq!(longest.len(), 4096);
    for text in [
        longest.as_str(),
        "-e foo",
        "--help",
        "-",
        "--",
        "-rf /",
        "--files",
        "; ls",
        "$(id)",
        "`id`",
        "' OR 1=1 --",
        "%s%n",
        "a:b",
        "*",
        "?",
        "field:value",
        "AND",
        "NOT cat",
        "\"",
        "\"\"",
        "\"unclosed",
        "(",
        ")",
        "[",
        "{",
        "+",
        "^",
        "$",
        "~",
        "/",
        "//",
        "..",
        "../../etc/passwd",
        "🦊",
        "größe",
        "日本語の検索",
        "مرحبا",
        "e\u{301}",
        "\u{200d}",
        "\u{feff}",
        "\u{202e}x",
        "ﬁ",
        "İ",
        "ẞ",
        "👨‍👩‍👧‍👦",
        "a\nb",
        "a\tb",
        "\u{1}",
        "\\",
        "\\x",
        "cat^2",
        "cat~",
        "title:cat",
        "_",
        "e",
        "0",
        "!",
        "!!",
        "#!",
    ] {
        for strategy in STRATEGIES {
            let reply = server.search(strategy, json!({"query": text})).await;
            // A pattern that looks like one and is none is the client's mistake; nothing else is.
            let refused = reply.status == 422 && reply.json()["code"] == "bad-query";
            assert!(reply.status == 200 || refused, "{strategy} {text:?}: {} {}", reply.status, reply.text());
            if reply.status == 200 {
                assert_eq!(reply.json()["query"], text.trim());
            }
        }
        let literal = server.found("syntax", json!({"query": text, "pattern_type": "literal"})).await;
        assert_eq!(literal["degraded"], false);
    }
    let found = server.found("syntax", json!({"query": "bar( is", "pattern_type": "literal"})).await;
    assert_eq!(paths(&found), ["README.md"]);

    for (text, word) in [("", "empty"), ("  \n ", "empty"), (&("x".repeat(4097)), "4096"), ("a\0b", "NUL")] {
        let reply = server.search("search", json!({"query": text})).await;
        assert_eq!(reply.violated(), ["query"]);
        assert!(reply.text().contains(word), "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn catastrophic_patterns_are_answers_or_errors_and_soon() {
    let tree = Tree::of(&[("a.txt", &format!("{}b\n{}\n", "a".repeat(100_000), "x y ".repeat(20_000)))]);
    let server = Local::start(&tree, |_| ()).await;
    for pattern in [
        "(a+)+$",
        "(a|a)*$",
        "(a|aa)+$",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(.*)*b$",
        "a{1,1000}b",
        "(x+x+)+y",
        r"(\w+\s?)+!",
        "(.*){1,1000}",
        "(x{1,1000}){1,1000}",
        "((a{1,100}){1,100}){1,100}",
        "[a-z]{1000}{1000}",
        r"\p{L}{1000}",
        "(?:(?:(?:a?)*)*)*",
        &"(".repeat(2000),
        &"a?".repeat(2000),
        &("(?:".repeat(1000) + &")".repeat(1000)),
        r"\b\B\b\B",
        "(?i)ſ{1000}",
    ] {
        for strategy in ["syntax", "search", "hybrid"] {
            let request = json!({"query": pattern, "pattern_type": "regex"});
            let asking = server.search(strategy, request);
            let reply = tokio::time::timeout(PATIENCE, asking).await.expect("an answer");
            let shown: String = pattern.chars().take(30).collect();
            match reply.status {
                200 => (),
                422 => assert!(["bad-query"].contains(&reply.json()["code"].as_str().unwrap()), "{shown}"),
                other => panic!("{strategy} {shown}: {other} {}", reply.text()),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_requests_are_refused() {
    let (_tree, server) = served().await;
    let post = async |body: Vec<u8>| {
        let request = server.posting("/api/search/search", body);
        server.send(request).await.unwrap()
    };
    let ten_megabytes = json!({"query": "x".repeat(10 << 20)}).to_string().into_bytes();
    post(ten_megabytes).await.problem(413, "body-too-large");
    post(b"{\"query\":\"\xff\xfe\"}".to_vec()).await.problem(400, "invalid-utf8");
    post(br#"{"query":"\ud800"}"#.to_vec()).await.problem(400, "malformed-json");
    post("[".repeat(100_000).into_bytes()).await.problem(400, "malformed-json");
    post(b"{\"query\": ".to_vec()).await.problem(400, "malformed-json");
    post(b"".to_vec()).await.problem(400, "malformed-json");
    let deep = format!("{{\"query\":\"a\",\"parameters\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    let reply = post(deep.into_bytes()).await;
    assert!([400, 422].contains(&reply.status), "{}", reply.text());

    let wrong = json!({"query": 5, "max_results": 101, "offset": -1, "context_lines": 11, "similarity_threshold": 1.5,
        "semantic_weight": -0.1, "file_types": ["../x"], "directories": ["/etc", "ok", "../x"], "nonsense": 1,
        "case_sensitive": "yes", "pattern_type": "glob"});
    let mut violated = server.search("hybrid", wrong).await.violated();
    violated.sort();
    assert_eq!(
        violated,
        [
            "case_sensitive",
            "context_lines",
            "directories[0]",
            "directories[2]",
            "file_types[0]",
            "max_results",
            "nonsense",
            "offset",
            "pattern_type",
            "query",
            "semantic_weight",
            "similarity_threshold",
        ]
    );
    still_answers(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_takes_too_long_is_given_up() {
    let tree = small_tree();
    for file in 0..100 {
        // Unicode word boundaries beside letters beyond ASCII are the slow way of the regex engine.
        tree.write(&format!("slow/{file}.txt"), "Größe und Länge ".repeat(2000));
    }
    let server = Local::start(&tree, |settings| settings.server.search_timeout_ms = 5).await;
    // Whether the probe or the whole search is given up first: the plugin is not to blame.
    for letters in 9..19 {
        for strategy in ["syntax", "search"] {
            let request = json!({"query": format!(r"\b\w{{3,{letters}}}zz\b"), "pattern_type": "regex"});
            server.search(strategy, request).await.problem(504, "timed-out");
        }
    }
}

async fn still_answers(client: &Client) {
    assert_eq!(paths(&client.query("search", "feed_cat").await)[0], "src/lib.rs");
}
