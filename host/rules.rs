//! The words of trait rules: what the world asks of them and what they answer, checked. Rules own every
//! formula; this module owns none. Knows nothing of wasm, of entities or of HTTP.
//!
//! A matrix of traits is row by row: one agent a row, one trait a column, in the order of `TraitNames`
//! (personality, then physical, then abilities). Traits are 0 to 1. Times are world seconds, ages years.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::runtime::CallError;

pub use society::{
    Bodies, Catalogue, Customs, Encounters, EncountersAfter, Groups, Kinship, Lessons, Level, Memories, MemoriesAfter,
    Part, People, Spirit, Standing, Standings, Style, TraitDefinition,
};

/// What a rules' answer must keep, whoever gave it.
pub mod checked;
/// What happens between agents.
mod society;

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

    /// `compatibility` of those that are asked about again and again: the same scores. By
    /// `compatibility` itself where rules know no other way.
    async fn score(&self, one: &Individual, many: &Crowd) -> Result<Vec<f32>, RulesError>;

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

    /// Influence of each group, 0 to 1; `Groups::default_influences` where rules have a society, but no
    /// idea of this.
    async fn weigh(&self, groups: &Groups) -> Result<Vec<f32>, RulesError>;

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

/// `Population` with every spirit named once: no text for each agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Crowd {
    pub count: u32,
    pub traits: Vec<f32>,
    /// Different names; some may belong to nobody.
    pub spirits: Vec<String>,
    /// Places in `spirits`.
    pub spirit_of: Vec<u32>,
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
