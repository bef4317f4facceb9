//! Posted documents derived anew: each gets a new version as it is, which the index follows like any other change. The
//! store changes numbers only, so what is changed or removed meanwhile stays so, and no text is held here.

use super::folder::{held, searchable};
use super::tasks::Entry;
use super::{Ingest, IngestError};
use crate::store::{Lease, POSTED_ROOT, Phase};

/// Of many hosts, one at a time.
pub(super) const RIGHT: &str = "renewal";

/// Documents a transaction: few enough to let other writers in between.
const BATCH: u32 = 256;

pub(super) async fn renew(ingest: &Ingest, entry: &Entry, lease: Lease) -> Result<(), IngestError> {
    entry.enter(Phase::Walking);
    // What is posted from now on is derived anyway; without an end, this would follow its own changes.
    let until = ingest.store.last_sequence().await?;
    let mut after = 0;
    loop {
        held(&lease)?;
        let Some(renewed) = ingest.store.renew(POSTED_ROOT, after, until, BATCH).await? else { break };
        after = renewed.up_to;
        entry.update(|progress| {
            progress.files_seen += renewed.documents;
            progress.indexed += renewed.documents;
        });
        entry.aim_at(renewed.sequence);
        tokio::select! {
            caught_up = ingest.follower.backlog_is_short(renewed.sequence) => caught_up?,
            () = ingest.stop.cancelled() => return Err(IngestError::ShuttingDown),
        }
    }
    searchable(ingest, entry).await
}
