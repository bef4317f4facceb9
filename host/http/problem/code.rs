//! The one table of what can go wrong: the word that clients program against, its status, what it means, and what
//! they can do. `/problems` shows it.

use axum::http::StatusCode;

/// One row of the table.
pub(super) struct Description {
    /// The stable machine word.
    pub(super) word: &'static str,
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    pub(super) remedy: &'static str,
}

macro_rules! codes {
    ($($name:ident: $word:literal, $status:ident, $title:literal, $remedy:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(in crate::http) enum Code {
            $($name,)*
        }

        impl Code {
            pub(in crate::http) const ALL: &[Self] = &[$(Self::$name,)*];

            pub(super) fn describe(self) -> Description {
                let (word, status, title, remedy) = match self {
                    $(Self::$name => ($word, StatusCode::$status, $title, $remedy),)*
                };
                Description { word, status, title, remedy }
            }
        }
    };
}

codes! {
    InvalidRequest: "invalid-request", UNPROCESSABLE_ENTITY, "the request is not valid",
        "mend the fields that `errors` names: each says what is wrong with it";
    MalformedJson: "malformed-json", BAD_REQUEST, "the body is not JSON",
        "mend the body where `detail` says";
    InvalidUtf8: "invalid-utf8", BAD_REQUEST, "the body is not UTF-8",
        "encode the body as UTF-8; `detail` has the first byte that is none";
    BodyTooLarge: "body-too-large", PAYLOAD_TOO_LARGE, "the body is too large",
        "send less at once; `detail` has the limit";
    BodyTooSlow: "body-too-slow", REQUEST_TIMEOUT, "the body took too long to arrive",
        "send it again, without long pauses";
    UnsupportedMediaType: "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "the body must be JSON",
        "send the `content-type` that `detail` names";
    NotAcceptable: "not-acceptable", NOT_ACCEPTABLE, "the answer has no form that the request accepts",
        "accept a form that `detail` names";
    Unauthorized: "unauthorized", UNAUTHORIZED, "this request needs an API key",
        "send one as `authorization: Bearer KEY` or `x-api-key: KEY`";
    MissingScope: "missing-scope", FORBIDDEN, "the API key does not allow this",
        "use a key with the scope that `detail` names";
    RateLimited: "rate-limited", TOO_MANY_REQUESTS, "too many requests",
        "wait as long as `retry-after` says";
    Forbidden: "forbidden", FORBIDDEN, "this request is not taken",
        "ask under a name that the server answers to, from its own page or one that `security.cors_origins` lets in";
    NotFound: "not-found", NOT_FOUND, "there is nothing here",
        "ask for what /openapi.json lists; where a part is switched off, `detail` says so";
    MethodNotAllowed: "method-not-allowed", METHOD_NOT_ALLOWED, "this path takes another method",
        "use one that `allow` lists";
    UnknownStrategy: "unknown-strategy", NOT_FOUND, "there is no such strategy",
        "use one that /api/plugins lists";
    UnknownRanker: "unknown-ranker", UNPROCESSABLE_ENTITY, "there is no such ranker",
        "use one that /api/plugins lists, or leave `ranker` out";
    UnknownTask: "unknown-task", NOT_FOUND, "there is no such task",
        "use an id that /api/tasks lists";
    UnknownPlugin: "unknown-plugin", NOT_FOUND, "there is no such plugin",
        "use a name that /api/plugins lists";
    UnknownKey: "unknown-key", NOT_FOUND, "there is no such API key",
        "use an id that /api/keys lists";
    UnknownAgent: "unknown-agent", NOT_FOUND, "there is no such agent",
        "use an id that /api/ecs/agents lists";
    UnknownSnapshot: "unknown-snapshot", NOT_FOUND, "there is no such snapshot",
        "use an id that /api/ecs/snapshots lists";
    BadQuery: "bad-query", UNPROCESSABLE_ENTITY, "the query cannot be answered",
        "change the query; `detail` has the plugin's reason";
    Unsupported: "unsupported", UNPROCESSABLE_ENTITY, "the plugin does not support this",
        "leave out what `detail` names, or use another plugin";
    Conflict: "conflict", CONFLICT, "the request contradicts what is there",
        "look at what is there and send what goes with it; `detail` has the contradiction";
    PluginFailed: "plugin-failed", BAD_GATEWAY, "a plugin failed",
        "use another plugin; the server's log has the reason under the `request_id`";
    PluginTrapped: "plugin-trapped", BAD_GATEWAY, "a plugin crashed",
        "use another plugin; the server's log has the reason under the `request_id`";
    PluginTimedOut: "plugin-timed-out", GATEWAY_TIMEOUT, "a plugin took too long",
        "ask for less; the operator can raise the plugin's `deadline_ms`";
    PluginLimit: "plugin-limit", BAD_GATEWAY, "a plugin exceeded its limit",
        "ask for less; the operator can raise the plugin's `memory_bytes` and `max_output_bytes`";
    UpstreamFailed: "upstream-failed", BAD_GATEWAY, "a service elsewhere failed",
        "try again later; the server's log has the reason under the `request_id`";
    UpstreamTimedOut: "upstream-timed-out", GATEWAY_TIMEOUT, "a service elsewhere took too long",
        "try again later; the operator can raise `upstream.timeout_seconds`";
    Overloaded: "overloaded", SERVICE_UNAVAILABLE, "the server is busy",
        "wait as long as `retry-after` says";
    TimedOut: "timed-out", GATEWAY_TIMEOUT, "the search took too long",
        "narrow the search; the operator can raise `server.search_timeout_ms`";
    Unavailable: "unavailable", SERVICE_UNAVAILABLE, "a part of the server is away",
        "wait as long as `retry-after` says; /api/search/health has the part";
    Internal: "internal", INTERNAL_SERVER_ERROR, "the server failed",
        "tell the operator: the server's log has the reason under the `request_id`";
}

impl Code {
    pub(in crate::http) fn status(self) -> StatusCode {
        self.describe().status
    }

    /// The stable machine word.
    pub(in crate::http) fn word(self) -> &'static str {
        self.describe().word
    }
}
