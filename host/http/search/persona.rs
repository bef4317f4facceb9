//! From an agent's id in a request to the traits that the search is made with. Knows nothing of rankers.

use std::sync::Arc;

use crate::ecs::view::WorldError;
use crate::http::backend::Backend;
use crate::http::problem::{Code, Problem, Violation};
use crate::query::Persona;

/// The agent as it is now; a problem on the field `agent` when there is none of this id.
pub(in crate::http) fn of(backend: &dyn Backend, agent: &str) -> Result<Arc<Persona>, Problem> {
    let away = |detail: &str| Problem::new(Code::Unavailable, detail);
    let world = backend.world().ok_or_else(|| away("this server has no world of agents: leave `agent` out"))?;
    match world.traits_of(agent) {
        Ok(traits) => Ok(Arc::new(Persona::new(agent, traits))),
        Err(WorldError::NoAgent(_)) => {
            let violation = Violation::new("agent", "is not the id of an agent of the world");
            Err(Problem::invalid(vec![violation.remedy("write one that /api/ecs/agents lists, or leave it out")]))
        }
        Err(WorldError::Unavailable(reason)) => Err(away(&reason)),
        Err(error) => {
            tracing::error!(%error, "an agent's traits cannot be read");
            Err(away("the world of agents cannot be read; try again in a second"))
        }
    }
}
