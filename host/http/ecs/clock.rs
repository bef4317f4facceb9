//! Time of the world, and whether it lives.

use axum::Json;
use axum::extract::Request;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Awake, TheWorld, checks};
use crate::ecs::view::{ClockView, WorldStatus};
use crate::ecs::world::ClockChange;
use crate::http::problem::{Code, Problem, ProblemDocument};

const MAX_STEP: f32 = 10_000.0;

/// How the world fares; also while it cannot be asked anything else.
#[utoipa::path(get, path = "/api/ecs/status", tag = "ecs", responses((status = 200, body = WorldStatus)))]
pub(in crate::http) async fn status(TheWorld(world): TheWorld) -> Json<WorldStatus> {
    Json(world.status())
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct WorldHealth {
    /// `healthy`, or `degraded` while another host has the world or it is being replayed.
    status: &'static str,
    /// `ecs`.
    service: &'static str,
    /// As in `/api/ecs/status`.
    world: String,
}

/// Whether the world lives.
#[utoipa::path(
    get,
    path = "/api/ecs/health",
    tag = "ecs",
    responses(
        (status = 200, body = WorldHealth),
        (status = 503, body = ProblemDocument, description = "the world has failed"),
    )
)]
pub(in crate::http) async fn health(TheWorld(world): TheWorld) -> Result<Json<WorldHealth>, Problem> {
    let WorldStatus { status: condition, .. } = world.status();
    let status = match condition.as_str() {
        "running" | "paused" => "healthy",
        "failed" => return Err(Problem::new(Code::Unavailable, "the world has failed; the server's log says why")),
        _ => "degraded",
    };
    Ok(Json(WorldHealth { status, service: "ecs", world: condition }))
}

/// The world's clock.
#[utoipa::path(get, path = "/api/ecs/clock", tag = "ecs", responses((status = 200, body = ClockView)))]
pub(in crate::http) async fn clock(Awake(world): Awake) -> Json<ClockView> {
    Json(world.clock())
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::http) struct ClockBody {
    /// World seconds a second.
    #[schema(minimum = 0.1, maximum = 100)]
    acceleration: Option<f32>,
    paused: Option<bool>,
}

/// Change the clock; what is left out stays.
#[utoipa::path(
    post,
    path = "/api/ecs/clock",
    tag = "ecs",
    request_body = ClockBody,
    responses((status = 200, body = ClockView, description = "durable"))
)]
pub(in crate::http) async fn set(TheWorld(world): TheWorld, request: Request) -> Result<Json<ClockView>, Problem> {
    let (body, mut checks) = checks::read::<ClockBody>(request, &["acceleration", "paused"]).await?;
    checks.between("acceleration", body.acceleration, 0.1, 100.0);
    checks.done()?;
    Ok(Json(world.set_clock(ClockChange { acceleration: body.acceleration, paused: body.paused }).await?))
}

/// Stop time.
#[utoipa::path(post, path = "/api/ecs/clock/pause", tag = "ecs", responses((status = 200, body = ClockView, description = "durable")))]
pub(in crate::http) async fn pause(TheWorld(world): TheWorld) -> Result<Json<ClockView>, Problem> {
    Ok(Json(world.set_clock(ClockChange { paused: Some(true), ..ClockChange::default() }).await?))
}

/// Let time go on.
#[utoipa::path(post, path = "/api/ecs/clock/resume", tag = "ecs", responses((status = 200, body = ClockView, description = "durable")))]
pub(in crate::http) async fn resume(TheWorld(world): TheWorld) -> Result<Json<ClockView>, Problem> {
    Ok(Json(world.set_clock(ClockChange { paused: Some(false), ..ClockChange::default() }).await?))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::http) struct StepBody {
    #[schema(minimum = 1, maximum = 10_000, default = 1)]
    ticks: Option<u32>,
}

/// Take ticks at once, also while time stands still. Without a body it is one.
#[utoipa::path(
    post,
    path = "/api/ecs/clock/step",
    tag = "ecs",
    request_body(content = Option<StepBody>),
    responses((status = 200, body = ClockView, description = "durable"))
)]
pub(in crate::http) async fn step(TheWorld(world): TheWorld, request: Request) -> Result<Json<ClockView>, Problem> {
    let (body, mut checks) = checks::read_if_any::<StepBody>(request, &["ticks"]).await?;
    checks.between("ticks", body.ticks.map(|ticks| ticks as f32), 1.0, MAX_STEP);
    checks.done()?;
    Ok(Json(world.step(body.ticks.unwrap_or(1)).await?))
}
