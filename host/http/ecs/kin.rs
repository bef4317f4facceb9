//! Who is related to whom, who may be, and breeding as a whole.

use axum::Json;
use axum::extract::Request;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameters::Parameters;
use super::{Awake, OfTheRules, Pair, TheWorld, checks};
use crate::ecs::view::{BreedingStats, CompatibilityView, LineageView, Mate};
use crate::http::Name;
use crate::http::problem::Problem;

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Mates {
    agent_id: String,
    /// The most compatible first.
    compatible_mates: Vec<Mate>,
}

/// Agents that this one may breed with now.
#[utoipa::path(
    get,
    path = "/api/ecs/agents/{id}/mates",
    tag = "ecs",
    params(
        ("id" = String, Path, description = "the agent's id"),
        ("max_results" = Option<u32>, Query, description = "5 when left out", minimum = 1, maximum = 50),
    ),
    responses(
        (status = 200, body = Mates),
        OfTheRules,
    )
)]
pub(in crate::http) async fn mates(
    TheWorld(world): TheWorld,
    Name(id): Name,
    uri: Uri,
) -> Result<Json<Mates>, Problem> {
    let mut parameters = Parameters::of(&uri, &["max_results"]);
    let most = parameters.number("max_results", 5, 1, 50);
    parameters.done()?;
    let compatible_mates = world.mates(&id, most).await?;
    Ok(Json(Mates { agent_id: id, compatible_mates }))
}

/// How well two agents go together, and what stands between them.
#[utoipa::path(
    get,
    path = "/api/ecs/agents/{id}/compatibility/{other}",
    tag = "ecs",
    params(
        ("id" = String, Path, description = "the agent's id"),
        ("other" = String, Path, description = "the other's id"),
    ),
    responses(
        (status = 200, body = CompatibilityView),
        OfTheRules,
    )
)]
pub(in crate::http) async fn compatibility(
    TheWorld(world): TheWorld,
    Pair(first, second): Pair,
) -> Result<Json<CompatibilityView>, Problem> {
    Ok(Json(world.compatibility(&first, &second).await?))
}

/// Ancestors and descendants.
#[utoipa::path(
    get,
    path = "/api/ecs/agents/{id}/lineage",
    tag = "ecs",
    params(
        ("id" = String, Path, description = "the agent's id"),
        ("depth" = Option<u32>, Query, description = "generations each way; 3 when left out", minimum = 1, maximum = 10),
    ),
    responses((status = 200, body = LineageView))
)]
pub(in crate::http) async fn lineage(
    TheWorld(world): TheWorld,
    Name(id): Name,
    uri: Uri,
) -> Result<Json<LineageView>, Problem> {
    let mut parameters = Parameters::of(&uri, &["depth"]);
    let depth = parameters.number("depth", 3, 1, 10);
    parameters.done()?;
    Ok(Json(world.lineage(&id, depth)?))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::http) struct BreedingBody {
    #[schema(default = true, nullable = false)]
    enabled: Option<bool>,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct BreedingSet {
    message: String,
    #[serde(flatten)]
    stats: BreedingStats,
}

/// Allow breeding, or forbid it, everywhere. Without a body it is allowed.
#[utoipa::path(
    post,
    path = "/api/ecs/breeding/enable",
    tag = "ecs",
    request_body(content = Option<BreedingBody>),
    responses((status = 200, body = BreedingSet, description = "durable"))
)]
pub(in crate::http) async fn enable_breeding(
    TheWorld(world): TheWorld,
    request: Request,
) -> Result<Json<BreedingSet>, Problem> {
    let (body, checks) = checks::read_if_any::<BreedingBody>(request, &["enabled"]).await?;
    checks.done()?;
    let stats = world.set_breeding(body.enabled.unwrap_or(true)).await?;
    let message = format!("breeding is {}", if stats.breeding_enabled { "enabled" } else { "disabled" });
    Ok(Json(BreedingSet { message, stats }))
}

/// How breeding goes.
#[utoipa::path(get, path = "/api/ecs/breeding/stats", tag = "ecs", responses((status = 200, body = BreedingStats)))]
pub(in crate::http) async fn breeding_stats(Awake(world): Awake) -> Json<BreedingStats> {
    Json(world.breeding_stats())
}
