//! A probe's pattern, compiled: what it demands of a document, and the lines of a text that it matches.

use regex_automata::Input;
use regex_automata::meta::{self, Regex};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, Look};

use super::plan::Plan;
use crate::index::Deadline;
use crate::query::{PatternProbe, PatternSyntax, RetrievalError};

/// Bytes that a compiled pattern may take: far above what people write, far below what hurts.
const SIZE_LIMIT: usize = 4 << 20;
const NEST_LIMIT: u32 = 128;

pub(crate) struct Expression {
    regex: Regex,
    hir: Hir,
}

impl Expression {
    /// Compiles a probe's pattern, `^` and `$` at lines, `\r\n` and `\n` both as line ends.
    pub(crate) fn compile(probe: &PatternProbe) -> Result<Self, RetrievalError> {
        if probe.pattern.is_empty() {
            return Err(RetrievalError::BadProbe("the pattern is empty; give at least one character".to_owned()));
        }
        let pattern = match probe.syntax {
            PatternSyntax::Regex => probe.pattern.clone(),
            PatternSyntax::Literal => regex_syntax::escape(&probe.pattern),
        };
        let parsed = ParserBuilder::new()
            .multi_line(true)
            .crlf(true)
            .case_insensitive(!probe.case_sensitive)
            .nest_limit(NEST_LIMIT)
            .build()
            .parse(&pattern);
        let mut hir = parsed.map_err(|error| refused(&error))?;
        if probe.whole_word {
            // Half boundaries: a pattern that begins or ends with punctuation can be a whole word too.
            let (start, end) = (Hir::look(Look::WordStartHalfUnicode), Hir::look(Look::WordEndHalfUnicode));
            hir = Hir::concat(vec![start, hir, end]);
        }
        let config = meta::Config::new()
            .nfa_size_limit(Some(SIZE_LIMIT))
            .onepass_size_limit(Some(SIZE_LIMIT / 4))
            .hybrid_cache_capacity(SIZE_LIMIT);
        let built = meta::Builder::new().configure(config).build_from_hir(&hir);
        let regex = built.map_err(|error| match error.size_limit() {
            Some(_) => RetrievalError::BadProbe(format!(
                "the pattern compiles to more than {SIZE_LIMIT} bytes; make its repetitions or classes smaller"
            )),
            None => RetrievalError::BadProbe(format!("the pattern does not compile: {error}")),
        })?;
        Ok(Self { regex, hir })
    }

    /// Matches that are not empty, in order, at most `limit`.
    pub(crate) fn ranges(&self, text: &str, limit: usize) -> Vec<std::ops::Range<usize>> {
        self.regex.find_iter(text).map(|found| found.range()).filter(|range| !range.is_empty()).take(limit).collect()
    }

    pub(crate) fn plan(&self) -> Plan {
        Plan::of(&self.hir)
    }

    /// The first `wanted` lines (from 1) on which a match starts, each once.
    pub(crate) fn lines(&self, content: &str, wanted: usize, deadline: &Deadline) -> Result<Vec<u32>, RetrievalError> {
        let mut lines = Vec::new();
        // `line` is the number of the line that starts at `line_start`.
        let (mut line, mut line_start, mut from) = (1_u32, 0, 0);
        while lines.len() < wanted && from <= content.len() {
            let Some(found) = self.regex.find(Input::new(content).span(from..content.len())) else { break };
            let after_last_line = found.start() == content.len() && (content.is_empty() || content.ends_with('\n'));
            if after_last_line {
                break;
            }
            let between = &content.as_bytes()[line_start..found.start()];
            line += between.iter().filter(|byte| **byte == b'\n').count() as u32;
            lines.push(line);
            let Some(length) = content[found.start()..].find('\n') else { break };
            line_start = found.start() + length + 1;
            line += 1;
            // A match that goes on over line ends is one hit, on its first line.
            from = line_start.max(found.end());
            if lines.len() % 256 == 0 && deadline.is_over() {
                return Err(RetrievalError::TimedOut);
            }
        }
        Ok(lines)
    }
}

/// The parser's reason and place, without the copy of the pattern that its own message holds.
fn refused(error: &regex_syntax::Error) -> RetrievalError {
    let (reason, at) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span().start.offset),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span().start.offset),
        other => (other.to_string(), 0),
    };
    RetrievalError::BadProbe(format!("the pattern does not compile: {reason} (at byte {at})"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn probe(pattern: &str) -> PatternProbe {
        PatternProbe {
            pattern: pattern.to_owned(),
            syntax: PatternSyntax::Regex,
            case_sensitive: true,
            whole_word: false,
            limit: 10,
        }
    }

    fn lines(probe: &PatternProbe, content: &str) -> Vec<u32> {
        let deadline = (std::time::Instant::now() + std::time::Duration::from_secs(3600)).into();
        Expression::compile(probe).unwrap().lines(content, 100, &deadline).unwrap()
    }

    #[test]
    fn each_matching_line_is_found_once() {
        let check = |pattern: &str, content: &str, expect: &[u32]| {
            assert_eq!(lines(&probe(pattern), content), expect, "{pattern:?} in {content:?}");
        };
        check("a", "a a\nb\na", &[1, 3]);
        check("^b$", "a\nb\nbb\n", &[2]);
        check("^b$", "a\r\nb\r\nbb\r\n", &[2]);
        check("b.", "b\r\nbc\r\n", &[2]);
        check(r"a\nb", "a\nb\na\nb\n", &[1, 3]);
        check("^$", "a\n\nb\n", &[2]);
        check("x*", "a\nb\n", &[1, 2]);
        check("x*", "", &[]);
        check("é|漢", "e\né\n漢字\n", &[2, 3]);
        check("(?s)a.*c", "a\nb\nc\na\n", &[1]);
    }

    #[test]
    fn a_text_of_many_lines_is_left_when_nobody_waits() {
        let (deadline, text) =
            (Deadline::from(std::time::Instant::now() + std::time::Duration::from_secs(3600)), "a\n".repeat(300));
        let expression = Expression::compile(&probe("a")).unwrap();
        assert_eq!(expression.lines(&text, 1000, &deadline).map(|lines| lines.len()), Ok(300));
        deadline.abandon();
        assert_eq!(expression.lines(&text, 1000, &deadline), Err(RetrievalError::TimedOut));
    }

    #[test]
    fn flags_apply() {
        let insensitive = PatternProbe { case_sensitive: false, ..probe("HÉLLO") };
        assert_eq!(lines(&insensitive, "hello\nhéllo\n"), [2]);
        let word = PatternProbe { whole_word: true, ..probe("foo|foobar") };
        assert_eq!(lines(&word, "food\nfoo\nfoobar\nx_foo\nfoo-bar\n"), [2, 3, 5]);
        // As `rg -w -- '-2'`: punctuation at the border of the match is no word.
        let punctuation = PatternProbe { whole_word: true, ..probe("-2") };
        assert_eq!(lines(&punctuation, "x -2\nx-2\n-22\n"), [1]);
        let literal = PatternProbe { syntax: PatternSyntax::Literal, ..probe("a.b(") };
        assert_eq!(lines(&literal, "axb(\na.b(c)\n"), [2]);
        let commented = PatternProbe { whole_word: true, ..probe("(?x) foo # a comment") };
        assert_eq!(lines(&commented, "foo\nfoods\n"), [1]);
    }

    #[test]
    fn hopeless_patterns_are_refused_with_the_reason() {
        let check = |pattern: &str, expect: &str| {
            let error = Expression::compile(&probe(pattern)).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(expect), "{pattern:?}: {error}");
        };
        check("(", "unclosed group");
        check("", "empty");
        check(r"(a)\1", "backreferences are not supported");
        check("(?=a)", "look-around");
        check(r"(\w{200}){200}", "make its repetitions");
        check(&format!("{}{}", "(".repeat(1000), ")".repeat(1000)), "nest");
    }
}
