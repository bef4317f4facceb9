//! Where chance comes from: a seed for every decision, derived from the world's and from what is decided, so
//! that a replay draws the same. Knows nothing of what the chance is for.

/// First 8 bytes, little endian, of BLAKE3 over the world's seed, the label and the numbers, all little
/// endian. Labels are the host's own words and none is another's beginning followed by 8 bytes.
pub fn seed(world: u64, label: &str, numbers: &[u64]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&world.to_le_bytes()).update(label.as_bytes());
    for number in numbers {
        hasher.update(&number.to_le_bytes());
    }
    let [a, b, c, d, e, f, g, h, ..] = *hasher.finalize().as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::seed;

    /// Against the digest of the bytes put together by hand.
    #[test]
    fn a_seed_is_the_beginning_of_a_digest_of_what_is_decided() {
        let bytes = [7u8, 0, 0, 0, 0, 0, 0, 0, b'm', b'e', b'e', b't', 1, 1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
        let digest = blake3::hash(&bytes);
        let expected = digest.as_bytes()[..8].iter().rev().fold(0u64, |sum, &byte| sum << 8 | u64::from(byte));
        assert_eq!(seed(7, "meet", &[257, 2]), expected);
    }

    #[test]
    fn world_label_and_every_number_count() {
        let all = [seed(1, "a", &[]), seed(2, "a", &[]), seed(1, "b", &[]), seed(1, "a", &[0]), seed(1, "a", &[0, 1])];
        let different: std::collections::HashSet<u64> = all.into_iter().collect();
        assert_eq!(different.len(), all.len());
    }
}
