//! Relevance on a judged collection in BEIR's layout (`corpus.jsonl`, `queries.jsonl`, `qrels/test.tsv`):
//! indexes the corpus in a temporary folder and asks every judged query of single indexes and of the
//! strategies that serve, through the same service as HTTP.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::task::block_in_place;

use crate::cache::{Cache, Lifetimes};
use crate::index::{BetterModel, Change, DocumentVersion, Index, IndexError, Searched, Snapshot};
use crate::query::{Probe, Query, Scope, TermMatch, TextProbe, VectorProbe};
use crate::runtime::Runtime;
use crate::service::answer::SearchResponse;
use crate::service::{LEAST_CONFIDENCE, SearchError, SearchRequest, Service, ServiceLimits, Understand};

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// BM25 alone: one text probe with any of the query's terms.
    Text,
    /// Embeddings alone: one vector probe.
    Vector,
    /// A strategy with the default ranker.
    Strategy(String),
    /// The same, by what the strategy understands of a query: `POST /api/search/natural-language`.
    Understood(String),
}

/// Figures over all judged queries, each 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Relevance {
    pub mode: String,
    pub queries: usize,
    /// Normalised discounted cumulative gain of the first ten (Järvelin and Kekäläinen 2002, gain =
    /// grade, discount log2(rank + 1)).
    pub ndcg_at_10: f64,
    /// Reciprocal rank of the first relevant document among the first ten.
    pub mrr_at_10: f64,
    /// Share of the relevant documents among the first hundred.
    pub recall_at_100: f64,
    /// Milliseconds a query, over all queries one after the other.
    pub mean_milliseconds: f64,
}

#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    #[error("cannot read {file}: {reason}")]
    Read { file: String, reason: String },
    #[error("{file}, line {line}: {reason}")]
    Format { file: String, line: usize, reason: String },
    #[error("the collection has no judged query: qrels/test.tsv must grade a document above 0 for one of its queries")]
    Empty,
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("query {query}: {error}")]
    Search { query: String, error: SearchError },
    #[error("query {query}: {reason}")]
    Answer { query: String, reason: String },
}

/// A judged collection. Grades of a query by document; 0 means judged and not relevant.
#[derive(Debug, Default)]
pub struct Collection {
    pub documents: Vec<CorpusLine>,
    pub queries: Vec<(String, String)>,
    pub judgements: HashMap<String, HashMap<String, u32>>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct CorpusLine {
    #[serde(rename = "_id")]
    pub id: String,
    #[serde(default)]
    pub title: String,
    pub text: String,
}

#[derive(Deserialize)]
struct QueryLine {
    #[serde(rename = "_id")]
    id: String,
    text: String,
}

impl Collection {
    /// Reads a folder; queries without a relevant document are left out, as trec_eval does.
    pub fn read(folder: &Path) -> Result<Self, EvalError> {
        let documents = json_lines::<CorpusLine>(&folder.join("corpus.jsonl"))?;
        let judgements = judgements(&folder.join("qrels/test.tsv"))?;
        let judged = |id: &str| judgements.get(id).is_some_and(|grades| grades.values().any(|grade| *grade > 0));
        let queries: Vec<(String, String)> = json_lines::<QueryLine>(&folder.join("queries.jsonl"))?
            .into_iter()
            .filter(|query| judged(&query.id))
            .map(|query| (query.id, query.text))
            .collect();
        if queries.is_empty() {
            return Err(EvalError::Empty);
        }
        Ok(Self { documents, queries, judgements })
    }

    /// Every document as a version of its own, numbered from 1.
    pub fn versions(&self) -> Vec<DocumentVersion> {
        self.documents.iter().zip(1..).map(|(line, number)| version(line, number)).collect()
    }

    /// Indexes every document under its id, in `folder`; returns when `model`, if there is one, answers.
    pub fn index(&self, folder: &Path, model: Option<BetterModel>) -> Result<Index, EvalError> {
        const BATCH: usize = 512;
        let index = Index::open_with(folder, model)?;
        for versions in self.versions().chunks(BATCH) {
            let prepare = |version: &DocumentVersion| Change::Upsert(Box::new(index.prepare(version.clone())));
            index.apply(versions.par_iter().map(prepare).collect())?;
        }
        index.commit(self.documents.len() as u64)?;
        index.wait_for_model()?;
        Ok(index)
    }
}

fn version(line: &CorpusLine, number: u64) -> DocumentVersion {
    DocumentVersion {
        sequence: number,
        document: number,
        root: 0,
        path: line.id.clone(),
        language: None,
        title: (!line.title.is_empty()).then(|| line.title.clone()),
        modified: 0,
        content: line.text.clone(),
    }
}

/// Measures each mode on a collection; `folder` is for the index and must be empty or absent.
pub async fn evaluate(
    collection: &Collection,
    runtime: Arc<Runtime>,
    folder: &Path,
    model: Option<BetterModel>,
    modes: &[Mode],
) -> Result<Vec<Relevance>, EvalError> {
    let index = Arc::new(block_in_place(|| collection.index(folder, model))?);
    measure(collection, runtime, index.into(), modes).await
}

/// Measures each mode over what is indexed already: `Collection::versions`. Needs a runtime with several threads.
pub async fn measure(
    collection: &Collection,
    runtime: Arc<Runtime>,
    index: Searched,
    modes: &[Mode],
) -> Result<Vec<Relevance>, EvalError> {
    let limits = ServiceLimits { concurrent_searches: 8, timeout: Duration::from_secs(60) };
    let service = Service::new(runtime, index.clone(), Cache::new(0, Lifetimes::default()), limits);
    let mut figures = Vec::new();
    for mode in modes {
        let began = Instant::now();
        let mut totals = [0.0; 3];
        for (id, text) in &collection.queries {
            let ranked = match mode {
                Mode::Text => block_in_place(|| probe(&index.snapshot(), text_probe(text), id))?,
                Mode::Vector => block_in_place(|| probe(&index.snapshot(), vector_probe(text), id))?,
                Mode::Strategy(strategy) => search(&service, strategy, None, text, id).await?,
                Mode::Understood(strategy) => {
                    let wish = Understand { least_confidence: LEAST_CONFIDENCE, otherwise: None };
                    search(&service, strategy, Some(wish), text, id).await?
                }
            };
            let grades = &collection.judgements[id];
            for (total, figure) in totals.iter_mut().zip([
                ndcg(&ranked, grades, 10),
                mrr(&ranked, grades, 10),
                recall(&ranked, grades, 100),
            ]) {
                *total += figure;
            }
        }
        let queries = collection.queries.len();
        let [ndcg_at_10, mrr_at_10, recall_at_100] = totals.map(|total| total / queries as f64);
        let mean_milliseconds = began.elapsed().as_secs_f64() * 1e3 / queries as f64;
        let mode = match mode {
            Mode::Text => "text".to_owned(),
            Mode::Vector => "vector".to_owned(),
            Mode::Strategy(name) => name.clone(),
            Mode::Understood(name) => format!("{name}+"),
        };
        figures.push(Relevance { mode, queries, ndcg_at_10, mrr_at_10, recall_at_100, mean_milliseconds });
    }
    Ok(figures)
}

fn text_probe(text: &str) -> Probe {
    Probe::Text(TextProbe {
        text: text.to_owned(),
        mode: TermMatch::Any,
        fuzziness: 0,
        prefix: false,
        fields: vec![],
        limit: 1000,
    })
}

fn vector_probe(text: &str) -> Probe {
    Probe::Vector(VectorProbe { text: text.to_owned(), min_similarity: None, limit: 1000 })
}

/// Documents in the order of their best chunk.
fn probe(snapshot: &Snapshot, probe: Probe, query: &str) -> Result<Vec<String>, EvalError> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let hits = snapshot
        .probe(&probe, &Scope::default(), deadline)
        .map_err(|error| EvalError::Answer { query: query.to_owned(), reason: error.to_string() })?;
    let paths = snapshot.chunks(&hits.chunks)?.into_iter().flatten().map(|chunk| chunk.document.path.to_string());
    Ok(distinct(paths))
}

async fn search(
    service: &Service,
    strategy: &str,
    understand: Option<Understand>,
    text: &str,
    id: &str,
) -> Result<Vec<String>, EvalError> {
    let request = SearchRequest {
        strategy: strategy.to_owned(),
        ranker: None,
        query: Query::new(text, 100),
        offset: 0,
        max_results: 100,
        context_lines: 0,
        explain: false,
        facets: vec![],
        persona: None,
        understand,
    };
    let failed = |error| EvalError::Search { query: id.to_owned(), error };
    let answer = service.search(request).await.map_err(failed)?;
    let response: SearchResponse = serde_json::from_slice(&answer.body)
        .map_err(|error| EvalError::Answer { query: id.to_owned(), reason: error.to_string() })?;
    Ok(distinct(response.results.into_iter().map(|result| result.file_path)))
}

fn distinct(paths: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    paths.filter(|path| seen.insert(path.clone())).collect()
}

/// Normalised discounted cumulative gain at a depth.
pub fn ndcg(ranked: &[String], grades: &HashMap<String, u32>, depth: usize) -> f64 {
    let gain = |grade: u32, rank: usize| f64::from(grade) / (rank as f64 + 2.0).log2();
    let grade = |document: &String| grades.get(document).copied().unwrap_or(0);
    let found: f64 = ranked.iter().take(depth).enumerate().map(|(rank, document)| gain(grade(document), rank)).sum();
    let mut ideal: Vec<u32> = grades.values().copied().collect();
    ideal.sort_unstable_by(|left, right| right.cmp(left));
    let best: f64 = ideal.into_iter().take(depth).enumerate().map(|(rank, grade)| gain(grade, rank)).sum();
    if best > 0.0 { found / best } else { 0.0 }
}

/// Reciprocal rank of the first relevant document within a depth; 0 if there is none.
pub fn mrr(ranked: &[String], grades: &HashMap<String, u32>, depth: usize) -> f64 {
    let relevant = |document: &String| grades.get(document).is_some_and(|grade| *grade > 0);
    ranked.iter().take(depth).position(relevant).map_or(0.0, |rank| 1.0 / (rank as f64 + 1.0))
}

/// Share of the relevant documents within a depth.
pub fn recall(ranked: &[String], grades: &HashMap<String, u32>, depth: usize) -> f64 {
    let relevant: HashSet<&String> =
        grades.iter().filter(|(_, grade)| **grade > 0).map(|(document, _)| document).collect();
    let found = ranked.iter().take(depth).filter(|document| relevant.contains(document)).count();
    if relevant.is_empty() { 0.0 } else { found as f64 / relevant.len() as f64 }
}

fn read(path: &Path) -> Result<String, EvalError> {
    std::fs::read_to_string(path)
        .map_err(|error| EvalError::Read { file: path.display().to_string(), reason: error.to_string() })
}

fn json_lines<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>, EvalError> {
    let parse = |(at, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| EvalError::Format {
            file: path.display().to_string(),
            line: at + 1,
            reason: error.to_string(),
        })
    };
    read(path)?.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(parse).collect()
}

/// Lines of `query-id<TAB>corpus-id<TAB>score` below one heading.
fn judgements(path: &Path) -> Result<HashMap<String, HashMap<String, u32>>, EvalError> {
    let mut judgements: HashMap<String, HashMap<String, u32>> = HashMap::new();
    for (at, line) in read(path)?.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
        let columns: Vec<&str> = line.split('\t').collect();
        let bad = |reason: &str| EvalError::Format {
            file: path.display().to_string(),
            line: at + 1,
            reason: reason.to_owned(),
        };
        let [query, document, grade] = columns[..] else { return Err(bad("expected query, document and grade")) };
        // Negative grades mean "not relevant" in some collections.
        let grade: i64 = grade.trim().parse().map_err(|_| bad("the grade is no integer"))?;
        judgements.entry(query.to_owned()).or_default().insert(document.to_owned(), grade.max(0) as u32);
    }
    Ok(judgements)
}

/// A table for people, and under it the analysis that the numbers depend on.
pub fn report(collection: &str, figures: &[Relevance]) -> String {
    let mut text = format!(
        "{collection}\n{:<10} {:>8} {:>8} {:>8} {:>11} {:>9}\n",
        "mode", "queries", "nDCG@10", "MRR@10", "recall@100", "ms/query"
    );
    for line in figures {
        text += &format!(
            "{:<10} {:>8} {:>8.4} {:>8.4} {:>11.4} {:>9.3}\n",
            line.mode, line.queries, line.ndcg_at_10, line.mrr_at_10, line.recall_at_100, line.mean_milliseconds
        );
    }
    text
}

/// What is reported when nobody says what, by name.
pub fn modes() -> Vec<(&'static str, Mode)> {
    let strategy = |name: &'static str| (name, Mode::Strategy(name.to_owned()));
    vec![
        ("text", Mode::Text),
        ("vector", Mode::Vector),
        strategy("semantic"),
        strategy("hybrid"),
        strategy("smart"),
        strategy("natural"),
        ("natural+", Mode::Understood("natural".to_owned())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grades(pairs: &[(&str, u32)]) -> HashMap<String, u32> {
        pairs.iter().map(|(document, grade)| ((*document).to_owned(), *grade)).collect()
    }

    fn ranked(documents: &[&str]) -> Vec<String> {
        documents.iter().map(|document| (*document).to_owned()).collect()
    }

    /// By hand: gains 1/log2(2) + 1/log2(4) = 1.5; ideal 1/log2(2) + 1/log2(3) = 1.630930.
    #[test]
    fn ndcg_by_hand() {
        let value = ndcg(&ranked(&["a", "x", "b"]), &grades(&[("a", 1), ("b", 1)]), 10);
        assert!((value - 1.5 / 1.630_929_753_571_457_5).abs() < 1e-12, "{value}");
    }

    /// The worked example of Wikipedia's article "Discounted cumulative gain" (grades 3 2 3 0 1 2 with 3
    /// and 2 not found; nDCG@6 = 0.785).
    #[test]
    fn ndcg_with_grades() {
        let judged = grades(&[("d1", 3), ("d2", 2), ("d3", 3), ("d4", 0), ("d5", 1), ("d6", 2), ("d7", 3), ("d8", 2)]);
        let value = ndcg(&ranked(&["d1", "d2", "d3", "d4", "d5", "d6"]), &judged, 6);
        assert!((value - 0.785).abs() < 5e-4, "{value}");
    }

    #[test]
    fn reciprocal_rank_and_recall() {
        let judged = grades(&[("a", 1), ("b", 1), ("c", 0)]);
        assert_eq!(mrr(&ranked(&["c", "x", "b"]), &judged, 10), 1.0 / 3.0);
        assert_eq!(mrr(&ranked(&["c", "x", "b"]), &judged, 2), 0.0);
        assert_eq!(recall(&ranked(&["c", "x", "b"]), &judged, 100), 0.5);
    }

    #[test]
    fn a_broken_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("qrels")).unwrap();
        std::fs::write(folder.path().join("corpus.jsonl"), "{\"_id\":\"1\",\"text\":\"a\"}\n{").unwrap();
        let error = Collection::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("corpus.jsonl, line 2"), "{error}");
    }
}
