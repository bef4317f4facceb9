//! Dictionaries that are small enough to be checked by eye, and random ones against plain loops.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

fn term(text: &str, kind: Kind, weight: u16) -> Term {
    Term { text: text.to_owned(), kind, weight }
}

fn phrases(terms: &[(&str, u16)]) -> Dictionary {
    Dictionary::build(terms.iter().map(|(text, weight)| term(text, Kind::Phrase, *weight)).collect()).unwrap()
}

fn texts<'a>(found: impl Iterator<Item = Entry<'a>>) -> Vec<&'a str> {
    found.map(|entry| entry.text).collect()
}

#[test]
fn beginnings_are_completed_by_weight_then_by_alphabet() {
    let dictionary =
        phrases(&[("parse", 5), ("parser", 9), ("parsing", 5), ("Parse_Args", 5), ("part", 9), ("path", 1)]);
    assert_eq!(texts(dictionary.beginning("pars")), ["parser", "parse", "Parse_Args", "parsing"]);
    assert_eq!(texts(dictionary.beginning("parse_")), ["Parse_Args"]);
    assert_eq!(texts(dictionary.beginning("")), ["parser", "part", "parse", "Parse_Args", "parsing", "path"]);
    assert_eq!(texts(dictionary.beginning("q")), [""; 0]);
    assert_eq!(texts(dictionary.beginning("parserx")), [""; 0]);
    assert_eq!(texts(Dictionary::default().beginning("")), [""; 0]);
    assert_eq!(texts(Dictionary::build(vec![]).unwrap().beginning("a")), [""; 0]);
}

#[test]
fn words_inside_of_names_are_completed() {
    let dictionary = Dictionary::build(vec![
        term("config_parse", Kind::Symbol, 3),
        term("tryParse", Kind::Symbol, 4),
        term("parse", Kind::Symbol, 9),
        term("host/parse/mod.rs", Kind::Path, 2),
        term("to parse", Kind::Phrase, 8),
        term("how to parse", Kind::Query, 1),
    ])
    .unwrap();
    let expected = ["tryParse", "config_parse", "host/parse/mod.rs", "how to parse"];
    assert_eq!(texts(dictionary.inside("pars")), expected);
    assert_eq!(texts(dictionary.inside("config")), [""; 0]);
    assert_eq!(texts(dictionary.inside("mod.r")), ["host/parse/mod.rs"]);
}

#[test]
fn of_terms_that_differ_in_case_the_first_kind_stays_with_the_highest_weight() {
    let terms = vec![
        term("search", Kind::Phrase, 9),
        term("Search", Kind::Symbol, 4),
        term("SEARCH", Kind::Symbol, 5),
        term("  ", Kind::Phrase, 1),
        term(&"x".repeat(257), Kind::Symbol, 1),
    ];
    let dictionary = Dictionary::build(terms).unwrap();
    let expected = [Entry { text: "SEARCH", kind: Kind::Symbol, weight: 9 }];
    assert_eq!(dictionary.beginning("").collect::<Vec<_>>(), expected);
    assert_eq!(texts(dictionary.symbols()), ["SEARCH"]);
}

#[test]
fn one_error_is_forgiven_where_the_first_letter_is_right() {
    let dictionary = phrases(&[("config", 3), ("configuration", 9), ("confuse", 5), ("cofig", 2), ("ponfig", 9)]);
    let check = |typed: &str, expected: &[&str]| {
        assert_eq!(texts(dictionary.nearly_beginning(typed)), expected, "{typed}");
    };
    // One letter wrong, missing, too much, and two swapped.
    check("contig", &["configuration", "config"]);
    check("confg", &["configuration", "confuse", "config"]);
    check("connfig", &["configuration", "config"]);
    check("cnofig", &["configuration", "config", "cofig"]);
    // What begins with it as it stands is no error: `cofig` is.
    check("config", &["cofig"]);
    check("bonfig", &[]);
    check("co", &[]);
    check("cxxfig", &[]);
}

#[test]
fn letters_of_all_scripts_are_letters() {
    let dictionary = phrases(&[("Größe", 3), ("größer", 4), ("ΣΊΣΥΦΟΣ", 1), ("検索エンジン", 2), ("検索語", 1)]);
    assert_eq!(texts(dictionary.beginning(&fold("GRÖ"))), ["größer", "Größe"]);
    assert_eq!(texts(dictionary.beginning(&fold("Σίσυφος"))), ["ΣΊΣΥΦΟΣ"]);
    assert_eq!(texts(dictionary.beginning("検索")), ["検索エンジン", "検索語"]);
    // One letter, though four bytes of UTF-8 differ.
    assert_eq!(texts(dictionary.nearly_beginning("grße")), ["größer", "Größe"]);
    assert_eq!(texts(dictionary.nearly_beginning("検索煙ジン")), [""; 0]);
    assert_eq!(texts(dictionary.nearly_beginning("検索工ンジン")), ["検索エンジン"]);
}

#[test]
fn the_digest_tells_terms_apart_and_nothing_else() {
    let one = phrases(&[("a b", 1), ("c", 2)]);
    assert_eq!(one.digest(), phrases(&[("c", 2), ("a b", 1)]).digest());
    assert_eq!(Dictionary::default().digest(), phrases(&[]).digest());
    for other in [phrases(&[("a b", 1), ("c", 3)]), phrases(&[("a b", 1)]), phrases(&[("a ", 1), ("bc", 2)])] {
        assert_ne!(one.digest(), other.digest());
    }
}

/// By the textbook's recursion (Damerau, 1964, with neighbours swapped at most once), on beginnings.
fn distance_of_beginning(typed: &[char], key: &[char]) -> usize {
    let mut rows = vec![vec![0; key.len() + 1]; typed.len() + 1];
    for i in 0..=typed.len() {
        for j in 0..=key.len() {
            rows[i][j] = match (i, j) {
                (0, j) => j,
                (i, 0) => i,
                (i, j) => {
                    let wrong = usize::from(typed[i - 1] != key[j - 1]);
                    let mut least = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + wrong);
                    if i > 1 && j > 1 && typed[i - 1] == key[j - 2] && typed[i - 2] == key[j - 1] {
                        least = least.min(rows[i - 2][j - 2] + 1);
                    }
                    least
                }
            };
        }
    }
    rows[typed.len()].iter().copied().min().unwrap()
}

proptest! {
    /// Against a look at every term.
    #[test]
    fn look_ups_agree_with_plain_loops(
        given in prop::collection::btree_map("[abü_]{1,9}", 0u16..9, 0..60),
        typed in "[abü_]{0,6}",
    ) {
        let terms = given.iter().map(|(text, weight)| term(text, Kind::Symbol, *weight)).collect();
        let dictionary = Dictionary::build(terms).unwrap();
        let expected = |fits: &dyn Fn(&str) -> bool| {
            let mut found: Vec<(&str, u16)> =
                given.iter().map(|(text, weight)| (text.as_str(), *weight)).filter(|(text, _)| fits(text)).collect();
            found.sort_by_key(|(text, weight)| (std::cmp::Reverse(*weight), *text));
            found.into_iter().map(|(text, _)| text).collect::<Vec<_>>()
        };
        prop_assert_eq!(texts(dictionary.beginning(&typed)), expected(&|text| text.starts_with(&typed)));
        let letters: Vec<char> = typed.chars().collect();
        let near = |text: &str| {
            let key: Vec<char> = text.chars().collect();
            letters.len() >= 3 && key[0] == letters[0] && distance_of_beginning(&letters, &key) == 1
        };
        prop_assert_eq!(texts(dictionary.nearly_beginning(&typed)), expected(&near));
    }
}
