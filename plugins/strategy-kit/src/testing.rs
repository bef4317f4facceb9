//! What the native tests of strategies begin with.

use crate::{Hits, Query, RetrievalError};

/// A text over everything, ten hits wanted, with nothing else said.
pub fn query(text: &str) -> Query {
    Query {
        text: text.into(),
        limit: 10,
        file_types: vec![],
        directories: vec![],
        case_sensitive: false,
        whole_word: false,
        similarity_threshold: None,
        weights: vec![],
        parameters: vec![],
    }
}

/// Chunks as one probe found them: on line 1, scores 9, 8, 7 and down.
pub fn hits(chunks: &[u64]) -> Result<Hits, RetrievalError> {
    let scores = (0..chunks.len()).map(|place| 9.0 - place as f32).collect();
    Ok(Hits { chunks: chunks.to_vec(), lines: vec![1; chunks.len()], scores, truncated: false })
}
