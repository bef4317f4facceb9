//! An agent in words: the document that stands for it in the index. Says only what changes seldom, so that
//! a tick does not make a hundred thousand new documents.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use crate::ecs::view::{AgentDetail, AgentView};
use crate::index::DocumentVersion;
use crate::rules::Catalogue;

/// From here on a trait is worth a word.
const STRONG: f32 = 0.65;
/// Up to here its lack is.
const WEAK: f32 = 0.25;
/// Traits that one line names at most.
const NAMED: usize = 6;

/// What the catalogue adds to a spirit's bare name.
#[derive(Default)]
pub(super) struct Spirits {
    about: HashMap<String, String>,
}

impl Spirits {
    pub(super) fn of(catalogue: Catalogue) -> Self {
        let about = catalogue.spirits.into_iter().map(|spirit| {
            let mut words = spirit.adjectives;
            words.extend((!spirit.category.is_empty()).then_some(spirit.category));
            (spirit.name, words.join(", "))
        });
        Self { about: about.collect() }
    }

    fn about(&self, spirit: &str) -> &str {
        self.about.get(spirit).map(String::as_str).unwrap_or_default()
    }
}

/// Stable identity of an agent's document: ids are never given twice.
pub(super) fn document_of(id: &str) -> u64 {
    first_number(id.as_bytes()) >> 1
}

/// The document's text.
pub(super) fn content(detail: &AgentDetail, spirits: &Spirits) -> String {
    let AgentDetail { agent, personality, physical, abilities, dominant_traits, .. } = detail;
    let AgentView { agent_id, name, spirit, style, generation, .. } = agent;
    let mut text = format!("{name}, agent {agent_id}\nSpirit: {spirit}");
    // Writing to a string cannot fail.
    let mut line = |label: &str, words: &str| {
        if !words.is_empty() {
            let _ = write!(text, "{label}{words}");
        }
    };
    line("; ", spirits.about(spirit));
    line("\nStyle: ", style);
    line("\nGeneration: ", &generation.to_string());
    line("\nDominant traits: ", &dominant_traits.join(", "));
    line("\nStrong abilities: ", &strong(abilities));
    line("\nStrong of body: ", &strong(physical));
    line("\nStrong of character: ", &strong(personality));
    line("\nLittle: ", &weak(personality));
    text
}

/// What tells one text from another.
pub(super) fn digest(title: &str, content: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(title.len() as u64).to_le_bytes()).update(title.as_bytes()).update(content.as_bytes());
    first(hasher.finalize().as_bytes())
}

/// `modified` in Unix seconds.
pub(super) fn document(agent: &AgentView, content: String, sequence: u64, modified: i64) -> DocumentVersion {
    DocumentVersion {
        sequence,
        document: document_of(&agent.agent_id),
        root: 0,
        path: format!("{}{}", super::PATH, agent.agent_id),
        language: Some("agent".to_owned()),
        title: Some(agent.name.clone()),
        modified,
        content,
    }
}

/// The strongest first; of equal ones by name.
fn strong(traits: &BTreeMap<String, f32>) -> String {
    let mut found: Vec<(&String, f32)> =
        traits.iter().map(|(name, value)| (name, *value)).filter(|(_, value)| *value >= STRONG).collect();
    found.sort_by(|left, right| right.1.total_cmp(&left.1));
    named(found.into_iter().map(|(name, _)| name))
}

fn weak(traits: &BTreeMap<String, f32>) -> String {
    named(traits.iter().filter(|(_, value)| **value <= WEAK).map(|(name, _)| name))
}

fn named<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn first_number(bytes: &[u8]) -> u64 {
    first(blake3::hash(bytes).as_bytes())
}

fn first(digest: &[u8; 32]) -> u64 {
    digest[..8].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
