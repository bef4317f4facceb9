//! `GET /api/ecs/agents/search`: agents that are looked for, by the strategies and rankers that search
//! documents or by their very names. Decides nothing about searching.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::TheWorld;
use super::parameters::Parameters;
use crate::ecs::view::AgentView;
use crate::http::backend::BackendError;
use crate::http::problem::{Code, Problem, ProblemDocument, code_of};
use crate::http::search::persona;
use crate::http::{Shared, fields};
use crate::query::Persona;
use crate::service::SearchError;

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

/// Agents that match a query.
#[utoipa::path(
    get,
    path = "/api/ecs/agents/search",
    tag = "ecs",
    params(
        ("query" = String, Query, description = "what to look for; 1 to 4096 bytes"),
        ("exact_match" = Option<bool>, Query, description = "an id or a name as it stands, then parts of ids, names and spirits, whatever the case; false when left out"),
        ("strategy" = Option<String>, Query, description = "name of a loaded strategy, with or without `strategy-`; `hybrid` when left out"),
        ("ranker" = Option<String>, Query, description = "name of a loaded ranker, with or without `rank-`; the default ranker when left out"),
        ("agent" = Option<String>, Query, description = "id of the agent that searches, whose traits a ranker may take into account"),
        ("limit" = Option<u32>, Query, description = "20 when left out", minimum = 1, maximum = 100),
    ),
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
    uri: Uri,
) -> Result<Json<AgentMatches>, Problem> {
    let (mut request, agent) = to_request(&uri)?;
    request.persona = agent.map(|agent| persona::of(&*shared.backend, &agent)).transpose()?;
    let found = shared.backend.search_agents(request).await;
    if let Err(AgentSearchError::Search(error)) = &found {
        shared.metrics.search_failed(code_of(error).word());
    }
    Ok(Json(found?))
}

fn to_request(uri: &Uri) -> Result<(AgentSearch, Option<String>), Problem> {
    let known = ["query", "exact_match", "strategy", "ranker", "agent", "limit"];
    let mut parameters = Parameters::of(uri, &known);
    let query = parameters.given("query").map(str::to_owned);
    let query = fields::query(query, &mut parameters.violations);
    for field in ["strategy", "ranker"] {
        if parameters.given(field).is_some_and(|name| !fields::is_plugin_name(name)) {
            parameters.violations.push(fields::no_plugin(field));
        }
    }
    let request = AgentSearch {
        query,
        exact: parameters.flag("exact_match", false),
        strategy: parameters.text("strategy").unwrap_or_else(|| DEFAULT_STRATEGY.to_owned()),
        ranker: parameters.text("ranker"),
        persona: None,
        limit: parameters.number("limit", 20, 1, 100),
    };
    // As it stands: one that is empty is nobody's id.
    let agent = parameters.given("agent").map(str::to_owned);
    parameters.done()?;
    Ok((request, agent))
}
