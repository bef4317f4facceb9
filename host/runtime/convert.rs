//! Between domain words and the contract's records, both ways, and the checks that a guest's numbers
//! need before anyone else sees them.

use super::bindings::ranker::exports::corsac::plugin::ranking as wire_ranking;
use super::bindings::strategy::corsac::plugin::retrieval as wire;
use super::bindings::strategy::corsac::plugin::types as wire_types;
use super::bindings::strategy::exports::corsac::plugin::candidate_generation as wire_generation;
use super::error::CallError;
use crate::query::{
    ChunkId, Hits, PatternProbe, PatternSyntax, Probe, Query, RetrievalError, SymbolMatch, SymbolProbe, TermMatch,
    TextField, TextProbe, VectorProbe,
};

/// Hits that one probe may ask for: what the host asks of a strategy for an export.
const MAX_PROBE_HITS: u32 = 10_000;
/// Bytes of one probe's text; the same bound as a client's query.
const MAX_PROBE_TEXT: usize = 4096;

/// What a strategy proposed, checked: columns of equal length, finite scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    pub hits: Hits,
    pub strategies: Vec<String>,
    pub degraded: Vec<String>,
    pub reason: Option<String>,
}

/// The columns that a ranker gets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidates {
    pub count: u32,
    pub features: Vec<f32>,
    pub texts: Vec<String>,
    pub dimension: u32,
    pub embeddings: Vec<f32>,
}

/// A ranker's answer, checked: one finite score a candidate, no explanation or one a candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    pub scores: Vec<f32>,
    pub explanations: Vec<String>,
}

pub fn query(query: &Query) -> wire_types::Query {
    wire_types::Query {
        text: query.text.clone(),
        limit: query.limit,
        file_types: query.scope.file_types.clone(),
        directories: query.scope.directories.clone(),
        case_sensitive: query.case_sensitive,
        whole_word: query.whole_word,
        similarity_threshold: query.similarity_threshold,
        weights: query.weights.clone(),
        parameters: query.parameters.clone(),
    }
}

pub fn probe(probe: wire::Probe) -> Result<Probe, RetrievalError> {
    let probe = match probe {
        wire::Probe::Text(probe) => Probe::Text(TextProbe {
            text: text(probe.text)?,
            mode: match probe.mode {
                wire::TermMatch::Any => TermMatch::Any,
                wire::TermMatch::All => TermMatch::All,
                wire::TermMatch::Phrase => TermMatch::Phrase,
            },
            fuzziness: match probe.fuzziness {
                distance @ 0..=2 => distance,
                distance => return Err(bad(format!("fuzziness is {distance}, it can be 0 to 2"))),
            },
            prefix: probe.prefix,
            fields: probe.fields.into_iter().map(field_weight).collect::<Result<_, _>>()?,
            limit: probe.limit,
        }),
        wire::Probe::Vector(probe) => Probe::Vector(VectorProbe {
            text: text(probe.text)?,
            min_similarity: probe.min_similarity.filter(|least| least.is_finite()),
            limit: probe.limit,
        }),
        wire::Probe::Pattern(probe) => Probe::Pattern(PatternProbe {
            pattern: text(probe.pattern)?,
            syntax: match probe.syntax {
                wire::PatternSyntax::Literal => PatternSyntax::Literal,
                wire::PatternSyntax::Regex => PatternSyntax::Regex,
            },
            case_sensitive: probe.case_sensitive,
            whole_word: probe.whole_word,
            limit: probe.limit,
        }),
        wire::Probe::Symbol(probe) => Probe::Symbol(SymbolProbe {
            name: text(probe.name)?,
            mode: match probe.mode {
                wire::SymbolMatch::Exact => SymbolMatch::Exact,
                wire::SymbolMatch::Prefix => SymbolMatch::Prefix,
                wire::SymbolMatch::Substring => SymbolMatch::Substring,
            },
            case_sensitive: probe.case_sensitive,
            limit: probe.limit,
        }),
    };
    match probe.limit() {
        1..=MAX_PROBE_HITS => Ok(probe),
        limit => Err(bad(format!("limit is {limit}, it can be 1 to {MAX_PROBE_HITS}"))),
    }
}

fn text(text: String) -> Result<String, RetrievalError> {
    match text.len() {
        0 => Err(bad("the text of the probe is empty".into())),
        1..=MAX_PROBE_TEXT => Ok(text),
        bytes => Err(bad(format!("the text of the probe has {bytes} bytes, it can have {MAX_PROBE_TEXT}"))),
    }
}

fn field_weight((field, weight): (wire::TextField, f32)) -> Result<(TextField, f32), RetrievalError> {
    if !(weight.is_finite() && weight > 0.0) {
        return Err(bad(format!("the weight of a field is {weight}, it must be finite and more than 0")));
    }
    let field = match field {
        wire::TextField::Body => TextField::Body,
        wire::TextField::Title => TextField::Title,
        wire::TextField::Symbol => TextField::Symbol,
        wire::TextField::Path => TextField::Path,
    };
    Ok((field, weight))
}

fn bad(reason: String) -> RetrievalError {
    RetrievalError::BadProbe(reason)
}

pub fn hits(hits: Hits) -> wire::Hits {
    wire::Hits {
        chunks: hits.chunks.into_iter().map(|chunk| chunk.0).collect(),
        lines: hits.lines,
        scores: hits.scores,
        truncated: hits.truncated,
    }
}

pub fn retrieval_error(error: RetrievalError) -> wire::RetrievalError {
    match error {
        RetrievalError::BadProbe(reason) => wire::RetrievalError::BadProbe(reason),
        RetrievalError::Unavailable(reason) => wire::RetrievalError::Unavailable(reason),
        RetrievalError::TimedOut => wire::RetrievalError::TimedOut,
        RetrievalError::LimitExceeded(reason) => wire::RetrievalError::LimitExceeded(reason),
    }
}

pub fn plugin_error(error: wire_types::PluginError) -> CallError {
    match error {
        wire_types::PluginError::BadQuery(reason) => CallError::BadQuery(reason),
        wire_types::PluginError::Unsupported(reason) => CallError::Unsupported(reason),
        wire_types::PluginError::Internal(reason) => CallError::Internal(reason),
    }
}

pub fn proposal(proposal: wire_generation::Proposal) -> Result<Proposal, CallError> {
    let count = proposal.chunks.len();
    if proposal.lines.len() != count || proposal.scores.len() != count {
        return Err(CallError::Contract(format!(
            "the proposal has {count} chunks, {} lines and {} scores; the columns must have equal length",
            proposal.lines.len(),
            proposal.scores.len()
        )));
    }
    finite(&proposal.scores)?;
    Ok(Proposal {
        hits: Hits {
            chunks: proposal.chunks.into_iter().map(ChunkId).collect(),
            lines: proposal.lines,
            scores: proposal.scores,
            truncated: false,
        },
        strategies: proposal.strategies,
        degraded: proposal.degraded,
        reason: proposal.reason,
    })
}

pub fn candidates(candidates: Candidates) -> wire_ranking::Candidates {
    wire_ranking::Candidates {
        count: candidates.count,
        features: candidates.features,
        texts: candidates.texts,
        dimension: candidates.dimension,
        embeddings: candidates.embeddings,
    }
}

pub fn ranking(scored: wire_ranking::Scored, count: u32) -> Result<Ranking, CallError> {
    if scored.scores.len() != count as usize {
        let found = scored.scores.len();
        return Err(CallError::Contract(format!("{found} scores for {count} candidates")));
    }
    if !scored.explanations.is_empty() && scored.explanations.len() != count as usize {
        let found = scored.explanations.len();
        return Err(CallError::Contract(format!("{found} explanations for {count} candidates")));
    }
    finite(&scored.scores)?;
    Ok(Ranking { scores: scored.scores, explanations: scored.explanations })
}

fn finite(scores: &[f32]) -> Result<(), CallError> {
    match scores.iter().position(|score| !score.is_finite()) {
        None => Ok(()),
        Some(at) => Err(CallError::Contract(format!("score {at} is {}, it must be finite", scores[at]))),
    }
}
