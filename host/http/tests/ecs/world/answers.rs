//! What the fake answers: one of each, always the same.

use serde_json::json;

use crate::ecs::view::*;
use crate::rules::{Catalogue, Spirit, Style, TraitDefinition};

pub(super) fn agent(id: &str) -> AgentView {
    AgentView {
        agent_id: id.into(),
        name: format!("{id}'s name"),
        spirit: "fox".into(),
        style: "foundation".into(),
        active: true,
        generation: 2,
    }
}

pub(super) fn position(id: &str) -> PositionView {
    PositionView {
        agent_id: id.into(),
        x: 1.0,
        y: 2.0,
        target_x: 3.0,
        target_y: 4.0,
        velocity_x: 0.5,
        velocity_y: 0.25,
        movement_speed: 1.5,
    }
}

pub(super) fn rules() -> RulesView {
    RulesView {
        name: "traits-classic".into(),
        version: "0.1.0".into(),
        digest: "ab".into(),
        first_used: "2026-01-01T00:00:00Z".into(),
        current: true,
    }
}

pub(super) fn snapshot(name: Option<String>) -> SnapshotView {
    SnapshotView {
        id: 7,
        name,
        sequence: 5,
        tick: 9,
        created_at: "2026-01-01T00:00:00Z".into(),
        agents: 3,
        digest: "cd".into(),
        size_bytes: 99,
    }
}

pub(in super::super) fn event(sequence: u64) -> EventView {
    EventView {
        sequence,
        tick: 2,
        at: "2026-01-01T00:00:00Z".into(),
        kind: if sequence == 1 { "genesis" } else { "created" }.into(),
        rules: None,
        agents: vec!["fox-1".into()],
        data: json!({"n": sequence}),
    }
}

pub(super) fn detail(id: &str) -> AgentDetail {
    AgentDetail {
        agent: agent(id),
        personality: [("cunning".to_owned(), 0.75)].into(),
        physical: Default::default(),
        abilities: Default::default(),
        dominant_traits: vec!["cunning".into()],
        mutation_count: 1,
        age: 20.0,
        life_stage: "adult".into(),
        can_reproduce: true,
        offspring_count: 0,
        parents: vec![],
        children: vec![],
        position: position(id),
        social_energy: 1.0,
        social_status: "accepted".into(),
        influence: 0.0,
        groups: vec![],
        memories: 0,
        knowledge: Default::default(),
        gender_identity: "unspecified".into(),
        gender_expression: "unspecified".into(),
    }
}

pub(super) fn relationship() -> RelationshipView {
    RelationshipView {
        relationship_id: "1-2".into(),
        other_agent_id: "wolf-2".into(),
        other_agent_name: "Wolf".into(),
        relationship_type: "acquaintance".into(),
        strength: 0.125,
        trust_level: 0.25,
        familiarity: 0.5,
        interaction_count: 3,
        positive_interactions: 2,
        negative_interactions: 1,
        last_interaction: 2,
    }
}

pub(super) fn social_stats(id: &str) -> SocialStats {
    SocialStats {
        agent_id: id.into(),
        total_interactions: 4,
        successful_interactions: 3,
        failed_interactions: 1,
        success_rate: 0.75,
        social_energy: 0.5,
        max_social_energy: 1.0,
        energy_percentage: 0.5,
        total_relationships: 1,
        positive_relationships: 1,
        negative_relationships: 0,
        close_relationships: 0,
        social_status: "popular".into(),
        influence: 0.75,
        groups: 0,
        communication_style: "casual".into(),
    }
}

pub(super) fn past_interaction(id: &str) -> PastInteractionView {
    PastInteractionView {
        interaction_id: "5-0".into(),
        sender_id: id.into(),
        receiver_id: "wolf-2".into(),
        message: "hello".into(),
        interaction_type: "communication".into(),
        tick: 2,
        outcome: None,
        energy_level: 0.75,
    }
}

pub(super) fn catalogue() -> Catalogue {
    let spirit = |name: &str, base: &[(&str, f32)]| Spirit {
        name: name.into(),
        category: "canines_and_foxes".into(),
        emoji: "🦊".into(),
        adjectives: vec!["sly".into()],
        names: vec!["Vulpine".into()],
        generation_numbers: vec![3, 7, 13],
        base_traits: base.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
    };
    let definition = |name: &str, group: &str, default| TraitDefinition {
        name: name.into(),
        group: group.into(),
        category: "mental".into(),
        default,
        purpose: "to think".into(),
    };
    Catalogue {
        spirits: vec![spirit("wolf", &[]), spirit("fox", &[("cunning", 0.75)])],
        styles: vec![Style { name: "exo".into(), template: "{spirit}-{suffix}".into(), purpose: "machines".into() }],
        schemes: vec!["elemental".into()],
        traits: vec![definition("cunning", "personality", 0.5), definition("loyalty", "personality", 0.25)],
        words: vec![("suffixes".into(), vec!["Sage".into()])],
        parameters: vec![("mutation_rate".into(), 0.125)],
    }
}

pub(super) fn compatibility(first: &str, second: &str) -> CompatibilityView {
    CompatibilityView {
        agent1_id: first.into(),
        agent2_id: second.into(),
        compatibility_score: 0.75,
        compatibility_level: "good".into(),
        breeding_recommended: true,
        spirit_compatibility: true,
        generation_difference: 1,
        trait_analysis: TraitAnalysis::default(),
        recommendation: "well".into(),
        obstacles: vec![],
    }
}

pub(super) fn lineage(id: &str) -> LineageView {
    let AgentView { agent_id, name, spirit, generation, active, .. } = agent(id);
    LineageView {
        agent_id: id.into(),
        generation: 2,
        lineage: Ancestry { agent_id, name, spirit, generation, active, parents: vec![] },
        parents: vec!["p-1".into(), "p-2".into()],
        children: vec![],
        ancestors: vec!["p-1".into(), "p-2".into()],
        descendants: vec![],
        genetic_markers: Default::default(),
    }
}

pub(super) fn interaction(first: &str, second: &str, spoken: &str) -> InteractionView {
    InteractionView {
        interaction_id: "5-0".into(),
        participants: [first.into(), second.into()],
        interaction_type: spoken.into(),
        content: "they met".into(),
        outcome: "partial_success".into(),
        relationship_impact: 0.5,
        timestamp: "2026-01-01T00:00:00Z".into(),
        duration: 1.0,
        energy_cost: 0.25,
    }
}
