//! What was computed a moment ago and will perhaps be asked for again in another shape: in process alone, bounded by
//! bytes, gone after a while. Knows nothing of what it keeps; a key says everything that the value depends on.

use std::sync::Arc;
use std::time::Duration;

use super::Digest;

/// Cheap to clone; all clones are one.
pub struct Recent<V> {
    entries: moka::future::Cache<Digest, (u32, Arc<V>)>,
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
            .weigher(|_key, (bytes, _): &(u32, Arc<V>)| *bytes)
            .time_to_live(lifetime)
            .build();
        Self { entries }
    }

    pub async fn get(&self, key: &Digest) -> Option<Arc<V>> {
        self.entries.get(key).await.map(|(_, value)| value)
    }

    /// `bytes` is what the value takes, about.
    pub async fn put(&self, key: Digest, value: Arc<V>, bytes: usize) {
        self.entries.insert(key, (u32::try_from(bytes).unwrap_or(u32::MAX), value)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn values_are_found_again_until_there_is_no_room() {
        let recent = Recent::new(100, Duration::from_secs(3600));
        recent.put([1; 32], Arc::new("one"), 60).await;
        assert_eq!(recent.get(&[1; 32]).await.as_deref(), Some(&"one"));
        assert_eq!(recent.get(&[2; 32]).await, None);
        // More than there is room for at all.
        recent.put([2; 32], Arc::new("two"), 101).await;
        recent.entries.run_pending_tasks().await;
        assert_eq!(recent.get(&[2; 32]).await, None);
    }
}
