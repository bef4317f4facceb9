//! Where a probe matches within a text, for marking. The same analysis and the same expressions as the
//! search itself, so that what is marked is what was found.

use std::collections::HashSet;
use std::ops::Range;

use super::pattern::expression::Expression;
use super::tokenize;
use crate::query::{PatternProbe, PatternSyntax, Probe, TextProbe};

/// Lucene's English stop words (they are their own stems): found like any term, but not worth a mark.
const STOP_WORDS: [&str; 33] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of",
    "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
];

/// What a probe matches, made ready once to be marked in many texts.
pub struct Marker(Kind);

enum Kind {
    Terms { wanted: HashSet<String>, prefix: Option<String> },
    Expression(Expression),
}

impl Marker {
    /// None for what matches nowhere: a vector probe matches nowhere in particular, a pattern may not compile.
    pub fn of(probe: &Probe) -> Option<Self> {
        match probe {
            Probe::Text(probe) => Some(Self(terms(probe))),
            Probe::Vector(_) => None,
            Probe::Pattern(probe) => expression(probe),
            Probe::Symbol(probe) => expression(&PatternProbe {
                pattern: probe.name.clone(),
                syntax: PatternSyntax::Literal,
                case_sensitive: probe.case_sensitive,
                whole_word: false,
                limit: probe.limit,
            }),
        }
    }

    /// Byte ranges of `text` that match, in order, at most `limit`.
    pub fn ranges(&self, text: &str, limit: usize) -> Vec<Range<usize>> {
        match &self.0 {
            Kind::Terms { wanted, prefix } => tokenize::occurrences(text, wanted, prefix.as_deref(), limit),
            Kind::Expression(expression) => expression.ranges(text, limit),
        }
    }
}

fn expression(probe: &PatternProbe) -> Option<Marker> {
    Expression::compile(probe).ok().map(|expression| Marker(Kind::Expression(expression)))
}

fn terms(probe: &TextProbe) -> Kind {
    let wanted: Vec<String> = tokenize::terms(&probe.text);
    let prefix = wanted.last().filter(|last| probe.prefix && !last.is_empty()).cloned();
    // Marking every "the" helps nobody, unless there is nothing else to mark.
    let only_stop_words = wanted.iter().all(|term| STOP_WORDS.contains(&term.as_str()));
    let wanted = wanted.into_iter().filter(|term| only_stop_words || !STOP_WORDS.contains(&term.as_str()));
    Kind::Terms { wanted: wanted.collect(), prefix }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::query::TermMatch;

    fn marked(query: &str, text: &str) -> Vec<String> {
        let probe = TextProbe {
            text: query.into(),
            mode: TermMatch::Any,
            fuzziness: 0,
            prefix: false,
            fields: vec![],
            limit: 10,
        };
        let marker = Marker::of(&Probe::Text(probe)).unwrap();
        marker.ranges(text, 10).into_iter().map(|range| text[range].to_owned()).collect()
    }

    #[test]
    fn inflected_forms_and_parts_of_identifiers_are_marked() {
        assert_eq!(marked("the cached keys", "fn cacheKey() // the key of a cache"), ["cache", "Key", "key", "cache"]);
        assert_eq!(marked("the", "the end"), ["the"]);
        assert_eq!(marked("größe", "die Größe"), ["Größe"]);
    }
}
