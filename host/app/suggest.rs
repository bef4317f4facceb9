//! Suggestions among the server's parts: over which index, and from whose history.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::cache::Cache;
use crate::config::SuggestSettings;
use crate::index::Searched;
use crate::suggest::{Suggest, SuggestError, SuggestOptions};
use crate::usage::QueryLog;

/// Every query changes the history; answers in the cache shall live longer than from one to the next.
const REFRESH_HISTORY: Duration = Duration::from_secs(300);

/// None where they are switched off; else kept up to date until `closing`.
pub(super) fn start(
    settings: &SuggestSettings,
    index: &Searched,
    cache: &Cache,
    log: Arc<dyn QueryLog>,
    closing: &CancellationToken,
) -> Result<Option<Arc<Suggest>>, SuggestError> {
    if !settings.enabled {
        return Ok(None);
    }
    let options = SuggestOptions {
        max_terms: settings.max_terms as usize,
        max_queries: settings.max_queries as usize,
        refresh: Duration::from_secs(settings.refresh_seconds),
        refresh_history: REFRESH_HISTORY,
    };
    let suggest = Arc::new(Suggest::new(index.clone(), log, cache.clone(), options)?);
    tokio::spawn(suggest.clone().renew(closing.clone()));
    Ok(Some(suggest))
}
