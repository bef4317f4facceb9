//! Who is not remembered any more. Of departed agents the world keeps those from whom somebody living descends,
//! as far up as lineages are told, and the latest of all others; the rest it forgets, and their ids and names are
//! free. When, and whom, follows from the state alone, so that the same events forget the same agents.

use std::collections::HashSet;

use crate::ecs::component::*;
use crate::ecs::read::LINEAGE_DEPTH;
use crate::ecs::state::State;

/// When departed agents are forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ecs) struct Remembrance {
    /// Departures from one look at who can be forgotten to the next.
    pub every: u32,
    /// Those who are nobody's ancestors and are remembered all the same, the latest.
    pub latest: usize,
}

/// Long enough for whoever follows events to learn who left; some 3 MB.
impl Default for Remembrance {
    fn default() -> Self {
        Self { every: 2_000, latest: 10_000 }
    }
}

impl State {
    /// After a departure.
    pub(super) fn forget_some(&mut self) {
        // Numbers without a living agent: every departure makes one more, and a snapshot knows how many there are.
        let gone = self.given.saturating_sub(self.agents.len());
        if gone.is_multiple_of(self.remembrance.every) && self.departed.len() > self.remembrance.latest {
            self.forget();
        }
    }

    fn forget(&mut self) {
        let ancestors = self.departed_ancestors();
        let others = self.departed.iter().filter(|(number, _)| !ancestors.contains(number));
        let mut others: Vec<(u64, AgentNumber)> = others.map(|(number, departed)| (departed.left, *number)).collect();
        let Some(many) = others.len().checked_sub(self.remembrance.latest).filter(|many| *many > 0) else { return };
        // Numbers tell those apart who left in the same tick.
        others.select_nth_unstable(many - 1);
        let forgotten: HashSet<AgentNumber> = others.into_iter().take(many).map(|(_, number)| number).collect();
        for number in &forgotten {
            let Some(departed) = self.departed.remove(number) else { continue };
            self.known.remove(*number);
            self.ids.remove(&departed.id);
            self.names.remove(&departed.name);
            for parent in departed.parents.into_iter().flatten() {
                self.disown(parent, *number);
            }
        }
        self.let_go_of(&forgotten);
    }

    /// Departed agents from whom a living one descends, within the depth of a lineage. Who is not among them never
    /// will be: nobody gets other parents.
    fn departed_ancestors(&self) -> HashSet<AgentNumber> {
        let mut found = HashSet::new();
        let mut living = self.agents.query::<&Lineage>();
        let mut level: Vec<AgentNumber> = living.iter().filter_map(|own| own.parents).flatten().collect();
        for _ in 0..LINEAGE_DEPTH {
            // Those who live are the first of a line of their own.
            level.retain(|number| self.departed.contains_key(number) && found.insert(*number));
            level = level.iter().filter_map(|number| self.departed.get(number)?.parents).flatten().collect();
        }
        found
    }

    fn disown(&mut self, parent: AgentNumber, child: AgentNumber) {
        if let Some(departed) = self.departed.get_mut(&parent) {
            departed.children.retain(|own| *own != child);
        } else if let Some(entity) = self.entity(parent)
            && let Ok(lineage) = self.agents.query_one_mut::<&mut Lineage>(entity)
        {
            lineage.children.retain(|own| *own != child);
        }
    }

    /// Nobody has a relationship with them. Memories and interactions of the past name them by number until newer
    /// ones take their place.
    fn let_go_of(&mut self, forgotten: &HashSet<AgentNumber>) {
        let (Some(first), Some(last)) = (forgotten.iter().min(), forgotten.iter().max()) else { return };
        for own in self.agents.query_mut::<&mut Interactions>() {
            // Mostly nobody: those who stay knew each other before the others came.
            let known = &mut own.relationships;
            let (from, to) =
                (known.partition_point(|one| one.other < *first), known.partition_point(|one| one.other <= *last));
            if known[from..to].iter().any(|one| forgotten.contains(&one.other)) {
                known.retain(|one| !forgotten.contains(&one.other));
            }
        }
    }
}

#[cfg(test)]
mod tests;
