//! Retrieval for language models over HTTP: its routes. Decides nothing about searching or answering: it asks one
//! trait, `Rag`, and writes down what comes back.

/// An answer in words over the passages.
mod answer;
/// What these routes ask of the rest of the server.
pub(super) mod backend;
/// Vectors of texts.
pub(super) mod embed;
/// Documents as items.
pub(super) mod ingest;
/// Vectors in the shape of OpenAI's API.
pub(super) mod openai;
/// Passages.
pub(super) mod query;
/// What is in effect, and how it fares.
pub(super) mod status;
/// Documents as a stream of lines.
pub(super) mod stream;

use std::sync::Arc;

use axum::routing::{MethodRouter, get, post};

use crate::http::Shared;

/// Every path of this part with its handlers.
pub(super) fn routes() -> Vec<(&'static str, MethodRouter<Arc<Shared>>)> {
    vec![
        ("/api/rag/query", post(query::query)),
        ("/api/rag/embed", post(embed::embed)),
        ("/api/rag/ingest", post(ingest::ingest)),
        ("/api/rag/ingest/stream", post(stream::ingest)),
        ("/api/rag/config", get(status::config).post(status::set_config)),
        ("/api/rag/health", get(status::health)),
        ("/api/rag/admin/stats", get(status::stats)),
        ("/api/rag/admin/indexing-status", get(status::indexing)),
        ("/api/rag/admin/rebuild-index", post(status::rebuild)),
        ("/api/rag/admin/clear-cache", post(status::clear_cache)),
        ("/v1/embeddings", post(openai::embeddings)),
        ("/v1/models", get(openai::models)),
    ]
}
