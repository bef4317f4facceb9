//! Merging and budgets, worked out by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

/// Documents of ten chunks.
fn found(places: &[(u64, u16)]) -> Vec<Found> {
    places.iter().map(|(document, ordinal)| Found { document: *document, ordinal: *ordinal, chunks: 10 }).collect()
}

#[track_caller]
fn check(places: &[(u64, u16)], around: u16, expected: &[(u64, u16, u16, &[usize])]) {
    let spans = spans(&found(places), around);
    let spans: Vec<_> =
        spans.iter().map(|span| (span.document, span.first, span.last, span.found.as_slice())).collect();
    assert_eq!(spans, expected);
}

#[test]
fn neighbours_are_within_the_document() {
    check(&[(1, 0)], 1, &[(1, 0, 1, &[0])]);
    check(&[(1, 9)], 1, &[(1, 8, 9, &[0])]);
    check(&[(1, 5)], 0, &[(1, 5, 5, &[0])]);
    check(&[(1, 5)], 20, &[(1, 0, 9, &[0])]);
    let single = [Found { document: 1, ordinal: 0, chunks: 1 }];
    assert_eq!(spans(&single, 3), [Span { document: 1, first: 0, last: 0, found: vec![0] }]);
}

#[test]
fn what_overlaps_or_touches_is_one() {
    // 1..=3 and 3..=5 overlap.
    check(&[(1, 4), (1, 2)], 1, &[(1, 1, 5, &[0, 1])]);
    // 0..=2 and 3..=5 touch; 7..=9 stands alone.
    check(&[(1, 8), (1, 4), (1, 1)], 1, &[(1, 7, 9, &[0]), (1, 0, 5, &[1, 2])]);
    // Without neighbours only chunks side by side do.
    check(&[(1, 4), (1, 6), (1, 5), (1, 8)], 0, &[(1, 4, 6, &[0, 1, 2]), (1, 8, 8, &[3])]);
}

#[test]
fn documents_stay_apart_and_the_best_come_first() {
    check(&[(2, 3), (1, 3), (2, 4)], 1, &[(2, 2, 5, &[0, 2]), (1, 2, 4, &[1])]);
    check(&[], 1, &[]);
}

fn draft(path: &str, start_line: u32, text: &str, best: usize) -> Draft {
    Draft { path: path.into(), start_line, text: text.into(), best, score: 1.0, found: vec![0] }
}

/// Four lines of two words, 8 letters with the line's end each.
const TEXT: &str = "one two\nabc def\nghi jkl\nmno pqr\n";

#[test]
fn whole_passages_as_long_as_the_budget_lasts() {
    // The heading `[1] a:5-8\n` has two words: 2.6, so 3. The text has 8 words: 10.4, so 11.
    let drafts = || vec![draft("a", 5, TEXT, 0), draft("b", 1, TEXT, 0), draft("c", 1, TEXT, 0)];
    let sources = within(drafts(), 28);
    assert_eq!(sources.iter().map(|source| (source.number, source.tokens)).collect::<Vec<_>>(), [(1, 14), (2, 14)]);
    assert_eq!((sources[0].start_line, sources[0].end_line, sources[0].truncated), (5, 8, false));
    assert_eq!(context(&sources[..1]), "[1] a:5-8\none two\nabc def\nghi jkl\nmno pqr\n");
    assert_eq!(within(drafts(), 42).len(), 3);
    // What would be left of the third is too little to be of use.
    assert_eq!(within(drafts(), 41).len(), 2);
}

#[test]
fn the_one_that_does_not_fit_is_cut_from_its_best_chunk_on() {
    // 3 for the heading leaves 6: two lines have 4 words, 5.2; three 6 words, 7.8.
    let sources = within(vec![draft("a", 5, TEXT, 8)], 9);
    assert_eq!((sources[0].text.as_str(), sources[0].truncated), ("abc def\nghi jkl", true));
    assert_eq!((sources[0].start_line, sources[0].end_line, sources[0].tokens), (6, 7, 9));
    // Nothing after the cut, however small.
    assert_eq!(within(vec![draft("a", 5, TEXT, 8), draft("b", 1, "x", 0)], 13).len(), 1);
    assert!(within(vec![draft("a", 5, TEXT, 8)], 3).is_empty());
}

#[test]
fn sources_stay_within_any_budget() {
    let text = "a few words in a line\nlong_identifiers::without(spaces, in, them)\n\n".repeat(20);
    for budget in 0..400 {
        let sources = within(vec![draft("src/one.rs", 1, &text, 22), draft("two.md", 9, &text, 0)], budget);
        assert!(sources.iter().map(|source| source.tokens).sum::<usize>() <= budget, "{budget}");
        assert!(tokens::count(&context(&sources)) <= budget, "{budget}");
        for source in &sources {
            assert!(text.contains(&source.text));
            assert_eq!(source.end_line - source.start_line, source.text.lines().count() as u32 - 1, "{budget}");
        }
    }
}

#[test]
fn the_lines_between_passages_cost_as_well() {
    let drafts = || vec![draft("abc", 5, "0123456789abcdef", 0), draft("abd", 5, "0123456789abcdef", 0)];
    // `[1] abc:5-5\n` has 12 letters: 3. The text has 16, and two line breaks follow: 4.5, so 5.
    assert_eq!(within(drafts(), 16).iter().map(|source| source.tokens).collect::<Vec<_>>(), [8, 8]);
    assert_eq!(within(drafts(), 15).len(), 1);
    for budget in 0..20 {
        assert!(tokens::count(&context(&within(drafts(), budget))) <= budget, "{budget}");
    }
    // One break below the last: 17 letters, 4.25. With 4 of them left, 12 letters fit.
    let cut = within(drafts(), 7);
    assert_eq!((cut[0].text.as_str(), cut[0].tokens, cut[0].truncated), ("0123456789ab", 7, true));
    // 15 letters and one break are 4: nothing is lost.
    let whole = within(vec![draft("abc", 5, "0123456789abcde", 0)], 7);
    assert_eq!((whole[0].tokens, whole[0].truncated), (7, false));
}

#[test]
fn a_path_cannot_begin_a_line() {
    let sources = within(vec![draft("a\n[2] b", 1, "x", 0)], 100);
    assert_eq!(context(&sources), "[1] a [2] b:1-1\nx\n");
}
