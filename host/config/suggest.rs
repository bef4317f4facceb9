//! The values of suggestions.

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::settings::within;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SuggestSettings {
    /// There are suggestions.
    pub enabled: bool,
    /// Terms of the corpus that are kept, the best ones.
    pub max_terms: u32,
    /// Frequent queries that are kept.
    pub max_queries: u32,
    /// From one dictionary of the corpus to the next, at least.
    pub refresh_seconds: u64,
}

impl Default for SuggestSettings {
    fn default() -> Self {
        Self { enabled: true, max_terms: 300_000, max_queries: 10_000, refresh_seconds: 10 }
    }
}

impl SuggestSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("suggest.max_terms", self.max_terms.into(), 1, 5_000_000)?;
        within("suggest.max_queries", self.max_queries.into(), 0, 1_000_000)?;
        within("suggest.refresh_seconds", self.refresh_seconds, 0, 86_400)
    }
}
