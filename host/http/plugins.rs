//! Which plugins are loaded and how they fare; loading one again on demand.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::backend::PluginStatus;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::{Name, Shared};

#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct PluginList {
    plugins: Vec<PluginStatus>,
}

/// List the plugins.
#[utoipa::path(get, path = "/api/plugins", tag = "plugins", responses((status = 200, body = PluginList)))]
pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Json<PluginList> {
    Json(PluginList { plugins: shared.backend.plugins() })
}

/// Load a plugin's file again.
///
/// The new version serves every query that begins after the answer. When it cannot be loaded, the old
/// one goes on and the answer says why.
#[utoipa::path(
    post,
    path = "/api/plugins/{name}/reload",
    tag = "plugins",
    params(("name" = String, Path, description = "name of a loaded plugin")),
    responses(
        (status = 200, body = PluginStatus, description = "the version that serves now"),
        (status = 404, body = ProblemDocument, description = "no such plugin"),
        (status = 409, body = ProblemDocument, description = "its file cannot be loaded; the old version goes on"),
    )
)]
pub(super) async fn reload(State(shared): State<Arc<Shared>>, Name(name): Name) -> Result<Json<PluginStatus>, Problem> {
    Ok(Json(shared.backend.reload(&name).await?))
}
