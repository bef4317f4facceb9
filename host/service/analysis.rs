//! What an answer says of how its query was understood: JSON shapes only.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::query::{Analysis, Entity, Intent, Scope};

/// How the query was understood, and what became of that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueryAnalysis {
    pub intent: QueryIntent,
    /// In the order of the text.
    pub entities: Vec<QueryEntity>,
    /// Words that may stand for others of the query.
    pub expansions: Vec<String>,
    /// What the strategy would search for instead; null: the text as it is.
    pub rewritten_query: Option<String>,
    /// Where the text says to look. `file_types` and `directories` of the request win over them.
    pub filters: QueryFilters,
    /// 0 to 1.
    pub confidence: f32,
    pub used: QueryForm,
    /// Why that one was used, for people.
    pub why: String,
}

/// What the client seems to be after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueryIntent {
    /// Such as `error_handling`; `general_search` when nothing special is known.
    pub name: String,
    /// 0 to 1.
    pub confidence: f32,
}

/// Something that the query names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueryEntity {
    /// Such as `programming_language`, `code_concept`, `identifier`.
    pub kind: String,
    /// As it stands in the query.
    pub text: String,
    /// What it stands for.
    pub value: String,
    /// 0 to 1.
    pub confidence: f32,
    /// Bytes of the query, `end` not included.
    pub start: u32,
    pub end: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueryFilters {
    pub file_types: Vec<String>,
    pub directories: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum QueryForm {
    /// With what was understood: rewritten, within the filters, or both.
    Rewritten,
    /// As it was asked.
    Plain,
}

impl QueryAnalysis {
    pub fn new(analysis: Analysis, used: QueryForm, why: String) -> Self {
        Self {
            intent: analysis.intent.into(),
            entities: analysis.entities.into_iter().map(QueryEntity::from).collect(),
            expansions: analysis.expansions,
            rewritten_query: analysis.rewritten,
            filters: analysis.filters.into(),
            confidence: analysis.confidence,
            used,
            why,
        }
    }
}

impl From<Intent> for QueryIntent {
    fn from(Intent { name, confidence }: Intent) -> Self {
        Self { name, confidence }
    }
}

impl From<Entity> for QueryEntity {
    fn from(Entity { kind, text, value, confidence, start, end }: Entity) -> Self {
        Self { kind, text, value, confidence, start, end }
    }
}

impl From<Scope> for QueryFilters {
    fn from(Scope { file_types, directories }: Scope) -> Self {
        Self { file_types, directories }
    }
}
