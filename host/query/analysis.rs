//! A query as a strategy understands it: plain data, checked where it enters. Knows neither who understood it nor
//! what becomes of it.

use super::Scope;

/// What a strategy says of a query. Confidences are 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    /// The words that carry meaning, lower case.
    pub normalised: String,
    pub intent: Intent,
    /// In the order of the text.
    pub entities: Vec<Entity>,
    /// Words that may stand for others of the query.
    pub expansions: Vec<String>,
    /// What to search for instead; none: the text as it is.
    pub rewritten: Option<String>,
    /// Where the text says to look.
    pub filters: Scope,
    /// Names of folders that the strategy prefers.
    pub likely_folders: Vec<String>,
    /// A strategy that suits the query better.
    pub suggested_strategy: Option<String>,
    pub confidence: f32,
}

/// What a client seems to be after.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    pub name: String,
    pub confidence: f32,
}

/// Something that a query names.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    pub kind: String,
    pub text: String,
    /// What it stands for.
    pub value: String,
    pub confidence: f32,
    /// Bytes of the query's text, `end` not included.
    pub start: u32,
    pub end: u32,
}
