//! Chooses a plan by what the query looks like, and says why in the answer's `reason`.
//!
//! Quoted phrase → the words in order, and the literal text. Path → the path field. Name out of code →
//! definitions, then uses. Regular expression → matching lines. Everything else is language → words
//! and meaning.

pub use strategy_kit::{Hits, PluginError, Probe, Proposal, Query, RetrievalError};

use strategy_kit::plan::{Leg, as_found, failure, run};
use strategy_kit::shape::{Shape, identifier, shape};
use strategy_kit::{PatternSyntax, SymbolMatch, TermMatch, TextField};

/// Labels: those of the legs that contributed.
pub fn propose(
    query: &Query,
    retrieve: impl Fn(&[Probe]) -> Vec<Result<Hits, RetrievalError>>,
) -> Result<Proposal, PluginError> {
    let text = query.text.trim();
    let any = |weight| Leg::text(query, text, TermMatch::Any, &[], weight);
    let (legs, reason) = match shape(text) {
        Shape::Regex => return regex(query, text, retrieve),
        Shape::Phrase(phrase) => (
            vec![
                Leg::text(query, &phrase, TermMatch::Phrase, &[], 0.6),
                Leg::pattern(query, &phrase, PatternSyntax::Literal, 0.4),
            ],
            "quoted: the exact phrase".to_string(),
        ),
        Shape::Path => (
            vec![Leg::text(query, text, TermMatch::All, &[(TextField::Path, 1.0)], 0.7), any(0.3)],
            "looks like a path: paths first, then text".to_string(),
        ),
        Shape::Identifier { whole, last } => (
            vec![
                Leg::symbol(query, &last, SymbolMatch::Exact, 0.4),
                Leg::symbol(query, &last, SymbolMatch::Prefix, 0.1),
                Leg::pattern(query, &whole, PatternSyntax::Literal, 0.2),
                any(0.3),
            ],
            format!("looks like a name in code: definitions of `{last}` first, then uses"),
        ),
        Shape::Language => (language(query, text), "words: text and meaning together".to_string()),
    };
    let mut proposal = run(query, None, legs, retrieve)?;
    proposal.reason = Some(reason);
    Ok(proposal)
}

/// Weight of words in language, the rest is meaning. The built-in model is the weaker leg: nDCG@10 on
/// Cranfield and CoSQA is best from 0.6 to 0.8, recall from 0.4 to 0.6; at 0.65 both beat either leg.
const WORDS: f32 = 0.65;

/// Words and meaning; a single word or a name within the sentence may also be a definition.
fn language(query: &Query, text: &str) -> Vec<Leg> {
    let mut legs = vec![Leg::text(query, text, TermMatch::Any, &[], WORDS), Leg::semantic(query, 1.0 - WORDS)];
    let single = (!text.contains(char::is_whitespace)).then_some(text);
    let name = text.split_whitespace().find_map(|word| identifier(word).map(|(_, last)| last)).or(single);
    legs.extend(name.map(|name| Leg::symbol(query, name, SymbolMatch::Exact, 0.25)));
    legs
}

/// Matching lines; a text that only looked like a regular expression is searched as it stands.
fn regex(
    query: &Query,
    text: &str,
    retrieve: impl Fn(&[Probe]) -> Vec<Result<Hits, RetrievalError>>,
) -> Result<Proposal, PluginError> {
    let leg = Leg::pattern(query, text, PatternSyntax::Regex, 1.0);
    match retrieve(&[leg.probe]).pop() {
        Some(Ok(hits)) => Ok(as_found(hits, "syntax", "looks like a regular expression: matching lines".into())),
        Some(Err(RetrievalError::BadProbe(why))) => {
            let legs = vec![
                Leg::pattern(query, text, PatternSyntax::Literal, 0.5),
                Leg::text(query, text, TermMatch::Any, &[], 0.5),
            ];
            let mut proposal = run(query, None, legs, retrieve)?;
            proposal.reason = Some(format!("not a valid regular expression ({why}): searched as it stands"));
            Ok(proposal)
        }
        Some(Err(error)) => Err(failure("syntax", &error)),
        None => Err(PluginError::Internal("the host returned no result for the pattern".into())),
    }
}

strategy_kit::strategy!("strategy-smart", "chooses the search by what the query looks like", propose);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    use strategy_kit::testing::{hits, query};

    /// The probes in short, and the reason.
    fn plan(text: &str) -> (String, String) {
        let seen = std::cell::RefCell::new(String::new());
        let proposal = propose(&query(text), |probes| {
            let names = probes.iter().map(|probe| match probe {
                Probe::Text(probe) => format!("{:?}({})", probe.mode, probe.text),
                Probe::Vector(probe) => format!("Vector({})", probe.text),
                Probe::Pattern(probe) => format!("{:?}({})", probe.syntax, probe.pattern),
                Probe::Symbol(probe) => format!("{:?}({})", probe.mode, probe.name),
            });
            *seen.borrow_mut() = names.collect::<Vec<_>>().join(" ");
            probes.iter().map(|_| hits(&[])).collect()
        })
        .unwrap();
        (
            seen.into_inner().replace("TermMatch::", "").replace("PatternSyntax::", "").replace("SymbolMatch::", ""),
            proposal.reason.unwrap(),
        )
    }

    #[test]
    fn the_look_of_the_query_chooses_the_plan_and_says_why() {
        let cases = [
            ("\"exact words\"", "Phrase(exact words) Literal(exact words)", "quoted"),
            ("src/main.rs", "All(src/main.rs) Any(src/main.rs)", "path"),
            ("Query::parse()", "Exact(parse) Prefix(parse) Literal(Query::parse) Any(Query::parse())", "name"),
            (r"fn \w+", r"Regex(fn \w+)", "regular expression"),
            ("how are lifetimes checked", "Any(how are lifetimes checked) Vector(how are lifetimes checked)", "words"),
            ("ranking", "Any(ranking) Vector(ranking) Exact(ranking)", "words"),
        ];
        for (text, probes, reason) in cases {
            let (actual, why) = plan(text);
            assert_eq!(actual, probes, "{text}");
            assert!(why.contains(reason), "{text}: {why}");
        }
    }

    #[test]
    fn what_only_looks_like_a_regular_expression_is_searched_as_it_stands() {
        let proposal = propose(&query(r"foo.*bar("), |probes| match probes {
            [Probe::Pattern(p)] if p.syntax == PatternSyntax::Regex => {
                vec![Err(RetrievalError::BadProbe("unclosed group".into()))]
            }
            _ => probes.iter().map(|_| hits(&[3])).collect(),
        })
        .unwrap();
        assert_eq!(proposal.chunks, [3]);
        assert!(proposal.reason.unwrap().contains("unclosed group"));
        assert!(proposal.degraded.is_empty());
    }

    #[test]
    fn a_definition_comes_before_its_uses() {
        // Exact: 8; prefix: 8, 9; literal: uses 1, 2; text: 1, 2, 8.
        let proposal =
            propose(&query("parse_query"), |_| vec![hits(&[8]), hits(&[8, 9]), hits(&[1, 2]), hits(&[1, 2, 8])])
                .unwrap();
        assert_eq!(proposal.chunks[0], 8);
    }
}
