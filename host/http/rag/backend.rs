//! What the routes of retrieval for language models ask of the rest of the server, as one trait, and its words. The
//! composition root implements it; tests implement it with a fake.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::backend::{BackendError, DocumentOutcome, PostedDocument, TaskStatus};
use crate::http::problem::{Code, Problem, logged};
use crate::service::passages::PassagesRequest;
use crate::service::{Answer, SearchError};
use crate::upstream::{Generator, UpstreamError};

/// All that is behind the routes. Methods that return at once must not block.
pub trait Rag: Send + Sync + 'static {
    /// A body of `PassagesResponse`; the future may be dropped at any time.
    fn passages(&self, request: PassagesRequest) -> BoxFuture<'_, Result<Answer, SearchError>>;

    /// The model that answers in words; none when the operator configured none.
    fn generator(&self) -> Option<Arc<dyn Generator>>;

    /// Models that embed, the built-in one first.
    fn models(&self) -> Vec<EmbeddingModel>;

    /// One vector a text, in their order, all of one dimension. `model` is one of `models`.
    fn embed(&self, model: &str, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Vec<f32>>, EmbedError>>;

    /// Stores documents and makes them searchable; one outcome each, in their order. `again`: also those that did not
    /// change are derived anew.
    fn ingest(
        &self,
        documents: Vec<PostedDocument>,
        again: bool,
    ) -> BoxFuture<'_, Result<Vec<DocumentOutcome>, BackendError>>;

    /// Starts to read every indexed folder again, one task each, and to derive the posted documents anew, one task.
    fn rebuild(&self) -> BoxFuture<'_, Result<Rebuild, BackendError>>;

    fn config(&self) -> RagConfig;
}

/// One model that embeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingModel {
    pub id: String,
    /// None: known when it has embedded something.
    pub dimension: Option<u32>,
    /// Runs in this server, or is a service elsewhere.
    pub is_built_in: bool,
}

/// What is being built again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rebuild {
    /// One for each folder (`index`), then one for the posted documents (`renew`); `/api/tasks/{id}` follows it.
    pub tasks: Vec<TaskStatus>,
    /// Folders that cannot be read again, each with the reason; what the index has of them stays as it is.
    pub refused: Vec<String>,
}

/// What is in effect. Comes from `[rag]` of the configuration file, the models from what is configured and built in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RagConfig {
    /// Of a request that names none.
    pub strategy: String,
    /// Of a request that asks for reranking and names none.
    pub ranker: String,
    pub top_k: u32,
    /// Tokens of the context.
    pub max_tokens: u32,
    /// Chunks beside a found one, on either side, that belong to its passage.
    pub neighbours: u32,
    /// Tokens of an answer in words at most.
    pub answer_tokens: u32,
    /// Of the index.
    pub embedding_model: String,
    pub embedding_dimension: u32,
    /// That answers in words; null: there is none.
    pub answer_model: Option<String>,
}

/// Why texts have no vectors.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// For the log; clients are not told the text.
    #[error("{0}")]
    Internal(String),
}

impl From<EmbedError> for Problem {
    fn from(error: EmbedError) -> Self {
        match error {
            EmbedError::Upstream(error) => error.into(),
            EmbedError::Internal(_) => {
                logged(&error, Code::Internal, "the server failed; its log has the reason".to_owned())
            }
        }
    }
}

impl From<UpstreamError> for Problem {
    fn from(error: UpstreamError) -> Self {
        let code = match &error {
            UpstreamError::TimedOut { .. } => Code::UpstreamTimedOut,
            UpstreamError::Open { .. } => Code::Unavailable,
            _ => Code::UpstreamFailed,
        };
        logged(&error, code, told(&error))
    }
}

/// What a client may know of a failure elsewhere: not what the service said, which may quote anything.
pub(super) fn told(error: &UpstreamError) -> String {
    match error {
        UpstreamError::TimedOut { .. } | UpstreamError::Open { .. } => error.to_string(),
        UpstreamError::Forbidden { upstream, .. } => format!("{upstream} may not be called; the server's log says why"),
        UpstreamError::Unreachable { upstream, .. } => format!("{upstream} cannot be reached"),
        UpstreamError::Refused { upstream, status, .. } => format!("{upstream} answered {status}"),
        UpstreamError::Nonsense { upstream, .. } => format!("{upstream} gave no usable answer"),
    }
}
