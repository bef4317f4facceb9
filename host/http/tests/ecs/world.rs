//! A world that answers the same every time, writes down what it was asked, and fails as it is told.

/// What it answers.
mod answers;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use parking_lot::Mutex;

pub(super) use self::answers::event;
use self::answers::*;
use crate::ecs::World;
use crate::ecs::view::*;
use crate::ecs::world::{AgentFilter, ClockChange, Page, PageOf};
use crate::rules::{Catalogue, InteractionKind, TraitNames};

/// Agents that its lists pretend to have.
pub(super) const TOTAL: u64 = 120;
/// Sequence of its last event.
pub(super) const LAST_EVENT: u64 = 5;

#[derive(Default)]
pub(super) struct FakeWorld {
    /// Calls with their arguments, in order.
    pub(super) asked: Mutex<Vec<String>>,
    /// Every fallible call fails with it.
    pub(super) failure: Mutex<Option<WorldError>>,
    /// Instead of `running`.
    pub(super) condition: Mutex<Option<String>>,
    /// Later events of streams.
    pub(super) later: Mutex<Vec<EventView>>,
}

impl FakeWorld {
    fn ask(&self, call: String) -> Result<(), WorldError> {
        self.asked.lock().push(call);
        self.failure.lock().clone().map_or(Ok(()), Err)
    }

    /// What it was asked last.
    pub(super) fn last(&self) -> String {
        self.asked.lock().last().cloned().unwrap_or_default()
    }
}

fn page<T>(PageOf { offset, limit }: PageOf, make: impl Fn(u64) -> T) -> Page<T> {
    let items = (offset..TOTAL.min(offset + u64::from(limit))).map(make).collect();
    Page { items, total: TOTAL }
}

#[async_trait]
impl World for FakeWorld {
    fn available(&self) -> Result<(), WorldError> {
        match self.status().status.as_str() {
            "running" | "paused" => Ok(()),
            away => Err(WorldError::Unavailable(format!("it is {away}"))),
        }
    }

    fn status(&self) -> WorldStatus {
        let status = self.condition.lock().clone().unwrap_or_else(|| "running".into());
        WorldStatus {
            status,
            agent_count: 3,
            sequence: LAST_EVENT,
            rules: "traits-classic@0.1.0".into(),
            ..Default::default()
        }
    }

    fn clock(&self) -> ClockView {
        ClockView { tick: 9, acceleration: 10.0, ..Default::default() }
    }

    fn agents(&self, filter: &AgentFilter, of: PageOf) -> Page<AgentView> {
        self.asked.lock().push(format!("agents {:?} {:?} {}", filter.spirit, filter.style, filter.active_only));
        page(of, |at| agent(&format!("a-{at}")))
    }

    fn agent(&self, id: &str) -> Result<AgentDetail, WorldError> {
        self.ask(format!("agent {id}"))?;
        Ok(detail(id))
    }

    fn agents_by_id(&self, ids: &[String]) -> Vec<AgentView> {
        ids.iter().map(|id| agent(id)).collect()
    }

    fn position(&self, id: &str) -> Result<PositionView, WorldError> {
        self.ask(format!("position {id}"))?;
        Ok(position(id))
    }

    fn positions(&self, of: PageOf) -> Page<PositionView> {
        page(of, |at| position(&format!("a-{at}")))
    }

    fn distance(&self, first: &str, second: &str) -> Result<(f32, PositionView, PositionView), WorldError> {
        self.ask(format!("distance {first} {second}"))?;
        Ok((5.0, position(first), position(second)))
    }

    fn nearby(&self, id: &str, radius: f32, limit: u32) -> Result<Vec<Neighbour>, WorldError> {
        self.ask(format!("nearby {id} {radius} {limit}"))?;
        let AgentView { agent_id, name, spirit, .. } = agent("wolf-2");
        Ok(vec![Neighbour { agent_id, name, spirit, x: 1.0, y: 2.0, distance: 5.0 }])
    }

    fn interactions(&self, id: &str, limit: u32) -> Result<Page<PastInteractionView>, WorldError> {
        self.ask(format!("interactions {id} {limit}"))?;
        Ok(Page { items: vec![past_interaction(id)], total: 40 })
    }

    fn relationships(&self, id: &str) -> Result<Vec<RelationshipView>, WorldError> {
        self.ask(format!("relationships {id}"))?;
        Ok(vec![relationship()])
    }

    fn social_stats(&self, id: &str) -> Result<SocialStats, WorldError> {
        self.ask(format!("social_stats {id}"))?;
        Ok(social_stats(id))
    }

    fn lineage(&self, id: &str, depth: u32) -> Result<LineageView, WorldError> {
        self.ask(format!("lineage {id} {depth}"))?;
        Ok(lineage(id))
    }

    fn breeding_stats(&self) -> BreedingStats {
        BreedingStats {
            breeding_enabled: true,
            total_agents: 4,
            total_offspring: 2,
            mature_agents: 3,
            average_offspring_per_agent: 0.5,
        }
    }

    fn catalogue(&self) -> Catalogue {
        catalogue()
    }

    fn trait_names(&self) -> TraitNames {
        TraitNames {
            personality: vec!["cunning".into(), "loyalty".into()],
            physical: vec!["size".into()],
            abilities: vec![],
        }
    }

    fn traits_of(&self, id: &str) -> Result<Vec<(String, f32)>, WorldError> {
        self.ask(format!("traits_of {id}"))?;
        Ok(vec![])
    }

    async fn mates(&self, id: &str, max_results: u32) -> Result<Vec<Mate>, WorldError> {
        self.ask(format!("mates {id} {max_results}"))?;
        let AgentView { agent_id, name, spirit, generation, .. } = agent("wolf-2");
        Ok(vec![Mate { agent_id, name, spirit, generation, compatibility_score: 0.75 }])
    }

    async fn compatibility(&self, first: &str, second: &str) -> Result<CompatibilityView, WorldError> {
        self.ask(format!("compatibility {first} {second}"))?;
        Ok(compatibility(first, second))
    }

    async fn create(&self, new: NewAgent) -> Result<AgentView, WorldError> {
        self.ask(format!("create {} {:?} {:?} {:?}", new.agent_id, new.spirit, new.x, new.age))?;
        Ok(agent(&new.agent_id))
    }

    async fn create_many(&self, agents: Vec<NewAgent>) -> Result<Vec<AgentView>, WorldError> {
        let ids: Vec<String> = agents.into_iter().map(|agent| agent.agent_id).collect();
        self.ask(format!("create_many {ids:?}"))?;
        Ok(self.agents_by_id(&ids))
    }

    async fn breed(&self, first: &str, second: &str, offspring_id: &str) -> Result<AgentView, WorldError> {
        self.ask(format!("breed {first} {second} {offspring_id}"))?;
        Ok(agent(offspring_id))
    }

    async fn retire(&self, id: &str) -> Result<(), WorldError> {
        self.ask(format!("retire {id}"))
    }

    async fn send_to(&self, id: &str, x: f32, y: f32) -> Result<PositionView, WorldError> {
        self.ask(format!("send_to {id} {x} {y}"))?;
        Ok(position(id))
    }

    async fn send_towards(&self, id: &str, other: &str, distance: f32) -> Result<PositionView, WorldError> {
        self.ask(format!("send_towards {id} {other} {distance}"))?;
        Ok(position(id))
    }

    async fn interact(
        &self,
        first: &str,
        second: &str,
        kind: InteractionKind,
        spoken: &str,
    ) -> Result<InteractionView, WorldError> {
        self.ask(format!("interact {first} {second} {kind:?} {spoken}"))?;
        Ok(interaction(first, second, spoken))
    }

    async fn chat(
        &self,
        sender: &str,
        receiver: &str,
        message: &str,
        kind: InteractionKind,
        spoken: &str,
    ) -> Result<ChatView, WorldError> {
        self.ask(format!("chat {sender} {receiver} {} {kind:?}", message.chars().count()))?;
        Ok(ChatView {
            success: true,
            message: message.into(),
            content: message.into(),
            interaction_type: spoken.into(),
            sender_energy: 1.0,
            timestamp: "2026-01-01T00:00:00Z".into(),
        })
    }

    async fn set_clock(&self, change: ClockChange) -> Result<ClockView, WorldError> {
        self.ask(format!("set_clock {:?} {:?}", change.acceleration, change.paused))?;
        Ok(self.clock())
    }

    async fn step(&self, ticks: u32) -> Result<ClockView, WorldError> {
        self.ask(format!("step {ticks}"))?;
        Ok(self.clock())
    }

    async fn set_breeding(&self, enabled: bool) -> Result<BreedingStats, WorldError> {
        self.ask(format!("set_breeding {enabled}"))?;
        Ok(BreedingStats { breeding_enabled: enabled, ..self.breeding_stats() })
    }

    async fn set_rules(&self, name: &str) -> Result<RulesView, WorldError> {
        self.ask(format!("set_rules {name}"))?;
        Ok(rules())
    }

    async fn rules_used(&self) -> Result<Vec<RulesView>, WorldError> {
        self.ask("rules_used".into())?;
        Ok(vec![rules()])
    }

    async fn snapshots(&self) -> Result<Vec<SnapshotView>, WorldError> {
        self.ask("snapshots".into())?;
        Ok(vec![snapshot(None)])
    }

    async fn save_snapshot(&self, name: Option<String>) -> Result<SnapshotView, WorldError> {
        self.ask(format!("save_snapshot {name:?}"))?;
        Ok(snapshot(name))
    }

    async fn restore(&self, snapshot: u64) -> Result<WorldStatus, WorldError> {
        self.ask(format!("restore {snapshot}"))?;
        Ok(self.status())
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventView>, WorldError> {
        self.ask(format!("events {after} {limit}"))?;
        Ok((after + 1..=LAST_EVENT).take(limit as usize).map(event).collect())
    }

    async fn watch(&self, after: Option<u64>) -> Result<BoxStream<'static, EventView>, WorldError> {
        self.ask(format!("watch {after:?}"))?;
        let known = (after.unwrap_or(LAST_EVENT) + 1..=LAST_EVENT).map(event);
        let all: Vec<EventView> = known.chain(self.later.lock().clone()).collect();
        Ok(stream::iter(all).chain(stream::pending()).boxed())
    }

    async fn replay(&self, from_snapshot: Option<u64>) -> Result<ReplayView, WorldError> {
        self.ask(format!("replay {from_snapshot:?}"))?;
        Ok(ReplayView {
            from_sequence: 1,
            to_sequence: 5,
            events: 5,
            digest: "ef".into(),
            live_digest: "ef".into(),
            equal: true,
            took_ms: 1.5,
        })
    }
}
