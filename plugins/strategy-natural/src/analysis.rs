//! What a query in people's words says: what it is after, what it names, where to look, how sure that is.
//! Decides by words and tables alone; finds nothing and ranks nothing.

use strategy_kit::Query;
use strategy_kit::plan::parameter;
use strategy_kit::shape::{Shape, shape};

use crate::entities::{self, Found};
use crate::tables::{CONCEPTS, INTENTS, Intent};
use crate::words::{Word, places, words};

/// Bytes of a text that the contract takes; lower case can be longer than what was typed.
const LONGEST: usize = 4096;
/// Words that are offered for others of the query.
const EXPANSIONS: usize = 5;
/// What a query is after that nothing is known of.
const GENERAL: &str = "general_search";

/// A query as it was understood.
#[derive(Debug, PartialEq)]
pub struct Understood {
    /// Language; otherwise a path, a pattern, a name or a phrase, of which nothing is said here.
    pub prose: bool,
    /// Lower case, without the words that only ask.
    pub normalised: String,
    pub intent: &'static str,
    pub intent_confidence: f32,
    pub entities: Vec<Found>,
    pub expansions: Vec<&'static str>,
    pub rewritten: Option<String>,
    pub file_types: Vec<String>,
    pub directories: Vec<String>,
    pub likely_folders: Vec<&'static str>,
    pub confidence: f32,
}

/// Analyses a query. The parameter `enable_expansion=false` leaves the expansions out; what the client has
/// restricted already is not restricted again.
pub fn understand(query: &Query) -> Understood {
    let words = words(&query.text);
    let normalised: Vec<&str> = words.iter().filter(|word| !word.is_stop()).map(|word| word.lower.as_str()).collect();
    let mut normalised = normalised.join(" ");
    while normalised.len() > LONGEST {
        normalised.pop();
    }
    if !is_prose(&query.text, &words) {
        return Understood {
            prose: false,
            normalised,
            intent: GENERAL,
            intent_confidence: 0.0,
            entities: vec![],
            expansions: vec![],
            rewritten: None,
            file_types: vec![],
            directories: vec![],
            likely_folders: vec![],
            confidence: 0.0,
        };
    }
    let entities = entities::find(&words);
    let (intent, phrases) = intent(&words);
    let file_types = if query.file_types.is_empty() { entities::extensions(&entities) } else { vec![] };
    let directories = if query.directories.is_empty() { entities::directories(&entities) } else { vec![] };
    let expands = parameter(query, "enable_expansion") != Some("false");
    Understood {
        prose: true,
        intent: intent.map_or(GENERAL, |intent| intent.name),
        intent_confidence: intent_confidence(phrases),
        expansions: if expands { expansions(&words) } else { vec![] },
        rewritten: rewritten(&words, &entities, !file_types.is_empty(), !directories.is_empty())
            .filter(|rewritten| *rewritten != query.text.trim()),
        likely_folders: intent.map_or(vec![], |intent| intent.folders.to_vec()),
        confidence: confidence(intent.is_some(), &entities),
        normalised,
        entities,
        file_types,
        directories,
    }
}

/// Several words that look like language. Two words that ask are enough to make a sentence of what has
/// the characters of a pattern in it: `what does foo.* match` is no regular expression.
fn is_prose(text: &str, words: &[Word<'_>]) -> bool {
    let asks = words.iter().filter(|word| word.is_stop()).count() >= 2 && words.iter().any(|word| !word.is_stop());
    words.len() >= 2
        && match shape(text) {
            Shape::Language => true,
            Shape::Regex => words.len() >= 4 && asks && words.iter().any(Word::is_asking),
            Shape::Phrase(_) | Shape::Path | Shape::Identifier { .. } => false,
        }
}

/// The intent with the most words in its phrases, the first of equals, and how many phrases that were.
fn intent(words: &[Word<'_>]) -> (Option<&'static Intent>, usize) {
    let (mut best, mut most) = ((None, 0), 0);
    for intent in INTENTS {
        let places = places(words, intent.phrases);
        let length: usize = places.iter().map(|(_, length)| length).sum();
        if length > most {
            (best, most) = ((Some(intent), places.len()), length);
        }
    }
    best
}

/// Every phrase leaves two fifths of the doubt: 0, 0.6, 0.84, 0.936 …
fn intent_confidence(phrases: usize) -> f32 {
    1.0 - 0.4_f32.powi(phrases as i32)
}

/// The original system's formula: 0.5, 0.2 more for a specific intent, 0.1 for each entity up to 0.3, 0.2
/// more if one of them is a programming language; at most 1. In tenths, so that 0.6 is 0.6.
fn confidence(specific: bool, entities: &[Found]) -> f32 {
    let language = entities.iter().any(|entity| entity.kind == entities::LANGUAGE);
    let tenths = 5 + 2 * u32::from(specific) + entities.len().min(3) as u32 + 2 * u32::from(language);
    tenths.min(10) as f32 / 10.0
}

/// Synonyms of the concepts that are named, the first of each, then the second: none that the query has.
fn expansions(words: &[Word<'_>]) -> Vec<&'static str> {
    let named: Vec<_> = CONCEPTS.iter().filter(|concept| !places(words, concept.phrases).is_empty()).collect();
    let longest = named.iter().map(|concept| concept.synonyms.len()).max().unwrap_or_default();
    let mut expansions = Vec::new();
    for turn in 0..longest {
        for synonym in named.iter().filter_map(|concept| concept.synonyms.get(turn)) {
            if !expansions.contains(synonym) && !words.iter().any(|word| word.is(synonym)) {
                expansions.push(*synonym);
            }
        }
    }
    expansions.truncate(EXPANSIONS);
    expansions
}

/// The words that say what is looked for, as they were typed; what became a filter is said by that. None if
/// nothing would be left.
fn rewritten(words: &[Word<'_>], entities: &[Found], types: bool, folders: bool) -> Option<String> {
    let filtered = |word: &Word<'_>| {
        entities.iter().any(|entity| {
            let covers = entity.start <= word.start && word.end <= entity.end;
            covers && ((types && entity.kind == entities::LANGUAGE) || (folders && entity.kind == entities::FOLDER))
        })
    };
    let kept: Vec<&str> =
        words.iter().filter(|word| !word.is_stop() && !filtered(word)).map(|word| word.text).collect();
    (!kept.is_empty()).then(|| kept.join(" "))
}

#[cfg(test)]
mod tests;
