//! A plan: weighted legs that run in one `retrieve` call and are fused. A leg that fails degrades the
//! answer and says so; only when all fail is there no answer.

use crate::fusion::{K, Ranked, reciprocal_rank};
use crate::shape::{Shape, shape};
use crate::{
    Hits, PatternProbe, PatternSyntax, PluginError, Probe, Proposal, Query, RetrievalError, SymbolMatch, SymbolProbe,
    TermMatch, TextField, TextProbe, VectorProbe,
};

/// Hits that a probe gives at most.
const MOST: u32 = 10_000;

/// One probe of a plan.
#[derive(Clone)]
pub struct Leg {
    /// For the answer: `semantic` (vectors), `bm25`, `syntax` (patterns), `symbol`.
    pub label: &'static str,
    /// Finite; a leg of weight 0 does not run.
    pub weight: f32,
    pub probe: Probe,
}

impl Leg {
    /// Nearest neighbours of the whole query.
    pub fn semantic(query: &Query, weight: f32) -> Self {
        let probe = VectorProbe {
            text: query.text.clone(),
            min_similarity: query.similarity_threshold,
            limit: window(query.limit),
        };
        Self { label: "semantic", weight, probe: Probe::Vector(probe) }
    }

    /// BM25 over `fields`; empty means the host's default.
    pub fn text(query: &Query, text: &str, mode: TermMatch, fields: &[(TextField, f32)], weight: f32) -> Self {
        let limit = window(query.limit);
        let probe = TextProbe { text: text.into(), mode, fuzziness: 0, prefix: false, fields: fields.to_vec(), limit };
        Self { label: "bm25", weight, probe: Probe::Text(probe) }
    }

    pub fn pattern(query: &Query, pattern: &str, syntax: PatternSyntax, weight: f32) -> Self {
        let probe = PatternProbe {
            pattern: pattern.into(),
            syntax,
            case_sensitive: query.case_sensitive,
            whole_word: query.whole_word,
            limit: window(query.limit),
        };
        Self { label: "syntax", weight, probe: Probe::Pattern(probe) }
    }

    pub fn symbol(query: &Query, name: &str, mode: SymbolMatch, weight: f32) -> Self {
        let limit = window(query.limit);
        let probe = SymbolProbe { name: name.into(), mode, case_sensitive: query.case_sensitive, limit };
        Self { label: "symbol", weight, probe: Probe::Symbol(probe) }
    }

    /// The line of a definition says more than that of some match, and that more than the chunk's first.
    fn precision(&self) -> u8 {
        match self.probe {
            Probe::Symbol(_) => 2,
            Probe::Pattern(_) => 1,
            Probe::Text(_) | Probe::Vector(_) => 0,
        }
    }
}

/// Weight of the vector leg in a search by meaning, for prose and for everything else; words have the
/// rest. Equal halves for prose: on Cranfield and CoSQA more weight on vectors fell below words alone.
const VECTOR_SHARE: (f32, f32) = (0.5, 0.4);

/// A search by meaning: vectors, and BM25 for the words that an embedding blurs (names, numbers, rare
/// terms). `weight` is that of both legs together.
pub fn by_meaning(query: &Query, weight: f32) -> Vec<Leg> {
    let share = if shape(&query.text) == Shape::Language { VECTOR_SHARE.0 } else { VECTOR_SHARE.1 };
    let words = Leg::text(query, &query.text, TermMatch::Any, &[], weight * (1.0 - share));
    vec![Leg::semantic(query, weight * share), words]
}

/// Runs the legs at once and fuses what they find. `overall` is a label put before those of the legs.
/// Legs with the same probe run once, with the sum of their weights.
///
/// Errors: `bad-query` when every leg failed and one of them because of the query; `internal` when
/// every leg failed otherwise.
pub fn run(
    query: &Query,
    overall: Option<&str>,
    legs: Vec<Leg>,
    retrieve: impl Fn(&[Probe]) -> Vec<Result<Hits, RetrievalError>>,
) -> Result<Proposal, PluginError> {
    let k = rrf_k(query)?;
    let legs = distinct(legs);
    if legs.is_empty() {
        return Err(PluginError::BadQuery("every weight is 0: give at least one leg a weight above 0".into()));
    }
    let probes: Vec<Probe> = legs.iter().map(|leg| leg.probe.clone()).collect();
    let results = retrieve(&probes);

    let mut ranked = Vec::new();
    let mut strategies: Vec<String> = overall.map(String::from).into_iter().collect();
    let mut degraded = Vec::new();
    let mut bad_query = None;
    for (leg, result) in legs.iter().zip(&results) {
        match result {
            Ok(hits) => {
                ranked.push(Ranked { weight: leg.weight, precision: leg.precision(), hits });
                // A lexical leg without hits contributed nothing; the semantic leg is what was asked for.
                let contributed = leg.label == "semantic" || !hits.chunks.is_empty();
                if contributed && !strategies.iter().any(|label| label == leg.label) {
                    strategies.push(leg.label.into());
                }
            }
            Err(error) => {
                degraded.push(format!("{}: {}", leg.label, why(error)));
                if let RetrievalError::BadProbe(reason) = error {
                    bad_query.get_or_insert_with(|| reason.clone());
                }
            }
        }
    }
    if ranked.is_empty() {
        return Err(match bad_query {
            Some(reason) => PluginError::BadQuery(reason),
            None => PluginError::Internal(format!("no leg could be searched: {}", degraded.join("; "))),
        });
    }
    let fused = reciprocal_rank(&ranked, k);
    Ok(Proposal { chunks: fused.chunks, lines: fused.lines, scores: fused.scores, strategies, degraded, reason: None })
}

/// One leg for each probe that has a weight.
fn distinct(legs: Vec<Leg>) -> Vec<Leg> {
    let mut distinct: Vec<Leg> = Vec::with_capacity(legs.len());
    for leg in legs.into_iter().filter(|leg| leg.weight > 0.0) {
        match distinct.iter_mut().find(|present| present.probe == leg.probe) {
            Some(present) => present.weight += leg.weight,
            None => distinct.push(leg),
        }
    }
    distinct
}

/// Hits as they are, every line of them: for a search whose order is by path, not by relevance.
pub fn as_found(hits: Hits, label: &str, reason: String) -> Proposal {
    Proposal {
        chunks: hits.chunks,
        lines: hits.lines,
        scores: hits.scores,
        strategies: vec![label.into()],
        degraded: vec![],
        reason: Some(reason),
    }
}

/// The failure of a search that has only one leg.
pub fn failure(label: &str, error: &RetrievalError) -> PluginError {
    match error {
        RetrievalError::BadProbe(reason) => PluginError::BadQuery(reason.clone()),
        _ => PluginError::Internal(format!("{label}: {}", why(error))),
    }
}

/// Hits that each leg asks for when the answer can use `limit` candidates. A fused list depends on it, and
/// the host asks with the same limit for every page of a question, so all pages are cut from one list.
pub fn window(limit: u32) -> u32 {
    limit.clamp(1, MOST)
}

/// A weight that the client set, else the default.
pub fn weight(query: &Query, name: &str, default: f32) -> f32 {
    query.weights.iter().find(|(key, _)| key == name).map_or(default, |(_, weight)| *weight)
}

pub fn parameter<'q>(query: &'q Query, name: &str) -> Option<&'q str> {
    query.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn rrf_k(query: &Query) -> Result<f32, PluginError> {
    let Some(value) = parameter(query, "rrf_k") else { return Ok(K) };
    match value.parse::<f32>() {
        Ok(k) if (1.0..=10_000.0).contains(&k) => Ok(k),
        _ => Err(PluginError::BadQuery(format!("rrf_k is `{value}`; give a number from 1 to 10000"))),
    }
}

/// An error in words for the answer.
pub fn why(error: &RetrievalError) -> String {
    match error {
        RetrievalError::BadProbe(reason)
        | RetrievalError::Unavailable(reason)
        | RetrievalError::LimitExceeded(reason) => reason.clone(),
        RetrievalError::TimedOut => "took longer than the host allows".into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::query;

    fn one_hit(chunk: u64) -> Result<Hits, RetrievalError> {
        Ok(Hits { chunks: vec![chunk], lines: vec![3], scores: vec![1.0], truncated: false })
    }

    fn both(query: &Query) -> Vec<Leg> {
        vec![Leg::semantic(query, 0.5), Leg::text(query, &query.text, TermMatch::Any, &[], 0.5)]
    }

    #[test]
    fn a_failed_leg_degrades_and_the_other_answers() {
        let query = query("borrow checker");
        let proposal = run(&query, Some("hybrid"), both(&query), |_| {
            vec![Err(RetrievalError::Unavailable("the model is not loaded".into())), one_hit(4)]
        })
        .unwrap();
        assert_eq!(proposal.chunks, [4]);
        assert_eq!(proposal.strategies, ["hybrid", "bm25"]);
        assert_eq!(proposal.degraded, ["semantic: the model is not loaded"]);
    }

    #[test]
    fn all_legs_failing_is_an_error_that_names_each() {
        let query = query("borrow checker");
        let error = run(&query, None, both(&query), |_| {
            vec![Err(RetrievalError::TimedOut), Err(RetrievalError::Unavailable("closed".into()))]
        })
        .unwrap_err();
        assert_eq!(
            error,
            PluginError::Internal(
                "no leg could be searched: semantic: took longer than the host allows; bm25: closed".into()
            )
        );
    }

    #[test]
    fn a_leg_of_weight_zero_does_not_run() {
        let query = query("x");
        let legs = vec![Leg::semantic(&query, 0.0), Leg::text(&query, "x", TermMatch::Any, &[], 1.0)];
        let proposal = run(&query, None, legs, |probes| {
            assert!(matches!(probes, [Probe::Text(_)]), "{probes:?}");
            vec![one_hit(1)]
        })
        .unwrap();
        assert_eq!(proposal.strategies, ["bm25"]);
        assert!(matches!(
            run(&query, None, vec![Leg::semantic(&query, 0.0)], |_| vec![]),
            Err(PluginError::BadQuery(_))
        ));
    }

    #[test]
    fn the_same_probe_runs_once_with_the_sum_of_the_weights() {
        let query = query("two words");
        let legs = [by_meaning(&query, 0.6), vec![Leg::text(&query, "two words", TermMatch::Any, &[], 0.4)]].concat();
        let proposal = run(&query, None, legs, |probes| {
            assert!(matches!(probes, [Probe::Vector(_), Probe::Text(_)]), "{probes:?}");
            vec![one_hit(1), one_hit(2)]
        })
        .unwrap();
        // Words: .6 × .5 + .4; vectors: .6 × .5.
        assert_eq!(proposal.chunks, [2, 1]);
        assert!((proposal.scores[0] - 0.7 / 61.0).abs() < 1e-6 && (proposal.scores[1] - 0.3 / 61.0).abs() < 1e-6);
    }

    #[test]
    fn the_client_sets_k() {
        let mut query = query("x");
        query.parameters.push(("rrf_k".into(), "9".into()));
        let legs = vec![Leg::semantic(&query, 1.0)];
        let proposal = run(&query, None, legs, |_| vec![one_hit(1)]).unwrap();
        assert_eq!(proposal.scores, [0.1]);
        query.parameters[0].1 = "NaN".into();
        assert!(
            matches!(run(&query, None, both(&query), |_| vec![]), Err(PluginError::BadQuery(text)) if text.contains("rrf_k"))
        );
    }

    #[test]
    fn each_leg_asks_for_as_many_hits_as_the_answer_can_use() {
        assert_eq!([0, 1, 100, 101, 10_000, 20_000].map(window), [1, 1, 100, 101, 10_000, 10_000]);
        let query = Query { limit: 250, ..query("borrow checker") };
        let legs = [both(&query), vec![Leg::symbol(&query, "x", SymbolMatch::Exact, 1.0)]].concat();
        let limit = |leg: &Leg| match &leg.probe {
            Probe::Text(probe) => probe.limit,
            Probe::Vector(probe) => probe.limit,
            Probe::Pattern(probe) => probe.limit,
            Probe::Symbol(probe) => probe.limit,
        };
        assert_eq!(legs.iter().map(limit).collect::<Vec<_>>(), [250; 3]);
    }
}
