//! What one search is made of, and the keys that all of it makes up. Knows nothing of how it is carried out.

use std::sync::Arc;

use super::columns::Window;
use super::error::blame;
use super::{SearchError, SearchRequest, WINDOW};
use crate::cache::Digest;
use crate::index::Snapshot;
use crate::runtime::{Candidates, Plugin, Ranking};
use crate::usage::Affinity;

/// The request, one version of each plugin, one view of the index.
#[derive(Clone)]
pub struct Plan {
    pub request: SearchRequest,
    pub strategy: Arc<Plugin>,
    /// For a query that the strategy says is none of its own, if the request names one.
    pub otherwise: Option<Arc<Plugin>>,
    pub ranker: Arc<Plugin>,
    pub snapshot: Snapshot,
    /// Empty unless the ranker asks for it.
    pub affinity: Arc<Affinity>,
}

impl Plan {
    /// Pages after the first one are no questions of their own.
    pub fn first_page(&self) -> bool {
        self.request.offset == 0
    }

    /// Whether the answer follows from the request and the index alone, whichever strategy gives it.
    pub fn is_pure(&self) -> bool {
        self.strategy.is_pure() && self.otherwise.as_ref().is_none_or(|plugin| plugin.is_pure())
    }

    /// Answers of one strategy live and die together.
    pub fn namespace(&self) -> &str {
        namespace_of(&self.strategy)
    }

    /// Everything that can change the answer. A swap, a setting, a grant or an index change makes another key, so
    /// nothing has to be deleted, and going back finds the old answers still warm. The host's version is
    /// part of it, because hosts of two versions may share a cache while they are replaced.
    pub fn key(&self, collection: &str, question: &Digest) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
        hasher.update(&(collection.len() as u64).to_le_bytes()).update(collection.as_bytes());
        hasher.update(self.strategy.identity.as_bytes());
        hasher.update(&[u8::from(self.otherwise.is_some())]);
        self.otherwise.iter().for_each(|plugin| _ = hasher.update(plugin.identity.as_bytes()));
        hasher.update(self.ranker.identity.as_bytes());
        hasher.update(&self.snapshot.generation().to_le_bytes());
        hasher.update(&self.affinity.fingerprint.to_le_bytes());
        hasher.update(self.snapshot.embedder().digest().as_bytes());
        hasher.update(question);
        *hasher.finalize().as_bytes()
    }

    /// As `key`, of the ranked window. `epoch`: a clear of the cache means the windows, too.
    pub fn window_key(&self, collection: &str, epoch: u32) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"window").update(&epoch.to_le_bytes());
        hasher.update(&self.key(collection, &self.request.window_digest()));
        *hasher.finalize().as_bytes()
    }

    pub async fn rank(&self, window: &Window, candidates: Candidates) -> Result<Ranking, SearchError> {
        if window.is_empty() {
            return Ok(Ranking { scores: vec![], explanations: vec![] });
        }
        let ranking = self.ranker.rank(&self.request.query, candidates, self.request.explain).await;
        let ranking = ranking.map_err(|error| blame(error, &self.ranker))?;
        Ok(with_rest(ranking, window.candidates.len()))
    }
}

/// Where the cache has the answers of a strategy.
pub fn namespace_of(strategy: &Plugin) -> &str {
    let name = &strategy.description.name;
    name.strip_prefix("strategy-").unwrap_or(name)
}

/// Candidates that the ranker was not shown come after those that it was, in the strategy's order.
pub fn with_rest(mut ranking: Ranking, count: usize) -> Ranking {
    let least = ranking.scores.iter().copied().reduce(f32::min).unwrap_or_default();
    ranking.scores.resize(count, least);
    if !ranking.explanations.is_empty() {
        ranking.explanations.resize(count, format!("beyond the {WINDOW} that are ranked"));
    }
    ranking
}
