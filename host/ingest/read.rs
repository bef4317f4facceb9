//! From a file to its text, or to the reason why it has none.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::store::SkipReason;

/// Where a NUL byte gives a binary file away; what git and ripgrep look at.
const SNIFFED_BYTES: usize = 8 << 10;

/// One broken character in so many is still text: a Latin-1 name in a comment, not a picture.
const CHARACTERS_PER_BROKEN: usize = 10;

/// Reads a file as text. Bytes that are not UTF-8 become U+FFFD as long as they are few; a byte order
/// mark is dropped.
pub(super) fn read_text(file: &Path, limit: u64) -> Result<String, SkipReason> {
    let bytes = read_bytes(file, limit).map_err(|_| SkipReason::Unreadable)?;
    if bytes.iter().take(SNIFFED_BYTES).any(|byte| *byte == 0) {
        return Err(SkipReason::Binary);
    }
    if bytes.len() as u64 > limit {
        return Err(SkipReason::TooLarge);
    }
    let mut text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let broken = text.chars().filter(|character| *character == char::REPLACEMENT_CHARACTER).count();
            if broken * CHARACTERS_PER_BROKEN > text.chars().count() {
                return Err(SkipReason::Binary);
            }
            text
        }
    };
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    // Each broken byte became three.
    if text.len() as u64 > limit {
        return Err(SkipReason::TooLarge);
    }
    if text.is_empty() { Err(SkipReason::Empty) } else { Ok(text) }
}

/// One byte more than the limit at most: the file may have grown since it was measured.
fn read_bytes(file: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(limit + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_is_told_from_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let late_nul = [b"a".repeat(SNIFFED_BYTES), vec![0]].concat();
        for (bytes, expected) in [
            (b"plain\n".to_vec(), Ok("plain\n".to_owned())),
            (b"".to_vec(), Err(SkipReason::Empty)),
            (b"\xef\xbb\xbfbom".to_vec(), Ok("bom".to_owned())),
            (b"\x7fELF\0\0".to_vec(), Err(SkipReason::Binary)),
            (b"a\0".to_vec(), Err(SkipReason::Binary)),
            (late_nul.clone(), Ok(String::from_utf8(late_nul).unwrap())),
            // "Käse ist gut" in Latin-1: 1 broken character of 12.
            (b"K\xe4se ist gut".to_vec(), Ok("K\u{fffd}se ist gut".to_owned())),
            (b"\xff\xfe\xfd\xfc abc".to_vec(), Err(SkipReason::Binary)),
            (b"x".repeat(10_000), Ok("x".repeat(10_000))),
            (b"x".repeat(10_001), Err(SkipReason::TooLarge)),
        ] {
            std::fs::write(&file, &bytes).unwrap();
            assert_eq!(read_text(&file, 10_000), expected, "{:?}", &bytes[..bytes.len().min(20)]);
        }
        assert_eq!(read_text(&folder.path().join("missing"), 10), Err(SkipReason::Unreadable));
        assert_eq!(read_text(folder.path(), 10), Err(SkipReason::Unreadable));
    }
}
