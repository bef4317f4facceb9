//! Agents over HTTP: the list, one agent, new ones, children, and the end of one.

use std::collections::HashMap;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::checks::{self, Checks};
use super::parameters::Parameters;
use super::{Awake, OfTheRules, TheWorld, next_page};
use crate::ecs::component::{GENDER_EXPRESSIONS, GENDER_IDENTITIES};
use crate::ecs::view::{AgentDetail, AgentView, NewAgent};
use crate::ecs::world::AgentFilter;
use crate::http::problem::{Problem, ProblemDocument, Violation};
use crate::http::{Name, body};

const NEW: &[&str] = &["agent_id", "spirit", "style", "name", "x", "y", "age", "gender_identity", "gender_expression"];
const OFFSPRING: &[&str] = &["parent1_id", "parent2_id", "offspring_id"];
/// Agents of one request.
const MAX_BATCH: usize = 1000;
/// Years; the rules have an end of their own, far below.
const MAX_AGE: f32 = 10_000.0;

/// One page of the agents, in the order of their creation. The earlier API answered with the bare list,
/// whole.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct AgentList {
    agents: Vec<AgentView>,
    /// Of all that match, not only of this page.
    total: u64,
    offset: u64,
    limit: u32,
}

/// List the agents.
#[utoipa::path(
    get,
    path = "/api/ecs/agents",
    tag = "ecs",
    params(
        ("limit" = Option<u32>, Query, description = "50 when left out", minimum = 1, maximum = 1000),
        ("offset" = Option<u64>, Query, description = "agents to skip"),
        ("active_only" = Option<bool>, Query, description = "only living ones; true when left out"),
        ("spirit" = Option<String>, Query, description = "only those of this spirit"),
        ("style" = Option<String>, Query, description = "only those of this style"),
    ),
    responses((status = 200, body = AgentList, headers(("link" = String, description = "the next page, if there is one"))))
)]
pub(in crate::http) async fn list(Awake(world): Awake, uri: Uri) -> Result<(HeaderMap, Json<AgentList>), Problem> {
    let mut parameters = Parameters::of(&uri, &["limit", "offset", "active_only", "spirit", "style"]);
    let page = parameters.page(50);
    let filter = AgentFilter {
        spirit: parameters.text("spirit"),
        style: parameters.text("style"),
        active_only: parameters.flag("active_only", true),
    };
    parameters.done()?;
    let found = world.agents(&filter, page);
    let link = next_page(&uri, page, &found);
    let list = AgentList { agents: found.items, total: found.total, offset: page.offset, limit: page.limit };
    Ok((link, Json(list)))
}

/// All of one agent.
#[utoipa::path(
    get,
    path = "/api/ecs/agents/{id}",
    tag = "ecs",
    params(("id" = String, Path, description = "the agent's id")),
    responses((status = 200, body = AgentDetail))
)]
pub(in crate::http) async fn agent(TheWorld(world): TheWorld, Name(id): Name) -> Result<Json<AgentDetail>, Problem> {
    Ok(Json(world.agent(&id)?))
}

/// Create an agent.
///
/// Answers 200, because clients of the earlier API take every other status for a failure.
#[utoipa::path(
    post,
    path = "/api/ecs/agents",
    tag = "ecs",
    request_body = NewAgent,
    responses(
        (status = 200, body = AgentView, description = "durable", headers(("location" = String, description = "path of the agent"))),
        (status = 409, body = ProblemDocument, description = "the id or the name is taken"),
        OfTheRules,
    )
)]
pub(in crate::http) async fn create(TheWorld(world): TheWorld, request: Request) -> Result<Response, Problem> {
    let (agent, mut checks) = checks::read::<NewAgent>(request, NEW).await?;
    check_new(&agent, &mut checks);
    checks.done()?;
    Ok(located(world.create(agent).await?))
}

fn located(agent: AgentView) -> Response {
    let location = format!("/api/ecs/agents/{}", agent.agent_id);
    (StatusCode::OK, [(header::LOCATION, location)], Json(agent)).into_response()
}

fn check_new(agent: &NewAgent, checks: &mut Checks) {
    checks.new_id("agent_id", Some(agent.agent_id.clone()).filter(|id| !id.is_empty()));
    checks.name("name", agent.name.as_deref());
    checks.name("spirit", agent.spirit.as_deref());
    checks.name("style", agent.style.as_deref());
    checks.place(agent.x, agent.y);
    checks.between("age", agent.age, 0.0, MAX_AGE);
    for (field, given, known) in [
        ("gender_identity", &agent.gender_identity, &GENDER_IDENTITIES[..]),
        ("gender_expression", &agent.gender_expression, &GENDER_EXPRESSIONS[..]),
    ] {
        if given.as_ref().is_some_and(|given| !known.contains(&given.as_str())) {
            checks.refuse(field, format!("is none of {}", known.join(", ")));
        }
    }
}

/// Agents that shall all be created, or none.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::http) struct Batch {
    #[schema(required = true, nullable = false, value_type = Vec<NewAgent>, min_items = 1, max_items = 1000)]
    agents: Option<Vec<Value>>,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Created {
    /// In the order of the request.
    agents: Vec<AgentView>,
    count: usize,
}

/// Create many agents at once: all, or none.
#[utoipa::path(
    post,
    path = "/api/ecs/agents/batch",
    tag = "ecs",
    request_body = Batch,
    responses(
        (status = 200, body = Created, description = "durable"),
        (status = 409, body = ProblemDocument, description = "an id or a name is taken"),
        OfTheRules,
    )
)]
pub(in crate::http) async fn create_many(
    TheWorld(world): TheWorld,
    request: Request,
) -> Result<Json<Created>, Problem> {
    let (batch, mut checks) = checks::read::<Batch>(request, &["agents"]).await?;
    let values = checks.required("agents", batch.agents);
    if checks.0.is_empty() && !(1..=MAX_BATCH).contains(&values.len()) {
        checks.refuse("agents", format!("has {} entries, but must have from 1 to {MAX_BATCH}", values.len()));
    }
    checks.done()?;
    let agents = world.create_many(to_new_agents(values)?).await?;
    Ok(Json(Created { count: agents.len(), agents }))
}

fn to_new_agents(values: Vec<Value>) -> Result<Vec<NewAgent>, Problem> {
    let mut agents: Vec<NewAgent> = Vec::with_capacity(values.len());
    let mut first: HashMap<String, usize> = HashMap::with_capacity(values.len());
    let mut all = vec![];
    for (at, value) in values.into_iter().enumerate() {
        let (agent, violations) = match NewAgent::deserialize(&value) {
            Ok(agent) => (agent, vec![]),
            Err(_) => match value {
                Value::Object(object) => body::salvage(object, NEW),
                _ => {
                    all.push(Violation::new(format!("agents[{at}]"), "must be an object"));
                    continue;
                }
            },
        };
        let mut checks = Checks(violations);
        check_new(&agent, &mut checks);
        match first.get(&agent.agent_id) {
            Some(earlier) if !agent.agent_id.is_empty() => {
                checks.refuse("agent_id", format!("is that of agents[{earlier}] too"));
            }
            _ => _ = first.insert(agent.agent_id.clone(), at),
        }
        agents.push(agent);
        all.extend(checks.0.into_iter().map(|mut violation| {
            violation.field = format!("agents[{at}].{}", violation.field);
            violation
        }));
        if all.len() >= body::MAX_VIOLATIONS {
            break;
        }
    }
    if all.is_empty() { Ok(agents) } else { Err(Problem::invalid(all)) }
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::http) struct OffspringBody {
    #[schema(required = true, nullable = false)]
    parent1_id: Option<String>,
    #[schema(required = true, nullable = false)]
    parent2_id: Option<String>,
    /// The child's; 3 to 50 letters, digits, `_` or `-`.
    #[schema(required = true, nullable = false, min_length = 3, max_length = 50)]
    offspring_id: Option<String>,
}

/// Let two agents have a child.
#[utoipa::path(
    post,
    path = "/api/ecs/agents/offspring",
    tag = "ecs",
    request_body = OffspringBody,
    responses(
        (status = 200, body = AgentView, description = "durable", headers(("location" = String, description = "path of the child"))),
        (status = 409, body = ProblemDocument, description = "the id is taken, or the two may not breed now; the detail says why"),
        OfTheRules,
    )
)]
pub(in crate::http) async fn breed(TheWorld(world): TheWorld, request: Request) -> Result<Response, Problem> {
    let (body, mut checks) = checks::read::<OffspringBody>(request, OFFSPRING).await?;
    let first = checks.required("parent1_id", body.parent1_id);
    let second = checks.other("parent2_id", body.parent2_id, &first);
    let child = checks.new_id("offspring_id", body.offspring_id);
    checks.done()?;
    Ok(located(world.breed(&first, &second, &child).await?))
}

/// Retire an agent. Its lineage, and what others remember of it, stay.
#[utoipa::path(
    delete,
    path = "/api/ecs/agents/{id}",
    tag = "ecs",
    params(("id" = String, Path, description = "the agent's id")),
    responses(
        (status = 204, description = "gone; durable"),
        (status = 409, body = ProblemDocument, description = "it is gone already"),
    )
)]
pub(in crate::http) async fn retire(TheWorld(world): TheWorld, Name(id): Name) -> Result<StatusCode, Problem> {
    world.retire(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
