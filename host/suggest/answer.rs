//! The JSON shape of suggestions. The HTTP layer and the OpenAPI document use these types as they are.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody may go on to type, the likeliest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SuggestionsResponse {
    /// Always true: a failure is a problem document with its own status, never a 200.
    pub success: bool,
    pub query: String,
    pub suggestions: Vec<Suggestion>,
    /// Always null; kept for clients of the earlier API.
    pub error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Suggestion {
    /// The whole text that stands for what was typed.
    pub suggestion: String,
    /// 0 to 1; never rises along the list.
    pub confidence: f32,
    #[serde(rename = "type")]
    pub origin: Origin,
    #[serde(rename = "match")]
    pub matched: Match,
}

/// What a suggestion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A name that the corpus defines.
    Symbol,
    /// A file's name or its relative path.
    Path,
    /// Words that are frequent in the corpus.
    Phrase,
    /// Was asked before, and found something.
    Query,
    /// A word in place of another that means nearly the same.
    Synonym,
    /// A more definite question.
    IntentRefinement,
}

/// How a suggestion and what was typed belong together. Texts are compared without case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// Nothing was typed: what is asked or named most.
    Popular,
    /// It begins with what was typed.
    Prefix,
    /// It begins with what was typed, whose last words were completed on their own.
    Tail,
    /// A later word of it begins with what was typed.
    Word,
    /// It begins with what was typed, but for one letter wrong, missing, too much, or swapped with its neighbour.
    Typo,
    /// It has other words.
    Related,
}
