//! The words of the domain, shared by all layers: a query, what is looked up for it, and what comes
//! back. Plain data; knows nothing of HTTP, wasm, SQL or any index library.

/// What is understood of a query.
mod analysis;

pub use analysis::{Analysis, Entity, Intent};

use serde::{Deserialize, Serialize};

/// Identifies one chunk of one version of one document: `sequence << 16 | ordinal`, where `sequence`
/// is the store sequence of that version. Never reused, so a stale id finds nothing instead of
/// something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChunkId(pub u64);

impl ChunkId {
    /// Chunks of one document at most; the chunker merges what exceeds it.
    pub const MAX_PER_DOCUMENT: usize = 1 << 16;

    pub fn new(sequence: u64, ordinal: u16) -> Self {
        Self(sequence << 16 | u64::from(ordinal))
    }

    /// The store sequence of the document's version.
    pub fn sequence(self) -> u64 {
        self.0 >> 16
    }

    pub fn ordinal(self) -> u16 {
        (self.0 & 0xffff) as u16
    }
}

/// Which documents a query may see. Empty lists mean all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Scope {
    /// Extensions without a dot, lower case.
    pub file_types: Vec<String>,
    /// Folders relative to the indexed roots, `/` between parts, no leading or trailing `/`.
    pub directories: Vec<String>,
}

/// Parameters that say where a client is while it asks: within which file, function, class.
pub const CONTEXT_PARAMETERS: [&str; 3] = ["context_file", "context_function", "context_class"];

/// One validated search request, as strategies and rankers see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Query {
    pub text: String,
    /// Candidates that the answer can use: the window from which all pages of a question are cut.
    pub limit: u32,
    pub scope: Scope,
    pub case_sensitive: bool,
    pub whole_word: bool,
    /// Least cosine of a vector hit, -1..1.
    pub similarity_threshold: Option<f32>,
    /// By name (`semantic`, `syntax`), finite and not negative.
    pub weights: Vec<(String, f32)>,
    /// For plugins that know them.
    pub parameters: Vec<(String, String)>,
}

impl Query {
    /// A text over everything, with nothing else said.
    pub fn new(text: impl Into<String>, limit: u32) -> Self {
        Self {
            text: text.into(),
            limit,
            scope: Scope::default(),
            case_sensitive: false,
            whole_word: false,
            similarity_threshold: None,
            weights: vec![],
            parameters: vec![],
        }
    }

    /// What the client's context names.
    pub fn context(&self) -> impl Iterator<Item = &str> {
        let given = self.parameters.iter().filter(|(name, _)| CONTEXT_PARAMETERS.contains(&name.as_str()));
        given.map(|(_, value)| value.trim())
    }
}

/// The agent for whom a search is: a ranker may ask for its traits, a strategy may not.
#[derive(Clone, Debug, PartialEq)]
pub struct Persona {
    pub id: String,
    /// By name, each 0 to 1.
    traits: Vec<(String, f32)>,
}

impl Persona {
    pub fn new(id: impl Into<String>, mut traits: Vec<(String, f32)>) -> Self {
        traits.sort_by(|left, right| left.0.cmp(&right.0));
        Self { id: id.into(), traits }
    }

    /// In the order of their names.
    pub fn traits(&self) -> &[(String, f32)] {
        &self.traits
    }

    /// NaN for a trait that it does not have.
    pub fn value(&self, name: &str) -> f32 {
        let found = self.traits.binary_search_by(|(known, _)| known.as_str().cmp(name));
        found.map_or(f32::NAN, |at| self.traits[at].1)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextField {
    Body,
    Title,
    Symbol,
    Path,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermMatch {
    Any,
    All,
    Phrase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternSyntax {
    Literal,
    Regex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolMatch {
    Exact,
    Prefix,
    Substring,
}

/// BM25 over the text index.
#[derive(Clone, Debug, PartialEq)]
pub struct TextProbe {
    pub text: String,
    pub mode: TermMatch,
    /// Edit distance, 0..=2.
    pub fuzziness: u8,
    /// The last term is a prefix.
    pub prefix: bool,
    /// Empty: the index's default fields and weights.
    pub fields: Vec<(TextField, f32)>,
    pub limit: u32,
}

/// Nearest neighbours of the text's embedding by cosine.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorProbe {
    pub text: String,
    pub min_similarity: Option<f32>,
    pub limit: u32,
}

/// Matching lines of the source text, by path and line.
#[derive(Clone, Debug, PartialEq)]
pub struct PatternProbe {
    pub pattern: String,
    pub syntax: PatternSyntax,
    pub case_sensitive: bool,
    pub whole_word: bool,
    pub limit: u32,
}

/// Chunks that define a name.
#[derive(Clone, Debug, PartialEq)]
pub struct SymbolProbe {
    pub name: String,
    pub mode: SymbolMatch,
    pub case_sensitive: bool,
    pub limit: u32,
}

/// One look-up that a strategy asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    Text(TextProbe),
    Vector(VectorProbe),
    Pattern(PatternProbe),
    Symbol(SymbolProbe),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeKind {
    Text,
    Vector,
    Pattern,
    Symbol,
}

impl ProbeKind {
    pub const ALL: [ProbeKind; 4] = [ProbeKind::Text, ProbeKind::Vector, ProbeKind::Pattern, ProbeKind::Symbol];

    pub fn name(self) -> &'static str {
        match self {
            ProbeKind::Text => "text",
            ProbeKind::Vector => "vector",
            ProbeKind::Pattern => "pattern",
            ProbeKind::Symbol => "symbol",
        }
    }
}

impl Probe {
    pub fn kind(&self) -> ProbeKind {
        match self {
            Probe::Text(_) => ProbeKind::Text,
            Probe::Vector(_) => ProbeKind::Vector,
            Probe::Pattern(_) => ProbeKind::Pattern,
            Probe::Symbol(_) => ProbeKind::Symbol,
        }
    }

    pub fn limit(&self) -> u32 {
        match self {
            Probe::Text(probe) => probe.limit,
            Probe::Vector(probe) => probe.limit,
            Probe::Pattern(probe) => probe.limit,
            Probe::Symbol(probe) => probe.limit,
        }
    }
}

/// Hits as columns of equal length, best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hits {
    pub chunks: Vec<ChunkId>,
    /// From 1; a hit on a whole chunk has the chunk's first line.
    pub lines: Vec<u32>,
    pub scores: Vec<f32>,
    /// There are, or may be, more.
    pub truncated: bool,
}

impl Hits {
    pub fn push(&mut self, chunk: ChunkId, line: u32, score: f32) {
        self.chunks.push(chunk);
        self.lines.push(line);
        self.scores.push(score);
    }

    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }
}

/// Why one probe has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetrievalError {
    /// The probe is at fault: the text says what to change.
    #[error("{0}")]
    BadProbe(String),
    #[error("{0}")]
    Unavailable(String),
    #[error("the probe took longer than the host allows")]
    TimedOut,
    #[error("{0}")]
    LimitExceeded(String),
}
