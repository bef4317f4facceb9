//! Documents that come as a stream, one JSON object a line: cuts the stream at line ends with bounded memory. A line
//! that is too long is a failure of that line alone; what it holds is thrown away as it comes.

use std::mem::take;

/// One line without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// From 1, empty lines counted.
    pub number: u64,
    pub content: Result<Vec<u8>, TooLong>,
}

/// The line had more than the splitter's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("has more than {limit} bytes")]
pub struct TooLong {
    pub limit: usize,
}

/// Cuts chunks of bytes, however they come, into lines.
pub struct Splitter {
    limit: usize,
    /// Of the line that has not ended yet.
    held: Vec<u8>,
    is_too_long: bool,
    number: u64,
}

impl Splitter {
    /// `limit`: bytes of a line at most, its end not counted.
    pub fn new(limit: usize) -> Self {
        Self { limit, held: vec![], is_too_long: false, number: 0 }
    }

    /// The lines that end within this chunk; empty ones are left out.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<Line> {
        let mut lines = vec![];
        let mut rest = chunk;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.hold(&rest[..end]);
            lines.extend(self.end());
            rest = &rest[end + 1..];
        }
        self.hold(rest);
        lines
    }

    /// The last line, if the stream did not end with a line's end.
    pub fn finish(mut self) -> Option<Line> {
        self.end()
    }

    /// Bytes that wait for their line's end; never more than the limit.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    fn hold(&mut self, part: &[u8]) {
        if self.is_too_long || self.held.len() + part.len() > self.limit {
            self.is_too_long = true;
            self.held = vec![];
        } else {
            self.held.extend_from_slice(part);
        }
    }

    fn end(&mut self) -> Option<Line> {
        self.number += 1;
        let content = take(&mut self.held);
        let content = if take(&mut self.is_too_long) { Err(TooLong { limit: self.limit }) } else { Ok(content) };
        let is_empty = content.as_ref().is_ok_and(|content| content.trim_ascii().is_empty());
        (!is_empty).then_some(Line { number: self.number, content })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    /// The same, from the whole text at once.
    fn naive(text: &[u8], limit: usize) -> Vec<Line> {
        let lines = text.split(|byte| *byte == b'\n').zip(1_u64..);
        let kept = lines.filter(|(line, _)| line.len() > limit || !line.trim_ascii().is_empty());
        let content = |line: &[u8]| if line.len() > limit { Err(TooLong { limit }) } else { Ok(line.to_vec()) };
        kept.map(|(line, number)| Line { number, content: content(line) }).collect()
    }

    proptest! {
        #[test]
        fn wherever_the_chunks_end_the_lines_are_the_same(
            text in proptest::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(b'\n'), 1 => Just(b' ')], 0..200),
            sizes in proptest::collection::vec(1_usize..40, 1..20),
            limit in 1_usize..30,
        ) {
            let mut splitter = Splitter::new(limit);
            let (mut lines, mut rest, mut sizes) = (vec![], text.as_slice(), sizes.iter().cycle());
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                lines.extend(splitter.push(chunk));
                prop_assert!(splitter.held() <= limit);
                rest = after;
            }
            lines.extend(splitter.finish());
            prop_assert_eq!(lines, naive(&text, limit));
        }
    }

    #[test]
    fn a_line_without_end_takes_no_memory() {
        let mut splitter = Splitter::new(1000);
        for _ in 0..10_000 {
            assert_eq!(splitter.push(&[b'x'; 600]), []);
            assert!(splitter.held() <= 1000 && splitter.held.capacity() <= 4096);
        }
        let lines = splitter.push(b"x\n{}\n");
        assert_eq!(lines[0], Line { number: 1, content: Err(TooLong { limit: 1000 }) });
        assert_eq!(lines[1], Line { number: 2, content: Ok(b"{}".to_vec()) });
    }
}
