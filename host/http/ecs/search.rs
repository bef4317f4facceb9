//! `GET /api/ecs/agents/search`: agents that are looked for, by the strategies and rankers that search
//! documents or by their very names. Decides nothing about searching.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::TheWorld;
use crate::ecs::view::AgentView;
use crate::http::backend::BackendError;
use crate::http::problem::{Code, Problem, ProblemDocument, Violation, code_of};
use crate::http::search::persona;
use crate::http::{Shared, fields};
use crate::query::Persona;
use crate::service::SearchError;

/// Bytes of a query, as in searches of documents.
const MAX_QUERY: usize = 4096;
/// Bytes of the name of a strategy or a ranker.
const MAX_NAME: usize = 64;
const DEFAULT_STRATEGY: &str = "hybrid";

/// A validated search for agents.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentSearch {
    /// Trimmed, not empty.
    pub query: String,
    /// By id, name and spirit alone, without strategy and ranker.
    pub exact: bool,
    /// With or without its `strategy-` prefix.
    pub strategy: String,
    /// None: the default ranker.
    pub ranker: Option<String>,
    /// Whom the ranker may please.
    pub persona: Option<Arc<Persona>>,
    /// 1..=100.
    pub limit: u32,
}

/// Living agents, the best first. An agent is found within a second of its creation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentMatches {
    pub query: String,
    pub exact_match: bool,
    pub results: Vec<AgentMatch>,
    /// Of `results`.
    pub count: u32,
    /// Labels of what ran, such as `semantic`, `syntax`, `hybrid`, `exact`.
    pub search_strategies: Vec<String>,
    /// A part of the search failed.
    pub degraded: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentMatch {
    #[serde(flatten)]
    pub agent: AgentView,
    pub score: f32,
    /// `semantic`, `syntax`, `hybrid`; of an exact search `exact` or `substring`.
    pub match_type: String,
}

/// Why agents cannot be searched.
#[derive(Debug, thiserror::Error)]
pub enum AgentSearchError {
    #[error(transparent)]
    Search(#[from] SearchError),
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl From<AgentSearchError> for Problem {
    fn from(error: AgentSearchError) -> Self {
        match error {
            AgentSearchError::Search(error) => error.into(),
            // These reasons are for clients: the world and its index say what is missing, not where they lie.
            AgentSearchError::Backend(BackendError::Unavailable(reason)) => Self::new(Code::Unavailable, reason),
            AgentSearchError::Backend(error) => error.into(),
        }
    }
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct AgentSearchParameters {
    /// What to look for; 1 to 4096 bytes.
    #[param(required = true, nullable = false)]
    query: Option<String>,
    /// An id or a name as it stands, then parts of ids, names and spirits, whatever the case.
    #[param(default = false)]
    exact_match: Option<bool>,
    /// Name of a loaded strategy, with or without `strategy-`.
    #[param(default = "hybrid")]
    strategy: Option<String>,
    /// Name of a loaded ranker, with or without `rank-`; the default ranker when left out.
    ranker: Option<String>,
    /// Id of the agent that searches, whose traits a ranker may take into account.
    agent: Option<String>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
}

/// Agents that match a query.
#[utoipa::path(
    get,
    path = "/api/ecs/agents/search",
    tag = "ecs",
    params(AgentSearchParameters),
    responses(
        (status = 200, body = AgentMatches, description = "living agents, possibly none"),
        (status = 404, body = ProblemDocument, description = "no such strategy; the detail lists the loaded ones"),
        (status = 422, body = ProblemDocument, description = "every parameter that is not valid"),
        (status = 502, body = ProblemDocument, description = "a plugin failed"),
        (status = 503, body = ProblemDocument, description = "the world is away, or too many searches at once"),
        (status = 504, body = ProblemDocument, description = "the search or a plugin took too long"),
    )
)]
pub(in crate::http) async fn search(
    State(shared): State<Arc<Shared>>,
    // Where there is none, that is the answer, whatever the parameters.
    _world: TheWorld,
    parameters: Result<Query<AgentSearchParameters>, QueryRejection>,
) -> Result<Json<AgentMatches>, Problem> {
    let Query(parameters) = parameters
        .map_err(|error| Problem::invalid(vec![Violation::new("", format!("the query: {}", error.body_text()))]))?;
    let (mut request, agent) = to_request(parameters)?;
    request.persona = agent.map(|agent| persona::of(&*shared.backend, &agent)).transpose()?;
    let found = shared.backend.search_agents(request).await;
    if let Err(AgentSearchError::Search(error)) = &found {
        shared.metrics.search_failed(code_of(error).word());
    }
    Ok(Json(found?))
}

fn to_request(parameters: AgentSearchParameters) -> Result<(AgentSearch, Option<String>), Problem> {
    let AgentSearchParameters { query, exact_match, strategy, ranker, agent, limit } = parameters;
    let mut violations = Vec::new();
    let query = query.as_deref().map(str::trim);
    match query {
        None => violations.push(Violation::new("query", "is missing")),
        Some("") => violations.push(Violation::new("query", "is empty")),
        Some(text) if text.len() > MAX_QUERY => {
            let message = format!("is {} bytes long, at most {MAX_QUERY} are taken", text.len());
            violations.push(Violation::new("query", message));
        }
        Some(text) if text.contains('\0') => violations.push(Violation::new("query", "has a NUL character")),
        Some(_) => {}
    }
    let is_name = |name: &str| {
        (1..=MAX_NAME).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    for (field, name) in [("strategy", &strategy), ("ranker", &ranker)] {
        if name.as_ref().is_some_and(|name| !is_name(name)) {
            violations.push(Violation::new(field, format!("is not the name of a {field}")));
        }
    }
    let limit = fields::within("limit", limit, 20, 1, 100, &mut violations) as u32;
    let request = AgentSearch {
        query: query.unwrap_or_default().to_owned(),
        exact: exact_match.unwrap_or(false),
        strategy: strategy.unwrap_or_else(|| DEFAULT_STRATEGY.to_owned()),
        ranker,
        persona: None,
        limit,
    };
    if violations.is_empty() { Ok((request, agent)) } else { Err(Problem::invalid(violations)) }
}
