//! A search whose answer is for a language model: the same strategies, rankers and cache, another rendering. Found
//! chunks with their neighbours become passages within a budget of tokens. Knows no model that answers.

/// The JSON shape of an answer.
pub mod answer;
/// From the ranked window to that shape.
mod render;

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tracing::{Instrument, debug_span};
use utoipa::ToSchema;

use super::{Answer, Inner, Plan, SearchError, SearchRequest, Service, Stages, Timings, blocking};
use crate::cache::{Computed, Digest};

/// Where these answers are in the cache.
pub const NAMESPACE: &str = "rag";

/// Which documents are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// Prose: markdown, reStructuredText, AsciiDoc, LaTeX, plain text, and what has no known language.
    Docs,
    /// Everything else that has a language.
    Code,
    #[default]
    All,
}

/// What is asked for, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct PassagesRequest {
    /// Its page means nothing here; a `similarity_threshold` also drops what was not found by vectors.
    pub search: SearchRequest,
    pub modality: Modality,
    /// Chunks that are wanted, 1..=100.
    pub top_k: u32,
    /// See `rag::recency`, 0..=1.
    pub temporal_weight: f32,
    /// Of the context.
    pub max_tokens: u32,
    /// Chunks beside a found one, on either side, that belong to its passage.
    pub neighbours: u32,
    pub with_embeddings: bool,
    /// Whole documents, as far as they fit the answer.
    pub with_contents: bool,
    /// What the body says about why it has no answer in words.
    pub answer_reason: Option<&'static str>,
}

impl PassagesRequest {
    fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        let Self { search, modality, top_k, temporal_weight, max_tokens, neighbours, .. } = self;
        hasher.update(b"passages").update(&search.digest());
        hasher.update(&[*modality as u8, self.with_embeddings.into(), self.with_contents.into()]);
        for number in [*top_k, *max_tokens, *neighbours, temporal_weight.to_bits()] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(self.answer_reason.unwrap_or_default().as_bytes());
        *hasher.finalize().as_bytes()
    }
}

impl Service {
    /// One search for passages; the body is a `PassagesResponse`.
    pub async fn passages(&self, request: PassagesRequest) -> Result<Answer, SearchError> {
        let began = Instant::now();
        let inner = &self.inner;
        let plan = inner.plan(request.search.clone())?;
        let key = plan.key(&inner.collection, &request.digest());
        let timings = Arc::new(Mutex::new(Vec::new()));
        let compute = inner.clone().passages(plan, request, timings.clone());
        let (entry, source) = inner.cache.get_or_compute(NAMESPACE, key, compute).await?;
        if source.is_hit() {
            return Ok(Answer::from_cache(entry, source, began));
        }
        let timings = std::mem::take(&mut *timings.lock());
        Ok(Answer { body: entry.body, etag: entry.etag, cache: source, timings })
    }
}

impl Inner {
    async fn passages(
        self: Arc<Self>,
        plan: Plan,
        request: PassagesRequest,
        timings: Arc<Mutex<Timings>>,
    ) -> Result<Computed, SearchError> {
        let mut taken = Timings::new();
        let computing = async {
            let mut stages = Stages::new(&mut taken);
            let _turn = self.admit(&mut stages).await?;
            let outcome = self.outcome(&plan, &mut stages).await?;
            let began = stages.began;
            // The life time that was set for a strategy that asks elsewhere is not this namespace's.
            let within = self.cache.lifetime(NAMESPACE) <= self.cache.lifetime(plan.namespace());
            let keep = plan.is_pure() || (self.may_keep(&plan) && within);
            let rendering = blocking(move || render::render(&plan, &request, outcome, began));
            let mut computed = rendering.instrument(debug_span!("passages")).await??;
            computed.keep &= keep;
            stages.end("passages");
            Ok(computed)
        };
        let computed = tokio::time::timeout(self.limits.timeout, computing).await;
        *timings.lock() = taken;
        computed.unwrap_or(Err(SearchError::TimedOut(self.limits.timeout)))
    }
}

#[cfg(test)]
mod tests;
