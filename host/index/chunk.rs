//! Cuts a document into chunks: code at its definitions, prose at headings and paragraphs. The chunks
//! tile the document: every line, and so every byte, belongs to exactly one. Knows nothing of indexes.
//!
//! The sizes are judgement, not measurement: a screenful is what a reader wants to see of a hit.

mod code;
mod grammar;
mod lines;
mod pack;
mod prose;

use std::panic::{AssertUnwindSafe, catch_unwind};

use lines::Lines;
use pack::Segment;

/// A name that a chunk defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Symbol {
    pub(crate) name: String,
    /// The line of its definition, from 1.
    pub(crate) line: u32,
}

/// A run of whole lines of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// From 1, inclusive.
    pub(crate) first_line: u32,
    /// From 1, inclusive.
    pub(crate) last_line: u32,
    /// Byte range within the content, line ends included.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Names that enclose it, the outermost first.
    pub(crate) parents: Vec<String>,
    /// Names that it defines itself.
    pub(crate) symbols: Vec<Symbol>,
}

impl Chunk {
    /// Enclosing and own names, the outermost first, without repetition.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = self.parents.clone();
        for symbol in &self.symbols {
            if !names.contains(&symbol.name) {
                names.push(symbol.name.clone());
            }
        }
        names
    }
}

/// A document cut to chunks; at least one, in order.
pub(crate) struct Cut {
    /// The first heading of a prose document.
    pub(crate) title: Option<String>,
    pub(crate) chunks: Vec<Chunk>,
}

/// Cuts `content`. A language that cannot be parsed, or a parser that fails or takes too long, gives
/// paragraphs. Never fails.
pub(crate) fn cut(language: Option<&str>, content: &str) -> Cut {
    let lines = Lines::of(content);
    let code = language.and_then(grammar::of).and_then(|grammar| {
        // A grammar's scanner is foreign code: what it trips over is cut as prose, like any unknown text.
        catch_unwind(AssertUnwindSafe(|| code::segments(grammar, content, &lines))).ok().flatten()
    });
    let (title, segments) = match code {
        Some(segments) => (None, segments),
        None => prose::segments(language, content, &lines),
    };
    let segments = pack::pack(segments, content, &lines);
    Cut { title, chunks: segments.into_iter().map(|segment| finish(segment, &lines)).collect() }
}

fn finish(segment: Segment, lines: &Lines) -> Chunk {
    Chunk {
        first_line: segment.first as u32 + 1,
        last_line: segment.end as u32,
        start: lines.start(segment.first) as u32,
        end: lines.start(segment.end) as u32,
        parents: segment.parents,
        symbols: segment.symbols,
    }
}

#[cfg(test)]
mod tests;
