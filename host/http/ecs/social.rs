//! What passes between agents, and what stays of it.

use axum::Json;
use axum::extract::Request;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameters::Parameters;
use super::{OfTheRules, TheWorld, checks};
use crate::ecs::view::{ChatView, InteractionView, PastInteractionView, RelationshipView, SocialStats};
use crate::http::Name;
use crate::http::problem::{Problem, ProblemDocument};

const MAX_MESSAGE: usize = 1000;

#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::http) struct InteractBody {
    #[schema(required = true, nullable = false)]
    agent2_id: Option<String>,
    /// communication, social, playing, collaboration, conflict, competitive, breeding, romantic,
    /// mentoring, learning or teaching.
    #[schema(default = "communication")]
    interaction_type: Option<String>,
}

/// Let an agent interact with another.
#[utoipa::path(
    post,
    path = "/api/ecs/agents/{id}/interact",
    tag = "ecs",
    params(("id" = String, Path, description = "the agent's id")),
    request_body = InteractBody,
    responses(
        (status = 200, body = InteractionView, description = "durable"),
        (status = 409, body = ProblemDocument, description = "one of them is gone"),
        OfTheRules,
    )
)]
pub(in crate::http) async fn interact(
    TheWorld(world): TheWorld,
    Name(id): Name,
    request: Request,
) -> Result<Json<InteractionView>, Problem> {
    let (body, mut checks) = checks::read::<InteractBody>(request, &["agent2_id", "interaction_type"]).await?;
    let other = checks.other("agent2_id", body.agent2_id, &id);
    let (kind, word) = checks.kind(body.interaction_type);
    checks.done()?;
    Ok(Json(world.interact(&id, &other, kind, &word).await?))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::http) struct PairBody {
    #[schema(required = true, nullable = false)]
    agent1_id: Option<String>,
    #[schema(required = true, nullable = false)]
    agent2_id: Option<String>,
    /// As for `/api/ecs/agents/{id}/interact`.
    #[schema(default = "communication")]
    interaction_type: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Interacted {
    /// It took place; `interaction.outcome` says how it went.
    success: bool,
    interaction: InteractionView,
}

/// Let two agents interact.
#[utoipa::path(
    post,
    path = "/api/ecs/interactions",
    tag = "ecs",
    request_body = PairBody,
    responses(
        (status = 200, body = Interacted, description = "durable"),
        (status = 409, body = ProblemDocument, description = "one of them is gone"),
        OfTheRules,
    )
)]
pub(in crate::http) async fn interact_pair(
    TheWorld(world): TheWorld,
    request: Request,
) -> Result<Json<Interacted>, Problem> {
    let fields = ["agent1_id", "agent2_id", "interaction_type"];
    let (body, mut checks) = checks::read::<PairBody>(request, &fields).await?;
    let first = checks.required("agent1_id", body.agent1_id);
    let second = checks.other("agent2_id", body.agent2_id, &first);
    let (kind, word) = checks.kind(body.interaction_type);
    checks.done()?;
    Ok(Json(Interacted { success: true, interaction: world.interact(&first, &second, kind, &word).await? }))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::http) struct ChatBody {
    #[schema(required = true, nullable = false)]
    receiver_id: Option<String>,
    #[schema(required = true, nullable = false, min_length = 1, max_length = 1000)]
    message: Option<String>,
    /// As for `/api/ecs/agents/{id}/interact`.
    #[schema(default = "communication")]
    interaction_type: Option<String>,
}

/// Let an agent say something to another.
#[utoipa::path(
    post,
    path = "/api/ecs/agents/{id}/chat",
    tag = "ecs",
    params(("id" = String, Path, description = "the sender's id")),
    request_body = ChatBody,
    responses(
        (status = 200, body = ChatView, description = "durable"),
        (status = 409, body = ProblemDocument, description = "one of them is gone"),
    )
)]
pub(in crate::http) async fn chat(
    TheWorld(world): TheWorld,
    Name(id): Name,
    request: Request,
) -> Result<Json<ChatView>, Problem> {
    let fields = ["receiver_id", "message", "interaction_type"];
    let (body, mut checks) = checks::read::<ChatBody>(request, &fields).await?;
    let receiver = checks.other("receiver_id", body.receiver_id, &id);
    let said = body.message.as_ref().map(|message| message.chars().count());
    let message = checks.required("message", body.message);
    if said.is_some_and(|length| !(1..=MAX_MESSAGE).contains(&length)) {
        checks.refuse("message", format!("must have 1 to {MAX_MESSAGE} characters"));
    }
    let (kind, word) = checks.kind(body.interaction_type);
    checks.done()?;
    Ok(Json(world.chat(&id, &receiver, &message, kind, &word).await?))
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct PastInteractions {
    /// Latest first.
    interactions: Vec<PastInteractionView>,
    /// Of all that there were, not only of these.
    total_count: u64,
}

/// What passed between an agent and others lately.
#[utoipa::path(
    get,
    path = "/api/ecs/agents/{id}/interactions",
    tag = "ecs",
    params(
        ("id" = String, Path, description = "the agent's id"),
        ("limit" = Option<u32>, Query, description = "10 when left out", minimum = 1, maximum = 100),
    ),
    responses((status = 200, body = PastInteractions))
)]
pub(in crate::http) async fn interactions(
    TheWorld(world): TheWorld,
    Name(id): Name,
    uri: Uri,
) -> Result<Json<PastInteractions>, Problem> {
    let mut parameters = Parameters::of(&uri, &["limit"]);
    let limit = parameters.number("limit", 10, 1, 100);
    parameters.done()?;
    let page = world.interactions(&id, limit)?;
    Ok(Json(PastInteractions { interactions: page.items, total_count: page.total }))
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Relationships {
    agent_id: String,
    total_relationships: usize,
    relationships: Vec<RelationshipView>,
}

/// How an agent stands to others.
#[utoipa::path(
    get,
    path = "/api/ecs/agents/{id}/relationships",
    tag = "ecs",
    params(("id" = String, Path, description = "the agent's id")),
    responses((status = 200, body = Relationships))
)]
pub(in crate::http) async fn relationships(
    TheWorld(world): TheWorld,
    Name(id): Name,
) -> Result<Json<Relationships>, Problem> {
    let relationships = world.relationships(&id)?;
    Ok(Json(Relationships { agent_id: id, total_relationships: relationships.len(), relationships }))
}

/// How social an agent is.
#[utoipa::path(
    get,
    path = "/api/ecs/agents/{id}/social_stats",
    tag = "ecs",
    params(("id" = String, Path, description = "the agent's id")),
    responses((status = 200, body = SocialStats))
)]
pub(in crate::http) async fn social_stats(
    TheWorld(world): TheWorld,
    Name(id): Name,
) -> Result<Json<SocialStats>, Problem> {
    Ok(Json(world.social_stats(&id)?))
}
