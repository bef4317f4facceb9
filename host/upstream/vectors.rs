//! Vectors of an embedding model elsewhere: `/v1/embeddings` of OpenAI and its like, `/api/embed` of Ollama. Every
//! answer is checked before anybody counts on it. Knows the two formats; nothing of what is embedded.

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::client::Client;
use super::endpoint::{Dialect, Endpoint, error_in};
use super::{Embeddings, UpstreamError};

/// Batches of one list that are under way at once.
const AT_ONCE: usize = 4;

/// An embedding model elsewhere.
pub struct Vectors {
    client: Client,
    endpoint: Endpoint,
    batch: usize,
}

impl Vectors {
    /// `batch`: texts of one request.
    pub fn new(client: Client, endpoint: Endpoint, batch: usize) -> Self {
        Self { client, endpoint, batch: batch.max(1) }
    }

    async fn embed_batch(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, UpstreamError> {
        let model = &self.endpoint.model;
        let (path, body) = match self.endpoint.dialect {
            Dialect::OpenAi => {
                ("/v1/embeddings", json!({ "model": model, "input": texts, "encoding_format": "float" }))
            }
            Dialect::Ollama => ("/api/embed", json!({ "model": model, "input": texts })),
        };
        let mut answer = self.endpoint.ask(&self.client, path, &body).await?;
        if let Some(reason) = error_in(&answer) {
            return Err(self.endpoint.said(200, &reason));
        }
        let rows = match self.endpoint.dialect {
            Dialect::OpenAi => self.in_order(taken(&mut answer, "data"), texts.len())?,
            Dialect::Ollama => self.list(taken(&mut answer, "embeddings"), "embeddings")?,
        };
        if rows.len() != texts.len() {
            return Err(self.nonsense(format!("{} vectors for {} texts", rows.len(), texts.len())));
        }
        rows.into_iter().map(|row| self.vector(row)).collect()
    }

    /// `data` by the `index` of its members, which may come in any order.
    fn in_order(&self, data: Value, count: usize) -> Result<Vec<Value>, UpstreamError> {
        let data = self.list(data, "data")?;
        let mut rows = vec![Value::Null; count];
        let found = data.len();
        for (nth, mut member) in data.into_iter().enumerate() {
            let index = member.get("index").map_or(Some(nth as u64), Value::as_u64);
            let row = index.and_then(|index| rows.get_mut(usize::try_from(index).ok()?)).filter(|row| row.is_null());
            let wrong = || self.nonsense("data with an index that is out of range or comes twice");
            *row.ok_or_else(wrong)? = taken(&mut member, "embedding");
        }
        if found == count { Ok(rows) } else { Err(self.nonsense(format!("{found} vectors for {count} texts"))) }
    }

    fn list(&self, value: Value, field: &str) -> Result<Vec<Value>, UpstreamError> {
        match value {
            Value::Array(list) => Ok(list),
            _ => Err(self.nonsense(format!("no list `{field}`"))),
        }
    }

    fn vector(&self, row: Value) -> Result<Vec<f32>, UpstreamError> {
        let numbers = self.list(row, "embedding")?;
        let finite = |number: &Value| number.as_f64().map(|number| number as f32).filter(|number| number.is_finite());
        let vector: Option<Vec<f32>> = numbers.iter().map(finite).collect();
        match vector {
            Some(vector) if !vector.is_empty() => Ok(vector),
            Some(_) => Err(self.nonsense("a vector without numbers")),
            None => Err(self.nonsense("a vector with something that is no finite number")),
        }
    }

    fn nonsense(&self, reason: impl AsRef<str>) -> UpstreamError {
        self.endpoint.nonsense(reason)
    }
}

/// A field, or null where there is none; an index would panic in what is no object.
fn taken(value: &mut Value, field: &str) -> Value {
    value.get_mut(field).map(Value::take).unwrap_or_default()
}

impl Embeddings for Vectors {
    fn model(&self) -> &str {
        &self.endpoint.model
    }

    fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Vec<f32>>, UpstreamError>> {
        Box::pin(async move {
            let calls: Vec<_> = texts.chunks(self.batch).map(|batch| self.embed_batch(batch)).collect();
            let batches: Vec<Vec<Vec<f32>>> = stream::iter(calls).buffered(AT_ONCE).try_collect().await?;
            let vectors: Vec<Vec<f32>> = batches.into_iter().flatten().collect();
            let dimension = vectors.first().map_or(0, Vec::len);
            match vectors.iter().find(|vector| vector.len() != dimension) {
                Some(other) => Err(self.nonsense(format!("vectors of {dimension} and of {} numbers", other.len()))),
                None => Ok(vectors),
            }
        })
    }
}

#[cfg(test)]
mod tests;
