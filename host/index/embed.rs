//! The embedding model: text to a vector of unit length. Knows nothing of indexes.
//!
//! The model is compiled in: a static distillation of all-MiniLM-L6-v2 (see `model/NOTICE`), a lookup
//! per word piece and a weighted mean, so that it embeds ten thousand chunks a second on one core.

use std::sync::{Arc, Weak};

use model2vec_rs::model::StaticModel;
use parking_lot::Mutex;

use super::IndexError;
use super::chunk::Chunk;

const TOKENIZER: &[u8] = include_bytes!("model/tokenizer.json");
const MODEL: &[u8] = include_bytes!("model/model.safetensors");
const CONFIG: &[u8] = include_bytes!("model/config.json");

/// Texts are cut to this many word pieces.
const MAX_TOKENS: usize = 512;
/// Upper bound of the bytes that so many word pieces come from; spares tokenizing a megabyte.
const MAX_BYTES: usize = MAX_TOKENS * 16;

pub(crate) struct Embedder {
    model: StaticModel,
}

impl Embedder {
    /// The one of this process: collections share it, for it takes tens of megabytes.
    pub(crate) fn shared() -> Result<Arc<Self>, IndexError> {
        static SHARED: Mutex<Weak<Embedder>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock();
        if let Some(embedder) = shared.upgrade() {
            return Ok(embedder);
        }
        let embedder = Arc::new(Self::load()?);
        *shared = Arc::downgrade(&embedder);
        Ok(embedder)
    }

    /// Loads the model that is compiled in.
    pub(crate) fn load() -> Result<Self, IndexError> {
        let model = StaticModel::from_bytes(TOKENIZER, MODEL, CONFIG, Some(true))
            .map_err(|error| IndexError::Model(error.to_string()))?;
        Ok(Self { model })
    }

    /// Identifies the model: vectors of different models cannot be compared.
    pub(crate) fn digest() -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(TOKENIZER).update(MODEL).update(CONFIG);
        hasher.finalize().to_hex().to_string()
    }

    pub(crate) fn dimension(&self) -> usize {
        self.model.dim()
    }

    /// Unit length; all zeros for a text without any known word.
    pub(crate) fn embed(&self, text: &str) -> Vec<f32> {
        let mut end = text.len().min(MAX_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.finite(self.model.encode_single(&text[..end]))
    }

    /// As `embed`, of the whole text.
    pub(crate) fn embed_whole(&self, text: &str) -> Vec<f32> {
        let mut vectors = self.model.encode_with_args(&[text.to_owned()], None, 1);
        self.finite(vectors.pop().unwrap_or_default())
    }

    fn finite(&self, vector: Vec<f32>) -> Vec<f32> {
        match vector.len() == self.dimension() && vector.iter().all(|value| value.is_finite()) {
            true => vector,
            false => vec![0.0; self.dimension()],
        }
    }
}

/// What stands for a chunk in vector space: title or file name, names, and its text. The names are worth
/// .03 nDCG@10 on CoSQA's functions, although they are in the text as well.
pub(crate) fn text_of(title: Option<&str>, path: &str, chunk: &Chunk, content: &str) -> String {
    let body = content.get(chunk.start as usize..chunk.end as usize).unwrap_or_default();
    // The name of a file says something; the bare id of a posted document does not.
    let file_name = || super::language::extension(path).map_or("", |_| super::language::file_name(path));
    let head = title.unwrap_or_else(file_name);
    let mut text = String::with_capacity(head.len() + body.len().min(MAX_BYTES) + 64);
    text.push_str(head);
    for name in chunk.names() {
        text.push(' ');
        text.push_str(&name);
    }
    text.push('\n');
    text.push_str(body);
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn cosine(embedder: &Embedder, left: &str, right: &str) -> f32 {
        embedder.embed(left).iter().zip(embedder.embed(right)).map(|(left, right)| left * right).sum()
    }

    #[test]
    fn related_texts_are_nearer_than_unrelated_ones() {
        let embedder = Embedder::load().unwrap();
        let guitar = cosine(&embedder, "a man plays the guitar", "someone makes music on a string instrument");
        let cake = cosine(&embedder, "a man plays the guitar", "quarterly revenue of the company");
        assert!(guitar > cake + 0.2, "{guitar} {cake}");
    }

    #[test]
    fn vectors_have_unit_length_or_none() {
        let embedder = Embedder::load().unwrap();
        let length = |text: &str| embedder.embed(text).iter().map(|value| value * value).sum::<f32>().sqrt();
        assert!((length("binary search tree") - 1.0).abs() < 1e-4);
        assert_eq!(length(""), 0.0);
        assert_eq!(embedder.embed("").len(), 256);
        assert!(length(&"漢".repeat(MAX_BYTES)).is_finite());
    }
}
