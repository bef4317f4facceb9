//! A text probe, read as the local text index reads it: analysed to words and terms, never parsed. Which terms of
//! the collection stand for an approximate one, the engine has to find out: `Wanted` says what it must look for.

use std::collections::HashMap;

use super::terms::{self, FIELDS};
use crate::index::text::plan::{self, MAX_TERMS};
use crate::index::tokenize::{self, Word};
use crate::query::{RetrievalError, TermMatch, TextProbe};

/// More alternatives than this are noise.
pub(crate) const MAX_ALTERNATIVES: usize = 48;

/// Terms that stand for one term, with the share of its weight that each keeps.
pub(crate) type Alternatives = HashMap<Wanted, Vec<(String, f32)>>;

/// A term that others may stand for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    pub(crate) term: String,
    /// What begins with it stands for it too.
    pub(crate) prefix: bool,
}

/// An analysed text probe.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) words: Vec<Word>,
    pub(crate) mode: TermMatch,
    pub(crate) fuzziness: u8,
    /// Of the last word.
    pub(crate) prefix: bool,
    /// By field; 0 for one that does not count.
    pub(crate) fields: [f32; FIELDS],
}

impl Question {
    /// None when the text has no terms.
    pub(crate) fn of(probe: &TextProbe) -> Result<Option<Self>, RetrievalError> {
        let mut fields = [0.0; FIELDS];
        for (field, weight) in plan::weights(probe)? {
            fields[terms::place(field)] += weight;
        }
        let mut words = tokenize::words(&probe.text);
        words.truncate(MAX_TERMS);
        if words.is_empty() {
            return Ok(None);
        }
        let (mode, fuzziness, prefix) = (probe.mode, probe.fuzziness, probe.prefix);
        Ok(Some(Self { words, mode, fuzziness, prefix, fields }))
    }

    /// The terms of a word, the whole first.
    pub(crate) fn terms_of(&self, at: usize) -> Vec<Wanted> {
        let Some(word) = self.words.get(at) else { return vec![] };
        let last = self.prefix && at + 1 == self.words.len();
        let whole = word.whole.iter().map(|term| Wanted { term: term.clone(), prefix: last });
        let parts = word.parts.iter().enumerate().map(|(part, (_, term))| {
            // Of a word of several parts, only the last one is unfinished.
            Wanted { term: term.clone(), prefix: last && part + 1 == word.parts.len() }
        });
        whole.chain(parts).collect()
    }

    /// The terms for which the engine has to find alternatives.
    pub(crate) fn approximate(&self) -> Vec<Wanted> {
        let mut wanted: Vec<Wanted> = Vec::new();
        for term in (0..self.words.len()).flat_map(|at| self.terms_of(at)) {
            if (term.prefix || self.fuzziness > 0) && !wanted.contains(&term) {
                wanted.push(term);
            }
        }
        wanted
    }

    /// Every distinct term with its weight, in the order of first appearance.
    pub(crate) fn weighted(&self, alternatives: &Alternatives) -> Vec<(String, f32)> {
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut weighted: Vec<(String, f32)> = Vec::new();
        for wanted in (0..self.words.len()).flat_map(|at| self.terms_of(at)) {
            let exact = [(wanted.term.clone(), 1.0)];
            let stand_ins = alternatives.get(&wanted).map_or(exact.as_slice(), Vec::as_slice);
            for (term, share) in stand_ins {
                match places.get(term) {
                    Some(place) => weighted[*place].1 += share,
                    None if weighted.len() < MAX_TERMS * MAX_ALTERNATIVES => {
                        places.insert(term.clone(), weighted.len());
                        weighted.push((term.clone(), *share));
                    }
                    None => {}
                }
            }
        }
        weighted
    }
}

/// The share of its weight that a term passes on to one at an edit distance.
pub(crate) fn share(distance: u8) -> f32 {
    match distance {
        0 => 0.9,
        1 => 0.7,
        _ => 0.4,
    }
}

/// The edit distance of two terms in characters, a transposition of neighbours counting one ("optimal string
/// alignment": Boytsov, "Indexing methods for approximate dictionary searching", 2011), none above `most`.
pub(crate) fn distance(left: &str, right: &str, most: u8) -> Option<u8> {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let most = usize::from(most);
    if left.len().abs_diff(right.len()) > most {
        return None;
    }
    let mut rows = vec![(0..=right.len()).collect::<Vec<usize>>()];
    for (at, char) in left.iter().enumerate() {
        let mut row = vec![at + 1];
        for (other_at, other) in right.iter().enumerate() {
            let above = &rows[at];
            let mut least = (above[other_at] + usize::from(char != other)).min(above[other_at + 1] + 1);
            least = least.min(row[other_at] + 1);
            if at > 0 && other_at > 0 && *char == right[other_at - 1] && left[at - 1] == *other {
                least = least.min(rows[at - 1][other_at - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    let distance = *rows.last()?.last()?;
    if distance <= most { u8::try_from(distance).ok() } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn probe(text: &str, prefix: bool) -> TextProbe {
        TextProbe { text: text.into(), mode: TermMatch::Any, fuzziness: 0, prefix, fields: vec![], limit: 10 }
    }

    #[test]
    fn terms_are_weighted_by_their_number() {
        let question = Question::of(&probe("cache the cacheKey", false)).unwrap().unwrap();
        let weighted = question.weighted(&Alternatives::new());
        let expected = [("cach", 2.0), ("the", 1.0), ("cachekey", 1.0), ("key", 1.0)];
        assert_eq!(weighted, expected.map(|(term, weight)| (term.to_owned(), weight)));
        assert!(question.approximate().is_empty());
        assert!(Question::of(&probe(" -- ", false)).unwrap().is_none());
    }

    #[test]
    fn only_the_end_of_the_last_word_is_unfinished() {
        let question = Question::of(&probe("load cacheKe", true)).unwrap().unwrap();
        let unfinished: Vec<String> = question.approximate().into_iter().map(|wanted| wanted.term).collect();
        assert_eq!(unfinished, ["cachek", "ke"]);
        let key = Wanted { term: "ke".into(), prefix: true };
        let alternatives = Alternatives::from([(key, vec![("ke".into(), 1.0), ("key".into(), 0.9)])]);
        let weighted = question.weighted(&alternatives);
        assert_eq!(weighted.last().unwrap(), &("key".to_owned(), 0.9));
    }

    #[test]
    fn distances() {
        for (left, right, most, expected) in [
            ("cache", "cache", 0, Some(0)),
            ("cache", "cahce", 1, Some(1)),
            ("cache", "cach", 1, Some(1)),
            ("cache", "catch", 2, Some(2)),
            ("kitten", "sitting", 2, None),
            ("größe", "grösse", 2, Some(2)),
            ("", "ab", 2, Some(2)),
        ] {
            assert_eq!(distance(left, right, most), expected, "{left} {right}");
        }
    }
}
