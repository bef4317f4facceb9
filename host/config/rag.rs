//! The values of retrieval for language models.

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::settings::within;

/// What holds for a request that does not say it itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RagSettings {
    /// Strategy that finds.
    pub strategy: String,
    /// Ranker of requests that ask for reranking.
    pub ranker: String,
    /// Chunks.
    pub top_k: u32,
    /// Tokens of the context.
    pub max_tokens: u32,
    /// Chunks beside a found one, on either side, that belong to its passage.
    pub neighbours: u32,
    /// Tokens of an answer in words at most.
    pub answer_tokens: u32,
}

impl Default for RagSettings {
    fn default() -> Self {
        Self {
            strategy: "hybrid".to_owned(),
            ranker: "rank-fields".to_owned(),
            top_k: 20,
            max_tokens: 2000,
            neighbours: 1,
            answer_tokens: 1024,
        }
    }
}

impl RagSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("rag.top_k", self.top_k.into(), 1, 100)?;
        within("rag.max_tokens", self.max_tokens.into(), 50, 100_000)?;
        within("rag.neighbours", self.neighbours.into(), 0, 10)?;
        within("rag.answer_tokens", self.answer_tokens.into(), 1, 100_000)
    }
}
