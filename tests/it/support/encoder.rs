//! A tiny BERT encoder, written by the test: 2 layers of 32 numbers, 4 heads, 12 word pieces, with parameters by a
//! formula. The unit tests of the embedder read this file, too: they know its vectors.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

/// Numbers of a vector.
pub const SIZE: usize = 32;
const INNER: usize = 64;
const PLACES: usize = 16;
const WORDS: [&str; 12] =
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "fox", "jump", "##s", "##ed", "over", "dog", "lazy"];

/// Puts the model into a folder, as sentence-transformers lays it out.
pub fn write_encoder(folder: &Path) {
    write(folder, "config.json", &config());
    write(folder, "tokenizer.json", &tokenizer());
    fs::write(folder.join("model.safetensors"), weights("")).unwrap();
}

/// Writes one file, and makes the folders above it.
pub fn write(folder: &Path, name: &str, content: &Value) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content.to_string()).unwrap();
}

fn number(seed: u64, at: u64) -> f32 {
    const LOW: u64 = (1 << 32) - 1;
    let mixed = (at * 2_654_435_761 + seed * 40_503 + 12_345) & LOW;
    let mixed = (mixed * mixed + (mixed >> 16)) & LOW;
    ((mixed >> 8) as f64 / f64::from(1 << 24) - 0.5) as f32
}

fn parameters() -> Vec<(String, Vec<usize>)> {
    let mut list: Vec<(String, Vec<usize>)> = vec![
        ("embeddings.word_embeddings.weight".into(), vec![WORDS.len(), SIZE]),
        ("embeddings.position_embeddings.weight".into(), vec![PLACES, SIZE]),
        ("embeddings.token_type_embeddings.weight".into(), vec![2, SIZE]),
        ("embeddings.LayerNorm.weight".into(), vec![SIZE]),
        ("embeddings.LayerNorm.bias".into(), vec![SIZE]),
    ];
    for layer in 0..2 {
        for (part, outputs, inputs) in [
            ("attention.self.query", SIZE, SIZE),
            ("attention.self.key", SIZE, SIZE),
            ("attention.self.value", SIZE, SIZE),
            ("attention.output.dense", SIZE, SIZE),
            ("attention.output.LayerNorm", SIZE, 0),
            ("intermediate.dense", INNER, SIZE),
            ("output.dense", SIZE, INNER),
            ("output.LayerNorm", SIZE, 0),
        ] {
            let shape = if inputs == 0 { vec![outputs] } else { vec![outputs, inputs] };
            list.push((format!("encoder.layer.{layer}.{part}.weight"), shape));
            list.push((format!("encoder.layer.{layer}.{part}.bias"), vec![outputs]));
        }
    }
    list
}

/// The file `model.safetensors`, with something before each name.
pub fn weights(prefix: &str) -> Vec<u8> {
    let content: Vec<(String, Vec<usize>, Vec<u8>)> = parameters()
        .into_iter()
        .zip(0..)
        .map(|((name, shape), seed)| {
            let one = if name.ends_with("LayerNorm.weight") { 1.0 } else { 0.0 };
            let count = shape.iter().product::<usize>() as u64;
            let bytes = (0..count).flat_map(|at| (one + number(seed, at)).to_le_bytes()).collect();
            (format!("{prefix}{name}"), shape, bytes)
        })
        .collect();
    let views =
        content.iter().map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, &None).unwrap()
}

/// The file `config.json`.
pub fn config() -> Value {
    json!({
        "model_type": "bert", "hidden_act": "gelu", "hidden_size": SIZE, "num_hidden_layers": 2,
        "num_attention_heads": 4, "intermediate_size": INNER, "max_position_embeddings": PLACES,
        "vocab_size": WORDS.len(), "layer_norm_eps": 1e-12,
    })
}

/// The file `tokenizer.json`.
pub fn tokenizer() -> Value {
    let vocabulary: HashMap<&str, usize> = WORDS.into_iter().zip(0..).collect();
    json!({
        "version": "1.0", "added_tokens": [], "post_processor": null, "decoder": null,
        // As the real one's file says, which must not matter.
        "truncation": {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
        "padding": {"strategy": {"Fixed": 14}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
                    "pad_type_id": 0, "pad_token": "[PAD]"},
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocabulary},
    })
}
