//! Merges segments that are too small to be a hit of their own and splits those that are too big.

use super::Symbol;
use super::lines::Lines;
use crate::query::ChunkId;

/// Neighbours are merged up to this size.
const MERGE_LINES: usize = 40;
const MERGE_BYTES: usize = 1500;
/// A definition up to this size is not worth a chunk of its own.
const SMALL_LINES: usize = 5;
const SMALL_BYTES: usize = 300;
/// What exceeds this is split at line borders.
const SPLIT_LINES: usize = 120;
const SPLIT_BYTES: usize = 6 * 1024;
/// Names beyond these add nothing to a chunk.
const MAX_SYMBOLS: usize = 256;

/// What decides whether a segment goes together with its neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text without a border of its own: a paragraph, code between definitions.
    #[default]
    Loose,
    Definition,
    /// Starts with a heading.
    Section,
}

/// A run of lines `first..end` (from 0) on its way to be a chunk.
#[derive(Clone, Debug, Default)]
pub(super) struct Segment {
    pub(super) first: usize,
    pub(super) end: usize,
    pub(super) parents: Vec<String>,
    pub(super) symbols: Vec<Symbol>,
    pub(super) kind: Kind,
}

impl Segment {
    /// Too big to stay in one piece.
    pub(super) fn is_oversize(first: usize, end: usize, lines: &Lines) -> bool {
        end - first > SPLIT_LINES || lines.bytes(first, end) > SPLIT_BYTES
    }

    /// Big enough to be cut at what it contains.
    pub(super) fn is_big(first: usize, end: usize, lines: &Lines) -> bool {
        end - first > MERGE_LINES || lines.bytes(first, end) > MERGE_BYTES
    }

    fn is_small(&self, lines: &Lines) -> bool {
        self.end - self.first <= SMALL_LINES && lines.bytes(self.first, self.end) <= SMALL_BYTES
    }
}

/// Makes chunks' worth of segments out of segments that tile the document in order.
pub(super) fn pack(segments: Vec<Segment>, content: &str, lines: &Lines) -> Vec<Segment> {
    let merged = merge(segments, content, lines);
    let mut packed = Vec::with_capacity(merged.len());
    for segment in merged {
        split(segment, content, lines, &mut packed);
    }
    for segment in &mut packed {
        segment.symbols.truncate(MAX_SYMBOLS);
    }
    bound(packed)
}

fn merge(segments: Vec<Segment>, content: &str, lines: &Lines) -> Vec<Segment> {
    let mut merged: Vec<Segment> = Vec::with_capacity(segments.len());
    for mut segment in segments {
        if let Some(last) = merged.last_mut() {
            // Blank lines end a chunk rather than begin one.
            let text = (segment.first..segment.end).find(|line| !lines.is_blank(content, *line));
            segment.first = text.unwrap_or(segment.end);
            last.end = segment.first;
            if segment.first == segment.end {
                last.symbols.extend(segment.symbols);
                continue;
            }
        }
        match merged.last_mut() {
            Some(last) if belongs(last, &segment, content, lines) => {
                last.end = segment.end;
                last.symbols.extend(segment.symbols);
                last.parents.truncate(common(&last.parents, &segment.parents));
                if last.kind == Kind::Loose {
                    last.kind = segment.kind;
                }
            }
            _ => merged.push(segment),
        }
    }
    merged
}

fn belongs(last: &Segment, next: &Segment, content: &str, lines: &Lines) -> bool {
    let last_is_blank = || (last.first..last.end).all(|line| lines.is_blank(content, line));
    if Segment::is_big(last.first, next.end, lines) {
        return last_is_blank();
    }
    let fits = match next.kind {
        Kind::Section => last.is_small(lines),
        Kind::Loose if last.kind != Kind::Definition => true,
        Kind::Loose | Kind::Definition => last.is_small(lines) || next.is_small(lines),
    };
    (fits && last.parents == next.parents) || last_is_blank()
}

fn common(left: &[String], right: &[String]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

/// Splits at line borders, after a blank line where there is one in the last third of a piece.
fn split(segment: Segment, content: &str, lines: &Lines, packed: &mut Vec<Segment>) {
    let mut rest = segment;
    while Segment::is_oversize(rest.first, rest.end, lines) {
        let mut end = rest.first + 1;
        while end < rest.end && !Segment::is_oversize(rest.first, end + 1, lines) {
            end += 1;
        }
        if end >= rest.end {
            break;
        }
        let third = rest.first + (end - rest.first) * 2 / 3;
        let blank = (third..end).rev().find(|line| lines.is_blank(content, *line));
        let end = blank.map_or(end, |line| line + 1).max(rest.first + 1);
        let symbols = std::mem::take(&mut rest.symbols);
        let (here, later) = symbols.into_iter().partition(|symbol| (symbol.line as usize) <= end);
        packed.push(Segment { end, symbols: here, ..rest.clone() });
        rest = Segment { first: end, symbols: later, ..rest };
    }
    packed.push(rest);
}

/// A document has at most `ChunkId::MAX_PER_DOCUMENT` chunks: beyond it neighbours are merged evenly.
fn bound(segments: Vec<Segment>) -> Vec<Segment> {
    if segments.len() <= ChunkId::MAX_PER_DOCUMENT {
        return segments;
    }
    let group = segments.len().div_ceil(ChunkId::MAX_PER_DOCUMENT);
    segments
        .chunks(group)
        .filter_map(|group| {
            let (first, last) = (group.first()?, group.last()?);
            Some(Segment { end: last.end, ..first.clone() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_at_most_as_many_chunks_as_an_ordinal_counts() {
        let segments = (0..70_000).map(|line| Segment { first: line, end: line + 1, ..Segment::default() }).collect();
        let bounded = bound(segments);
        assert_eq!(bounded.len(), 35_000);
        assert!(bounded.windows(2).all(|pair| pair[0].end == pair[1].first));
        assert_eq!(bounded.last().map(|segment| segment.end), Some(70_000));
    }
}
