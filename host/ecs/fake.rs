//! A world that is a list, with events that a test tells. What nobody asks of it here is unavailable.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

use super::view::*;
use super::world::{AgentFilter, ClockChange, Page, PageOf, World};
use crate::rules::{Catalogue, InteractionKind, Spirit, TraitNames};

pub(crate) struct FakeWorld {
    agents: Mutex<BTreeMap<String, AgentDetail>>,
    status: Mutex<String>,
    sequence: Mutex<u64>,
    events: broadcast::Sender<EventView>,
}

impl Default for FakeWorld {
    fn default() -> Self {
        let (agents, sequence) = (Mutex::default(), Mutex::default());
        Self { agents, status: Mutex::new("running".into()), sequence, events: broadcast::channel(64).0 }
    }
}

impl FakeWorld {
    /// Creates or changes an agent, and tells nobody.
    pub(crate) fn put(&self, id: &str, name: &str, spirit: &str, abilities: &[(&str, f32)]) {
        let agent = AgentView {
            agent_id: id.into(),
            name: name.into(),
            spirit: spirit.into(),
            style: "foundation".into(),
            active: true,
            generation: 1,
        };
        let position = PositionView {
            agent_id: id.into(),
            x: 0.0,
            y: 0.0,
            target_x: 0.0,
            target_y: 0.0,
            velocity_x: 0.0,
            velocity_y: 0.0,
            movement_speed: 1.0,
        };
        let named = |traits: &[(&str, f32)]| traits.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let detail = AgentDetail {
            agent,
            personality: named(&[("curiosity", 0.8), ("patience", 0.2)]),
            physical: BTreeMap::new(),
            abilities: named(abilities),
            dominant_traits: vec!["curiosity".into()],
            mutation_count: 0,
            age: 0.0,
            life_stage: "infant".into(),
            can_reproduce: false,
            offspring_count: 0,
            parents: vec![],
            children: vec![],
            position,
            social_energy: 1.0,
            social_status: "accepted".into(),
            influence: 0.0,
            groups: vec![],
            memories: 0,
            knowledge: BTreeMap::new(),
            gender_identity: String::new(),
            gender_expression: String::new(),
        };
        self.agents.lock().insert(id.into(), detail);
    }

    pub(crate) fn take(&self, id: &str) {
        self.agents.lock().remove(id).unwrap();
    }

    pub(crate) fn set_status(&self, status: &str) {
        *self.status.lock() = status.into();
    }

    pub(crate) fn tell(&self, kind: &str, agents: &[&str]) {
        let mut sequence = self.sequence.lock();
        *sequence += 1;
        let _ = self.events.send(EventView {
            sequence: *sequence,
            tick: 0,
            at: "2026-01-01T00:00:00Z".into(),
            kind: kind.into(),
            rules: None,
            agents: agents.iter().map(|id| (*id).to_owned()).collect(),
            data: serde_json::Value::Null,
        });
    }

    /// One event happens that no follower sees.
    pub(crate) fn skip_event(&self) {
        *self.sequence.lock() += 1;
    }

    fn living(&self, id: &str) -> Result<AgentDetail, WorldError> {
        self.agents.lock().get(id).cloned().ok_or_else(|| WorldError::NoAgent(id.into()))
    }
}

fn not_here<T>() -> Result<T, WorldError> {
    Err(WorldError::Unavailable("not in this fake".into()))
}

#[async_trait]
impl World for FakeWorld {
    fn available(&self) -> Result<(), WorldError> {
        if *self.status.lock() == "elsewhere" { not_here() } else { Ok(()) }
    }

    fn status(&self) -> WorldStatus {
        let (status, agent_count) = (self.status.lock().clone(), self.agents.lock().len() as u64);
        WorldStatus { status, agent_count, sequence: *self.sequence.lock(), ..WorldStatus::default() }
    }

    fn agents(&self, filter: &AgentFilter, page: PageOf) -> Page<AgentView> {
        assert!(filter.active_only);
        let agents = self.agents.lock();
        // A world that is away shows nothing.
        if *self.status.lock() == "elsewhere" {
            return Page { items: vec![], total: 0 };
        }
        let items = agents.values().skip(page.offset as usize).take(page.limit as usize);
        Page { items: items.map(|detail| detail.agent.clone()).collect(), total: agents.len() as u64 }
    }

    fn agent(&self, id: &str) -> Result<AgentDetail, WorldError> {
        self.living(id)
    }

    fn agents_by_id(&self, ids: &[String]) -> Vec<AgentView> {
        ids.iter().filter_map(|id| Some(self.living(id).ok()?.agent)).collect()
    }

    fn catalogue(&self) -> Catalogue {
        let spirit = |name: &str, category: &str, adjective: &str| Spirit {
            name: name.into(),
            category: category.into(),
            emoji: String::new(),
            adjectives: vec![adjective.into()],
            names: vec![],
            generation_numbers: vec![],
            base_traits: vec![],
        };
        let spirits = vec![spirit("fox", "canine", "cunning"), spirit("owl", "bird", "nocturnal")];
        Catalogue { spirits, ..Catalogue::default() }
    }

    fn traits_of(&self, id: &str) -> Result<Vec<(String, f32)>, WorldError> {
        if *self.status.lock() == "elsewhere" {
            return Err(WorldError::Unavailable("the world runs on another host".into()));
        }
        let detail = self.living(id)?;
        Ok(detail.personality.into_iter().chain(detail.abilities).collect())
    }

    async fn watch(&self, after: Option<u64>) -> Result<BoxStream<'static, EventView>, WorldError> {
        assert_eq!(after, None);
        if *self.status.lock() == "elsewhere" {
            return not_here();
        }
        Ok(BroadcastStream::new(self.events.subscribe()).filter_map(async |event| event.ok()).boxed())
    }

    fn clock(&self) -> ClockView {
        ClockView::default()
    }
    fn position(&self, _: &str) -> Result<PositionView, WorldError> {
        not_here()
    }
    fn positions(&self, _: PageOf) -> Page<PositionView> {
        Page { items: vec![], total: 0 }
    }
    fn distance(&self, _: &str, _: &str) -> Result<(f32, PositionView, PositionView), WorldError> {
        not_here()
    }
    fn nearby(&self, _: &str, _: f32, _: u32) -> Result<Vec<Neighbour>, WorldError> {
        not_here()
    }
    fn interactions(&self, _: &str, _: u32) -> Result<Page<PastInteractionView>, WorldError> {
        not_here()
    }
    fn relationships(&self, _: &str) -> Result<Vec<RelationshipView>, WorldError> {
        not_here()
    }
    fn social_stats(&self, _: &str) -> Result<SocialStats, WorldError> {
        not_here()
    }
    fn lineage(&self, _: &str, _: u32) -> Result<LineageView, WorldError> {
        not_here()
    }
    fn breeding_stats(&self) -> BreedingStats {
        BreedingStats::default()
    }
    fn trait_names(&self) -> TraitNames {
        TraitNames::default()
    }
    async fn mates(&self, _: &str, _: u32) -> Result<Vec<Mate>, WorldError> {
        not_here()
    }
    async fn compatibility(&self, _: &str, _: &str) -> Result<CompatibilityView, WorldError> {
        not_here()
    }
    async fn create(&self, _: NewAgent) -> Result<AgentView, WorldError> {
        not_here()
    }
    async fn create_many(&self, _: Vec<NewAgent>) -> Result<Vec<AgentView>, WorldError> {
        not_here()
    }
    async fn breed(&self, _: &str, _: &str, _: &str) -> Result<AgentView, WorldError> {
        not_here()
    }
    async fn retire(&self, _: &str) -> Result<(), WorldError> {
        not_here()
    }
    async fn send_to(&self, _: &str, _: f32, _: f32) -> Result<PositionView, WorldError> {
        not_here()
    }
    async fn send_towards(&self, _: &str, _: &str, _: f32) -> Result<PositionView, WorldError> {
        not_here()
    }
    async fn interact(&self, _: &str, _: &str, _: InteractionKind, _: &str) -> Result<InteractionView, WorldError> {
        not_here()
    }
    async fn chat(&self, _: &str, _: &str, _: &str, _: InteractionKind, _: &str) -> Result<ChatView, WorldError> {
        not_here()
    }
    async fn set_clock(&self, _: ClockChange) -> Result<ClockView, WorldError> {
        not_here()
    }
    async fn step(&self, _: u32) -> Result<ClockView, WorldError> {
        not_here()
    }
    async fn set_breeding(&self, _: bool) -> Result<BreedingStats, WorldError> {
        not_here()
    }
    async fn set_rules(&self, _: &str) -> Result<RulesView, WorldError> {
        not_here()
    }
    async fn rules_used(&self) -> Result<Vec<RulesView>, WorldError> {
        not_here()
    }
    async fn snapshots(&self) -> Result<Vec<SnapshotView>, WorldError> {
        not_here()
    }
    async fn save_snapshot(&self, _: Option<String>) -> Result<SnapshotView, WorldError> {
        not_here()
    }
    async fn restore(&self, _: u64) -> Result<WorldStatus, WorldError> {
        not_here()
    }
    async fn events(&self, _: u64, _: u32) -> Result<Vec<EventView>, WorldError> {
        not_here()
    }
    async fn replay(&self, _: Option<u64>) -> Result<ReplayView, WorldError> {
        not_here()
    }
}
