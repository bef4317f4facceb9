//! From a text probe to a query of the text index. The client's text is only ever analysed, never
//! parsed: no character of it is an operator.

use std::collections::HashMap;

use tantivy::Term;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, PhrasePrefixQuery, PhraseQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};

use super::TextReader;
use super::expand::{Expansion, similar, starting};
use crate::index::tokenize::{self, Word};
use crate::query::{RetrievalError, TermMatch, TextField, TextProbe};

/// Distinct terms that a query uses; what comes later in a long text is left out.
pub(crate) const MAX_TERMS: usize = 256;
/// Used when the probe names no fields. The body counts most: the rarity of a term in a field of a few
/// words is so high that a full weight drowns it (on CoSQA a weight of 2 for symbols costs .09 nDCG@10
/// against .5). Title and path by analogy, as no judged collection here has them.
const DEFAULT_FIELDS: [(TextField, f32); 4] =
    [(TextField::Body, 1.0), (TextField::Title, 0.5), (TextField::Symbol, 0.5), (TextField::Path, 0.25)];

type Clauses = Vec<(Occur, Box<dyn Query>)>;

/// None when the text has no terms.
pub(super) fn query(reader: &TextReader, probe: &TextProbe) -> Result<Option<Box<dyn Query>>, RetrievalError> {
    let field = |(field, weight): (TextField, f32)| {
        let field = match field {
            TextField::Body => reader.fields.body,
            TextField::Title => reader.fields.title,
            TextField::Symbol => reader.fields.symbol,
            TextField::Path => reader.fields.path,
        };
        (field, weight)
    };
    let planner = Planner { reader, probe, fields: weights(probe)?.into_iter().map(field).collect() };
    let mut words = tokenize::words(&probe.text);
    words.truncate(MAX_TERMS);
    if words.is_empty() {
        return Ok(None);
    }
    match probe.mode {
        TermMatch::Any => planner.any(&words).map(Some),
        TermMatch::All => planner.all(&words).map(Some),
        TermMatch::Phrase => planner.phrase(&words).map(Some),
    }
}

/// `query` within what `filter` lets through.
pub(super) fn filtered(query: Box<dyn Query>, filter: Box<dyn Query>) -> Box<dyn Query> {
    Box::new(BooleanQuery::new(vec![(Occur::Must, query), (Occur::Must, filter)]))
}

/// The fields that count and their weights, after a look at what else can be wrong with a probe.
pub(crate) fn weights(probe: &TextProbe) -> Result<Vec<(TextField, f32)>, RetrievalError> {
    if probe.fuzziness > 2 {
        return Err(RetrievalError::BadProbe(format!("the fuzziness is {}; use 0, 1 or 2", probe.fuzziness)));
    }
    if probe.mode == TermMatch::Phrase && probe.fuzziness > 0 {
        let text = "a phrase cannot be fuzzy; set fuzziness to 0 or ask for all terms";
        return Err(RetrievalError::BadProbe(text.to_owned()));
    }
    let fields = match probe.fields.as_slice() {
        [] => &DEFAULT_FIELDS,
        fields => fields,
    };
    match fields.iter().find(|(_, weight)| !weight.is_finite() || *weight <= 0.0) {
        Some((_, weight)) => {
            Err(RetrievalError::BadProbe(format!("a field's weight is {weight}; use a finite number above 0")))
        }
        None => Ok(fields.to_vec()),
    }
}

struct Planner<'probe> {
    reader: &'probe TextReader,
    probe: &'probe TextProbe,
    fields: Vec<(Field, f32)>,
}

impl Planner<'_> {
    /// One flat sum of weighted terms: the form that tantivy can prune by block maxima.
    fn any(&self, words: &[Word]) -> Result<Box<dyn Query>, RetrievalError> {
        let (last, before) = match (self.probe.prefix, words.split_last()) {
            (true, Some((last, before))) => (Some(last), before),
            _ => (None, words),
        };
        let mut counts: HashMap<&str, f32> = HashMap::new();
        let mut terms: Vec<&str> = Vec::new();
        for term in before.iter().flat_map(terms_of) {
            let count = counts.entry(term).or_default();
            *count += 1.0;
            if *count == 1.0 {
                terms.push(term);
            }
        }
        terms.truncate(MAX_TERMS);
        let mut clauses = Clauses::new();
        for term in terms {
            let count = counts.get(term).copied().unwrap_or(1.0);
            for (term, weight) in self.alternatives(term, false)? {
                self.push_fields(&mut clauses, &term, weight * count);
            }
        }
        if let Some(last) = last {
            let ends = last.parts.last().map(|(_, part)| part);
            for term in terms_of(last) {
                let prefix = last.whole.as_deref() == Some(term) || ends.is_some_and(|part| part == term);
                for (term, weight) in self.alternatives(term, prefix)? {
                    self.push_fields(&mut clauses, &term, weight);
                }
            }
        }
        Ok(Box::new(BooleanQuery::new(clauses)))
    }

    fn all(&self, words: &[Word]) -> Result<Box<dyn Query>, RetrievalError> {
        let mut clauses = Clauses::new();
        for (at, word) in words.iter().enumerate() {
            let prefix = self.probe.prefix && at + 1 == words.len();
            clauses.push((Occur::Must, self.word(word, prefix)?));
        }
        Ok(Box::new(BooleanQuery::new(clauses)))
    }

    /// A word as a whole or all of its parts, in any field.
    fn word(&self, word: &Word, prefix: bool) -> Result<Box<dyn Query>, RetrievalError> {
        let mut forms = Clauses::new();
        if let Some(whole) = &word.whole {
            forms.push((Occur::Should, self.term(whole, prefix)?));
        }
        let mut parts = Clauses::new();
        for (at, (_, part)) in word.parts.iter().enumerate() {
            parts.push((Occur::Must, self.term(part, prefix && at + 1 == word.parts.len())?));
        }
        if !parts.is_empty() {
            forms.push((Occur::Should, Box::new(BooleanQuery::new(parts))));
        }
        Ok(Box::new(BooleanQuery::new(forms)))
    }

    fn term(&self, term: &str, prefix: bool) -> Result<Box<dyn Query>, RetrievalError> {
        let mut clauses = Clauses::new();
        for (term, weight) in self.alternatives(term, prefix)? {
            self.push_fields(&mut clauses, &term, weight);
        }
        Ok(Box::new(BooleanQuery::new(clauses)))
    }

    fn phrase(&self, words: &[Word]) -> Result<Box<dyn Query>, RetrievalError> {
        let parts: Vec<(usize, &str)> = words
            .iter()
            .flat_map(|word| &word.parts)
            .map(|(position, part)| (*position, part.as_str()))
            .take(MAX_TERMS)
            .collect();
        match parts.as_slice() {
            [(_, only)] => self.term(only, self.probe.prefix),
            parts => Ok(self.phrase_of(parts)),
        }
    }

    fn phrase_of(&self, parts: &[(usize, &str)]) -> Box<dyn Query> {
        let mut clauses = Clauses::new();
        for (field, weight) in &self.fields {
            let terms = parts.iter().map(|(position, part)| (*position, Term::from_field_text(*field, part))).collect();
            let phrase: Box<dyn Query> = match self.probe.prefix {
                true => Box::new(PhrasePrefixQuery::new_with_offset(terms)),
                false => Box::new(PhraseQuery::new_with_offset(terms)),
            };
            clauses.push((Occur::Should, Box::new(BoostQuery::new(phrase, *weight))));
        }
        Box::new(BooleanQuery::new(clauses))
    }

    /// The terms that stand for one term of the probe, with the share of its weight that each keeps.
    fn alternatives(&self, term: &str, prefix: bool) -> Result<Expansion, RetrievalError> {
        let fields: Vec<Field> = self.fields.iter().map(|(field, _)| *field).collect();
        if prefix {
            return starting(&self.reader.searcher, &fields, term, self.probe.fuzziness);
        }
        match self.probe.fuzziness {
            0 => Ok(vec![(term.to_owned(), 1.0)]),
            distance => similar(&self.reader.searcher, &fields, term, distance),
        }
    }

    fn push_fields(&self, clauses: &mut Clauses, term: &str, share: f32) {
        for (field, weight) in &self.fields {
            let query = TermQuery::new(Term::from_field_text(*field, term), IndexRecordOption::WithFreqs);
            let query = BoostQuery::new(Box::new(query), weight * share);
            clauses.push((Occur::Should, Box::new(query)));
        }
    }
}

/// The whole and the parts of a word.
fn terms_of(word: &Word) -> impl Iterator<Item = &str> {
    word.whole.iter().map(String::as_str).chain(word.parts.iter().map(|(_, part)| part.as_str()))
}
