//! What was computed a moment ago and will perhaps be asked for again in another shape: in process alone, bounded by
//! bytes, gone after a while. Knows nothing of what it keeps; a key says everything that the value depends on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;

use super::Digest;

/// Bytes, life time, value.
type Kept<V> = (u32, Duration, Arc<V>);

/// Some values live shorter than the others.
struct ByValue;

impl<V> Expiry<Digest, Kept<V>> for ByValue {
    fn expire_after_create(&self, _key: &Digest, kept: &Kept<V>, _created_at: Instant) -> Option<Duration> {
        Some(kept.1)
    }

    fn expire_after_update(
        &self,
        _key: &Digest,
        kept: &Kept<V>,
        _updated_at: Instant,
        _before: Option<Duration>,
    ) -> Option<Duration> {
        Some(kept.1)
    }
}

/// Cheap to clone; all clones are one.
pub struct Recent<V> {
    entries: moka::future::Cache<Digest, Kept<V>>,
}

impl<V> Clone for Recent<V> {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone() }
    }
}

impl<V: Send + Sync + 'static> Recent<V> {
    pub fn new(capacity_bytes: u64, lifetime: Duration) -> Self {
        let entries = moka::future::Cache::builder()
            .max_capacity(capacity_bytes)
            .weigher(|_key, (bytes, ..): &Kept<V>| *bytes)
            .time_to_live(lifetime)
            .expire_after(ByValue)
            .build();
        Self { entries }
    }

    pub async fn get(&self, key: &Digest) -> Option<Arc<V>> {
        self.entries.get(key).await.map(|(.., value)| value)
    }

    /// `bytes` is what the value takes, about; `lifetime` counts if it is shorter than that of all.
    pub async fn put(&self, key: Digest, value: Arc<V>, bytes: usize, lifetime: Duration) {
        self.entries.insert(key, (u32::try_from(bytes).unwrap_or(u32::MAX), lifetime, value)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn values_are_found_again_until_there_is_no_room() {
        let hour = Duration::from_secs(3600);
        let recent = Recent::new(100, hour);
        recent.put([1; 32], Arc::new("one"), 60, hour).await;
        assert_eq!(recent.get(&[1; 32]).await.as_deref(), Some(&"one"));
        assert_eq!(recent.get(&[2; 32]).await, None);
        // More than there is room for at all.
        recent.put([2; 32], Arc::new("two"), 101, hour).await;
        recent.entries.run_pending_tasks().await;
        assert_eq!(recent.get(&[2; 32]).await, None);
        // Its own life is over at once.
        recent.put([3; 32], Arc::new("three"), 10, Duration::ZERO).await;
        assert_eq!(recent.get(&[3; 32]).await, None);
        assert_eq!(recent.get(&[1; 32]).await.as_deref(), Some(&"one"));
    }
}
