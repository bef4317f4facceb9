//! The columns that a ranker may ask for, by name: one place for the loader that checks them and the
//! service that computes them.

use super::error::LoadError;
use super::plugin::Inputs;

/// A numeric column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    Score,
    TextScore,
    VectorScore,
    PatternScore,
    SymbolScore,
    Rank,
    AgeSeconds,
    PathDepth,
    Length,
    Line,
    FieldPath,
    FieldTitle,
    FieldSymbol,
    FieldBody,
}

/// A text column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    Path,
    Title,
    Symbol,
    Language,
    Body,
}

const FEATURES: [(&str, Feature); 14] = [
    ("score", Feature::Score),
    ("text-score", Feature::TextScore),
    ("vector-score", Feature::VectorScore),
    ("pattern-score", Feature::PatternScore),
    ("symbol-score", Feature::SymbolScore),
    ("rank", Feature::Rank),
    ("age-seconds", Feature::AgeSeconds),
    ("path-depth", Feature::PathDepth),
    ("length", Feature::Length),
    ("line", Feature::Line),
    ("field:path", Feature::FieldPath),
    ("field:title", Feature::FieldTitle),
    ("field:symbol", Feature::FieldSymbol),
    ("field:body", Feature::FieldBody),
];

const TEXTS: [(&str, Text); 5] = [
    ("path", Text::Path),
    ("title", Text::Title),
    ("symbol", Text::Symbol),
    ("language", Text::Language),
    ("body", Text::Body),
];

/// Columns of one ranker at most.
const MAX_COLUMNS: usize = 32;

impl Feature {
    pub fn from_name(name: &str) -> Option<Self> {
        FEATURES.iter().find(|(known, _)| *known == name).map(|(_, feature)| *feature)
    }
}

impl Text {
    pub fn from_name(name: &str) -> Option<Self> {
        TEXTS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }
}

/// Fails with the names that this host does not know.
pub fn check(inputs: &Inputs) -> Result<(), LoadError> {
    if let Some(unknown) = inputs.features.iter().find(|name| Feature::from_name(name).is_none()) {
        let known = FEATURES.map(|(name, _)| name).join(", ");
        return Err(LoadError::Description(format!("it asks for the feature {unknown:?}; known: {known}")));
    }
    if let Some(unknown) = inputs.texts.iter().find(|name| Text::from_name(name).is_none()) {
        let known = TEXTS.map(|(name, _)| name).join(", ");
        return Err(LoadError::Description(format!("it asks for the text {unknown:?}; known: {known}")));
    }
    if inputs.features.len() + inputs.texts.len() > MAX_COLUMNS {
        return Err(LoadError::Description(format!("it asks for more than {MAX_COLUMNS} columns")));
    }
    Ok(())
}
