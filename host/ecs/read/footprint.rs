//! What the world takes of memory, part by part: containers as they are, of some agents evenly over all.

use std::mem::size_of;

use crate::ecs::component::*;
use crate::ecs::crowd::Crowds;
use crate::ecs::state::{Body, Departed, State};
use crate::ecs::view::Footprint;

/// Agents that are looked at.
const SAMPLE: usize = 256;
/// What a B-tree has of a map's entries' own size: its nodes are three quarters full, as a mean.
const TREE: (usize, usize) = (4, 3);

impl State {
    /// Looks at `SAMPLE` agents of each kind: some ten microseconds.
    pub(super) fn footprint(&self) -> Footprint {
        let mut all = Footprint {
            departed: self.departed_bytes() as u64,
            tables: (self.entities.bytes() + self.known.bytes() + self.names_bytes()) as u64,
            columns: self.crowds.get().map_or(0, Crowds::bytes) as u64,
            ..Footprint::default()
        };
        let living = self.agents.len() as usize;
        let every = living.div_ceil(SAMPLE).max(1);
        let mut seen = 0;
        let parts = self.agents.view::<(&Agent, &Traits, &Lineage, &Interactions, &Social, &Memory, &Knowledge)>();
        for (_, entity) in self.entities.iter().step_by(every) {
            let Some((agent, traits, lineage, own, social, memory, knowledge)) = parts.get(entity) else { continue };
            let words = |past: &PastInteraction| {
                past.message.as_ref().map_or(0, |message| size_of::<Message>() + message.0.len())
            };
            seen += 1;
            let fixed = size_of::<Body>() + size_of_val(&*traits.values);
            let said = agent.id.len() + agent.name.len() + agent.spirit.len() + agent.style.len();
            let lists =
                lineage.children.capacity() * size_of::<AgentNumber>() + social.groups.capacity() * size_of::<u32>();
            all.agents += (fixed + said + lists) as u64;
            all.interactions += (own.latest.capacity() * size_of::<PastInteraction>()) as u64;
            all.interactions += own.latest.iter().map(words).sum::<usize>() as u64;
            all.relationships += (own.relationships.capacity() * size_of::<Relationship>()) as u64;
            all.memories += (memory.memories.capacity() * size_of::<Remembered>()) as u64;
            all.knowledge += (knowledge.learned.capacity() * size_of::<Learned>()) as u64;
        }
        let Footprint { agents, interactions, relationships, memories, knowledge, .. } = &mut all;
        for part in [agents, interactions, relationships, memories, knowledge] {
            *part = *part * living as u64 / seen.max(1);
        }
        all
    }

    fn departed_bytes(&self) -> usize {
        let one = |departed: &Departed| {
            departed.id.len()
                + departed.name.len()
                + departed.spirit.len()
                + departed.style.len()
                + departed.children.capacity() * size_of::<AgentNumber>()
        };
        // The first ones: to walk over all of a tree takes as long as it is large.
        let (seen, words) =
            self.departed.values().take(SAMPLE).fold((0, 0), |(seen, sum), gone| (seen + 1, sum + one(gone)));
        let own = size_of::<(AgentNumber, Departed)>() * TREE.0 / TREE.1;
        self.departed.len() * (own + words / seen.max(1))
    }

    /// Of the tables of ids and names, which have a byte of their own for every place, and the words in them.
    fn names_bytes(&self) -> usize {
        let places = self.ids.capacity() * (size_of::<(Box<str>, AgentNumber)>() + 1)
            + self.names.capacity() * (size_of::<Box<str>>() + 1);
        let length = |words: &mut dyn Iterator<Item = &Box<str>>| {
            let (seen, sum) = words.take(SAMPLE).fold((0, 0), |(seen, sum), word| (seen + 1, sum + word.len()));
            sum / seen.max(1)
        };
        places + self.ids.len() * length(&mut self.ids.keys()) + self.names.len() * length(&mut self.names.iter())
    }
}
