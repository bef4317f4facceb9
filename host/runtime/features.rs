//! The columns that a ranker may ask for, by name: one place for the loader that checks them and the
//! service that computes them. Knows that agents have traits, not which: those are the rules' to name.

use super::error::LoadError;
use super::plugin::Inputs;

/// A numeric column.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// How often the document was chosen for this question.
    Affinity,
    /// A trait of the agent that searches: the same in every row.
    Agent(Box<str>),
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

const FEATURES: [(&str, Feature); 15] = [
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
    (AFFINITY, Feature::Affinity),
];

const TEXTS: [(&str, Text); 5] = [
    ("path", Text::Path),
    ("title", Text::Title),
    ("symbol", Text::Symbol),
    ("language", Text::Language),
    ("body", Text::Body),
];

/// The column of what was chosen before, which only some rankers ask for.
pub const AFFINITY: &str = "affinity";

/// What stands before the name of a trait.
const AGENT: &str = "agent:";

/// Bytes of a trait's name at most.
const MAX_TRAIT: usize = 64;

/// Columns of one ranker at most.
const MAX_COLUMNS: usize = 32;

impl Feature {
    pub fn from_name(name: &str) -> Option<Self> {
        if let Some(name) = name.strip_prefix(AGENT) {
            return is_trait(name).then(|| Self::Agent(name.into()));
        }
        FEATURES.iter().find(|(known, _)| *known == name).map(|(_, feature)| feature.clone())
    }
}

impl Text {
    pub fn from_name(name: &str) -> Option<Self> {
        TEXTS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }
}

/// Whether it could be a trait's name; whether there is such a trait depends on rules that may change.
fn is_trait(name: &str) -> bool {
    (1..=MAX_TRAIT).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || b"-_".contains(&byte))
}

/// Fails with the names that this host does not know.
pub fn check(inputs: &Inputs) -> Result<(), LoadError> {
    if let Some(unknown) = inputs.features.iter().find(|name| Feature::from_name(name).is_none()) {
        let known = FEATURES.map(|(name, _)| name).join(", ");
        let reason = format!("it asks for the feature {unknown:?}; known: {known}, {AGENT}TRAIT");
        return Err(LoadError::Description(reason));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(features: &[&str]) -> Option<String> {
        let features = features.iter().map(|name| (*name).to_owned()).collect();
        check(&Inputs { features, texts: vec![], embeddings: false }).err().map(|error| error.to_string())
    }

    #[test]
    fn any_trait_of_an_agent_is_known() {
        assert_eq!(refused(&["agent:curiosity", "agent:night-vision", "agent:x_y", "score"]), None);
        assert_eq!(Feature::from_name("agent:curiosity"), Some(Feature::Agent("curiosity".into())));
    }

    #[test]
    fn what_is_no_trait_and_no_feature_is_refused_with_those_that_are() {
        let long = format!("agent:{}", "x".repeat(65));
        for unknown in ["agent:", "agent", "agent:Curiosity", "agent:a b", "agent:1", "agents:x", "curiosity", &long] {
            let reason = refused(&["score", unknown]).unwrap_or_default();
            assert!(reason.contains(&format!("{unknown:?}")), "{unknown}: {reason}");
            assert!(reason.contains("path-depth") && reason.contains("agent:TRAIT"), "{reason}");
        }
    }
}
