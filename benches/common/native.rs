//! Strategies and the default ranker linked natively: what the host would be without WebAssembly. Turns
//! the plugins' own types into the host's and back, a copy of three short texts a probe, which counts
//! against the native side (columns of hits change their type in place).

use corsac::query::{
    Hits, PatternProbe, PatternSyntax, Probe, RetrievalError, SymbolMatch, SymbolProbe, TermMatch, TextField,
    TextProbe, VectorProbe,
};
use corsac::runtime::Retriever;
use corsac::service::DEFAULT_WINDOW;
use strategy_kit as kit;
use tokio::runtime::Runtime;

/// What a strategy's `retrieve` is natively.
pub type Retrieve<'a> = &'a dyn Fn(&[kit::Probe]) -> Vec<Result<kit::Hits, kit::RetrievalError>>;
/// `propose` of a strategy's crate.
pub type Strategy = fn(&kit::Query, Retrieve<'_>) -> Result<kit::Proposal, kit::PluginError>;

/// One query in the types of strategies and of rankers, with the defaults of the HTTP face.
pub struct Query {
    pub strategy: kit::Query,
    pub ranker: rank_relevance::Query,
}

impl Query {
    pub fn new(text: &str) -> Self {
        let strategy = kit::Query {
            text: text.into(),
            limit: DEFAULT_WINDOW,
            file_types: vec![],
            directories: vec![],
            case_sensitive: false,
            whole_word: false,
            similarity_threshold: None,
            weights: vec![],
            parameters: vec![],
        };
        let ranker = rank_relevance::Query {
            text: text.into(),
            limit: DEFAULT_WINDOW,
            file_types: vec![],
            directories: vec![],
            case_sensitive: false,
            whole_word: false,
            similarity_threshold: None,
            weights: vec![],
            parameters: vec![],
        };
        Self { strategy, ranker }
    }
}

/// Chunks with the ranker's scores, in the strategy's order.
pub fn search(
    runtime: &Runtime,
    strategy: Strategy,
    query: &Query,
    retriever: &dyn Retriever,
) -> anyhow::Result<Vec<(u64, f32)>> {
    let retrieve = |probes: &[kit::Probe]| {
        let results = runtime.block_on(retriever.retrieve(probes.iter().map(probe).collect()));
        results.into_iter().map(|result| result.map(hits).map_err(error)).collect()
    };
    let proposal = strategy(&query.strategy, &retrieve)?;
    let candidates = rank_relevance::Candidates {
        count: proposal.chunks.len() as u32,
        features: proposal.scores,
        texts: vec![],
        dimension: 0,
        embeddings: vec![],
    };
    let scored = rank_relevance::rank(&query.ranker, &candidates, false)?;
    Ok(proposal.chunks.into_iter().zip(scored.scores).collect())
}

fn probe(probe: &kit::Probe) -> Probe {
    match probe {
        kit::Probe::Text(probe) => Probe::Text(TextProbe {
            text: probe.text.clone(),
            mode: match probe.mode {
                kit::TermMatch::Any => TermMatch::Any,
                kit::TermMatch::All => TermMatch::All,
                kit::TermMatch::Phrase => TermMatch::Phrase,
            },
            fuzziness: probe.fuzziness,
            prefix: probe.prefix,
            fields: probe.fields.iter().map(|(name, weight)| (field(*name), *weight)).collect(),
            limit: probe.limit,
        }),
        kit::Probe::Vector(probe) => Probe::Vector(VectorProbe {
            text: probe.text.clone(),
            min_similarity: probe.min_similarity,
            limit: probe.limit,
        }),
        kit::Probe::Pattern(probe) => Probe::Pattern(PatternProbe {
            pattern: probe.pattern.clone(),
            syntax: match probe.syntax {
                kit::PatternSyntax::Literal => PatternSyntax::Literal,
                kit::PatternSyntax::Regex => PatternSyntax::Regex,
            },
            case_sensitive: probe.case_sensitive,
            whole_word: probe.whole_word,
            limit: probe.limit,
        }),
        kit::Probe::Symbol(probe) => Probe::Symbol(SymbolProbe {
            name: probe.name.clone(),
            mode: match probe.mode {
                kit::SymbolMatch::Exact => SymbolMatch::Exact,
                kit::SymbolMatch::Prefix => SymbolMatch::Prefix,
                kit::SymbolMatch::Substring => SymbolMatch::Substring,
            },
            case_sensitive: probe.case_sensitive,
            limit: probe.limit,
        }),
    }
}

fn field(field: kit::TextField) -> TextField {
    match field {
        kit::TextField::Body => TextField::Body,
        kit::TextField::Title => TextField::Title,
        kit::TextField::Symbol => TextField::Symbol,
        kit::TextField::Path => TextField::Path,
    }
}

fn hits(hits: Hits) -> kit::Hits {
    kit::Hits {
        chunks: hits.chunks.into_iter().map(|chunk| chunk.0).collect(),
        lines: hits.lines,
        scores: hits.scores,
        truncated: hits.truncated,
    }
}

fn error(error: RetrievalError) -> kit::RetrievalError {
    match error {
        RetrievalError::BadProbe(reason) => kit::RetrievalError::BadProbe(reason),
        RetrievalError::Unavailable(reason) => kit::RetrievalError::Unavailable(reason),
        RetrievalError::TimedOut => kit::RetrievalError::TimedOut,
        RetrievalError::LimitExceeded(reason) => kit::RetrievalError::LimitExceeded(reason),
    }
}
