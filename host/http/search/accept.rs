//! In which form a client wants its answer: `Accept` as RFC 9110, section 12.5.1, has it. Knows nothing of answers.

use axum::http::{HeaderMap, header};

use crate::http::problem::{Code, Problem};

const JSON: &str = "application/json";
pub(super) const EVENTS: &str = "text/event-stream";
pub(super) const LINES: &str = "application/x-ndjson";

/// The forms that a search has. Of those that a client likes equally it gets the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One JSON document.
    Document,
    /// Server-sent events.
    Events,
    /// One JSON document a line.
    Lines,
}

const FORMS: [(Form, &str); 3] = [(Form::Document, JSON), (Form::Events, EVENTS), (Form::Lines, LINES)];

/// The form that the client likes best; 406 when it likes none.
pub(super) fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let mut values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    // What nearly all clients send, or nothing.
    if values.peek().is_none_or(|first| matches!(first.trim(), "*/*" | JSON | "")) {
        return Ok(Form::Document);
    }
    let ranges: Vec<Range<'_>> = values.flat_map(|value| value.split(',')).filter_map(Range::of).collect();
    let mut best = None;
    for (form, media) in FORMS {
        let liking = liking(&ranges, media);
        if liking > best.map_or(0, |(_, liking)| liking) {
            best = Some((form, liking));
        }
    }
    best.map(|(form, _)| form).ok_or_else(|| {
        let detail = format!("a search is answered as {JSON}, {EVENTS} or {LINES}: name one of them in `accept`");
        Problem::new(Code::NotAcceptable, detail)
    })
}

/// Whether the answer may be one that is written bit by bit: whatever is not what nearly all clients send.
pub(in crate::http) fn names_a_stream(headers: &HeaderMap) -> bool {
    let named = |value: &str| !matches!(value.trim(), "*/*" | JSON | "");
    headers.get_all(header::ACCEPT).iter().any(|value| value.to_str().is_ok_and(named))
}

/// One media range with its weight in thousandths.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    weight: u16,
}

impl<'a> Range<'a> {
    /// None for what is no range: it is as if it were not there.
    fn of(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let weight = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
        });
        let weight: f32 = weight.map_or(Some(1.0), |weight| weight.parse().ok())?;
        (0.0..=1.0).contains(&weight).then(|| Self { kind, subtype, weight: (weight * 1000.0).round() as u16 })
    }

    /// How exactly it names a media type; none when it does not at all.
    fn precision(&self, media: &str) -> Option<u8> {
        let (kind, subtype) = media.split_once('/')?;
        match (self.kind, self.subtype) {
            ("*", "*") => Some(0),
            (mine, "*") if mine.eq_ignore_ascii_case(kind) => Some(1),
            (mine, its) if mine.eq_ignore_ascii_case(kind) && its.eq_ignore_ascii_case(subtype) => Some(2),
            _ => None,
        }
    }
}

/// The weight of the range that names it most exactly; of two alike the first.
fn liking(ranges: &[Range<'_>], media: &str) -> u16 {
    let naming = ranges.iter().rev().filter_map(|range| Some((range.precision(media)?, range.weight)));
    naming.max_by_key(|(precision, _)| *precision).map_or(0, |(_, weight)| weight)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn form_of(accept: &[&str]) -> Option<Form> {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(header::ACCEPT, value.parse().unwrap());
        }
        form(&headers).ok()
    }

    #[test]
    fn the_form_that_is_liked_best() {
        let (document, events, lines) = (Some(Form::Document), Some(Form::Events), Some(Form::Lines));
        for (accept, expected) in [
            (&[][..], document),
            (&[""], document),
            (&["*/*"], document),
            (&["application/json"], document),
            (&["application/*"], document),
            (&["text/*"], events),
            (&["text/event-stream"], events),
            (&["Text/Event-Stream; charset=utf-8"], events),
            (&["application/x-ndjson"], lines),
            (&["application/json, text/event-stream"], document),
            (&["application/json;q=0.5, text/event-stream"], events),
            (&["application/json;q=0.5", "application/x-ndjson;q=0.6"], lines),
            (&["text/html, application/xhtml+xml, */*;q=0.8"], document),
            (&["text/html, text/event-stream;q=0.1"], events),
            // The most exact range counts, whatever its place and weight.
            (&["*/*, application/json;q=0"], events),
            (&["*/*;q=0.9, application/json;q=0.2, text/*;q=0.1"], lines),
            (&["text/html"], None),
            (&["application/problem+json"], None),
            (&["application/json;q=0"], None),
            (&["application/json;q=2"], None),
            (&["*/*;q=0"], None),
            (&["nonsense"], None),
        ] {
            assert_eq!(form_of(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn streams_are_told_by_their_names() {
        let named =
            |accept: &'static str| names_a_stream(&HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]));
        assert!(named("text/event-stream") && named("*/*, application/x-ndjson;q=0.1"));
        assert!(named("text/*") && named("Text/Event-Stream"));
        assert!(!named("*/*") && !named("application/json"));
    }
}
