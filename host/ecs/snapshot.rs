//! The state as bytes and back: complete, the same bytes for the same state, agents in the order in which
//! they are iterated. Decoding trusts nothing. Customs are no part of it. Knows no store and no compression.
//!
//! A byte for the version of the format, then postcard: `Head`, departed agents, groups, living agents.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::component::*;
use super::state::{Body, Clock, Departed, Group, Ruling, State, Whole};
use crate::rules::TraitNames;

/// Of the format. Another one needs a reader for this one, for snapshots that are kept.
const VERSION: u8 = 1;
/// Bytes after which what is written so far is handed on.
const CHUNK: usize = 1 << 16;

#[derive(Serialize, Deserialize)]
struct Head {
    sequence: u64,
    seed: u64,
    seconds_per_year: f32,
    clock: Clock,
    breeding: bool,
    offspring: u64,
    next_group: u32,
    traits: TraitNames,
    rules: Option<Ruling>,
    /// Numbers that were given.
    agents: u32,
    living: u32,
}

/// Bytes that are no state.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DecodeError {
    #[error("a snapshot of format {0}, this host reads {VERSION}")]
    Version(u8),
    #[error("the snapshot is damaged: {0}")]
    Malformed(#[from] postcard::Error),
    /// It can be read, but no events lead to it.
    #[error("the snapshot contradicts itself: {0}")]
    Contradiction(String),
}

impl State {
    /// About 400 bytes an agent that has met nobody, some 3 KB one with full lists; in pieces, so that whoever is
    /// done with one can let it go, and none has to be moved for want of room.
    pub fn encode(&self) -> Vec<Box<[u8]>> {
        let mut pieces = Vec::new();
        self.write(|bytes| pieces.push(bytes.into()));
        pieces
    }

    /// BLAKE3 of what `encode` gives, without holding it.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        self.write(|bytes| {
            hasher.update(bytes);
        });
        *hasher.finalize().as_bytes()
    }

    fn write(&self, mut sink: impl FnMut(&[u8])) {
        let mut buffer = Buffer(vec![VERSION]);
        buffer.put(&Head {
            sequence: self.sequence,
            seed: self.seed,
            seconds_per_year: self.seconds_per_year,
            clock: self.clock,
            breeding: self.breeding,
            offspring: self.offspring,
            next_group: self.next_group,
            traits: self.traits.clone(),
            rules: self.rules.clone(),
            agents: self.given,
            living: self.agents.len(),
        });
        buffer.put(&self.departed);
        buffer.put(&self.groups);
        for parts in self.agents.query::<Whole>().iter() {
            if buffer.0.len() >= CHUNK {
                sink(&buffer.0);
                buffer.0.clear();
            }
            buffer.put(&parts);
        }
        sink(&buffer.0);
    }

    /// The state that `encode` was asked of, but for its customs. Takes its pieces joined.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Some((&version, mut rest)) = bytes.split_first() else { return Err(DecodeError::Version(0)) };
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let rest = &mut rest;
        let head: Head = take(rest)?;
        let departed: BTreeMap<AgentNumber, Departed> = take(rest)?;
        let groups: BTreeMap<u32, Group> = take(rest)?;
        // Fewer where some are forgotten, or a restoration left numbers that were given to others: nobody gets
        // them again.
        if departed.len() + head.living as usize > head.agents as usize || rest.len() < head.living as usize {
            return Err(contradiction(format!("{} agents are fewer than it says", head.agents)));
        }
        let mut state = State {
            sequence: head.sequence,
            seed: head.seed,
            seconds_per_year: head.seconds_per_year,
            clock: head.clock,
            breeding: head.breeding,
            offspring: head.offspring,
            next_group: head.next_group,
            traits: head.traits,
            rules: head.rules,
            groups,
            given: head.agents,
            ..State::new()
        };
        for (number, gone) in &departed {
            if number.0 == 0 || number.0 > head.agents {
                return Err(contradiction(format!("there is no place for agent {}", number.0)));
            }
            state.name(*number, &gone.id, &gone.name)?;
        }
        state.departed = departed;
        state.agents.reserve::<Body>(head.living);
        for _ in 0..head.living {
            let body: Body = take(rest)?;
            state.settle(body)?;
        }
        if !rest.is_empty() {
            return Err(contradiction(format!("{} bytes too many", rest.len())));
        }
        state.check_groups()?;
        Ok(state)
    }

    fn name(&mut self, number: AgentNumber, id: &str, name: &str) -> Result<(), DecodeError> {
        if self.ids.insert(id.into(), number).is_some() || !self.names.insert(name.into()) {
            return Err(contradiction(format!("`{id}` or `{name}` is there twice")));
        }
        self.known.insert(number, ());
        Ok(())
    }

    fn settle(&mut self, body: Body) -> Result<(), DecodeError> {
        let (agent, traits, life, own, position) = (&body.0, &body.1, &body.2, &body.6, &body.5);
        let number = agent.number;
        let unit = |value: f32| (0.0..=1.0).contains(&value);
        let sound = traits.values.len() == self.traits.width()
            && traits.values.iter().all(|&value| unit(value))
            && life.age.is_finite()
            && life.age >= 0.0
            && unit(own.energy)
            && own.relationships.is_sorted_by(|one, two| one.other < two.other)
            && position.at.iter().chain(&position.velocity).all(|value| value.is_finite())
            && usize::from(body.10.identity) < GENDER_IDENTITIES.len()
            && usize::from(body.10.expression) < GENDER_EXPRESSIONS.len();
        if !sound {
            return Err(contradiction(format!("agent {} has values out of range", number.0)));
        }
        let (id, name) = (agent.id.clone(), agent.name.clone());
        let gone = self.departed.contains_key(&number);
        if number.0 == 0 || number.0 > self.given || gone || self.entities.contains(number) {
            return Err(contradiction(format!("there is no place for agent {}", number.0)));
        }
        self.entities.insert(number, self.agents.spawn(body));
        self.name(number, &id, &name)
    }

    fn check_groups(&self) -> Result<(), DecodeError> {
        for (number, group) in &self.groups {
            let sound = *number < self.next_group
                && group.members.is_sorted_by(|one, two| one < two)
                && group.members.contains(&group.leader)
                && group.members.iter().all(|member| {
                    self.part::<Social>(*member).is_some_and(|social| social.groups.binary_search(number).is_ok())
                });
            if !sound {
                return Err(contradiction(format!("group {number} has members that do not know it")));
            }
        }
        Ok(())
    }
}

struct Buffer(Vec<u8>);

impl Buffer {
    fn put<T: Serialize>(&mut self, value: &T) {
        // Writing to memory cannot fail, for everything that is kept knows its length; if it did, the
        // bytes would be too few to be decoded.
        self.0 = postcard::to_extend(value, std::mem::take(&mut self.0)).unwrap_or_default();
    }
}

fn take<T: DeserializeOwned>(rest: &mut &[u8]) -> Result<T, DecodeError> {
    let (value, after) = postcard::take_from_bytes::<T>(rest)?;
    *rest = after;
    Ok(value)
}

fn contradiction(what: String) -> DecodeError {
    DecodeError::Contradiction(what)
}

#[cfg(test)]
mod tests;
