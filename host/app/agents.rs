//! Agents as a second collection that is searched. The world is the truth; the index, in a folder of its
//! own, is derived from it and follows it. Answers show agents as the world has them at that moment. Knows
//! nothing of rules and ticks.

/// By id, name and spirit alone.
mod directory;
/// From the world to the index.
mod follow;
/// When it is tried again.
mod patience;
/// An agent in words.
mod profile;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::{Mutex, RwLock};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::directory::Directory;
use self::follow::Follower;
use super::AppError;
use crate::cache::Cache;
use crate::ecs::World;
use crate::ecs::view::AgentView;
use crate::http::{AgentMatch, AgentMatches, AgentSearch, AgentSearchError, BackendError};
use crate::index::{Index, IndexError};
use crate::query::Query;
use crate::runtime::Runtime;
use crate::service::answer::SearchResponse;
use crate::service::{DEFAULT_WINDOW, SearchError, SearchRequest, Service, ServiceLimits};

/// Where the index lies, below the data folder.
const FOLDER: &str = "agents-index";
/// What stands before an agent's id in a document's path.
const PATH: &str = "agents/";
/// Candidates that are asked for beyond the limit, for those that left the world since they were indexed.
const SPARE: u32 = 20;

/// The collection of agents, following the world until it is stopped.
pub struct Agents {
    world: Arc<dyn World>,
    service: Service,
    directory: Arc<RwLock<Directory>>,
    closing: CancellationToken,
    follower: Mutex<Option<JoinHandle<()>>>,
}

impl Agents {
    /// Opens the index below `data` and begins to follow; returns before it has caught up.
    pub async fn start(
        world: Arc<dyn World>,
        runtime: Arc<Runtime>,
        cache: Cache,
        limits: ServiceLimits,
        data: &Path,
    ) -> Result<Self, AppError> {
        let folder = data.join(FOLDER);
        let open = move || Index::open(&folder);
        let index = tokio::task::spawn_blocking(open).await.map_err(|error| IndexError::Read(error.to_string()))??;
        let index = Arc::new(index);
        // Its generations count this host's own writes: another host's, or those of an index that was built
        // again, say nothing about these.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let chance = getrandom::u64().unwrap_or_default();
        let collection = format!("agents {} {chance:016x}", since.as_nanos());
        let service = Service::over(&collection, runtime, index.clone(), cache, limits);
        let (directory, closing) = (Arc::<RwLock<Directory>>::default(), CancellationToken::new());
        let follower = Follower::new(world.clone(), index, directory.clone());
        let follower = tokio::spawn(follower.run(closing.clone()));
        Ok(Self { world, service, directory, closing, follower: Mutex::new(Some(follower)) })
    }

    pub async fn search(&self, request: AgentSearch) -> Result<AgentMatches, AgentSearchError> {
        if !follow::serves(&*self.world) {
            let reason = format!("the world of agents is not there: it is {}", self.world.status().status);
            return Err(BackendError::Unavailable(reason).into());
        }
        if request.exact { self.by_name(request).await } else { self.by_strategy(request).await }
    }

    /// Ends following; what is committed stays.
    pub async fn stop(&self) {
        self.closing.cancel();
        let follower = self.follower.lock().take();
        if let Some(follower) = follower
            && let Err(error) = follower.await
        {
            tracing::warn!(%error, "the index of agents did not stop in order");
        }
    }

    async fn by_name(&self, request: AgentSearch) -> Result<AgentMatches, AgentSearchError> {
        let (directory, query) = (self.directory.clone(), request.query.clone());
        let wanted = (request.limit + SPARE) as usize;
        // A hundred thousand names take longer than a thread that serves connections has.
        let look = move || directory.read().find(&query, wanted);
        let found = tokio::task::spawn_blocking(look).await.map_err(|error| SearchError::Index(error.to_string()))?;
        let found = found.into_iter().map(|(id, exact)| {
            let (score, match_type) = if exact { (1.0, "exact") } else { (0.5, "substring") };
            (id, score, match_type.to_owned())
        });
        let results = self.living(found.collect(), request.limit);
        Ok(matches(request, results, vec!["exact".to_owned()], false))
    }

    async fn by_strategy(&self, request: AgentSearch) -> Result<AgentMatches, AgentSearchError> {
        let wanted = request.limit + SPARE;
        let answer = self
            .service
            .search(SearchRequest {
                strategy: request.strategy.clone(),
                ranker: request.ranker.clone(),
                query: Query::new(request.query.clone(), wanted.max(DEFAULT_WINDOW)),
                offset: 0,
                max_results: wanted,
                context_lines: 0,
                explain: false,
                facets: vec![],
                persona: request.persona.clone(),
                understand: None,
            })
            .await?;
        let response: SearchResponse =
            serde_json::from_slice(&answer.body).map_err(|error| SearchError::Index(error.to_string()))?;
        let found = response.results.into_iter().filter_map(|result| {
            let id = result.file_path.strip_prefix(PATH)?.to_owned();
            Some((id, result.score, result.match_type))
        });
        let results = self.living(found.collect(), request.limit);
        Ok(matches(request, results, response.search_strategies, response.degraded))
    }

    /// The first `limit` of those that live, each once, as the world has them.
    fn living(&self, found: Vec<(String, f32, String)>, limit: u32) -> Vec<AgentMatch> {
        let ids: Vec<String> = found.iter().map(|(id, ..)| id.clone()).collect();
        let agents = self.world.agents_by_id(&ids);
        let agents: HashMap<String, AgentView> =
            agents.into_iter().filter(|agent| agent.active).map(|agent| (agent.agent_id.clone(), agent)).collect();
        let mut seen = HashSet::new();
        let shown = found.into_iter().filter_map(|(id, score, match_type)| {
            let agent = agents.get(&id).filter(|_| seen.insert(id))?.clone();
            Some(AgentMatch { agent, score, match_type })
        });
        shown.take(limit as usize).collect()
    }
}

fn matches(
    request: AgentSearch,
    results: Vec<AgentMatch>,
    search_strategies: Vec<String>,
    degraded: bool,
) -> AgentMatches {
    let count = results.len() as u32;
    AgentMatches { query: request.query, exact_match: request.exact, results, count, search_strategies, degraded }
}

#[cfg(test)]
mod tests;
