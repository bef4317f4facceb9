//! Where agents are, where they go, and who is near.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameters::Parameters;
use super::{Awake, Pair, TheWorld, checks, next_page};
use crate::ecs::view::{Neighbour, PositionView};
use crate::http::Name;
use crate::http::problem::Problem;

/// Twice the edge of the map: from any place to beyond the farthest side.
const MAX_RADIUS: f32 = 20_000.0;

/// Where an agent is.
#[utoipa::path(
    get,
    path = "/api/ecs/agents/{id}/position",
    tag = "ecs",
    params(("id" = String, Path, description = "the agent's id")),
    responses((status = 200, body = PositionView))
)]
pub(in crate::http) async fn position(
    TheWorld(world): TheWorld,
    Name(id): Name,
) -> Result<Json<PositionView>, Problem> {
    Ok(Json(world.position(&id)?))
}

/// One page of the positions of living agents.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Positions {
    total_agents: u64,
    positions: Vec<PositionView>,
    offset: u64,
    limit: u32,
}

/// Where the agents are.
#[utoipa::path(
    get,
    path = "/api/ecs/agents/positions",
    tag = "ecs",
    params(
        ("limit" = Option<u32>, Query, description = "50 when left out", minimum = 1, maximum = 1000),
        ("offset" = Option<u64>, Query, description = "agents to skip"),
    ),
    responses((status = 200, body = Positions, headers(("link" = String, description = "the next page, if there is one"))))
)]
pub(in crate::http) async fn positions(Awake(world): Awake, uri: Uri) -> Result<(HeaderMap, Json<Positions>), Problem> {
    let mut parameters = Parameters::of(&uri, &["limit", "offset"]);
    let page = parameters.page(50);
    parameters.done()?;
    let found = world.positions(page);
    let link = next_page(&uri, page, &found);
    let positions =
        Positions { total_agents: found.total, positions: found.items, offset: page.offset, limit: page.limit };
    Ok((link, Json(positions)))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::http) struct MoveBody {
    #[schema(required = true, nullable = false, minimum = -10_000, maximum = 10_000)]
    x: Option<f32>,
    #[schema(required = true, nullable = false, minimum = -10_000, maximum = 10_000)]
    y: Option<f32>,
}

/// Send an agent somewhere. It walks there as time passes.
#[utoipa::path(
    post,
    path = "/api/ecs/agents/{id}/move",
    tag = "ecs",
    params(("id" = String, Path, description = "the agent's id")),
    request_body = MoveBody,
    responses((status = 200, body = PositionView, description = "durable"))
)]
pub(in crate::http) async fn send(
    TheWorld(world): TheWorld,
    Name(id): Name,
    request: Request,
) -> Result<Json<PositionView>, Problem> {
    let (body, mut checks) = checks::read::<MoveBody>(request, &["x", "y"]).await?;
    checks.place(body.x, body.y);
    let (x, y) = (checks.required("x", body.x), checks.required("y", body.y));
    checks.done()?;
    Ok(Json(world.send_to(&id, x, y).await?))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::http) struct MoveTowardsBody {
    #[schema(required = true, nullable = false)]
    target_agent_id: Option<String>,
    /// How far from the other it stops.
    #[schema(minimum = 1, maximum = 1000, default = 50)]
    distance: Option<f32>,
}

/// Send an agent to another.
#[utoipa::path(
    post,
    path = "/api/ecs/agents/{id}/move_towards",
    tag = "ecs",
    params(("id" = String, Path, description = "the agent's id")),
    request_body = MoveTowardsBody,
    responses((status = 200, body = PositionView, description = "durable"))
)]
pub(in crate::http) async fn send_towards(
    TheWorld(world): TheWorld,
    Name(id): Name,
    request: Request,
) -> Result<Json<PositionView>, Problem> {
    let (body, mut checks) = checks::read::<MoveTowardsBody>(request, &["target_agent_id", "distance"]).await?;
    let other = checks.other("target_agent_id", body.target_agent_id, &id);
    checks.between("distance", body.distance, 1.0, 1000.0);
    checks.done()?;
    Ok(Json(world.send_towards(&id, &other, body.distance.unwrap_or(50.0)).await?))
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Distance {
    agent1_id: String,
    agent2_id: String,
    /// Euclidean, in units of the map.
    distance: f32,
    agent1_position: PositionView,
    agent2_position: PositionView,
}

/// How far two agents are from each other.
#[utoipa::path(
    get,
    path = "/api/ecs/agents/{id}/distance/{other}",
    tag = "ecs",
    params(
        ("id" = String, Path, description = "the agent's id"),
        ("other" = String, Path, description = "the other's id"),
    ),
    responses((status = 200, body = Distance))
)]
pub(in crate::http) async fn distance(
    TheWorld(world): TheWorld,
    Pair(first, second): Pair,
) -> Result<Json<Distance>, Problem> {
    let (distance, agent1_position, agent2_position) = world.distance(&first, &second)?;
    Ok(Json(Distance { agent1_id: first, agent2_id: second, distance, agent1_position, agent2_position }))
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Nearby {
    agent_id: String,
    radius: f32,
    /// The nearest first.
    nearby_agents: Vec<Neighbour>,
    /// Of `nearby_agents`.
    count: usize,
}

/// Living agents near one.
#[utoipa::path(
    get,
    path = "/api/ecs/agents/{id}/nearby",
    tag = "ecs",
    params(
        ("id" = String, Path, description = "the agent's id"),
        ("radius" = Option<f32>, Query, description = "100 when left out; more than 0", maximum = 20000),
        ("limit" = Option<u32>, Query, description = "100 when left out", minimum = 1, maximum = 1000),
    ),
    responses((status = 200, body = Nearby))
)]
pub(in crate::http) async fn nearby(
    TheWorld(world): TheWorld,
    Name(id): Name,
    uri: Uri,
) -> Result<Json<Nearby>, Problem> {
    let mut parameters = Parameters::of(&uri, &["radius", "limit"]);
    let radius = parameters.number("radius", 100.0, 0.001, MAX_RADIUS);
    let limit = parameters.number("limit", 100, 1, 1000);
    parameters.done()?;
    let nearby_agents = world.nearby(&id, radius, limit)?;
    Ok(Json(Nearby { agent_id: id, radius, count: nearby_agents.len(), nearby_agents }))
}
