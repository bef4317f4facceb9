//! Around a search over HTTP: the cache and its headers, rankers, explanations, degraded answers and
//! plugins that fail.

/// Requests that are wrong or hostile.
mod hostile;

use std::time::{SystemTime, UNIX_EPOCH};

use corsac::config::Settings;
use serde_json::{Value, json};

use crate::support::client::{paths, results};
use crate::support::server::{Local, plugins};
use crate::support::tree::Tree;

const STRATEGIES: [&str; 4] = ["semantic", "syntax", "hybrid", "search"];

fn small_tree() -> Tree {
    Tree::of(&[
        ("src/lib.rs", "/// Feeds the cat.\npub fn feed_cat(amount: u32) -> u32 {\n    amount + 1\n}\n"),
        ("src/main.rs", "fn main() {\n    println!(\"{}\", feed_cat(1));\n}\n"),
        ("README.md", "# Cats\n\nHow to feed a cat, and why foo.*bar( is no pattern. In short: gently.\n"),
    ])
}

async fn served() -> (Tree, Local) {
    let tree = small_tree();
    let server = Local::start(&tree, |_| ()).await;
    (tree, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_question_gets_the_same_bytes_until_the_index_changes() {
    let (tree, server) = served().await;
    for strategy in STRATEGIES {
        let request = json!({"query": "feed_cat", "max_results": 5});
        let first = server.search(strategy, request.clone()).await;
        assert_eq!(first.header("cache-status"), "corsac; fwd=miss; stored", "{strategy}");
        // Field order, spelled-out defaults and aliases make no other question.
        for (name, same) in [
            (strategy, request.clone()),
            (strategy, json!({"max_results": 5, "offset": 0, "query": " feed_cat ", "ranker": "relevance"})),
            (if strategy == "search" { "strategy-smart" } else { strategy }, request.clone()),
        ] {
            let again = server.search(name, same).await;
            assert_eq!(again.header("cache-status"), "corsac; hit", "{strategy}");
            assert_eq!((again.header("etag"), &again.body), (first.header("etag"), &first.body));
        }
        // Every field of the request makes another one.
        for (field, value) in [
            ("query", json!("feed_dog")),
            ("max_results", json!(6)),
            ("offset", json!(1)),
            ("window", json!(50)),
            ("facets", json!(["language"])),
            ("case_sensitive", json!(true)),
            ("whole_word", json!(true)),
            ("context_lines", json!(1)),
            ("file_types", json!(["rs"])),
            ("directories", json!(["src"])),
            ("semantic_weight", json!(0.5)),
            ("similarity_threshold", json!(0.5)),
            ("ranker", json!("rank-fields")),
            ("explain", json!(true)),
            ("parameters", json!({"rrf_k": 10})),
        ] {
            let mut other = request.clone();
            other[field] = value;
            let other = server.search(strategy, other).await;
            assert_eq!(other.header("cache-status"), "corsac; fwd=miss; stored", "{strategy} {field}");
        }
    }

    let request = json!({"query": "feed_cat", "max_results": 5});
    let before = server.search("syntax", request.clone()).await;
    tree.write("src/more.rs", "use crate::feed_cat;\n");
    server.index(json!({})).await;
    let after = server.search("syntax", request.clone()).await;
    assert_eq!(after.header("cache-status"), "corsac; fwd=miss; stored");
    assert_ne!(after.header("etag"), before.header("etag"));
    assert_eq!((before.json()["total_results"].clone(), after.json()["total_results"].clone()), (json!(2), json!(3)));

    let cleared = server.post("/api/search/cache/clear?namespace=syntax", json!({})).await.json();
    assert!(cleared["cleared"].as_u64().unwrap() >= 1, "{cleared}");
    let again = server.search("syntax", request).await;
    assert_eq!(again.header("cache-status"), "corsac; fwd=miss; stored");
    assert_eq!(again.json()["results"], after.json()["results"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_questions_at_the_same_time_are_computed_once() {
    let (_tree, server) = served().await;
    let calls = async || server.plugin("strategy-hybrid").await.unwrap()["calls"].as_u64().unwrap();
    let before = calls().await;
    let asking = (0..20).map(|_| server.found("hybrid", json!({"query": "cat food"})));
    let answers = futures::future::join_all(asking).await;
    assert!(answers.iter().all(|answer| answer == &answers[0]));
    assert_eq!(calls().await - before, 1);
}

fn days_ago(days: u64) -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - days * 86_400
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_picks_the_ranker() {
    let (_tree, server) = served().await;
    let lava = "Lava flowed from the volcano when it erupted, and the volcano glowed.\n";
    let posted = json!([
        {"path": "v/old.md", "content": lava, "modified": days_ago(60)},
        {"path": "v/middle.md", "content": lava, "modified": days_ago(30)},
        {"path": "v/new.md", "content": lava, "modified": days_ago(0)},
        {"path": "v/hotel.md", "content": "Hotels for tourists who visit a volcano: prices and opening hours.\n"},
    ]);
    assert_eq!(server.post("/api/documents", posted).await.json()["stored"], 4);
    let ask = async |ranker: &str| {
        let request = json!({"query": "volcano erupted lava", "ranker": ranker, "explain": true, "directories": ["v"]});
        server.found("semantic", request).await
    };

    let relevance = ask("rank-relevance").await;
    assert_eq!(relevance["ranker"]["name"], "rank-relevance");
    assert_eq!(relevance["results"][0]["score"], 1.0);
    assert_eq!(paths(&relevance)[3], "v/hotel.md");

    // 2^(-age / 30 days), of which 0.8 decays: 1, 0.6 and 0.4 of the share of the best.
    let recency = ask("recency").await;
    assert_eq!(recency["ranker"]["name"], "rank-recency");
    assert_eq!(paths(&recency)[0], "v/new.md");
    let strategy_score = |result: &Value| result["explain"]["strategy_score"].as_f64().unwrap();
    let best = results(&recency).iter().map(strategy_score).fold(0.0, f64::max);
    for result in results(&recency) {
        let factor = match result["file_path"].as_str().unwrap() {
            "v/old.md" => 0.4,
            "v/middle.md" => 0.6,
            _ => 1.0,
        };
        let expected = strategy_score(result) / best * factor;
        assert!((result["score"].as_f64().unwrap() - expected).abs() < 1e-3, "{expected}: {result}");
    }

    // Three times the same text: the other one comes second.
    let diversity = ask("rank-diversity").await;
    assert_eq!(diversity["ranker"]["name"], "rank-diversity");
    assert_eq!(paths(&diversity)[1], "v/hotel.md");

    let fields = server.found("hybrid", json!({"query": "feed_cat", "ranker": "fields", "explain": true})).await;
    assert_eq!(fields["ranker"]["name"], "rank-fields");
    assert_eq!(paths(&fields)[0], "src/lib.rs");
    let words = fields["results"][0]["explain"]["ranker"].as_str().unwrap();
    assert!(words.contains("symbol 1.00"), "{words}");

    let unknown = server.search("semantic", json!({"query": "x", "ranker": "rank-nobody"})).await;
    let problem = unknown.problem(422, "unknown-ranker");
    assert_eq!(problem["errors"][0]["field"], "ranker");
    for known in ["rank-diversity", "rank-fields", "rank-recency", "rank-relevance"] {
        assert!(problem["detail"].as_str().unwrap().contains(known), "{problem}");
    }
    let unknown = server.search("nobody", json!({"query": "x"})).await.problem(404, "unknown-strategy");
    assert!(unknown["detail"].as_str().unwrap().contains("strategy-hybrid"), "{unknown}");
}

/// 2^(−30 days / 10 days) = 1/8 of the 0.8 that decays, and the 0.2 that stays: 0.3.
#[tokio::test(flavor = "multi_thread")]
async fn the_operators_settings_reach_the_plugin() {
    let file = "[plugins.rank-recency.settings]\nhalf-life-days = \"10\"\n";
    let config = Tree::of(&[("corsac.toml", file)]);
    let tree = small_tree();
    let server = Local::start(&tree, |settings| {
        settings.plugins = Settings::read(&config.path().join("corsac.toml")).unwrap().plugins;
    })
    .await;
    let document = json!([{"path": "month.md", "content": "a monthly zeppelin", "modified": days_ago(30)}]);
    assert_eq!(server.post("/api/documents", document).await.json()["stored"], 1);
    let request = json!({"query": "zeppelin", "ranker": "recency", "directories": ["month.md"]});
    let answer = server.found("semantic", request).await;
    let score = answer["results"][0]["score"].as_f64().unwrap();
    assert!((score - 0.3).abs() < 1e-3, "{score}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_shows_each_leg() {
    let (_tree, server) = served().await;
    let plain = server.query("hybrid", "feed_cat").await;
    assert!(plain["explain"].is_null() && plain["results"][0]["explain"].is_null());
    let answer = server.found("hybrid", json!({"query": "feed_cat", "explain": true})).await;
    let kinds: Vec<&str> =
        answer["explain"]["probes"].as_array().unwrap().iter().map(|probe| probe["kind"].as_str().unwrap()).collect();
    for kind in ["vector", "pattern", "symbol", "text"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    assert!(answer["explain"]["generation"].as_u64().unwrap() >= 3);
    let first = &answer["results"][0]["explain"];
    assert_eq!(first["strategy_rank"], 1);
    for leg in ["vector", "pattern", "symbol", "text"] {
        let leg = &first["legs"][leg];
        assert!(leg["rank"].as_u64().unwrap() >= 1 && leg["score"].is_number(), "{first}");
    }
    // The definition has the symbol, the use has not.
    let usage = results(&answer).iter().find(|result| result["file_path"] == "src/main.rs").unwrap();
    assert!(usage["explain"]["legs"]["symbol"].is_null(), "{usage}");
    assert!(first["ranker"].as_str().unwrap().contains("share of the best"), "{first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_leg_that_fails_degrades_the_answer_and_is_not_kept() {
    let (_tree, server) = served().await;
    for _ in 0..2 {
        let reply = server.search("hybrid", json!({"query": "foo.*bar("})).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("cache-status"), "corsac; fwd=miss; stored=?0");
        let answer = reply.json();
        assert_eq!(answer["degraded"], true);
        let reasons = answer["degraded_reasons"].as_array().unwrap();
        assert!(reasons.len() == 1 && reasons[0].as_str().unwrap().starts_with("syntax: "), "{answer}");
        assert!(!results(&answer).is_empty());
    }
    // With nothing but that leg there is no answer.
    let request = json!({"query": "foo.*bar(", "semantic_weight": 0.0});
    server.search("hybrid", request).await.problem(422, "bad-query");
    // The strategy that chooses takes it for text.
    let answer = server.query("search", "foo.*bar(").await;
    assert_eq!((&answer["degraded"], paths(&answer)[0]), (&json!(false), "README.md"));
    assert!(answer["reason"].as_str().unwrap().contains("not a valid regular expression"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_of_a_folder_are_endpoints_and_their_failures_have_their_status() {
    let (tree, folder) = (small_tree(), plugins(&["hostile-strategy", "hostile-ranker"]));
    let server = Local::start(&tree, |settings| {
        settings.server.plugin_folders = vec![folder.path().to_owned()];
        settings.plugin_defaults.deadline_ms = 200;
        settings.plugin_defaults.memory_bytes = 32 << 20;
        settings.plugin_defaults.max_output_bytes = 1 << 20;
    })
    .await;
    let good = server.query("hostile-strategy", "cat").await;
    assert_eq!(
        (&good["strategy"]["name"], &good["search_strategies"]),
        (&json!("hostile-strategy"), &json!(["hostile"]))
    );
    assert!(!results(&good).is_empty());

    for (query, status, code) in [
        ("!loop", 504, "plugin-timed-out"),
        ("!alloc", 502, "plugin-limit"),
        ("!trap", 502, "plugin-trapped"),
        ("!overflow", 502, "plugin-trapped"),
        ("!panic", 502, "plugin-trapped"),
        ("!huge-text", 502, "plugin-limit"),
        ("!error-bad-query", 422, "bad-query"),
        ("!error-unsupported", 422, "unsupported"),
        ("!error-internal", 502, "plugin-failed"),
        ("!short", 502, "plugin-failed"),
    ] {
        let by_strategy = server.search("hostile-strategy", json!({"query": query})).await;
        let problem = by_strategy.problem(status, code);
        // What happened inside is for the log: a client sees neither backtraces nor paths.
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.len() < 200 && !detail.contains(".rs") && !detail.contains("wasm"), "{query}: {detail}");
        assert_eq!(by_strategy.header("cache-control"), "no-store");
        // All files are candidates, so the ranker is asked for all of these queries.
        let by_ranker =
            json!({"query": query, "ranker": "hostile-ranker", "semantic_weight": 1.0, "syntax_weight": 0.0});
        server.search("hybrid", by_ranker).await.problem(status, code);
        assert_eq!(server.query("hostile-strategy", "cat").await["results"], good["results"], "after {query}");
    }
    // Nobody's problem but theirs, and counted.
    let hostile = server.plugin("hostile-strategy").await.unwrap();
    let errors = &hostile["errors"];
    assert_eq!((&errors["trap"], &errors["timeout"], &errors["memory"]), (&json!(3), &json!(1), &json!(1)), "{errors}");
    let health = server.get("/api/search/health").await;
    assert_eq!((health.status, health.json()["status"].clone()), (200, json!("healthy")));
}
