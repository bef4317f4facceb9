//! From what was typed to the list of suggestions: in which order dictionaries and tables are asked, and how sure each
//! answer is. Knows nothing of caches, indexes or HTTP.
//!
//! Sources are asked one after the other, until there are enough, and each has a band of confidence below that of the
//! one before; within a band the weight decides. So confidence never rises along the list.

use std::collections::HashSet;
use std::ops::Range;

use super::answer::{Match, Origin, Suggestion};
use super::dictionary::{Dictionary, Entry, Kind};
use super::fold::fold;
use super::tables::Tables;

/// Words at the end of a longer query that are completed together.
const LONGEST_TAIL: usize = 3;
/// A last word that is shorter begins too many.
const SHORTEST_TAIL: usize = 2;
/// Looked at for each suggestion that is wanted, should the same be found again and again.
const LOOKS: usize = 16;

const POPULAR: Range<f32> = 0.6..1.0;
const POPULAR_SYMBOLS: Range<f32> = 0.2..0.6;
const BEGINNING: Range<f32> = 0.6..1.0;
/// By the words that are completed together: three, two, one.
const TAILS: [Range<f32>; LONGEST_TAIL] = [0.56..0.6, 0.53..0.56, 0.5..0.53];
const INSIDE: Range<f32> = 0.4..0.5;
const TYPO: Range<f32> = 0.3..0.4;
const TYPO_OF_LAST_WORD: Range<f32> = 0.2..0.3;

/// What is asked.
pub(super) struct Sources<'a> {
    pub(super) history: &'a Dictionary,
    pub(super) corpus: &'a Dictionary,
    pub(super) tables: &'a Tables,
}

impl Sources<'_> {
    /// Completions, the best first, then synonyms; at most `wanted`.
    pub(super) fn complete(&self, query: &str, wanted: usize) -> Vec<Suggestion> {
        let typed = Typed::of(query);
        let mut list = List::new(wanted);
        self.completions(&typed, &mut list);
        let confidence = self.tables.confidence.last;
        for text in self.tables.synonyms(&typed.words()) {
            list.push(related(text, Origin::Synonym, confidence));
        }
        list.suggestions
    }

    /// Completions, refinements and synonyms by confidence; at most `wanted`.
    pub(super) fn complete_and_refine(&self, query: &str, wanted: usize) -> Vec<Suggestion> {
        let typed = Typed::of(query);
        let mut list = List::new(wanted);
        self.completions(&typed, &mut list);
        let mut all = std::mem::take(&mut list.suggestions);
        let words = typed.words();
        if !words.is_empty() {
            let confidence = self.tables.confidence;
            let refinements = self.tables.refinements(&words, typed.text.trim_end());
            let refinements =
                refinements.into_iter().map(|text| related(text, Origin::IntentRefinement, confidence.refinement));
            let synonyms = self.tables.synonyms(&words).into_iter();
            let synonyms = synonyms.map(|text| related(text, Origin::Synonym, confidence.synonym));
            all.extend(refinements.chain(synonyms));
        }
        all.sort_by(|left, right| right.confidence.total_cmp(&left.confidence));
        let mut list = List::new(wanted);
        all.into_iter().for_each(|suggestion| list.push(suggestion));
        list.suggestions
    }

    fn completions(&self, typed: &Typed, list: &mut List) {
        let (history, corpus, key) = (self.history, self.corpus, typed.key.as_str());
        if key.is_empty() {
            list.tier(POPULAR, Match::Popular, "", history.beginning(""));
            return list.tier(POPULAR_SYMBOLS, Match::Popular, "", corpus.symbols());
        }
        list.tier(BEGINNING, Match::Prefix, "", merged(history.beginning(key), corpus.beginning(key)));
        for (band, words) in TAILS.into_iter().zip((1..=LONGEST_TAIL).rev()) {
            if let Some((head, tail)) = typed.split(words).filter(|_| !list.is_full()) {
                list.tier(band, Match::Tail, head, corpus.beginning(&tail));
            }
        }
        if !list.is_full() {
            list.tier(INSIDE, Match::Word, "", merged(history.inside(key), corpus.inside(key)));
        }
        if !list.is_full() {
            let found = merged(history.nearly_beginning(key), corpus.nearly_beginning(key));
            list.tier(TYPO, Match::Typo, "", found);
        }
        if let Some((head, tail)) = typed.split(1).filter(|_| !list.is_full()) {
            list.tier(TYPO_OF_LAST_WORD, Match::Typo, head, corpus.nearly_beginning(&tail));
        }
    }
}

/// Two dictionaries' entries as one, the best first; of equal ones that of the first.
fn merged<'a>(
    first: impl Iterator<Item = Entry<'a>>,
    second: impl Iterator<Item = Entry<'a>>,
) -> impl Iterator<Item = Entry<'a>> {
    let (mut first, mut second) = (first.peekable(), second.peekable());
    std::iter::from_fn(move || match (first.peek(), second.peek()) {
        (Some(one), Some(other)) if one.weight < other.weight => second.next(),
        (Some(_), _) => first.next(),
        (None, _) => second.next(),
    })
}

/// What was typed, with one space between words and at most one at the end, which says that the last word is whole.
struct Typed {
    text: String,
    key: String,
}

impl Typed {
    fn of(query: &str) -> Self {
        let mut text = query.split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.is_empty() && query.ends_with(char::is_whitespace) {
            text.push(' ');
        }
        let key = fold(&text);
        Self { text, key }
    }

    fn words(&self) -> Vec<&str> {
        self.key.split_whitespace().collect()
    }

    /// What comes before the last `words` words, with a space at its end, and the fold of these; none when nothing
    /// comes before them or nothing of the last one was typed yet.
    fn split(&self, words: usize) -> Option<(&str, String)> {
        let (at, _) = self.text.rmatch_indices(' ').nth(words - 1)?;
        let (head, tail) = self.text.split_at(at + 1);
        let long_enough = !tail.ends_with(' ') && tail.chars().count() >= SHORTEST_TAIL;
        long_enough.then(|| (head, fold(tail)))
    }
}

/// Suggestions so far, each text once.
struct List {
    wanted: usize,
    suggestions: Vec<Suggestion>,
    seen: HashSet<String>,
}

impl List {
    fn new(wanted: usize) -> Self {
        Self { wanted, suggestions: Vec::with_capacity(wanted), seen: HashSet::new() }
    }

    fn is_full(&self) -> bool {
        self.suggestions.len() >= self.wanted
    }

    /// The best entries of a source, behind one `head` and within a band.
    fn tier<'a>(&mut self, band: Range<f32>, matched: Match, head: &str, found: impl Iterator<Item = Entry<'a>>) {
        let mut looks = self.wanted * LOOKS;
        for entry in found {
            if self.is_full() || looks == 0 {
                return;
            }
            looks -= 1;
            let share = f32::from(entry.weight) / f32::from(u16::MAX);
            self.push(Suggestion {
                suggestion: format!("{head}{}", entry.text),
                confidence: rounded(band.start + (band.end - band.start) * share),
                origin: match entry.kind {
                    Kind::Query => Origin::Query,
                    Kind::Symbol => Origin::Symbol,
                    Kind::Path => Origin::Path,
                    Kind::Phrase => Origin::Phrase,
                },
                matched,
            });
        }
    }

    fn push(&mut self, suggestion: Suggestion) {
        if !self.is_full() && self.seen.insert(fold(&suggestion.suggestion)) {
            self.suggestions.push(suggestion);
        }
    }
}

fn related(suggestion: String, origin: Origin, confidence: f32) -> Suggestion {
    Suggestion { suggestion, confidence: rounded(confidence), origin, matched: Match::Related }
}

/// To four decimals: more say nothing.
fn rounded(confidence: f32) -> f32 {
    (confidence * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests;
