//! An answer in words over the passages: asks the model, reads its citations, writes both down, at once or as a
//! stream. Decides nothing about searching.

use std::convert::Infallible;
use std::sync::Arc;

use axum::response::Response;
use axum::response::sse::Event;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use serde_json::json;

use super::backend::told;
use super::query::Wanted;
use crate::http::Shared;
use crate::http::problem::{Code, Problem};
use crate::http::tasks;
use crate::rag::citation;
use crate::rag::passage::Source;
use crate::rag::prompt::prompt;
use crate::service::Answer;
use crate::service::passages::answer::{Passage, PassagesResponse};
use crate::upstream::{Generator, Prompt, UpstreamError};

/// A model that goes on after so much is cut short.
const MAX_ANSWER_BYTES: usize = 1 << 20;
const NOTHING_FOUND: &str = "nothing was found to answer from";

/// The passages of an answer of the service, and what is beside them.
pub(super) struct Passages {
    response: PassagesResponse,
    answer: Answer,
}

pub(super) fn read(answer: &Answer) -> Result<Passages, Problem> {
    let response = serde_json::from_slice(&answer.body).map_err(|error| {
        tracing::error!(%error, "passages cannot be read");
        Problem::new(Code::Internal, "the server failed; its log has the reason")
    })?;
    Ok(Passages { response, answer: answer.clone() })
}

/// The same with an answer in words. A model that fails is the request's failure only if it insisted.
pub(super) async fn complete(
    passages: Passages,
    generator: Arc<dyn Generator>,
    max_tokens: u32,
    wanted: Wanted,
) -> Result<Answer, Problem> {
    let Passages { mut response, mut answer } = passages;
    if response.passages.is_empty() {
        response.answer_reason = Some(NOTHING_FOUND.into());
    } else {
        match written(generator.answer(prompt_of(&response, max_tokens))).await {
            Ok(text) => settle(&mut response, text, generator.model()),
            Err(error) if wanted == Wanted::Yes => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "a question is not answered in words");
                response.answer_reason = Some(told(&error));
            }
        }
    }
    let body = serde_json::to_vec(&response).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written");
        Problem::new(Code::Internal, "the server failed; its log has the reason")
    })?;
    // No two answers of a model need be alike, so this body is another one than that of the passages.
    answer.etag = blake3::hash(&body).to_hex()[..32].into();
    answer.body = body.into();
    Ok(answer)
}

async fn written(mut pieces: BoxStream<'static, Result<String, UpstreamError>>) -> Result<String, UpstreamError> {
    let mut text = String::new();
    while text.len() < MAX_ANSWER_BYTES
        && let Some(piece) = pieces.next().await
    {
        text.push_str(&piece?);
    }
    Ok(text)
}

fn settle(response: &mut PassagesResponse, text: String, model: &str) {
    let cited = citation::cited(&text, response.passages.len() as u32);
    let of = |number: &u32| response.passages.get(*number as usize - 1).map(|passage| passage.citation.clone());
    response.citations = cited.numbers.iter().filter_map(of).collect();
    response.unknown_citations = cited.unknown;
    response.answer = Some(text);
    response.answer_reason = None;
    response.answer_model = Some(model.to_owned());
}

fn prompt_of(response: &PassagesResponse, max_tokens: u32) -> Prompt {
    let sources: Vec<Source> = response.passages.iter().map(source).collect();
    prompt(&response.metadata.query, &sources, max_tokens)
}

fn source(passage: &Passage) -> Source {
    Source {
        number: passage.citation.number,
        path: passage.citation.path.clone(),
        start_line: passage.citation.start_line,
        end_line: passage.citation.end_line,
        text: passage.text.clone(),
        tokens: passage.tokens as usize,
        score: passage.score,
        truncated: passage.truncated,
        found: vec![],
    }
}

/// `sources`, `token` for each piece, then `done` or `error`. The model's work ends when the client goes away.
pub(super) fn streamed(
    shared: &Shared,
    passages: Passages,
    generator: Option<Arc<dyn Generator>>,
    max_tokens: u32,
) -> Response {
    let Passages { mut response, .. } = passages;
    let nothing = response.passages.is_empty();
    if generator.is_some() && nothing {
        response.answer_reason = Some(NOTHING_FOUND.into());
    }
    let generator = generator.filter(|_| !nothing);
    let pieces = generator.as_ref().map(|generator| generator.answer(prompt_of(&response, max_tokens)));
    let model = generator.map(|generator| generator.model().to_owned());
    tasks::streamed(shared, events(Telling { response, pieces, model, text: String::new(), stage: Stage::Sources }))
}

/// How far a stream is.
struct Telling {
    response: PassagesResponse,
    pieces: Option<BoxStream<'static, Result<String, UpstreamError>>>,
    model: Option<String>,
    text: String,
    stage: Stage,
}

enum Stage {
    Sources,
    Tokens,
    Over,
}

fn events(telling: Telling) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(telling, async |mut telling| {
        let event = match telling.stage {
            Stage::Over => return None,
            Stage::Sources => {
                telling.stage = Stage::Tokens;
                let PassagesResponse { passages, total, metadata, .. } = &telling.response;
                named("sources", &json!({"passages": passages, "total": total, "metadata": metadata}))
            }
            Stage::Tokens => telling.next().await,
        };
        Some((Ok(event), telling))
    })
}

impl Telling {
    async fn next(&mut self) -> Event {
        if let Some(pieces) = &mut self.pieces
            && self.text.len() < MAX_ANSWER_BYTES
        {
            match pieces.next().await {
                Some(Ok(piece)) => {
                    self.text.push_str(&piece);
                    return named("token", &json!({"text": piece}));
                }
                Some(Err(error)) => {
                    self.stage = Stage::Over;
                    let Problem { code, detail, .. } = error.into();
                    return named("error", &json!({"code": code.word(), "detail": detail}));
                }
                None => {}
            }
        }
        self.stage = Stage::Over;
        if let Some(model) = &self.model {
            settle(&mut self.response, std::mem::take(&mut self.text), model);
        }
        let PassagesResponse { answer, citations, unknown_citations, answer_reason, answer_model, .. } = &self.response;
        let done = json!({"answer": answer, "citations": citations, "unknown_citations": unknown_citations,
            "answer_reason": answer_reason, "answer_model": answer_model});
        named("done", &done)
    }
}

fn named(name: &str, data: &serde_json::Value) -> Event {
    // Plain data always has a JSON form.
    Event::default().event(name).json_data(data).unwrap_or_default()
}
