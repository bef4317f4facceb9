//! What requests may refer to: texts of the tree, agents that were made for this, the rules that are in force.

use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use crate::exchange::{Client, Request};
use crate::rotation::{Rotation, Texts};

/// Texts that warm requests take turns with.
pub const WARM: usize = 20;
/// Agents that are made for a run.
const AGENTS: usize = 200;

/// The number of a request in its run, and whether its text must be one that was never asked for.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    pub number: u64,
    pub fresh: bool,
}

pub struct Scene {
    texts: Texts,
    /// What warm requests ask for.
    warm_words: Vec<String>,
    warm_names: Vec<String>,
    warm_prefixes: Vec<String>,
    agents: Vec<String>,
    pub rules: String,
    pub spirit: String,
    /// A document that searches find, as they name it.
    pub document: String,
    /// Of embeddings; empty where the server has none by name.
    pub model: String,
    /// Of a snapshot that was made for this.
    pub snapshot: u64,
}

impl Scene {
    /// Makes agents and a snapshot of them.
    pub async fn prepare(client: &Client, tree: &Path) -> anyhow::Result<Self> {
        let mut scene = Self::of(Texts::of(tree)?);
        let agents: Vec<Value> = scene.agents.iter().map(|id| json!({ "agent_id": id, "age": 30 })).collect();
        client.json(&Request::post("/api/ecs/agents/batch", json!({ "agents": agents }))).await?;
        let rules = client.json(&Request::get("/api/ecs/rules")).await?;
        let current = rules["rules"].as_array().into_iter().flatten().find(|rules| rules["current"] == true);
        scene.rules = current.and_then(|rules| rules["name"].as_str()).context("no rules are in force")?.to_owned();
        let first = client.json(&Request::get(format!("/api/ecs/agents/{}", scene.agents[0]))).await?;
        scene.spirit = first["spirit"].as_str().unwrap_or("fox").to_owned();
        for query in &scene.warm_words {
            let found = client.json(&Request::post("/api/search/hybrid", json!({ "query": query }))).await?;
            if let Some(path) = found["results"][0]["file_path"].as_str() {
                scene.document = path.to_owned();
                break;
            }
        }
        let models = client.json(&Request::get("/v1/models")).await.unwrap_or_default();
        scene.model = models["data"][0]["id"].as_str().unwrap_or_default().to_owned();
        let snapshot = client.json(&Request::call("/api/ecs/snapshots")).await?;
        scene.snapshot = snapshot["id"].as_u64().context("a snapshot without id")?;
        Ok(scene)
    }

    fn of(texts: Texts) -> Self {
        let warm = |rotation: &Rotation| (0..WARM).filter_map(|_| rotation.next()).collect();
        Self {
            warm_words: warm(&texts.words),
            warm_names: warm(&texts.names),
            warm_prefixes: warm(&texts.prefixes),
            texts,
            agents: (0..AGENTS).map(|number| format!("suite-{number:04}")).collect(),
            rules: "traits-classic".into(),
            spirit: "fox".into(),
            document: String::new(),
            model: String::new(),
            snapshot: 1,
        }
    }

    pub fn words(&self, ask: Ask) -> Option<String> {
        if ask.fresh { self.texts.words.next() } else { turn(&self.warm_words, ask.number) }
    }

    /// A regular expression that finds at least one definition.
    pub fn names(&self, ask: Ask) -> Option<String> {
        if ask.fresh { self.texts.names.next() } else { turn(&self.warm_names, ask.number) }
    }

    pub fn prefix(&self, ask: Ask) -> Option<String> {
        if ask.fresh { self.texts.prefixes.next() } else { turn(&self.warm_prefixes, ask.number) }
    }

    pub fn agent(&self, number: u64) -> &str {
        self.agents.get(number as usize % self.agents.len()).map_or("", String::as_str)
    }

    /// Another one than `agent` of the same number.
    pub fn other(&self, number: u64) -> &str {
        self.agent(number + 1 + number / 7 % (AGENTS as u64 - 1))
    }

    /// A folder that the tree really has.
    pub fn directory(&self, number: u64) -> Option<String> {
        turn(&self.texts.directories, number)
    }

    pub fn file_type(&self, number: u64) -> Option<String> {
        turn(&self.texts.file_types, number)
    }

    #[cfg(test)]
    pub fn for_tests() -> Self {
        let pool = |start: &str| (0..3000).map(|number| format!("{start}{number}")).collect();
        Self::of(Texts {
            words: Rotation::new(pool("some words "), " "),
            names: Rotation::new(pool("name_"), "|"),
            prefixes: Rotation::new(pool("pre"), " "),
            directories: vec!["src".into(), "docs".into()],
            file_types: vec!["rs".into()],
        })
    }
}

fn turn(texts: &[String], number: u64) -> Option<String> {
    texts.get((number as usize).checked_rem(texts.len())?).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_meets_themself() {
        let scene = Scene::for_tests();
        assert!((0..5000).all(|number| scene.agent(number) != scene.other(number)));
    }
}
