//! From a query that was understood to weighted legs. A sentence is never a pattern.

use std::cell::RefCell;

use strategy_kit::plan::{Leg, run};
use strategy_kit::{Hits, PluginError, Probe, Proposal, Query, RetrievalError, SymbolMatch, TermMatch, choose};

use crate::analysis::{Understood, understand};
use crate::entities::{IDENTIFIER, POTENTIAL_IDENTIFIER};
use crate::neighbourhood::{lift, near};

/// Weight of the words that carry meaning; the rest is the meaning of the whole.
const WORDS: f32 = 0.65;
/// Of definitions of a name in the text: a name as only code writes it, and a capitalised word.
const NAMED: f32 = 0.25;
const CAPITALISED: f32 = 0.1;
/// Of synonyms: worth two ranks at the top. On CoSQA nDCG@10 is best without them (0.4292) and 0.4267 at 0.05; they
/// are for the collections where people and code have different words.
const EXPANSIONS: f32 = 0.02;
/// Names that are looked up; more would crowd out the sentence.
const NAMES: usize = 3;

/// Labels: those of the legs that contributed.
pub fn propose(
    query: &Query,
    retrieve: impl Fn(&[Probe]) -> Vec<Result<Hits, RetrievalError>>,
) -> Result<Proposal, PluginError> {
    let understood = understand(query);
    let near = near(query, &understood.likely_folders);
    if !understood.prose {
        let mut proposal = choose::propose(query, &retrieve)?;
        if !near.is_empty() {
            let probes: Vec<Probe> = near.iter().map(|near| near.leg.probe.clone()).collect();
            let lifted = lift(&mut proposal, &near, &retrieve(&probes));
            proposal.reason = proposal.reason.map(|reason| reason + &for_being_near(lifted));
        }
        return Ok(proposal);
    }
    let places = RefCell::new(Vec::new());
    let mut proposal = run(query, None, legs(query, &understood), |probes| {
        let mut all = probes.to_vec();
        all.extend(near.iter().map(|near| near.leg.probe.clone()));
        let mut results = retrieve(&all);
        *places.borrow_mut() = results.split_off(probes.len().min(results.len()));
        results
    })?;
    let lifted = lift(&mut proposal, &near, &places.into_inner());
    let reason = format!("language: {}, {}", understood.intent, count(understood.entities.len(), "name"));
    proposal.reason = Some(reason + &for_being_near(lifted));
    Ok(proposal)
}

fn legs(query: &Query, understood: &Understood) -> Vec<Leg> {
    let words = understood.rewritten.as_deref().unwrap_or(&query.text);
    let mut legs = vec![Leg::text(query, words, TermMatch::Any, &[], WORDS), Leg::semantic(query, 1.0 - WORDS)];
    let names = understood.entities.iter().filter_map(|entity| match entity.kind {
        IDENTIFIER => Some((&entity.value, NAMED)),
        POTENTIAL_IDENTIFIER => Some((&entity.value, CAPITALISED)),
        _ => None,
    });
    let symbols = names.take(NAMES).map(|(name, weight)| Leg::symbol(query, name, SymbolMatch::Exact, weight));
    legs.extend(symbols);
    if !understood.expansions.is_empty() {
        legs.push(Leg::text(query, &understood.expansions.join(" "), TermMatch::Any, &[], EXPANSIONS));
    }
    legs
}

fn for_being_near(lifted: usize) -> String {
    if lifted == 0 { String::new() } else { format!("; {} lifted for being near", count(lifted, "candidate")) }
}

fn count(number: usize, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use strategy_kit::testing::{hits, query};

    use super::*;

    /// The probes that a query leads to, each finding nothing, and the reason.
    fn asked(query: &Query) -> (Vec<Probe>, String) {
        let seen = RefCell::new(vec![]);
        let proposal = propose(query, |probes| {
            seen.borrow_mut().extend(probes.to_vec());
            probes.iter().map(|_| hits(&[])).collect()
        });
        (seen.into_inner(), proposal.unwrap().reason.unwrap())
    }

    fn symbols(probes: &[Probe]) -> Vec<&str> {
        let names = probes.iter().filter_map(|probe| match probe {
            Probe::Symbol(probe) => Some(probe.name.as_str()),
            _ => None,
        });
        names.collect()
    }

    #[test]
    fn a_sentence_is_never_a_pattern() {
        for text in ["what does (x", "what does foo.* match", "where is $x+y[0] set?", "why is a{2,3} not read"] {
            let (probes, _) = asked(&query(text));
            assert!(!probes.iter().any(|probe| matches!(probe, Probe::Pattern(_))), "{text}: {probes:?}");
        }
    }

    #[test]
    fn words_that_only_ask_are_not_looked_up_and_names_are() {
        let (probes, reason) = asked(&query("How does a TreeWalker visit the nodes?"));
        let Probe::Text(words) = &probes[0] else { panic!("{probes:?}") };
        assert_eq!(words.text, "TreeWalker visit nodes");
        assert!(matches!(&probes[1], Probe::Vector(vector) if vector.text == "How does a TreeWalker visit the nodes?"));
        assert_eq!(symbols(&probes), ["TreeWalker"]);
        assert_eq!(reason, "language: general_search, 1 name");
    }

    #[test]
    fn what_is_no_language_is_searched_as_smart_does() {
        for text in ["src/main.rs", "parse_query()", "\"exact words\"", r"fn \w+", "ranking"] {
            let seen = RefCell::new(vec![]);
            let smart = choose::propose(&query(text), |probes| {
                seen.borrow_mut().extend(probes.to_vec());
                probes.iter().map(|_| hits(&[])).collect()
            });
            assert_eq!(asked(&query(text)), (seen.into_inner(), smart.unwrap().reason.unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_near_is_lifted_and_brings_nothing_new() {
        let mut request = query("how are nodes visited");
        request.parameters = vec![("context_file".into(), "host/index/text.rs".into())];
        let found = propose(&request, |probes| {
            let [_, Probe::Vector(_), Probe::Text(file), Probe::Text(folder)] = probes else { panic!("{probes:?}") };
            assert_eq!((file.text.as_str(), folder.text.as_str()), ("host/index/text.rs", "host/index"));
            // Words and vectors: 1, 2, 3. In the file: 3; in its folder: 2, 3, 9.
            vec![hits(&[1, 2, 3]), hits(&[1, 2, 3]), hits(&[3]), hits(&[2, 3, 9])]
        })
        .unwrap();
        // 1: 1/61 = .016393; 2: 1.15/62 = .018548; 3: 1.45/63 = .023016. 9 was found for its place alone.
        assert_eq!(found.chunks, [3, 2, 1]);
        for (score, expected) in found.scores.iter().zip([0.023016, 0.018548, 0.016393]) {
            assert!((score - expected).abs() < 1e-6, "{score} against {expected}");
        }
        assert_eq!(found.reason.unwrap(), "language: general_search, 0 names; 2 candidates lifted for being near");
    }

    #[test]
    fn a_name_too_is_looked_for_near_by_first() {
        let mut request = query("parse_query");
        request.parameters = vec![("context_file".into(), "text.rs".into())];
        let found = propose(&request, |probes| match probes {
            [Probe::Text(path)] if path.text == "text.rs" => vec![hits(&[2])],
            _ => probes.iter().map(|_| hits(&[1, 2])).collect(),
        })
        .unwrap();
        assert_eq!(found.chunks, [2, 1]);
        assert!(found.reason.unwrap().ends_with("; 1 candidate lifted for being near"));
    }

    #[test]
    fn a_neighbourhood_that_cannot_be_looked_up_degrades() {
        let mut request = query("how are nodes visited");
        request.parameters = vec![("context_class".into(), "TreeWalker".into())];
        let found =
            propose(&request, |_| vec![hits(&[1]), hits(&[1]), Err(RetrievalError::TimedOut), hits(&[1])]).unwrap();
        assert_eq!(found.chunks, [1]);
        assert_eq!(found.degraded, ["neighbourhood: took longer than the host allows"]);
    }
}
