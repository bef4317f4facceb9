//! Vectors in the shape of OpenAI's API, for clients that know it: `POST /v1/embeddings`, `GET /v1/models`. Failures of
//! these handlers have its shape, too; a missing key and the like are problems as everywhere.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::embed::{MAX_TEXT_BYTES, MAX_TEXTS, model};
use crate::http::problem::Problem;
use crate::http::{Shared, body};
use crate::rag::tokens;

const FIELDS: &[&str] = &["input", "model", "encoding_format", "dimensions", "user"];

/// As OpenAI's `CreateEmbeddingRequest`.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OpenAiEmbeddingsBody {
    /// A text, or at most 256 of them, each of at most 256 KiB. Lists of token numbers are not taken: they mean nothing
    /// without their tokenizer.
    #[schema(required = true, nullable = false, value_type = Value)]
    pub input: Value,
    /// One of `GET /v1/models`.
    #[schema(required = true, nullable = false)]
    pub model: Option<String>,
    /// `float`, or `base64`: 32-bit numbers, the least significant byte first.
    #[schema(default = "float")]
    pub encoding_format: Option<String>,
    /// Only the model's own.
    pub dimensions: Option<i64>,
    /// Accepted, without effect.
    pub user: Option<String>,
}

/// As OpenAI's `CreateEmbeddingResponse`.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpenAiEmbeddings {
    /// `list`.
    pub object: String,
    pub data: Vec<OpenAiEmbedding>,
    pub model: String,
    pub usage: OpenAiUsage,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpenAiEmbedding {
    /// `embedding`.
    pub object: String,
    /// Place of the text in `input`, from 0.
    pub index: u32,
    pub embedding: OpenAiVector,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum OpenAiVector {
    Numbers(Vec<f32>),
    Base64(String),
}

/// Estimated: the greater of 1.3 × words and characters / 4.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpenAiUsage {
    pub prompt_tokens: u64,
    pub total_tokens: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpenAiModels {
    /// `list`.
    pub object: String,
    pub data: Vec<OpenAiModel>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpenAiModel {
    pub id: String,
    /// `model`.
    pub object: String,
    /// Unix seconds; 0: not known.
    pub created: u64,
    /// `corsac` for what runs in this server, else `upstream`.
    pub owned_by: String,
}

/// A failure as OpenAI's clients expect it.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = OpenAiError)]
pub struct OpenAiErrorBody {
    pub error: OpenAiErrorDetail,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpenAiErrorDetail {
    pub message: String,
    /// `invalid_request_error` when the request is at fault, else `server_error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The field at fault.
    pub param: Option<String>,
    pub code: Option<String>,
}

/// A failure on its way to the client.
pub(in crate::http) struct OpenAiError {
    status: StatusCode,
    detail: OpenAiErrorDetail,
}

impl OpenAiError {
    fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message.into(), Some(param.to_owned()), None)
    }

    fn new(status: StatusCode, message: String, param: Option<String>, code: Option<&str>) -> Self {
        let kind = if status.is_client_error() { "invalid_request_error" } else { "server_error" };
        let code = code.map(str::to_owned);
        Self { status, detail: OpenAiErrorDetail { message, kind: kind.to_owned(), param, code } }
    }
}

impl From<Problem> for OpenAiError {
    fn from(problem: Problem) -> Self {
        let Problem { code, detail, errors } = problem;
        // What is 422 elsewhere is 400 there.
        let status =
            if code.status() == StatusCode::UNPROCESSABLE_ENTITY { StatusCode::BAD_REQUEST } else { code.status() };
        match errors.into_iter().next() {
            None => Self::new(status, detail, None, Some(code.word())),
            Some(error) => {
                let remedy = error.remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
                let message = format!("{} {}{remedy}", error.field, error.message);
                Self::new(status, message.trim().to_owned(), Some(error.field), Some(code.word()))
            }
        }
    }
}

impl IntoResponse for OpenAiError {
    fn into_response(self) -> Response {
        (self.status, Json(OpenAiErrorBody { error: self.detail })).into_response()
    }
}

/// Embed texts as OpenAI's API does.
#[utoipa::path(
    post,
    path = "/v1/embeddings",
    tag = "rag",
    request_body = OpenAiEmbeddingsBody,
    responses(
        (status = 200, body = OpenAiEmbeddings),
        (status = 400, body = OpenAiErrorBody, description = "the request is not valid"),
        (status = 404, body = OpenAiErrorBody, description = "no such model"),
        (status = 408, body = OpenAiErrorBody, description = "the body took too long to arrive"),
        (status = 413, body = OpenAiErrorBody, description = "the body is too large"),
        (status = 415, body = OpenAiErrorBody, description = "not `application/json`"),
        (status = 502, body = OpenAiErrorBody, description = "the model elsewhere failed"),
        (status = 503, body = OpenAiErrorBody, description = "the model elsewhere was given up for a while"),
        (status = 504, body = OpenAiErrorBody, description = "the model elsewhere took too long"),
    )
)]
pub(in crate::http) async fn embeddings(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Json<OpenAiEmbeddings>, OpenAiError> {
    let body = body::read_json(request, body::LARGE).await?;
    let (body, violations) = body::parse::<OpenAiEmbeddingsBody>(&body, FIELDS)?;
    if !violations.is_empty() {
        return Err(Problem::invalid(violations).into());
    }
    let texts = texts(body.input)?;
    let in_base64 = match body.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err(OpenAiError::invalid("encoding_format", "encoding_format is neither float nor base64")),
    };
    let Some(name) = &body.model else { return Err(OpenAiError::invalid("model", "model is missing")) };
    let rag = shared.backend.rag();
    let model = model(rag, Some(name)).map_err(|known| {
        let name: String = name.chars().take(100).collect();
        let message = format!("the model `{name}` is not there: this server has {known}");
        OpenAiError::new(StatusCode::NOT_FOUND, message, Some("model".into()), Some("model_not_found"))
    })?;
    let wrong = |own: u32| {
        let message = format!("{} has vectors of {own} dimensions, which cannot be shortened; leave it out", model.id);
        OpenAiError::invalid("dimensions", message)
    };
    if let (Some(wanted), Some(own)) = (body.dimensions, model.dimension)
        && wanted != i64::from(own)
    {
        return Err(wrong(own));
    }
    let tokens: u64 = texts.iter().map(|text| tokens::count(text) as u64).sum();
    let vectors = rag.embed(&model.id, texts).await.map_err(|error| OpenAiError::from(Problem::from(error)))?;
    // Of a model elsewhere it is known only now.
    let own = vectors.first().map_or(0, Vec::len) as u32;
    if body.dimensions.is_some_and(|wanted| wanted != i64::from(own)) {
        return Err(wrong(own));
    }
    let data = vectors.into_iter().zip(0..).map(|(vector, index)| OpenAiEmbedding {
        object: "embedding".into(),
        index,
        embedding: if in_base64 { OpenAiVector::Base64(base64(&vector)) } else { OpenAiVector::Numbers(vector) },
    });
    let usage = OpenAiUsage { prompt_tokens: tokens, total_tokens: tokens };
    Ok(Json(OpenAiEmbeddings { object: "list".into(), data: data.collect(), model: model.id, usage }))
}

fn texts(input: Value) -> Result<Vec<String>, OpenAiError> {
    let wrong = |message: String| OpenAiError::invalid("input", message);
    let texts = match input {
        Value::Null => return Err(wrong("input is missing".into())),
        Value::String(text) => vec![text],
        Value::Array(list) if list.len() > MAX_TEXTS => {
            return Err(wrong(format!("input has {} texts, at most {MAX_TEXTS} are taken at once", list.len())));
        }
        Value::Array(list) => {
            let text = |value| match value {
                Value::String(text) => Ok(text),
                _ => Err(wrong("input must be a text or a list of texts; token numbers are not taken".into())),
            };
            list.into_iter().map(text).collect::<Result<_, _>>()?
        }
        _ => return Err(wrong("input must be a text or a list of texts".into())),
    };
    if texts.is_empty() || texts.iter().any(String::is_empty) {
        return Err(wrong("input is empty, or one of its texts is".into()));
    }
    match texts.iter().position(|text| text.len() > MAX_TEXT_BYTES) {
        Some(place) => Err(wrong(format!("input[{place}] has more than {MAX_TEXT_BYTES} bytes"))),
        None => Ok(texts),
    }
}

fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
    BASE64_STANDARD.encode(bytes)
}

/// Models that embed, as OpenAI's API lists them.
#[utoipa::path(get, path = "/v1/models", tag = "rag", responses((status = 200, body = OpenAiModels)))]
pub(in crate::http) async fn models(State(shared): State<Arc<Shared>>) -> Json<OpenAiModels> {
    let models = shared.backend.rag().models().into_iter().map(|model| OpenAiModel {
        id: model.id,
        object: "model".into(),
        created: 0,
        owned_by: if model.is_built_in { "corsac" } else { "upstream" }.into(),
    });
    Json(OpenAiModels { object: "list".into(), data: models.collect() })
}
