//! The words of trait rules: what the world asks of them and what they answer, checked. Rules own every
//! formula; this module owns none. Knows nothing of wasm, of entities or of HTTP.
//!
//! A matrix of traits is row by row: one agent a row, one trait a column, in the order of `TraitNames`
//! (personality, then physical, then abilities). Traits are 0 to 1. Times are world seconds, ages years.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::runtime::CallError;

/// What a rules' answer must keep, whoever gave it.
pub mod checked;

/// Rules for tests.
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
pub mod fixed;

/// Digest of rules and their settings; the same digest gives the same world.
pub type RulesDigest = [u8; 32];

/// One version of rules. Every method is a function of its arguments: chance comes in as a seed. What
/// comes back has the lengths and ranges that the records say; an implementation checks that by
/// `checked` before anyone sees it.
#[async_trait]
pub trait Rules: Send + Sync {
    fn about(&self) -> &About;

    /// `count` rows for new agents of a spirit.
    async fn first_traits(&self, spirit: &str, count: u32, seed: u64) -> Result<Vec<f32>, RulesError>;

    async fn inherit(
        &self,
        first: &Individual,
        second: &Individual,
        count: u32,
        seed: u64,
    ) -> Result<Offspring, RulesError>;

    /// One score a member of `many`, 0 to 1.
    async fn compatibility(&self, one: &Individual, many: &Population) -> Result<Vec<f32>, RulesError>;

    async fn interact(
        &self,
        kind: InteractionKind,
        first: &Individual,
        second: &Individual,
        before: Bond,
        seed: u64,
    ) -> Result<Interaction, RulesError>;

    /// `step` years on.
    async fn tick(&self, now: &Lives, step: f32, seed: u64) -> Result<LivesAfter, RulesError>;

    // What follows needs a society; `CallError::Unsupported` where `About::society` is none.

    /// Up to `count` different names.
    async fn names(
        &self,
        spirit: &str,
        style: &str,
        generation: u32,
        count: u32,
        seed: u64,
    ) -> Result<Vec<String>, RulesError>;

    async fn meet(&self, pairs: &Encounters, step: f32, seed: u64) -> Result<EncountersAfter, RulesError>;

    /// Velocities x and y of each.
    async fn wander(&self, now: &Bodies, step: f32, seed: u64) -> Result<(Vec<f32>, Vec<f32>), RulesError>;

    async fn remember(&self, now: &Memories, step: f32) -> Result<MemoriesAfter, RulesError>;

    async fn learn(&self, lessons: &Lessons, step: f32, seed: u64) -> Result<Vec<f32>, RulesError>;

    async fn unlearn(&self, proficiencies: &[f32], step: f32) -> Result<Vec<f32>, RulesError>;

    async fn gather(&self, people: &People, seed: u64) -> Result<Vec<Part>, RulesError>;

    async fn stand(&self, people: &People) -> Result<Standings, RulesError>;

    /// All that is needed to bring these rules back when their plugin has been replaced.
    fn archive(&self) -> ArchivedRules;
}

/// Rules that failed, and how. Rules are named `name@version`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rules {rules} failed at {call}: {error}")]
pub struct RulesError {
    pub rules: String,
    /// Such as `first-traits`.
    pub call: &'static str,
    pub error: CallError,
}

/// Where rules come from.
#[async_trait]
pub trait RulesSource: Send + Sync {
    /// The rules that serve under a name now; with or without `traits-` in front.
    fn current(&self, name: &str) -> Option<std::sync::Arc<dyn Rules>>;

    /// Names that `current` knows, sorted.
    fn known(&self) -> Vec<String>;

    /// Rules as they were when they were archived. Compiles, so it may take a second.
    async fn revive(&self, archived: &ArchivedRules) -> Result<std::sync::Arc<dyn Rules>, RulesError>;
}

/// A component with its settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedRules {
    pub digest: RulesDigest,
    pub name: String,
    pub version: String,
    /// The component's bytes; empty for rules that are compiled in.
    pub component: Vec<u8>,
    /// What it reads as `wasi:config/store`.
    pub settings: Vec<(String, String)>,
}

/// What rules say of themselves, asked once.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    pub name: String,
    pub version: String,
    pub digest: RulesDigest,
    pub traits: TraitNames,
    /// Spirits that `first_traits` knows.
    pub spirits: Vec<String>,
    /// None: what happens between agents happens on command only.
    pub society: Option<Society>,
}

impl About {
    /// `name@version`.
    pub fn label(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Society {
    pub customs: Customs,
    pub catalogue: Catalogue,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraitNames {
    pub personality: Vec<String>,
    pub physical: Vec<String>,
    pub abilities: Vec<String>,
}

impl TraitNames {
    /// Columns of a matrix of traits.
    pub fn width(&self) -> usize {
        self.personality.len() + self.physical.len() + self.abilities.len()
    }

    /// In the order of the columns.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.personality.iter().chain(&self.physical).chain(&self.abilities).map(String::as_str)
    }

    pub fn position(&self, name: &str) -> Option<usize> {
        self.all().position(|known| known == name)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Individual {
    pub traits: Vec<f32>,
    pub spirit: String,
    pub generation: u32,
    pub mutations: u32,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Population {
    pub count: u32,
    pub traits: Vec<f32>,
    pub spirits: Vec<String>,
    pub generations: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Offspring {
    pub traits: Vec<f32>,
    pub spirits: Vec<String>,
    pub mutations: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InteractionKind {
    Communication,
    Collaboration,
    Teaching,
    Social,
    Competitive,
    Romantic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Success,
    PartialSuccess,
    Failure,
    Neutral,
}

/// How two agents stand to each other, each 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bond {
    pub strength: f32,
    pub trust: f32,
    pub familiarity: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interaction {
    pub outcome: Outcome,
    /// -1 to 1.
    pub impact: f32,
    pub after: Bond,
    /// 0 to 1 each.
    pub energy_costs: [f32; 2],
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lives {
    pub count: u32,
    /// Years.
    pub ages: Vec<f32>,
    /// 0 to 1.
    pub energies: Vec<f32>,
    pub traits: Vec<f32>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct LivesAfter {
    pub ages: Vec<f32>,
    pub energies: Vec<f32>,
    /// Empty when traits did not change.
    pub traits: Vec<f32>,
    pub alive: Vec<bool>,
}

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
