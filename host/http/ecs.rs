//! The world of agents over HTTP: its routes, and how its handlers come by the world, by ids and by pages.
//! Decides nothing about agents: it asks one trait, `World`, and writes down what comes back.

/// Agents: who there is, who comes, who goes.
pub(super) mod agents;
/// What requests may say.
mod checks;
/// Time, and whether the world lives.
pub(super) mod clock;
/// What happened, as pages or as a stream.
pub(super) mod events;
/// Rules, snapshots, replay.
pub(super) mod history;
/// Who is related to whom, and who may be.
pub(super) mod kin;
/// What agents are called.
pub(super) mod naming;
/// What stands behind the question mark.
pub(super) mod parameters;
/// Agents that are looked for.
pub(super) mod search;
/// What passes between agents.
pub(super) mod social;
/// Where agents are.
pub(super) mod space;
/// What agents are made of.
pub(super) mod traits;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::routing::{MethodRouter, delete, get, post};
use utoipa::IntoResponses;
use utoipa::openapi::{RefOr, Response as ApiResponse};

use crate::ecs::World;
use crate::ecs::world::{Page, PageOf};
use crate::http::Shared;
use crate::http::openapi::problems;
use crate::http::problem::{Code, Problem};

/// Sequences of events and numbers of snapshots: stores count with 63 bits.
const MAX_NUMBER: u64 = i64::MAX as u64;

/// Every path of the world with its handlers.
pub(super) fn routes() -> Vec<(&'static str, MethodRouter<Arc<Shared>>)> {
    vec![
        ("/api/ecs/status", get(clock::status)),
        ("/api/ecs/health", get(clock::health)),
        ("/api/ecs/clock", get(clock::clock).post(clock::set)),
        ("/api/ecs/clock/pause", post(clock::pause)),
        ("/api/ecs/clock/resume", post(clock::resume)),
        ("/api/ecs/clock/step", post(clock::step)),
        ("/api/ecs/agents", get(agents::list).post(agents::create)),
        ("/api/ecs/agents/batch", post(agents::create_many)),
        ("/api/ecs/agents/offspring", post(agents::breed)),
        ("/api/ecs/agents/search", get(search::search)),
        ("/api/ecs/agents/positions", get(space::positions)),
        ("/api/ecs/agents/{id}", delete(agents::retire).get(agents::agent)),
        ("/api/ecs/agents/{id}/mates", get(kin::mates)),
        ("/api/ecs/agents/{id}/compatibility/{other}", get(kin::compatibility)),
        ("/api/ecs/agents/{id}/lineage", get(kin::lineage)),
        ("/api/ecs/agents/{id}/position", get(space::position)),
        ("/api/ecs/agents/{id}/move", post(space::send)),
        ("/api/ecs/agents/{id}/move_towards", post(space::send_towards)),
        ("/api/ecs/agents/{id}/distance/{other}", get(space::distance)),
        ("/api/ecs/agents/{id}/nearby", get(space::nearby)),
        ("/api/ecs/agents/{id}/interact", post(social::interact)),
        ("/api/ecs/agents/{id}/chat", post(social::chat)),
        ("/api/ecs/agents/{id}/interactions", get(social::interactions)),
        ("/api/ecs/agents/{id}/relationships", get(social::relationships)),
        ("/api/ecs/agents/{id}/social_stats", get(social::social_stats)),
        ("/api/ecs/interactions", post(social::interact_pair)),
        ("/api/ecs/breeding/enable", post(kin::enable_breeding)),
        ("/api/ecs/breeding/stats", get(kin::breeding_stats)),
        ("/api/ecs/naming/animal-spirits", get(naming::spirits)),
        ("/api/ecs/naming/animal-spirits/{spirit}", get(naming::spirit)),
        ("/api/ecs/naming/components", get(naming::components)),
        ("/api/ecs/naming/components/{type}", get(naming::component)),
        ("/api/ecs/naming/config", get(naming::config)),
        ("/api/ecs/naming/config/schemes", get(naming::schemes)),
        ("/api/ecs/naming/config/styles", get(naming::styles)),
        ("/api/ecs/naming/config/spirits", get(naming::spirit_names)),
        ("/api/ecs/naming/generation-numbers", get(naming::generation_numbers)),
        ("/api/ecs/naming/generation-numbers/{spirit}", get(naming::generation_numbers_of)),
        ("/api/ecs/naming/enums", get(naming::enums)),
        ("/api/ecs/naming/characters", get(naming::characters)),
        ("/api/ecs/naming/characters/{id}", get(naming::character)),
        ("/api/ecs/traits/config", get(traits::config)),
        ("/api/ecs/traits/spirit/{spirit}", get(traits::of_spirit)),
        ("/api/ecs/traits/personality", get(traits::personality)),
        ("/api/ecs/traits/personality/{spirit}", get(traits::personality_of)),
        ("/api/ecs/traits/physical", get(traits::physical)),
        ("/api/ecs/traits/physical/{spirit}", get(traits::physical_of)),
        ("/api/ecs/traits/abilities", get(traits::abilities)),
        ("/api/ecs/traits/abilities/{spirit}", get(traits::abilities_of)),
        ("/api/ecs/rules", get(history::rules).put(history::set_rules)),
        ("/api/ecs/snapshots", get(history::snapshots).post(history::save)),
        ("/api/ecs/snapshots/{id}/restore", post(history::restore)),
        ("/api/ecs/replay", post(history::replay)),
        ("/api/ecs/events", get(events::events)),
    ]
}

/// The world, whatever its condition; where there is none, that is the answer.
pub(super) struct TheWorld(Arc<dyn World>);

impl FromRequestParts<Arc<Shared>> for TheWorld {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let detail = "this server has no world of agents: ecs.enabled is false";
        shared.backend.world().map(Self).ok_or_else(|| Problem::new(Code::NotFound, detail))
    }
}

/// The world when it can be read; for answers that would be empty, and wrong, while it is away.
pub(super) struct Awake(Arc<dyn World>);

impl FromRequestParts<Arc<Shared>> for Awake {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let TheWorld(world) = TheWorld::from_request_parts(parts, shared).await?;
        world.available()?;
        Ok(Self(world))
    }
}

/// Both variable parts of a path.
pub(super) struct Pair(String, String);

impl<State: Send + Sync> FromRequestParts<State> for Pair {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        match Path::<(String, String)>::from_request_parts(parts, state).await {
            Ok(Path((first, second))) => Ok(Self(first, second)),
            Err(error) => Err(Problem::new(Code::NotFound, error.body_text().to_lowercase())),
        }
    }
}

/// For the API's description: what an answer may be instead when the rules are asked for it.
enum OfTheRules {}

impl IntoResponses for OfTheRules {
    fn responses() -> BTreeMap<String, RefOr<ApiResponse>> {
        problems([("502", "the rules failed"), ("504", "the rules took too long")])
    }
}

/// A `link` to where the list goes on (RFC 8288): the same request with another `field`. Nothing when
/// the list ends here.
fn next_link(uri: &Uri, field: &str, next: Option<u64>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(next) = next {
        let kept = uri.query().unwrap_or_default().split('&');
        let is_field = |pair: &&str| pair.split('=').next() == Some(field);
        let mut query: Vec<String> =
            kept.filter(|pair| !pair.is_empty() && !is_field(pair)).map(str::to_owned).collect();
        query.push(format!("{field}={next}"));
        // A request's own query has only what a header may have.
        if let Ok(link) = HeaderValue::try_from(format!("<{}?{}>; rel=\"next\"", uri.path(), query.join("&"))) {
            headers.insert(header::LINK, link);
        }
    }
    headers
}

/// A `link` to the page after this one, if there is one.
fn next_page<T>(uri: &Uri, page: PageOf, found: &Page<T>) -> HeaderMap {
    let next = page.offset + found.items.len() as u64;
    next_link(uri, "offset", (!found.items.is_empty() && next < found.total).then_some(next))
}
