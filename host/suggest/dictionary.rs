//! Terms that can be completed, fixed once built: an automaton over their folds, one over the words inside them, and
//! for both the weights by which the best of any range of keys are found. Knows nothing of where terms come from or of
//! how suggestions are mixed.
//!
//! Values of the automata are positions in the order of the keys. So all keys below one state are one range, and a
//! beginning costs a walk along its own bytes, however many terms share it.

use std::ops::Range;

use fst::raw::{Builder, Fst, Node, Output};

use super::SuggestError;
use super::fold::{fold, inner_starts};
use super::peaks::{Best, Peaks};
use super::typo;

/// Shorter tails of names are no words that anybody looks for.
const SHORTEST_INNER: usize = 2;
/// Longer terms are left out: nobody wants them suggested.
const LONGEST: usize = 256;

/// What a term is; of two that differ in case only, the kind that stands first here stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// What somebody asked and found something for.
    Query,
    /// A name that the corpus defines.
    Symbol,
    /// The name of a file, or its whole relative path.
    Path,
    /// One to three words that are frequent in the corpus.
    Phrase,
}

/// A term on its way into a dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// As it is shown.
    pub text: String,
    pub kind: Kind,
    /// How good it is, over all kinds.
    pub weight: u16,
}

/// A term as it was found. The weights of two dictionaries compare as far as those that gave them made them to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub text: &'a str,
    pub kind: Kind,
    pub weight: u16,
}

/// See the module.
pub struct Dictionary {
    keys: Fst<Vec<u8>>,
    peaks: Peaks,
    kinds: Box<[Kind]>,
    /// The texts one after the other, and where each ends.
    texts: Box<str>,
    ends: Box<[u32]>,
    inner: Inner,
    /// The heaviest symbols.
    symbols: Box<[u32]>,
    digest: [u8; 32],
}

/// Beginnings of words inside of terms.
struct Inner {
    keys: Fst<Vec<u8>>,
    /// Where the terms of each key begin in `terms`, and the end of all.
    starts: Box<[u32]>,
    terms: Box<[u32]>,
    /// By position in `terms`.
    peaks: Peaks,
}

/// Symbols that are at hand for who has typed nothing yet.
const SYMBOLS: usize = 50;

impl Dictionary {
    /// Of terms that differ in case only, one stays. Blank and overlong texts are left out.
    pub fn build(terms: Vec<Term>) -> Result<Self, SuggestError> {
        let fits = |term: &Term| !term.text.trim().is_empty() && term.text.len() <= LONGEST;
        let mut terms: Vec<(String, Term)> =
            terms.into_iter().filter(fits).map(|term| (fold(&term.text), term)).collect();
        terms.sort_unstable_by(|(key, term), (other_key, other)| {
            let by_kind = || term.kind.cmp(&other.kind).then(other.weight.cmp(&term.weight));
            key.cmp(other_key).then_with(by_kind).then_with(|| term.text.cmp(&other.text))
        });
        terms.dedup_by(|(key, term), (kept_key, kept)| {
            let same = key == kept_key;
            if same {
                kept.weight = kept.weight.max(term.weight);
            }
            same
        });
        if terms.len() >= u32::MAX as usize {
            return Err(SuggestError::Build("there are too many terms".to_owned()));
        }
        let mut keys = Builder::memory();
        for (position, (key, _)) in terms.iter().enumerate() {
            keys.insert(key, position as u64).map_err(failed)?;
        }
        let inner = Inner::build(&terms)?;
        let mut texts = String::new();
        let mut ends = Vec::with_capacity(terms.len());
        for (_, term) in &terms {
            texts.push_str(&term.text);
            ends.push(u32::try_from(texts.len()).map_err(|_| SuggestError::Build("the terms are too long".into()))?);
        }
        let kinds: Box<[Kind]> = terms.iter().map(|(_, term)| term.kind).collect();
        let peaks = Peaks::new(terms.iter().map(|(_, term)| term.weight).collect());
        let is_symbol = |(at, _): &(u32, u16)| kinds.get(*at as usize) == Some(&Kind::Symbol);
        let all = 0..terms.len() as u32;
        let symbols = peaks.best([all]).filter(is_symbol).take(SYMBOLS).map(|(at, _)| at).collect();
        let digest = digest(&texts, &ends, &kinds, peaks.weights());
        let (texts, ends) = (texts.into_boxed_str(), ends.into_boxed_slice());
        Ok(Self { keys: finish(keys)?, peaks, kinds, texts, ends, inner, symbols, digest })
    }

    pub fn terms(&self) -> usize {
        self.kinds.len()
    }

    /// What it takes in memory.
    pub fn bytes(&self) -> usize {
        let Inner { keys, starts, terms, peaks } = &self.inner;
        let inner = keys.as_bytes().len() + size_of_val(&**starts) + size_of_val(&**terms) + peaks.bytes();
        let own = self.keys.as_bytes().len() + self.peaks.bytes() + size_of_val(&*self.kinds);
        size_of::<Self>() + own + self.texts.len() + size_of_val(&*self.ends) + size_of_val(&*self.symbols) + inner
    }

    /// Equal for equal terms, whichever host built it.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Terms that begin with a folded text, the best first.
    pub(super) fn beginning(&self, prefix: &str) -> impl Iterator<Item = Entry<'_>> {
        self.best(below(&self.keys, prefix.as_bytes()))
    }

    /// Terms in which a later word begins with a folded text, the best first, once for each such word.
    pub(super) fn inside(&self, prefix: &str) -> impl Iterator<Item = Entry<'_>> {
        let inner = &self.inner;
        let start = |key: u32| inner.starts.get(key as usize).copied().unwrap_or_default();
        let range = below(&inner.keys, prefix.as_bytes()).map(|keys| start(keys.start)..start(keys.end));
        let found = inner.peaks.best(range).filter_map(|(at, _)| inner.terms.get(at as usize));
        found.filter_map(|term| self.entry(*term))
    }

    /// Terms that begin with a folded text but for one typing error, the best first.
    pub(super) fn nearly_beginning(&self, prefix: &str) -> impl Iterator<Item = Entry<'_>> {
        self.best(typo::ranges(&self.keys, prefix))
    }

    /// The best symbols, the best first.
    pub(super) fn symbols(&self) -> impl Iterator<Item = Entry<'_>> {
        self.symbols.iter().filter_map(|at| self.entry(*at))
    }

    fn best(&self, ranges: impl IntoIterator<Item = Range<u32>>) -> impl Iterator<Item = Entry<'_>> {
        let best: Best<'_> = self.peaks.best(ranges);
        best.filter_map(|(at, _)| self.entry(at))
    }

    fn entry(&self, at: u32) -> Option<Entry<'_>> {
        let at = at as usize;
        let end = *self.ends.get(at)? as usize;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize);
        Some(Entry {
            text: self.texts.get(start..end)?,
            kind: *self.kinds.get(at)?,
            weight: *self.peaks.weights().get(at)?,
        })
    }
}

impl Default for Dictionary {
    /// Without any term.
    fn default() -> Self {
        let empty = || Builder::memory().into_fst();
        Self {
            keys: empty(),
            peaks: Peaks::default(),
            kinds: Box::default(),
            texts: Box::default(),
            ends: Box::default(),
            inner: Inner { keys: empty(), starts: Box::default(), terms: Box::default(), peaks: Peaks::default() },
            symbols: Box::default(),
            digest: digest("", &[], &[], &[]),
        }
    }
}

impl Inner {
    fn build(terms: &[(String, Term)]) -> Result<Self, SuggestError> {
        let mut pairs: Vec<(&str, u32)> = Vec::new();
        for (position, (key, term)) in terms.iter().enumerate() {
            // Every tail of a frequent phrase is at least as frequent and stands on its own.
            if term.kind == Kind::Phrase && term.text.contains(' ') {
                continue;
            }
            let tails = inner_starts(&term.text).into_iter().filter_map(|start| key.get(start..));
            pairs.extend(tails.filter(|tail| tail.len() >= SHORTEST_INNER).map(|tail| (tail, position as u32)));
        }
        pairs.sort_unstable();
        let mut keys = Builder::memory();
        let (mut starts, mut last) = (Vec::new(), None);
        for (at, (key, _)) in pairs.iter().enumerate() {
            if last != Some(*key) {
                keys.insert(key, starts.len() as u64).map_err(failed)?;
                starts.push(u32::try_from(at).map_err(|_| SuggestError::Build("there are too many words".into()))?);
                last = Some(*key);
            }
        }
        starts.push(pairs.len() as u32);
        let weight = |term: u32| terms.get(term as usize).map_or(0, |(_, term)| term.weight);
        let peaks = Peaks::new(pairs.iter().map(|(_, term)| weight(*term)).collect());
        let terms = pairs.iter().map(|(_, term)| *term).collect();
        Ok(Self { keys: finish(keys)?, starts: starts.into_boxed_slice(), terms, peaks })
    }
}

fn digest(texts: &str, ends: &[u32], kinds: &[Kind], weights: &[u16]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(texts.as_bytes());
    for ((end, kind), weight) in ends.iter().zip(kinds).zip(weights) {
        hasher.update(&end.to_le_bytes()).update(&[*kind as u8]).update(&weight.to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

fn finish(builder: Builder<Vec<u8>>) -> Result<Fst<Vec<u8>>, SuggestError> {
    let mut bytes = builder.into_inner().map_err(failed)?;
    bytes.shrink_to_fit();
    Fst::new(bytes).map_err(failed)
}

fn failed(error: fst::Error) -> SuggestError {
    SuggestError::Build(error.to_string())
}

/// Positions of the keys that begin with a prefix.
fn below(keys: &Fst<Vec<u8>>, prefix: &[u8]) -> Option<Range<u32>> {
    let (mut node, mut value) = (keys.root(), Output::zero());
    for byte in prefix {
        let transition = node.transition(node.find_input(*byte)?);
        value = value.cat(transition.out);
        node = keys.node(transition.addr);
    }
    span(keys, node, value)
}

/// Positions of the keys below a state that was reached with a value: from that of its first key to that of its last.
pub(super) fn span(keys: &Fst<Vec<u8>>, node: Node<'_>, value: Output) -> Option<Range<u32>> {
    if node.is_empty() && !node.is_final() {
        return None;
    }
    let (mut first, mut first_value) = (node, value);
    while !first.is_final() {
        let transition = first.transition(0);
        first_value = first_value.cat(transition.out);
        first = keys.node(transition.addr);
    }
    let (mut last, mut last_value) = (node, value);
    while let Some(at) = last.len().checked_sub(1) {
        let transition = last.transition(at);
        last_value = last_value.cat(transition.out);
        last = keys.node(transition.addr);
    }
    let of = |node: Node<'_>, value: Output| value.cat(node.final_output()).value() as u32;
    Some(of(first, first_value)..of(last, last_value) + 1)
}

#[cfg(test)]
mod tests;
