//! What is shown of a text: the part around its first mark when it is long, and its best few lines. Files with lines of
//! half a megabyte (data, minified code) are in every tree, and nobody reads such a line.

use std::ops::Range;

use super::answer::Highlight;

/// Bytes of a result's content; chunks are smaller, unless they are such lines.
pub(super) const MOST_CONTENT: usize = 8 << 10;
/// Lines of a snippet.
const SNIPPET_LINES: usize = 5;
/// Bytes of each of them.
const MOST_LINE: usize = 512;

/// At most `most` bytes: all of the text, or those from shortly before `mark` on.
pub(super) fn part(text: &str, mark: Option<usize>, most: usize) -> Range<usize> {
    if text.len() <= most {
        return 0..text.len();
    }
    let latest = text.len() - most;
    let start = text.ceil_char_boundary(mark.unwrap_or(0).saturating_sub(most / 4).min(latest));
    start..text.floor_char_boundary(start + most)
}

/// The marks that lie within a part, as ranges of it.
pub(super) fn within(marks: Vec<Highlight>, part: &Range<usize>) -> Vec<Highlight> {
    let (start, end) = (part.start as u32, part.end as u32);
    let inside = marks.into_iter().filter(|mark| mark.start >= start && mark.end <= end);
    inside.map(|mark| Highlight { start: mark.start - start, end: mark.end - start }).collect()
}

/// The lines with the most marks in them, or the lines from the hit on. `marks` are those of the whole text; without
/// them, `hit_at` may say where in the hit's line its first one is.
pub(super) fn snippet(text: &str, marks: &[Highlight], hit_line: usize, hit_at: Option<usize>) -> String {
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        lines.push(Line { start, text: line.trim_end_matches(['\n', '\r']), marks: 0, first: None });
        start += line.len();
    }
    for mark in marks {
        let at = lines.partition_point(|line| line.start <= mark.start as usize);
        if let Some(line) = at.checked_sub(1).and_then(|at| lines.get_mut(at)) {
            line.marks += 1;
            line.first.get_or_insert(mark.start as usize - line.start);
        }
    }
    if let Some(line) = lines.get_mut(hit_line) {
        line.first = line.first.or(hit_at);
    }
    let weight = |start: usize| lines.iter().skip(start).take(SNIPPET_LINES).map(|line| line.marks).sum::<usize>();
    let best = (0..=lines.len().saturating_sub(SNIPPET_LINES)).rev().max_by_key(|start| weight(*start)).unwrap_or(0);
    let start = if weight(best) > 0 { best } else { hit_line };
    let shown = lines.iter().skip(start).take(SNIPPET_LINES);
    shown.map(|line| &line.text[part(line.text, line.first, MOST_LINE)]).collect::<Vec<_>>().join("\n")
}

struct Line<'text> {
    /// In the text.
    start: usize,
    text: &'text str,
    marks: usize,
    /// Of the first mark, in the line.
    first: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(start: u32, end: u32) -> Highlight {
        Highlight { start, end }
    }

    #[test]
    fn a_long_text_is_cut_around_its_first_mark_and_between_letters() {
        assert_eq!(part("short", Some(3), 5), 0..5);
        let text = "x".repeat(1000);
        assert_eq!(part(&text, None, 100), 0..100);
        assert_eq!(part(&text, Some(500), 100), 475..575);
        assert_eq!(part(&text, Some(990), 100), 900..1000);
        // Letters of two bytes each; every odd place is within one.
        let text = "ä".repeat(500);
        for mark in 0..1000 {
            let part = part(&text, Some(mark), 101);
            assert!(part.len() <= 101 && text.get(part.clone()).is_some(), "{mark}: {part:?}");
        }
    }

    #[test]
    fn marks_move_with_the_part_and_those_outside_of_it_go() {
        let marks = vec![mark(2, 5), mark(10, 12), mark(18, 20), mark(19, 22)];
        assert_eq!(within(marks, &(10..20)), [mark(0, 2), mark(8, 10)]);
    }

    #[test]
    fn a_snippet_has_the_lines_with_most_marks_and_no_endless_one() {
        let text = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";
        assert_eq!(snippet(text, &[], 2, None), "three\nfour\nfive\nsix\nseven");
        // "six" and "seven"; the first window that has both.
        assert_eq!(snippet(text, &[mark(24, 27), mark(28, 33)], 0, None), "three\nfour\nfive\nsix\nseven");
        assert_eq!(snippet("a\r\nb\r\n", &[], 0, None), "a\nb");
        assert_eq!(snippet("", &[], 0, None), "");
        let long = format!("first\n{}needle{}\nlast\n", "x".repeat(9000), "y".repeat(9000));
        let lines: Vec<usize> = snippet(&long, &[], 1, Some(9000)).lines().map(str::len).collect();
        assert_eq!(lines, [512, 4]);
        assert!(snippet(&long, &[], 1, Some(9000)).contains("xneedley"));
        assert!(snippet(&long, &[mark(9006, 9012)], 0, None).contains("xneedley"));
    }
}
