//! The JSON shape of passages for a language model. Plain data, also read again where an answer in words is added.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Modality;
use crate::service::answer::{Highlight, PluginRef};

/// What was found, as chunks and as passages, and the answer in words if there is one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PassagesResponse {
    /// The best chunks.
    pub hits: Vec<PassageHit>,
    /// Found chunks with their neighbours, in the order of scores, within the budget. Number 1 comes first.
    pub passages: Vec<Passage>,
    /// The passages one after the other, each under `[number] path:start-end`.
    pub context: String,
    /// Chunks that were found and that the request's conditions let through.
    pub total: u32,
    /// Seconds of the whole when it was computed; 0 < `search_time` ≤ `query_time`.
    pub query_time: f64,
    /// Of `search_time`, what the longest look-up by vectors took, the embedding of the query included; 0 when
    /// there was none.
    pub embedding_time: f64,
    /// Seconds until the window was ranked.
    pub search_time: f64,
    pub metadata: PassagesMetadata,
    /// In words, with numbers of passages in brackets.
    pub answer: Option<String>,
    /// Passages that `answer` cites, in the order of their first mention.
    pub citations: Vec<Citation>,
    /// Numbers that `answer` cites although no passage has them.
    pub unknown_citations: Vec<u32>,
    /// Why there is no answer.
    pub answer_reason: Option<String>,
    /// The model that answered.
    pub answer_model: Option<String>,
}

/// One chunk that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PassageHit {
    /// Stable over restarts and over changes elsewhere in the document.
    pub id: String,
    /// 0 to 1: the ranker's score as a share of the best, mixed with recency (see `temporal_weight`).
    pub score: f32,
    /// Ranges within `chunk_text` that match the query, as byte offsets.
    pub highlights: Vec<Highlight>,
    pub extra: HitExtra,
    pub file_path: String,
    /// The whole document, when it was asked for, at the document's first hit, as long as all of them together stay
    /// below 4 MiB.
    pub file_content: Option<String>,
    pub file_metadata: FileMetadata,
    /// The chunk's place in its document, from 0.
    pub chunk_index: u32,
    pub chunk_text: String,
    /// Estimated: see `metadata.tokenizer`.
    pub chunk_tokens: u32,
    pub chunk_metadata: ChunkMetadata,
    /// When it was asked for; null also where the chunk has no known word.
    pub embedding_vector: Option<Vec<f32>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HitExtra {
    /// `semantic`, `syntax` or `hybrid`: which legs found it.
    pub match_type: String,
    /// Cosine to the query, where vectors found it.
    pub similarity: Option<f32>,
    /// The line that was found, from 1.
    pub line: u32,
    /// The ranker's score as it was.
    pub ranker_score: f32,
    /// Score that each kind of look-up gave it.
    pub legs: BTreeMap<String, f32>,
    /// The passage that it is part of; null when the budget had no room for it.
    pub passage: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FileMetadata {
    pub language: Option<String>,
    pub title: Option<String>,
    /// Unix seconds.
    pub modified: i64,
    /// Bytes.
    pub size: u64,
    pub chunks: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChunkMetadata {
    /// From 1, inclusive.
    pub start_line: u32,
    /// From 1, inclusive.
    pub end_line: u32,
    /// Names that it defines.
    pub symbols: Vec<String>,
}

/// Neighbouring chunks of one document, as one text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Passage {
    pub citation: Citation,
    pub text: String,
    /// With its heading in the context.
    pub tokens: u32,
    /// Of its best chunk.
    pub score: f32,
    /// The budget ended within it.
    pub truncated: bool,
    /// Places in `hits`, from 0.
    pub hits: Vec<u32>,
}

/// Where a passage is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Citation {
    /// From 1.
    pub number: u32,
    pub path: String,
    /// From 1, inclusive.
    pub start_line: u32,
    /// From 1, inclusive.
    pub end_line: u32,
}

/// How it came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PassagesMetadata {
    pub query: String,
    pub modality: Modality,
    pub strategy: PluginRef,
    pub ranker: PluginRef,
    /// In the strategy's words.
    pub reason: Option<String>,
    /// There may be more to be found than was looked at.
    pub truncated: bool,
    pub degraded: bool,
    pub degraded_reasons: Vec<String>,
    /// Store sequence that the index reflected.
    pub generation: u64,
    /// Of the context, and how many it might have had.
    pub tokens: u32,
    pub max_tokens: u32,
    pub neighbours: u32,
    /// Passages that the budget had no room for.
    pub omitted_passages: u32,
    /// How tokens are counted: `estimate`, the greater of 1.3 × words and characters / 4.
    pub tokenizer: String,
}
