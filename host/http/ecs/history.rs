//! The world's rules, its snapshots, and its history told again.

use axum::Json;
use axum::extract::Request;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{MAX_NUMBER, OfTheRules, TheWorld, checks};
use crate::ecs::view::{ReplayView, RulesView, SnapshotView, WorldError, WorldStatus};
use crate::http::Name;
use crate::http::problem::{Code, Problem, ProblemDocument};

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct RulesList {
    /// The first used first.
    rules: Vec<RulesView>,
}

/// The rules that have decided anything.
#[utoipa::path(get, path = "/api/ecs/rules", tag = "ecs", responses((status = 200, body = RulesList)))]
pub(in crate::http) async fn rules(TheWorld(world): TheWorld) -> Result<Json<RulesList>, Problem> {
    Ok(Json(RulesList { rules: world.rules_used().await? }))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::http) struct RulesBody {
    /// Name of loaded rules, with or without `traits-`.
    #[schema(required = true, nullable = false)]
    name: Option<String>,
}

/// Let other rules decide from here on. No agent and no tick is lost; traits are carried over by name.
#[utoipa::path(
    put,
    path = "/api/ecs/rules",
    tag = "ecs",
    request_body = RulesBody,
    responses(
        (status = 200, body = RulesView, description = "durable"),
        (status = 409, body = ProblemDocument, description = "these rules cannot go on with this world"),
        OfTheRules,
    )
)]
pub(in crate::http) async fn set_rules(
    TheWorld(world): TheWorld,
    request: Request,
) -> Result<Json<RulesView>, Problem> {
    let (body, mut checks) = checks::read::<RulesBody>(request, &["name"]).await?;
    checks.name("name", body.name.as_deref());
    let name = checks.required("name", body.name);
    checks.done()?;
    Ok(Json(world.set_rules(&name).await?))
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Snapshots {
    /// Latest first.
    snapshots: Vec<SnapshotView>,
}

/// The snapshots that are kept.
#[utoipa::path(get, path = "/api/ecs/snapshots", tag = "ecs", responses((status = 200, body = Snapshots)))]
pub(in crate::http) async fn snapshots(TheWorld(world): TheWorld) -> Result<Json<Snapshots>, Problem> {
    Ok(Json(Snapshots { snapshots: world.snapshots().await? }))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::http) struct SnapshotBody {
    /// Snapshots without a name go when there are later ones.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
}

/// Keep the world as it is now.
#[utoipa::path(
    post,
    path = "/api/ecs/snapshots",
    tag = "ecs",
    request_body(content = Option<SnapshotBody>),
    responses(
        (status = 201, body = SnapshotView, description = "durable"),
        (status = 409, body = ProblemDocument, description = "there are too many, or one of this name"),
    )
)]
pub(in crate::http) async fn save(
    TheWorld(world): TheWorld,
    request: Request,
) -> Result<(StatusCode, Json<SnapshotView>), Problem> {
    let (body, mut checks) = checks::read_if_any::<SnapshotBody>(request, &["name"]).await?;
    checks.name("name", body.name.as_deref());
    checks.done()?;
    Ok((StatusCode::CREATED, Json(world.save_snapshot(body.name).await?)))
}

/// Make the world what it was. What came after stays in its history.
#[utoipa::path(
    post,
    path = "/api/ecs/snapshots/{id}/restore",
    tag = "ecs",
    params(("id" = u64, Path, description = "as the list shows it")),
    responses((status = 200, body = WorldStatus, description = "durable"))
)]
pub(in crate::http) async fn restore(TheWorld(world): TheWorld, Name(id): Name) -> Result<Json<WorldStatus>, Problem> {
    let unknown = || Problem::new(Code::UnknownSnapshot, "there is no such snapshot; their ids are numbers");
    let id = id.parse().ok().filter(|id| *id <= MAX_NUMBER).ok_or_else(unknown)?;
    Ok(Json(world.restore(id).await?))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::http) struct ReplayBody {
    /// Number of a snapshot to begin with; the beginning of the world when left out.
    from_snapshot: Option<u64>,
}

/// Build the world again from its events beside the living one, and compare the two.
#[utoipa::path(
    post,
    path = "/api/ecs/replay",
    tag = "ecs",
    request_body(content = Option<ReplayBody>),
    responses(
        (status = 200, body = ReplayView, description = "`equal` says whether history repeats itself"),
        (status = 409, body = ProblemDocument, description = "a replay runs already"),
        (status = 502, body = ProblemDocument, description = "rules of the past failed"),
        (status = 504, body = ProblemDocument, description = "rules of the past took too long"),
    )
)]
pub(in crate::http) async fn replay(TheWorld(world): TheWorld, request: Request) -> Result<Json<ReplayView>, Problem> {
    let (body, checks) = checks::read_if_any::<ReplayBody>(request, &["from_snapshot"]).await?;
    checks.done()?;
    match body.from_snapshot {
        Some(id) if id > MAX_NUMBER => Err(WorldError::NoSnapshot(id).into()),
        from => Ok(Json(world.replay(from).await?)),
    }
}
