#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// What is on disk after an end of any kind.
mod reopened;

use std::time::{Duration, Instant};

use super::*;
use crate::query::{
    Hits, PatternProbe, PatternSyntax, Probe, RetrievalError, Scope, SymbolMatch, SymbolProbe, TermMatch, TextProbe,
    VectorProbe,
};

fn version(sequence: u64, document: u64, path: &str, content: &str) -> DocumentVersion {
    DocumentVersion {
        sequence,
        document,
        root: 1,
        path: path.to_owned(),
        language: None,
        title: None,
        modified: 1_700_000_000,
        content: content.to_owned(),
    }
}

fn upsert(index: &Index, version: DocumentVersion) -> Change {
    Change::Upsert(Box::new(index.prepare(version)))
}

const STORE_RS: &str = "//! Keeps things.\n\n/// Opens the durable store.\npub fn open_store(path: &str) -> Store {\n    todo()\n}\n\npub struct Store;\n";
const GUIDE_MD: &str = "# Musical guide\n\nHow to tune a guitar, string by string.\n";
const TOOL_PY: &str = "class Parser:\n    def parseHeader(self, text):\n        return text.split(':')\n";

fn filled(folder: &Path) -> Index {
    let index = Index::open(folder).unwrap();
    let changes = vec![
        upsert(&index, version(1, 11, "src/store.rs", STORE_RS)),
        upsert(&index, version(2, 12, "docs/guide.md", GUIDE_MD)),
        upsert(&index, version(3, 13, "tools/tool.py", TOOL_PY)),
    ];
    index.apply(changes).unwrap();
    index.commit(3).unwrap();
    index
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

fn text(query: &str) -> Probe {
    let text = query.to_owned();
    Probe::Text(TextProbe { text, mode: TermMatch::Any, fuzziness: 0, prefix: false, fields: vec![], limit: 10 })
}

fn vector(query: &str) -> Probe {
    Probe::Vector(VectorProbe { text: query.to_owned(), min_similarity: None, limit: 10 })
}

fn pattern(pattern: &str) -> PatternProbe {
    PatternProbe {
        pattern: pattern.to_owned(),
        syntax: PatternSyntax::Regex,
        case_sensitive: false,
        whole_word: false,
        limit: 10,
    }
}

fn symbol(name: &str, mode: SymbolMatch) -> SymbolProbe {
    SymbolProbe { name: name.to_owned(), mode, case_sensitive: false, limit: 10 }
}

/// `path:line` of each hit.
fn places(snapshot: &Snapshot, hits: &Hits) -> Vec<String> {
    assert!(hits.len() == hits.lines.len() && hits.len() == hits.scores.len());
    let chunks = snapshot.chunks(&hits.chunks).unwrap();
    chunks
        .iter()
        .zip(&hits.lines)
        .map(|(chunk, line)| format!("{}:{line}", chunk.as_ref().unwrap().document.path))
        .collect()
}

fn found(index: &Index, probe: &Probe) -> Vec<String> {
    let snapshot = index.snapshot();
    let hits = snapshot.probe(probe, &Scope::default(), soon()).unwrap();
    places(&snapshot, &hits)
}

#[test]
fn each_kind_of_probe_finds_its_document() {
    let folder = tempfile::tempdir().unwrap();
    let index = filled(folder.path());
    assert_eq!(found(&index, &text("durable")), ["src/store.rs:1"]);
    assert_eq!(found(&index, &text("header")), ["tools/tool.py:1"]);
    assert_eq!(found(&index, &vector("playing a string instrument"))[0], "docs/guide.md:1");
    assert_eq!(found(&index, &Probe::Pattern(pattern(r"fn \w+\("))), ["src/store.rs:4"]);
    assert_eq!(found(&index, &Probe::Pattern(pattern("T"))).len(), 8);
    assert_eq!(found(&index, &Probe::Symbol(symbol("parseheader", SymbolMatch::Exact))), ["tools/tool.py:2"]);
    let snapshot = index.snapshot();
    assert_eq!(snapshot.generation(), 3);
    assert_eq!(snapshot.content(1).unwrap().as_deref(), Some(STORE_RS));
    assert_eq!(snapshot.content(9).unwrap(), None);
    let stats = snapshot.stats();
    assert_eq!((stats.documents, stats.dimension, stats.generation), (3, 256, 3));
    assert_eq!(stats.content_bytes as usize, STORE_RS.len() + GUIDE_MD.len() + TOOL_PY.len());
    let guide = snapshot.documents().unwrap().into_iter().find(|document| document.document == 12).unwrap();
    assert_eq!((guide.title.as_deref(), guide.language.as_deref()), (Some("Musical guide"), Some("markdown")));
}

#[test]
fn hits_of_all_probes_name_the_same_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let index = filled(folder.path());
    let snapshot = index.snapshot();
    let first = |probe: Probe| snapshot.probe(&probe, &Scope::default(), soon()).unwrap().chunks[0];
    let by_symbol = first(Probe::Symbol(symbol("open_store", SymbolMatch::Exact)));
    assert_eq!(first(text("durable store")), by_symbol);
    assert_eq!(first(Probe::Pattern(pattern("open_store"))), by_symbol);
    let info = snapshot.chunks(&[by_symbol]).unwrap()[0].clone().unwrap();
    assert!(STORE_RS[info.start as usize..info.end as usize].contains("open_store"));
    let (dimension, row) = snapshot.embeddings(&[by_symbol, ChunkId::new(99, 0)]).unwrap();
    assert_eq!(row.len(), 2 * dimension as usize);
    let length = |row: &[f32]| row.iter().map(|value| value * value).sum::<f32>();
    assert!((length(&row[..256]) - 1.0).abs() < 1e-3);
    assert_eq!(length(&row[256..]), 0.0);
}

#[test]
fn a_scope_holds_for_every_probe() {
    let folder = tempfile::tempdir().unwrap();
    let index = filled(folder.path());
    let snapshot = index.snapshot();
    let probes = [
        text("store parser guitar"),
        vector("text"),
        Probe::Pattern(pattern("[st]")),
        Probe::Symbol(symbol("r", SymbolMatch::Substring)),
    ];
    for probe in &probes {
        for scope in [
            Scope { file_types: vec!["py".into()], directories: vec![] },
            Scope { file_types: vec![], directories: vec!["tools".into()] },
            Scope { file_types: vec!["py".into(), "rs".into()], directories: vec!["tools".into(), "doc".into()] },
        ] {
            let hits = snapshot.probe(probe, &scope, soon()).unwrap();
            assert!(!hits.is_empty(), "{probe:?} {scope:?}");
            assert!(
                places(&snapshot, &hits).iter().all(|place| place.starts_with("tools/tool.py")),
                "{probe:?} {scope:?}"
            );
        }
        let nothing = Scope { file_types: vec!["rs".into()], directories: vec!["docs".into()] };
        assert!(snapshot.probe(probe, &nothing, soon()).unwrap().is_empty());
    }
}

#[test]
fn a_new_version_replaces_the_old_one_and_old_snapshots_stay() {
    let folder = tempfile::tempdir().unwrap();
    let index = filled(folder.path());
    let before = index.snapshot();
    let old = before.probe(&text("durable"), &Scope::default(), soon()).unwrap().chunks[0];
    index.apply(vec![upsert(&index, version(4, 11, "src/store.rs", "pub fn ephemeral() {}\n"))]).unwrap();
    assert_eq!(found(&index, &text("durable")).len(), 1, "not visible before the commit");
    index
        .apply(vec![Change::Remove { document: 13, sequence: 5 }, Change::Remove { document: 77, sequence: 6 }])
        .unwrap();
    index.commit(6).unwrap();
    assert_eq!(found(&index, &text("durable")), [""; 0]);
    assert_eq!(found(&index, &text("ephemeral")), ["src/store.rs:1"]);
    assert_eq!(found(&index, &text("parser")), [""; 0]);
    assert_eq!(found(&index, &Probe::Symbol(symbol("Parser", SymbolMatch::Exact))), [""; 0]);
    assert_eq!(found(&index, &Probe::Pattern(pattern("class"))), [""; 0]);
    assert_eq!(index.snapshot().chunks(&[old]).unwrap(), [None]);
    assert_eq!(index.snapshot().content(1).unwrap(), None);
    assert_eq!((index.applied(), index.snapshot().stats().documents), (6, 2));
    // The view taken before is untouched.
    assert_eq!(before.generation(), 3);
    assert_eq!(before.content(1).unwrap().as_deref(), Some(STORE_RS));
    assert_eq!(before.probe(&text("durable"), &Scope::default(), soon()).unwrap().chunks, [old]);
}

#[test]
fn replaying_changes_alters_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let index = filled(folder.path());
    index.apply(vec![upsert(&index, version(4, 11, "src/new.rs", "fn new() {}\n"))]).unwrap();
    index.commit(4).unwrap();
    let replay = vec![
        upsert(&index, version(1, 11, "src/store.rs", STORE_RS)),
        Change::Remove { document: 11, sequence: 3 },
        upsert(&index, version(4, 11, "src/new.rs", "fn new() {}\n")),
    ];
    index.apply(replay).unwrap();
    index.commit(5).unwrap();
    assert_eq!(found(&index, &text("new")), ["src/new.rs:1"]);
    assert_eq!(found(&index, &text("durable")), [""; 0]);
    assert_eq!(index.snapshot().stats().documents, 3);
}

#[test]
fn probes_out_of_bounds_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let index = filled(folder.path());
    let snapshot = index.snapshot();
    let refused = |probe: Probe, expect: &str| match snapshot.probe(&probe, &Scope::default(), soon()) {
        Err(RetrievalError::BadProbe(reason)) => assert!(reason.contains(expect), "{reason}"),
        other => panic!("{other:?}"),
    };
    refused(Probe::Pattern(PatternProbe { limit: 0, ..pattern("a") }), "limit");
    refused(Probe::Pattern(PatternProbe { limit: 10_001, ..pattern("a") }), "limit");
    refused(Probe::Pattern(pattern("(")), "unclosed group");
    refused(Probe::Symbol(symbol("", SymbolMatch::Exact)), "empty");
    let timed_out = snapshot.probe(&Probe::Pattern(pattern("a")), &Scope::default(), Instant::now());
    assert_eq!(timed_out, Err(RetrievalError::TimedOut));
}

#[test]
fn pattern_hits_come_by_path_and_line_up_to_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    let paths = ["b/z.txt", "a/y.txt", "c.txt", "a/b/x.txt"];
    let changes =
        paths.iter().zip(1..).map(|(path, id)| upsert(&index, version(id, id, path, "hit\nmiss\nHit hit\n"))).collect();
    index.apply(changes).unwrap();
    index.commit(4).unwrap();
    let snapshot = index.snapshot();
    let hits = snapshot.probe(&Probe::Pattern(pattern("hit")), &Scope::default(), soon()).unwrap();
    let expect =
        ["a/b/x.txt:1", "a/b/x.txt:3", "a/y.txt:1", "a/y.txt:3", "b/z.txt:1", "b/z.txt:3", "c.txt:1", "c.txt:3"];
    assert_eq!(places(&snapshot, &hits), expect);
    assert!(!hits.truncated && hits.scores.iter().all(|score| *score == 1.0));
    for limit in [3, 8] {
        let probe = Probe::Pattern(PatternProbe { limit, ..pattern("hit") });
        let hits = snapshot.probe(&probe, &Scope::default(), soon()).unwrap();
        assert_eq!((hits.len(), hits.truncated), (limit as usize, limit < 8));
    }
}

#[test]
fn symbols_are_found_exactly_by_prefix_and_within() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    let content = "pub fn Open() {}\npub fn open_all() {}\nfn reopen() {}\n";
    index
        .apply(vec![
            upsert(&index, version(1, 1, "a.rs", content)),
            upsert(&index, version(2, 2, "b.rs", "fn open() {}\n")),
        ])
        .unwrap();
    index.commit(2).unwrap();
    let snapshot = index.snapshot();
    let check = |mode, case_sensitive, expect: &[(&str, f32)]| {
        let probe = Probe::Symbol(SymbolProbe { case_sensitive, ..symbol("open", mode) });
        let hits = snapshot.probe(&probe, &Scope::default(), soon()).unwrap();
        let found: Vec<(String, f32)> = places(&snapshot, &hits).into_iter().zip(hits.scores.iter().copied()).collect();
        let expect: Vec<(String, f32)> = expect.iter().map(|(place, score)| ((*place).to_owned(), *score)).collect();
        assert_eq!(found, expect, "{mode:?} {case_sensitive}");
    };
    check(SymbolMatch::Exact, false, &[("a.rs:1", 1.0), ("b.rs:1", 1.0)]);
    check(SymbolMatch::Exact, true, &[("b.rs:1", 1.0)]);
    check(SymbolMatch::Prefix, true, &[("b.rs:1", 1.0), ("a.rs:2", 0.5)]);
    // The chunk of a.rs counts once, with its best name.
    check(SymbolMatch::Substring, false, &[("a.rs:1", 1.0), ("b.rs:1", 1.0)]);
    check(SymbolMatch::Substring, true, &[("b.rs:1", 1.0), ("a.rs:3", 4.0 / 6.0)]);
}

#[test]
fn readers_go_on_while_the_writer_works() {
    let folder = tempfile::tempdir().unwrap();
    let index = filled(folder.path());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for sequence in 4..24 {
                let content = format!("fn durable{sequence}() {{}}\n");
                index.apply(vec![upsert(&index, version(sequence, 11, "src/store.rs", &content))]).unwrap();
                index.commit(sequence).unwrap();
            }
        });
        while !writer.is_finished() {
            let snapshot = index.snapshot();
            let hits = snapshot.probe(&Probe::Pattern(pattern("durable")), &Scope::default(), soon()).unwrap();
            assert_eq!(hits.len(), 1, "each generation has exactly one such line");
            let info = snapshot.chunks(&hits.chunks).unwrap()[0].clone().unwrap();
            let content = snapshot.content(info.document.sequence).unwrap().unwrap();
            assert!(content.contains("durable"));
        }
    });
    assert_eq!(index.applied(), 23);
}
