//! What happened in the world, in the order in which it counts. An event holds what was decided, never
//! how: applying it needs no rules. Only a tick is told by its seed and length alone, and is computed
//! again with the rules that the event before it named.

use serde::{Deserialize, Serialize};

use super::component::{AgentNumber, Gender};
use crate::rules::{Bond, InteractionKind, Outcome, RulesDigest, TraitNames};

/// An event with its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// From 1, without gaps.
    pub sequence: u64,
    /// Ticks before it.
    pub tick: u64,
    /// Unix milliseconds of the host's clock; nothing in the world depends on it.
    pub at: i64,
    /// The rules that decided it; zeros when none did.
    pub rules: RulesDigest,
    pub event: Event,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The first one.
    Genesis {
        seed: u64,
        seconds_per_year: f32,
    },
    /// From here on these rules decide. Traits are carried over by name.
    Ruled {
        name: String,
        version: String,
        digest: RulesDigest,
        traits: TraitNames,
    },
    /// New agents, without parents.
    Created {
        births: Vec<Birth>,
    },
    /// New agents of two parents.
    Bred {
        parents: [AgentNumber; 2],
        births: Vec<Birth>,
    },
    /// An agent that left; its lineage is kept.
    Retired {
        agent: AgentNumber,
    },
    /// Where an agent wants to go.
    Sent {
        agent: AgentNumber,
        target: [f32; 2],
    },
    Interacted {
        first: AgentNumber,
        second: AgentNumber,
        kind: InteractionKind,
        outcome: Outcome,
        impact: f32,
        after: Bond,
        energy_costs: [f32; 2],
        message: Option<String>,
    },
    Chatted {
        sender: AgentNumber,
        receiver: AgentNumber,
        kind: InteractionKind,
        message: String,
    },
    Clock {
        acceleration: f32,
        paused: bool,
    },
    Breeding {
        enabled: bool,
    },
    /// One tick of `step` world seconds. Its seed follows from the world's seed and its number.
    Ticked {
        step: f32,
        skipped: Vec<Skipped>,
    },
    /// The world became what a snapshot says.
    Restored {
        snapshot: u64,
    },
}

/// A call of the rules that failed during a tick and has no effect; the others have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    pub system: System,
    /// Which part of the population, from 0.
    pub batch: u32,
}

/// What a tick consists of, in this order. All read the world as it was before the tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum System {
    /// Ages, life stages, energy, mutation: `Rules::tick`.
    Lives,
    Movement,
    Interaction,
    Groups,
    Standing,
    Learning,
    Unlearning,
    Memory,
    /// What groups are worth, after `Groups`. Here, because events are kept with the place of a system.
    Influence,
}

/// All that a new agent is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Birth {
    pub number: AgentNumber,
    pub id: String,
    pub name: String,
    pub spirit: String,
    pub style: String,
    pub generation: u32,
    pub traits: Vec<f32>,
    pub mutations: u32,
    pub at: [f32; 2],
    pub gender: Gender,
    /// Years; 0 for a child, what the creator said for others.
    pub age: f32,
}
