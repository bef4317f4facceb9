//! Suggestions over a million terms: how long the dictionary takes to build and what memory, and the latency of answers
//! that are not cached, past HTTP and over it.
//!
//! ```text
//! cargo bench --bench suggest -- [--tree FOLDER] [--terms 1000000] [--count 20000]
//! ```
//!
//! The terms are made of the words of this server's own sources, or of another tree: names of two to four parts, in the
//! styles in which people write them, each at least twice and some far more often. They are written into text files,
//! which the server then indexes as it would any others. What is typed are beginnings of these names of every length,
//! the same with one letter wrong, missing, too much or swapped, and the last words of longer queries.

mod common;

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use common::client;
use common::figures::{Sample, head, row, short};
use common::machine;
use common::server::Server;
use corsac::http::Backend;
use corsac::suggest::{SuggestRequest, Suggester};

const CLIENTS: [usize; 2] = [1, 8];
/// Lines of a file, and names of a line.
const LINES: usize = 1000;
const NAMES: usize = 10;

/// Measures suggestions.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: common::Options,
    /// Terms of the dictionary.
    #[arg(long)]
    terms: Option<usize>,
    /// Questions a row.
    #[arg(long)]
    count: Option<usize>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    common::runtime()?.block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    machine::print_facts("suggest");
    let mut options = arguments.options.clone();
    options.data = None;
    let terms = arguments.terms.unwrap_or(options.size(1_000_000, 2000));
    let count = arguments.count.unwrap_or(options.size(20_000, 20));
    let mut chance = Chance(2026);
    let words = words_of(&options.small_tree())?;
    // A few too many, because files and single words are terms too and the rarest give way.
    let names = names_of(&words, terms + terms / 10, &mut chance);
    let corpus = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    write(corpus.path(), &names, &mut chance)?;
    let server = Server::start(corpus.path(), &options, |settings| {
        settings.cache.bytes = 0;
        settings.suggest.max_terms = terms as u32;
        settings.suggest.refresh_seconds = 0;
        settings.ecs.enabled = false;
    })
    .await?;
    let app: &dyn Backend = &*server.app;
    let suggester = app.suggester().context("suggestions are off")?;
    let (began, generation) = (Instant::now(), server.app.index.snapshot().generation());
    while suggester.figures().generation < generation {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let waited = began.elapsed();
    machine::quiet().await;
    let figures = suggester.figures();
    head("Dictionary", &["terms", "memory, MB", "bytes a term", "built after the index was ready, s"]);
    let bytes = figures.bytes as f64;
    row(&[&figures.terms, &short(bytes / 1e6), &short(bytes / figures.terms as f64), &short(waited.as_secs_f64())]);

    let columns = ["typed", "questions", "p50, ms", "p99", "worst", "suggestions, mean"];
    head("Past HTTP, not cached, one after the other", &columns);
    for kind in Typed::ALL {
        let questions = kind.questions(&names, count, &mut chance);
        let (took, found) = ask(&suggester, &questions).await?;
        show(&[&kind.label(), &questions.len()], took, found);
    }
    for clients in CLIENTS {
        head(&format!("Over HTTP, not cached, {clients} clients"), &columns);
        for kind in Typed::ALL {
            let questions = kind.questions(&names, count, &mut chance);
            let requests = questions.iter().map(|question| client::get(&path(question))).collect();
            let note = |connection: &client::Connection, took| Ok((took, suggestions(connection.body())?));
            let noted = client::each(vec![server.address], requests, clients, note).await?;
            let (took, found): (Vec<Duration>, Vec<usize>) = noted.into_iter().unzip();
            show(&[&kind.label(), &questions.len()], took, found);
        }
    }
    server.stop().await
}

fn show(first: &[&dyn std::fmt::Display; 2], took: Vec<Duration>, found: Vec<usize>) {
    let mean = found.iter().sum::<usize>() as f64 / found.len().max(1) as f64;
    let sample = Sample::milliseconds(took);
    let [median, high, worst] = [0.5, 0.99, 1.0].map(|share| short(sample.quantile(share)));
    row(&[first[0], first[1], &median, &high, &worst, &short(mean)]);
}

async fn ask(suggester: &Arc<dyn Suggester>, questions: &[String]) -> anyhow::Result<(Vec<Duration>, Vec<usize>)> {
    let (mut took, mut found) = (Vec::new(), Vec::new());
    for question in questions {
        let request = SuggestRequest { query: question.clone(), max_suggestions: 10, intelligent: false };
        let began = Instant::now();
        let answer = suggester.suggest(request).await?;
        took.push(began.elapsed());
        found.push(suggestions(&answer.body)?);
    }
    Ok((took, found))
}

fn suggestions(body: &[u8]) -> anyhow::Result<usize> {
    let body: serde_json::Value = serde_json::from_slice(body)?;
    Ok(body["suggestions"].as_array().context("no suggestions in the answer")?.len())
}

fn path(question: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    format!("/api/search/suggestions?query={}", question.bytes().map(encode).collect::<String>())
}

/// What a row types.
#[derive(Clone, Copy)]
enum Typed {
    OneLetter,
    Beginning,
    InnerWord,
    Typo,
    LastWord,
}

impl Typed {
    const ALL: [Self; 5] = [Self::OneLetter, Self::Beginning, Self::InnerWord, Self::Typo, Self::LastWord];

    fn label(self) -> &'static str {
        match self {
            Self::OneLetter => "one or two letters",
            Self::Beginning => "a beginning of three letters and more",
            Self::InnerWord => "a later word's beginning",
            Self::Typo => "a beginning with one error",
            Self::LastWord => "a longer query",
        }
    }

    fn questions(self, names: &[String], count: usize, chance: &mut Chance) -> Vec<String> {
        (0..count).map(|_| self.question(chance.of(names), chance)).collect()
    }

    fn question(self, name: &str, chance: &mut Chance) -> String {
        let length = 3 + chance.below(name.len().saturating_sub(2).max(1));
        let beginning: String = name.chars().take(length).collect();
        match self {
            Self::OneLetter => name.chars().take(1 + chance.below(2)).collect(),
            Self::Beginning => beginning,
            Self::InnerWord => {
                let inner = name.split('_').next_back().unwrap_or(name);
                inner.chars().take(3 + chance.below(inner.len())).collect()
            }
            Self::Typo => with_error(&beginning, chance),
            Self::LastWord => format!("where do we {beginning}"),
        }
    }
}

/// One error behind the first letter.
fn with_error(text: &str, chance: &mut Chance) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let at = 1 + chance.below(letters.len() - 1);
    match chance.below(4) {
        0 => letters[at] = 'q',
        1 => drop(letters.remove(at)),
        2 => letters.insert(at, 'q'),
        _ => {
            let next = (at + 1).min(letters.len() - 1);
            letters.swap(at, next);
        }
    }
    letters.into_iter().collect()
}

/// A linear congruential generator (Knuth's MMIX), so that every run types the same.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit.max(1)
    }

    fn of<'a>(&mut self, names: &'a [String]) -> &'a str {
        &names[self.below(names.len())]
    }
}

/// Parts of the names in the files of a tree, in order.
fn words_of(tree: &Path) -> anyhow::Result<Vec<String>> {
    let mut words = HashSet::new();
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let parts = text.split(|letter: char| !letter.is_ascii_alphabetic());
                words.extend(parts.filter(|part| (3..=10).contains(&part.len())).map(str::to_ascii_lowercase));
            }
        }
    }
    let mut words: Vec<String> = words.into_iter().collect();
    words.sort_unstable();
    ensure!(words.len() >= 100, "{} has hardly any words", tree.display());
    Ok(words)
}

fn names_of(words: &[String], count: usize, chance: &mut Chance) -> Vec<String> {
    let mut seen = HashSet::with_capacity(count);
    let mut names = Vec::with_capacity(count);
    while names.len() < count {
        let parts: Vec<&str> = (0..2 + chance.below(3)).map(|_| chance.of(words)).collect();
        let name = match chance.below(2) {
            0 => parts.join("_"),
            _ => camel(&parts),
        };
        if name.len() <= 60 && seen.insert(name.to_ascii_lowercase()) {
            names.push(name);
        }
    }
    names
}

fn camel(parts: &[&str]) -> String {
    let capital = |part: &str| part[..1].to_ascii_uppercase() + &part[1..];
    parts[0].to_owned() + &parts[1..].iter().map(|part| capital(part)).collect::<String>()
}

/// Every name twice, and as many again of which the first ones are far the most frequent.
fn write(folder: &Path, names: &[String], chance: &mut Chance) -> anyhow::Result<()> {
    let frequent = |chance: &mut Chance| {
        let bound = 1 + chance.below(names.len());
        names[chance.below(bound)].as_str()
    };
    let mut all: Vec<&str> = names.iter().chain(names).map(String::as_str).collect();
    all.extend((0..names.len()).map(|_| frequent(chance)));
    for (number, file) in all.chunks(LINES * NAMES).enumerate() {
        let lines: Vec<String> = file.chunks(NAMES).map(|line| line.join(", ")).collect();
        fs::write(folder.join(format!("names{number}.txt")), lines.join("\n"))?;
    }
    Ok(())
}
