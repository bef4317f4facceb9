//! The thirteen faults of the system that Corsac re-creates, one regression test each, over HTTP on a
//! real, indexed tree. Each comment says what the earlier system did.

use serde_json::{Value, json};

use crate::support::client::{paths, place, places, results, wait_for};
use crate::support::server::Local;
use crate::support::tree::Tree;

const STRATEGIES: [&str; 4] = ["semantic", "syntax", "hybrid", "search"];

async fn serve(files: &[(&str, &str)]) -> (Tree, Local) {
    let tree = Tree::of(files);
    let server = Local::start(&tree, |_| ()).await;
    (tree, server)
}

/// The limit went to ripgrep's `--max-count`, which counts per file, so ten files gave ten times as many.
#[tokio::test(flavor = "multi_thread")]
async fn fault_01_results_are_capped_by_max_results() {
    let tree = Tree::of(&[]);
    for file in 0..10 {
        tree.write(&format!("{file}.txt"), "needle one\nneedle two\nneedle three\nneedle four\n");
    }
    let server = Local::start(&tree, |_| ()).await;
    for strategy in STRATEGIES {
        let answer = server.found(strategy, json!({"query": "needle", "max_results": 3})).await;
        assert_eq!(results(&answer).len(), 3, "{strategy}");
    }
    let answer = server.found("syntax", json!({"query": "needle", "max_results": 100})).await;
    assert_eq!((results(&answer).len(), &answer["total_results"]), (40, &json!(40)));
}

/// The pattern came without `--` or `-e` before it, so a query that begins with `-` was an option.
#[tokio::test(flavor = "multi_thread")]
async fn fault_02_a_query_that_begins_with_a_dash_is_text() {
    let text = "tool --files\ntool -e foo\nrm -rf /\na -- b\n--help\n";
    let (_tree, server) = serve(&[("usage.txt", text)]).await;
    for (query, line) in [("--files", 1), ("-e foo", 2), ("-rf", 3), ("--help", 5)] {
        for strategy in ["syntax", "search", "hybrid"] {
            let answer = server.query(strategy, query).await;
            assert_eq!(paths(&answer), ["usage.txt"], "{strategy} {query}");
        }
        assert_eq!(places(&server.query("syntax", query).await), [format!("usage.txt:{line}")]);
    }
    assert_eq!(server.query("syntax", "--").await["total_results"], 3);
    assert_eq!(server.query("syntax", "--version").await["total_results"], 0);
}

/// Context lines of ripgrep's output were parsed by splitting at `:` and calling `int()`: context was
/// dropped, and a context line with a `:` in it failed the whole search.
#[tokio::test(flavor = "multi_thread")]
async fn fault_03_context_lines_are_whole_whatever_is_in_them() {
    let text = "12-34:56\na:b:c\n7-needle\nsrc/x.rs-9-y: z\n\n--\nlast\n";
    let (_tree, server) = serve(&[("log.txt", text)]).await;
    let answer = server.found("syntax", json!({"query": "needle", "context_lines": 2})).await;
    assert_eq!(answer["total_results"], 1);
    assert_eq!(answer["results"][0]["context"], "12-34:56\na:b:c\n7-needle\nsrc/x.rs-9-y: z\n");
    let answer = server.found("syntax", json!({"query": "needle", "context_lines": 10})).await;
    assert_eq!(answer["results"][0]["context"], text.trim_end());
}

/// ripgrep's exit code 2 (a bad expression, a file type that it does not know, such as `tsx`) was an empty
/// success.
#[tokio::test(flavor = "multi_thread")]
async fn fault_04_a_bad_expression_is_an_error_and_every_file_type_is_known() {
    let (_tree, server) = serve(&[
        ("web/button.tsx", "export const Button = () => <button>press</button>;\n"),
        ("web/card.jsx", "export const Card = () => <div>press</div>;\n"),
        ("notes.unheard", "press here\n"),
    ])
    .await;
    for pattern in ["(press", "press)", "[z-a]", "a{2,1}", "*press", r"\p{Nonsense}"] {
        let reply = server.search("syntax", json!({"query": pattern, "pattern_type": "regex"})).await;
        let problem = reply.problem(422, "bad-query");
        assert_eq!(problem["errors"][0]["field"], "query", "{pattern}");
    }
    for (kind, path) in [("tsx", "web/button.tsx"), (".jsx", "web/card.jsx"), ("unheard", "notes.unheard")] {
        for strategy in STRATEGIES {
            let answer = server.found(strategy, json!({"query": "press", "file_types": [kind]})).await;
            assert_eq!(paths(&answer), [path], "{strategy} {kind}");
        }
    }
}

/// The directories came before the query in ripgrep's arguments, so that the first of them was the pattern.
#[tokio::test(flavor = "multi_thread")]
async fn fault_05_directories_are_no_patterns() {
    let (_tree, server) =
        serve(&[("alpha/one.txt", "beta\n"), ("alpha/two.txt", "alpha\n"), ("beta/three.txt", "alpha beta\n")]).await;
    let answer = server.found("syntax", json!({"query": "beta", "directories": ["alpha"]})).await;
    assert_eq!(places(&answer), ["alpha/one.txt:1"]);
    let answer = server.found("syntax", json!({"query": "alpha", "directories": ["alpha", "beta"]})).await;
    assert_eq!(places(&answer), ["alpha/two.txt:1", "beta/three.txt:1"]);
    let answer = server.found("syntax", json!({"query": "beta", "directories": ["-e", "beta"]})).await;
    assert_eq!(places(&answer), ["beta/three.txt:1"]);
}

/// Each side of a hybrid search was asked for `int(max_results × weight)` results: for one result that
/// was none, which failed validation.
#[tokio::test(flavor = "multi_thread")]
async fn fault_06_one_result_can_be_asked_for_with_any_weights() {
    let (_tree, server) = serve(&[("a.txt", "needle\n"), ("b.txt", "a needle in the hay\n")]).await;
    for (semantic, syntax) in [(0.6, 0.4), (0.4, 0.6), (0.01, 0.01), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        let request =
            json!({"query": "needle", "max_results": 1, "semantic_weight": semantic, "syntax_weight": syntax});
        let answer = server.found("hybrid", request).await;
        assert_eq!((results(&answer).len(), &answer["success"]), (1, &json!(true)), "{semantic} {syntax}");
    }
}

/// A threshold from 0 to 1 cut BM25 scores, which have no upper bound, and these were mixed with a
/// constant 1.0 for every match of a pattern.
#[tokio::test(flavor = "multi_thread")]
async fn fault_07_scores_are_on_one_scale_and_the_threshold_is_for_similarity() {
    let long = "needle ".repeat(200);
    let (_tree, server) = serve(&[
        ("many.txt", long.as_str()),
        ("one.txt", "one needle among many other words\n"),
        ("none.txt", "the weather is fine today\n"),
    ])
    .await;
    for strategy in STRATEGIES {
        for threshold in [None, Some(0.0), Some(0.5), Some(1.0)] {
            let answer = server.found(strategy, json!({"query": "needle", "similarity_threshold": threshold})).await;
            let scores: Vec<f64> = results(&answer).iter().map(|result| result["score"].as_f64().unwrap()).collect();
            assert_eq!(scores[0], 1.0, "{strategy} {threshold:?}");
            assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{strategy} {scores:?}");
            assert!(scores.is_sorted_by(|left, right| left >= right), "{strategy} {scores:?}");
            // What words or characters found is there whatever the threshold says.
            for path in ["many.txt", "one.txt"] {
                assert!(paths(&answer).contains(&path), "{strategy} {threshold:?}");
            }
        }
        let strict = server.found(strategy, json!({"query": "needle", "similarity_threshold": 1.0})).await;
        assert!(!paths(&strict).contains(&"none.txt"), "{strategy}");
    }
}

/// The line of a BM25 hit was counted in tokens joined by blanks: always 0 or 1, with the whole document
/// as context.
#[tokio::test(flavor = "multi_thread")]
async fn fault_08_a_hit_has_its_own_line_and_context() {
    let functions = ["apples", "pears", "plums", "cherries", "grapes", "melons", "figs", "dates"];
    let body = |fruit: &str| {
        let work: String = (0..12).map(|line| format!("    let step_{line} = {line} + count;\n")).collect();
        format!("/// Harvests {fruit} from the orchard.\npub fn harvest_{fruit}(count: usize) {{\n{work}}}\n\n")
    };
    let source: String = functions.iter().map(|fruit| body(fruit)).collect();
    let (_tree, server) = serve(&[("src/orchard.rs", source.as_str())]).await;
    for fruit in functions {
        let first = source.lines().position(|line| line.contains(&format!("Harvests {fruit}"))).unwrap() as u64 + 1;
        let answer = server.found("semantic", json!({"query": format!("harvest {fruit}"), "context_lines": 1})).await;
        let result = &answer["results"][0];
        let (line, end) = (result["line_number"].as_u64().unwrap(), result["end_line"].as_u64().unwrap());
        assert!((first..first + 2).contains(&line), "{fruit}: line {line}, defined at {first}");
        let content = result["content"].as_str().unwrap();
        assert!(content.contains(&format!("fn harvest_{fruit}")), "{fruit}: {content}");
        assert!(content.len() < source.len() && end < first + 17, "{fruit}: {line} to {end}");
        assert!(result["context"].as_str().unwrap().lines().count() <= 3);

        let definition = server.query("search", &format!("harvest_{fruit}")).await;
        assert_eq!(place(&results(&definition)[0]), format!("src/orchard.rs:{}", first + 1));
    }
}

/// A vector service that answered with nothing counted as success, so that the local search that should
/// have stood in was skipped.
#[tokio::test(flavor = "multi_thread")]
async fn fault_09_a_leg_that_finds_nothing_leaves_the_answer_to_the_others() {
    let (_tree, server) =
        serve(&[("a.md", "# Zebras\n\nThe zebra has stripes.\n"), ("b.md", "# Lions\n\nManes.\n")]).await;
    let probes = |answer: &Value, kind: &str| {
        let probes = answer["explain"]["probes"].as_array().unwrap();
        let probe = probes.iter().find(|probe| probe["kind"] == kind).unwrap_or_else(|| panic!("{kind}: {probes:?}"));
        assert!(probe["error"].is_null(), "{probe}");
        probe["hits"].as_u64().unwrap()
    };
    // The vector leg is there and has nothing: no text is that similar.
    for strategy in ["semantic", "hybrid", "search"] {
        let request = json!({"query": "stripes of a zebra", "similarity_threshold": 1.0, "explain": true});
        let answer = server.found(strategy, request).await;
        assert_eq!((probes(&answer, "vector"), paths(&answer)), (0, vec!["a.md"]), "{strategy}");
        assert_eq!(answer["degraded"], false);
    }
    // The characters are nowhere, the meaning is.
    let answer = server.found("hybrid", json!({"query": "zebraStripes", "explain": true})).await;
    assert_eq!((probes(&answer, "pattern"), probes(&answer, "symbol"), paths(&answer)[0]), (0, 0, "a.md"));
}

/// Seconds were put into the metric of milliseconds, `/stats` failed with 500, and so did four search
/// routes whose methods did not exist.
#[tokio::test(flavor = "multi_thread")]
async fn fault_10_times_have_one_unit_and_no_route_is_a_stub() {
    let (_tree, server) = serve(&[("a.txt", "needle\n")]).await;
    let mut milliseconds = 0.0;
    for strategy in STRATEGIES {
        let reply = server.search(strategy, json!({"query": "needle"})).await;
        let stages = stages(reply.header("server-timing"));
        let stage = |name: &str| stages.iter().find(|(stage, _)| stage == name).unwrap().1;
        // In seconds in the body and in milliseconds in the header; the body's is a part of the total.
        let search_time = reply.json()["search_time"].as_f64().unwrap() * 1000.0;
        assert!(search_time <= stage("total") && search_time >= stage("strategy"), "{search_time} {stages:?}");
        milliseconds += stage("total");
    }
    let stats = server.get("/api/search/stats").await;
    assert_eq!(stats.status, 200);
    let stats = stats.json();
    assert_eq!((&stats["search_count"], &stats["total_files_indexed"]), (&json!(4), &json!(1)));
    let performance = server.get("/api/search/performance").await.json();
    let metrics = &performance["metrics"]["search_metrics"];
    assert_eq!(metrics["total_searches"], 4);
    for (name, expected) in [("total_search_time_ms", milliseconds), ("average_search_time_ms", milliseconds / 4.0)] {
        let value = metrics[name].as_f64().unwrap();
        // The metric's clock and the header's stop at slightly different places.
        assert!((value - expected).abs() <= 0.2 * expected + 0.1, "{name} is {value}, the headers say {expected}");
    }
    assert_eq!(stats["avg_search_time"], metrics["average_search_time_ms"]);
    let health = server.get("/api/search/health").await;
    assert_eq!((health.status, &health.json()["search_count"]), (200, &json!("4")));

    for route in ["natural-language", "intelligent", "contextual"] {
        let found = server.found(route, json!({"query": "needle"})).await;
        assert_eq!((&found["total_results"], found["analysis"].is_object()), (&json!(1), true), "{route}");
    }
    let analysed = server.get("/api/search/analyze-query?query=needle").await;
    assert_eq!((analysed.status, &analysed.json()["query"]), (200, &json!("needle")));
    // What is not there says so, with what is.
    let reply = server.search("semantic-search", json!({"query": "needle"})).await;
    assert!(reply.problem(404, "unknown-strategy")["detail"].as_str().unwrap().contains("strategy-smart"));
}

/// Name and milliseconds of each stage of a `Server-Timing` header.
fn stages(header: &str) -> Vec<(String, f64)> {
    let stage = |part: &str| {
        let (name, duration) = part.split_once(";dur=").unwrap();
        (name.to_owned(), duration.parse().unwrap())
    };
    header.split(", ").map(stage).collect()
}

/// Directories could be absolute or lead out of the tree with `..`, and were read as given.
#[tokio::test(flavor = "multi_thread")]
async fn fault_11_directories_stay_inside() {
    let outside = Tree::of(&[("secret.txt", "needle\n")]);
    let (tree, server) = serve(&[("inside/a.txt", "needle\n")]).await;
    std::os::unix::fs::symlink(outside.path(), tree.path().join("inside/link")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.txt"), tree.path().join("inside/linked.txt")).unwrap();
    server.index(json!({})).await;
    for folder in [outside.name(), "/", "/etc", "..", "../..", "inside/../..", r"..\..", "~", "C:/"] {
        for strategy in STRATEGIES {
            let reply = server.search(strategy, json!({"query": "needle", "directories": [folder]})).await;
            assert_eq!(reply.violated(), ["directories[0]"], "{strategy} {folder}");
        }
    }
    // Nor is anything outside indexed through a link.
    for strategy in STRATEGIES {
        assert_eq!(paths(&server.query(strategy, "needle").await), ["inside/a.txt"], "{strategy}");
    }
    let answer = server.found("syntax", json!({"query": "needle", "directories": ["inside/link"]})).await;
    assert!(results(&answer).is_empty());
}

/// A blocking subprocess ran within an async handler and held up everyone else on its thread. Here server
/// and client share one thread: while a search is in flight, others are answered.
#[tokio::test(flavor = "current_thread")]
async fn fault_12_a_heavy_search_holds_up_nobody() {
    let tree = Tree::of(&[]);
    for file in 0..4 {
        // Unicode word boundaries beside letters beyond ASCII are the slow way of the regex engine.
        tree.write(&format!("{file}.txt"), "Größe und Länge ".repeat(50_000));
    }
    let server = Local::start(&tree, |_| ()).await;
    let heavy: Vec<_> = (10..18)
        .map(|letters| {
            let client = (*server).clone();
            let request = json!({"query": format!(r"\b\w{{3,{letters}}}zz\b"), "pattern_type": "regex"});
            tokio::spawn(async move { client.search("syntax", request).await })
        })
        .collect();
    let answered_meanwhile = async || {
        let ended = heavy.iter().all(|search| search.is_finished());
        assert!(!ended, "the searches were over before anybody else was answered");
        // This request for the figures is one of those in flight.
        (server.metric("corsac_http_requests_in_flight").await >= 2.0).then_some(())
    };
    wait_for("a search in flight", answered_meanwhile).await;
    assert_eq!(server.get("/healthz").await.status, 200);
    for search in heavy {
        let reply = search.await.unwrap();
        assert_eq!((reply.status, reply.json()["total_results"].clone()), (200, json!(0)));
    }
}

/// The free text of `search_type` went to the vector service as the name of a modality.
#[tokio::test(flavor = "multi_thread")]
async fn fault_13_search_type_is_accepted_and_harmless() {
    let (_tree, server) = serve(&[("a.txt", "needle\n"), ("b.txt", "haystack\n")]).await;
    for strategy in STRATEGIES {
        let plain = server.query(strategy, "needle").await;
        for kind in ["hybrid", "vector", "text", "code", "image", "", "'; drop table", "größe"] {
            let answer = server.found(strategy, json!({"query": "needle", "search_type": kind})).await;
            assert_eq!(answer["results"], plain["results"], "{strategy} {kind}");
        }
        let reply = server.search(strategy, json!({"query": "needle", "search_type": "x".repeat(65)})).await;
        assert_eq!(reply.violated(), ["search_type"]);
    }
}
