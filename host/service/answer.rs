//! The JSON shape of an answer: the fields of the system that Corsac re-creates, and what today's
//! clients expect beside them. The HTTP layer and the OpenAPI document use these types as they are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use super::analysis::QueryAnalysis;
pub use super::facets::{FacetCount, Facets};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchResponse {
    /// Always true: a failure is a problem document with its own status, never a 200.
    pub success: bool,
    pub query: String,
    /// Hits in the candidate window, before paging.
    pub total_results: u32,
    /// There are, or may be, more hits than `total_results` beyond the window.
    pub truncated: bool,
    /// Most hits that the candidate window holds. It is ranked as a whole, and all pages of a question are cut
    /// from it.
    #[serde(default)]
    pub window: u32,
    pub offset: u32,
    /// The agent whose traits the ranker was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agent: Option<String>,
    pub results: Vec<SearchResult>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub facets: Option<Facets>,
    /// Seconds that it took to compute this answer (a cached answer keeps the time of its making).
    pub search_time: f64,
    /// Labels of what ran, such as `semantic`, `syntax`, `hybrid`.
    pub search_strategies: Vec<String>,
    /// A part of the search failed; `degraded_reasons` says which and why.
    pub degraded: bool,
    pub degraded_reasons: Vec<String>,
    pub strategy: PluginRef,
    pub ranker: PluginRef,
    /// Why the strategy chose its plan, if it had a choice.
    pub reason: Option<String>,
    /// How the query was understood, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub analysis: Option<QueryAnalysis>,
    /// Always null; kept for clients of the earlier API.
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<Explanation>,
}

/// Exactly one version of one plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PluginRef {
    pub name: String,
    pub version: String,
    /// First 16 hexadecimal digits of the BLAKE3 digest of its file.
    pub digest: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchResult {
    /// Stable over restarts and over changes elsewhere in the document: root, path, symbol or line.
    pub id: String,
    pub file_path: String,
    /// From 1.
    pub line_number: u32,
    /// Last line of the chunk that was found, from 1.
    pub end_line: u32,
    /// The chunk; for a pattern hit its line. Of one longer than 8,192 bytes, the part around its first match.
    pub content: String,
    /// `content` is a part only; absent when it is whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub content_truncated: bool,
    pub score: f32,
    /// `semantic`, `syntax` or `hybrid`: which legs found it.
    pub match_type: String,
    /// Lines around `line_number`, when `context_lines` asked for them.
    pub context: Option<String>,
    /// The best few lines of the chunk.
    pub snippet: Option<String>,
    /// Ranges within `content` that match the query, as byte offsets.
    pub highlights: Vec<Highlight>,
    pub metadata: ResultMetadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<ResultExplanation>,
}

/// A half-open range of bytes in `content`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Highlight {
    pub start: u32,
    pub end: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResultMetadata {
    pub language: Option<String>,
    pub title: Option<String>,
    pub symbols: Vec<String>,
    /// First line of the chunk, from 1.
    pub chunk_start: u32,
    /// Unix seconds.
    pub modified: i64,
}

/// Why this hit stands where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResultExplanation {
    /// Score and rank (from 1) that each kind of probe gave it.
    pub legs: BTreeMap<String, LegScore>,
    pub strategy_score: f32,
    /// From 1, before ranking.
    pub strategy_rank: u32,
    pub ranker_score: f32,
    /// In the ranker's words.
    pub ranker: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LegScore {
    pub score: f32,
    pub rank: u32,
}

/// What was done for this query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// Store sequence that the index reflected.
    pub generation: u64,
    pub probes: Vec<ProbeExplanation>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProbeExplanation {
    /// `text`, `vector`, `pattern`, `symbol`; `path`: text of paths alone; `context`: what the request's `context`
    /// names, to know what is near.
    pub kind: String,
    pub hits: u32,
    pub milliseconds: f64,
    pub error: Option<String>,
}
