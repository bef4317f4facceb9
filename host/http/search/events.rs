//! A search as server-sent events. There is nothing to resume, so events have no ids: whoever asks again gets the
//! end from the cache.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use axum::response::sse::Event;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Asked, cache_status};
use crate::http::problem::{Code, Problem};
use crate::http::tasks::streamed;
use crate::service::stream::SearchEvent;
use crate::service::{Answer, SearchRequest};

/// When a client that lost its connection may ask again.
const RETRY: Duration = Duration::from_secs(1);

/// The end of a search that was followed.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(in crate::http) struct Done {
    /// As the header `cache-status` of an answer without a stream, RFC 9211.
    cache: String,
    /// Of the body in `final`, without quotes.
    etag: String,
    /// From the question to this event.
    milliseconds: f64,
    /// In the order in which they ran.
    stages: Vec<StageTime>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(in crate::http) struct StageTime {
    stage: String,
    milliseconds: f64,
}

impl Done {
    fn of(answer: &Answer, elapsed: Duration) -> Self {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let stage = |(stage, time): &(&str, Duration)| StageTime {
            stage: (*stage).to_owned(),
            milliseconds: milliseconds(*time),
        };
        Self {
            cache: cache_status(answer.cache).to_owned(),
            etag: answer.etag.to_string(),
            milliseconds: milliseconds(elapsed),
            stages: answer.timings.iter().map(stage).collect(),
        }
    }
}

pub(super) async fn follow(asked: Asked, request: SearchRequest) -> Result<Response, Problem> {
    let shared = Arc::clone(&asked.shared);
    let following = shared.backend.streams().follow(request).await.map_err(|error| asked.failed(error))?;
    Ok(streamed(&shared, events(asked, following)))
}

/// Up to `done` or `error`, one of which comes whatever happens behind.
fn events(
    asked: Asked,
    following: BoxStream<'static, SearchEvent>,
) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static {
    let told = stream::unfold(Some((asked, following)), async |rest| {
        let (asked, mut following) = rest?;
        let happened = following.next().await;
        let ended = matches!(happened, None | Some(SearchEvent::Done(..) | SearchEvent::Failed(_)));
        let event = tell(&asked, happened);
        Some((event, (!ended).then_some((asked, following))))
    });
    told.enumerate().map(|(number, event)| Ok(if number == 0 { event.retry(RETRY) } else { event }))
}

fn tell(asked: &Asked, happened: Option<SearchEvent>) -> Event {
    let problem = |problem: Problem| json("error", &problem.document(&asked.id));
    match happened {
        Some(SearchEvent::Progress(progress)) => json("progress", &progress),
        Some(SearchEvent::Matches(matches)) => json("matches", &matches),
        // JSON has no line breaks but escaped ones, and is UTF-8.
        Some(SearchEvent::Final(answer)) => {
            Event::default().event("final").data(std::str::from_utf8(&answer.body).unwrap_or_default())
        }
        Some(SearchEvent::Done(answer, elapsed)) => {
            asked.shared.metrics.searched(&asked.label, answer.cache, elapsed, &answer.timings);
            json("done", &Done::of(&answer, elapsed))
        }
        Some(SearchEvent::Failed(error)) => problem(asked.failed(error)),
        None => problem(Problem::new(Code::Internal, "the server failed; its log has the reason")),
    }
}

/// What is told is plain data: it always has a JSON form.
fn json(event: &str, data: &impl Serialize) -> Event {
    Event::default().event(event).json_data(data).unwrap_or_default()
}
