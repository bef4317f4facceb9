//! A better embedding model in a folder: it answers as soon as it has all vectors, finds them again after a restart,
//! and never answers together with the built-in one.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::client::{Client, results, wait_for};
use crate::support::encoder::{SIZE, write_encoder};
use crate::support::server::{Process, corsac, data_folder};
use crate::support::tree::Tree;

const BUILT_IN: &str = "minilm-static-256";
const BETTER: &str = "tiny";
const QUERY: &str = "lazy dog jumped";

/// Paths and contents, one chunk each. The built-in model sees nothing of the query in the last one; the better one
/// has few words, so everything looks alike to it.
type Files = [(&'static str, &'static str); 3];
const FILES: Files = [
    ("fox.txt", "The fox jumps over the lazy dog.\n"),
    ("dog.txt", "The dog jumped over the fox.\n"),
    ("revenue.txt", "Quarterly revenue of the company.\n"),
];
const EDITED: Files = [FILES[0], FILES[1], ("revenue.txt", "Yearly revenue of all companies.\n")];

async fn serve(data: &Path, tree: &Tree, arguments: &[&str]) -> Process {
    let server = Process::serve(data, &[&[tree.name()], arguments].concat()).await;
    server.started().await;
    server
}

async fn stop(mut server: Process) {
    server.terminate();
    assert!(server.ended().await.success(), "{}", server.log());
}

/// Waits until vector probes are answered by `model`; the stats.
async fn answering(server: &Client, model: &str) -> Value {
    wait_for("the model's answers", async || {
        let stats = server.get("/api/search/stats").await.json();
        let models = stats["embedding_models"].as_array().unwrap();
        let answers = models.iter().any(|known| known["name"] == model && known["answers"] == true);
        answers.then(|| stats.clone())
    })
    .await
}

/// Similarity of each file to the query, as a search says it.
async fn found(server: &Client) -> BTreeMap<String, f64> {
    let answer = server.found("semantic", json!({"query": QUERY, "explain": true})).await;
    assert_eq!(answer["degraded"], false, "{answer}");
    let score = |result: &Value| result["explain"]["legs"]["vector"]["score"].as_f64().unwrap();
    results(&answer).iter().map(|hit| (hit["file_path"].as_str().unwrap().to_owned(), score(hit))).collect()
}

/// The same by the vectors that `model` gives to the query and to each file: its name, a line's end, its content.
async fn cosines(server: &Client, model: &str, files: Files) -> BTreeMap<String, f64> {
    let mut texts = vec![QUERY.to_owned()];
    texts.extend(files.iter().map(|(path, content)| format!("{path}\n{content}")));
    let reply = server.post("/api/rag/embed", json!({"texts": texts, "model": model})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let answer = reply.json();
    assert_eq!(answer["model"], model);
    let vectors: Vec<Vec<f64>> = serde_json::from_value(answer["embeddings"].clone()).unwrap();
    let cosine = |vector: &[f64]| vectors[0].iter().zip(vector).map(|(left, right)| left * right).sum::<f64>();
    files.iter().zip(&vectors[1..]).map(|((path, _), vector)| ((*path).to_owned(), cosine(vector))).collect()
}

/// An index keeps eight bits a number, hence not equal.
fn are_near(left: &BTreeMap<String, f64>, right: &BTreeMap<String, f64>) -> bool {
    let is_near = |(path, score): (&String, &f64)| right.get(path).is_some_and(|other| (score - other).abs() < 0.02);
    left.len() == right.len() && left.iter().all(is_near)
}

/// Name and content of the one file in which vectors are kept.
fn kept(data: &Path) -> (String, Vec<u8>) {
    let mut files: Vec<_> = std::fs::read_dir(data.join("index/models")).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let file = files.remove(0);
    (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap())
}

/// Chunks, backlog, whether it answers, whether it fails.
async fn figures(server: &Client, model: &str) -> [f64; 4] {
    let figure = async |name: &str| server.metric(&format!("corsac_embedding_model_{name}{{model=\"{model}\"}}")).await;
    [figure("chunks").await, figure("backlog").await, figure("answers").await, figure("failing").await]
}

/// Everything says that the better model answers, and each hit's similarity is by its vectors.
async fn check_better(server: &Client, files: Files) {
    let stats = answering(server, BETTER).await;
    assert_eq!((&stats["dimension"], &stats["vectors"], &stats["total_chunks"]), (&json!(SIZE), &json!(3), &json!(3)));
    let [built_in, better] = stats["embedding_models"].as_array().unwrap().as_slice() else { panic!("{stats}") };
    assert_eq!((&built_in["name"], &built_in["answers"]), (&json!(BUILT_IN), &json!(false)));
    let expected = json!({"name": BETTER, "digest": better["digest"], "dimension": SIZE, "answers": true,
        "coverage": 100.0, "backlog": 0, "error": null});
    assert_eq!(better, &expected);
    assert_eq!(figures(server, BETTER).await, [3.0, 0.0, 1.0, 0.0]);
    assert_eq!(figures(server, BUILT_IN).await, [3.0, 0.0, 0.0, 0.0]);
    let health = server.get("/api/search/health").await.json();
    let detail = health["parts"]["index"]["detail"].as_str().unwrap();
    assert!(detail.ends_with("tiny answers vector probes"), "{detail}");
    let config = server.get("/api/rag/config").await.json();
    assert_eq!(config["config"]["embedding_model"], BETTER, "{config}");

    let scores = found(server).await;
    let (better, built_in) = (cosines(server, BETTER, files).await, cosines(server, BUILT_IN, files).await);
    assert!(are_near(&scores, &better), "{scores:?} {better:?}");
    // Else the line before would say nothing.
    assert!(!are_near(&better, &built_in), "{better:?} {built_in:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_better_model_answers_and_its_vectors_are_found_again() {
    let (data, tree, models) = (data_folder(), Tree::of(&FILES), tempfile::tempdir().unwrap());
    let folder = models.path().join(BETTER);
    write_encoder(&folder);

    let server = serve(data.path(), &tree, &["--model", folder.to_str().unwrap()]).await;
    check_better(&server, FILES).await;
    let (name, filled) = kept(data.path());
    let stats = server.get("/api/search/stats").await.json();
    let digest = stats["embedding_models"][1]["digest"].as_str().unwrap().to_owned();
    assert!(digest.starts_with(&name), "{digest} {name}");
    // An edit is written behind what is there; the vector before it stays.
    let (path, content) = EDITED[2];
    tree.write(path, content);
    server.index(json!({})).await;
    check_better(&server, EDITED).await;
    let (_, edited) = kept(data.path());
    assert!(edited.starts_with(&filled) && edited.len() > filled.len(), "{} {}", filled.len(), edited.len());
    stop(server).await;

    // A vector that was computed anew would stand at the end, and in a file begun anew there were one less.
    let settings = models.path().join("corsac.toml");
    std::fs::write(&settings, format!("[index.model]\nfolder = \"{BETTER}\"\n")).unwrap();
    let server = serve(data.path(), &tree, &["--config", settings.to_str().unwrap()]).await;
    check_better(&server, EDITED).await;
    let stats = server.get("/api/search/stats").await.json();
    assert_eq!(stats["embedding_models"][1]["digest"], digest, "{stats}");
    assert!(kept(data.path()) == (name.clone(), edited.clone()), "vectors were computed anew");
    stop(server).await;

    let server = serve(data.path(), &tree, &[]).await;
    let stats = answering(&server, BUILT_IN).await;
    assert_eq!(stats["embedding_models"].as_array().unwrap().len(), 1, "{stats}");
    assert_eq!((&stats["dimension"], &stats["vectors"]), (&json!(256), &json!(3)));
    let (scores, built_in) = (found(&server).await, cosines(&server, BUILT_IN, EDITED).await);
    assert!(are_near(&scores, &built_in), "{scores:?} {built_in:?}");
    assert_eq!(figures(&server, BUILT_IN).await, [3.0, 0.0, 1.0, 0.0]);
    let metrics = server.get("/metrics").await.text();
    assert!(!metrics.contains(&format!("model=\"{BETTER}\"")), "{metrics}");
    let refused = server.post("/api/rag/embed", json!({"texts": [QUERY], "model": BETTER})).await;
    assert_eq!(refused.violated(), ["model"]);
    // They stay for the next time.
    assert!(kept(data.path()) == (name, edited), "vectors were lost");
    stop(server).await;
}

#[test]
fn a_damaged_model_stops_the_start_and_is_named() {
    /// What is left of a file.
    type Damage = fn(Vec<u8>) -> Option<Vec<u8>>;
    let remove: Damage = |_| None;
    let cut: Damage = |whole| Some(whole[..whole.len() / 2].to_vec());
    let damages = [
        ("config.json", remove),
        ("tokenizer.json", remove),
        ("model.safetensors", remove),
        ("tokenizer.json", cut),
        ("model.safetensors", cut),
    ];
    for (name, damage) in damages {
        let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write_encoder(folder.path());
        let file = folder.path().join(name);
        match damage(std::fs::read(&file).unwrap()) {
            Some(rest) => std::fs::write(&file, rest).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let (data, model) = (data.path().to_str().unwrap(), folder.path().to_str().unwrap());
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", data, "--model", model];
        let output = corsac(arguments).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        let said = format!("corsac: cannot load the embedding model: {}: ", file.display());
        for words in [said.as_str(), "index.model.folder must hold"] {
            assert!(errors.contains(words), "{name}: {words} is not in {errors}");
        }
        assert!(!errors.contains("panicked"), "{errors}");
    }
}
