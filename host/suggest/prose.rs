//! Words and short phrases of a text, one line after the other. Knows where a word ends and what is no prose; nothing
//! of counts.

use std::collections::HashSet;

use super::fold::fold_into;

/// Longer lines are data or minified code.
const LONGEST_LINE: usize = 2000;
/// Bytes of a word.
const WORDS: std::ops::RangeInclusive<usize> = 2..=64;
/// Longer words with this many digits are hashes and encoded data.
const LONGEST_WITH_DIGITS: usize = 16;
const MOST_DIGITS: usize = 4;
/// Words of a phrase.
const LONGEST_PHRASE: usize = 3;

/// What a text is made of, each with its fold.
pub(super) trait Sink {
    /// One word as it is written.
    fn word(&mut self, key: &str, shown: &str);

    /// Two or three words, folded, one space between them.
    fn phrase(&mut self, key: &str);
}

/// Reads a text. Phrases are words with one space between them, on lines that read like prose (all lines if the whole
/// text is `prose`), and neither begin nor end with a stop word. Stop words alone are no words.
pub(super) fn read(text: &str, prose: bool, stop_words: &HashSet<String>, sink: &mut impl Sink) {
    let mut reader = Reader { line: String::new(), words: Vec::new(), phrase: String::new() };
    for line in text.lines().filter(|line| line.len() <= LONGEST_LINE) {
        reader.read(line, prose || reads_like_prose(line), stop_words, sink);
    }
}

/// What one line is read into, used again for the next.
struct Reader {
    /// Folded words, one behind the other.
    line: String,
    words: Vec<Word>,
    phrase: String,
}

#[derive(Clone, Copy)]
struct Word {
    /// Within `Reader::line`.
    start: usize,
    end: usize,
    stop: bool,
    /// Only a space is between it and the word before.
    joined: bool,
}

impl Reader {
    fn read(&mut self, line: &str, prose: bool, stop_words: &HashSet<String>, sink: &mut impl Sink) {
        self.line.clear();
        self.words.clear();
        let mut last_end = None;
        for (at, shown) in words(line) {
            let joined = last_end.is_some_and(|end| line.get(end..at) == Some(" "));
            if !is_word(shown) {
                last_end = None;
                continue;
            }
            last_end = Some(at + shown.len());
            let start = self.line.len();
            fold_into(shown, &mut self.line);
            let key = self.line.get(start..).unwrap_or_default();
            let stop = stop_words.contains(key);
            if !stop {
                sink.word(key, shown);
            }
            self.words.push(Word { start, end: self.line.len(), stop, joined });
            if prose {
                self.phrases(sink);
            }
        }
    }

    /// Those that end with the last word.
    fn phrases(&mut self, sink: &mut impl Sink) {
        let Some(last) = self.words.last().filter(|word| !word.stop) else { return };
        let mut joined = last.joined;
        for back in 2..=LONGEST_PHRASE.min(self.words.len()) {
            if !joined {
                return;
            }
            let words = &self.words[self.words.len() - back..];
            if !words[0].stop {
                self.phrase.clear();
                for word in words {
                    if !self.phrase.is_empty() {
                        self.phrase.push(' ');
                    }
                    self.phrase.push_str(&self.line[word.start..word.end]);
                }
                sink.phrase(&self.phrase);
            }
            joined = words[0].joined;
        }
    }
}

/// Runs of letters, digits and underscores, with where they begin.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + line.get(rest..)?.find(is_part)?;
        let tail = line.get(start..)?;
        let length = tail.find(|letter| !is_part(letter)).unwrap_or(tail.len());
        rest = start + length;
        Some((start, &line[start..rest]))
    })
}

fn is_word(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let encoded = text.len() > LONGEST_WITH_DIGITS && digits >= MOST_DIGITS;
    WORDS.contains(&text.len()) && !encoded && text.chars().any(char::is_alphabetic)
}

/// A comment, or a line without the marks that code is made of.
fn reads_like_prose(line: &str) -> bool {
    const COMMENTS: [&str; 7] = ["//", "/*", "*", "#", "--", ";;", "\"\"\""];
    let line = line.trim_start();
    COMMENTS.iter().any(|mark| line.starts_with(mark))
        || !line.contains([';', '{', '}', '=', '<', '>', '$', '[', ']']) && !calls(line)
}

/// A parenthesis right behind a word.
fn calls(line: &str) -> bool {
    let bytes = line.as_bytes();
    bytes.windows(2).any(|pair| pair[1] == b'(' && (pair[0].is_ascii_alphanumeric() || pair[0] == b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Seen {
        words: Vec<String>,
        phrases: Vec<String>,
    }

    impl Sink for Seen {
        fn word(&mut self, key: &str, shown: &str) {
            self.words.push(if key == shown { key.to_owned() } else { format!("{key}={shown}") });
        }

        fn phrase(&mut self, key: &str) {
            self.phrases.push(key.to_owned());
        }
    }

    fn seen(text: &str, prose: bool) -> Seen {
        let stop_words = ["the", "of", "a", "is"].map(str::to_owned).into();
        let mut seen = Seen::default();
        read(text, prose, &stop_words, &mut seen);
        seen
    }

    #[test]
    fn phrases_do_not_begin_or_end_with_a_stop_word_or_cross_a_mark() {
        let seen = seen("The life time of Cache entries, of the cache\nkey is a hash", true);
        assert_eq!(seen.words, ["life", "time", "cache=Cache", "entries", "cache", "key", "hash"]);
        assert_eq!(seen.phrases, ["life time", "time of cache", "cache entries"]);
    }

    #[test]
    fn three_words_make_three_phrases() {
        assert_eq!(
            seen("read configuration file", true).phrases,
            ["read configuration", "configuration file", "read configuration file"]
        );
        assert_eq!(seen("read  configuration - file", true).phrases, [""; 0]);
    }

    #[test]
    fn code_gives_words_but_phrases_only_in_its_comments() {
        let code = "let mut total = sum(all parts);\n    // Adds all parts\n# shell comment\n";
        let seen = seen(code, false);
        assert_eq!(seen.phrases, ["adds all", "all parts", "adds all parts", "shell comment"]);
        assert!(seen.words.contains(&"mut".to_owned()));
    }

    #[test]
    fn numbers_and_hashes_are_no_words() {
        let seen = seen("x 42 utf8 3fa9c1d2e4b5a6978 größe_2 _ __", true);
        assert_eq!(seen.words, ["utf8", "größe_2"]);
        assert_eq!(seen.phrases, [""; 0]);
        // A line of data is not even looked at.
        assert_eq!(self::seen(&"word ".repeat(401), true).words, [""; 0]);
    }
}
