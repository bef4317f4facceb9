//! The engine against the local index over the same documents: what the one finds, the other finds too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use services::{Postgres, PostgresKind};
use tokio::task::block_in_place;

use super::Retrieval;
use crate::index::remote::{Analysis, Engine};
use crate::index::{self, DocumentVersion, Index, Searched, Snapshot};
use crate::query::{
    ChunkId, Hits, PatternProbe, PatternSyntax, Probe, Scope, SymbolMatch, SymbolProbe, TermMatch, TextField,
    TextProbe, VectorProbe,
};
use crate::store::{PostgresOptions, PostgresStore};

const KINDS: [PostgresKind; 2] = [PostgresKind::Vector, PostgresKind::Debian];

pub(super) async fn open(url: &str, host: &str) -> Arc<Retrieval> {
    let store = Arc::new(PostgresStore::open(url, PostgresOptions::new(host)).await.unwrap());
    Arc::new(Retrieval::open(store, Analysis::load().unwrap()).await.unwrap())
}

pub(super) fn version(sequence: u64, document: u64, path: &str, content: &str) -> DocumentVersion {
    DocumentVersion {
        sequence,
        document,
        root: 0,
        path: path.to_owned(),
        language: None,
        title: None,
        modified: 1_700_000_000,
        content: content.to_owned(),
    }
}

/// Sources of this program, and texts that are hard for somebody.
pub(super) fn documents() -> Vec<DocumentVersion> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("host/index");
    let mut texts: Vec<(String, String)> = vec![
        ("odd/nul.txt".into(), "before\0after and \u{1} here\nsecond\0line\n".into()),
        ("odd/folds.txt".into(), "poſt 300 K of ice\nGrüße aus ŁÓDŹ\n".into()),
        ("odd/percent.txt".into(), "100%_sure \\ it's\n".into()),
        ("odd/empty.txt".into(), String::new()),
        ("odd/long.txt".into(), format!("{}\n", "word ".repeat(5000))),
        ("odd/wide.json".into(), (0..40_000).map(|number| format!("\"q{number}z\", ")).collect()),
        (format!("odd/{}.md", "deep/".repeat(700)), "# A very deep place\n\nlighthouse\n".into()),
    ];
    let mut folders = vec![sources.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = format!("src/{}", path.strip_prefix(&sources).unwrap().to_str().unwrap());
                texts.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    texts.sort();
    texts.iter().zip(1..).map(|((path, content), number)| version(number, number, path, content)).collect()
}

struct Both {
    local: Snapshot,
    remote: Snapshot,
    engine: Arc<Retrieval>,
    _folder: tempfile::TempDir,
}

impl Both {
    async fn over(kind: PostgresKind, documents: Vec<DocumentVersion>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(folder.path()).unwrap();
        let engine = open(&Postgres::shared(kind).database(), "one").await;
        let last = documents.last().unwrap().sequence;
        block_in_place(|| {
            engine.begin_writing().unwrap();
            for page in documents.chunks(16) {
                engine.apply(page.iter().cloned().map(|version| engine.prepare(version)).collect()).unwrap();
            }
            engine.publish(true).unwrap();
            let prepare = |version| index::Change::Upsert(Box::new(index.prepare(version)));
            index.apply(documents.into_iter().map(prepare).collect()).unwrap();
            index.commit(last).unwrap();
        });
        let remote = Searched::Elsewhere(engine.clone()).snapshot();
        Self { local: index.snapshot(), remote, engine, _folder: folder }
    }

    fn ask(&self, probe: &Probe, scope: &Scope) -> (Hits, Hits) {
        let deadline = Instant::now() + Duration::from_secs(600);
        let local = self.local.probe(probe, scope, deadline).unwrap();
        (local, block_in_place(|| self.remote.probe(probe, scope, deadline)).unwrap())
    }

    fn same(&self, probe: &Probe, scope: &Scope) -> usize {
        let (local, remote) = self.ask(probe, scope);
        assert_eq!(local, remote, "{probe:?} {scope:?}");
        local.len()
    }

    /// The same chunks with nearly the same scores, whatever the order of those that are nearly equal.
    fn alike(&self, probe: &Probe, scope: &Scope, tolerance: f32) -> usize {
        let (local, remote) = self.ask(probe, scope);
        assert_eq!(local.truncated, remote.truncated, "{probe:?}");
        assert_eq!(local.len(), remote.len(), "{probe:?}");
        let scored = |hits: &Hits| -> Vec<(ChunkId, f32)> {
            hits.chunks.iter().copied().zip(hits.scores.iter().copied()).collect()
        };
        let (local, remote) = (scored(&local), scored(&remote));
        for ((id, score), (_, other)) in local.iter().zip(&remote) {
            assert!((score - other).abs() <= tolerance * score.abs().max(0.01), "{probe:?}: {score} {other}");
            let found = remote.iter().find(|(other, _)| other == id);
            // At the limit, one of two nearly equal ones is cut off.
            let last = local.last().map_or(0.0, |(_, score)| *score);
            let cut = (score - last).abs() <= tolerance * score;
            let same = found.is_some_and(|(_, other)| (score - other).abs() <= tolerance * score.abs().max(0.01));
            assert!(same || cut, "{probe:?}: {id:?} {score}");
        }
        local.len()
    }
}

fn scopes() -> Vec<Scope> {
    let scope = |types: &[&str], folders: &[&str]| {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Scope { file_types: list(types), directories: list(folders) }
    };
    vec![
        Scope::default(),
        scope(&["rs"], &[]),
        scope(&["txt", "md"], &[]),
        scope(&[], &["src/text", "src/vector.rs", "src/vect"]),
        scope(&["rs"], &["src/pattern", "odd"]),
        scope(&["none"], &[]),
    ]
}

pub(super) fn pattern(
    pattern: &str,
    syntax: PatternSyntax,
    case_sensitive: bool,
    whole_word: bool,
    limit: u32,
) -> Probe {
    Probe::Pattern(PatternProbe { pattern: pattern.into(), syntax, case_sensitive, whole_word, limit })
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_find_the_same_lines_in_the_same_order() {
    for kind in KINDS {
        let both = Both::over(kind, documents()).await;
        let (literal, regex) = (PatternSyntax::Literal, PatternSyntax::Regex);
        let mut found = 0;
        for scope in scopes() {
            for (text, syntax) in [
                ("fn ", literal),
                ("Snapshot", literal),
                ("the", literal),
                ("ab", literal),
                ("é", literal),
                ("%", literal),
                ("100%_sure \\ it's", literal),
                ("before\0after", literal),
                ("\u{1} here", literal),
                ("post 300 k", literal),
                ("größe", literal),
                ("grüße aus łódź", literal),
                (";\n}", literal),
                (r"^use \w+::", regex),
                (r"fn (probe|prepare)\b", regex),
                (r"(?s)pub\(crate\).{1,40}Self \{\s+let", regex),
                (r"^$", regex),
                (r"\bK\b", regex),
                (r"[a-z]{3}_[a-z]+\(", regex),
                (r"x*", regex),
                (r"(alpha|beta|gamma|delta|trigram|catalogue)s?", regex),
            ] {
                for (case, word, limit) in [(false, false, 1000), (true, false, 7), (false, true, 1000)] {
                    found += both.same(&pattern(text, syntax, case, word, limit), &scope);
                }
            }
        }
        assert!(found > 1000, "{found}");
        let nul = both.ask(&pattern("second\0line", literal, true, false, 10), &Scope::default()).1;
        assert_eq!((nul.len(), &nul.lines[..]), (1, &[2][..]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn symbols_are_the_same() {
    for kind in KINDS {
        let both = Both::over(kind, documents()).await;
        let mut found = 0;
        for scope in scopes() {
            for name in ["probe", "Snapshot", "snap", "of", "FIELDS", "e", "_", "text_of", "nothing_like_it", "%"] {
                for mode in [SymbolMatch::Exact, SymbolMatch::Prefix, SymbolMatch::Substring] {
                    for (case_sensitive, limit) in [(false, 1000), (true, 1000), (false, 3)] {
                        let probe = SymbolProbe { name: name.into(), mode, case_sensitive, limit };
                        found += both.same(&Probe::Symbol(probe), &scope);
                    }
                }
            }
        }
        assert!(found > 200, "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_scored_alike() {
    for kind in KINDS {
        let both = Both::over(kind, documents()).await;
        let mut found = 0;
        for scope in scopes() {
            for (text, mode, fuzziness, prefix, fields) in [
                ("candidates verified by the regex engine", TermMatch::Any, 0, false, vec![]),
                ("the", TermMatch::Any, 0, false, vec![]),
                ("PatternReader text index", TermMatch::Any, 0, false, vec![]),
                ("lighthouse", TermMatch::Any, 0, false, vec![]),
                ("catalogue entry", TermMatch::All, 0, false, vec![]),
                ("PatternReader probe", TermMatch::All, 0, false, vec![]),
                ("catalouge", TermMatch::Any, 1, false, vec![]),
                ("hihglight ranges", TermMatch::All, 2, false, vec![]),
                ("embed", TermMatch::Any, 0, true, vec![]),
                ("snapshot", TermMatch::Any, 0, false, vec![(TextField::Path, 1.0)]),
                ("vector graph", TermMatch::Any, 0, false, vec![(TextField::Path, 2.0), (TextField::Symbol, 1.0)]),
                ("nothingofthekind", TermMatch::Any, 0, false, vec![]),
                ("--", TermMatch::Any, 0, false, vec![]),
            ] {
                for limit in [10, 1000] {
                    let (text, fields) = (text.to_owned(), fields.clone());
                    let probe = Probe::Text(TextProbe { text, mode, fuzziness, prefix, fields, limit });
                    // The local index keeps a field's length in one byte, with an error of up to an eighth.
                    found += both.alike(&probe, &scope, 0.12);
                }
            }
        }
        assert!(found > 300, "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn phrases_are_found_where_they_are() {
    for kind in KINDS {
        let both = Both::over(kind, documents()).await;
        for text in ["regex engine", "the regex engine verifies", "engine regex", "very deep place", "text index probe"]
        {
            let probe = TextProbe {
                text: text.into(),
                mode: TermMatch::Phrase,
                fuzziness: 0,
                prefix: false,
                fields: vec![],
                limit: 1000,
            };
            let (local, remote) = both.ask(&Probe::Text(probe), &Scope::default());
            let sorted = |mut hits: Hits| {
                hits.chunks.sort();
                hits.chunks
            };
            assert_eq!(sorted(local), sorted(remote), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_are_the_same() {
    for kind in KINDS {
        let both = Both::over(kind, documents()).await;
        for scope in scopes() {
            for (text, min_similarity) in
                [("where is text cut to chunks", None), ("nearest neighbours", Some(0.3)), ("", None)]
            {
                for limit in [5, 1000] {
                    let probe = Probe::Vector(VectorProbe { text: text.into(), min_similarity, limit });
                    both.same(&probe, &scope);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_chunks_and_embeddings_are_the_same() {
    for kind in KINDS {
        let both = Both::over(kind, documents()).await;
        block_in_place(|| {
            let mut ids = vec![ChunkId::new(99_999, 0)];
            for document in both.local.documents().unwrap() {
                let content = both.local.content(document.sequence).unwrap();
                assert_eq!(both.remote.content(document.sequence).unwrap(), content, "{}", document.path);
                ids.extend((0..document.chunks).map(|ordinal| ChunkId::new(document.sequence, ordinal as u16)));
            }
            ids.push(ids[1]);
            assert!(ids.len() > 100, "{}", ids.len());
            assert_eq!(both.remote.chunks(&ids).unwrap(), both.local.chunks(&ids).unwrap());
            assert_eq!(both.remote.embeddings(&ids).unwrap(), both.local.embeddings(&ids).unwrap());
            let by_path = |snapshot: &Snapshot| {
                let mut documents = snapshot.documents().unwrap();
                documents.sort_by(|left, right| left.path.cmp(&right.path));
                documents
            };
            assert_eq!(by_path(&both.remote), by_path(&both.local));
        });
        let (local, remote) = (both.local.stats(), both.remote.stats());
        assert_eq!((local.documents, local.chunks), (remote.documents, remote.chunks));
        assert_eq!((local.content_bytes, local.vectors), (remote.content_bytes, remote.vectors));
        assert_eq!((local.generation, local.dimension), (remote.generation, remote.dimension));
        assert!(remote.index_bytes > 0);
        assert_eq!(both.engine.generation(), remote.generation);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_vectors_are_found_by_the_graph() {
    let engine = open(&Postgres::shared(PostgresKind::Vector).database(), "one").await;
    let words = ["red", "green", "blue", "river", "engine", "cloud", "paper", "music", "stone", "bread", "winter"];
    let word = |number: usize| words[number % words.len()];
    let text =
        |number: usize| format!("{} {} {} number {number}\n", word(number), word(number / 11), word(number / 121));
    let count = super::write::GRAPH_FROM as usize + 500;
    block_in_place(|| {
        engine.begin_writing().unwrap();
        for page in (1..=count).collect::<Vec<_>>().chunks(1000) {
            let change = |number: &usize| {
                let folder = if number.is_multiple_of(50) { "rare" } else { "common" };
                engine.prepare(version(*number as u64, *number as u64, &format!("{folder}/{number}"), &text(*number)))
            };
            engine.apply(page.iter().map(change).collect()).unwrap();
        }
        engine.publish(true).unwrap();
        let deadline = Instant::now() + Duration::from_secs(600);
        let search = |number: usize, directories: &[&str], limit| {
            let probe = Probe::Vector(VectorProbe { text: text(number), min_similarity: None, limit });
            let directories = directories.iter().map(|folder| (*folder).to_owned()).collect();
            engine.probe(&probe, &Scope { directories, ..Scope::default() }, &deadline.into()).unwrap()
        };
        let mut first = 0;
        for number in (100..count).step_by(500) {
            let hits = search(number, &[], 50);
            assert_eq!(hits.len(), 50);
            first += usize::from(hits.chunks[..10].contains(&ChunkId::new(number as u64, 0)));
        }
        assert!(first >= 8, "{first}");
        // The graph looks on until enough are in the scope; where few are, all are compared.
        assert_eq!(search(77, &["common"], 1000).len(), 1000);
        assert_eq!(search(77, &["rare"], 1000).len(), count / 50);
    });
}
