//! Who had to do with whom, and how they stand to each other.

use super::{State, kind_word, outcome_word, standing_word};
use crate::ecs::component::*;
use crate::ecs::view::*;
use crate::ecs::world::Page;
use crate::rules::Bond;

/// From these on (and above) a relationship is close or positive.
const CLOSE: (f32, f32) = (0.7, 0.6);
const POSITIVE: (f32, f32) = (0.5, 0.3);

impl State {
    /// How the first stands to the second: as it remembers it, else as the other does, else as strangers do.
    pub fn bond(&self, first: AgentNumber, second: AgentNumber) -> Bond {
        let seen = |from: AgentNumber, to: AgentNumber| {
            let own = self.part::<Interactions>(from)?;
            let at = own.relationships.binary_search_by_key(&to, |relationship| relationship.other).ok()?;
            own.relationships.get(at).map(|relationship| relationship.bond)
        };
        seen(first, second).or_else(|| seen(second, first)).unwrap_or_default()
    }

    /// The latest first; the total counts all that ever were, of which `KEPT_INTERACTIONS` can be read.
    pub fn interactions(&self, id: &str, limit: u32) -> Result<Page<PastInteractionView>, WorldError> {
        let own = self.interactions_of(id)?;
        let name = |number| self.called(number);
        let view = |past: &PastInteraction| PastInteractionView {
            interaction_id: interaction_id((past.event, past.place)),
            sender_id: name(past.sender),
            receiver_id: name(past.receiver),
            message: past.message.as_ref().map(|message| message.0.to_string()).unwrap_or_default(),
            interaction_type: kind_word(past.kind).into(),
            tick: past.tick.tick(),
            outcome: past.outcome.map(|outcome| outcome_word(outcome).to_owned()),
            energy_level: past.energy,
        };
        let items = own.latest.iter().rev().take(limit as usize).map(view).collect();
        Ok(Page { items, total: own.total })
    }

    /// By number of the other, living or departed.
    pub fn relationships(&self, id: &str) -> Result<Vec<RelationshipView>, WorldError> {
        let view = |relationship: &Relationship| {
            let other = self.view(relationship.other)?;
            Some(RelationshipView {
                relationship_id: format!("{id}:{}", other.agent_id),
                other_agent_id: other.agent_id,
                other_agent_name: other.name,
                relationship_type: type_of(relationship).word().into(),
                strength: relationship.bond.strength,
                trust_level: relationship.bond.trust,
                familiarity: relationship.bond.familiarity,
                interaction_count: relationship.count,
                positive_interactions: relationship.positive,
                negative_interactions: relationship.negative,
                last_interaction: relationship.last_tick.tick(),
            })
        };
        Ok(self.interactions_of(id)?.relationships.iter().filter_map(view).collect())
    }

    /// The rate of success is of those interactions that succeeded or failed. A close relationship is a
    /// positive one too, where it has the strength and trust of one.
    pub fn social_stats(&self, id: &str) -> Result<SocialStats, WorldError> {
        let own = self.interactions_of(id)?;
        let social = self.agents.get::<&Social>(self.find_entity(id)?);
        let social = social.map_err(|_| WorldError::NoAgent(id.to_owned()))?;
        let count = |fits: fn(&Relationship) -> bool| own.relationships.iter().filter(|one| fits(one)).count() as u32;
        let judged = own.successful + own.failed;
        let success_rate = if judged == 0 { 0.0 } else { (own.successful as f64 / judged as f64) as f32 };
        Ok(SocialStats {
            agent_id: id.to_owned(),
            total_interactions: own.total,
            successful_interactions: own.successful,
            failed_interactions: own.failed,
            success_rate,
            social_energy: own.energy,
            max_social_energy: 1.0,
            energy_percentage: own.energy,
            total_relationships: own.relationships.len() as u32,
            positive_relationships: count(is_positive),
            negative_relationships: count(|one| type_of(one) == Type::Strained),
            close_relationships: count(|one| type_of(one) == Type::Close),
            social_status: standing_word(social.standing).into(),
            influence: social.influence,
            groups: social.groups.len() as u32,
            communication_style: "casual".into(),
        })
    }

    fn interactions_of(&self, id: &str) -> Result<hecs::Ref<'_, Interactions>, WorldError> {
        self.agents.get::<&Interactions>(self.find_entity(id)?).map_err(|_| WorldError::NoAgent(id.to_owned()))
    }
}

/// As clients name one: the event, and the place in it.
pub(in crate::ecs) fn interaction_id((sequence, place): (u64, u16)) -> String {
    format!("{sequence}-{place}")
}

#[derive(Clone, Copy, PartialEq)]
enum Type {
    Close,
    Positive,
    Strained,
    Acquaintance,
}

impl Type {
    fn word(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Positive => "positive",
            Self::Strained => "strained",
            Self::Acquaintance => "acquaintance",
        }
    }
}

fn is_positive(relationship: &Relationship) -> bool {
    relationship.bond.strength > POSITIVE.0 && relationship.bond.trust > POSITIVE.1
}

fn type_of(relationship: &Relationship) -> Type {
    let bond = relationship.bond;
    if bond.familiarity > CLOSE.0 && bond.strength > CLOSE.1 {
        Type::Close
    } else if is_positive(relationship) {
        Type::Positive
    } else if relationship.negative > relationship.positive {
        Type::Strained
    } else {
        Type::Acquaintance
    }
}
