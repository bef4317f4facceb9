//! One lock an agent, by id, made when it is wanted and gone when nobody wants it. Knows no agents.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex as Short;
use tokio::sync::{Mutex, OwnedMutexGuard};

type Keys = Short<HashMap<Box<str>, Arc<Mutex<()>>>>;

#[derive(Default)]
pub(super) struct Locks {
    keys: Arc<Keys>,
}

/// Held until dropped.
pub(super) struct Locked {
    key: Box<str>,
    keys: Arc<Keys>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Locks {
    /// Waits for all of them. Taken in their order, whatever the order in which they are given, so that
    /// no two callers wait for each other.
    pub(super) async fn take<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> Vec<Locked> {
        let mut keys: Vec<&str> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        let mut held = Vec::with_capacity(keys.len());
        for key in keys {
            let lock = self.keys.lock().entry(key.into()).or_default().clone();
            // Before the wait, so that a caller who gives up waiting leaves nothing behind.
            let mut locked = Locked { key: key.into(), keys: self.keys.clone(), guard: None };
            locked.guard = Some(lock.lock_owned().await);
            held.push(locked);
        }
        held
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.keys.lock().len()
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let mut keys = self.keys.lock();
        self.guard = None;
        // The count cannot rise meanwhile: clones are made under the same short lock.
        if keys.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            keys.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_key_is_held_by_one_and_others_by_others() {
        let locks = Arc::new(Locks::default());
        let first = locks.take(["b", "a", "b"]).await;
        assert_eq!(first.len(), 2);
        let waiting = tokio::spawn({
            let locks = locks.clone();
            async move { locks.take(["a"]).await.len() }
        });
        assert_eq!(locks.take(["c"]).await.len(), 1);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waiting.is_finished());
        drop(first);
        assert_eq!(waiting.await.ok(), Some(1));
        assert_eq!(locks.len(), 0);
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_nothing_behind() {
        let locks = Locks::default();
        let first = locks.take(["a"]).await;
        let gave_up = tokio::time::timeout(Duration::from_millis(10), locks.take(["a"])).await;
        assert!(gave_up.is_err());
        drop(first);
        assert_eq!(locks.len(), 0);
    }
}
