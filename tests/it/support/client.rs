//! What a test asks a server over HTTP, and what it gets back. Knows the API's shapes, not the server.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

/// Only against hanging; no test depends on how long something takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One server's client.
#[derive(Clone)]
pub struct Client {
    base: String,
    http: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Client {
    /// `base` without a slash at its end.
    pub fn new(base: String) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { base, http }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Reply { status, headers, body: response.bytes().await? })
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.http.get(self.url(path))).await.unwrap()
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(self.posting(path, body.to_string())).await.unwrap()
    }

    /// A body as it is, said to be JSON.
    pub fn posting(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        self.http.post(self.url(path)).header("content-type", "application/json").body(body)
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.http.delete(self.url(path))).await.unwrap()
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        let request = self.http.put(self.url(path)).header("content-type", "application/json");
        self.send(request.body(body.to_string())).await.unwrap()
    }

    pub fn getting(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(self.url(path))
    }

    pub async fn search(&self, strategy: &str, request: Value) -> Reply {
        self.post(&format!("/api/search/{strategy}"), request).await
    }

    /// Waits until the server has found its Redis: until then every look there is a miss.
    pub async fn knows_redis(&self) {
        let is_up = async || {
            let health = self.get("/api/search/health").await.json();
            (health["parts"]["redis"]["state"] == "up").then_some(())
        };
        wait_for("Redis", is_up).await;
    }

    /// A search that must be answered.
    pub async fn found(&self, strategy: &str, request: Value) -> Value {
        let reply = self.search(strategy, request.clone()).await;
        assert_eq!(reply.status, 200, "{strategy} {request}: {}", reply.text());
        reply.json()
    }

    /// A search by a query alone that must be answered.
    pub async fn query(&self, strategy: &str, query: &str) -> Value {
        self.found(strategy, json!({"query": query})).await
    }

    /// All pages of a search, one after the other.
    pub async fn all_pages(&self, strategy: &str, request: Value, page: u64) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let mut request = request.clone();
            request["offset"] = json!(all.len());
            request["window"] = json!(1000);
            request["max_results"] = json!(page);
            let answer = self.found(strategy, request).await;
            let results = answer["results"].as_array().unwrap();
            all.extend(results.iter().cloned());
            if (results.len() as u64) < page {
                return all;
            }
        }
    }

    pub async fn task(&self, id: &str) -> Value {
        let reply = self.get(&format!("/api/tasks/{id}")).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// Waits until a task has ended; its last state.
    pub async fn finished(&self, id: &str) -> Value {
        wait_for("the task's end", async || {
            let task = self.task(id).await;
            let running = matches!(task["state"].as_str().unwrap(), "queued" | "running");
            (!running).then_some(task)
        })
        .await
    }

    /// Has a folder indexed and waits for it; the task, which must have succeeded.
    pub async fn index(&self, request: Value) -> Value {
        let reply = self.post("/api/search/index", request).await;
        assert_eq!(reply.status, 202, "{}", reply.text());
        let task = self.finished(reply.json()["id"].as_str().unwrap()).await;
        assert_eq!(task["state"], "succeeded", "{task}");
        task
    }

    /// One line of `GET /api/plugins`.
    pub async fn plugin(&self, name: &str) -> Option<Value> {
        let list = self.get("/api/plugins").await.json();
        list["plugins"].as_array().unwrap().iter().find(|plugin| plugin["name"] == name).cloned()
    }

    /// Of `GET /metrics`.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await.text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no metric {name} in\n{text}")).parse().unwrap()
    }
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// Empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The problem document that this must be, with its status and its code.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(status)), "{problem}");
        problem
    }

    /// Fields that a 422 names.
    #[track_caller]
    pub fn violated(&self) -> Vec<String> {
        let problem = self.problem(422, "invalid-request");
        let errors = problem["errors"].as_array().unwrap();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    }
}

/// `path:line` of each result, in order.
pub fn places(answer: &Value) -> Vec<String> {
    results(answer).iter().map(place).collect()
}

pub fn place(result: &Value) -> String {
    format!("{}:{}", result["file_path"].as_str().unwrap(), result["line_number"])
}

/// Paths in order, each once.
pub fn paths(answer: &Value) -> Vec<&str> {
    let mut paths: Vec<&str> = Vec::new();
    for result in results(answer) {
        let path = result["file_path"].as_str().unwrap();
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

pub fn results(answer: &Value) -> &Vec<Value> {
    answer["results"].as_array().unwrap()
}

/// Asks again and again until there is an answer.
pub async fn wait_for<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}
