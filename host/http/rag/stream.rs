//! `POST /api/rag/ingest/stream`: documents in as lines, events out, in bounded memory whatever the body's size. What is
//! read is stored before more is read, so a client that is faster than the store is held back by its connection.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use serde_json::{Value, json};

use super::ingest::{FailedItem, IngestItem, document, shortened, store};
use crate::http::backend::PostedDocument;
use crate::http::problem::{Code, Problem, ProblemDocument, Violation};
use crate::http::{Shared, body, tasks};
use crate::rag::lines::{Line, Splitter};

/// Of one line; escapes make a document of a mebibyte up to six times as long.
const MAX_LINE_BYTES: usize = 8 << 20;
/// What is stored in one transaction, beside the number of items.
const BATCH_BYTES: usize = 4 << 20;
const BATCH_ITEMS: usize = 256;
/// A client that sends nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two signs of progress, and how many failures are named: a client that reads nothing before it has sent
/// everything must not fill the connection's buffers, or both would wait for ever.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
const MAX_NAMED: u64 = 1000;

const FIELDS: &[&str] = &["batch_size", "force_reindex"];

/// Store documents as they come.
///
/// The body has one item (`source`, `content`, `title`, `language`) a line as JSON, of any number and size in all; a
/// line has at most 8 MiB. The answer is a stream: `progress` now and then, `item_failed` for each of the first 1000
/// lines that could not be taken, at the end `done` with all counts, or `error` with the last line that is safe:
/// whoever sends again may begin after it. With `accept: application/x-ndjson` each event is a line of JSON instead.
#[utoipa::path(
    post,
    path = "/api/rag/ingest/stream",
    tag = "rag",
    params(
        ("batch_size" = Option<u32>, Query, description = "items of one transaction; 256 when left out", minimum = 1, maximum = 1000),
        ("force_reindex" = Option<bool>, Query, description = "derive again what did not change"),
    ),
    request_body(content = String, content_type = "application/x-ndjson"),
    responses(
        (status = 200, description = "events",
         content((String = "text/event-stream"), (String = "application/x-ndjson"))),
        (status = 415, body = ProblemDocument, description = "not `application/x-ndjson`"),
        (status = 422, body = ProblemDocument, description = "every parameter that is not valid"),
    )
)]
pub(in crate::http) async fn ingest(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Problem> {
    let (batch_items, again) = parameters(request.uri())?;
    if !is_lines(request.headers()) {
        let detail = "send one JSON object a line as `content-type: application/x-ndjson`";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    let as_lines = wants_lines(request.headers());
    let body = request.into_body().into_data_stream();
    let events = Intake::new(shared.clone(), body, batch_items, again).events();
    if !as_lines {
        let told = |Told { name, data }: Told| Ok(Event::default().event(name).json_data(data).unwrap_or_default());
        return Ok(tasks::streamed(&shared, events.map(told)));
    }
    let line = |Told { name, mut data }: Told| {
        data["event"] = name.into();
        Ok::<_, Infallible>(Bytes::from(format!("{data}\n")))
    };
    let lines = events.map(line).take_until(shared.closing.clone().cancelled_owned());
    let mut response = Body::from_stream(lines).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn parameters(uri: &Uri) -> Result<(usize, bool), Problem> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(pairs)| pairs).unwrap_or_default();
    let (mut batch_items, mut again, mut violations) = (BATCH_ITEMS, false, vec![]);
    for (name, value) in pairs.iter().take(body::MAX_VIOLATIONS) {
        match (name.as_str(), value.as_str()) {
            ("batch_size", number) => match number.parse() {
                Ok(number) if (1..=1000).contains(&number) => batch_items = number,
                _ => violations.push(Violation::new("batch_size", "is not a number from 1 to 1000")),
            },
            ("force_reindex", "true" | "1") => again = true,
            ("force_reindex", "false" | "0") => again = false,
            ("force_reindex", _) => {
                violations.push(Violation::new("force_reindex", "is neither true nor false"));
            }
            (unknown, _) => violations.push(body::unknown_field(unknown, FIELDS)),
        }
    }
    if violations.is_empty() { Ok((batch_items, again)) } else { Err(Problem::invalid(violations)) }
}

fn is_lines(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(essence.as_str(), "application/x-ndjson" | "application/ndjson" | "application/jsonl")
}

fn wants_lines(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|media| media.split(';').next().is_some_and(|essence| essence.trim() == "application/x-ndjson"))
}

/// One event.
struct Told {
    name: &'static str,
    data: Value,
}

/// A body on its way into the store.
struct Intake {
    shared: Arc<Shared>,
    body: BodyDataStream,
    /// None: the body has ended.
    splitter: Option<Splitter>,
    /// Of the chunk that was read last.
    lines: VecDeque<Line>,
    batch: Vec<(u64, PostedDocument)>,
    batch_bytes: usize,
    batch_items: usize,
    again: bool,
    events: VecDeque<Told>,
    is_over: bool,
    began: Instant,
    told_at: Option<Instant>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    bytes: u64,
    /// Lines that are not empty.
    total: u64,
    processed: u64,
    failures: u64,
    /// Everything up to this line is stored or named as failed.
    line: u64,
}

impl Intake {
    fn new(shared: Arc<Shared>, body: BodyDataStream, batch_items: usize, again: bool) -> Self {
        Self {
            shared,
            body,
            splitter: Some(Splitter::new(MAX_LINE_BYTES)),
            lines: VecDeque::new(),
            batch: vec![],
            batch_bytes: 0,
            batch_items,
            again,
            events: VecDeque::new(),
            is_over: false,
            began: Instant::now(),
            told_at: None,
            counts: Counts::default(),
        }
    }

    fn events(self) -> impl Stream<Item = Told> {
        stream::unfold(self, async |mut intake| {
            let told = intake.next().await?;
            Some((told, intake))
        })
    }

    async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(told) = self.events.pop_front() {
                return Some(told);
            }
            if self.is_over {
                return None;
            }
            if let Err(problem) = self.advance().await {
                self.is_over = true;
                let Counts { processed, failures, line, .. } = self.counts;
                let data = json!({"code": problem.code.word(), "detail": problem.detail, "processed": processed,
                    "failures": failures, "line": line});
                self.events.push_back(Told { name: "error", data });
            }
        }
    }

    /// Takes a line, or reads on, or ends.
    async fn advance(&mut self) -> Result<(), Problem> {
        if let Some(line) = self.lines.pop_front() {
            self.take(line);
            if self.batch.len() >= self.batch_items || self.batch_bytes >= BATCH_BYTES {
                self.store().await?;
            }
            return Ok(());
        }
        let Some(splitter) = &mut self.splitter else {
            self.store().await?;
            self.is_over = true;
            self.tell_counts("done");
            return Ok(());
        };
        match tokio::time::timeout(PATIENCE, self.body.next()).await {
            Ok(Some(Ok(chunk))) => {
                self.counts.bytes += chunk.len() as u64;
                self.lines.extend(splitter.push(&chunk));
            }
            Ok(None) => self.lines.extend(self.splitter.take().and_then(Splitter::finish)),
            // What came whole before the break is good.
            Ok(Some(Err(error))) => {
                self.store().await?;
                return Err(Problem::new(Code::MalformedJson, format!("the body broke off: {error}")));
            }
            Err(_) => {
                self.store().await?;
                let detail = format!("nothing came for {} s", PATIENCE.as_secs());
                return Err(Problem::new(Code::BodyTooSlow, detail));
            }
        }
        Ok(())
    }

    fn take(&mut self, line: Line) {
        self.counts.total += 1;
        let Line { number, content } = line;
        let bytes = match content {
            Ok(bytes) => bytes,
            Err(error) => return self.fail(number, None, error.to_string()),
        };
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(error) => {
                return self.fail(number, None, format!("is not UTF-8 from byte {} on", error.valid_up_to()));
            }
        };
        match serde_json::from_str::<IngestItem>(text) {
            Ok(item) => {
                // A name may be as long as a content; the line is as long as all of them at least.
                self.batch_bytes += text.len();
                self.batch.push((number, document(item)));
            }
            Err(error) => {
                let value: Option<Value> = serde_json::from_str(text).ok();
                let source = value.as_ref().and_then(|value| value.get("source")?.as_str()).map(shortened);
                // It may quote a value as long as the line.
                self.fail(number, source, shortened(&error.to_string()));
            }
        }
    }

    fn fail(&mut self, item: u64, source: Option<String>, message: String) {
        self.counts.failures += 1;
        if self.counts.failures <= MAX_NAMED {
            let data = json!(FailedItem { item, source, message });
            self.events.push_back(Told { name: "item_failed", data });
        }
    }

    async fn store(&mut self) -> Result<(), Problem> {
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        let last = batch.last().map(|(line, _)| *line);
        let stored = store(&self.shared, batch, self.again).await?;
        self.counts.processed += stored.processed;
        for FailedItem { item, source, message } in stored.failed {
            self.fail(item, source, message);
        }
        self.counts.line = last.unwrap_or(self.counts.line);
        if last.is_some() && self.told_at.is_none_or(|told| told.elapsed() >= PROGRESS_EVERY) {
            self.told_at = Some(Instant::now());
            self.tell_counts("progress");
        }
        Ok(())
    }

    fn tell_counts(&mut self, name: &'static str) {
        let Counts { bytes, total, processed, failures, line } = self.counts;
        let mut data = json!({"processed": processed, "total": total, "failures": failures, "bytes": bytes,
            "line": line, "processing_time": self.began.elapsed().as_secs_f64()});
        if name == "done" {
            data["success"] = (failures == 0).into();
            let unnamed = failures.saturating_sub(MAX_NAMED);
            data["message"] = match (failures, unnamed) {
                (0, _) => format!("{processed} items are searchable"),
                (_, 0) => format!("{processed} items are searchable, {failures} were not taken"),
                _ => format!("{processed} items are searchable, {failures} were not taken, {unnamed} of them unnamed"),
            }
            .into();
        }
        self.events.push_back(Told { name, data });
    }
}
