//! Queries out of the corpus itself, the same for the same tree: names that it defines, words that follow
//! each other in its comments, pieces of its lines, and regular expressions made of its names. No text is
//! drawn twice for one strategy, so no answer can come from the cache unless it is asked again on purpose.

use std::collections::HashSet;

use corsac::index::Snapshot;
use corsac::service::SearchRequest;
use regex::Regex;

use super::{client, plugins};

/// One search.
#[derive(Clone, Debug)]
pub struct Question {
    /// As in the path of the HTTP request.
    pub strategy: &'static str,
    pub text: String,
    /// `literal` or `regex`, for the syntax strategy.
    pub pattern_type: Option<&'static str>,
}

impl Question {
    /// As it goes over the wire, with the default of 20 results.
    pub fn http(&self) -> Vec<u8> {
        let mut body = serde_json::json!({ "query": self.text });
        if let Some(pattern_type) = self.pattern_type {
            body["pattern_type"] = pattern_type.into();
        }
        client::post(&format!("/api/search/{}", self.strategy), &body.to_string())
    }

    /// The same past HTTP.
    pub fn request(&self) -> SearchRequest {
        let mut query = plugins::query(&self.text);
        query.parameters.extend(self.pattern_type.map(|kind| ("pattern_type".to_owned(), kind.to_owned())));
        let strategy = if self.strategy == "search" { "smart" } else { self.strategy };
        SearchRequest {
            strategy: strategy.into(),
            ranker: None,
            query,
            offset: 0,
            max_results: 20,
            context_lines: 0,
            explain: false,
            facets: vec![],
            persona: None,
            understand: None,
        }
    }
}

/// Distinct texts of each kind, in an order that has nothing to do with that of the files.
#[derive(Clone, Debug, Default)]
pub struct Workload {
    names: Vec<String>,
    words: Vec<String>,
    fragments: Vec<String>,
    patterns: Vec<String>,
}

impl Workload {
    /// About `count` texts of each kind, fewer if the corpus has no more.
    pub fn draw(snapshot: &Snapshot, count: usize) -> anyhow::Result<Self> {
        let definition =
            Regex::new(r"\b(?:fn|struct|enum|trait|class|def|func|type|const) +([A-Za-z_][A-Za-z0-9_]{3,30})\b")?;
        let comment = Regex::new(r"(?m)^\s*(?://[/!]?|#|\*)\s+([A-Za-z][a-z]+(?: [a-z]{2,}){2,})")?;
        let mut documents = snapshot.documents()?;
        documents.sort_by(|one, other| (&one.path, one.root).cmp(&(&other.path, other.root)));
        let mut random = Random(0x5eed);
        random.shuffle(&mut documents);

        let (mut drawn, mut seen) = (Self::default(), HashSet::new());
        for document in documents {
            if [&drawn.names, &drawn.words, &drawn.fragments].iter().all(|texts| texts.len() >= count) {
                break;
            }
            let Some(content) = snapshot.content(document.sequence)? else { continue };
            let names: Vec<&str> =
                definition.captures_iter(&content).filter_map(|found| Some(found.get(1)?.as_str())).collect();
            for _ in 0..PER_FILE.min(names.len()) {
                let name = names[random.below(names.len())];
                if seen.insert(name.to_owned()) {
                    drawn.names.push(name.to_owned());
                    let pattern = random.pattern(name);
                    drawn.patterns.extend(seen.insert(pattern.clone()).then_some(pattern));
                }
            }
            let comments: Vec<&str> =
                comment.captures_iter(&content).filter_map(|found| Some(found.get(1)?.as_str())).collect();
            for _ in 0..PER_FILE.min(comments.len()) {
                let words: Vec<&str> = comments[random.below(comments.len())].split(' ').collect();
                let number = 2 + random.below(words.len().min(5) - 1);
                let text = words[random.below(words.len() - number + 1)..][..number].join(" ");
                if seen.insert(text.clone()) {
                    drawn.words.push(text);
                }
            }
            let lines: Vec<&str> = content.lines().map(str::trim).filter(|line| line.len() >= 16).collect();
            for _ in 0..PER_FILE.min(lines.len()) {
                let text: String = lines[random.below(lines.len())].chars().take(8 + random.below(24)).collect();
                let text = text.trim().to_owned();
                if seen.insert(text.clone()) {
                    drawn.fragments.push(text);
                }
            }
        }
        Ok(drawn)
    }

    /// The next `count` questions for a strategy, taken out: what it is asked for takes turns.
    pub fn take(&mut self, strategy: &'static str, count: usize) -> Vec<Question> {
        let literal = (strategy == "syntax").then_some("literal");
        let regex = (strategy == "syntax").then_some("regex");
        let mut kinds = match strategy {
            "syntax" => vec![(&mut self.names, literal), (&mut self.fragments, literal), (&mut self.patterns, regex)],
            "semantic" => vec![(&mut self.words, None)],
            "hybrid" => vec![(&mut self.words, None), (&mut self.names, None)],
            _ => vec![
                (&mut self.words, None),
                (&mut self.names, None),
                (&mut self.fragments, None),
                (&mut self.patterns, None),
            ],
        };
        let mut questions = Vec::with_capacity(count);
        while questions.len() < count {
            let before = questions.len();
            for (texts, pattern_type) in &mut kinds {
                let pattern_type = *pattern_type;
                questions.extend(texts.pop().map(|text| Question { strategy, text, pattern_type }));
            }
            if questions.len() == before {
                break;
            }
        }
        questions.truncate(count);
        questions
    }

    /// The next `count` questions for each of three strategies, in turn, as they go over the wire.
    pub fn mixed(&mut self, count: usize) -> Vec<Vec<u8>> {
        let of_each = ["syntax", "hybrid", "semantic"].map(|strategy| self.take(strategy, count));
        let longest = of_each.iter().map(Vec::len).max().unwrap_or(0);
        let questions = (0..longest).flat_map(|at| of_each.iter().filter_map(move |questions| questions.get(at)));
        questions.map(Question::http).collect()
    }
}

/// Texts of each kind out of one file at most, so that large files do not make the workload.
const PER_FILE: usize = 3;

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 when `limit` is 0; the bias of the remainder does not matter here.
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for place in (1..items.len()).rev() {
            items.swap(place, self.below(place + 1));
        }
    }

    /// A regular expression that matches at least the name that it was made of.
    fn pattern(&mut self, name: &str) -> String {
        let half = name.len() / 2;
        match self.below(4) {
            0 => format!(r"{}\w+", &name[..half.max(3)]),
            1 => format!(r"\b{name}\s*\("),
            2 => format!(r"(?:fn|struct|def)\s+\w*{}", &name[half..]),
            _ => format!(r"{}\w*{}", &name[..half], &name[name.len() - 1..]),
        }
    }
}
