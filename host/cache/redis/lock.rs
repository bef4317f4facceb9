//! One computation of a key among all hosts: a key beside the entry's, held with a token for a short
//! life. Advice, not safety: when it is lost, two hosts compute the same, which costs time and nothing else.

use std::sync::Arc;

use super::connections::Request;
use super::{SharedKey, SharedTier};

/// Removes the key only if it still holds our token.
const RELEASE: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('UNLINK', KEYS[1]) else return 0 end";

/// Whether this host may compute.
pub(in crate::cache) enum Claim {
    /// It holds the lock until this is dropped.
    Won(Lock),
    /// Another host is at it.
    Lost,
    /// The tier is away; every host is on its own.
    Free,
}

/// Released when dropped, in the background.
pub(in crate::cache) struct Lock {
    tier: Arc<SharedTier>,
    key: String,
    token: String,
}

impl Lock {
    pub(super) fn new(tier: Arc<SharedTier>, key: &SharedKey, token: String) -> Self {
        Self { tier, key: name(key), token }
    }
}

/// In the slot of the entry's key.
pub(super) fn name(key: &SharedKey) -> String {
    format!("lock:{{{}}}", key.name)
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Without a runtime the process is ending, and the lock's life ends it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (tier, key, token) = (self.tier.clone(), std::mem::take(&mut self.key), std::mem::take(&mut self.token));
        runtime.spawn(async move {
            let mut release = redis::cmd("EVAL");
            release.arg(RELEASE).arg(1).arg(key).arg(token);
            let _ = tier.call::<u64>(Request::Command(release)).await;
        });
    }
}
