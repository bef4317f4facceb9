//! The plan that a query's look suggests, and why. Quoted phrase → the words in order, and the literal text.
//! Path → the path field. Name out of code → definitions, then uses. Regular expression → matching lines.
//! Everything else is language → words and meaning.

use crate::plan::{Leg, as_found, failure, run};
use crate::shape::{Shape, identifier, shape};
use crate::{
    Hits, PatternSyntax, PluginError, Probe, Proposal, Query, RetrievalError, SymbolMatch, TermMatch, TextField,
};

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
