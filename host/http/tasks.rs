//! Background tasks: the list, one task, and its progress as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, BoxStream, Stream, StreamExt};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::backend::TaskStatus;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::{Name, Shared};

/// Between two signs of life on a quiet stream; below the idle limits of usual proxies.
const HEARTBEAT: Duration = Duration::from_secs(15);

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct TaskList {
    /// Latest first.
    tasks: Vec<TaskStatus>,
}

/// List the tasks.
#[utoipa::path(
    get,
    path = "/api/tasks",
    tag = "indexing",
    responses((status = 200, body = TaskList), (status = 503, body = ProblemDocument, description = "the store is away"))
)]
pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Result<Json<TaskList>, Problem> {
    Ok(Json(TaskList { tasks: shared.backend.tasks().await? }))
}

/// Poll or follow a task.
///
/// With `accept: text/event-stream` the answer is a stream: `progress` events with the task as data, a
/// comment now and then as a sign of life, and at the end one `done` event with the task's last state.
#[utoipa::path(
    get,
    path = "/api/tasks/{id}",
    tag = "indexing",
    params(("id" = String, Path, description = "as `location` gave it")),
    responses(
        (status = 200, description = "the task, or the stream of its progress",
         content((TaskStatus = "application/json"), (String = "text/event-stream"))),
        (status = 404, body = ProblemDocument, description = "no such task"),
    )
)]
pub(super) async fn task(
    State(shared): State<Arc<Shared>>,
    Name(id): Name,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !wants_events(&headers) {
        let mut response = Json(shared.backend.task(&id).await?).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return Ok(response);
    }
    let states = shared.backend.watch_task(&id).await?;
    Ok(streamed(&shared, events(states)))
}

/// A stream as an answer; it ends when the server does.
pub(super) fn streamed(
    shared: &Shared,
    events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
) -> Response {
    beating(events.take_until(shared.closing.clone().cancelled_owned()), HEARTBEAT)
}

/// With a sign of life whenever nothing was said for so long.
fn beating(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static, heartbeat: Duration) -> Response {
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(heartbeat)).into_response();
    // Asks proxies that buffer to let events through as they come.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// The client asks for a stream.
pub(super) fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut media_types = accepted.flat_map(|value| value.split(','));
    media_types.any(|media| media.split(';').next().is_some_and(|essence| essence.trim() == "text/event-stream"))
}

/// Every state as `progress`, the final one as `done`, and the end right after it, whether or not the
/// backend's stream goes on.
fn events(states: BoxStream<'static, TaskStatus>) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(Some(states), async |states| {
        let mut states = states?;
        let task = states.next().await?;
        let ended = task.state.is_final();
        let event = Event::default().event(if ended { "done" } else { "progress" });
        // A task is plain data: it always has a JSON form.
        let event = event.json_data(&task).unwrap_or_default();
        Some((Ok(event), (!ended).then_some(states)))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn a_quiet_stream_shows_that_it_lives() {
        let quiet = stream::once(async { Ok(Event::default().event("progress").data("{}")) }).chain(stream::pending());
        let mut body = beating(quiet, Duration::from_millis(2)).into_body().into_data_stream();
        let mut next = async || String::from_utf8(body.next().await.unwrap().unwrap().to_vec()).unwrap();
        assert_eq!(next().await, "event: progress\ndata: {}\n\n");
        // A comment, which clients skip: https://html.spec.whatwg.org/multipage/server-sent-events.html
        assert_eq!([next().await, next().await], [":\n\n", ":\n\n"]);
    }
}
