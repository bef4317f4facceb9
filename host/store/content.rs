//! How a document's text lies in the database: one format byte, then the text, compressed when that
//! makes it smaller. The digest of the text tells damage from text.

use thiserror::Error;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

/// zstd's own default: twice the speed of 6 for a few percent more bytes on source text.
const LEVEL: i32 = 3;

#[derive(Debug, Error, PartialEq)]
pub(super) enum ContentError {
    #[error("its format byte is unknown ({0})")]
    Format(u8),
    #[error("it is empty")]
    Missing,
    #[error("it cannot be decompressed")]
    Compression,
    #[error("its digest is not that of the text that was stored")]
    Digest,
}

pub(super) fn encode(text: &str) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len() + 1);
    plain.push(PLAIN);
    plain.extend_from_slice(text.as_bytes());
    match zstd::bulk::compress(text.as_bytes(), LEVEL) {
        Ok(compressed) if compressed.len() < text.len() => {
            let mut body = Vec::with_capacity(compressed.len() + 1);
            body.push(ZSTD);
            body.extend_from_slice(&compressed);
            body
        }
        _ => plain,
    }
}

/// `size` is the text's length as the row says it, so a damaged body cannot ask for more memory.
pub(super) fn decode(body: &[u8], size: u64, digest: &[u8]) -> Result<String, ContentError> {
    let (format, rest) = body.split_first().ok_or(ContentError::Missing)?;
    let bytes = match *format {
        PLAIN => rest.to_vec(),
        ZSTD => {
            let capacity = usize::try_from(size).map_err(|_| ContentError::Compression)?;
            zstd::bulk::decompress(rest, capacity).map_err(|_| ContentError::Compression)?
        }
        other => return Err(ContentError::Format(other)),
    };
    if blake3::hash(&bytes).as_bytes() != digest {
        return Err(ContentError::Digest);
    }
    String::from_utf8(bytes).map_err(|_| ContentError::Digest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn digest(text: &str) -> [u8; 32] {
        *blake3::hash(text.as_bytes()).as_bytes()
    }

    #[test]
    fn text_survives_and_is_compressed_only_when_smaller() {
        for (text, format) in [("".to_owned(), PLAIN), ("short".to_owned(), PLAIN), ("fn main() {}\n".repeat(99), ZSTD)]
        {
            let body = encode(&text);
            assert_eq!(body[0], format);
            assert!(body.len() <= text.len() + 1);
            assert_eq!(decode(&body, text.len() as u64, &digest(&text)).unwrap(), text);
        }
    }

    #[test]
    fn damage_is_told_from_text() {
        let text = "fn main() {}\n".repeat(99);
        let size = text.len() as u64;
        let body = encode(&text);
        assert_eq!(decode(&[], size, &digest(&text)), Err(ContentError::Missing));
        assert_eq!(decode(&[7, 1, 2], size, &digest(&text)), Err(ContentError::Format(7)));
        assert_eq!(decode(&body[..body.len() - 4], size, &digest(&text)), Err(ContentError::Compression));
        assert_eq!(decode(&body, size / 2, &digest(&text)), Err(ContentError::Compression));
        assert_eq!(decode(&encode("other"), 5, &digest(&text)), Err(ContentError::Digest));
    }
}
