//! The components of an agent. Every agent has all of them, so that all agents are one archetype and
//! iterate in the order in which they came. Plain data; nothing here decides.

use serde::{Deserialize, Serialize};

use crate::rules::{Bond, InteractionKind, Outcome, Standing};

/// Numbers agents in the order of their creation, from 1; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AgentNumber(pub u32);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    pub number: AgentNumber,
    /// As clients name it.
    pub id: Box<str>,
    pub name: Box<str>,
    pub spirit: Box<str>,
    pub style: Box<str>,
    pub generation: u32,
    /// World time of its creation, in ticks.
    pub born: u64,
}

/// The tick at which something happened, in half the room: what is kept by the dozen for every agent. The last one
/// stands for all that come after it, in 136 years of a tick a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(u32);

impl Moment {
    pub fn at(tick: u64) -> Self {
        Self(u32::try_from(tick).unwrap_or(u32::MAX))
    }

    pub fn tick(self) -> u64 {
        self.0.into()
    }
}

/// In the order of the world's `TraitNames`, each 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traits {
    pub values: Box<[f32]>,
    pub mutations: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// Years.
    pub age: f32,
    pub stage: LifeStage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LifeStage {
    Infant,
    Juvenile,
    Adult,
    Elder,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reproduction {
    /// Years until the next child may come.
    pub cooldown: f32,
    pub offspring: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lineage {
    pub parents: Option<[AgentNumber; 2]>,
    pub children: Vec<AgentNumber>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    pub at: [f32; 2],
    pub velocity: [f32; 2],
    /// None: it wanders as the rules say.
    pub target: Option<[f32; 2]>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interactions {
    /// Social energy, 0 to 1.
    pub energy: f32,
    /// The latest, oldest first; `KEPT_INTERACTIONS` at most.
    pub latest: std::collections::VecDeque<PastInteraction>,
    pub total: u64,
    pub successful: u64,
    pub failed: u64,
    /// By `other`, ascending.
    pub relationships: Vec<Relationship>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastInteraction {
    /// Sequence of the event.
    pub event: u64,
    /// Within the event; both are unique in the world.
    pub place: u16,
    pub sender: AgentNumber,
    pub receiver: AgentNumber,
    pub kind: InteractionKind,
    /// None for a chat.
    pub outcome: Option<Outcome>,
    pub impact: f32,
    /// Energy of the sender afterwards.
    pub energy: f32,
    pub tick: Moment,
    /// Behind one pointer more, for most have none.
    pub message: Option<Box<Message>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Message(pub Box<str>);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Relationship {
    pub other: AgentNumber,
    pub bond: Bond,
    pub count: u32,
    pub positive: u32,
    pub negative: u32,
    pub last_tick: Moment,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Social {
    /// Groups that it belongs to, ascending.
    pub groups: Vec<u32>,
    pub leads: u32,
    pub influence: f32,
    pub standing: Standing,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Oldest first.
    pub memories: Vec<Remembered>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    pub kind: MemoryKind,
    pub about: AgentNumber,
    pub importance: f32,
    pub emotion: f32,
    pub decay_rate: f32,
    pub accesses: u32,
    pub consolidated: bool,
    pub created_tick: Moment,
    pub accessed_tick: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryKind {
    Episodic,
    Semantic,
    Procedural,
    Emotional,
    Social,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Knowledge {
    /// By topic, ascending. A topic is a column of the abilities among the traits.
    pub learned: Vec<Learned>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    pub topic: u16,
    /// 0 to 1.
    pub proficiency: f32,
    /// Who taught it.
    pub from: AgentNumber,
    pub used_tick: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gender {
    /// One of `GENDER_IDENTITIES`, as its position.
    pub identity: u8,
    /// One of `GENDER_EXPRESSIONS`.
    pub expression: u8,
}

pub const GENDER_IDENTITIES: [&str; 15] = [
    "male",
    "female",
    "non-binary",
    "genderfluid",
    "agender",
    "bigender",
    "demigender",
    "transgender",
    "genderqueer",
    "two-spirit",
    "androgyne",
    "neutrois",
    "pangender",
    "questioning",
    "unspecified",
];
pub const GENDER_EXPRESSIONS: [&str; 8] =
    ["masculine", "feminine", "androgynous", "neutral", "fluid", "mixed", "subtle", "unspecified"];
/// What an agent is called by whose creator said nothing of it.
pub const UNSPECIFIED: Gender = Gender { identity: 14, expression: 7 };

/// Interactions that an agent's own list keeps; the events have them all.
pub const KEPT_INTERACTIONS: usize = 32;
/// The map reaches from minus this to this, both ways.
pub const MAP_EDGE: f32 = 10_000.0;
