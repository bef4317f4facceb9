//! The living agents as rules score them, kept as columns from one question to the next, so that asking who
//! fits whom copies nothing. Derived from the state: made by the first question, changed by every event from
//! then on, no part of snapshots and digests. Knows no rules and no clients.
//!
//! The rows lie in parts. A question holds the parts that it asks about; whoever changes a part that is
//! held changes a copy, and the question goes on seeing the world of its beginning.

use std::sync::Arc;

use super::component::{Agent, AgentNumber, Traits};
use super::numbers::ByNumber;
use crate::rules::Crowd;

/// Agents of one part, and of one call: with 44 traits 700 KB, which stay in a processor's cache all the way into
/// the guest.
const PART: usize = 4096;

/// One part: a row of `crowd` an agent.
#[derive(Clone, Default)]
pub(super) struct Part {
    pub numbers: Vec<AgentNumber>,
    pub crowd: Crowd,
}

/// All parts but the last are full.
#[derive(Default)]
pub(super) struct Crowds {
    parts: Vec<Arc<Part>>,
    /// Rows over all parts.
    rows: ByNumber<u32>,
    /// Traits of a row.
    width: usize,
}

impl Crowds {
    /// 100,000 agents of 44 traits are 19 MB and take some ten milliseconds.
    pub(super) fn gather<'a>(width: usize, agents: impl IntoIterator<Item = (&'a Agent, &'a Traits)>) -> Self {
        let mut crowds = Self { width, ..Self::default() };
        for (agent, traits) in agents {
            crowds.add(agent.number, &agent.spirit, agent.generation, &traits.values);
        }
        crowds
    }

    /// As they are now.
    pub(super) fn parts(&self) -> Vec<Arc<Part>> {
        self.parts.clone()
    }

    /// A living agent that was not here.
    pub(super) fn add(&mut self, number: AgentNumber, spirit: &str, generation: u32, traits: &[f32]) {
        if self.parts.last().is_none_or(|part| part.numbers.len() == PART) {
            self.parts.push(Arc::default());
        }
        let at = self.parts.len() - 1;
        let Some(part) = self.parts.last_mut().map(Arc::make_mut) else { return };
        self.rows.insert(number, (at * PART + part.numbers.len()) as u32);
        part.numbers.push(number);
        let crowd = &mut part.crowd;
        crowd.count += 1;
        crowd.spirit_of.push(spirit_of(&mut crowd.spirits, spirit));
        crowd.generations.push(generation);
        crowd.traits.extend_from_slice(traits);
    }

    /// The last row takes its place. Nothing happens to one that is not here.
    pub(super) fn remove(&mut self, number: AgentNumber) {
        let Some((at, row)) = self.place(number) else { return };
        let Some(last) = self.parts.last_mut().map(Arc::make_mut) else { return };
        let (Some(moved), Some(spirit), Some(generation)) =
            (last.numbers.pop(), last.crowd.spirit_of.pop(), last.crowd.generations.pop())
        else {
            return;
        };
        last.crowd.count -= 1;
        let traits = last.crowd.traits.split_off(last.crowd.traits.len().saturating_sub(self.width));
        let name = last.crowd.spirits.get(spirit as usize).cloned().unwrap_or_default();
        if last.numbers.is_empty() {
            self.parts.pop();
        }
        self.rows.remove(number);
        if moved == number {
            return;
        }
        self.rows.insert(moved, (at * PART + row) as u32);
        let Some(part) = self.parts.get_mut(at).map(Arc::make_mut) else { return };
        part.numbers[row] = moved;
        part.crowd.spirit_of[row] = spirit_of(&mut part.crowd.spirits, &name);
        part.crowd.generations[row] = generation;
        part.crowd.traits[row * self.width..(row + 1) * self.width].copy_from_slice(&traits);
    }

    /// Other traits of an agent, as many as before.
    pub(super) fn change(&mut self, number: AgentNumber, traits: &[f32]) {
        let Some((at, row)) = self.place(number) else { return };
        let Some(part) = self.parts.get_mut(at).map(Arc::make_mut) else { return };
        if let Some(own) = part.crowd.traits.get_mut(row * self.width..(row + 1) * self.width)
            && own.len() == traits.len()
        {
            own.copy_from_slice(traits);
        }
    }

    /// Bytes, without the allocator's own waste.
    pub(super) fn bytes(&self) -> usize {
        let part = |part: &Arc<Part>| {
            let words = part.numbers.capacity() + part.crowd.traits.capacity() + part.crowd.spirit_of.capacity();
            (words + part.crowd.generations.capacity()) * size_of::<u32>()
        };
        self.parts.iter().map(part).sum::<usize>() + self.rows.bytes()
    }

    /// Part and row within it.
    fn place(&self, number: AgentNumber) -> Option<(usize, usize)> {
        let row = self.rows.get(number)? as usize;
        Some((row / PART, row % PART))
    }
}

/// Its place in the table, where it is from now on.
fn spirit_of(table: &mut Vec<String>, spirit: &str) -> u32 {
    let at = table.iter().position(|known| known == spirit).unwrap_or_else(|| {
        table.push(spirit.to_owned());
        table.len() - 1
    });
    at as u32
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
