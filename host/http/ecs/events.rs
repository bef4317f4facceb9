//! What happened in the world: a page of events, or a stream that goes on.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::Serialize;
use utoipa::ToSchema;

use super::parameters::Parameters;
use super::{MAX_NUMBER, TheWorld, next_link};
use crate::ecs::view::EventView;
use crate::http::Shared;
use crate::http::problem::{Problem, Violation};
use crate::http::tasks::{streamed, wants_events};

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct EventList {
    /// In the order in which they happened.
    events: Vec<EventView>,
    /// Sequence of the last one; ask for what is after it.
    last: u64,
    /// There are later ones already.
    more: bool,
}

/// What happened.
///
/// With `accept: text/event-stream` a stream: `id` is the sequence, `event` the kind, `data` the event as
/// JSON. `last-event-id`, or `after`, says where it goes on; without either it begins now. Nothing is
/// missed in between.
#[utoipa::path(
    get,
    path = "/api/ecs/events",
    tag = "ecs",
    params(
        ("after" = Option<u64>, Query, description = "only events of a greater sequence; from the beginning when left out, for a stream from now on"),
        ("limit" = Option<u32>, Query, description = "100 when left out; means nothing for a stream", minimum = 1, maximum = 1000),
        ("last-event-id" = Option<u64>, Header, description = "for a stream: wins over `after`"),
    ),
    responses((status = 200, description = "a page of events, or the stream",
        content((EventList = "application/json"), (String = "text/event-stream")),
        headers(("link" = String, description = "the next page, if there is one"))))
)]
pub(in crate::http) async fn events(
    State(shared): State<Arc<Shared>>,
    TheWorld(world): TheWorld,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(&uri, &["after", "limit"]);
    let given = parameters.text("after").is_some();
    let after = parameters.number("after", 0, 0, MAX_NUMBER);
    let limit = parameters.number("limit", 100, 1, 1000);
    parameters.done()?;
    if !wants_events(&headers) {
        let events = world.events(after, limit).await?;
        let last = events.last().map_or(after, |event| event.sequence);
        let more = !events.is_empty() && last < world.status().sequence;
        let link = next_link(&uri, "after", more.then_some(last));
        return Ok((link, Json(EventList { events, last, more })).into_response());
    }
    let resumed = match headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default().trim()) {
        None | Some("") => None,
        Some(id) => Some(id.parse().ok().filter(|sequence| *sequence <= MAX_NUMBER).ok_or_else(|| {
            let violation = Violation::new("last-event-id", "is not the sequence of an event");
            Problem::invalid(vec![violation.remedy("send the `id` of the last event that came, or leave it out")])
        })?),
    };
    let happening = world.watch(resumed.or(given.then_some(after))).await?;
    Ok(streamed(&shared, happening.map(|event| Ok(told(&event)))))
}

fn told(event: &EventView) -> Event {
    // An event is plain data: it always has a JSON form.
    let told = Event::default().id(event.sequence.to_string()).event(&event.kind);
    told.json_data(event).unwrap_or_default()
}
