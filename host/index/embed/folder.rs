//! A model in a folder as the sentence-transformers library lays it out, such as all-MiniLM-L6-v2: `config.json`,
//! `tokenizer.json`, `model.safetensors`, and what the folder says of pooling and length. Only BERT encoders with
//! mean pooling. Knows nothing of indexes.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokenizers::{Tokenizer, TruncationDirection, TruncationParams, TruncationStrategy};

use super::bert::{Bert, Shape};
use super::{Embedder, head};
use crate::index::IndexError;

/// Word pieces that are read of a text where the folder does not say; what all-MiniLM-L6-v2 was made for.
const USUAL_PIECES: usize = 256;

/// Part of the digest: another number where vectors come out differently from the same files.
const READING: u8 = 1;

/// A BERT encoder with its tokenizer.
pub(crate) struct FolderModel {
    name: String,
    digest: String,
    tokenizer: Tokenizer,
    network: Bert,
    first: u32,
    last: u32,
    /// Bytes of text that can matter.
    bytes: usize,
}

/// `sentence_bert_config.json`.
#[derive(Deserialize)]
struct Length {
    max_seq_length: Option<usize>,
}

/// `1_Pooling/config.json`.
#[derive(Deserialize)]
struct Pooling {
    pooling_mode_mean_tokens: bool,
}

impl FolderModel {
    /// Reads and checks everything; later nothing can fail.
    pub(crate) fn load(folder: &Path) -> Result<Self, IndexError> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|error| failed(&path, error))
        };
        let (config, tokens, weights) = (read("config.json")?, read("tokenizer.json")?, read("model.safetensors")?);
        let shape: Shape = json(&folder.join("config.json"), &config)?;
        let pieces = pieces(folder)?.min(shape.max_position_embeddings);
        check_pooling(folder)?;

        let path = folder.join("model.safetensors");
        let file = SafeTensors::deserialize(&weights).map_err(|error| failed(&path, error))?;
        let network = Bert::read(&shape, &file).map_err(|reason| failed(&path, reason))?;

        let path = folder.join("tokenizer.json");
        let mut tokenizer = Tokenizer::from_bytes(&tokens).map_err(|error| failed(&path, error))?;
        let piece = |name: &str| {
            let piece = tokenizer.token_to_id(name).filter(|piece| (*piece as usize) < shape.vocab_size);
            piece.ok_or_else(|| failed(&path, format!("there is no word piece {name}, or the network has none for it")))
        };
        let (first, last) = (piece("[CLS]")?, piece("[SEP]")?);
        // The ends are put on here, whether the file says so or not.
        let truncation = TruncationParams {
            direction: TruncationDirection::Right,
            max_length: pieces.saturating_sub(2),
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
        };
        tokenizer.with_padding(None).with_truncation(Some(truncation)).map_err(|error| failed(&path, error))?;

        let mut hasher = blake3::Hasher::new();
        hasher.update(&[READING]).update(&(pieces as u64).to_le_bytes());
        for part in [&config, &tokens, &weights] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let digest = hasher.finalize().to_hex().to_string();
        Ok(Self { name, digest, tokenizer, network, first, last, bytes: pieces * 16 })
    }
}

impl Embedder for FolderModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn digest(&self) -> &str {
        &self.digest
    }

    fn dimension(&self) -> usize {
        self.network.dimension()
    }

    fn embed(&self, text: &str) -> Vec<f32> {
        let nothing = || vec![0.0; self.dimension()];
        let Ok(encoding) = self.tokenizer.encode_fast(head(text, self.bytes), false) else { return nothing() };
        if encoding.is_empty() {
            return nothing();
        }
        let mut pieces = Vec::with_capacity(encoding.len() + 2);
        pieces.push(self.first);
        pieces.extend_from_slice(encoding.get_ids());
        pieces.push(self.last);
        let vector = self.network.encode(&pieces);
        let length = vector.dot(&vector).sqrt();
        if length.is_finite() && length > 0.0 { (vector / length).to_vec() } else { nothing() }
    }
}

fn pieces(folder: &Path) -> Result<usize, IndexError> {
    let path = folder.join("sentence_bert_config.json");
    let said = optional::<Length>(&path)?.and_then(|length| length.max_seq_length).unwrap_or(USUAL_PIECES);
    match said {
        0..3 => Err(failed(&path, format!("max_seq_length is {said}, which leaves no room for a word"))),
        said => Ok(said),
    }
}

fn check_pooling(folder: &Path) -> Result<(), IndexError> {
    let path = folder.join("1_Pooling").join("config.json");
    match optional::<Pooling>(&path)? {
        Some(Pooling { pooling_mode_mean_tokens: false }) => {
            Err(failed(&path, "pooling_mode_mean_tokens is false; only models with mean pooling are read"))
        }
        _ => Ok(()),
    }
}

fn optional<T: DeserializeOwned>(path: &PathBuf) -> Result<Option<T>, IndexError> {
    match std::fs::read(path) {
        Ok(bytes) => json(path, &bytes).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, error)),
    }
}

fn json<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, IndexError> {
    serde_json::from_slice(bytes).map_err(|error| failed(path, error))
}

fn failed(path: &Path, reason: impl std::fmt::Display) -> IndexError {
    IndexError::Model(format!(
        "{}: {reason}; index.model.folder must hold a sentence-transformers model such as all-MiniLM-L6-v2",
        path.display()
    ))
}

#[cfg(test)]
mod tests;
