//! What can be read off the state, in the words of clients (`view`) and of rules. All of it is read at
//! once, from memory; each costly read says what it costs. Decides nothing.

/// Lists of agents, and all of one.
mod agents;
/// What the world takes of memory.
mod footprint;
/// Lineages, kinship, who may breed.
mod lineage;
/// Who is where.
mod map;
/// Who had to do with whom.
mod social;

use std::cmp::Ordering;
use std::sync::Arc;

pub(super) use lineage::LINEAGE_DEPTH;

use super::component::*;
use super::crowd::{Crowds, Part};
use super::record::hexadecimal;
use super::state::{Departed, State};
use super::view::*;
use crate::rules::{Individual, InteractionKind, Outcome, Standing};

/// What is counted over all agents.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counted {
    pub mature: u64,
    pub footprint: Footprint,
}

impl State {
    /// What the state knows of the world's status; the rest is whoever runs it to say. Counts once an event
    /// (100,000 agents: a tenth of a millisecond), else from what was counted.
    pub fn status(&self) -> WorldStatus {
        let counted = self.counted();
        let label = |ruling: &super::state::Ruling| format!("{}@{}", ruling.name, ruling.version);
        let digest = |ruling: &super::state::Ruling| hexadecimal(&ruling.digest);
        WorldStatus {
            status: if self.clock.paused { "paused" } else { "running" }.into(),
            entity_count: u64::from(self.agents.len()) + self.groups.len() as u64,
            agent_count: u64::from(self.agents.len()),
            mature_agents: counted.mature,
            tick: self.clock.tick,
            world_time: self.clock.world_seconds,
            acceleration: self.clock.acceleration,
            sequence: self.sequence,
            rules: self.rules.as_ref().map(label).unwrap_or_default(),
            rules_digest: self.rules.as_ref().map(digest).unwrap_or_default(),
            bytes_per_agent: counted.footprint.total() / u64::from(self.agents.len()).max(1),
            footprint: counted.footprint,
            ..WorldStatus::default()
        }
    }

    pub fn clock_view(&self, tick_ms: u64) -> ClockView {
        ClockView {
            tick: self.clock.tick,
            world_time: self.clock.world_seconds,
            years: self.clock.world_seconds / f64::from(self.seconds_per_year),
            acceleration: self.clock.acceleration,
            paused: self.clock.paused,
            tick_ms,
        }
    }

    pub(super) fn counted(&self) -> Counted {
        let mut kept = self.counted.lock();
        if let Some((sequence, counted)) = *kept
            && sequence == self.sequence
        {
            return counted;
        }
        let maturity = self.customs.maturity_age;
        let mature = self.agents.query::<&Lifecycle>().iter().filter(|life| life.age >= maturity).count() as u64;
        let counted = Counted { mature, footprint: self.footprint() };
        *kept = Some((self.sequence, counted));
        counted
    }

    /// A living agent as rules see it.
    pub fn individual(&self, number: AgentNumber) -> Option<Individual> {
        let mut found = self.agents.query_one::<(&Agent, &Traits)>(self.entity(number)?);
        let (agent, traits) = found.get().ok()?;
        Some(Individual {
            traits: traits.values.to_vec(),
            spirit: agent.spirit.to_string(),
            generation: agent.generation,
            mutations: traits.mutations,
        })
    }

    /// All living agents as rules score them. Gathered by the first call (some ten milliseconds for 100,000),
    /// kept up with events from then on.
    pub(super) fn crowds(&self) -> Vec<Arc<Part>> {
        let gather = || Crowds::gather(self.traits.width(), self.agents.query::<(&Agent, &Traits)>().iter());
        self.crowds.get_or_init(gather).parts()
    }

    /// Living or departed.
    pub fn find(&self, id: &str) -> Result<AgentNumber, WorldError> {
        self.number(id).ok_or_else(|| WorldError::NoAgent(id.to_owned()))
    }

    pub fn find_living(&self, id: &str) -> Result<AgentNumber, WorldError> {
        self.find(id).and_then(|number| match self.is_living(number) {
            true => Ok(number),
            false => Err(WorldError::NoAgent(id.to_owned())),
        })
    }

    fn find_entity(&self, id: &str) -> Result<hecs::Entity, WorldError> {
        let entity = self.number(id).and_then(|number| self.entity(number));
        entity.ok_or_else(|| WorldError::NoAgent(id.to_owned()))
    }

    /// Nothing for a number that nobody has or had, or whose agent is forgotten.
    pub fn view(&self, number: AgentNumber) -> Option<AgentView> {
        match self.departed.get(&number) {
            Some(departed) => Some(departed_view(departed)),
            None => self.part::<Agent>(number).map(|agent| agent_view(&agent)),
        }
    }
}

fn agent_view(agent: &Agent) -> AgentView {
    AgentView {
        agent_id: agent.id.to_string(),
        name: agent.name.to_string(),
        spirit: agent.spirit.to_string(),
        style: agent.style.to_string(),
        active: true,
        generation: agent.generation,
    }
}

fn departed_view(departed: &Departed) -> AgentView {
    AgentView {
        agent_id: departed.id.to_string(),
        name: departed.name.to_string(),
        spirit: departed.spirit.to_string(),
        style: departed.style.to_string(),
        active: false,
        generation: departed.generation,
    }
}

/// The first `count` of what comes in this order, without sorting the rest.
pub(super) fn first<T>(mut all: Vec<T>, count: usize, order: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    if count < all.len() {
        all.select_nth_unstable_by(count, &order);
        all.truncate(count);
    }
    all.sort_unstable_by(order);
    all
}

/// What clients read for a kind.
pub(super) fn kind_word(kind: InteractionKind) -> &'static str {
    match kind {
        InteractionKind::Communication => "communication",
        InteractionKind::Collaboration => "collaboration",
        InteractionKind::Teaching => "teaching",
        InteractionKind::Social => "social",
        InteractionKind::Competitive => "competitive",
        InteractionKind::Romantic => "romantic",
    }
}

pub(super) fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::PartialSuccess => "partial_success",
        Outcome::Failure => "failure",
        Outcome::Neutral => "neutral",
    }
}

fn standing_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Outcast => "outcast",
        Standing::Marginal => "marginal",
        Standing::Accepted => "accepted",
        Standing::Popular => "popular",
        Standing::Influential => "influential",
        Standing::Leader => "leader",
    }
}

fn stage_word(stage: LifeStage) -> &'static str {
    match stage {
        LifeStage::Infant => "infant",
        LifeStage::Juvenile => "juvenile",
        LifeStage::Adult => "adult",
        LifeStage::Elder => "elder",
    }
}

#[cfg(test)]
mod tests;
