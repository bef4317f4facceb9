//! Searches over HTTP on a real, indexed tree in several languages: what comes back, in which order, and
//! what becomes of requests that are wrong or hostile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::client::{paths, place, places, results};
use crate::support::server::{Local, plugins};
use crate::support::tree::Tree;

const STRATEGIES: [&str; 4] = ["semantic", "syntax", "hybrid", "search"];

/// Each name is defined in one file and used in others, so that "the definition first" means something.
pub const FILES: &[(&str, &str)] = &[
    (
        "src/cache/store.rs",
        "//! Answers that are kept in memory.\n\npub struct CacheStore {\n    entries: Vec<(u64, String)>,\n}\n\n\
         impl CacheStore {\n    /// Throws old entries out of the cache until it fits its budget.\n    \
         pub fn evict_oldest(&mut self, budget: usize) {\n        while self.entries.len() > budget {\n            \
         self.entries.remove(0);\n        }\n    }\n}\n",
    ),
    (
        "src/http/server.rs",
        "use crate::cache::store::CacheStore;\n\n/// Answers one request over the network.\n\
         pub fn handle_request(store: &mut CacheStore) {\n    store.evict_oldest(100);\n}\n",
    ),
    (
        "scripts/config.py",
        "import json\n\n\nclass ConfigError(Exception):\n    \"\"\"The settings cannot be used.\"\"\"\n\n\n\
         def load_config(path):\n    \"\"\"Reads the settings from a file.\"\"\"\n    with open(path) as handle:\n        \
         return json.load(handle)\n",
    ),
    ("scripts/main.py", "from config import load_config\n\nprint(load_config('corsac.json'))\n"),
    (
        "web/table.ts",
        "export interface Row { name: string }\n\nexport function renderTable(rows: Row[]): string {\n  \
         return rows.map((row) => `<tr><td>${row.name}</td></tr>`).join('');\n}\n",
    ),
    ("web/page.ts", "import { renderTable } from './table';\n\ndocument.body.innerHTML = renderTable([]);\n"),
    (
        "web/date.js",
        "function formatDate(date) {\n  return date.toISOString().slice(0, 10);\n}\n\nmodule.exports = { formatDate };\n",
    ),
    (
        "queue/queue.go",
        "package queue\n\n// PushJob appends a job for the workers.\nfunc PushJob(jobs []string, job string) []string {\n\t\
         return append(jobs, job)\n}\n",
    ),
    (
        "bank/Account.java",
        "public class Account {\n    private long balance;\n\n    /** Pays money in. */\n    \
         public void depositMoney(long amount) {\n        balance += amount;\n    }\n}\n",
    ),
    (
        "native/hash.c",
        "#include <stddef.h>\n\n/* FNV-1a over bytes. */\nunsigned hash_bytes(const unsigned char *bytes, size_t count) {\n    \
         unsigned hash = 2166136261u;\n    for (size_t i = 0; i < count; i++) hash = (hash ^ bytes[i]) * 16777619u;\n    \
         return hash;\n}\n",
    ),
    (
        "native/matrix.cpp",
        "struct Matrix { double cells[4]; };\n\nMatrix transposeMatrix(const Matrix &m) {\n    \
         return {{m.cells[0], m.cells[2], m.cells[1], m.cells[3]}};\n}\n",
    ),
    (
        "docs/guide.md",
        "# Guide\n\n## Stopping the server\n\nSend a signal; requests in flight are finished first.\n\n\
         ## Choosing colours\n\nThe palette is taken from the terminal.\n",
    ),
    ("docs/grüße.md", "# Grüße\n\nÜber Größe: die größte Straße heißt Łódźer Straße 🦊, größer geht es nicht.\n"),
    ("words.txt", "Cat\ncat\nconcatenate\nCAT and cat\nthe end: a-b\n"),
];

async fn served() -> (Tree, Local) {
    let tree = Tree::of(FILES);
    let server = Local::start(&tree, |_| ()).await;
    (tree, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_strategy_finds_the_definition_first() {
    let (_tree, server) = served().await;
    for (strategy, query, first) in [
        ("semantic", "how old entries are thrown out of the cache", "src/cache/store.rs"),
        ("semantic", "read the settings from a file", "scripts/config.py"),
        ("semantic", "pay money into an account", "bank/Account.java"),
        ("semantic", "how do I stop the server", "docs/guide.md"),
        ("hybrid", "join the rows of a table", "web/table.ts"),
        ("hybrid", "evict_oldest", "src/cache/store.rs"),
        ("search", "finish requests in flight before stopping", "docs/guide.md"),
        ("search", "scripts/config.py", "scripts/config.py"),
        ("search", "\"the largest money\"", ""),
        ("search", "\"palette is taken\"", "docs/guide.md"),
    ] {
        let answer = server.query(strategy, query).await;
        assert_eq!(paths(&answer).first().copied().unwrap_or(""), first, "{strategy} {query}: {:?}", places(&answer));
    }
    for (name, definition) in [
        ("evict_oldest", "src/cache/store.rs:9"),
        ("CacheStore", "src/cache/store.rs:3"),
        ("load_config", "scripts/config.py:8"),
        ("renderTable", "web/table.ts:3"),
        ("formatDate", "web/date.js:1"),
        ("PushJob", "queue/queue.go:4"),
        ("depositMoney", "bank/Account.java:5"),
        ("hash_bytes", "native/hash.c:4"),
        ("transposeMatrix", "native/matrix.cpp:3"),
    ] {
        let answer = server.query("search", name).await;
        assert_eq!(place(&results(&answer)[0]), definition, "{name}: {:?}", places(&answer));
        // Which line of the definition's chunk is shown, is the strategy's choice.
        let (file, _) = definition.split_once(':').unwrap();
        assert_eq!(paths(&server.query("hybrid", name).await)[0], file, "{name}");
        assert!(places(&server.query("syntax", name).await).contains(&definition.to_owned()), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn syntax_finds_all_lines_in_the_order_of_paths() {
    let (_tree, server) = served().await;
    let answer = server.query("syntax", "renderTable").await;
    assert_eq!(places(&answer), ["web/page.ts:1", "web/page.ts:3", "web/table.ts:3"]);
    assert_eq!(answer["total_results"], 3);
    assert_eq!(answer["results"][1]["content"], "document.body.innerHTML = renderTable([]);");
    let answer = server.query("syntax", r"^(def|class) \w+").await;
    assert_eq!(places(&answer), ["scripts/config.py:4", "scripts/config.py:8"]);
    let request = json!({"query": "map((row)", "pattern_type": "literal"});
    assert_eq!(places(&server.found("syntax", request).await), ["web/table.ts:4"]);
}

/// On this project's own sources: what the trigram index finds is what a look at every line finds.
#[tokio::test(flavor = "multi_thread")]
async fn syntax_agrees_with_a_scan_of_every_line() {
    let tree = Tree::of(&[]);
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("host/runtime");
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(sources).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        files.insert(name, std::fs::read_to_string(path).unwrap());
    }
    files.iter().for_each(|(name, content)| tree.write(name, content));
    let server = Local::start(&tree, |_| ()).await;

    let everything: Vec<char> = files.values().flat_map(|content| content.chars()).collect();
    let mut compared = 0;
    for (turn, start) in (0..everything.len()).step_by(everything.len() / 60).enumerate() {
        let length = [1, 2, 3, 4, 7, 20][turn % 6];
        let query: String =
            everything[start..].iter().skip_while(|letter| letter.is_whitespace()).take(length).collect();
        let query = query.trim_end();
        if query.is_empty() || query.contains('\n') {
            continue;
        }
        let expected: Vec<String> = files
            .iter()
            .flat_map(|(name, content)| {
                let lines = content.lines().enumerate().filter(|(_, line)| line.contains(query));
                lines.map(move |(at, _)| format!("{name}:{}", at + 1)).collect::<Vec<_>>()
            })
            .take(100)
            .collect();
        let request = json!({"query": query, "pattern_type": "literal", "case_sensitive": true, "max_results": 100});
        assert_eq!(places(&server.found("syntax", request).await), expected, "{query:?}");
        compared += 1;
    }
    assert!(compared > 40, "{compared}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_has_the_fields_that_clients_know() {
    let (_tree, server) = served().await;
    for strategy in STRATEGIES {
        let answer = server.query(strategy, "load_config").await;
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        for field in ["success", "query", "total_results", "results", "search_time", "search_strategies", "error"] {
            assert!(keys(&answer).contains(field), "{strategy}: {field}");
        }
        assert_eq!((&answer["success"], &answer["query"]), (&json!(true), &json!("load_config")));
        assert!(answer["error"].is_null());
        assert_eq!(answer["total_results"], results(&answer).len());
        let seconds = answer["search_time"].as_f64().unwrap();
        assert!(seconds > 0.0 && seconds < 60.0, "{seconds}");
        assert!(!answer["search_strategies"].as_array().unwrap().is_empty());
        for result in results(&answer) {
            for field in
                ["file_path", "line_number", "content", "score", "match_type", "context", "snippet", "metadata"]
            {
                assert!(keys(result).contains(field), "{strategy}: {field}");
            }
            assert!(result["line_number"].as_u64().unwrap() >= 1);
            assert!(result["score"].is_f64() && result["content"].is_string() && result["id"].is_string());
            let kind = result["match_type"].as_str().unwrap();
            assert!(["semantic", "syntax", "hybrid"].contains(&kind), "{kind}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_and_whole_words_are_respected() {
    let (_tree, server) = served().await;
    let lines = async |case: bool, word: bool| {
        let request = json!({"query": "cat", "case_sensitive": case, "whole_word": word, "file_types": ["txt"]});
        let answer = server.found("syntax", request).await;
        results(&answer).iter().map(|result| result["line_number"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(lines(false, false).await, [1, 2, 3, 4]);
    assert_eq!(lines(true, false).await, [2, 3, 4]);
    assert_eq!(lines(false, true).await, [1, 2, 4]);
    assert_eq!(lines(true, true).await, [2, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn context_ends_where_the_file_ends() {
    let (_tree, server) = served().await;
    for (query, lines, expected) in [
        ("Cat", 0, None),
        ("Cat", 2, Some("Cat\ncat\nconcatenate")),
        ("concatenate", 1, Some("cat\nconcatenate\nCAT and cat")),
        ("the end", 10, Some("Cat\ncat\nconcatenate\nCAT and cat\nthe end: a-b")),
        ("the end", 1, Some("CAT and cat\nthe end: a-b")),
    ] {
        let request = json!({"query": query, "context_lines": lines, "case_sensitive": true, "file_types": ["txt"]});
        let answer = server.found("syntax", request).await;
        assert_eq!(answer["results"][0]["context"].as_str(), expected, "{query} {lines}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scope_holds_for_every_strategy() {
    let (tree, folder) = (Tree::of(FILES), plugins(&["hostile-strategy"]));
    let server = Local::start(&tree, |settings| settings.server.plugin_folders = vec![folder.path().to_owned()]).await;
    for strategy in ["semantic", "syntax", "hybrid", "search", "hostile-strategy"] {
        for (query, scope, allowed) in [
            ("config", json!({"directories": ["scripts"]}), &["scripts/"][..]),
            ("cache", json!({"directories": ["src/cache", "docs"]}), &["src/cache/", "docs/"]),
            ("cache", json!({"directories": ["./src/", "docs"], "file_types": [".RS"]}), &["src/"]),
            ("config", json!({"file_types": ["py"]}), &["scripts/"]),
        ] {
            let mut request = scope.clone();
            request["query"] = json!(query);
            let answer = server.found(strategy, request).await;
            assert!(!results(&answer).is_empty(), "{strategy} {scope}");
            let mut outside = paths(&answer);
            outside.retain(|path| !allowed.iter().any(|folder| path.starts_with(folder)));
            assert!(outside.is_empty(), "{strategy} {query} {scope}: {outside:?}");
        }
        // Not a prefix of characters but of folders, and nothing at all where nothing is.
        for folder in ["script", "cripts", "scripts/main", "SCRIPTS"] {
            let answer = server.found(strategy, json!({"query": "config", "directories": [folder]})).await;
            assert!(results(&answer).is_empty(), "{strategy} {folder}: {:?}", places(&answer));
        }
    }
    // Chunks that no probe found are no answer, even if they exist.
    let answer = server.query("hostile-strategy", "!foreign").await;
    assert!(results(&answer).is_empty(), "{:?}", places(&answer));
    // Each hit twice is each hit once.
    let twice = server.query("hostile-strategy", "!duplicate").await;
    assert_eq!(places(&twice).len(), places(&twice).into_iter().collect::<BTreeSet<_>>().len());
}

/// The marked parts of a result's content.
fn marked(result: &Value) -> Vec<String> {
    let content = result["content"].as_str().unwrap();
    let ranges = result["highlights"].as_array().unwrap();
    let range = |mark: &Value| {
        let (start, end) = (mark["start"].as_u64().unwrap() as usize, mark["end"].as_u64().unwrap() as usize);
        content.get(start..end).unwrap_or_else(|| panic!("{start}..{end} is no text of {content:?}")).to_owned()
    };
    ranges.iter().map(range).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn highlights_are_exact_parts_of_the_content() {
    let (_tree, server) = served().await;
    for (strategy, query, path, expected) in [
        ("syntax", "evict_oldest", "src/http/server.rs", &["evict_oldest"][..]),
        ("syntax", "größ", "docs/grüße.md", &["Größ", "größ", "größ"]),
        ("syntax", "🦊", "docs/grüße.md", &["🦊"]),
        ("syntax", "Łódź.*", "docs/grüße.md", &["Łódźer Straße 🦊, größer geht es nicht."]),
        ("semantic", "Straße", "docs/grüße.md", &["Straße", "Straße"]),
        ("search", "\"Über Größe\"", "docs/grüße.md", &["Über", "Größe"]),
    ] {
        let answer = server.query(strategy, query).await;
        let result = results(&answer).iter().find(|result| result["file_path"] == path).unwrap();
        let marks = marked(result);
        // Neighbours may be one mark.
        let joined = marks.join("|").replace("Über Größe", "Über|Größe");
        assert_eq!(joined, expected.join("|"), "{strategy} {query}");
    }
    for query in ["größer als die Straße", "the cache of entries", "Łódź 🦊 heißt", "fn \\w+|[a-zß]+e\\b"] {
        for strategy in STRATEGIES {
            results(&server.query(strategy, query).await).iter().for_each(|result| drop(marked(result)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_put_together_are_one_big_page() {
    let tree = Tree::of(FILES);
    for number in 0..150 {
        let content = format!("# Note {number}\n\nThe engine has {number} cylinders and a cache.\n");
        tree.write(&format!("notes/{number}.md"), content);
    }
    let server = Local::start(&tree, |_| ()).await;
    for (strategy, query) in [
        ("semantic", "engine with cylinders"),
        ("syntax", "cylinders"),
        ("hybrid", "engine cache"),
        ("search", "engine"),
    ] {
        let big = server.found(strategy, json!({"query": query, "max_results": 100})).await;
        let mut small = Vec::new();
        for offset in (0..100).step_by(20) {
            let page = server.found(strategy, json!({"query": query, "max_results": 20, "offset": offset})).await;
            assert_eq!((results(&page).len(), &page["offset"]), (20, &json!(offset)), "{strategy}");
            assert_eq!(page["total_results"], big["total_results"], "{strategy}");
            small.extend(results(&page).clone());
        }
        assert_eq!(&small, results(&big), "{strategy}");
        let ids: BTreeSet<&str> = small.iter().map(|result| result["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), 100, "{strategy}");
    }
    // Beyond the end of the hits is an empty page; beyond the window is an error that says what to do.
    assert_eq!(server.search("syntax", json!({"query": "evict_oldest", "offset": 500})).await.violated(), ["offset"]);
    let request = json!({"query": "evict_oldest", "offset": 500, "window": 1000});
    let answer = server.found("syntax", request).await;
    assert_eq!((results(&answer).len(), &answer["total_results"]), (0, &json!(2)));
    let lines = server.all_pages("syntax", json!({"query": "cylinders"}), 7).await;
    assert_eq!(lines.iter().map(place).collect::<BTreeSet<_>>().len(), 150);
}
