//! The values of a better embedding model than the built-in one.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::settings::within;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSettings {
    /// Of a model in sentence-transformers' layout; none: the built-in one alone.
    pub folder: Option<PathBuf>,
    /// Of one core, what embedding the collection with it may take.
    pub core_percent: u32,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self { folder: None, core_percent: 100 }
    }
}

impl ModelSettings {
    /// `by_database`: vectors are those in the database.
    pub(super) fn check(&self, by_database: bool) -> Result<(), ConfigError> {
        within("index.model.core_percent", self.core_percent.into(), 1, 100)?;
        match &self.folder {
            Some(_) if by_database => Err(ConfigError::ModelWithoutIndex),
            _ => Ok(()),
        }
    }
}
