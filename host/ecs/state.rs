//! The world at one moment: entities, who is called what, groups, the clock. Changes by events only
//! (`apply`) and by ticks (`tick`), so that the same events make the same state. Nothing in here asks
//! rules, waits, or looks at a real clock.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::component::AgentNumber;
use crate::rules::{Customs, RulesDigest, TraitNames};

/// Owns everything; `pub(super)` so that the parts of this module (apply, tick, snapshot, read) share it.
pub struct State {
    /// All living agents; one archetype, in the order of their coming (a departed agent's place is
    /// taken by the last one, which a snapshot keeps as it is).
    pub(super) agents: hecs::World,
    /// By number - 1; none: departed.
    pub(super) entities: Vec<Option<hecs::Entity>>,
    /// Of living and departed agents.
    pub(super) ids: HashMap<Box<str>, AgentNumber>,
    /// Of living and departed agents.
    pub(super) names: HashSet<Box<str>>,
    pub(super) departed: BTreeMap<AgentNumber, Departed>,
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
}

/// What is kept of an agent that died or was retired, for lineages.
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
