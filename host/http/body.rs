//! From bytes to a typed body. The good case is one pass of serde; only when that fails is the body
//! looked at again, field by field, so that one answer names everything that is wrong with it.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use bytes::BytesMut;
use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::http::problem::{Code, Problem, Violation};

/// Of a search; far above any query that passes validation.
pub(super) const SMALL: usize = 1 << 20;
/// Of posted documents.
pub(super) const LARGE: usize = 32 << 20;

/// A body that is too large is read on to this many bytes and thrown away, because a client that is
/// still writing when the connection closes sees a reset instead of the 413.
const DISCARD: usize = 64 << 20;
/// Violations that one answer names before it stops looking; a small request must not have a large answer.
pub(super) const MAX_VIOLATIONS: usize = 50;
/// A client that takes longer to send its body is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads a JSON body of at most `limit` bytes and a content type of JSON; UTF-8 is checked.
pub(super) async fn read_json(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Code::BodyTooLarge, format!("the body may have at most {limit} bytes"));
    let json = is_json(request.headers());
    let read = tokio::time::timeout(PATIENCE, read(request.into_body(), limit)).await;
    let body = read.map_err(|_| {
        Problem::new(Code::BodyTooSlow, format!("the body did not arrive within {} s", PATIENCE.as_secs()))
    })?;
    let body = body.map_err(|error| Problem::new(Code::MalformedJson, error.to_string()))?.ok_or_else(too_large)?;
    if !json {
        let detail = "send the body as `content-type: application/json`";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    if let Err(error) = std::str::from_utf8(&body) {
        let detail = format!("byte {} of the body is not UTF-8", error.valid_up_to());
        return Err(Problem::new(Code::InvalidUtf8, detail));
    }
    Ok(body)
}

/// None: more than `limit`.
async fn read(body: Body, limit: usize) -> Result<Option<Bytes>, axum::Error> {
    let mut chunks = body.into_data_stream();
    let Some(first) = chunks.next().await.transpose()? else { return Ok(Some(Bytes::new())) };
    let mut total = first.len();
    // Nearly every request comes in one chunk and needs no copy.
    let Some(second) = chunks.next().await.transpose()? else {
        return Ok((total <= limit).then_some(first));
    };
    let mut whole = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        total += chunk.len();
        if total <= limit {
            whole.extend_from_slice(&chunk);
        } else if total > DISCARD {
            break;
        } else {
            whole = BytesMut::new();
        }
        next = chunks.next().await.transpose()?;
    }
    Ok((total <= limit).then(|| whole.freeze()))
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// A body as `T`, and beside it the violations that hid fields from it. `fields` are all names that `T`
/// has. With violations the value holds the fields that could be read, so that its own rules can be
/// checked too; without a value nothing could be read.
pub(super) fn parse<T: DeserializeOwned + Default>(
    body: &[u8],
    fields: &[&str],
) -> Result<(T, Vec<Violation>), Problem> {
    let first_error = match serde_json::from_slice(body) {
        Ok(value) => return Ok((value, vec![])),
        Err(error) => error,
    };
    if !first_error.is_data() {
        return Err(malformed(&first_error));
    }
    let whole: Value = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    let Value::Object(object) = whole else {
        return Err(Problem::invalid(vec![Violation::new("", "the body must be a JSON object")]));
    };
    let (value, mut violations) = salvage(object, fields);
    if violations.is_empty() {
        // Wrong as a whole only.
        violations.push(there_twice(&first_error).unwrap_or_else(|| Violation::new("", first_error.to_string())));
    } else if let Some(first) = violations.first_mut() {
        let place = format!("the first fault is at line {} column {}", first_error.line(), first_error.column());
        first.remedy = Some(first.remedy.take().map_or(place.clone(), |remedy| format!("{remedy}; {place}")));
    }
    Ok((value, violations))
}

/// What of an object can be read as `T`, field by field, and a violation for each field that cannot.
pub(super) fn salvage<T: DeserializeOwned + Default>(
    object: Map<String, Value>,
    fields: &[&str],
) -> (T, Vec<Violation>) {
    let mut readable = Map::new();
    let mut violations = vec![];
    for (name, value) in object {
        if violations.len() >= MAX_VIOLATIONS {
            break;
        }
        if !fields.contains(&name.as_str()) {
            violations.push(unknown_field(&name, fields));
            continue;
        }
        let alone = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
        match serde_path_to_error::deserialize::<_, T>(alone) {
            Ok(_) => {
                readable.insert(name, value);
            }
            Err(error) => violations.push(Violation::new(error.path().to_string(), error.inner().to_string())),
        }
    }
    (serde_json::from_value(Value::Object(readable)).unwrap_or_default(), violations)
}

/// None when the error is another one. Serde tells the field in its text alone.
fn there_twice(error: &serde_json::Error) -> Option<Violation> {
    let text = error.to_string();
    let (field, _) = text.strip_prefix("duplicate field `")?.split_once('`')?;
    let remedy = format!("send it once; the second is at line {} column {}", error.line(), error.column());
    Some(Violation::new(field, "is there twice").remedy(remedy))
}

fn malformed(error: &serde_json::Error) -> Problem {
    // serde_json refuses more than 128 levels itself; its text already has line and column.
    Problem::new(Code::MalformedJson, error.to_string())
}

/// A field that the request does not have, with the one that was probably meant.
pub(super) fn unknown_field(name: &str, fields: &[&str]) -> Violation {
    let shown: String = name.chars().take(64).collect();
    let violation = Violation::new(shown, "is not a field of this request");
    match nearest(name, fields) {
        Some(field) => violation.remedy(format!("did you mean `{field}`?")),
        None => violation.remedy(format!("the fields are {}", fields.join(", "))),
    }
}

/// The candidate with the least edit distance, if it is near enough to be a slip.
pub(super) fn nearest<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    if name.len() > 64 {
        return None;
    }
    let with_distance = candidates.iter().map(|candidate| (edit_distance(name, candidate), *candidate));
    let (distance, candidate) = with_distance.min()?;
    (distance <= candidate.len().div_ceil(3)).then_some(candidate)
}

/// Levenshtein, 1966: insertions, deletions and substitutions of letters, in one row.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        row[0] = before;
        for (column, other) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            before = substituted.min(diagonal + 1).min(before + 1);
            row[column + 1] = before;
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_distances_of_the_textbook() {
        for (left, right, distance) in
            [("kitten", "sitting", 3), ("flaw", "lawn", 2), ("", "abc", 3), ("abc", "", 3), ("same", "same", 0)]
        {
            assert_eq!(edit_distance(left, right), distance, "{left} {right}");
        }
    }

    #[test]
    fn slips_find_their_field_and_strangers_none() {
        let fields = ["query", "max_results", "file_types"];
        assert_eq!(nearest("max_result", &fields), Some("max_results"));
        assert_eq!(nearest("qurey", &fields), Some("query"));
        assert_eq!(nearest("filetypes", &fields), Some("file_types"));
        assert_eq!(nearest("turbo", &fields), None);
    }
}
