//! What a query names: programming languages, concepts, names out of code, folders. Looks at the text as it was
//! typed, since a name in lower case is a name no more.

use strategy_kit::shape::identifier;

use crate::tables::{AFTER_FOLDER, AFTER_LANGUAGE, BEFORE_FOLDER, BEFORE_LANGUAGE, CONCEPTS, LANGUAGES, Language};
use crate::words::{Word, places};

/// Kinds of entities. The first three are the original system's.
pub const LANGUAGE: &str = "programming_language";
pub const CONCEPT: &str = "code_concept";
/// A capitalised word within a sentence.
pub const POTENTIAL_IDENTIFIER: &str = "potential_identifier";
/// Written as only code is: `parse_query`, `ConfigError`, `Query::parse`, `parse()`.
pub const IDENTIFIER: &str = "identifier";
pub const FOLDER: &str = "folder";

/// Entities that the contract takes, and bytes of one folder's path.
const MOST: usize = 64;
const LONGEST_FOLDER: usize = 512;

/// Something that the query names.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub kind: &'static str,
    /// As it stands in the text.
    pub text: String,
    /// What it stands for.
    pub value: String,
    /// 0 to 1; the original's values where it had the kind.
    pub confidence: f32,
    /// Bytes of the text, `end` not included.
    pub start: usize,
    pub end: usize,
}

/// In the order of the text, the first 64; each language and concept once.
pub fn find(words: &[Word<'_>]) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut add = |kind, words: &[Word<'_>], value: &str, confidence| {
        let ([first, ..], [.., last]) = (words, words) else { return };
        let known = |other: &Found| other.kind == kind && other.value == value;
        if !found.iter().any(known) {
            let text: Vec<&str> = words.iter().map(|word| word.text).collect();
            let (text, value) = (text.join(" "), value.to_owned());
            found.push(Found { kind, text, value, confidence, start: first.start, end: last.end });
        }
    };
    for at in 0..words.len() {
        let word = &words[at];
        if let Some(language) = language(words, at) {
            add(LANGUAGE, &words[at..=at], language.name, 0.8);
        } else if let Some((folder, length)) = folder(words, at) {
            add(FOLDER, &words[at..at + length], &folder, 0.9);
        } else if let Some((whole, last)) = identifier(word.text) {
            // `e.g.` and `node.js` are no members of anything.
            if whole.contains(['_', ':']) || last.len() > 2 {
                add(IDENTIFIER, &words[at..=at], last, 0.9);
            }
        } else if at > 0 && is_capitalised(word.text) && !word.is_stop() {
            add(POTENTIAL_IDENTIFIER, &words[at..=at], word.text, 0.6);
        }
    }
    for concept in CONCEPTS {
        if let Some((at, length)) = places(words, concept.phrases).first().copied() {
            add(CONCEPT, &words[at..at + length], concept.name, 0.7);
        }
    }
    found.sort_by_key(|entity| (entity.start, entity.end));
    found.truncate(MOST);
    found
}

/// Extensions of the languages that are named, each once.
pub fn extensions(entities: &[Found]) -> Vec<String> {
    let named = entities.iter().filter(|entity| entity.kind == LANGUAGE);
    let named = named.filter_map(|entity| LANGUAGES.iter().find(|language| language.name == entity.value));
    let mut extensions: Vec<String> = Vec::new();
    for extension in named.flat_map(|language| language.extensions) {
        if !extensions.iter().any(|known| known == extension) {
            extensions.push((*extension).to_owned());
        }
    }
    extensions
}

pub fn directories(entities: &[Found]) -> Vec<String> {
    entities.iter().filter(|entity| entity.kind == FOLDER).map(|entity| entity.value.clone()).collect()
}

fn language(words: &[Word<'_>], at: usize) -> Option<&'static Language> {
    let word = words[at].lower.as_str();
    let near = |place: Option<usize>, list: &[&str]| {
        place.and_then(|place| words.get(place)).is_some_and(|word| list.contains(&word.lower.as_str()))
    };
    LANGUAGES.iter().find(|language| {
        language.words.contains(&word)
            || (language.ambiguous.contains(&word)
                && (near(at.checked_sub(1), BEFORE_LANGUAGE) || near(Some(at + 1), AFTER_LANGUAGE)))
    })
}

/// A path, if the words around it say that it is a place: `in src/http`, `the tests folder`. `client/server` alone
/// is none.
fn folder(words: &[Word<'_>], at: usize) -> Option<(String, usize)> {
    let word = words[at].text;
    let name = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    // `./src` is `src`.
    let parts: Vec<&str> = word.trim_end_matches('/').split('/').filter(|part| *part != ".").collect();
    let path = parts.join("/");
    let outside = word.starts_with(['/', '~']) || parts.iter().any(|part| part.is_empty() || *part == "..");
    if outside || path.is_empty() || path.len() > LONGEST_FOLDER || !path.chars().all(name) {
        return None;
    }
    let called = words.get(at + 1).is_some_and(|next| AFTER_FOLDER.contains(&next.lower.as_str()));
    let before = at.checked_sub(1).map(|before| words[before].lower.as_str());
    // "in the tests folder", but not "read a folder": a folder has a name.
    let named = called && before == Some("the") && !words[at].is_stop();
    let within = before.is_some_and(|before| BEFORE_FOLDER.contains(&before)) && (word.contains('/') || called);
    (named || within).then(|| (path, 1 + usize::from(called)))
}

/// `Matrix` or `HTTPServer`; `I` is no name.
fn is_capitalised(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(char::is_uppercase)
        && letters.clone().next().is_some()
        && letters.all(|c| c.is_alphanumeric() || c == '_')
}
