//! Where a probe matches within a text, for marking. The same analysis and the same expressions as the
//! search itself, so that what is marked is what was found.

use std::collections::HashSet;
use std::ops::Range;

use super::{Snapshot, pattern, tokenize};
use crate::query::{PatternProbe, PatternSyntax, Probe, TextProbe};

/// Lucene's English stop words (they are their own stems): found like any term, but not worth a mark.
const STOP_WORDS: [&str; 33] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of",
    "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
];

impl Snapshot {
    /// Byte ranges of `text` that the probe matches, in order, at most `limit`. A vector probe matches
    /// nowhere in particular; a pattern that does not compile matches nowhere.
    pub fn highlight(&self, probe: &Probe, text: &str, limit: usize) -> Vec<Range<usize>> {
        match probe {
            Probe::Text(probe) => terms(probe, text, limit),
            Probe::Vector(_) => vec![],
            Probe::Pattern(probe) => pattern::ranges(probe, text, limit),
            Probe::Symbol(probe) => {
                let pattern = PatternProbe {
                    pattern: probe.name.clone(),
                    syntax: PatternSyntax::Literal,
                    case_sensitive: probe.case_sensitive,
                    whole_word: false,
                    limit: probe.limit,
                };
                pattern::ranges(&pattern, text, limit)
            }
        }
    }
}

fn terms(probe: &TextProbe, text: &str, limit: usize) -> Vec<Range<usize>> {
    let wanted: Vec<String> = tokenize::terms(&probe.text);
    let last = wanted.last().cloned().unwrap_or_default();
    // Marking every "the" helps nobody, unless there is nothing else to mark.
    let only_stop_words = wanted.iter().all(|term| STOP_WORDS.contains(&term.as_str()));
    let wanted: HashSet<String> =
        wanted.into_iter().filter(|term| only_stop_words || !STOP_WORDS.contains(&term.as_str())).collect();
    let prefix = (probe.prefix && !last.is_empty()).then_some(last.as_str());
    tokenize::occurrences(text, &wanted, prefix, limit)
}

#[cfg(test)]
mod tests {
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
        terms(&probe, text, 10).into_iter().map(|range| text[range].to_owned()).collect()
    }

    #[test]
    fn inflected_forms_and_parts_of_identifiers_are_marked() {
        assert_eq!(marked("the cached keys", "fn cacheKey() // the key of a cache"), ["cache", "Key", "key", "cache"]);
        assert_eq!(marked("the", "the end"), ["the"]);
        assert_eq!(marked("größe", "die Größe"), ["Größe"]);
    }
}
