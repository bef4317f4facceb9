//! Answers of a language model: `/v1/chat/completions` of OpenAI and its like, streamed as server-sent events, and
//! `/api/chat` of Ollama, streamed as a JSON value a line. Knows the two formats; nothing of prompts' contents.

use std::collections::VecDeque;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde_json::{Value, json};

use super::client::Client;
use super::endpoint::{Dialect, Endpoint, error_in};
use super::pieces::{Events, Lines};
use super::{Generator, Prompt, StreamOfBytes, UpstreamError};

/// A language model elsewhere.
pub struct Chat {
    client: Client,
    endpoint: Endpoint,
}

impl Chat {
    pub fn new(client: Client, endpoint: Endpoint) -> Self {
        Self { client, endpoint }
    }
}

impl Generator for Chat {
    fn model(&self) -> &str {
        &self.endpoint.model
    }

    fn answer(&self, prompt: Prompt) -> BoxStream<'static, Result<String, UpstreamError>> {
        let (client, endpoint) = (self.client.clone(), self.endpoint.clone());
        let beginning = async move {
            let (path, body) = request(&endpoint, &prompt);
            match endpoint.begin(&client, path, &body).await {
                Ok(pieces) => Reading::new(endpoint, pieces).into_stream().boxed(),
                Err(error) => stream::iter([Err(error)]).boxed(),
            }
        };
        stream::once(beginning).flatten().boxed()
    }
}

fn request(endpoint: &Endpoint, prompt: &Prompt) -> (&'static str, Value) {
    let messages = json!([{ "role": "system", "content": prompt.system }, { "role": "user", "content": prompt.user }]);
    match endpoint.dialect {
        Dialect::OpenAi => (
            "/v1/chat/completions",
            json!({ "model": endpoint.model, "messages": messages, "max_tokens": prompt.max_tokens, "stream": true }),
        ),
        Dialect::Ollama => (
            "/api/chat",
            json!({
                "model": endpoint.model, "messages": messages, "stream": true,
                "options": { "num_predict": prompt.max_tokens },
            }),
        ),
    }
}

/// What one value of the stream says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    text: Option<String>,
    /// The model has ended; what comes after it is of no interest.
    is_end: bool,
}

/// An answer that is being read.
struct Reading {
    endpoint: Endpoint,
    pieces: StreamOfBytes,
    lines: Lines,
    events: Events,
    ready: VecDeque<Result<String, UpstreamError>>,
    ended: bool,
}

impl Reading {
    fn new(endpoint: Endpoint, pieces: StreamOfBytes) -> Self {
        let (lines, events) = (Lines::default(), Events::default());
        Self { endpoint, pieces, lines, events, ready: VecDeque::new(), ended: false }
    }

    fn into_stream(self) -> impl stream::Stream<Item = Result<String, UpstreamError>> + Send {
        stream::unfold(self, |mut reading| async move {
            loop {
                if let Some(ready) = reading.ready.pop_front() {
                    return Some((ready, reading));
                }
                if reading.ended {
                    return None;
                }
                match reading.pieces.next().await {
                    Some(Ok(piece)) => match reading.lines.push(&piece) {
                        Ok(lines) => lines.iter().for_each(|line| reading.take(line)),
                        Err(_) => reading.fail(reading.endpoint.nonsense("a line without end")),
                    },
                    Some(Err(error)) => reading.fail(error),
                    None => {
                        // The last line may lack its end; an event, the empty line after it.
                        let rest = reading.lines.rest();
                        rest.iter().map(String::as_str).chain([""]).for_each(|line| reading.take(line));
                        if !reading.ended {
                            reading.fail(reading.endpoint.nonsense("the answer broke off before its end"));
                        }
                    }
                }
            }
        })
    }

    fn fail(&mut self, error: UpstreamError) {
        self.ready.push_back(Err(error));
        self.ended = true;
    }

    fn take(&mut self, line: &str) {
        let data = match self.endpoint.dialect {
            Dialect::OpenAi if line.starts_with('{') => return self.fail_unless_ended("it does not stream"),
            Dialect::OpenAi => self.events.line(line),
            Dialect::Ollama => Some(line.to_owned()).filter(|line| !line.trim().is_empty()),
        };
        let Some(data) = data.filter(|_| !self.ended) else { return };
        match said(&self.endpoint, &data) {
            Ok(Said { text, is_end }) => {
                self.ready.extend(text.map(Ok));
                self.ended |= is_end;
            }
            Err(error) => self.fail(error),
        }
    }

    fn fail_unless_ended(&mut self, reason: &str) {
        if !self.ended {
            self.fail(self.endpoint.nonsense(reason));
        }
    }
}

fn said(endpoint: &Endpoint, data: &str) -> Result<Said, UpstreamError> {
    if endpoint.dialect == Dialect::OpenAi && data.trim() == "[DONE]" {
        return Ok(Said { is_end: true, ..Said::default() });
    }
    let value: Value =
        serde_json::from_str(data).map_err(|error| endpoint.nonsense(format!("a part that is no JSON: {error}")))?;
    if let Some(reason) = error_in(&value) {
        // The status was sent before the failure.
        return Err(endpoint.said(200, &reason));
    }
    let text = match endpoint.dialect {
        Dialect::OpenAi => &value["choices"][0]["delta"]["content"],
        Dialect::Ollama => &value["message"]["content"],
    };
    let text = text.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    // The last value may have text in other versions of the protocol.
    Ok(Said { text, is_end: endpoint.dialect == Dialect::Ollama && value["done"] == true })
}

#[cfg(test)]
mod tests;
