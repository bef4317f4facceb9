//! The words of a society: customs, the catalogue, and the columns of what happens between agents. Plain
//! data. `wit/world-v0.1` says units and ranges.

use serde::{Deserialize, Serialize};

use super::{InteractionKind, Outcome};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kinship {
    ParentAndChild,
    Siblings,
    HalfSiblings,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Level {
    pub at_least: f32,
    pub name: String,
    pub advice: String,
}

/// The numbers of a world; `wit/world-v0.1` says their units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Customs {
    pub stages: [f32; 3],
    pub maturity_age: f32,
    pub max_age: f32,
    pub breeding_cooldown: f32,
    pub max_offspring: u32,
    pub breeding_threshold: f32,
    pub allowed_kin: Vec<Kinship>,
    pub meeting_distance: f32,
    pub movement_speed: f32,
    pub max_relationships: u32,
    pub memory_capacity: u32,
    pub knowledge_capacity: u32,
    /// Highest first.
    pub levels: Vec<Level>,
}

impl Default for Customs {
    /// What holds where rules have no society of their own.
    fn default() -> Self {
        Self {
            stages: [5.0, 18.0, 80.0],
            maturity_age: 18.0,
            max_age: 100.0,
            breeding_cooldown: 0.0,
            max_offspring: u32::MAX,
            breeding_threshold: 0.0,
            allowed_kin: vec![],
            meeting_distance: 0.0,
            movement_speed: 1.0,
            max_relationships: 100,
            memory_capacity: 0,
            knowledge_capacity: 0,
            levels: vec![],
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalogue {
    pub spirits: Vec<Spirit>,
    pub styles: Vec<Style>,
    pub schemes: Vec<String>,
    pub traits: Vec<TraitDefinition>,
    /// Kinds of word and their words.
    pub words: Vec<(String, Vec<String>)>,
    pub parameters: Vec<(String, f32)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spirit {
    pub name: String,
    pub category: String,
    pub emoji: String,
    pub adjectives: Vec<String>,
    pub names: Vec<String>,
    pub generation_numbers: Vec<u32>,
    /// Trait and value, where it differs from the trait's default.
    pub base_traits: Vec<(String, f32)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Style {
    pub name: String,
    pub template: String,
    pub purpose: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraitDefinition {
    pub name: String,
    pub group: String,
    pub category: String,
    pub default: f32,
    pub purpose: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encounters {
    pub count: u32,
    pub first: Vec<f32>,
    pub second: Vec<f32>,
    pub first_energies: Vec<f32>,
    pub second_energies: Vec<f32>,
    pub distances: Vec<f32>,
    pub strengths: Vec<f32>,
    pub trusts: Vec<f32>,
    pub familiarities: Vec<f32>,
    pub same_spirit: Vec<bool>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct EncountersAfter {
    pub met: Vec<bool>,
    pub kinds: Vec<InteractionKind>,
    pub outcomes: Vec<Outcome>,
    pub impacts: Vec<f32>,
    pub strengths: Vec<f32>,
    pub trusts: Vec<f32>,
    pub familiarities: Vec<f32>,
    pub first_costs: Vec<f32>,
    pub second_costs: Vec<f32>,
    pub importances: Vec<f32>,
    pub emotions: Vec<f32>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bodies {
    pub count: u32,
    pub traits: Vec<f32>,
    pub energies: Vec<f32>,
    pub xs: Vec<f32>,
    pub ys: Vec<f32>,
    pub velocity_xs: Vec<f32>,
    pub velocity_ys: Vec<f32>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memories {
    pub count: u32,
    pub importances: Vec<f32>,
    pub emotions: Vec<f32>,
    pub decay_rates: Vec<f32>,
    pub accesses: Vec<u32>,
    pub idle: Vec<f32>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoriesAfter {
    pub importances: Vec<f32>,
    pub consolidated: Vec<bool>,
    pub forgotten: Vec<bool>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lessons {
    pub count: u32,
    pub teachers: Vec<f32>,
    pub learners: Vec<f32>,
    pub teacher_proficiencies: Vec<f32>,
    pub learner_proficiencies: Vec<f32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Apart,
    Member,
    Leader,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct People {
    pub count: u32,
    pub traits: Vec<f32>,
    pub energies: Vec<f32>,
    pub networks: Vec<u32>,
    pub leaderships: Vec<u32>,
    pub influences: Vec<f32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Outcast,
    Marginal,
    #[default]
    Accepted,
    Popular,
    Influential,
    Leader,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standings {
    /// 0 to 2.
    pub influences: Vec<f32>,
    pub standings: Vec<Standing>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Groups {
    pub count: u32,
    /// Members, the leader too.
    pub sizes: Vec<u32>,
    /// 0 to 1.
    pub cohesions: Vec<f32>,
    /// The leaders' own influence, 0 to 2.
    pub leaders: Vec<f32>,
}

impl Groups {
    /// What holds where rules do not weigh groups, as `wit/world-v0.1` says. Those that decided before
    /// they could be asked go on with it.
    pub fn default_influences(&self) -> Vec<f32> {
        let influence = |(size, cohesion): (&u32, &f32)| 0.6 * (*size as f32 / 10.0).min(1.0) + 0.4 * cohesion;
        self.sizes.iter().zip(&self.cohesions).map(influence).collect()
    }
}
