//! Who may ask, and how often: API keys with scopes and rates. Keys lie in the store; every host keeps
//! them in memory and looks again every few seconds, so that a check costs no query and a key that was
//! revoked on one host ends on all. Knows nothing of HTTP: whoever serves brings the text that a client
//! presented and says what it wants to do.

/// Making, taking apart and digesting keys.
mod key;
/// The keys that are good at this moment.
mod keyring;
/// How often one caller may ask.
mod limit;
/// What a key allows.
mod scope;

pub use keyring::{Key, Keyring, MadeKey, NewKey, Policy, REFRESH, Refusal};
pub use limit::{Allowance, Exceeded, MAX_RATE};
pub use scope::{Scope, Scopes};

use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error("`{0}` is not a scope: say search, index or admin, with commas between them")]
    Scope(String),
    #[error("a key needs at least one scope of search, index, admin")]
    NoScope,
    #[error("a key's name must have 1 to 64 characters and no control characters")]
    Name,
    #[error("a key may live from 1 to {most} days, not {days}")]
    Lifetime { days: u32, most: u32 },
    #[error("a key may allow at most {most} requests a minute, not {rate}")]
    Rate { rate: u32, most: u32 },
    #[error("the system gives no random numbers for a secret: {0}")]
    Random(getrandom::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
pub(crate) mod tests;
