//! Retrieval for language models over a fake: what clients see of passages, answers, vectors and documents.

mod embed;
mod ingest;

use std::convert::Infallible;

use futures::stream;
use futures::stream::BoxStream;

use super::*;
use crate::rag::tokens;
use crate::service::answer::PluginRef;
use crate::service::passages::answer::{Citation, Passage, PassagesMetadata, PassagesResponse};
use crate::service::passages::{Modality, PassagesRequest};
use crate::upstream::{Generator, Prompt, UpstreamError};

/// Passages of two sources, two models that embed, one that answers as it is told.
#[derive(Default)]
pub(super) struct FakeRag {
    asked: Mutex<Vec<PassagesRequest>>,
    /// Pieces of the model's answer; none: there is no model.
    says: Mutex<Option<Vec<Result<String, UpstreamError>>>>,
    prompts: Arc<Mutex<Vec<Prompt>>>,
    /// Batches that were stored.
    stored: Mutex<Vec<(Vec<PostedDocument>, bool)>>,
    finds_nothing: AtomicBool,
    /// Batches that are taken before the store goes away; 0: it stays.
    lasts: std::sync::atomic::AtomicUsize,
}

struct FakeModel {
    says: Vec<Result<String, UpstreamError>>,
    prompts: Arc<Mutex<Vec<Prompt>>>,
}

impl Generator for FakeModel {
    fn model(&self) -> &str {
        "parrot"
    }

    fn answer(&self, prompt: Prompt) -> BoxStream<'static, Result<String, UpstreamError>> {
        self.prompts.lock().push(prompt);
        stream::iter(self.says.clone()).boxed()
    }
}

fn passage(number: u32, path: &str) -> Passage {
    Passage {
        citation: Citation { number, path: path.into(), start_line: 3, end_line: 5 },
        text: format!("text of {path}"),
        tokens: 9,
        score: 1.0,
        truncated: false,
        hits: vec![],
    }
}

fn response(request: &PassagesRequest, passages: Vec<Passage>) -> PassagesResponse {
    let plugin = || PluginRef { name: "x".into(), version: "1".into(), digest: "00".into() };
    PassagesResponse {
        hits: vec![],
        context: "the context".into(),
        total: passages.len() as u32,
        passages,
        query_time: 0.5,
        embedding_time: 0.1,
        search_time: 0.4,
        metadata: PassagesMetadata {
            query: request.search.query.text.clone(),
            modality: request.modality,
            strategy: plugin(),
            ranker: plugin(),
            reason: None,
            truncated: false,
            degraded: false,
            degraded_reasons: vec![],
            generation: 77,
            tokens: 18,
            max_tokens: request.max_tokens,
            neighbours: request.neighbours,
            omitted_passages: 0,
            tokenizer: "estimate".into(),
        },
        answer: None,
        citations: vec![],
        unknown_citations: vec![],
        answer_reason: request.answer_reason.map(str::to_owned),
        answer_model: None,
    }
}

impl Rag for FakeRag {
    fn passages(&self, request: PassagesRequest) -> BoxFuture<'_, Result<Answer, SearchError>> {
        let nothing = self.finds_nothing.load(Ordering::SeqCst);
        let passages = if nothing { vec![] } else { vec![passage(1, "a.md"), passage(2, "b.rs")] };
        let body = serde_json::to_vec(&response(&request, passages)).unwrap().into();
        let failure = failure(&request.search.query.text);
        self.asked.lock().push(request);
        let answer = Answer { body, etag: "of the passages".into(), cache: CacheStatus::Hit, timings: vec![] };
        async move { failure.map_or(Ok(answer), Err) }.boxed()
    }

    fn generator(&self) -> Option<Arc<dyn Generator>> {
        let says = self.says.lock().clone()?;
        Some(Arc::new(FakeModel { says, prompts: self.prompts.clone() }))
    }

    fn models(&self) -> Vec<EmbeddingModel> {
        let model = |id: &str, dimension, is_built_in| EmbeddingModel { id: id.into(), dimension, is_built_in };
        vec![model("built-in", Some(2), true), model("far-away", None, false)]
    }

    fn embed(&self, model: &str, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Vec<f32>>, EmbedError>> {
        let far = model == "far-away";
        async move {
            if texts.iter().any(|text| text == "upstream fails") {
                return Err(refused().into());
            }
            let vector = |text: String| if far { vec![0.0; 3] } else { vec![text.len() as f32, -0.5] };
            Ok(texts.into_iter().map(vector).collect())
        }
        .boxed()
    }

    fn ingest(
        &self,
        documents: Vec<PostedDocument>,
        again: bool,
    ) -> BoxFuture<'_, Result<Vec<DocumentOutcome>, BackendError>> {
        let (mut stored, lasts) = (self.stored.lock(), self.lasts.load(Ordering::SeqCst));
        let away = lasts > 0 && stored.len() >= lasts;
        let outcome = |(at, document): (usize, &PostedDocument)| {
            let errors = match document.content.as_str() {
                "refused" => vec![Violation::new(format!("documents[{at}].path"), "must be relative")],
                _ => vec![],
            };
            let state = if errors.is_empty() { DocumentState::Stored } else { DocumentState::Rejected };
            DocumentOutcome { path: document.path.clone(), state, errors }
        };
        let outcomes: Vec<DocumentOutcome> = documents.iter().enumerate().map(outcome).collect();
        if !away {
            stored.push((documents, again));
        }
        async move { if away { Err(BackendError::Unavailable(SECRET.into())) } else { Ok(outcomes) } }.boxed()
    }

    fn rebuild(&self) -> BoxFuture<'_, Result<Rebuild, BackendError>> {
        async { Ok(Rebuild { tasks: vec![task_at(TaskState::Queued, 0)], refused: vec![] }) }.boxed()
    }

    fn config(&self) -> RagConfig {
        RagConfig {
            strategy: "hybrid".into(),
            ranker: "rank-fields".into(),
            top_k: 20,
            max_tokens: 2000,
            neighbours: 1,
            answer_tokens: 300,
            embedding_model: "built-in".into(),
            embedding_dimension: 2,
            answer_model: self.says.lock().is_some().then(|| "parrot".to_owned()),
        }
    }
}

fn refused() -> UpstreamError {
    UpstreamError::Refused { upstream: "parrot.example".into(), status: 500, reason: SECRET.into() }
}

impl Server {
    fn model_says(&self, pieces: &[&str], failure: Option<UpstreamError>) {
        let pieces = pieces.iter().map(|piece| Ok((*piece).to_owned()));
        *self.fake.rag.says.lock() = Some(pieces.chain(failure.map(Err)).collect());
    }

    async fn events(&self, path: &str, kind: &str, body: impl Into<Body>) -> Vec<(String, Value)> {
        let headers = [("content-type", kind), ("accept", "text/event-stream")];
        let reply = self.call(Method::POST, path, &headers, body).await;
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "text/event-stream"), "{text}");
        let of = |block: &str| {
            let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
            Some((line("event: ")?.to_owned(), serde_json::from_str(line("data: ")?).unwrap()))
        };
        text.split("\n\n").filter_map(of).collect()
    }
}

#[tokio::test]
async fn a_question_has_the_defaults_of_the_earlier_api() {
    let server = server();
    let reply = server.post("/api/rag/query", json!({"q": " why? ", "modality": null})).await;
    assert_eq!((reply.status.as_u16(), reply.header("cache-status")), (200, "corsac; hit"));
    assert_eq!(reply.header("etag"), "\"of the passages\"");
    let answer = reply.json();
    assert_eq!((&answer["answer"], &answer["context"]), (&Value::Null, &json!("the context")));
    assert_eq!(answer["answer_reason"], "no model that answers is configured");
    let asked = server.fake.rag.asked.lock().pop().unwrap();
    assert_eq!((asked.search.strategy.as_str(), asked.search.ranker), ("hybrid", None));
    assert_eq!((asked.top_k, asked.max_tokens, asked.neighbours, asked.temporal_weight), (20, 2000, 1, 0.1));
    assert_eq!((asked.modality, asked.search.query.similarity_threshold), (Modality::All, None));
    assert_eq!((asked.search.query.text.as_str(), asked.search.query.limit), ("why?", 100));
    assert!(asked.search.query.weights.is_empty() && !asked.with_embeddings && !asked.with_contents);
}

#[tokio::test]
async fn every_field_reaches_the_service() {
    let server = server();
    let body = json!({"q": "why", "modality": "code", "top_k": 7, "similarity_threshold": 0.25, "enable_reranking": true,
        "semantic_boost": 1.5, "temporal_weight": 0.5, "max_tokens": 500, "neighbours": 0, "answer": false,
        "strategy": "semantic", "file_types": [".RS"], "directories": ["src/"], "include_embeddings": true,
        "include_content": true, "session_id": "s", "user_id": "u"});
    let reply = server.post("/api/rag/query", body).await;
    assert_eq!(reply.json()["answer_reason"], "no answer in words was asked for");
    let asked = server.fake.rag.asked.lock().pop().unwrap();
    assert_eq!((asked.search.strategy.as_str(), asked.search.ranker.as_deref()), ("semantic", Some("rank-fields")));
    assert_eq!((asked.top_k, asked.max_tokens, asked.neighbours, asked.temporal_weight), (7, 500, 0, 0.5));
    assert_eq!((asked.modality, asked.with_embeddings, asked.with_contents), (Modality::Code, true, true));
    let query = asked.search.query;
    assert_eq!((query.similarity_threshold, query.limit), (Some(0.25), 100));
    // 0.6 × 1.5 against 0.4.
    let weights: Vec<(&str, f32)> = query.weights.iter().map(|(name, weight)| (name.as_str(), *weight)).collect();
    assert!(matches!(weights[..], [("semantic", semantic), ("syntax", 0.4)] if (semantic - 0.9).abs() < 1e-6));
    assert_eq!((query.scope.file_types, query.scope.directories), (vec!["rs".to_owned()], vec!["src".to_owned()]));
    let named = json!({"q": "why", "enable_reranking": true, "ranker": "recency"});
    assert_eq!(server.post("/api/rag/query", named).await.status, 200);
    assert_eq!(server.fake.rag.asked.lock().pop().unwrap().search.ranker.as_deref(), Some("recency"));
}

#[tokio::test]
async fn violations_are_named_all_at_once() {
    let server = server();
    let body = json!({"q": "", "modality": "images", "top_k": 101, "similarity_threshold": 1.1, "semantic_boost": 0,
        "temporal_weight": 2, "max_tokens": 1, "neighbours": 11, "answer": "perhaps", "strategy": "a b", "ranker": "",
        "file_types": ["../x"], "directories": ["/etc"], "session_id": "x".repeat(257), "query": "x", "user_id": 7});
    let reply = server.post("/api/rag/query", body).await;
    let problem = reply.problem(422, "invalid-request");
    let pictures = problem.errors.iter().find(|error| error.field == "modality").unwrap();
    assert!(pictures.message.contains("text alone"), "{pictures:?}");
    let mut violated = reply.violated();
    violated.sort();
    let expected = [
        "answer",
        "directories[0]",
        "file_types[0]",
        "max_tokens",
        "modality",
        "neighbours",
        "q",
        "query",
        "ranker",
        "semantic_boost",
        "session_id",
        "similarity_threshold",
        "strategy",
        "temporal_weight",
        "top_k",
        "user_id",
    ];
    assert_eq!(violated, expected);
    for (text, status, code) in [
        ("fail overloaded", 503, "overloaded"),
        ("fail plugin", 502, "plugin-failed"),
        ("fail ranker", 422, "unknown-ranker"),
    ] {
        server.post("/api/rag/query", json!({"q": text})).await.problem(status, code);
    }
}

#[tokio::test]
async fn the_documented_fields_are_the_accepted_ones() {
    let document = server().get("/openapi.json").await.json();
    let schema = &document["components"]["schemas"]["RagQueryBody"];
    let mut documented: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    let mut accepted = super::super::rag::query::FIELDS.to_vec();
    documented.sort();
    accepted.sort();
    assert_eq!(documented, accepted);
    assert_eq!(schema["required"], json!(["q"]));
}

#[tokio::test]
async fn a_model_answers_from_the_passages_and_cites_them() {
    let server = server();
    server.model_says(&["It is ", "so [2], and ", "[7] too."], None);
    let reply = server.post("/api/rag/query", json!({"q": "why?"})).await;
    let answer = reply.json();
    assert_eq!((&answer["answer"], &answer["answer_model"]), (&json!("It is so [2], and [7] too."), &json!("parrot")));
    let citation = json!({"number": 2, "path": "b.rs", "start_line": 3, "end_line": 5});
    assert_eq!((&answer["citations"], &answer["unknown_citations"]), (&json!([citation]), &json!([7])));
    assert_eq!((&answer["answer_reason"], answer["passages"].as_array().unwrap().len()), (&Value::Null, 2));
    assert_ne!(reply.header("etag"), "\"of the passages\"");
    let prompt = server.fake.rag.prompts.lock().pop().unwrap();
    assert!(prompt.user.contains("<source number=\"2\" path=\"b.rs\" lines=\"3-5\">\ntext of b.rs\n</source>"));
    assert!(prompt.user.ends_with("Question: why?") && prompt.max_tokens == 300, "{prompt:?}");

    // Nobody is asked about nothing, or unasked.
    server.fake.rag.finds_nothing.store(true, Ordering::SeqCst);
    let nothing = server.post("/api/rag/query", json!({"q": "why?", "answer": true})).await.json();
    assert_eq!(nothing["answer_reason"], "nothing was found to answer from");
    server.post("/api/rag/query", json!({"q": "why?", "answer": false})).await;
    assert!(server.fake.rag.prompts.lock().is_empty());
}

#[tokio::test]
async fn a_model_that_fails_costs_the_answer_or_the_request() {
    let server = server();
    server.model_says(&["It is "], Some(refused()));
    let auto = server.post("/api/rag/query", json!({"q": "why?"})).await;
    assert!(!auto.json().to_string().contains("secret"));
    let auto = auto.json();
    assert_eq!((&auto["answer"], &auto["answer_reason"]), (&Value::Null, &json!("parrot.example answered 500")));
    assert_eq!(auto["context"], "the context");
    let wanted = || json!({"q": "why?", "answer": true});
    server.post("/api/rag/query", wanted()).await.problem(502, "upstream-failed");
    let upstream = || "parrot.example".to_owned();
    for (error, status, code) in [
        (UpstreamError::TimedOut { upstream: upstream() }, 504, "upstream-timed-out"),
        (UpstreamError::Open { upstream: upstream(), seconds: 9 }, 503, "unavailable"),
        (UpstreamError::Nonsense { upstream: upstream(), reason: SECRET.into() }, 502, "upstream-failed"),
        (UpstreamError::Forbidden { upstream: upstream(), reason: SECRET.into() }, 502, "upstream-failed"),
        (UpstreamError::Unreachable { upstream: upstream(), reason: SECRET.into() }, 502, "upstream-failed"),
    ] {
        server.model_says(&[], Some(error));
        server.post("/api/rag/query", wanted()).await.problem(status, code);
    }
}

#[tokio::test]
async fn an_answer_is_streamed_after_its_sources() {
    let server = server();
    server.model_says(&["So ", "[1]."], None);
    let body = r#"{"q": "why?"}"#;
    let events = server.events("/api/rag/query", "application/json", body).await;
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["sources", "token", "token", "done"]);
    assert_eq!(events[0].1["passages"][1]["citation"]["path"], "b.rs");
    assert_eq!((&events[1].1, &events[2].1), (&json!({"text": "So "}), &json!({"text": "[1]."})));
    assert_eq!((&events[3].1["answer"], &events[3].1["citations"][0]["number"]), (&json!("So [1]."), &json!(1)));

    server.model_says(&["So "], Some(refused()));
    let events = server.events("/api/rag/query", "application/json", body).await;
    assert_eq!((events.len(), events[2].0.as_str()), (3, "error"));
    assert_eq!(events[2].1, json!({"code": "upstream-failed", "detail": "parrot.example answered 500"}));

    *server.fake.rag.says.lock() = None;
    let events = server.events("/api/rag/query", "application/json", body).await;
    assert_eq!(events.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["sources", "done"]);
    assert_eq!(events[1].1["answer_reason"], "no model that answers is configured");
}

#[tokio::test]
async fn the_configuration_is_shown_and_changed_in_its_file() {
    let server = server();
    let config = server.get("/api/rag/config").await.json();
    assert_eq!((&config["config"]["top_k"], &config["updated"]), (&json!(20), &json!(false)));
    assert_eq!(server.post("/api/rag/config", config["config"].clone()).await.json(), config);
    let problem = server.post("/api/rag/config", json!({"top_k": 30})).await.problem(409, "conflict");
    assert!(
        problem.detail.contains("top_k is 20") && problem.detail.contains("rag.top_k in corsac.toml"),
        "{problem:?}"
    );
    assert_eq!(server.post("/api/rag/config", json!({"topk": 30})).await.violated(), ["topk"]);
    assert_eq!(server.post("/api/rag/config", json!([])).await.violated(), [""]);
}

#[tokio::test]
async fn administrators_see_and_do() {
    let server = server();
    let stats = server.get("/api/rag/admin/stats").await.json();
    assert_eq!((&stats["total_documents"], &stats["embedding_coverage"]), (&json!(1250), &json!(1.0)), "{stats}");
    assert_eq!((&stats["default_model"], &stats["cache_size"]), (&json!("built-in"), &json!(2)));
    let status = server.get("/api/rag/admin/indexing-status").await.json();
    assert_eq!(
        (&status["in_flight"], &status["queue_depth"], &status["pending_changes"]),
        (&json!(1), &json!(0), &json!(2))
    );
    let rebuild = server.post("/api/rag/admin/rebuild-index", json!({})).await;
    assert_eq!((rebuild.status.as_u16(), &rebuild.json()["result"]["tasks"][0]["id"]), (202, &json!("t1")));
    let cleared = server.post("/api/rag/admin/clear-cache", json!({})).await.json();
    assert_eq!(cleared["result"], json!({"entries": 3, "shared": 2, "hosts": 1}));
    assert_eq!(*server.fake.cleared.lock(), [Some("rag".to_owned())]);
    let health = server.get("/api/rag/health").await.json();
    assert_eq!((&health["status"], &health["service"]), (&json!("healthy"), &json!("rag")));
    server.fake.ready.store(false, Ordering::SeqCst);
    assert_eq!(server.get("/api/rag/health").await.json()["status"], "starting");
}
