//! One service of the operator's choice: where it is, which protocol it speaks, which model it shall use, and the
//! key that goes with each request and into nothing else. Knows the two dialects' paths; not what is asked.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Response};
use serde_json::Value;
use url::Url;

use super::client::{Call, Client, beginning};
use super::policy::Host;
use super::{StreamOfBytes, UpstreamError};

/// Of a body that is an error in no known form, the bytes that are looked at.
const LONGEST_MESSAGE: usize = 64 << 10;

/// Which protocol a service speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// OpenAI's and whatever is compatible with it.
    #[default]
    OpenAi,
    Ollama,
}

/// One service.
#[derive(Clone)]
pub struct Endpoint {
    base: Url,
    pub(super) dialect: Dialect,
    pub(super) model: String,
    key: Option<String>,
    headers: HeaderMap,
}

/// Why an endpoint cannot be used as it was given. Texts do not repeat URL or key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEndpoint {
    #[error("is no URL of a service: write it like `https://api.example` or `http://localhost:11434`")]
    Url,
    #[error("carries a user name or password: give the key by itself")]
    Credentials,
    #[error("has characters that no header takes: give it without a line end")]
    Key,
    #[error("is empty: name the model that the service shall use")]
    Model,
}

impl BadEndpoint {
    /// Which of the values of a service is at fault.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Url | Self::Credentials => "url",
            Self::Key => "key",
            Self::Model => "model",
        }
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Endpoint({} {:?} {})", self.host(), self.dialect, self.model)
    }
}

impl Endpoint {
    /// `url` up to what the protocol adds; a `/v1` at its end is part of that.
    pub fn new(url: &str, dialect: Dialect, model: &str, key: Option<&str>) -> Result<Self, BadEndpoint> {
        let mut base = Url::parse(url).map_err(|_| BadEndpoint::Url)?;
        if Host::of(&base).is_none() || base.query().is_some() || base.fragment().is_some() {
            return Err(BadEndpoint::Url);
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(BadEndpoint::Credentials);
        }
        if model.trim().is_empty() {
            return Err(BadEndpoint::Model);
        }
        let path = base.path().trim_end_matches('/');
        let path = path.strip_suffix("/v1").unwrap_or(path).to_owned();
        base.set_path(&path);
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        if let Some(key) = key {
            let mut value = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| BadEndpoint::Key)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(Self { base, dialect, model: model.to_owned(), key: key.map(str::to_owned), headers })
    }

    /// Whom it calls. The operator named it, so it is allowed.
    pub fn host(&self) -> Host {
        // `new` saw that there is one.
        Host::of(&self.base).unwrap_or_default()
    }

    pub(super) fn call(&self, path: &str, body: &Value, repeatable: bool, timeout: Option<Duration>) -> Call {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        let (headers, body) = (self.headers.clone(), Bytes::from(body.to_string()));
        Call { method: Method::POST, url, headers, body, repeatable, timeout }
    }

    /// The answer to a question that may be asked twice.
    pub(super) async fn ask(&self, client: &Client, path: &str, body: &Value) -> Result<Value, UpstreamError> {
        let answer = client.fetch(self.call(path, body, true, None)).await?;
        if !answer.status().is_success() {
            return Err(self.refused(&answer));
        }
        serde_json::from_slice(answer.body()).map_err(|error| self.nonsense(format!("no JSON: {error}")))
    }

    /// The answer as it comes.
    pub(super) async fn begin(
        &self,
        client: &Client,
        path: &str,
        body: &Value,
    ) -> Result<StreamOfBytes, UpstreamError> {
        use futures::TryStreamExt;
        let (status, pieces) = client.stream(self.call(path, body, false, None)).await?;
        if status.is_success() {
            return Ok(pieces);
        }
        let mut body = Vec::new();
        let mut pieces = pieces;
        // What is left of a text that breaks off says enough.
        while let Ok(Some(piece)) = pieces.try_next().await
            && body.len() < 4096
        {
            body.extend_from_slice(&piece);
        }
        let mut answer = Response::new(Bytes::from(body));
        *answer.status_mut() = status;
        Err(self.refused(&answer))
    }

    fn refused(&self, answer: &Response<Bytes>) -> UpstreamError {
        self.said(answer.status().as_u16(), &message(answer.body()))
    }

    /// An error in the service's own words, of which the beginning is kept: what is cut first may end within the key.
    pub(super) fn said(&self, status: u16, reason: &str) -> UpstreamError {
        let reason = beginning(self.without_key(reason).as_bytes());
        UpstreamError::Refused { upstream: self.host().to_string(), status, reason }
    }

    pub(super) fn nonsense(&self, reason: impl AsRef<str>) -> UpstreamError {
        let reason = self.without_key(reason.as_ref());
        UpstreamError::Nonsense { upstream: self.host().to_string(), reason }
    }

    /// Services repeat what they were sent.
    fn without_key(&self, text: &str) -> String {
        match &self.key {
            Some(key) => text.replace(key, "***"),
            None => text.to_owned(),
        }
    }
}

/// `{"error": {"message": …}}`, `{"error": …}`, or whatever there is.
fn message(body: &[u8]) -> String {
    let said = serde_json::from_slice::<Value>(body).ok().and_then(|value| error_in(&value));
    said.unwrap_or_else(|| String::from_utf8_lossy(&body[..body.len().min(LONGEST_MESSAGE)]).into_owned())
}

/// What an answer says went wrong, if it says so.
pub(super) fn error_in(value: &Value) -> Option<String> {
    let error = value.get("error").filter(|error| !error.is_null())?;
    let text = error.get("message").unwrap_or(error);
    Some(text.as_str().map_or_else(|| text.to_string(), str::to_owned))
}
