//! The line table of a document. A line ends with `\n`, which belongs to it; a last line without one is
//! a line too, and an empty document has one empty line.

pub(super) struct Lines {
    /// Where each line starts, and the length of the content as the last entry.
    starts: Vec<usize>,
}

impl Lines {
    pub(super) fn of(content: &str) -> Self {
        let mut starts = vec![0];
        starts.extend(content.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1));
        if starts.len() == 1 || starts.last() != Some(&content.len()) {
            starts.push(content.len());
        }
        Self { starts }
    }

    /// At least 1.
    pub(super) fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// Where line `line` (from 0) starts; the end of the content for `count()` and beyond.
    pub(super) fn start(&self, line: usize) -> usize {
        self.starts[line.min(self.starts.len() - 1)]
    }

    /// Bytes of the lines `first..end`.
    pub(super) fn bytes(&self, first: usize, end: usize) -> usize {
        self.start(end) - self.start(first)
    }

    /// The line `line` (from 0) with its line end.
    pub(super) fn text<'content>(&self, content: &'content str, line: usize) -> &'content str {
        &content[self.start(line)..self.start(line + 1)]
    }

    pub(super) fn is_blank(&self, content: &str, line: usize) -> bool {
        self.text(content, line).trim().is_empty()
    }
}
