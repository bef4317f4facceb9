//! The form of a key, `corsac_<id>_<secret>`: the id finds it, the secret proves it.
//!
//! The secret has 256 random bits, so its plain digest is enough at rest: nobody can try that many. Slow
//! hashes such as argon2 are for what people choose, and would cost each request their time here.

use subtle::ConstantTimeEq;

use super::AccessError;

/// In front of every key, so that scanners for leaked secrets can find it.
const PREFIX: &str = "corsac_";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// A key that was just made; the only moment at which its secret is known.
pub(super) struct Generated {
    pub(super) id: String,
    pub(super) digest: [u8; 32],
    /// The whole key.
    pub(super) text: String,
}

pub(super) fn generate() -> Result<Generated, AccessError> {
    let mut random = [0; ID_BYTES + SECRET_BYTES];
    getrandom::fill(&mut random).map_err(AccessError::Random)?;
    let (id, secret) = random.split_at(ID_BYTES);
    let (id, secret) = (hexadecimal(id), hexadecimal(secret));
    let text = format!("{PREFIX}{id}_{secret}");
    Ok(Generated { digest: digest(&secret), id, text })
}

/// Id and secret of a key that was presented; none: it is no key at all.
pub(super) fn parts(presented: &str) -> Option<(&str, &str)> {
    let (id, secret) = presented.strip_prefix(PREFIX)?.split_once('_')?;
    let plain = |text: &str, bytes: usize| text.len() == 2 * bytes && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (plain(id, ID_BYTES) && plain(secret, SECRET_BYTES)).then_some((id, secret))
}

pub(super) fn digest(secret: &str) -> [u8; 32] {
    *blake3::hash(secret.as_bytes()).as_bytes()
}

/// Takes the same time wherever they differ.
pub(super) fn same(left: &[u8; 32], right: &[u8; 32]) -> bool {
    left.ct_eq(right).into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| DIGITS[usize::from(digit)] as char).collect()
}
