//! A tiny encoder with parameters by a formula. What it must answer was computed apart from this code, with the same
//! formula, in 64-bit numpy: word, position and type embeddings, then for each layer softmax(q k' / sqrt(8)) v and
//! 0.5 h (1 + erf(h / sqrt 2)), each with its residual and layer normalization, then the mean over the pieces, scaled
//! to length 1.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// The same that integration tests start a server with.
#[path = "../../../../tests/it/support/encoder.rs"]
mod encoder;

use serde_json::{Value, json};

use super::*;
use encoder::{SIZE, config, tokenizer, weights, write, write_encoder};

/// `[CLS] the fox jump ##s over the lazy dog [SEP]`
#[rustfmt::skip]
const FOX: [f32; SIZE] = [
    0.097609, 0.073834, -0.051226, -0.229146, 0.045807, 0.070080, -0.065007, 0.167078, -0.104842, -0.511020, -0.014699,
    0.035040, -0.074753, -0.063058, -0.189979, 0.281598, -0.204465, 0.381501, 0.027117, 0.014905, -0.144871, -0.231923,
    0.103566, -0.026479, 0.175646, 0.005442, 0.158855, 0.014691, 0.200457, 0.002949, 0.342311, -0.063232,
];

/// `[CLS] dog [UNK] [SEP]`
#[rustfmt::skip]
const DOG: [f32; SIZE] = [
    0.114479, -0.076137, 0.054139, -0.157843, 0.025636, 0.107793, -0.063156, -0.044887, 0.044079, -0.402753, -0.006489,
    0.168040, -0.046948, -0.117094, -0.245475, 0.325586, -0.150445, 0.323634, -0.000504, -0.032111, -0.178438,
    -0.308974, -0.067026, -0.005346, 0.275710, -0.127308, 0.129796, 0.012028, 0.095751, -0.032631, 0.424481, -0.022333,
];

/// A folder with the tiny model.
fn tiny() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_encoder(folder.path());
    folder
}

fn near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() < 5e-6, "number {at} is {found}, not {expected}");
    }
}

#[test]
fn vectors_are_those_of_an_independent_forward_pass() {
    let folder = tiny();
    let model = FolderModel::load(folder.path()).unwrap();
    near(&model.embed("The fox jumps over the lazy dog"), &FOX);
    near(&model.embed("dog, "), &DOG);
    let batch = model.embed_batch(&["The fox jumps over the lazy dog", "dog cat"]);
    near(&batch[0], &FOX);
    near(&batch[1], &DOG);
    assert_eq!(model.dimension(), SIZE);
}

#[test]
fn a_prefix_of_names_changes_nothing() {
    let folder = tiny();
    std::fs::write(folder.path().join("model.safetensors"), weights("bert.")).unwrap();
    near(&FolderModel::load(folder.path()).unwrap().embed("The fox jumps over the lazy dog"), &FOX);
}

#[test]
fn a_text_of_nothing_has_no_vector() {
    let model = FolderModel::load(tiny().path()).unwrap();
    assert_eq!(model.embed(" \n\t"), [0.0; SIZE]);
}

/// Ten pieces with the ends, so what follows `dog` is not read.
#[test]
fn texts_are_cut_to_the_length_that_the_folder_says() {
    let folder = tiny();
    write(folder.path(), "sentence_bert_config.json", &json!({"max_seq_length": 10}));
    let model = FolderModel::load(folder.path()).unwrap();
    near(&model.embed("The fox jumps over the lazy dog the fox jumped"), &FOX);
    assert!(model.embed(&"dog ".repeat(100_000)).iter().all(|number| number.is_finite()));
    let long = FolderModel::load(tiny().path()).unwrap();
    let longer = long.embed("The fox jumps over the lazy dog the fox jumped");
    assert!(longer.iter().zip(FOX).any(|(found, cut)| (found - cut).abs() > 1e-3));
    // What the network has no place for is cut as well.
    assert_eq!(long.embed(&"dog ".repeat(14)), long.embed(&"dog ".repeat(15)));
}

#[test]
fn the_digest_says_what_was_read() {
    let digest = |folder: &Path| FolderModel::load(folder).unwrap().digest().to_owned();
    let folder = tiny();
    let before = digest(folder.path());
    assert_eq!(before, digest(tiny().path()), "the folder's place does not matter");
    write(folder.path(), "sentence_bert_config.json", &json!({"max_seq_length": 10}));
    let cut = digest(folder.path());
    assert_ne!(before, cut);
    let mut bytes = weights("");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
    assert_ne!(cut, digest(folder.path()));
}

#[test]
fn what_cannot_be_read_is_named() {
    let reason = |break_it: &dyn Fn(&Path)| {
        let folder = tiny();
        break_it(folder.path());
        let error = FolderModel::load(folder.path()).err().expect("it must not load").to_string();
        assert!(error.contains("index.model.folder must hold"), "{error}");
        error
    };
    let with = |name: &str, value: Value| {
        let mut config = config();
        config[name] = value;
        reason(&|folder| write(folder, "config.json", &config))
    };
    assert!(reason(&|folder| std::fs::remove_file(folder.join("tokenizer.json")).unwrap()).contains("tokenizer.json"));
    assert!(with("model_type", json!("roberta")).contains("model_type is `roberta`; only `bert` is read"));
    assert!(with("hidden_act", json!("relu")).contains("hidden_act is `relu`"));
    assert!(with("num_attention_heads", json!(5)).contains("hidden_size 32 cannot be shared"));
    assert!(with("num_attention_heads", json!(0)).contains("hidden_size 32 cannot be shared"));
    assert!(with("num_hidden_layers", json!(3)).contains("no parameter encoder.layer.2."));
    assert!(with("intermediate_size", json!(65)).contains("by config.json it should be [65, 32]"));
    assert!(with("hidden_size", json!("x")).contains("config.json"));
    let pooling = json!({"pooling_mode_mean_tokens": false, "pooling_mode_cls_token": true});
    assert!(reason(&|folder| write(folder, "1_Pooling/config.json", &pooling)).contains("only models with mean pool"));
    let length = json!({"max_seq_length": 2});
    assert!(reason(&|folder| write(folder, "sentence_bert_config.json", &length)).contains("no room for a word"));
    let mut nameless = tokenizer();
    nameless["model"]["vocab"]["[CLS]"] = json!(12);
    assert!(reason(&|folder| write(folder, "tokenizer.json", &nameless)).contains("word piece [CLS]"));
    assert!(
        reason(&|folder| std::fs::write(folder.join("model.safetensors"), &weights("")[..999]).unwrap())
            .contains("model.safetensors")
    );
    let infinite = |folder: &Path| {
        let mut bytes = weights("");
        let last = bytes.len() - 4;
        bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(folder.join("model.safetensors"), bytes).unwrap();
    };
    assert!(reason(&infinite).contains("not finite"));
}
