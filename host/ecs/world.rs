//! What clients may ask of the world, as one trait, so that HTTP can be tested without one. Writes are
//! durable when they return. Commands that concern one agent happen one after the other.

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::view::*;
use crate::rules::{Catalogue, InteractionKind, TraitNames};

/// A page of a list: `offset` into it, at most `limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageOf {
    pub offset: u64,
    pub limit: u32,
}

/// What one page holds, and how much there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub total: u64,
}

/// Which agents a list shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentFilter {
    pub spirit: Option<String>,
    pub style: Option<String>,
    /// Only living ones.
    pub active_only: bool,
}

/// What the clock shall do; what is none stays.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClockChange {
    /// 0.1 to 100.
    pub acceleration: Option<f32>,
    pub paused: Option<bool>,
}

#[async_trait]
pub trait World: Send + Sync {
    /// Why nothing can be read or done now, if so. Reads that cannot fail show an empty world then.
    fn available(&self) -> Result<(), WorldError>;

    // Reads; from memory, at once.
    fn status(&self) -> WorldStatus;
    fn clock(&self) -> ClockView;
    fn agents(&self, filter: &AgentFilter, page: PageOf) -> Page<AgentView>;
    fn agent(&self, id: &str) -> Result<AgentDetail, WorldError>;
    /// Those of `ids` that exist, in their order.
    fn agents_by_id(&self, ids: &[String]) -> Vec<AgentView>;
    fn position(&self, id: &str) -> Result<PositionView, WorldError>;
    fn positions(&self, page: PageOf) -> Page<PositionView>;
    fn distance(&self, first: &str, second: &str) -> Result<(f32, PositionView, PositionView), WorldError>;
    /// Nearest first; living ones.
    fn nearby(&self, id: &str, radius: f32, limit: u32) -> Result<Vec<Neighbour>, WorldError>;
    /// Latest first.
    fn interactions(&self, id: &str, limit: u32) -> Result<Page<PastInteractionView>, WorldError>;
    fn relationships(&self, id: &str) -> Result<Vec<RelationshipView>, WorldError>;
    fn social_stats(&self, id: &str) -> Result<SocialStats, WorldError>;
    fn lineage(&self, id: &str, depth: u32) -> Result<LineageView, WorldError>;
    fn breeding_stats(&self) -> BreedingStats;
    /// Spirits, names, styles and traits of the rules that decide now; empty where they have none.
    fn catalogue(&self) -> Catalogue;
    fn trait_names(&self) -> TraitNames;
    /// Names and values of an agent's traits, for a ranker.
    fn traits_of(&self, id: &str) -> Result<Vec<(String, f32)>, WorldError>;

    // Questions to the rules.
    async fn mates(&self, id: &str, max_results: u32) -> Result<Vec<Mate>, WorldError>;
    async fn compatibility(&self, first: &str, second: &str) -> Result<CompatibilityView, WorldError>;

    // Commands.
    async fn create(&self, agent: NewAgent) -> Result<AgentView, WorldError>;
    /// All or, on an error of one, none; `field` of the error names it as `agents[i].field`.
    async fn create_many(&self, agents: Vec<NewAgent>) -> Result<Vec<AgentView>, WorldError>;
    async fn breed(&self, first: &str, second: &str, offspring_id: &str) -> Result<AgentView, WorldError>;
    async fn retire(&self, id: &str) -> Result<(), WorldError>;
    async fn send_to(&self, id: &str, x: f32, y: f32) -> Result<PositionView, WorldError>;
    /// To a point `distance` short of the other.
    async fn send_towards(&self, id: &str, other: &str, distance: f32) -> Result<PositionView, WorldError>;
    /// `spoken` is the client's own word for the kind; answers repeat it.
    async fn interact(
        &self,
        first: &str,
        second: &str,
        kind: InteractionKind,
        spoken: &str,
    ) -> Result<InteractionView, WorldError>;
    async fn chat(
        &self,
        sender: &str,
        receiver: &str,
        message: &str,
        kind: InteractionKind,
        spoken: &str,
    ) -> Result<ChatView, WorldError>;
    async fn set_clock(&self, change: ClockChange) -> Result<ClockView, WorldError>;
    /// `ticks` ticks at once, also while paused.
    async fn step(&self, ticks: u32) -> Result<ClockView, WorldError>;
    async fn set_breeding(&self, enabled: bool) -> Result<BreedingStats, WorldError>;
    /// From the next decision on, rules of this name decide.
    async fn set_rules(&self, name: &str) -> Result<RulesView, WorldError>;

    // History.
    async fn rules_used(&self) -> Result<Vec<RulesView>, WorldError>;
    async fn snapshots(&self) -> Result<Vec<SnapshotView>, WorldError>;
    async fn save_snapshot(&self, name: Option<String>) -> Result<SnapshotView, WorldError>;
    async fn restore(&self, snapshot: u64) -> Result<WorldStatus, WorldError>;
    async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventView>, WorldError>;
    /// Events after `after` (none: from now on), and on and on.
    async fn watch(&self, after: Option<u64>) -> Result<BoxStream<'static, EventView>, WorldError>;
    /// Builds the world again beside the living one, from its beginning or a snapshot, and compares.
    async fn replay(&self, from_snapshot: Option<u64>) -> Result<ReplayView, WorldError>;
}
