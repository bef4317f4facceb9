//! Lists over dictionaries that are small enough to be worked out by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;
use crate::suggest::dictionary::Term;

const FULL: u16 = u16::MAX;

fn dictionary(terms: &[(&str, Kind, u16)]) -> Dictionary {
    let term = |(text, kind, weight): &(&str, Kind, u16)| Term { text: (*text).into(), kind: *kind, weight: *weight };
    Dictionary::build(terms.iter().map(term).collect()).unwrap()
}

fn tables() -> Tables {
    Tables::standard().unwrap()
}

fn history() -> Dictionary {
    dictionary(&[("parse error", Kind::Query, FULL), ("how to parse dates", Kind::Query, FULL / 2)])
}

fn corpus() -> Dictionary {
    dictionary(&[
        ("parseConfig", Kind::Symbol, FULL / 2),
        ("try_parse", Kind::Symbol, 10),
        ("src/parser.rs", Kind::Path, 20),
        ("pause", Kind::Phrase, 30),
        ("read configuration", Kind::Phrase, 40),
        ("configuration", Kind::Phrase, 50),
        ("confirm", Kind::Symbol, 60),
    ])
}

fn lines(suggestions: &[Suggestion]) -> Vec<String> {
    let line = |found: &Suggestion| {
        format!("{} {:?} {:?} {:.4}", found.suggestion, found.origin, found.matched, found.confidence)
    };
    suggestions.iter().map(line).collect()
}

fn complete(query: &str, wanted: usize) -> Vec<String> {
    let (history, corpus, tables) = (history(), corpus(), tables());
    lines(&Sources { history: &history, corpus: &corpus, tables: &tables }.complete(query, wanted))
}

#[test]
fn sources_follow_each_other_in_falling_confidence() {
    let expected = [
        "parse error Query Prefix 1.0000",
        "parseConfig Symbol Prefix 0.8000",
        // Half of 0.4 to 0.5, and next to nothing of it.
        "how to parse dates Query Word 0.4500",
        "src/parser.rs Path Word 0.4000",
        "try_parse Symbol Word 0.4000",
        // One letter is another.
        "pause Phrase Typo 0.3000",
        "read Synonym Related 0.1500",
        "decode Synonym Related 0.1500",
        "deserialize Synonym Related 0.1500",
    ];
    assert_eq!(complete("Parse", 20), expected);
    assert_eq!(complete("Parse", 3), expected[..3]);
}

#[test]
fn the_last_words_of_a_longer_query_are_completed_on_their_own() {
    let found = complete("where to Read  conf", 4);
    // What a term replaces is written as the term is.
    let expected = [
        "where to read configuration Phrase Tail 0.5300",
        "where to Read confirm Symbol Tail 0.5000",
        "where to get conf Synonym Related 0.1500",
        "where to fetch conf Synonym Related 0.1500",
    ];
    assert_eq!(found, expected);
    // A word that is whole is not completed; that it was not meant to be whole is one error.
    assert_eq!(complete("Read ", 1), ["read configuration Phrase Prefix 0.6002"]);
    assert_eq!(complete("read conf ", 1), ["read configuration Phrase Typo 0.3001"]);
    assert_eq!(complete("zzz confg", 2)[0], "zzz confirm Symbol Typo 0.2001");
}

#[test]
fn nothing_typed_gives_what_is_asked_and_named_most() {
    let expected = [
        "parse error Query Popular 1.0000",
        "how to parse dates Query Popular 0.8000",
        "parseConfig Symbol Popular 0.4000",
        "confirm Symbol Popular 0.2004",
        "try_parse Symbol Popular 0.2001",
    ];
    assert_eq!(complete("  ", 9), expected);
}

#[test]
fn refinements_stand_among_completions_by_confidence() {
    let (history, corpus, tables) = (history(), corpus(), tables());
    let sources = Sources { history: &history, corpus: &corpus, tables: &tables };
    let expected = [
        "parse error Query Prefix 1.0000",
        "parseConfig Symbol Prefix 0.8000",
        "function that Parse IntentRefinement Related 0.8000",
        "class that Parse IntentRefinement Related 0.8000",
        "read Synonym Related 0.6000",
        "decode Synonym Related 0.6000",
        "deserialize Synonym Related 0.6000",
        "how to parse dates Query Word 0.4500",
    ];
    assert_eq!(lines(&sources.complete_and_refine("Parse", 8)), expected);
    assert_eq!(sources.complete_and_refine("", 9), sources.complete("", 9));
}

#[test]
fn a_text_comes_once_whatever_its_case() {
    let history = dictionary(&[("read configuration", Kind::Query, 7)]);
    let corpus = dictionary(&[("Read Configuration", Kind::Symbol, 9), ("configuration", Kind::Phrase, 9)]);
    let tables = tables();
    let found = Sources { history: &history, corpus: &corpus, tables: &tables }.complete("read conf", 9);
    let same: Vec<_> = found.iter().filter(|found| fold(&found.suggestion) == "read configuration").collect();
    assert_eq!(same.len(), 1, "{found:?}");
}

proptest! {
    /// For any terms and anything typed: no more than wanted, each once, confidence within bounds and never rising, and
    /// each as its match says.
    #[test]
    fn lists_keep_their_promises(
        asked in prop::collection::btree_map("[a-cAÖ]{1,4}( [a-c]{1,4}){0,2}", 0u16..=FULL, 0..20),
        named in prop::collection::btree_map("[a-cA_Ö]{1,7}( [a-c]{1,4})?", 0u16..=FULL, 0..40),
        query in "[a-cAÖ]{0,4}( [a-c]{1,4}){0,2} ?",
        (wanted, intelligent) in (1usize..12, any::<bool>()),
    ) {
        let terms = |given: &std::collections::BTreeMap<String, u16>, kind| {
            let term = |(text, weight): (&String, &u16)| Term { text: text.clone(), kind, weight: *weight };
            Dictionary::build(given.iter().map(term).collect()).unwrap()
        };
        let (history, corpus, tables) = (terms(&asked, Kind::Query), terms(&named, Kind::Symbol), tables());
        let sources = Sources { history: &history, corpus: &corpus, tables: &tables };
        let found =
            if intelligent { sources.complete_and_refine(&query, wanted) } else { sources.complete(&query, wanted) };
        prop_assert!(found.len() <= wanted);
        prop_assert!(found.windows(2).all(|pair| pair[0].confidence >= pair[1].confidence), "{found:?}");
        prop_assert!(found.iter().all(|found| (0.0..=1.0).contains(&found.confidence)));
        let texts: HashSet<String> = found.iter().map(|found| fold(&found.suggestion)).collect();
        prop_assert_eq!(texts.len(), found.len());
        let typed = Typed::of(&query).key;
        for found in &found {
            let begins = fold(&found.suggestion).starts_with(&typed);
            match found.matched {
                Match::Prefix | Match::Tail | Match::Popular => prop_assert!(begins, "{query:?} {found:?}"),
                Match::Typo | Match::Word => prop_assert!(!begins, "{query:?} {found:?}"),
                Match::Related => {}
            }
        }
    }
}
