//! `POST /api/rag/embed`: texts in, vectors out.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::backend::{EmbeddingModel, Rag};
use crate::http::problem::{Problem, ProblemDocument, Violation};
use crate::http::{Shared, body};

/// Texts of one request; more come in several.
pub(super) const MAX_TEXTS: usize = 256;
/// A longer text is embedded up to here, and the answer says so.
pub(super) const MAX_TEXT_BYTES: usize = 256 << 10;

const FIELDS: &[&str] = &["texts", "model"];

#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmbedBody {
    /// At most 256.
    #[schema(required = true, nullable = false, min_items = 1, max_items = 256)]
    pub texts: Option<Vec<String>>,
    /// One of `GET /v1/models`; the built-in one when left out.
    pub model: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EmbedResponse {
    /// One a text, in their order. Of the built-in model: unit length, or zeros for a text without a known word.
    pub embeddings: Vec<Vec<f32>>,
    pub model: String,
    pub dimension: u32,
    pub count: u32,
    /// Places, from 0, of texts that were longer than 256 KiB; their vectors stand for what is before that.
    pub truncated: Vec<u32>,
}

/// Embed texts.
#[utoipa::path(
    post,
    path = "/api/rag/embed",
    tag = "rag",
    request_body = EmbedBody,
    responses(
        (status = 200, body = EmbedResponse),
        (status = 422, body = ProblemDocument, description = "no texts, too many, or a model that is not there"),
        (status = 502, body = ProblemDocument, description = "the model elsewhere failed"),
        (status = 503, body = ProblemDocument, description = "the model elsewhere was given up for a while"),
        (status = 504, body = ProblemDocument, description = "the model elsewhere took too long"),
    )
)]
pub(in crate::http) async fn embed(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Json<EmbedResponse>, Problem> {
    let body = body::read_json(request, body::LARGE).await?;
    let (body, mut violations) = body::parse::<EmbedBody>(&body, FIELDS)?;
    let rag = shared.backend.rag();
    let model = match model(rag, body.model.as_deref()) {
        Ok(model) => Some(model),
        Err(known) => {
            let message = format!("is not there: this server has {known}");
            violations.push(Violation::new("model", message).remedy("leave it out for the first"));
            None
        }
    };
    let mut texts = body.texts.unwrap_or_default();
    if texts.is_empty() && !violations.iter().any(|violation| violation.field.starts_with("texts")) {
        let remedy = format!("send a list of 1 to {MAX_TEXTS} texts");
        violations.push(Violation::new("texts", "is missing or empty").remedy(remedy));
    } else if texts.len() > MAX_TEXTS {
        let message = format!("has {} entries, at most {MAX_TEXTS} are taken at once", texts.len());
        violations.push(Violation::new("texts", message).remedy("send them in several requests"));
    }
    let Some(model) = model.filter(|_| violations.is_empty()) else { return Err(Problem::invalid(violations)) };
    let truncated = cut(&mut texts);
    let embeddings = rag.embed(&model.id, texts).await?;
    let dimension = embeddings.first().map_or(0, Vec::len) as u32;
    let count = embeddings.len() as u32;
    Ok(Json(EmbedResponse { embeddings, model: model.id, dimension, count, truncated }))
}

/// The model of that name, the first when none is named; or the names of all.
pub(super) fn model(rag: &dyn Rag, name: Option<&str>) -> Result<EmbeddingModel, String> {
    let models = rag.models();
    let found = models.iter().find(|model| name.is_none_or(|name| name == model.id)).cloned();
    found.ok_or_else(|| models.iter().map(|model| format!("`{}`", model.id)).collect::<Vec<_>>().join(", "))
}

/// Shortens what is too long; the places of those texts.
pub(super) fn cut(texts: &mut [String]) -> Vec<u32> {
    let mut places = vec![];
    for (place, text) in texts.iter_mut().enumerate() {
        if text.len() > MAX_TEXT_BYTES {
            text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
            places.push(place as u32);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_letters_and_named() {
        let mut texts = vec!["short".to_owned(), "é".repeat(MAX_TEXT_BYTES / 2 + 1), "x".repeat(MAX_TEXT_BYTES)];
        texts.push(format!("x{}", "é".repeat(MAX_TEXT_BYTES)));
        assert_eq!(cut(&mut texts), [1, 3]);
        assert_eq!(texts.iter().map(String::len).collect::<Vec<_>>(), [5, 262_144, 262_144, 262_143]);
    }
}
