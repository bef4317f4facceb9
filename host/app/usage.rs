//! What is remembered of use among the server's parts: who counts, who is told, and who may forget.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::config::UsageSettings;
use crate::http::{BackendError, FrequentQuery, Remembered};
use crate::index::Searched;
use crate::service::Learning;
use crate::store::{Store, StoreError};
use crate::usage::{QueryLog, Recorder, UsagePolicy, forgetting};

/// The memory of this server, if it has one.
pub(super) struct Usage {
    settings: UsageSettings,
    recorder: Option<Arc<Recorder>>,
    store: Arc<dyn Store>,
    index: Searched,
}

impl Usage {
    pub(super) async fn start(
        settings: &UsageSettings,
        store: &Arc<dyn Store>,
        index: &Searched,
    ) -> Result<Self, StoreError> {
        let policy = UsagePolicy {
            half_life_days: settings.half_life_days as f32,
            keep_days: u32::try_from(settings.keep_days).unwrap_or(u32::MAX),
            rows: u32::try_from(settings.max_counts).unwrap_or(u32::MAX),
        };
        let recorder = match settings.enabled {
            true => Some(Recorder::start(store.clone(), policy).await?),
            false => None,
        };
        Ok(Self { settings: settings.clone(), recorder, store: store.clone(), index: index.clone() })
    }

    pub(super) fn recorder(&self) -> Option<Arc<Recorder>> {
        self.recorder.clone()
    }

    pub(super) fn learning(&self) -> Learning {
        let learning = |recorder: Arc<Recorder>| Learning { log: recorder.clone(), choices: recorder };
        self.recorder().map_or_else(Learning::default, learning)
    }

    /// The document may be in any root: a result does not say in which.
    async fn is_document(&self, path: &str) -> Result<bool, StoreError> {
        for root in self.store.roots().await? {
            if self.store.document(root.id, path).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl crate::http::Usage for Usage {
    fn chosen(&self, query: &str, path: &str) -> BoxFuture<'_, Result<Option<()>, BackendError>> {
        let (terms, path) = (self.index.snapshot().terms(query), path.to_owned());
        async move {
            let Some(recorder) = &self.recorder else { return Ok(None) };
            if terms.is_empty() {
                let message =
                    "has no word by which choices could be told apart; choose for a query with one".to_owned();
                return Err(BackendError::Invalid { field: "query".into(), message });
            }
            if !self.is_document(&path).await.map_err(failure)? {
                let message = "is not the path of an indexed document; send it as the result has it".to_owned();
                return Err(BackendError::Invalid { field: "file_path".into(), message });
            }
            recorder.chosen(terms, &path).await.map(Some).map_err(failure)
        }
        .boxed()
    }

    fn forget(&self, query: Option<String>) -> BoxFuture<'_, Result<u64, BackendError>> {
        async move {
            let of = query.as_deref().map(|query| (query, self.index.snapshot().terms(query)));
            if let Some(recorder) = &self.recorder {
                return recorder.forget(of).await.map_err(failure);
            }
            // What an earlier configuration remembered can be forgotten as well.
            let mut gone = 0;
            for which in forgetting(of) {
                gone += self.store.forget_usage(&which).await.map_err(failure)?;
            }
            Ok(gone)
        }
        .boxed()
    }

    fn remembered(&self, limit: usize) -> Remembered {
        let frequent = self.recorder.as_ref().map(|recorder| recorder.frequent(limit)).unwrap_or_default();
        Remembered {
            enabled: self.recorder.is_some(),
            half_life_days: self.settings.half_life_days as f32,
            keep_days: u32::try_from(self.settings.keep_days).unwrap_or(u32::MAX),
            questions: self.recorder.as_ref().map_or(0, |recorder| recorder.questions() as u64),
            frequent: frequent.into_iter().map(|(query, weight)| FrequentQuery { query, weight }).collect(),
        }
    }
}

fn failure(error: StoreError) -> BackendError {
    match error {
        StoreError::Unavailable(_) | StoreError::Busy(_) => {
            BackendError::Unavailable("the store does not answer at present; try again in a moment".into())
        }
        other => BackendError::Internal(other.to_string()),
    }
}
