//! Vectors of texts that are in no index: what clients embed with the model that the indexes use.

use std::sync::Arc;

use super::IndexError;
use super::embed::{BuiltIn, Embedder};

/// A model for texts. Cheap to clone.
#[derive(Clone)]
pub struct TextEmbedder {
    embedder: Arc<dyn Embedder>,
}

impl TextEmbedder {
    /// What the built-in model is called.
    pub const MODEL: &'static str = "minilm-static-256";

    /// The one of this process, which the indexes share.
    pub fn built_in() -> Result<Self, IndexError> {
        Ok(Self { embedder: BuiltIn::shared()? })
    }

    /// What answers searches by meaning now.
    pub fn of(embedder: Arc<dyn Embedder>) -> Self {
        Self { embedder }
    }

    /// What the model is called.
    pub fn name(&self) -> &str {
        self.embedder.name()
    }

    /// Numbers of a vector.
    pub fn dimension(&self) -> usize {
        self.embedder.dimension()
    }

    /// One vector a text, in their order, each of the whole text, however long: of unit length, or all zeros for a text
    /// without any known word. Blocking: ten thousand texts of a chunk's size take a second.
    pub fn embed(&self, texts: &[String]) -> Vec<Vec<f32>> {
        texts.iter().map(|text| self.embedder.embed_whole(text)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn the_end_of_a_long_text_counts() {
        let embedder = TextEmbedder::built_in().unwrap();
        let long = "the cat sleeps on the warm stone ".repeat(400);
        let texts = [long.clone(), long.clone() + &"quarterly revenue of the company ".repeat(400), long];
        let vectors = embedder.embed(&texts);
        let cosine = |left: usize, right: usize| -> f32 {
            vectors[left].iter().zip(&vectors[right]).map(|(left, right)| left * right).sum()
        };
        assert!((cosine(0, 2) - 1.0).abs() < 1e-5);
        assert!(cosine(0, 1) < 0.95, "{}", cosine(0, 1));
        assert!(vectors.iter().all(|vector| vector.len() == embedder.dimension()));
        assert!(embedder.embed(&[String::new()])[0].iter().all(|value| *value == 0.0));
    }
}
