//! Search by characters: lines that match a literal text or a regular expression, by path and line.
//!
//! The parameter `pattern_type` says which (`literal` or `regex`); without it, a query with
//! metacharacters in plausible places is a regular expression and everything else is literal. A
//! pattern that does not compile is the client's error, never an empty success.

pub use strategy_kit::{Hits, PluginError, Probe, Proposal, Query, RetrievalError};

use strategy_kit::PatternSyntax;
use strategy_kit::plan::{Leg, as_found, failure, parameter};
use strategy_kit::shape::looks_like_regex;

/// Every matching line is a candidate, so a chunk may come several times. Score 1 each.
pub fn propose(
    query: &Query,
    retrieve: impl Fn(&[Probe]) -> Vec<Result<Hits, RetrievalError>>,
) -> Result<Proposal, PluginError> {
    let (syntax, reason) = match parameter(query, "pattern_type") {
        Some("literal") => (PatternSyntax::Literal, "literal text, as the request says"),
        Some("regex") => (PatternSyntax::Regex, "regular expression, as the request says"),
        Some(other) => {
            return Err(PluginError::BadQuery(format!("pattern_type is `{other}`; give `literal` or `regex`")));
        }
        None if looks_like_regex(&query.text) => (PatternSyntax::Regex, "looks like a regular expression"),
        None => (PatternSyntax::Literal, "no regular expression, so literal text"),
    };
    let leg = Leg::pattern(query, &query.text, syntax, 1.0);
    match retrieve(&[leg.probe]).pop() {
        Some(Ok(hits)) => Ok(as_found(hits, "syntax", reason.into())),
        Some(Err(error)) => Err(failure("syntax", &error)),
        None => Err(PluginError::Internal("the host returned no result for the pattern".into())),
    }
}

strategy_kit::strategy!("strategy-syntax", "finds lines by literal text or regular expression", propose);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn query(text: &str, pattern_type: Option<&str>) -> Query {
        Query {
            text: text.into(),
            limit: 10,
            file_types: vec![],
            directories: vec![],
            case_sensitive: true,
            whole_word: true,
            similarity_threshold: None,
            weights: vec![],
            parameters: pattern_type.map(|kind| ("pattern_type".into(), kind.into())).into_iter().collect(),
        }
    }

    fn syntax_of(text: &str, pattern_type: Option<&str>) -> PatternSyntax {
        let seen = std::cell::Cell::new(None);
        propose(&query(text, pattern_type), |probes| {
            let [Probe::Pattern(pattern)] = probes else { panic!("{probes:?}") };
            assert!(pattern.case_sensitive && pattern.whole_word);
            assert_eq!(pattern.pattern, text);
            seen.set(Some(pattern.syntax));
            vec![Ok(Hits { chunks: vec![], lines: vec![], scores: vec![], truncated: false })]
        })
        .unwrap();
        seen.get().unwrap()
    }

    #[test]
    fn the_request_decides_else_the_look_of_it() {
        assert_eq!(syntax_of(r"fn \w+", None), PatternSyntax::Regex);
        assert_eq!(syntax_of("vec![1]", None), PatternSyntax::Literal);
        assert_eq!(syntax_of(r"fn \w+", Some("literal")), PatternSyntax::Literal);
        assert_eq!(syntax_of("main", Some("regex")), PatternSyntax::Regex);
    }

    #[test]
    fn every_line_of_a_chunk_stays_in_the_order_found() {
        let proposal = propose(&query("unsafe", None), |_| {
            vec![Ok(Hits { chunks: vec![9, 9, 2], lines: vec![4, 8, 1], scores: vec![1.0; 3], truncated: true })]
        })
        .unwrap();
        assert_eq!((proposal.chunks, proposal.lines), (vec![9, 9, 2], vec![4, 8, 1]));
        assert_eq!(proposal.strategies, ["syntax"]);
    }

    #[test]
    fn a_pattern_that_does_not_compile_is_the_clients_error() {
        let error =
            propose(&query("(", Some("regex")), |_| vec![Err(RetrievalError::BadProbe("unclosed group at 0".into()))]);
        assert_eq!(error, Err(PluginError::BadQuery("unclosed group at 0".into())));
    }

    #[test]
    fn an_unknown_pattern_type_is_named() {
        let error = propose(&query("a", Some("glob")), |_| vec![]);
        assert_eq!(error, Err(PluginError::BadQuery("pattern_type is `glob`; give `literal` or `regex`".into())));
    }

    #[test]
    fn an_index_that_is_away_is_not_the_clients_error() {
        let error = propose(&query("a", None), |_| vec![Err(RetrievalError::TimedOut)]);
        assert!(matches!(error, Err(PluginError::Internal(_))), "{error:?}");
    }
}
