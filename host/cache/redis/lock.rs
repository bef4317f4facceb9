//! One computation of a key among all hosts: a key beside the entry's, held with a token for a short
//! life. Advice, not safety: when it is lost, two hosts compute the same, which costs time and nothing else.

use std::sync::Arc;
use std::time::Duration;

use redis::cmd;

use super::connections::Request;
use super::{SharedKey, SharedTier, Value, value};

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

impl SharedTier {
    /// The right to compute an entry, for at most `life`, and what there is of it by now: since the caller has looked,
    /// another host may have finished.
    pub(in crate::cache) async fn claim(self: &Arc<Self>, key: &SharedKey, life: Duration) -> (Claim, Option<Value>) {
        let mut token = [0; 16];
        if getrandom::fill(&mut token).is_err() {
            return (Claim::Free, None);
        }
        // Before it is asked for: whoever is dropped in the middle, or gives up on an answer that comes late, leaves
        // no lock behind for which nobody computes.
        let lock = Lock { tier: self.clone(), key: self.lock_name(key), token: u128::from_le_bytes(token).to_string() };
        let mut both = redis::pipe();
        both.cmd("SET").arg(&lock.key).arg(&lock.token).arg("NX").arg("PX").arg(life.as_millis().max(1) as u64);
        both.cmd("GET").arg(&key.name);
        match self.call::<(Option<String>, Option<Vec<u8>>)>(Request::Pipeline(both)).await {
            Ok((won, bytes)) => {
                let value = bytes.and_then(|bytes| value::decode(&key.name, bytes));
                if won.is_some() {
                    return (Claim::Won(lock), value);
                }
                lock.forget();
                (Claim::Lost, value)
            }
            Err(_) => (Claim::Free, None),
        }
    }

    /// In the slot of the entry's key.
    pub(super) fn lock_name(&self, key: &SharedKey) -> String {
        format!("{}:lock:{{{}}}", self.options.prefix, key.name)
    }
}

impl Lock {
    /// It was never held.
    fn forget(mut self) {
        self.token.clear();
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.token.is_empty() {
            return;
        }
        // Without a runtime the process is ending, and the lock's life ends it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (tier, key, token) = (self.tier.clone(), std::mem::take(&mut self.key), std::mem::take(&mut self.token));
        runtime.spawn(async move {
            let mut release = cmd("EVAL");
            release.arg(RELEASE).arg(1).arg(key).arg(token);
            let _ = tier.call::<u64>(Request::Command(release)).await;
        });
    }
}
