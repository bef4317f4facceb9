//! Corsac: a search server whose brains are WebAssembly plugins.
//!
//! Modules in the order in which a query meets them; `host/README.md` draws the picture.

/// The HTTP face.
pub mod http;

/// Domain words that every layer shares.
pub mod query;

/// The words of trait rules.
pub mod rules;

/// The world of agents.
pub mod ecs;

/// One search from request to answer.
pub mod service;

/// First tier of the answer cache.
pub mod cache;

/// The only door to wasm: loads, calls, limits and swaps plugins.
pub mod runtime;

/// Text, vector, pattern and symbol indexes over the store's documents.
pub mod index;

/// From a folder or posted documents to the store and the indexes.
pub mod ingest;

/// The durable truth: documents, roots, tasks.
pub mod store;

/// Retrieval for language models: passages, prompts, citations.
pub mod rag;

/// Services elsewhere that the host calls.
pub mod upstream;

/// What people ask and choose.
pub mod usage;

/// Completions and related words while somebody types.
pub mod suggest;

/// Who may ask, and how often.
pub mod access;

/// What the operator decides.
pub mod config;

/// Puts the parts together.
pub mod app;

/// The log and the figures.
pub mod telemetry;

/// Relevance on judged collections.
pub mod eval;

/// What a plugin file is.
pub mod check;
