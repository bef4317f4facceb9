//! One request and its answer, over connections that are kept.

use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, LOCATION};
use serde_json::Value;

use crate::outcome::{Failure, judge, of_error};

/// As the original's benchmark had it.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    Nothing,
    Json(Value),
    /// NDJSON.
    Lines(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub method: Method,
    /// With its query.
    pub path: String,
    pub body: Body,
    pub accept: Option<&'static str>,
}

impl Request {
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: Body::Nothing, accept: None }
    }

    pub fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }

    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::POST, body: Body::Json(body), ..Self::get(path) }
    }

    pub fn put(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PUT, ..Self::post(path, body) }
    }

    /// A `POST` without a body.
    pub fn call(path: impl Into<String>) -> Self {
        Self { method: Method::POST, ..Self::get(path) }
    }
}

/// What is kept of an answer.
#[derive(Debug)]
pub struct Answer {
    pub outcome: Result<(), Failure>,
    /// What `cache-status` says, if the answer has it.
    pub hit: Option<bool>,
    /// Of the body.
    pub bytes: u64,
}

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    /// `base`: such as `http://127.0.0.1:8000`.
    pub fn new(base: String) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(PATIENCE).tcp_nodelay(true).no_proxy();
        Ok(Self { http: http.pool_max_idle_per_host(usize::MAX).build()?, base })
    }

    /// Reads the whole answer.
    pub async fn ask(&self, request: &Request) -> Answer {
        match self.exchange(request).await {
            Ok((status, headers, body)) => {
                let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
                let kind = text(CONTENT_TYPE.as_str()).unwrap_or_default();
                Answer {
                    outcome: judge(status, kind, &body),
                    hit: text("cache-status").map(|status| status.contains("; hit")),
                    bytes: body.len() as u64,
                }
            }
            Err(error) => Answer { outcome: Err(of_error(&error)), hit: None, bytes: 0 },
        }
    }

    /// An answer that must be a success, for what is prepared; null when it has no JSON.
    pub async fn json(&self, request: &Request) -> anyhow::Result<Value> {
        let (status, headers, body) = self.exchange(request).await.with_context(|| request.path.clone())?;
        let text = String::from_utf8_lossy(&body);
        ensure!((200..300).contains(&status), "{} {}: status {status}: {text}", request.method, request.path);
        let mut value: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let (Some(location), Some(object)) = (headers.get(LOCATION), value.as_object_mut()) {
            object.insert("location".into(), String::from_utf8_lossy(location.as_bytes()).into());
        }
        Ok(value)
    }

    async fn exchange(&self, request: &Request) -> Result<(u16, HeaderMap, Vec<u8>), reqwest::Error> {
        let mut builder = self.http.request(request.method.clone(), format!("{}{}", self.base, request.path));
        if let Some(accept) = request.accept {
            builder = builder.header(ACCEPT, accept);
        }
        builder = match &request.body {
            Body::Nothing => builder,
            Body::Json(body) => builder.json(body),
            Body::Lines(lines) => builder.header(CONTENT_TYPE, "application/x-ndjson").body(lines.clone()),
        };
        let response = builder.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok((status, headers, response.bytes().await?.to_vec()))
    }
}

/// For a path or a query: everything but letters, digits and `-._~` as `%XX` (RFC 3986, section 2).
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_query_cannot_hold_is_encoded() {
        // %20, %26, %C3%BC: RFC 3986 over UTF-8.
        assert_eq!(encoded("a b&ü~x"), "a%20b%26%C3%BC~x");
    }
}
