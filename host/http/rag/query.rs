//! `POST /api/rag/query`: JSON to `PassagesRequest`, and the passages out, with an answer in words where there is a
//! model that gives one.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::HeaderName;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::answer;
use super::backend::RagConfig;
use crate::http::problem::{Problem, ProblemDocument, Violation, code_of};
use crate::http::search::{freshness, to_response};
use crate::http::tasks::wants_events;
use crate::http::{Shared, body, fields};
use crate::query::{Query, Scope};
use crate::service::SearchRequest;
use crate::service::passages::answer::PassagesResponse;
use crate::service::passages::{Modality, PassagesRequest};

/// Where these searches are counted.
const LABEL: &str = "rag";
/// The share of meaning in a hybrid search, which `semantic_boost` multiplies, and of the rest; as `strategy-hybrid`
/// has them.
const WEIGHTS: (f32, f32) = (0.6, 0.4);
/// Chunks that are ranked for one that is wanted: some fall to the conditions, and recency may lift others.
const SPARE: u32 = 4;
/// Letters of an identity that nobody reads.
const MAX_ID: usize = 256;

/// A question to the documents. Only `q` is needed; `null` is the same as leaving a field out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"q": "how are cached answers invalidated", "top_k": 10, "max_tokens": 1500}))]
pub struct RagQueryBody {
    /// What is asked; 1 to 4096 bytes.
    #[schema(required = true, nullable = false, min_length = 1, max_length = 4096)]
    pub q: Option<String>,
    /// `docs` (prose), `code` or `all`.
    #[schema(value_type = Option<Modality>, default = "all")]
    pub modality: Option<String>,
    /// Chunks; what the server says when left out.
    #[schema(minimum = 1, maximum = 100)]
    pub top_k: Option<i64>,
    /// Least cosine of a hit. Above 0, what was found by its words alone is left out.
    #[schema(minimum = 0, maximum = 1, default = 0)]
    pub similarity_threshold: Option<f64>,
    /// False: the strategy's own order. True: the server's ranker for it.
    #[schema(default = false)]
    pub enable_reranking: Option<bool>,
    /// Weight of meaning against characters, for strategies that have both: 0.6 × this against 0.4.
    #[schema(minimum = 0.1, maximum = 2, default = 1)]
    pub semantic_boost: Option<f64>,
    /// score = relevance × (1 − this × (1 − 2^(−age / 30 days))).
    #[schema(minimum = 0, maximum = 1, default = 0.1)]
    pub temporal_weight: Option<f64>,
    /// Tokens of the context; what the server says when left out.
    #[schema(minimum = 50, maximum = 100000)]
    pub max_tokens: Option<i64>,
    /// Chunks beside a found one, on either side, that belong to its passage.
    #[schema(minimum = 0, maximum = 10)]
    pub neighbours: Option<i64>,
    /// `false`: passages alone. `"auto"`: an answer in words if there is a model; if it fails, the answer says so.
    /// `true`: as `"auto"`, but a model that fails is a failure of the request.
    #[schema(value_type = Value, default = "auto")]
    pub answer: Option<Value>,
    /// Name of a loaded strategy, with or without `strategy-`.
    pub strategy: Option<String>,
    /// Name of a loaded ranker, with or without `rank-`; wins over `enable_reranking`.
    pub ranker: Option<String>,
    /// Extensions, with or without a dot; all when empty.
    #[schema(max_items = 32)]
    pub file_types: Option<Vec<String>>,
    /// Folders relative to the indexed one; all when empty.
    #[schema(max_items = 64)]
    pub directories: Option<Vec<String>>,
    /// Add `embedding_vector` to the hits.
    #[schema(default = false)]
    pub include_embeddings: Option<bool>,
    /// Add `file_content` to the hits.
    #[schema(default = false)]
    pub include_content: Option<bool>,
    /// Accepted for clients of the earlier API, without effect.
    #[schema(max_length = 256)]
    pub session_id: Option<String>,
    /// Accepted for clients of the earlier API, without effect.
    #[schema(max_length = 256)]
    pub user_id: Option<String>,
}

/// All names of `RagQueryBody`. A test compares.
pub(in crate::http) const FIELDS: &[&str] = &[
    "q",
    "modality",
    "top_k",
    "similarity_threshold",
    "enable_reranking",
    "semantic_boost",
    "temporal_weight",
    "max_tokens",
    "neighbours",
    "answer",
    "strategy",
    "ranker",
    "file_types",
    "directories",
    "include_embeddings",
    "include_content",
    "session_id",
    "user_id",
];

/// Whether an answer in words is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    No,
    IfPossible,
    Yes,
}

/// Find passages, and answer from them.
///
/// With `accept: text/event-stream` a stream: `sources` (the passages), `token` (a piece of the answer) again and
/// again, then `done` (answer and citations) or `error`. Sources are data that anybody may have written: a model can
/// be misled by them.
#[utoipa::path(
    post,
    path = "/api/rag/query",
    tag = "rag",
    request_body = RagQueryBody,
    responses(
        (status = 200, description = "what was found, possibly nothing",
         content((PassagesResponse = "application/json"), (String = "text/event-stream"))),
        (status = 404, body = ProblemDocument, description = "no such strategy; the detail lists the loaded ones"),
        (status = 422, body = ProblemDocument, description = "every field that is not valid, at once"),
        (status = 502, body = ProblemDocument, description = "a plugin failed, or the model that `answer` wants did"),
        (status = 503, body = ProblemDocument, description = "too many searches at once, or the model was given up for a while"),
        (status = 504, body = ProblemDocument, description = "the search, a plugin or the model took too long"),
    )
)]
pub(in crate::http) async fn query(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Problem> {
    let start = Instant::now();
    let as_events = wants_events(request.headers());
    let body = body::read_json(request, body::SMALL).await?;
    let rag = shared.backend.rag();
    let config = rag.config();
    let (mut request, wanted) = to_request(&body, &config)?;
    let generator = match wanted {
        Wanted::No => Err("no answer in words was asked for"),
        Wanted::IfPossible | Wanted::Yes => rag.generator().ok_or("no model that answers is configured"),
    };
    request.answer_reason = generator.as_ref().err().copied();
    let freshness = shared.freshness.value(shared.backend.freshness());
    let found = match rag.passages(request).await {
        Ok(found) => found,
        Err(error) => {
            shared.metrics.search_failed(code_of(&error).word());
            return Err(error.into());
        }
    };
    let elapsed = start.elapsed();
    shared.metrics.searched(LABEL, found.cache, elapsed, &found.timings);
    let generator = generator.ok();
    let mut response = if as_events {
        answer::streamed(&shared, answer::read(&found)?, generator, config.answer_tokens)
    } else if let Some(generator) = generator {
        let answered = answer::complete(answer::read(&found)?, generator, config.answer_tokens, wanted).await?;
        to_response(answered, start.elapsed())
    } else {
        to_response(found, elapsed)
    };
    response.headers_mut().insert(HeaderName::from_static(freshness::NAME), freshness);
    Ok(response)
}

fn to_request(body: &[u8], config: &RagConfig) -> Result<(PassagesRequest, Wanted), Problem> {
    let (body, mut violations) = body::parse::<RagQueryBody>(body, FIELDS)?;
    let readable = !violations.iter().any(|violation| violation.field == "q");
    let (request, wanted) = validate(body, readable, config, &mut violations);
    if violations.is_empty() { Ok((request, wanted)) } else { Err(Problem::invalid(violations)) }
}

fn validate(
    body: RagQueryBody,
    readable: bool,
    config: &RagConfig,
    violations: &mut Vec<Violation>,
) -> (PassagesRequest, Wanted) {
    let mut of_query = vec![];
    let text = if readable { fields::query(body.q, &mut of_query) } else { String::new() };
    violations.extend(of_query.into_iter().map(|violation| Violation { field: "q".into(), ..violation }));
    let modality = modality(body.modality.as_deref(), violations);
    let top_k = fields::within("top_k", body.top_k, config.top_k.into(), 1, 100, violations) as u32;
    let threshold = fields::within("similarity_threshold", body.similarity_threshold, 0.0, 0.0, 1.0, violations) as f32;
    let boost = fields::within("semantic_boost", body.semantic_boost, 1.0, 0.1, 2.0, violations) as f32;
    let temporal_weight = fields::within("temporal_weight", body.temporal_weight, 0.1, 0.0, 1.0, violations) as f32;
    let max_tokens =
        fields::within("max_tokens", body.max_tokens, config.max_tokens.into(), 50, 100_000, violations) as u32;
    let neighbours = fields::within("neighbours", body.neighbours, config.neighbours.into(), 0, 10, violations) as u32;
    for (field, name) in [("strategy", &body.strategy), ("ranker", &body.ranker)] {
        if name.as_deref().is_some_and(|name| !fields::is_plugin_name(name)) {
            violations.push(fields::no_plugin(field));
        }
    }
    for (field, id) in [("session_id", &body.session_id), ("user_id", &body.user_id)] {
        if id.as_deref().is_some_and(|id| id.len() > MAX_ID) {
            violations.push(Violation::new(field, format!("is longer than {MAX_ID} bytes")));
        }
    }
    let scope = Scope {
        file_types: fields::file_types(body.file_types.unwrap_or_default(), violations),
        directories: fields::directories(body.directories.unwrap_or_default(), violations),
    };
    let reranked = body.enable_reranking.unwrap_or(false).then(|| config.ranker.clone());
    let named = |name: &str, weight: f32| (name.to_owned(), weight);
    let limit = (top_k * SPARE).max(100);
    let search = SearchRequest {
        strategy: body.strategy.unwrap_or_else(|| config.strategy.clone()),
        ranker: body.ranker.or(reranked),
        query: Query {
            scope,
            similarity_threshold: (threshold > 0.0).then_some(threshold),
            // Left out where it says nothing: the strategy may know better weights than these.
            weights: if boost == 1.0 {
                vec![]
            } else {
                vec![named("semantic", WEIGHTS.0 * boost), named("syntax", WEIGHTS.1)]
            },
            ..Query::new(text, limit)
        },
        offset: 0,
        max_results: top_k,
        context_lines: 0,
        explain: false,
        facets: vec![],
        persona: None,
        understand: None,
    };
    let wanted = wanted(body.answer, violations);
    let with_embeddings = body.include_embeddings.unwrap_or(false);
    let with_contents = body.include_content.unwrap_or(false);
    let request = PassagesRequest {
        search,
        modality,
        top_k,
        temporal_weight,
        max_tokens,
        neighbours,
        with_embeddings,
        with_contents,
        answer_reason: None,
    };
    (request, wanted)
}

fn modality(given: Option<&str>, violations: &mut Vec<Violation>) -> Modality {
    match given {
        None | Some("all") => return Modality::All,
        Some("docs") => return Modality::Docs,
        Some("code") => return Modality::Code,
        Some("captions" | "images") => {
            let message = "wants pictures, and this server indexes text alone";
            violations.push(Violation::new("modality", message).remedy("write `docs`, `code` or `all`"));
        }
        Some(_) => violations.push(Violation::new("modality", "is none of `docs`, `code`, `all`")),
    }
    Modality::All
}

fn wanted(given: Option<Value>, violations: &mut Vec<Violation>) -> Wanted {
    match given {
        None => Wanted::IfPossible,
        Some(Value::Bool(false)) => Wanted::No,
        Some(Value::Bool(true)) => Wanted::Yes,
        Some(Value::String(word)) if word == "auto" => Wanted::IfPossible,
        Some(_) => {
            violations.push(Violation::new("answer", "is none of `true`, `false`, `\"auto\"`"));
            Wanted::No
        }
    }
}
