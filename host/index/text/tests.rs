#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::time::{Duration, Instant};

use crate::index::{Change, DocumentVersion, Index, Snapshot};
use crate::query::{Probe, RetrievalError, Scope, TermMatch, TextField, TextProbe};

fn index(folder: &Path, texts: &[(&str, &str)]) -> Index {
    let index = Index::open(folder).unwrap();
    let changes = texts
        .iter()
        .zip(1..)
        .map(|((path, content), id)| {
            let version = DocumentVersion {
                sequence: id,
                document: id,
                root: 0,
                path: (*path).to_owned(),
                language: None,
                title: None,
                modified: 0,
                content: (*content).to_owned(),
            };
            Change::Upsert(Box::new(index.prepare(version)))
        })
        .collect();
    index.apply(changes).unwrap();
    index.commit(texts.len() as u64).unwrap();
    index
}

fn probe(text: &str, mode: TermMatch) -> TextProbe {
    TextProbe { text: text.to_owned(), mode, fuzziness: 0, prefix: false, fields: vec![], limit: 10 }
}

fn run(snapshot: &Snapshot, probe: TextProbe) -> Result<Vec<(String, f32)>, RetrievalError> {
    let deadline = Instant::now() + Duration::from_secs(3600);
    let hits = snapshot.probe(&Probe::Text(probe), &Scope::default(), deadline)?;
    let chunks = snapshot.chunks(&hits.chunks).unwrap();
    let paths = chunks.iter().map(|chunk| chunk.as_ref().unwrap().document.path.to_string());
    Ok(paths.zip(hits.scores.iter().copied()).collect())
}

fn paths(snapshot: &Snapshot, probe: TextProbe) -> Vec<String> {
    run(snapshot, probe).unwrap().into_iter().map(|(path, _)| path).collect()
}

const BODY: [(TextField, f32); 1] = [(TextField::Body, 1.0)];

#[test]
fn scores_are_bm25() {
    let folder = tempfile::tempdir().unwrap();
    let texts = [("a", "apple pear"), ("b", "apple apple plum fig"), ("c", "melon plum fig fig fig fig")];
    let snapshot = index(folder.path(), &texts).snapshot();
    let found = run(&snapshot, TextProbe { fields: BODY.to_vec(), ..probe("apple", TermMatch::Any) }).unwrap();
    // By hand: 3 documents of 2, 4 and 6 terms, mean 4; 2 have the term: idf = ln(1 + (3 - 2 + .5) / (2 + .5)).
    let idf = (1.0_f32 + 1.5 / 2.5).ln();
    let bm25 = |frequency: f32, length: f32| idf * frequency * 2.2 / (frequency + 1.2 * (0.25 + 0.75 * length / 4.0));
    let expect = [("b", bm25(2.0, 4.0)), ("a", bm25(1.0, 2.0))];
    for ((path, score), (expect_path, expect_score)) in found.iter().zip(expect) {
        assert_eq!(path, expect_path);
        assert!((score - expect_score).abs() < 1e-4, "{path}: {score} {expect_score}");
    }
    assert_eq!(found.len(), 2);
}

#[test]
fn modes_combine_terms() {
    let folder = tempfile::tempdir().unwrap();
    let texts = [
        ("a", "the boundary layer of a wing"),
        ("b", "a layer at the boundary"),
        ("c", "boundary conditions"),
        ("d", "fn getUserName() {}"),
        ("e", "let user = get(name);"),
    ];
    let snapshot = index(folder.path(), &texts).snapshot();
    let check = |text: &str, mode, expect: &[&str]| {
        let mut found = paths(&snapshot, TextProbe { fields: BODY.to_vec(), ..probe(text, mode) });
        found.sort();
        assert_eq!(found, expect, "{text} {mode:?}");
    };
    check("boundary layers", TermMatch::Any, &["a", "b", "c"]);
    check("boundary layers", TermMatch::All, &["a", "b"]);
    check("boundary layers", TermMatch::Phrase, &["a"]);
    check("layer of a wing", TermMatch::Phrase, &["a"]);
    check("user name", TermMatch::Phrase, &["d"]);
    check("getUserName", TermMatch::All, &["d", "e"]);
    check("get_user_name", TermMatch::Phrase, &["d"]);
    check("the", TermMatch::Any, &["a", "b"]);
    check("+boundary -layer (\"x~2^3 OR *:*", TermMatch::Any, &["a", "b", "c"]);
    check("?!\" \\", TermMatch::All, &[]);
}

#[test]
fn terms_may_be_off_by_an_edit_or_a_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let texts = [("a", "retrieval of documents"), ("b", "retrieve"), ("c", "boundary"), ("d", "docket")];
    let snapshot = index(folder.path(), &texts).snapshot();
    let check = |text: &str, fuzziness, prefix, expect: &[&str]| {
        let mut found =
            paths(&snapshot, TextProbe { fuzziness, prefix, fields: BODY.to_vec(), ..probe(text, TermMatch::Any) });
        found.sort();
        assert_eq!(found, expect, "{text} {fuzziness} {prefix}");
    };
    check("boundray", 0, false, &[]);
    check("boundray", 1, false, &["c"]);
    check("bondray", 1, false, &[]);
    check("bondray", 2, false, &["c"]);
    check("boundary", 2, false, &["c"]);
    check("doc", 0, true, &["a", "d"]);
    check("docu", 0, true, &["a"]);
    check("retrieva", 0, true, &["a", "b"]);
    check("retrieval doc", 0, true, &["a", "b", "d"]);
    check("bounadr", 1, true, &["c"]);
    check("x_bound", 0, true, &["c"]);
    check("bound_x", 0, true, &[]);
}

#[test]
fn an_exact_term_beats_an_approximate_one() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = index(folder.path(), &[("a", "walk"), ("b", "talk"), ("c", "balk")]).snapshot();
    let found = paths(&snapshot, TextProbe { fuzziness: 1, ..probe("talk", TermMatch::Any) });
    assert_eq!(found, ["b", "a", "c"]);
}

#[test]
fn fields_have_weights() {
    let folder = tempfile::tempdir().unwrap();
    let texts = [
        ("src/parser.rs", "fn other() {}\n"),
        ("src/a.rs", "// parser\nfn b() {}\n"),
        ("src/b.rs", "fn parser() {}\n"),
    ];
    let snapshot = index(folder.path(), &texts).snapshot();
    let with = |fields: &[(TextField, f32)]| TextProbe { fields: fields.to_vec(), ..probe("parser", TermMatch::Any) };
    assert_eq!(paths(&snapshot, with(&[(TextField::Path, 1.0)])), ["src/parser.rs"]);
    assert_eq!(paths(&snapshot, with(&[(TextField::Symbol, 1.0)])), ["src/b.rs"]);
    assert_eq!(paths(&snapshot, with(&[(TextField::Body, 9.0), (TextField::Path, 0.1)]))[2], "src/parser.rs");
    assert_eq!(paths(&snapshot, probe("parser", TermMatch::Any))[0], "src/b.rs");
    for weight in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(matches!(run(&snapshot, with(&[(TextField::Body, weight)])), Err(RetrievalError::BadProbe(_))));
    }
}

/// Two hosts may have the same documents in another order on disk.
#[test]
fn any_number_of_ties_is_broken_by_chunk_whatever_the_order_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    let backwards = (1..=400).rev().map(|id| {
        let path = format!("p{id}");
        let content = "same words".to_owned();
        let (language, title) = (None, None);
        let version =
            DocumentVersion { sequence: id, document: id, root: 0, path, language, title, modified: 0, content };
        Change::Upsert(Box::new(index.prepare(version)))
    });
    index.apply(backwards.collect()).unwrap();
    index.commit(400).unwrap();
    let body = TextProbe { fields: BODY.to_vec(), ..probe("same", TermMatch::Any) };
    let expect: Vec<String> = (1..=10).map(|number| format!("p{number}")).collect();
    assert_eq!(paths(&index.snapshot(), body), expect);
}

#[test]
fn ties_are_broken_by_chunk_and_long_texts_are_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let texts: Vec<(String, &str)> = (0..30).map(|number| (format!("p{number}"), "same words")).collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let snapshot = index(folder.path(), &texts).snapshot();
    let body = TextProbe { fields: BODY.to_vec(), ..probe("same", TermMatch::Any) };
    let expect: Vec<String> = (0..10).map(|number| format!("p{number}")).collect();
    assert_eq!(paths(&snapshot, body), expect);
    let long: String = (0..5000).map(|number| format!("w{number} ")).collect();
    for mode in [TermMatch::Any, TermMatch::All, TermMatch::Phrase] {
        assert_eq!(paths(&snapshot, TextProbe { fields: BODY.to_vec(), ..probe(&long, mode) }), [""; 0]);
    }
    let fuzzy_phrase = TextProbe { fuzziness: 1, ..probe("same words", TermMatch::Phrase) };
    assert!(matches!(run(&snapshot, fuzzy_phrase), Err(RetrievalError::BadProbe(_))));
    let too_fuzzy = TextProbe { fuzziness: 3, ..probe("same", TermMatch::Any) };
    assert!(matches!(run(&snapshot, too_fuzzy), Err(RetrievalError::BadProbe(_))));
}
