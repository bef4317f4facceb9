//! Retrieval for language models, as far as it is text: which chunks make a passage, what fits a budget, what the
//! model is told, which sources an answer cites, where a stream of documents has its lines. Pure functions; knows no
//! index, no plugin, no service elsewhere and no HTTP.

/// Which sources an answer cites.
pub mod citation;
/// Documents, one a line.
pub mod lines;
/// From found chunks to passages within a budget.
pub mod passage;
/// What the model is told.
pub mod prompt;
/// How recent a document is, in its score.
pub mod recency;
/// How long a text is for a language model.
pub mod tokens;
