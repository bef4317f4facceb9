//! What this host tells of the work of others: with a shared store, any host may have indexed last.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::backend::rfc3339;
use crate::store::{Store, StoreError};

/// People read it, so it may be a little late.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// RFC 3339: the last time that a root was indexed completely, by whichever host.
pub(super) async fn last_indexed(store: &dyn Store) -> Result<Option<String>, StoreError> {
    let last = store.roots().await?.into_iter().filter_map(|root| root.last_indexed).max();
    Ok(last.and_then(|last| OffsetDateTime::from_unix_timestamp(last).ok()).map(rfc3339))
}

/// Keeps the time up to date until the server closes.
pub(super) async fn follow_last_indexed(
    store: Arc<dyn Store>,
    shown: Arc<RwLock<Option<String>>>,
    closing: CancellationToken,
) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = closing.cancelled() => return,
        }
        match last_indexed(&*store).await {
            // Equal forms of the same time sort as the times do; what this host has done itself may be newer.
            Ok(last) => {
                let mut shown = shown.write();
                if last > *shown {
                    *shown = last;
                }
            }
            Err(error) => tracing::debug!(%error, "cannot see when a folder was last indexed"),
        }
    }
}
