//! Search by meaning and by characters at once, fused by weighted reciprocal ranks:
//! Σ weight / (k + rank), k = 60 (Cormack et al. 2009; parameter `rrf_k`).
//!
//! The request's weights `semantic` (default 0.6) and `syntax` (default 0.4) are those of the two
//! sides; a side of several legs shares its weight out. The semantic side is what `strategy-semantic`
//! runs. A sentence is no pattern: for prose the syntax side is BM25 over its words, and the
//! definitions of the names in it.

pub use strategy_kit::{Hits, PluginError, Probe, Proposal, Query, RetrievalError};

use strategy_kit::plan::{Leg, by_meaning, run, weight};
use strategy_kit::shape::{Shape, identifier, shape};
use strategy_kit::{PatternSyntax, SymbolMatch, TermMatch};

/// Names in a sentence that are looked up as symbols; more would crowd out the sentence.
const NAMES: usize = 3;

/// Labels: `hybrid`, and those of the legs that contributed.
pub fn propose(
    query: &Query,
    retrieve: impl Fn(&[Probe]) -> Vec<Result<Hits, RetrievalError>>,
) -> Result<Proposal, PluginError> {
    let (semantic, syntax) = (weight(query, "semantic", 0.6), weight(query, "syntax", 0.4));
    let mut legs = by_meaning(query, semantic);
    legs.extend(syntax_legs(query, syntax));
    run(query, Some("hybrid"), legs, retrieve)
}

/// The legs of the syntax side; the first is the one that carries it.
fn syntax_legs(query: &Query, side: f32) -> Vec<Leg> {
    let text = query.text.trim();
    let words = |share: f32| Leg::text(query, &query.text, TermMatch::Any, &[], side * share);
    let literal = |pattern: &str, share: f32| Leg::pattern(query, pattern, PatternSyntax::Literal, side * share);
    match shape(text) {
        Shape::Regex => vec![Leg::pattern(query, text, PatternSyntax::Regex, side)],
        Shape::Phrase(phrase) => {
            vec![literal(&phrase, 0.5), Leg::text(query, &phrase, TermMatch::Phrase, &[], side * 0.5)]
        }
        Shape::Path => vec![words(0.5), literal(text, 0.5)],
        Shape::Identifier { whole, last } => {
            vec![literal(&whole, 0.3), Leg::symbol(query, &last, SymbolMatch::Exact, side * 0.4), words(0.3)]
        }
        Shape::Language => {
            let mut legs = vec![words(1.0)];
            let single = !text.contains(char::is_whitespace);
            let names = text.split_whitespace().filter_map(|word| {
                let word = word.trim_matches(['?', ',', ';', ':', '`', '\'', '"']);
                identifier(word).map(|(_, last)| last).or(single.then_some(word))
            });
            legs.extend(names.take(NAMES).map(|name| Leg::symbol(query, name, SymbolMatch::Exact, side * 0.5)));
            legs
        }
    }
}

strategy_kit::strategy!("strategy-hybrid", "meaning and characters at once, fused by weighted ranks", propose);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    use strategy_kit::testing::{hits, query};

    fn probes_of(query: &Query) -> Vec<Probe> {
        let seen = std::cell::RefCell::new(vec![]);
        propose(query, |probes| {
            seen.borrow_mut().extend(probes.to_vec());
            probes.iter().map(|_| hits(&[])).collect()
        })
        .unwrap();
        seen.into_inner()
    }

    #[test]
    fn default_weights_by_hand() {
        let proposal = propose(&query("how are lifetimes checked"), |_| vec![hits(&[1, 2]), hits(&[2, 3])]).unwrap();
        // Vectors .6 × .5 = .3, words .6 × .5 + .4 = .7.
        // 1: .3/61 = .004918; 2: .3/62 + .7/61 = .016314; 3: .7/62 = .011290
        assert_eq!(proposal.chunks, [2, 3, 1]);
        for (score, expected) in proposal.scores.iter().zip([0.016314, 0.011290, 0.004918]) {
            assert!((score - expected).abs() < 1e-6, "{score} against {expected}");
        }
        assert_eq!(proposal.strategies, ["hybrid", "semantic", "bm25"]);
    }

    #[test]
    fn the_client_turns_a_side_off() {
        let mut request = query("how are lifetimes checked");
        request.weights = vec![("semantic".into(), 0.0)];
        assert!(matches!(probes_of(&request).as_slice(), [Probe::Text(_)]));
        request.weights = vec![("syntax".into(), 0.0)];
        assert!(matches!(probes_of(&request).as_slice(), [Probe::Vector(_), Probe::Text(_)]));
        request.weights.push(("semantic".into(), 0.0));
        assert!(matches!(propose(&request, |_| vec![]), Err(PluginError::BadQuery(_))));
    }

    #[test]
    fn a_sentence_is_no_pattern_but_its_names_are_looked_up() {
        let probes = probes_of(&query("where is `parse_query` used?"));
        assert!(!probes.iter().any(|probe| matches!(probe, Probe::Pattern(_))), "{probes:?}");
        assert!(probes.iter().any(|probe| matches!(probe, Probe::Symbol(symbol) if symbol.name == "parse_query")));
    }

    #[test]
    fn a_regular_expression_is_a_pattern() {
        let probes = probes_of(&query(r"fn \w+_query"));
        assert!(
            probes.iter().any(|probe| matches!(probe, Probe::Pattern(p) if p.syntax == PatternSyntax::Regex)),
            "{probes:?}"
        );
    }

    #[test]
    fn one_side_away_degrades_and_both_away_fail() {
        let away = || Err(RetrievalError::Unavailable("rebuilding".into()));
        let proposal = propose(&query("two words"), |_| vec![away(), hits(&[5])]).unwrap();
        assert_eq!((proposal.chunks, proposal.degraded), (vec![5], vec!["semantic: rebuilding".to_string()]));
        assert!(matches!(propose(&query("two words"), |_| vec![away(), away()]), Err(PluginError::Internal(_))));
    }
}
