//! From bytes that come in pieces to the data of their lines: server-sent events and one JSON value a line. Pieces
//! end anywhere, also within a character. Knows framing; not what is framed.

/// A line that is longer is no line of these protocols.
const LONGEST_LINE: usize = 1 << 20;

/// The lines of a stream; bytes of an unfinished one wait here.
#[derive(Debug, Default)]
pub(super) struct Lines {
    waiting: Vec<u8>,
    /// Of `waiting`, what has no line break for sure.
    looked: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Lines {
    /// The lines that this piece ends, without their breaks (`\n` or `\r\n`).
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<String>, TooLong> {
        self.waiting.extend_from_slice(piece);
        let mut lines = Vec::new();
        let mut start = 0;
        let mut from = self.looked;
        while let Some(at) = self.waiting[from..].iter().position(|byte| *byte == b'\n') {
            let line = &self.waiting[start..from + at];
            lines.push(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned());
            start = from + at + 1;
            from = start;
        }
        self.waiting.drain(..start);
        self.looked = self.waiting.len();
        if self.waiting.len() > LONGEST_LINE { Err(TooLong) } else { Ok(lines) }
    }

    /// What is left at the end of the stream, if it is anything.
    pub fn rest(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.waiting);
        self.looked = 0;
        (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).trim_end_matches('\r').to_owned())
    }
}

/// The data of one server-sent event after the other, from lines (the `data` fields of the WHATWG's format).
#[derive(Debug, Default)]
pub(super) struct Events {
    data: Option<String>,
}

impl Events {
    /// The event that this line ends.
    pub fn line(&mut self, line: &str) -> Option<String> {
        if line.is_empty() {
            return self.data.take();
        }
        let value = line.strip_prefix("data").and_then(|rest| rest.strip_prefix(':').or(rest.is_empty().then_some("")));
        if let Some(value) = value {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn lines_are_the_same_wherever_the_pieces_end() {
        let text = "data: gr\u{fc}\u{df}e \u{1f98a}\r\n\r\n: note\ndata: 2\n\nrest".as_bytes();
        let whole = ["data: gr\u{fc}\u{df}e \u{1f98a}", "", ": note", "data: 2", ""];
        for size in 1..=text.len() {
            let mut lines = Lines::default();
            let found: Vec<String> = text.chunks(size).flat_map(|piece| lines.push(piece).unwrap()).collect();
            assert_eq!(found, whole, "in pieces of {size}");
            assert_eq!((lines.rest().as_deref(), lines.rest()), (Some("rest"), None));
        }
    }

    #[test]
    fn events_are_their_data_lines() {
        let mut events = Events::default();
        let lines = ["event: x", "data: one", "data:two", "id: 3", "", ": keep-alive", "", "database: no", "data", ""];
        let found: Vec<String> = lines.iter().filter_map(|line| events.line(line)).collect();
        assert_eq!(found, ["one\ntwo", ""]);
    }

    #[test]
    fn a_line_without_end_is_not_kept_for_ever() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(&vec![b'x'; LONGEST_LINE]), Ok(vec![]));
        assert_eq!(lines.push(b"x"), Err(TooLong));
    }
}
