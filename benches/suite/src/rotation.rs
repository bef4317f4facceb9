//! Texts to ask for, out of the tree that is searched: names that it defines, words out of its comments. None is handed
//! out twice in a run, whatever it is used for, so no cache can have its answer.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::ensure;
use regex::Regex;

/// Texts out of one file at most, so that large files do not make the workload.
const PER_FILE: usize = 12;
/// Texts of each kind; more are made of pairs.
const ENOUGH: usize = 20_000;
/// Larger files are skipped.
const LARGEST: u64 = 1 << 20;

/// Hands out texts: first those of the pool, then pairs of them.
#[derive(Debug)]
pub struct Rotation {
    pool: Vec<String>,
    /// Between the two of a pair.
    between: &'static str,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: usize,
    /// What was handed out, as a server may see it: lower case, single spaces.
    given: HashSet<String>,
}

impl Rotation {
    pub fn new(pool: Vec<String>, between: &'static str) -> Self {
        Self { pool, between, state: Mutex::default() }
    }

    /// None when all are used up.
    pub fn next(&self) -> Option<String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let text = self.text(state.next)?;
            state.next += 1;
            let seen = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
            if !seen.is_empty() && state.given.insert(seen) {
                return Some(text);
            }
        }
    }

    /// The pool, then each of it with the one after it, then each with the next but one, and so on.
    fn text(&self, number: usize) -> Option<String> {
        let size = self.pool.len();
        if number < size {
            return self.pool.get(number).cloned();
        }
        let (place, distance) = (number.checked_rem(size)?, number / size);
        (distance < size)
            .then(|| format!("{}{}{}", self.pool[place], self.between, self.pool[(place + distance) % size]))
    }
}

/// What a tree has to ask for.
#[derive(Debug)]
pub struct Texts {
    /// Two to six words out of comments.
    pub words: Rotation,
    /// Names that are defined; pairs are regular expressions of either.
    pub names: Rotation,
    /// Beginnings of names, as somebody types them.
    pub prefixes: Rotation,
    /// Folders directly below the tree, and what its files end with.
    pub directories: Vec<String>,
    pub file_types: Vec<String>,
}

impl Texts {
    pub fn of(tree: &Path) -> anyhow::Result<Self> {
        let definition =
            Regex::new(r"\b(?:fn|struct|enum|trait|class|def|func|type|const) +([A-Za-z_][A-Za-z0-9_]{3,40})\b")?;
        let sentence = Regex::new(r"(?m)^\s*(?://[/!]?|#|\*)\s+((?:[A-Za-z]+[ ,]+){2,}[a-z]+)")?;
        let mut files: Vec<_> = ignore::WalkBuilder::new(tree)
            .build()
            .filter_map(Result::ok)
            .filter(|entry| entry.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LARGEST))
            .map(ignore::DirEntry::into_path)
            .collect();
        files.sort();
        // An order that has nothing to do with that of names: every 101st file, and so on.
        let mut order: Vec<usize> = (0..files.len()).collect();
        order.sort_by_key(|place| (place * 7919) % 101);

        let (mut words, mut names) = (Vec::new(), Vec::new());
        let (mut directories, mut file_types) = (HashSet::new(), HashSet::new());
        for file in order.into_iter().map(|place| &files[place]) {
            let Ok(content) = std::fs::read_to_string(file) else { continue };
            let Ok(relative) = file.strip_prefix(tree) else { continue };
            if let (Some(first), true) = (relative.iter().next(), relative.components().count() > 1) {
                directories.insert(first.to_string_lossy().into_owned());
            }
            let defined =
                definition.captures_iter(&content).filter_map(|found| Some(found.get(1)?.as_str().to_owned()));
            let before = names.len();
            names.extend(defined.take(PER_FILE));
            if names.len() > before {
                file_types.extend(file.extension().map(|end| end.to_string_lossy().into_owned()));
            }
            for found in sentence.captures_iter(&content).take(PER_FILE) {
                let said: Vec<&str> = found.get(1).map_or("", |found| found.as_str()).split([' ', ',']).collect();
                let said: Vec<&str> = said.into_iter().filter(|word| !word.is_empty()).collect();
                words.push(said[..said.len().min(2 + words.len() % 5)].join(" "));
            }
            if names.len().min(words.len()) >= ENOUGH {
                break;
            }
        }
        ensure!(
            names.len() >= 50 && words.len() >= 50,
            "{} has too few definitions ({}) and comments ({}) to ask for: --tree another folder of sources",
            tree.display(),
            names.len(),
            words.len()
        );
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let prefixes = names.iter().map(|name| name.chars().take(3 + name.len() / 3).collect()).collect();
        let sorted = |set: HashSet<String>| {
            let mut list: Vec<String> = set.into_iter().collect();
            list.sort();
            list
        };
        Ok(Self {
            words: Rotation::new(words, " "),
            names: Rotation::new(names, "|"),
            prefixes: Rotation::new(prefixes, " "),
            directories: sorted(directories),
            file_types: sorted(file_types),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pool: &[&str]) -> Vec<String> {
        let rotation = Rotation::new(pool.iter().map(ToString::to_string).collect(), " ");
        std::iter::from_fn(|| rotation.next()).collect()
    }

    #[test]
    fn all_pairs_follow_on_the_pool() {
        assert_eq!(all(&["a", "b", "c"]), ["a", "b", "c", "a b", "b c", "c a", "a c", "b a", "c b"]);
        assert!(all(&[]).is_empty());
    }

    #[test]
    fn nothing_comes_twice_also_where_pairs_read_like_what_there_was() {
        // "a" + "b c" and "a b" + "c" are one text, "A" and "a" are one to a server that folds case.
        let texts = all(&["a", "b c", "a b", "c", "A", "a  b"]);
        let folded: HashSet<String> =
            texts.iter().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()).collect();
        assert_eq!(folded.len(), texts.len());
        assert_eq!(texts.iter().filter(|text| *text == "a b c").count(), 1);
        assert!(!texts.contains(&"A".to_owned()));
    }

    #[test]
    fn a_rotation_that_is_shared_gives_each_text_to_one() {
        let rotation = Rotation::new((0..300).map(|number| format!("t{number}")).collect(), " ");
        let mut texts: Vec<String> = std::thread::scope(|scope| {
            let takers: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..500).filter_map(|_| rotation.next()).collect::<Vec<_>>())).collect();
            takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect()
        });
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 2000);
    }

    #[test]
    fn this_tree_has_enough() {
        let texts = Texts::of(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(texts.directories.contains(&"src".to_owned()) && texts.file_types.contains(&"rs".to_owned()));
        let word = texts.words.next().unwrap();
        assert!(word.split(' ').count() >= 2, "{word}");
    }
}
