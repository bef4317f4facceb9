//! The world's events, snapshots and rules in memory, for tests of what writes them. Forgets all of it at its end, and
//! fails when told to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{SnapshotInfo, StoredEvent, StoredRules, WorldStore, conflict, follows};
use crate::store::{PAGE_BYTES, StoreError};

#[derive(Default)]
pub(crate) struct MemoryStore {
    kept: Mutex<Kept>,
    failures: AtomicU32,
}

#[derive(Default)]
struct Kept {
    events: Vec<StoredEvent>,
    snapshots: Vec<Snapshot>,
    rules: Vec<StoredRules>,
}

struct Snapshot {
    info: SnapshotInfo,
    body: Vec<u8>,
    pinned: bool,
}

impl MemoryStore {
    /// The next `times` appends write nothing and say that the store is away.
    pub(crate) fn fail_appends(&self, times: u32) {
        self.failures.store(times, Ordering::SeqCst);
    }
}

#[async_trait]
impl WorldStore for MemoryStore {
    async fn append_events(&self, events: &[StoredEvent]) -> Result<(), StoreError> {
        let fewer = |left: u32| left.checked_sub(1);
        if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok() {
            return Err(StoreError::Unavailable("as asked".into()));
        }
        let mut kept = self.kept.lock();
        if !follows(events, kept.events.len() as u64) {
            return Err(conflict(events));
        }
        kept.events.extend_from_slice(events);
        Ok(())
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        let mut bytes = 0;
        let within = |event: &&StoredEvent| {
            let before = bytes;
            bytes += event.body.len() as u64;
            before < PAGE_BYTES
        };
        let kept = self.kept.lock();
        let after = kept.events.iter().filter(|event| event.sequence > after);
        Ok(after.take(limit as usize).take_while(within).cloned().collect())
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        Ok(self.kept.lock().events.len() as u64)
    }

    async fn save_snapshot(&self, info: &SnapshotInfo, body: &[u8], keep_automatic: u32) -> Result<u64, StoreError> {
        let mut kept = self.kept.lock();
        let id = kept.snapshots.last().map_or(1, |last| last.info.id + 1);
        let info = SnapshotInfo { id, size: body.len() as u64, ..info.clone() };
        kept.snapshots.push(Snapshot { info, body: body.to_vec(), pinned: false });
        let passing = |snapshot: &Snapshot| snapshot.info.name.is_none() && !snapshot.pinned;
        let count = kept.snapshots.iter().filter(|snapshot| passing(snapshot)).count();
        let mut surplus = count.saturating_sub(keep_automatic as usize);
        kept.snapshots.retain(|snapshot| {
            let goes = surplus > 0 && passing(snapshot) && snapshot.info.id != id;
            surplus -= usize::from(goes);
            !goes
        });
        Ok(id)
    }

    async fn snapshots(&self) -> Result<Vec<SnapshotInfo>, StoreError> {
        Ok(self.kept.lock().snapshots.iter().rev().map(|snapshot| snapshot.info.clone()).collect())
    }

    async fn snapshot_body(&self, id: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let kept = self.kept.lock();
        Ok(kept.snapshots.iter().find(|snapshot| snapshot.info.id == id).map(|snapshot| snapshot.body.clone()))
    }

    async fn pin_snapshot(&self, id: u64) -> Result<(), StoreError> {
        let mut kept = self.kept.lock();
        let found = kept.snapshots.iter_mut().find(|snapshot| snapshot.info.id == id);
        found.map(|snapshot| snapshot.pinned = true).ok_or_else(|| super::no_snapshot(id))
    }

    async fn save_rules(&self, rules: &StoredRules) -> Result<(), StoreError> {
        let mut kept = self.kept.lock();
        if kept.rules.iter().all(|there| there.digest != rules.digest) {
            kept.rules.push(rules.clone());
        }
        Ok(())
    }

    async fn rules(&self, digest: &[u8; 32]) -> Result<Option<StoredRules>, StoreError> {
        Ok(self.kept.lock().rules.iter().find(|rules| rules.digest == *digest).cloned())
    }

    async fn rules_used(&self) -> Result<Vec<StoredRules>, StoreError> {
        let mut used = self.kept.lock().rules.clone();
        used.iter_mut().for_each(|rules| rules.body.clear());
        used.sort_by_key(|rules| (rules.first_used, rules.digest));
        Ok(used)
    }
}

mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::world::conformance::{CHECKS, events};

    #[tokio::test]
    async fn world_conforms() {
        for check in CHECKS {
            check(Arc::new(MemoryStore::default())).await;
        }
    }

    #[tokio::test]
    async fn appends_fail_as_often_as_asked() {
        let store = MemoryStore::default();
        store.fail_appends(2);
        for _ in 0..2 {
            let error = store.append_events(&events([1])).await.unwrap_err();
            assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        }
        store.append_events(&events([1])).await.unwrap();
        assert_eq!(store.last_event().await.unwrap(), 1);
    }
}
