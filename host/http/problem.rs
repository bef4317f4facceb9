//! The one shape of every failure: a problem document of RFC 9457. Also the only place that turns the
//! errors of other layers into a status. What happened inside goes to the log, never into a 5xx detail.

/// What can go wrong, in one table.
mod code;
/// The table for people.
pub(super) mod list;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ecs::view::WorldError;
use crate::http::backend::BackendError;
use crate::rules::RulesError;
use crate::runtime::CallError;
use crate::service::SearchError;

use code::Description;

pub(super) use code::Code;

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Violation {
    /// Path of the field, such as `directories[1]`; empty when it is the whole body.
    pub field: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remedy: Option<String>,
}

impl Violation {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), remedy: None }
    }

    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// A failure as clients see it (RFC 9457), `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// A reference to the code's description.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    /// The stable word to program against.
    pub code: String,
    /// All violations at once, empty when the request is not at fault.
    pub errors: Vec<Violation>,
    pub request_id: String,
}

/// A failure on its way to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) code: Code,
    pub(super) detail: String,
    pub(super) errors: Vec<Violation>,
}

impl Problem {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: vec![] }
    }

    /// 422 with everything that is wrong.
    pub(super) fn invalid(errors: Vec<Violation>) -> Self {
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        let detail = match &errors[..] {
            [only] => format!("{} {}", only.field, only.message).trim().to_owned(),
            _ => format!("{} fields are not valid: {}", errors.len(), fields.join(", ")),
        };
        Self { errors, ..Self::new(Code::InvalidRequest, detail) }
    }

    /// As clients see it; within a stream that began well there is no other place for it.
    pub(super) fn document(&self, request_id: &str) -> ProblemDocument {
        let Description { word, status, title, .. } = self.code.describe();
        ProblemDocument {
            kind: format!("/problems#{word}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail.clone(),
            code: word.to_owned(),
            errors: self.errors.clone(),
            request_id: request_id.to_owned(),
        }
    }

    /// The document with its status and headers.
    pub(super) fn render(&self, request_id: &str) -> Response {
        let status = self.code.status();
        let body = serde_json::to_vec(&self.document(request_id)).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Leaves the problem beside the answer, so that the edge can write it again with the request's id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.render("");
        response.extensions_mut().insert(self);
        response
    }
}

/// The code of a failed search.
pub(super) fn code_of(error: &SearchError) -> Code {
    match error {
        SearchError::UnknownStrategy { .. } => Code::UnknownStrategy,
        SearchError::UnknownRanker { .. } => Code::UnknownRanker,
        SearchError::BadQuery { .. } => Code::BadQuery,
        SearchError::Unsupported { .. } => Code::Unsupported,
        SearchError::PluginFailed { .. } => Code::PluginFailed,
        SearchError::PluginTrapped { .. } => Code::PluginTrapped,
        SearchError::PluginTimedOut { .. } => Code::PluginTimedOut,
        SearchError::PluginLimit { .. } => Code::PluginLimit,
        SearchError::Overloaded => Code::Overloaded,
        SearchError::TimedOut(_) | SearchError::NotTaken(_) => Code::TimedOut,
        SearchError::Index(_) => Code::Internal,
    }
}

impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Self {
        let code = code_of(&error);
        let at = |field: &str, detail: String| Problem {
            errors: vec![Violation::new(field, detail.clone())],
            ..Problem::new(code, detail)
        };
        match &error {
            SearchError::UnknownRanker { .. } => at("ranker", error.to_string()),
            SearchError::BadQuery { reason, .. } => at("query", reason.clone()),
            SearchError::Unsupported { .. } => at("query", error.to_string()),
            SearchError::UnknownStrategy { .. }
            | SearchError::PluginTimedOut { .. }
            | SearchError::Overloaded
            | SearchError::TimedOut(_)
            | SearchError::NotTaken(_) => Problem::new(code, error.to_string()),
            // Their reasons may quote backtraces or paths: for the log only.
            SearchError::PluginFailed { plugin, .. } => logged(&error, code, format!("{plugin} failed")),
            SearchError::PluginTrapped { plugin, .. } => logged(&error, code, format!("{plugin} crashed")),
            SearchError::PluginLimit { plugin, .. } => logged(&error, code, format!("{plugin} exceeded its limit")),
            SearchError::Index(_) => {
                logged(&error, code, "the index cannot be read; the server's log has the reason".to_owned())
            }
        }
    }
}

impl From<BackendError> for Problem {
    fn from(error: BackendError) -> Self {
        match &error {
            BackendError::NotFound { kind, .. } => {
                let (code, path) = match *kind {
                    "task" => (Code::UnknownTask, "/api/tasks"),
                    "plugin" => (Code::UnknownPlugin, "/api/plugins"),
                    "API key" => (Code::UnknownKey, "/api/keys"),
                    _ => (Code::NotFound, "/openapi.json"),
                };
                Problem::new(code, listed(&error, path))
            }
            BackendError::Invalid { field, message } => Problem::invalid(vec![Violation::new(field, message)]),
            BackendError::Conflict(detail) => Problem::new(Code::Conflict, detail),
            BackendError::Unavailable(_) => {
                logged(&error, Code::Unavailable, "a part of the server is away; try again in a second".to_owned())
            }
            BackendError::Internal(_) => {
                logged(&error, Code::Internal, "the server failed; its log has the reason".to_owned())
            }
        }
    }
}

impl From<WorldError> for Problem {
    fn from(error: WorldError) -> Self {
        match error {
            WorldError::NoAgent(id) => {
                // A path may hold much; an id has 50 letters at most.
                let id: String = id.chars().take(64).collect();
                Problem::new(Code::UnknownAgent, listed(&WorldError::NoAgent(id), "/api/ecs/agents"))
            }
            WorldError::NoSnapshot(_) => Problem::new(Code::UnknownSnapshot, listed(&error, "/api/ecs/snapshots")),
            WorldError::Invalid { field, message } => Problem::invalid(vec![Violation::new(field, message)]),
            WorldError::Conflict(detail) => Problem::new(Code::Conflict, detail),
            // Written for clients: it says what the world waits for.
            WorldError::Unavailable(detail) => Problem::new(Code::Unavailable, detail),
            WorldError::Rules(error) => error.into(),
            WorldError::Internal(_) => {
                logged(&error, Code::Internal, "the server failed; its log has the reason".to_owned())
            }
        }
    }
}

/// With the codes of searches: rules are plugins like any other.
impl From<RulesError> for Problem {
    fn from(error: RulesError) -> Self {
        let RulesError { rules, call, error: cause } = &error;
        match cause {
            CallError::BadQuery(reason) => Problem::new(Code::BadQuery, format!("{rules} refuses {call}: {reason}")),
            CallError::Unsupported(_) => Problem::new(Code::Unsupported, format!("{rules} does not support {call}")),
            CallError::Timeout(_) => Problem::new(Code::PluginTimedOut, error.to_string()),
            CallError::Exhausted(_) => {
                logged(&error, Code::Overloaded, format!("{rules} is busy; try again in a second"))
            }
            // Their reasons may quote backtraces: for the log only.
            CallError::Trap(_) => logged(&error, Code::PluginTrapped, format!("{rules} crashed at {call}")),
            CallError::Memory { .. } | CallError::Output { .. } => {
                logged(&error, Code::PluginLimit, format!("{rules} exceeded its limit at {call}"))
            }
            CallError::Internal(_) | CallError::Contract(_) => {
                logged(&error, Code::PluginFailed, format!("{rules} failed at {call}"))
            }
        }
    }
}

/// What is not there, and where to see what is.
fn listed(error: &dyn std::fmt::Display, path: &str) -> String {
    format!("{error}; {path} lists those that there are")
}

pub(super) fn logged(error: &dyn std::fmt::Display, code: Code, detail: String) -> Problem {
    tracing::error!(code = code.word(), %error, "request failed");
    Problem::new(code, detail)
}
