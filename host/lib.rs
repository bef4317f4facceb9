//! Corsac: a search server whose brains are WebAssembly plugins.
//!
//! Modules in the order in which a query meets them; `host/README.md` draws the picture.

/// First tier of the answer cache.
pub mod cache;
/// What the operator decides.
pub mod config;
/// The HTTP face.
pub mod http;
/// Text, vector, pattern and symbol indexes over the store's documents.
pub mod index;
/// From a folder or posted documents to the store and the indexes.
pub mod ingest;
/// Domain words that every layer shares.
pub mod query;
/// One search from request to answer.
pub mod service;
/// The durable truth: documents, roots, tasks.
pub mod store;
/// The log and the figures.
pub mod telemetry;
