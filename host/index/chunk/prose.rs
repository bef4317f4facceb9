//! Cuts prose at headings and paragraphs, and any other text at blank lines.

use super::lines::Lines;
use super::pack::{Kind, Segment};

/// Cuts `content` into paragraphs and sections; the title is the first heading of a marked-up text.
pub(super) fn segments(language: Option<&str>, content: &str, lines: &Lines) -> (Option<String>, Vec<Segment>) {
    let headings = match language {
        Some("markdown") => markdown_headings(content, lines),
        Some("restructuredtext") => underlined_headings(content, lines),
        _ => Vec::new(),
    };
    let title = headings.first().map(|heading| heading.text.clone()).filter(|text| !text.is_empty());
    let mut segments = Vec::new();
    let mut headings = headings.iter().map(|heading| heading.line).peekable();
    let mut first = 0;
    let mut kind = Kind::Loose;
    for line in 1..lines.count() {
        let heading = headings.next_if(|heading| *heading <= line).is_some_and(|heading| heading == line);
        let paragraph = lines.is_blank(content, line - 1) && !lines.is_blank(content, line);
        if heading || paragraph {
            segments.push(Segment { first, end: line, kind, ..Segment::default() });
            first = line;
            kind = if heading { Kind::Section } else { Kind::Loose };
        }
    }
    segments.push(Segment { first, end: lines.count(), kind, ..Segment::default() });
    (title, segments)
}

struct Heading {
    /// From 0.
    line: usize,
    text: String,
}

/// `# …` to `###### …` outside fenced code, and lines underlined with `===` or `---`.
fn markdown_headings(content: &str, lines: &Lines) -> Vec<Heading> {
    let mut headings = Vec::new();
    let mut fence: Option<char> = None;
    for line in 0..lines.count() {
        let text = lines.text(content, line).trim();
        let mark = text.chars().next().filter(|mark| matches!(mark, '`' | '~'));
        if let Some(mark) = mark.filter(|mark| text.chars().take_while(|other| other == mark).count() >= 3) {
            match fence {
                None => fence = Some(mark),
                Some(open) if open == mark => fence = None,
                Some(_) => {}
            }
            continue;
        }
        if fence.is_some() {
            continue;
        }
        let hashes = text.bytes().take_while(|byte| *byte == b'#').count();
        if (1..=6).contains(&hashes) && text[hashes..].starts_with([' ', '\t']) {
            headings.push(Heading { line, text: text[hashes..].trim().trim_end_matches('#').trim_end().to_owned() });
        } else if line > 0 && is_rule(text, &['=', '-'], 3) {
            push_underlined(&mut headings, content, lines, line);
        }
    }
    headings
}

/// A title line with a rule of punctuation below that is at least as long.
fn underlined_headings(content: &str, lines: &Lines) -> Vec<Heading> {
    let mut headings = Vec::new();
    for line in 1..lines.count() {
        let above = lines.text(content, line - 1).trim_end().chars().count();
        let rule = lines.text(content, line).trim_end();
        if above > 0 && is_rule(rule, &['=', '-', '~', '^', '"', '#', '*', '+'], above.max(2)) {
            push_underlined(&mut headings, content, lines, line);
        }
    }
    headings
}

fn push_underlined(headings: &mut Vec<Heading>, content: &str, lines: &Lines, rule: usize) {
    let text = lines.text(content, rule - 1).trim();
    let alone = rule < 2
        || lines.is_blank(content, rule - 2)
        || is_rule(lines.text(content, rule - 2).trim(), &['=', '-', '#', '*'], 3);
    if alone && text.chars().any(char::is_alphanumeric) && headings.last().is_none_or(|last| last.line < rule - 1) {
        headings.push(Heading { line: rule - 1, text: text.to_owned() });
    }
}

fn is_rule(text: &str, marks: &[char], least: usize) -> bool {
    let Some(mark) = text.chars().next().filter(|mark| marks.contains(mark)) else { return false };
    text.chars().all(|other| other == mark) && text.chars().count() >= least
}
