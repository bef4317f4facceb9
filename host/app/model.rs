//! The better embedding model of the index, where the operator gives one.

use super::AppError;
use crate::config::Settings;
use crate::index::{BetterModel, IndexError};

/// None: there is only the built-in one.
pub(super) async fn load(settings: &Settings) -> Result<Option<BetterModel>, AppError> {
    let model = &settings.index.model;
    let Some(folder) = model.folder.clone() else { return Ok(None) };
    let core_percent = model.core_percent;
    let load = tokio::task::spawn_blocking(move || BetterModel::load(&folder, core_percent)).await;
    let model = load.map_err(|error| IndexError::Model(error.to_string()))??;
    tracing::info!(
        model = model.embedder.name(),
        digest = model.embedder.digest(),
        "vectors of this model are filled in behind the built-in one's"
    );
    Ok(Some(model))
}
