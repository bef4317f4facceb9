//! The world at one moment: entities, who is called what, groups, the clock. Changes by events only
//! (`apply`) and by ticks (`tick`), so that the same events make the same state. Nothing in here asks
//! rules, waits, or looks at a real clock.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::apply::Remembrance;
use super::component::*;
use super::crowd::Crowds;
use super::event::Recorded;
use super::numbers::ByNumber;
use crate::rules::{Bond, Customs, InteractionKind, Outcome, RulesDigest, TraitNames};

/// Owns everything; `pub(super)` so that the parts of this module (apply, tick, snapshot, read) share it.
pub struct State {
    /// All living agents; one archetype, in the order of their coming (a departed agent's place is
    /// taken by the last one, which a snapshot keeps as it is).
    pub(super) agents: hecs::World,
    /// Living agents.
    pub(super) entities: ByNumber<hecs::Entity>,
    /// Living and departed agents.
    pub(super) known: ByNumber<()>,
    /// Numbers that were given: to those who live, departed, were forgotten, or were undone by a restoration.
    pub(super) given: u32,
    /// Of living and departed agents.
    pub(super) ids: HashMap<Box<str>, AgentNumber>,
    /// Of living and departed agents.
    pub(super) names: HashSet<Box<str>>,
    /// Those who left and are not forgotten.
    pub(super) departed: BTreeMap<AgentNumber, Departed>,
    /// When departed agents are forgotten. The same in every world, no part of the digest.
    pub(super) remembrance: Remembrance,
    pub(super) groups: BTreeMap<u32, Group>,
    pub(super) next_group: u32,
    pub(super) clock: Clock,
    pub(super) breeding: bool,
    pub(super) seed: u64,
    pub(super) seconds_per_year: f32,
    pub(super) traits: TraitNames,
    pub(super) rules: Option<Ruling>,
    /// Of the rules that decide now: derived from them, no part of the digest.
    pub(super) customs: Customs,
    /// The last event applied.
    pub(super) sequence: u64,
    /// Children ever born.
    pub(super) offspring: u64,
    /// What is costly to count, and the event up to which it was counted; no part of the digest.
    pub(super) counted: parking_lot::Mutex<Option<(u64, super::read::Counted)>>,
    /// The living as columns, once somebody asked for them; no part of the digest. What changes who lives, or
    /// traits, changes it too.
    pub(super) crowds: OnceLock<Crowds>,
}

/// What is kept of an agent that died or was retired, for lineages, until it is forgotten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Departed {
    pub id: Box<str>,
    pub name: Box<str>,
    pub spirit: Box<str>,
    pub style: Box<str>,
    pub generation: u32,
    pub parents: Option<[AgentNumber; 2]>,
    pub children: Vec<AgentNumber>,
    /// Tick of its going.
    pub left: u64,
    /// It died of itself.
    pub died: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub leader: AgentNumber,
    /// Ascending; the leader too.
    pub members: Vec<AgentNumber>,
    pub founded_tick: u64,
    /// Mean strength of the bonds between leader and members, 0 to 1.
    pub cohesion: f32,
    pub influence: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    pub tick: u64,
    pub world_seconds: f64,
    /// 0.1 to 100.
    pub acceleration: f32,
    pub paused: bool,
}

/// The rules that decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    pub name: String,
    pub version: String,
    pub digest: RulesDigest,
}

/// What two agents had to do with each other, as both will keep it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Meeting {
    /// The sender, where one speaks.
    pub first: AgentNumber,
    pub second: AgentNumber,
    pub kind: InteractionKind,
    pub outcome: Outcome,
    /// -1 to 1.
    pub impact: f32,
    pub after: Bond,
    /// 0 to 1 each.
    pub energy_costs: [f32; 2],
    /// How well both will remember it, 0 to 1.
    pub importance: f32,
    /// -1 to 1.
    pub emotion: f32,
}

/// All components of an agent, in the order in which they are kept.
pub(super) type Body =
    (Agent, Traits, Lifecycle, Reproduction, Lineage, Position, Interactions, Social, Memory, Knowledge, Gender);

/// A `Body` where it lies.
pub(super) type Whole<'a> = (
    &'a Agent,
    &'a Traits,
    &'a Lifecycle,
    &'a Reproduction,
    &'a Lineage,
    &'a Position,
    &'a Interactions,
    &'a Social,
    &'a Memory,
    &'a Knowledge,
    &'a Gender,
);

/// Why an event cannot have happened in this world. The state is as it was.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ApplyError {
    #[error("event {found} does not follow event {last}")]
    OutOfOrder { last: u64, found: u64 },
    #[error("event {sequence} says tick {found}, the world is at {tick}")]
    WrongTick { sequence: u64, tick: u64, found: u64 },
    #[error("the world has not begun")]
    NotBegun,
    #[error("the world has begun already")]
    Begun,
    #[error("no rules have named the traits")]
    NoTraits,
    #[error("there is no living agent {}", .0.0)]
    NoAgent(AgentNumber),
    #[error("agent {} has {found} traits, the rules know {expected}", .agent.0)]
    Width { agent: AgentNumber, expected: usize, found: usize },
    /// A value that is out of its range, or no number.
    #[error("{0} is {1}")]
    Value(&'static str, f64),
    #[error("{0}")]
    Contradiction(String),
    /// A tick needs rules and a restoration a snapshot.
    #[error("{0} is no event that can be applied by itself")]
    NotByItself(&'static str),
}

impl State {
    /// A world before its first event.
    pub fn new() -> Self {
        Self {
            agents: hecs::World::new(),
            entities: ByNumber::default(),
            known: ByNumber::default(),
            given: 0,
            ids: HashMap::new(),
            names: HashSet::new(),
            departed: BTreeMap::new(),
            remembrance: Remembrance::default(),
            groups: BTreeMap::new(),
            next_group: 1,
            clock: Clock { tick: 0, world_seconds: 0.0, acceleration: 1.0, paused: false },
            breeding: true,
            seed: 0,
            seconds_per_year: 3600.0,
            traits: TraitNames::default(),
            rules: None,
            customs: Customs::default(),
            sequence: 0,
            offspring: 0,
            counted: parking_lot::Mutex::new(None),
            crowds: OnceLock::new(),
        }
    }

    /// The customs of the rules that decide from here on. They are no part of events or snapshots: whoever
    /// applies `Event::Ruled` or decodes a snapshot sets them before the next event.
    pub fn set_customs(&mut self, customs: Customs) {
        self.customs = customs;
        *self.counted.get_mut() = None;
    }

    /// The last event applied; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether an event comes at its place.
    pub(super) fn expect(&self, recorded: &Recorded) -> Result<(), ApplyError> {
        if recorded.sequence != self.sequence + 1 {
            return Err(ApplyError::OutOfOrder { last: self.sequence, found: recorded.sequence });
        }
        if recorded.tick != self.clock.tick {
            let (sequence, tick, found) = (recorded.sequence, self.clock.tick, recorded.tick);
            return Err(ApplyError::WrongTick { sequence, tick, found });
        }
        Ok(())
    }

    /// Opens the tick of a `Ticked` event: its sequence counts from here on, its number is still the old
    /// one, which everything that happens in it bears. `advance` closes it.
    pub(super) fn begin_tick(&mut self, recorded: &Recorded) -> Result<(), ApplyError> {
        self.expect(recorded)?;
        if self.rules.is_none() {
            return Err(ApplyError::NoTraits);
        }
        self.sequence = recorded.sequence;
        Ok(())
    }

    /// Closes a tick of `step` world seconds.
    pub(super) fn advance(&mut self, step: f32) {
        self.clock.tick += 1;
        self.clock.world_seconds += f64::from(step);
        *self.counted.get_mut() = None;
    }

    /// What a `Restored` event does to a decoded snapshot: the world goes on from there under the number
    /// of that event.
    pub(super) fn restored_by(&mut self, sequence: u64) {
        self.sequence = sequence;
        *self.counted.get_mut() = None;
    }

    /// The number that the next new agent must have.
    pub fn next_number(&self) -> AgentNumber {
        AgentNumber(self.given.saturating_add(1))
    }

    /// Of living and departed agents.
    pub fn number(&self, id: &str) -> Option<AgentNumber> {
        self.ids.get(id).copied()
    }

    /// Of living and departed agents.
    pub fn id(&self, number: AgentNumber) -> Option<String> {
        if let Some(departed) = self.departed.get(&number) {
            return Some(departed.id.to_string());
        }
        self.part::<Agent>(number).map(|agent| agent.id.to_string())
    }

    /// Its id, or for one that is forgotten its number as `#7`.
    pub(super) fn called(&self, number: AgentNumber) -> String {
        self.id(number).unwrap_or_else(|| format!("#{}", number.0))
    }

    /// Whether an agent, living or departed, has this name.
    pub fn is_named(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub fn is_living(&self, number: AgentNumber) -> bool {
        self.entity(number).is_some()
    }

    /// None: never was, departed, or forgotten.
    pub(super) fn entity(&self, number: AgentNumber) -> Option<hecs::Entity> {
        self.entities.get(number)
    }

    pub(super) fn living(&self, number: AgentNumber) -> Result<hecs::Entity, ApplyError> {
        self.entity(number).ok_or(ApplyError::NoAgent(number))
    }

    /// One component of a living agent.
    pub(super) fn part<C: hecs::Component>(&self, number: AgentNumber) -> Option<hecs::Ref<'_, C>> {
        self.agents.get::<&C>(self.entity(number)?).ok()
    }
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

/// In what stage of life an age is.
pub(super) fn stage(age: f32, customs: &Customs) -> LifeStage {
    let [infancy, youth, adulthood] = customs.stages;
    match age {
        age if age < infancy => LifeStage::Infant,
        age if age < youth => LifeStage::Juvenile,
        age if age < adulthood => LifeStage::Adult,
        _ => LifeStage::Elder,
    }
}
