//! What the world tells and is told: the words between it and whoever speaks to clients.
//! Fields are named as the API names them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentView {
    pub agent_id: String,
    pub name: String,
    pub spirit: String,
    pub style: String,
    /// False for one that died or was retired.
    pub active: bool,
    pub generation: u32,
}

/// All of one agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentDetail {
    #[serde(flatten)]
    pub agent: AgentView,
    pub personality: BTreeMap<String, f32>,
    pub physical: BTreeMap<String, f32>,
    pub abilities: BTreeMap<String, f32>,
    /// The three strongest of the personality.
    pub dominant_traits: Vec<String>,
    pub mutation_count: u32,
    /// Years.
    pub age: f32,
    /// infant, juvenile, adult or elder.
    pub life_stage: String,
    pub can_reproduce: bool,
    /// Of one that departed: those of its children who are not forgotten.
    pub offspring_count: u32,
    pub parents: Vec<String>,
    pub children: Vec<String>,
    pub position: PositionView,
    /// 0 to 1.
    pub social_energy: f32,
    /// outcast, marginal, accepted, popular, influential or leader.
    pub social_status: String,
    pub influence: f32,
    pub groups: Vec<u32>,
    pub memories: u32,
    /// Ability to proficiency, 0 to 1.
    pub knowledge: BTreeMap<String, f32>,
    pub gender_identity: String,
    pub gender_expression: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PositionView {
    pub agent_id: String,
    pub x: f32,
    pub y: f32,
    pub target_x: f32,
    pub target_y: f32,
    pub velocity_x: f32,
    pub velocity_y: f32,
    pub movement_speed: f32,
}

/// What a new agent shall be; what is left out is drawn by the rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewAgent {
    /// 3 to 50 of letters, digits, `_` and `-`.
    #[schema(required = true, min_length = 3, max_length = 50)]
    pub agent_id: String,
    /// fox when left out.
    pub spirit: Option<String>,
    /// foundation when left out.
    pub style: Option<String>,
    /// Generated and unique when left out.
    pub name: Option<String>,
    pub x: Option<f32>,
    pub y: Option<f32>,
    /// Years; 0 when left out.
    pub age: Option<f32>,
    pub gender_identity: Option<String>,
    pub gender_expression: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorldStatus {
    /// running, paused, replaying, elsewhere (another host has the world) or failed.
    pub status: String,
    pub entity_count: u64,
    pub system_count: u64,
    pub agent_count: u64,
    pub mature_agents: u64,
    pub tick: u64,
    /// World seconds.
    pub world_time: f64,
    pub acceleration: f32,
    /// The last event.
    pub sequence: u64,
    /// `name@version`.
    pub rules: String,
    pub rules_digest: String,
    /// Milliseconds of the last tick.
    pub last_tick_ms: f64,
    /// Ticks that came late.
    pub late_ticks: u64,
    /// Calls of rules that failed in ticks, and the last one's words.
    pub failed_calls: u64,
    pub last_failure: Option<String>,
    /// Bytes that the world takes in memory, for each living agent.
    pub bytes_per_agent: u64,
    /// What takes them.
    pub footprint: Footprint,
}

/// Bytes of the world in memory by what they are for, without the allocator's own waste. Those of living agents are
/// reckoned from some of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Footprint {
    /// Of living agents: what each has of the same size, its traits, words, children and groups.
    pub agents: u64,
    /// Their latest interactions.
    pub interactions: u64,
    pub relationships: u64,
    pub memories: u64,
    /// What they learned.
    pub knowledge: u64,
    /// Agents that left and are not forgotten.
    pub departed: u64,
    /// Who has which number, id and name.
    pub tables: u64,
    /// Traits once more, as rules score a whole population; none until the first question.
    pub columns: u64,
}

impl Footprint {
    pub fn total(&self) -> u64 {
        let Self { agents, interactions, relationships, memories, knowledge, departed, tables, columns } = self;
        agents + interactions + relationships + memories + knowledge + departed + tables + columns
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Mate {
    pub agent_id: String,
    pub name: String,
    pub spirit: String,
    pub generation: u32,
    pub compatibility_score: f32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompatibilityView {
    pub agent1_id: String,
    pub agent2_id: String,
    pub compatibility_score: f32,
    pub compatibility_level: String,
    pub breeding_recommended: bool,
    pub spirit_compatibility: bool,
    pub generation_difference: u32,
    pub trait_analysis: TraitAnalysis,
    pub recommendation: String,
    /// Why they may not breed now, if so.
    pub obstacles: Vec<String>,
}

/// 1 less the mean difference, group by group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TraitAnalysis {
    pub personality_similarity: f32,
    pub physical_similarity: f32,
    pub ability_similarity: f32,
    pub personality_traits: u32,
    pub physical_traits: u32,
    pub ability_traits: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LineageView {
    pub agent_id: String,
    pub generation: u32,
    pub lineage: Ancestry,
    pub parents: Vec<String>,
    pub children: Vec<String>,
    /// Ancestors within the depth, nearest first.
    pub ancestors: Vec<String>,
    /// Descendants within the depth, nearest first.
    pub descendants: Vec<String>,
    pub genetic_markers: BTreeMap<String, f32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Ancestry {
    pub agent_id: String,
    pub name: String,
    pub spirit: String,
    pub generation: u32,
    pub active: bool,
    #[schema(no_recursion)]
    pub parents: Vec<Ancestry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Neighbour {
    pub agent_id: String,
    pub name: String,
    pub spirit: String,
    pub x: f32,
    pub y: f32,
    pub distance: f32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InteractionView {
    pub interaction_id: String,
    pub participants: [String; 2],
    pub interaction_type: String,
    pub content: String,
    /// success, partial_success, failure or neutral.
    pub outcome: String,
    pub relationship_impact: f32,
    /// RFC 3339.
    pub timestamp: String,
    /// World seconds.
    pub duration: f32,
    pub energy_cost: f32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatView {
    pub success: bool,
    pub message: String,
    pub content: String,
    pub interaction_type: String,
    pub sender_energy: f32,
    pub timestamp: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PastInteractionView {
    pub interaction_id: String,
    pub sender_id: String,
    pub receiver_id: String,
    pub message: String,
    pub interaction_type: String,
    /// The tick at which it happened.
    pub tick: u64,
    pub outcome: Option<String>,
    pub energy_level: f32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RelationshipView {
    pub relationship_id: String,
    pub other_agent_id: String,
    pub other_agent_name: String,
    /// acquaintance, positive, close or strained.
    pub relationship_type: String,
    pub strength: f32,
    pub trust_level: f32,
    pub familiarity: f32,
    pub interaction_count: u32,
    pub positive_interactions: u32,
    pub negative_interactions: u32,
    pub last_interaction: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SocialStats {
    pub agent_id: String,
    pub total_interactions: u64,
    pub successful_interactions: u64,
    pub failed_interactions: u64,
    pub success_rate: f32,
    pub social_energy: f32,
    pub max_social_energy: f32,
    pub energy_percentage: f32,
    pub total_relationships: u32,
    pub positive_relationships: u32,
    pub negative_relationships: u32,
    pub close_relationships: u32,
    pub social_status: String,
    pub influence: f32,
    pub groups: u32,
    pub communication_style: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BreedingStats {
    pub breeding_enabled: bool,
    pub total_agents: u64,
    pub mature_agents: u64,
    pub total_offspring: u64,
    /// Over all agents that ever were.
    pub average_offspring_per_agent: f32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClockView {
    pub tick: u64,
    pub world_time: f64,
    /// Years since the beginning.
    pub years: f64,
    pub acceleration: f32,
    pub paused: bool,
    pub tick_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SnapshotView {
    pub id: u64,
    pub name: Option<String>,
    pub sequence: u64,
    pub tick: u64,
    pub created_at: String,
    pub agents: u64,
    /// BLAKE3 of the world, hexadecimal.
    pub digest: String,
    pub size_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RulesView {
    pub name: String,
    pub version: String,
    pub digest: String,
    pub first_used: String,
    /// They decide now.
    pub current: bool,
}

/// An event as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    pub sequence: u64,
    pub tick: u64,
    /// RFC 3339.
    pub at: String,
    /// created, bred, retired, sent, interacted, chatted, clock, breeding, ticked, restored, ruled or genesis.
    pub kind: String,
    /// Digest of the rules that decided it; none when none did.
    pub rules: Option<String>,
    pub agents: Vec<String>,
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
}

/// Result of comparing the world with its own history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplayView {
    pub from_sequence: u64,
    pub to_sequence: u64,
    pub events: u64,
    pub digest: String,
    pub live_digest: String,
    pub equal: bool,
    pub took_ms: f64,
}

/// Why the world cannot do what was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WorldError {
    #[error("there is no agent `{0}`")]
    NoAgent(String),
    #[error("there is no snapshot {0}")]
    NoSnapshot(u64),
    /// The request is at fault; `field` is a path such as `agents[3].spirit`.
    #[error("{field} {message}")]
    Invalid { field: String, message: String },
    /// What was asked contradicts what is there, such as an id that is taken.
    #[error("{0}")]
    Conflict(String),
    /// May work later: the store is away, another host has the world, it is being replayed.
    #[error("{0}")]
    Unavailable(String),
    /// The rules gave no usable answer.
    #[error(transparent)]
    Rules(#[from] crate::rules::RulesError),
    /// For the log; clients are not told the text.
    #[error("{0}")]
    Internal(String),
}
