//! The values of what is remembered of use.

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::settings::within;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UsageSettings {
    /// Remember which queries found something and which results were chosen.
    pub enabled: bool,
    /// Days after which a count is worth half.
    pub half_life_days: u64,
    /// Days after which it is deleted.
    pub keep_days: u64,
    /// Counts in memory at most.
    pub max_counts: u64,
}

impl Default for UsageSettings {
    fn default() -> Self {
        Self { enabled: true, half_life_days: 30, keep_days: 180, max_counts: 200_000 }
    }
}

impl UsageSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("usage.half_life_days", self.half_life_days, 1, 3650)?;
        within("usage.keep_days", self.keep_days, 1, 36_500)?;
        within("usage.max_counts", self.max_counts, 1000, 10_000_000)
    }
}
