//! Related words: synonyms and refinements of what was typed, and stop words. The words are data, `tables.toml`; here
//! is only how they are applied.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::SuggestError;

/// What a template has for the words that were typed.
const QUERY: &str = "{query}";

/// Compiled for look-ups; see `tables.toml` for what is what.
pub struct Tables {
    pub(super) confidence: Confidence,
    pub(super) stop_words: HashSet<String>,
    per_word: usize,
    synonyms: HashMap<String, Vec<String>>,
    refinements: Vec<Refinement>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Confidence {
    pub(super) last: f32,
    pub(super) synonym: f32,
    pub(super) refinement: f32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    confidence: Confidence,
    synonyms: Synonyms,
    refinements: Vec<Refinement>,
    stop_words: StopWords,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Synonyms {
    per_word: usize,
    groups: Vec<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StopWords {
    words: HashSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refinement {
    when: Option<HashSet<String>>,
    unless: Option<HashSet<String>>,
    texts: Vec<String>,
}

impl Tables {
    /// Those that come with the server.
    pub fn standard() -> Result<Self, SuggestError> {
        Self::parse(include_str!("tables.toml"))
    }

    fn parse(text: &str) -> Result<Self, SuggestError> {
        let file: File = toml::from_str(text).map_err(|error| SuggestError::Tables(error.to_string()))?;
        let File { confidence, synonyms: Synonyms { per_word, groups }, refinements, stop_words } = file;
        let mut synonyms: HashMap<String, Vec<String>> = HashMap::new();
        for group in groups {
            for word in &group {
                let known = synonyms.entry(word.clone()).or_default();
                for other in group.iter().filter(|other| *other != word) {
                    if !known.contains(other) {
                        known.push(other.clone());
                    }
                }
            }
        }
        Ok(Self { confidence, stop_words: stop_words.words, per_word, synonyms, refinements })
    }

    /// What was typed with one word in place of another of the same meaning, the last word first, because it is what
    /// is being typed. `words` are folded.
    pub(super) fn synonyms(&self, words: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for (at, word) in words.iter().enumerate().rev() {
            for other in self.synonyms.get(*word).into_iter().flatten().take(self.per_word) {
                let mut words = words.to_vec();
                words[at] = other;
                found.push(words.join(" "));
            }
        }
        found
    }

    /// What a question may mean more definitely. `words` are folded, `query` is as it was typed.
    pub(super) fn refinements(&self, words: &[&str], query: &str) -> Vec<String> {
        let has = |set: &HashSet<String>| words.iter().any(|word| set.contains(*word));
        let applies = |refinement: &&Refinement| {
            refinement.when.as_ref().is_none_or(has) && !refinement.unless.as_ref().is_some_and(has)
        };
        let texts = self.refinements.iter().filter(applies).flat_map(|refinement| &refinement.texts);
        texts.map(|text| text.replace(QUERY, query)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::suggest::fold::fold;

    #[test]
    fn the_standard_tables_are_sound() {
        let tables = Tables::standard().unwrap();
        let Confidence { last, synonym, refinement } = tables.confidence;
        assert!([last, synonym, refinement].iter().all(|value| (0.0..=1.0).contains(value)));
        let words = tables.synonyms.keys().chain(&tables.stop_words);
        let given = tables.refinements.iter().flat_map(|refinement| [&refinement.when, &refinement.unless]);
        for word in words.chain(given.flatten().flatten()) {
            assert_eq!(&fold(word), word);
        }
        for refinement in &tables.refinements {
            // One that always applies says nothing.
            assert!(refinement.when.is_some() || refinement.unless.is_some());
            assert!(refinement.texts.iter().all(|text| text.matches(QUERY).count() == 1), "{:?}", refinement.texts);
        }
    }

    const FEW: &str = r#"
        confidence = { last = 0.1, synonym = 0.6, refinement = 0.8 }
        stop_words = { words = ["the"] }
        [synonyms]
        per_word = 2
        groups = [["find", "search", "locate", "query"], ["auth", "login"], ["query", "request"]]
        [[refinements]]
        unless = ["function"]
        texts = ["function that {query}"]
        [[refinements]]
        when = ["auth", "login"]
        texts = ["{query} check"]
    "#;

    #[test]
    fn a_word_is_replaced_by_others_of_its_groups() {
        let tables = Tables::parse(FEW).unwrap();
        assert_eq!(tables.synonyms(&["find", "auth"]), ["find login", "search auth", "locate auth"]);
        assert_eq!(tables.synonyms(&["query"]), ["find", "search"]);
        assert_eq!(tables.synonyms(&["unknown"]), [""; 0]);
        assert_eq!(tables.synonyms["query"], ["find", "search", "locate", "request"]);
    }

    #[test]
    fn refinements_apply_by_the_words_of_the_query() {
        let tables = Tables::parse(FEW).unwrap();
        assert_eq!(tables.refinements(&["parse", "x"], "Parse X"), ["function that Parse X"]);
        assert_eq!(tables.refinements(&["login", "function"], "login function"), ["login function check"]);
        assert_eq!(tables.refinements(&["functional"], "functional"), ["function that functional"]);
    }

    #[test]
    fn a_field_that_is_not_known_is_an_error() {
        let error = Tables::parse(&FEW.replace("per_word", "per_words")).err().unwrap().to_string();
        assert!(error.contains("per_words"), "{error}");
    }
}
