//! From found chunks to passages: neighbours of one document are merged, the best come first, and what exceeds the
//! budget is cut. Every passage is a source with a number, by which an answer cites it.

use super::tokens;

/// Below this many tokens what is left of a passage tells nothing.
const LEAST_USEFUL: usize = 16;
/// In the context, the end of a passage's last line and the blank line before the next one.
const BREAKS: usize = 2;

/// A chunk that was found; the place in a list of them is its rank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Tells documents apart.
    pub document: u64,
    /// Its place among the document's chunks, from 0.
    pub ordinal: u16,
    /// How many chunks the document has.
    pub chunks: u32,
}

/// Neighbouring chunks of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub document: u64,
    /// First and last chunk.
    pub first: u16,
    pub last: u16,
    /// Places of the chunks in the list of those that were found, the best first; never empty.
    pub found: Vec<usize>,
}

/// Each found chunk with `around` neighbours on either side; what overlaps or touches within a document is one span.
/// In the order of the best chunk of each.
pub fn spans(found: &[Found], around: u16) -> Vec<Span> {
    let mut places: Vec<usize> = (0..found.len()).collect();
    places.sort_by_key(|place| (found[*place].document, found[*place].ordinal));
    let mut spans: Vec<Span> = vec![];
    for place in places {
        let Found { document, ordinal, chunks } = found[place];
        let end = u16::try_from(chunks.saturating_sub(1)).unwrap_or(u16::MAX).max(ordinal);
        let (first, last) = (ordinal.saturating_sub(around), ordinal.saturating_add(around).min(end));
        match spans.last_mut() {
            Some(span) if span.document == document && u32::from(first) <= u32::from(span.last) + 1 => {
                span.last = span.last.max(last);
                span.found.push(place);
            }
            _ => spans.push(Span { document, first, last, found: vec![place] }),
        }
    }
    spans.iter_mut().for_each(|span| span.found.sort());
    spans.sort_by(|left, right| left.found.cmp(&right.found));
    spans
}

/// A span with its text, before the budget is known to suffice.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub path: String,
    /// Of `text`, from 1.
    pub start_line: u32,
    pub text: String,
    /// Where the best chunk begins in `text`, at a line's beginning; what is cut begins there.
    pub best: usize,
    pub score: f32,
    /// As in `Span`.
    pub found: Vec<usize>,
}

/// A passage that an answer can cite.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// From 1.
    pub number: u32,
    pub path: String,
    /// From 1, inclusive.
    pub start_line: u32,
    /// From 1, inclusive.
    pub end_line: u32,
    pub text: String,
    /// With its heading and the line breaks below it.
    pub tokens: usize,
    pub score: f32,
    /// The budget ended within it.
    pub truncated: bool,
    pub found: Vec<usize>,
}

impl Source {
    /// What stands above its text in the context.
    pub fn heading(&self) -> String {
        heading_of(self.number, &self.path, self.start_line, self.end_line)
    }
}

fn heading_of(number: u32, path: &str, start: u32, end: u32) -> String {
    // A path is data like the text: it must not be able to begin a line of its own.
    let path = path.replace(char::is_control, " ");
    format!("[{number}] {path}:{start}-{end}\n")
}

/// As many drafts as the budget of tokens has room for, in their order; headings count. The first that does not fit
/// is cut to the lines from its best chunk on, and is the last.
pub fn within(drafts: Vec<Draft>, budget: usize) -> Vec<Source> {
    let (mut sources, mut left) = (Vec::<Source>::new(), budget);
    for (draft, number) in drafts.into_iter().zip(1..) {
        let Draft { path, start_line, text, best, score, found } = draft;
        let text = text.trim_end();
        let end_line = start_line + lines(text);
        let heading = tokens::count(&heading_of(number, &path, start_line, end_line));
        let whole = heading + tokens::count_with_breaks(text, BREAKS);
        if whole <= left {
            left -= whole;
            let (text, truncated) = (text.to_owned(), false);
            sources.push(Source { number, path, start_line, end_line, text, tokens: whole, score, truncated, found });
            continue;
        }
        // The cut one begins at a later line, whose number may be longer.
        let heading = tokens::count(&heading_of(number, &path, end_line, end_line));
        let room = left.saturating_sub(heading);
        if room >= LEAST_USEFUL || sources.is_empty() {
            let start_line = start_line + text.get(..best).unwrap_or_default().matches('\n').count() as u32;
            let rest = text.get(best..).unwrap_or(text);
            // It is the last, so that no blank line follows.
            let cost = |cut: &str| tokens::count_with_breaks(cut, 1);
            let mut cut = tokens::prefix(rest, room).trim_end();
            if cost(cut) > room {
                cut = tokens::prefix(rest, room.saturating_sub(1)).trim_end();
            }
            if !cut.is_empty() {
                let (end_line, tokens) = (start_line + lines(cut), heading + cost(cut));
                let (truncated, text) = (cut.len() < text.len(), cut.to_owned());
                sources.push(Source { number, path, start_line, end_line, text, tokens, score, truncated, found });
            }
        }
        break;
    }
    sources
}

/// Lines of a text after its first one.
fn lines(text: &str) -> u32 {
    text.matches('\n').count() as u32
}

/// The sources one after the other, each under its number.
pub fn context(sources: &[Source]) -> String {
    sources.iter().map(|source| format!("{}{}\n", source.heading(), source.text)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
