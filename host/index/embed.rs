//! Embedding models: text to a vector of unit length. Knows nothing of indexes.
//!
//! One is compiled in: a static distillation of all-MiniLM-L6-v2 (see `model/NOTICE`), a lookup
//! per word piece and a weighted mean, so that it embeds ten thousand chunks a second on one core.
//! Another one may be read from a folder.

/// The forward pass of a BERT encoder.
mod bert;
/// A model in a folder.
pub(crate) mod folder;

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

/// A model of any kind. Safe to call from many threads at once.
pub trait Embedder: Send + Sync + 'static {
    /// For people.
    fn name(&self) -> &str;

    /// Identifies the model, in hexadecimal digits: vectors of different models cannot be compared.
    fn digest(&self) -> &str;

    /// Numbers of a vector.
    fn dimension(&self) -> usize;

    /// Unit length; all zeros for a text that says nothing to the model. Pure CPU, one thread.
    fn embed(&self, text: &str) -> Vec<f32>;

    /// As `embed`, of the whole text, however long, where the model can.
    fn embed_whole(&self, text: &str) -> Vec<f32> {
        self.embed(text)
    }

    /// As `embed`, in the order of the texts.
    fn embed_batch(&self, texts: &[&str]) -> Vec<Vec<f32>> {
        texts.iter().map(|text| self.embed(text)).collect()
    }
}

/// The model that is compiled in.
pub(crate) struct BuiltIn {
    model: StaticModel,
    digest: String,
}

impl BuiltIn {
    /// The one of this process: collections share it, for it takes tens of megabytes.
    pub(crate) fn shared() -> Result<Arc<Self>, IndexError> {
        static SHARED: Mutex<Weak<BuiltIn>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock();
        if let Some(embedder) = shared.upgrade() {
            return Ok(embedder);
        }
        let embedder = Arc::new(Self::load()?);
        *shared = Arc::downgrade(&embedder);
        Ok(embedder)
    }

    fn load() -> Result<Self, IndexError> {
        let model = StaticModel::from_bytes(TOKENIZER, MODEL, CONFIG, Some(true))
            .map_err(|error| IndexError::Model(error.to_string()))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(TOKENIZER).update(MODEL).update(CONFIG);
        Ok(Self { model, digest: hasher.finalize().to_hex().to_string() })
    }
}

impl Embedder for BuiltIn {
    fn name(&self) -> &str {
        "minilm-static-256"
    }

    fn digest(&self) -> &str {
        &self.digest
    }

    fn dimension(&self) -> usize {
        self.model.dim()
    }

    fn embed(&self, text: &str) -> Vec<f32> {
        self.finite(self.model.encode_single(head(text, MAX_BYTES)))
    }

    fn embed_whole(&self, text: &str) -> Vec<f32> {
        let mut vectors = self.model.encode_with_args(&[text.to_owned()], None, 1);
        self.finite(vectors.pop().unwrap_or_default())
    }
}

impl BuiltIn {
    fn finite(&self, vector: Vec<f32>) -> Vec<f32> {
        match vector.len() == self.dimension() && vector.iter().all(|value| value.is_finite()) {
            true => vector,
            false => vec![0.0; self.dimension()],
        }
    }
}

/// At most the first `bytes` of a text.
fn head(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
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

    fn cosine(embedder: &BuiltIn, left: &str, right: &str) -> f32 {
        embedder.embed(left).iter().zip(embedder.embed(right)).map(|(left, right)| left * right).sum()
    }

    #[test]
    fn related_texts_are_nearer_than_unrelated_ones() {
        let embedder = BuiltIn::load().unwrap();
        let guitar = cosine(&embedder, "a man plays the guitar", "someone makes music on a string instrument");
        let cake = cosine(&embedder, "a man plays the guitar", "quarterly revenue of the company");
        assert!(guitar > cake + 0.2, "{guitar} {cake}");
    }

    #[test]
    fn vectors_have_unit_length_or_none() {
        let embedder = BuiltIn::load().unwrap();
        let length = |text: &str| embedder.embed(text).iter().map(|value| value * value).sum::<f32>().sqrt();
        assert!((length("binary search tree") - 1.0).abs() < 1e-4);
        assert_eq!(length(""), 0.0);
        assert_eq!(embedder.embed("").len(), 256);
        assert!(length(&"漢".repeat(MAX_BYTES)).is_finite());
    }
}
