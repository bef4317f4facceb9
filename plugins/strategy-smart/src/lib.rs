//! Chooses a plan by what the query looks like, and says why in the answer's `reason`. The choice itself is
//! the kit's, because `strategy-natural` makes it too for what is no language.

pub use strategy_kit::choose::propose;
pub use strategy_kit::{Hits, PluginError, Probe, Proposal, Query, RetrievalError};

strategy_kit::strategy!("strategy-smart", "chooses the search by what the query looks like", propose);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    use strategy_kit::PatternSyntax;
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
