//! What the host asks of services elsewhere: text that a language model writes, and vectors of another embedding
//! model. Knows HTTP as a client; nothing of searches, of plugins or of our own routes.

/// What language models say.
mod answers;
/// When to leave a service alone.
mod breaker;
/// The pooled client.
mod client;
/// A service with its dialect, model and key.
mod endpoint;
/// Lines out of a stream of bytes.
mod pieces;
/// Whom it may call.
mod policy;
/// From names to addresses.
mod resolve;
/// What embedding models give.
mod vectors;

pub use answers::Chat;
pub use breaker::BreakerState;
pub use client::{Call, Client, ClientError, ClientOptions, UpstreamFigures};
pub use endpoint::{BadEndpoint, Dialect, Endpoint};
pub use ipnet::IpNet;
pub use policy::{BadHost, Host, Policy};
pub use vectors::Vectors;

use futures::future::BoxFuture;
use futures::stream::BoxStream;

/// An answer as it comes.
type StreamOfBytes = BoxStream<'static, Result<bytes::Bytes, UpstreamError>>;

/// What a language model is to answer, and from what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// How to answer.
    pub system: String,
    /// The question with its numbered sources.
    pub user: String,
    /// Tokens of the answer at most.
    pub max_tokens: u32,
}

/// Writes answers: an OpenAI-compatible or an Ollama endpoint that the operator configured.
pub trait Generator: Send + Sync + 'static {
    /// As the endpoint calls it.
    fn model(&self) -> &str;

    /// Pieces of the answer as they come. Dropping the stream ends the work. The first failure is the last item.
    fn answer(&self, prompt: Prompt) -> BoxStream<'static, Result<String, UpstreamError>>;
}

/// Turns texts into vectors elsewhere.
pub trait Embeddings: Send + Sync + 'static {
    /// As the endpoint calls it.
    fn model(&self) -> &str;

    /// One vector a text, in their order, all of one dimension, all finite. Large lists are sent in batches.
    fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Vec<f32>>, UpstreamError>>;
}

/// Why a service elsewhere gave nothing. Texts name the upstream and never a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// The operator's list of hosts does not have it, or its address is a private one that is not allowed.
    #[error("{upstream} may not be called: {reason}")]
    Forbidden { upstream: String, reason: String },
    /// It failed too often of late and is left alone for a while.
    #[error("{upstream} failed too often; it is tried again in {seconds} s")]
    Open { upstream: String, seconds: u64 },
    #[error("{upstream} did not answer in time")]
    TimedOut { upstream: String },
    /// No connection, or it broke.
    #[error("{upstream} cannot be reached: {reason}")]
    Unreachable { upstream: String, reason: String },
    /// A status other than success; `reason` is the beginning of its body.
    #[error("{upstream} answered {status}: {reason}")]
    Refused { upstream: String, status: u16, reason: String },
    /// An answer that is not what the protocol says.
    #[error("{upstream} answered nonsense: {reason}")]
    Nonsense { upstream: String, reason: String },
}
