//! What came of a request. A status of 200 is not success when the body says otherwise.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::Deserialize;

/// Why a request did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    Status(u16),
    /// Not connected, or broken off.
    Transport,
    Timeout,
    /// Status 2xx with `"success": false`.
    Unsuccessful,
    /// A stream of 2xx that ended before it said that it was complete, or with an error.
    Incomplete,
}

impl Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(formatter, "status {status}"),
            Self::Transport => formatter.write_str("transport"),
            Self::Timeout => formatter.write_str("timeout"),
            Self::Unsuccessful => formatter.write_str("2xx, success: false"),
            Self::Incomplete => formatter.write_str("2xx, stream incomplete"),
        }
    }
}

/// How often each kind of failure came.
pub type Failures = BTreeMap<String, u64>;

#[derive(Deserialize)]
struct Said {
    success: Option<bool>,
}

/// Of a whole answer. `kind` is its `content-type`.
pub fn judge(status: u16, kind: &str, body: &[u8]) -> Result<(), Failure> {
    if !(200..300).contains(&status) {
        return Err(Failure::Status(status));
    }
    let complete = match kind.split(';').next().unwrap_or_default().trim() {
        "application/json" => match serde_json::from_slice::<Said>(body) {
            Ok(Said { success: Some(false) }) => return Err(Failure::Unsuccessful),
            // A list, or a body that has no such field.
            Ok(_) => true,
            Err(_) => serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok(),
        },
        "application/x-ndjson" => {
            let last = body.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
            last.starts_with(b"{\"done\":true")
        }
        "text/event-stream" => {
            let text = String::from_utf8_lossy(body);
            let last = |field| text.lines().rev().find_map(|line| line.strip_prefix(field));
            let said = last("data:").and_then(|data| serde_json::from_str::<Said>(data).ok());
            if said.is_some_and(|said| said.success == Some(false)) {
                return Err(Failure::Unsuccessful);
            }
            last("event:").is_none_or(|event| event.trim() != "error")
        }
        _ => true,
    };
    if complete { Ok(()) } else { Err(Failure::Incomplete) }
}

/// Of a request that got no whole answer.
pub fn of_error(error: &reqwest::Error) -> Failure {
    if error.is_timeout() { Failure::Timeout } else { Failure::Transport }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = "application/json; charset=utf-8";

    #[test]
    fn a_failure_that_comes_with_200_is_a_failure() {
        assert_eq!(judge(200, JSON, br#"{"success":true,"results":[]}"#), Ok(()));
        assert_eq!(judge(200, JSON, br#"{"results":[{"success":false}]}"#), Ok(()));
        assert_eq!(judge(200, JSON, br#"{"results":[],"success":false}"#), Err(Failure::Unsuccessful));
        assert_eq!(judge(200, JSON, b"[1, 2]"), Ok(()));
        assert_eq!(judge(200, JSON, br#"{"results":["#), Err(Failure::Incomplete));
        assert_eq!(judge(204, "", b""), Ok(()));
    }

    #[test]
    fn statuses_are_told_apart() {
        assert_eq!(judge(503, JSON, br#"{"success":false}"#), Err(Failure::Status(503)));
        assert_eq!(judge(304, "", b""), Err(Failure::Status(304)));
        assert_ne!(judge(404, "", b""), judge(422, "", b""));
    }

    #[test]
    fn a_stream_must_have_ended_well() {
        let lines = "application/x-ndjson";
        assert_eq!(judge(200, lines, b"{\"id\":1}\n{\"done\":true,\"results\":1}\n"), Ok(()));
        assert_eq!(judge(200, lines, b"{\"id\":1}\n{\"id\":2}\n"), Err(Failure::Incomplete));
        assert_eq!(judge(200, lines, b"{\"id\":1}\n{\"error\":{}}\n"), Err(Failure::Incomplete));
        let events = "text/event-stream";
        assert_eq!(judge(200, events, b"event: final\ndata: {}\n\nevent: done\ndata: {}\n\n"), Ok(()));
        assert_eq!(
            judge(200, events, b"event: final\ndata: {}\n\nevent: error\ndata: {}\n\n"),
            Err(Failure::Incomplete)
        );
        let said = b"event: done\ndata: {\"total\":1,\"success\":false}\n\n";
        assert_eq!(judge(200, events, said), Err(Failure::Unsuccessful));
    }

    #[tokio::test]
    async fn no_answer_is_transport_and_a_late_one_is_timeout() {
        // Nothing listens on port 1 of this machine; a listener that never accepts never answers.
        let refused = reqwest::get("http://127.0.0.1:1/").await;
        assert_eq!(refused.as_ref().map_err(of_error).err(), Some(Failure::Transport));
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = reqwest::Client::builder().timeout(std::time::Duration::from_millis(50)).build().unwrap();
        let late = client.get(format!("http://{}/", silent.local_addr().unwrap())).send().await;
        assert_eq!(late.as_ref().map_err(of_error).err(), Some(Failure::Timeout));
    }
}
