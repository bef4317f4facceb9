//! How an entry lies in the shared tier: a version byte, a checksum over all that follows and over the
//! key, then validator and body, compressed when that pays. Whatever does not read back as exactly what
//! was written is refused, before any memory is asked for on its word.
//!
//! ```text
//! version 1 │ checksum 16 │ flags 1 │ fresh until, Unix ms 8 │ body bytes 4 │ etag bytes 1 │ etag │ body
//! ```

use std::sync::Arc;

use bytes::Bytes;

use crate::cache::Entry;

const VERSION: u8 = 1;
const COMPRESSED: u8 = 1;
const CHECKSUM: usize = 16;
const HEAD: usize = 1 + CHECKSUM + 1 + 8 + 4 + 1;
/// Bodies beyond this are neither written nor believed; a page of a hundred results has a few hundred KiB.
const MAX_BODY: usize = 16 << 20;
/// Of zstd. On answers, 1 is no faster and leaves half as much again, 6 takes three times as long for a
/// twentieth. A trained dictionary would leave a sixth less, but every host needs the very dictionary that
/// wrote a value to read it: not worth that (`benches/tier.rs` has the figures).
const LEVEL: i32 = 3;

/// What was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cache) struct Value {
    pub entry: Entry,
    /// Unix milliseconds; later it is stale, but may still be served for a while.
    pub fresh_until: u64,
}

/// None: too large to be shared. `threshold`: larger bodies are compressed when that makes them smaller.
pub(super) fn encode(key: &str, value: &Value, threshold: usize) -> Option<Vec<u8>> {
    let Value { entry: Entry { body, etag }, fresh_until } = value;
    let etag_length = u8::try_from(etag.len()).ok()?;
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= MAX_BODY)?;
    let compressed = if body.len() > threshold { zstd::bulk::compress(body, LEVEL).ok() } else { None };
    let compressed = compressed.filter(|compressed| compressed.len() < body.len());
    let payload = compressed.as_deref().unwrap_or(body);
    let mut bytes = Vec::with_capacity(HEAD + etag.len() + payload.len());
    bytes.push(VERSION);
    bytes.extend([0; CHECKSUM]);
    bytes.push(if compressed.is_some() { COMPRESSED } else { 0 });
    bytes.extend(fresh_until.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.push(etag_length);
    bytes.extend(etag.as_bytes());
    bytes.extend(payload);
    let checksum = checksum(key, &bytes[1 + CHECKSUM..]);
    bytes[1..=CHECKSUM].copy_from_slice(&checksum);
    Some(bytes)
}

/// None: damaged, of another version, written under another key, or never ours.
pub(super) fn decode(key: &str, bytes: Vec<u8>) -> Option<Value> {
    if bytes.first() != Some(&VERSION) || bytes.len() < HEAD {
        return None;
    }
    let (head, rest) = bytes.split_at(1 + CHECKSUM);
    if head.get(1..)? != checksum(key, rest) {
        return None;
    }
    let compressed = *rest.first()? == COMPRESSED;
    let fresh_until = u64::from_le_bytes(rest.get(1..9)?.try_into().ok()?);
    let length = u32::from_le_bytes(rest.get(9..13)?.try_into().ok()?) as usize;
    let etag_length = usize::from(*rest.get(13)?);
    let etag: Arc<str> = std::str::from_utf8(rest.get(14..14 + etag_length)?).ok()?.into();
    let payload = HEAD + etag_length;
    if length > MAX_BODY {
        return None;
    }
    let body = if compressed {
        // Stops at the promised length, whatever the stream would unfold to.
        Bytes::from(zstd::bulk::decompress(bytes.get(payload..)?, length).ok()?)
    } else {
        Bytes::from(bytes).slice(payload..)
    };
    (body.len() == length).then_some(Value { entry: Entry { body, etag }, fresh_until })
}

/// Of accidents, not of attackers: who can write to the shared tier can write a checksum.
fn checksum(key: &str, rest: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes()).update(key.as_bytes()).update(rest);
    let mut checksum = [0; CHECKSUM];
    checksum.copy_from_slice(&hasher.finalize().as_bytes()[..CHECKSUM]);
    checksum
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const KEY: &str = "corsac:v1:hybrid:0:00ff";

    fn value(body: &[u8]) -> Value {
        Value { entry: Entry { body: Bytes::copy_from_slice(body), etag: "e1".into() }, fresh_until: 1_800_000_000_000 }
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }

    #[test]
    fn what_was_written_reads_back() {
        let text = b"the quick brown fox jumps over the lazy dog; ".repeat(100);
        for (body, threshold) in [(&b""[..], 0), (b"x", 1024), (&text, 1024), (&text, usize::MAX), (&noise(5000), 0)] {
            let bytes = encode(KEY, &value(body), threshold).unwrap();
            assert_eq!(decode(KEY, bytes), Some(value(body)));
        }
    }

    #[test]
    fn only_what_gets_smaller_is_compressed() {
        let text = b"the quick brown fox ".repeat(100);
        assert!(encode(KEY, &value(&text), 1024).unwrap().len() < text.len() / 4);
        assert_eq!(encode(KEY, &value(&text), text.len()).unwrap().len(), text.len() + HEAD + 2);
        assert_eq!(encode(KEY, &value(&noise(5000)), 1024).unwrap().len(), 5000 + HEAD + 2);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = encode(KEY, &value(&b"abcdefgh".repeat(20)), 16).unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert_eq!(decode(KEY, damaged), None, "bit {bit} of byte {at}");
            }
            assert_eq!(decode(KEY, bytes[..at].to_vec()), None, "cut at {at}");
        }
        assert_eq!(decode("corsac:v1:hybrid:0:00fe", bytes), None, "under another key");
    }

    #[test]
    fn a_bomb_is_refused_even_with_a_right_checksum() {
        for (promised, unfolds_to) in [(100_u32, 1 << 20), (u32::MAX, 1 << 20), (2 << 20, 1 << 20)] {
            let mut bytes = encode(KEY, &value(&vec![0; unfolds_to]), 0).unwrap();
            assert!(bytes.len() < 1000);
            bytes[26..30].copy_from_slice(&promised.to_le_bytes());
            let sum = checksum(KEY, &bytes[1 + CHECKSUM..]);
            bytes[1..=CHECKSUM].copy_from_slice(&sum);
            assert_eq!(decode(KEY, bytes), None, "{promised}");
        }
    }

    #[test]
    fn what_is_too_large_is_not_shared() {
        assert_eq!(encode(KEY, &value(&vec![0; MAX_BODY + 1]), 0), None);
    }
}
