//! Corsac: a search server whose brains are WebAssembly plugins.
//!
//! Modules in the order in which a query meets them; `host/README.md` draws the picture.

/// Domain words that every layer shares.
pub mod query;
/// Text, vector, pattern and symbol indexes over the store's documents.
pub mod index;
/// The durable truth: documents, roots, tasks.
pub mod store;
/// From a folder or posted documents to the store and the indexes.
pub mod ingest;
/// One search from request to answer.
pub mod service;
/// First tier of the answer cache.
pub mod cache;
/// The log and the figures.
pub mod telemetry;
/// What the operator decides.
pub mod config;
/// The HTTP face.
pub mod http;
