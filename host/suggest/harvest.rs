//! The terms of a corpus: what its documents define, how they are called, which words and phrases are frequent in
//! them. Reads the documents in pages, so that it never holds more than a few of them, and counts in bounded space.
//! Knows index snapshots; nothing of how terms are looked up.

use std::collections::{HashMap, HashSet};

use super::count::{Count, Counter};
use super::dictionary::{Kind, Term};
use super::fold::{fold, fold_into};
use super::prose::{self, Sink};
use crate::index::{DocumentInfo, IndexError, Snapshot};
use crate::query::ChunkId;

/// Documents of a page, in bytes of text and in number; one that is larger is a page of its own.
const PAGE_BYTES: u64 = 8 << 20;
const PAGE_DOCUMENTS: usize = 500;
/// A word or a phrase that comes less often is not frequent.
const FREQUENT: u32 = 2;
/// Languages of people.
const PROSE: [&str; 5] = ["markdown", "text", "restructuredtext", "asciidoc", "latex"];

/// The best `most` terms of a corpus, the same for the same documents. None when `stop` said so meanwhile.
pub fn harvest(
    snapshot: &Snapshot,
    most: usize,
    stop_words: &HashSet<String>,
    stop: impl Fn() -> bool,
) -> Result<Option<Vec<Term>>, IndexError> {
    let mut documents = snapshot.documents()?;
    // What is forgotten on the way depends on the order.
    documents.sort_unstable_by_key(|document| document.sequence);
    let mut corpus = Corpus::new(most);
    let mut rest = documents.as_slice();
    while !rest.is_empty() {
        if stop() {
            return Ok(None);
        }
        let mut bytes = 0;
        let mut fits = |document: &DocumentInfo| {
            bytes += document.size;
            bytes <= PAGE_BYTES
        };
        let length = rest.iter().take(PAGE_DOCUMENTS).take_while(|document| fits(document)).count().max(1);
        let (page, after) = rest.split_at(length);
        rest = after;
        let sequences: Vec<u64> = page.iter().map(|document| document.sequence).collect();
        let contents = snapshot.contents(&sequences)?;
        for document in page {
            corpus.path(&document.path);
            if let Some(content) = contents.get(&document.sequence) {
                let is_prose = document.language.as_deref().is_none_or(|language| PROSE.contains(&language));
                prose::read(content, is_prose, stop_words, &mut corpus);
            }
        }
        let ids = page.iter().flat_map(|document| {
            let chunks = u16::try_from(document.chunks).unwrap_or(u16::MAX);
            (0..chunks).map(|ordinal| ChunkId::new(document.sequence, ordinal))
        });
        for chunk in snapshot.chunks(&ids.collect::<Vec<_>>())?.into_iter().flatten() {
            chunk.symbols.iter().for_each(|symbol| corpus.symbol(symbol));
        }
    }
    Ok(Some(corpus.terms(most)))
}

/// What was counted so far.
struct Corpus {
    symbols: Counter,
    words: Counter,
    phrases: Counter,
    paths: Counter,
    key: String,
}

impl Corpus {
    /// Counts a little more than is kept, so that what comes late can still prove frequent.
    fn new(most: usize) -> Self {
        let counter = || Counter::new(most.saturating_add(most / 2));
        Self { symbols: counter(), words: counter(), phrases: counter(), paths: counter(), key: String::new() }
    }

    fn path(&mut self, path: &str) {
        let name = path.rsplit('/').next().unwrap_or(path);
        self.paths.add(&fold(path), path);
        if name.len() < path.len() && !name.is_empty() {
            self.paths.add(&fold(name), name);
        }
    }

    fn symbol(&mut self, name: &str) {
        self.key.clear();
        fold_into(name, &mut self.key);
        self.symbols.add(&self.key, name);
    }

    fn terms(self, most: usize) -> Vec<Term> {
        let Self { symbols, words, phrases, paths, key: _ } = self;
        let mut terms: HashMap<Box<str>, (Kind, Count)> = HashMap::new();
        // How often a name is written says more than how often it is defined.
        for (key, mut count) in symbols.into_counts() {
            count.seen = count.seen.max(words.get(&key).map_or(0, |word| word.seen));
            terms.insert(key, (Kind::Symbol, count));
        }
        for (key, count) in paths.into_counts() {
            terms.entry(key).or_insert((Kind::Path, count));
        }
        let frequent = words.into_counts().chain(phrases.into_counts()).filter(|(_, count)| count.seen >= FREQUENT);
        for (key, count) in frequent {
            terms.entry(key).or_insert((Kind::Phrase, count));
        }
        let mut highest = HashMap::new();
        for (kind, count) in terms.values() {
            let highest = highest.entry(*kind).or_insert(0);
            *highest = count.seen.max(*highest);
        }
        let mut terms: Vec<Term> = terms
            .into_iter()
            .map(|(key, (kind, Count { seen, shown, .. }))| {
                let weight = weight(kind, seen as f32, highest.get(&kind).map_or(0.0, |highest| *highest as f32));
                Term { text: shown.unwrap_or(key).into(), kind, weight }
            })
            .collect();
        terms.sort_unstable_by(|left, right| right.weight.cmp(&left.weight).then_with(|| left.text.cmp(&right.text)));
        terms.truncate(most);
        terms
    }
}

impl Sink for Corpus {
    fn word(&mut self, key: &str, shown: &str) {
        self.words.add(key, shown);
    }

    fn phrase(&mut self, key: &str) {
        self.phrases.add(key, key);
    }
}

/// How good a term is that comes so often: the logarithm of its frequency, as a share of that of the most frequent one
/// of its kind, because uses of a word and files of a name cannot be compared. Of equally frequent ones a question is
/// worth more than a name, and that more than a word or a file.
pub(super) fn weight(kind: Kind, frequency: f32, highest: f32) -> u16 {
    let worth = match kind {
        Kind::Query => 1.0,
        Kind::Symbol => 0.9,
        Kind::Phrase => 0.8,
        Kind::Path => 0.5,
    };
    let share = if highest > 0.0 { frequency.max(0.0).ln_1p() / highest.ln_1p() } else { 0.0 };
    (f32::from(u16::MAX) * worth * share.min(1.0)).round() as u16
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::index::{Change, DocumentVersion, Index};

    fn index(documents: &[(&str, &str)]) -> (tempfile::TempDir, Index) {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(folder.path()).unwrap();
        let versions = documents.iter().zip(1..).map(|((path, content), sequence)| {
            let version = DocumentVersion {
                sequence,
                document: sequence,
                root: 1,
                path: (*path).to_owned(),
                language: None,
                title: None,
                modified: 0,
                content: (*content).to_owned(),
            };
            Change::Upsert(Box::new(index.prepare(version)))
        });
        index.apply(versions.collect()).unwrap();
        index.commit(documents.len() as u64).unwrap();
        (folder, index)
    }

    fn shown(terms: &[Term], kind: Kind) -> Vec<&str> {
        terms.iter().filter(|term| term.kind == kind).map(|term| term.text.as_str()).collect()
    }

    const RUST: &str = "/// Opens the cache folder.\npub fn openCache() {}\n\nfn main() { openCache(); openCache() }\n";

    #[test]
    fn names_paths_and_frequent_words_and_phrases_are_terms() {
        let notes = "The cache folder is read once.\n\nThe Cache folder and a lonely word.\n";
        let (_folder, index) =
            index(&[("src/lib.rs", RUST), ("docs/notes.md", notes), ("src/old/lib.rs", "fn x1() {}\n")]);
        let stop_words = ["the", "is", "and", "a"].map(str::to_owned).into();
        let terms = harvest(&index.snapshot(), 1000, &stop_words, || false).unwrap().unwrap();
        // Written three times, once, once.
        assert_eq!(shown(&terms, Kind::Symbol), ["openCache", "main", "x1"]);
        assert_eq!(terms[0], Term { text: "openCache".into(), kind: Kind::Symbol, weight: 58_982 });
        // ln(1 + 1) / ln(1 + 3) of nine tenths of 65535.
        assert_eq!(terms.iter().find(|term| term.text == "main").unwrap().weight, 29_491);
        // Two files are called so.
        let paths = ["lib.rs", "docs/notes.md", "notes.md", "src/lib.rs", "src/old/lib.rs"];
        assert_eq!(shown(&terms, Kind::Path), paths);
        let mut phrases = shown(&terms, Kind::Phrase);
        phrases.sort_unstable();
        assert_eq!(phrases, ["cache", "cache folder", "fn", "folder"]);
    }

    #[test]
    fn the_best_are_kept_and_nothing_is_read_when_it_shall_stop() {
        let (_folder, index) = index(&[("a.rs", RUST), ("b.rs", RUST)]);
        let terms = harvest(&index.snapshot(), 2, &HashSet::new(), || false).unwrap().unwrap();
        assert_eq!(shown(&terms, Kind::Symbol), ["openCache"]);
        assert_eq!(terms.len(), 2);
        assert_eq!(harvest(&index.snapshot(), 2, &HashSet::new(), || true).unwrap(), None);
    }
}
