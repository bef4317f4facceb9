//! The world's answers: reads of its state, questions to its rules, commands. Nothing is answered while the
//! world does not run here.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::{Ecs, watch};
use crate::ecs::running::Running;
use crate::ecs::state::State;
use crate::ecs::tick::SYSTEMS;
use crate::ecs::view::*;
use crate::ecs::world::{AgentFilter, ClockChange, Page, PageOf, World};
use crate::rules::{Catalogue, InteractionKind, TraitNames};

/// Events of one page, at most.
const MOST_EVENTS: u32 = 1000;

impl Ecs {
    fn read<T>(&self, look: impl FnOnce(&State) -> Result<T, WorldError>) -> Result<T, WorldError> {
        self.inner.running()?.with(look)
    }

    /// For reads that cannot fail; callers ask `available` first.
    fn glance<T: Default>(&self, look: impl FnOnce(&Running) -> T) -> T {
        self.inner.running().map(|running| look(&running)).unwrap_or_default()
    }
}

#[async_trait]
impl World for Ecs {
    fn available(&self) -> Result<(), WorldError> {
        self.inner.running().map(drop)
    }

    fn status(&self) -> WorldStatus {
        let (word, said) = self.inner.condition();
        let Ok(running) = self.inner.running() else {
            return WorldStatus { status: word.into(), last_failure: Some(said), ..WorldStatus::default() };
        };
        let figures = &running.figures;
        WorldStatus {
            status: word.into(),
            system_count: SYSTEMS,
            last_tick_ms: figures.last_tick.lock().as_secs_f64() * 1000.0,
            late_ticks: figures.late_ticks.load(Ordering::Relaxed),
            failed_calls: figures.failed_calls.load(Ordering::Relaxed),
            last_failure: figures.last_failure.lock().clone(),
            ..running.with(State::status)
        }
    }

    fn clock(&self) -> ClockView {
        self.glance(Running::clock)
    }

    fn agents(&self, filter: &AgentFilter, page: PageOf) -> Page<AgentView> {
        self.read(|state| Ok(state.agents(filter, page))).unwrap_or_else(|_| Page { items: vec![], total: 0 })
    }

    fn agent(&self, id: &str) -> Result<AgentDetail, WorldError> {
        self.read(|state| state.agent(id))
    }

    fn agents_by_id(&self, ids: &[String]) -> Vec<AgentView> {
        self.glance(|running| running.with(|state| state.agents_by_id(ids)))
    }

    fn position(&self, id: &str) -> Result<PositionView, WorldError> {
        self.read(|state| state.position(id))
    }

    fn positions(&self, page: PageOf) -> Page<PositionView> {
        self.read(|state| Ok(state.positions(page))).unwrap_or_else(|_| Page { items: vec![], total: 0 })
    }

    fn distance(&self, first: &str, second: &str) -> Result<(f32, PositionView, PositionView), WorldError> {
        self.read(|state| state.distance(first, second))
    }

    fn nearby(&self, id: &str, radius: f32, limit: u32) -> Result<Vec<Neighbour>, WorldError> {
        self.read(|state| state.nearby(id, radius, limit))
    }

    fn interactions(&self, id: &str, limit: u32) -> Result<Page<PastInteractionView>, WorldError> {
        self.read(|state| state.interactions(id, limit))
    }

    fn relationships(&self, id: &str) -> Result<Vec<RelationshipView>, WorldError> {
        self.read(|state| state.relationships(id))
    }

    fn social_stats(&self, id: &str) -> Result<SocialStats, WorldError> {
        self.read(|state| state.social_stats(id))
    }

    fn lineage(&self, id: &str, depth: u32) -> Result<LineageView, WorldError> {
        self.read(|state| state.lineage(id, depth))
    }

    fn breeding_stats(&self) -> BreedingStats {
        self.glance(|running| running.with(State::breeding_stats))
    }

    fn catalogue(&self) -> Catalogue {
        self.glance(|running| {
            let rules = running.book.rules();
            rules.about().society.as_ref().map(|society| society.catalogue.clone()).unwrap_or_default()
        })
    }

    fn trait_names(&self) -> TraitNames {
        self.glance(|running| running.with(|state| state.traits.clone()))
    }

    fn traits_of(&self, id: &str) -> Result<Vec<(String, f32)>, WorldError> {
        self.read(|state| state.traits_of(id))
    }

    async fn mates(&self, id: &str, max_results: u32) -> Result<Vec<Mate>, WorldError> {
        self.inner.running()?.mates(id, max_results).await
    }

    async fn compatibility(&self, first: &str, second: &str) -> Result<CompatibilityView, WorldError> {
        self.inner.running()?.compatibility(first, second).await
    }

    async fn create(&self, agent: NewAgent) -> Result<AgentView, WorldError> {
        let created = self.inner.running()?.create(vec![agent], false).await?;
        created.into_iter().next().ok_or_else(|| WorldError::Internal("nobody was created".into()))
    }

    async fn create_many(&self, agents: Vec<NewAgent>) -> Result<Vec<AgentView>, WorldError> {
        self.inner.running()?.create(agents, true).await
    }

    async fn breed(&self, first: &str, second: &str, offspring_id: &str) -> Result<AgentView, WorldError> {
        self.inner.running()?.breed(first, second, offspring_id).await
    }

    async fn retire(&self, id: &str) -> Result<(), WorldError> {
        self.inner.running()?.retire(id).await
    }

    async fn send_to(&self, id: &str, x: f32, y: f32) -> Result<PositionView, WorldError> {
        self.inner.running()?.send_to(id, x, y).await
    }

    async fn send_towards(&self, id: &str, other: &str, distance: f32) -> Result<PositionView, WorldError> {
        self.inner.running()?.send_towards(id, other, distance).await
    }

    async fn interact(
        &self,
        first: &str,
        second: &str,
        kind: InteractionKind,
        spoken: &str,
    ) -> Result<InteractionView, WorldError> {
        self.inner.running()?.interact(first, second, kind, spoken).await
    }

    async fn chat(
        &self,
        sender: &str,
        receiver: &str,
        message: &str,
        kind: InteractionKind,
        spoken: &str,
    ) -> Result<ChatView, WorldError> {
        self.inner.running()?.chat(sender, receiver, message, kind, spoken).await
    }

    async fn set_clock(&self, change: ClockChange) -> Result<ClockView, WorldError> {
        self.inner.running()?.set_clock(change).await
    }

    async fn step(&self, ticks: u32) -> Result<ClockView, WorldError> {
        self.inner.running()?.step(ticks).await
    }

    async fn set_breeding(&self, enabled: bool) -> Result<BreedingStats, WorldError> {
        self.inner.running()?.set_breeding(enabled).await
    }

    async fn set_rules(&self, name: &str) -> Result<RulesView, WorldError> {
        self.inner.running()?.set_rules(name).await
    }

    async fn rules_used(&self) -> Result<Vec<RulesView>, WorldError> {
        self.inner.running()?.rules_used().await
    }

    async fn snapshots(&self) -> Result<Vec<SnapshotView>, WorldError> {
        self.inner.running()?.snapshots().await
    }

    async fn save_snapshot(&self, name: Option<String>) -> Result<SnapshotView, WorldError> {
        self.inner.running()?.save_snapshot(name).await
    }

    async fn restore(&self, snapshot: u64) -> Result<WorldStatus, WorldError> {
        self.inner.running()?.restore(snapshot).await?;
        Ok(self.status())
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventView>, WorldError> {
        self.inner.running()?.events(after, limit.min(MOST_EVENTS)).await
    }

    async fn watch(&self, after: Option<u64>) -> Result<BoxStream<'static, EventView>, WorldError> {
        watch::watch(&self.inner, after)
    }

    async fn replay(&self, from_snapshot: Option<u64>) -> Result<ReplayView, WorldError> {
        self.inner.running()?.replay(from_snapshot).await
    }
}
