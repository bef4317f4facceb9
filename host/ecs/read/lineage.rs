//! Who descends from whom, who is kin, who may have children with whom.

use std::collections::{BTreeMap, HashSet};

use super::State;
use crate::ecs::component::*;
use crate::ecs::view::*;
use crate::rules::Kinship;

/// Generations that a lineage goes up at most: its tree doubles with each. So far up the departed are remembered
/// for the living.
pub(in crate::ecs) const LINEAGE_DEPTH: u32 = 10;
/// Ancestors or descendants that a lineage lists at most.
const MAX_LISTED: usize = 1000;
/// Traits that a lineage names as marks.
const MARKERS: usize = 5;

impl State {
    /// Of living and departed agents, up to `LINEAGE_DEPTH` generations up and down; the lists end at
    /// `MAX_LISTED`. Those who are forgotten are not in it: never an ancestor of one that lives. The marks are the
    /// traits that are farthest from the middle; a departed one has none.
    pub fn lineage(&self, id: &str, depth: u32) -> Result<LineageView, WorldError> {
        let number = self.find(id)?;
        let depth = depth.min(LINEAGE_DEPTH);
        let lineage = self.ancestry(number, depth).ok_or_else(|| WorldError::NoAgent(id.to_owned()))?;
        let (parents, children) = self.kin(number);
        Ok(LineageView {
            agent_id: id.to_owned(),
            generation: lineage.generation,
            lineage,
            parents: self.ids_of(parents.iter().flatten()),
            children: self.ids_of(&children),
            ancestors: self.reach(number, depth, |from| self.kin(from).0.into_iter().flatten().collect()),
            descendants: self.reach(number, depth, |from| self.kin(from).1),
            genetic_markers: self.markers(number),
        })
    }

    fn ancestry(&self, number: AgentNumber, depth: u32) -> Option<Ancestry> {
        let AgentView { agent_id, name, spirit, generation, active, .. } = self.view(number)?;
        let above = if depth == 0 { None } else { self.kin(number).0 };
        let parents = above.iter().flatten().filter_map(|parent| self.ancestry(*parent, depth - 1)).collect();
        Some(Ancestry { agent_id, name, spirit, generation, active, parents })
    }

    /// Level by level, each once.
    fn reach(&self, from: AgentNumber, depth: u32, next: impl Fn(AgentNumber) -> Vec<AgentNumber>) -> Vec<String> {
        let (mut seen, mut level, mut found) = (HashSet::from([from]), vec![from], Vec::new());
        for _ in 0..depth {
            level = level.into_iter().flat_map(&next).filter(|number| seen.insert(*number)).collect();
            found.extend(level.iter().take(MAX_LISTED - found.len()));
            if level.is_empty() || found.len() == MAX_LISTED {
                break;
            }
        }
        self.ids_of(&found)
    }

    fn markers(&self, number: AgentNumber) -> BTreeMap<String, f32> {
        let Some(traits) = self.part::<Traits>(number) else { return BTreeMap::new() };
        let mut named: Vec<(&str, f32)> = self.traits.all().zip(traits.values.iter().copied()).collect();
        named.sort_by(|one, two| (two.1 - 0.5).abs().total_cmp(&(one.1 - 0.5).abs()));
        named.into_iter().take(MARKERS).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Parents and children of one that is or was.
    pub(in crate::ecs) fn kin(&self, number: AgentNumber) -> (Option<[AgentNumber; 2]>, Vec<AgentNumber>) {
        if let Some(departed) = self.departed.get(&number) {
            return (departed.parents, departed.children.clone());
        }
        self.part::<Lineage>(number).map_or((None, vec![]), |own| (own.parents, own.children.clone()))
    }

    fn parents(&self, number: AgentNumber) -> Option<[AgentNumber; 2]> {
        match self.departed.get(&number) {
            Some(departed) => departed.parents,
            None => self.part::<Lineage>(number)?.parents,
        }
    }

    /// Blood that two share, of living and departed agents; none beyond half-siblings.
    pub fn kinship(&self, one: AgentNumber, two: AgentNumber) -> Option<Kinship> {
        kinship((one, self.parents(one)), (two, self.parents(two)))
    }

    /// Why two agents may not have a child now; empty when they may. What their compatibility says is the
    /// rules' to say.
    pub fn obstacles(&self, one: AgentNumber, two: AgentNumber) -> Vec<String> {
        let mut all = Vec::new();
        if !self.breeding {
            all.push("breeding is switched off".to_owned());
        }
        if one == two {
            all.push("an agent cannot breed with itself".to_owned());
        }
        for number in [one, two].into_iter().take(if one == two { 1 } else { 2 }) {
            let id = self.id(number).unwrap_or_else(|| number.0.to_string());
            let entity = self.entity(number);
            let mut found = entity.map(|entity| self.agents.query_one::<(&Lifecycle, &Reproduction)>(entity));
            let Some(Ok((life, own))) = found.as_mut().map(|found| found.get()) else {
                all.push(format!("`{id}` is not living"));
                continue;
            };
            let (maturity, most) = (self.customs.maturity_age, self.customs.max_offspring);
            if life.age < maturity {
                all.push(format!("`{id}` is {:.1} years old and mature at {maturity}", life.age));
            }
            if own.cooldown > 0.0 {
                all.push(format!("`{id}` rests for {:.2} more years", own.cooldown));
            }
            if own.offspring >= most {
                all.push(format!("`{id}` has {} children of at most {most}", own.offspring));
            }
        }
        if let Some(kinship) = self.kinship(one, two)
            && !self.customs.allowed_kin.contains(&kinship)
        {
            let kin = match kinship {
                Kinship::ParentAndChild => "parent and child",
                Kinship::Siblings => "siblings",
                Kinship::HalfSiblings => "half-siblings",
            };
            all.push(format!("they are {kin}"));
        }
        all
    }

    /// Tells of each agent whether it may have a child with this one now: what `obstacles` says of the pair,
    /// without words. Whether breeding is switched on, and this one is ready, does not matter to it.
    pub fn may_mate(&self, of: AgentNumber) -> impl Fn(AgentNumber) -> bool {
        let own = (of, self.parents(of));
        let view = self.agents.view::<(&Lifecycle, &Reproduction, &Lineage)>();
        move |number| {
            let Some((life, reproduction, lineage)) = self.entity(number).and_then(|entity| view.get(entity)) else {
                return false;
            };
            number != of
                && self.may_reproduce(life, reproduction)
                && kinship(own, (number, lineage.parents))
                    .is_none_or(|kinship| self.customs.allowed_kin.contains(&kinship))
        }
    }

    pub(super) fn may_reproduce(&self, life: &Lifecycle, own: &Reproduction) -> bool {
        life.age >= self.customs.maturity_age && own.cooldown <= 0.0 && own.offspring < self.customs.max_offspring
    }

    pub fn breeding_stats(&self) -> BreedingStats {
        let total_agents = u64::from(self.agents.len());
        // The forgotten, too: their children are among all that were ever born.
        let ever = f64::from(self.given.max(1));
        BreedingStats {
            breeding_enabled: self.breeding,
            total_agents,
            mature_agents: self.counted().mature,
            total_offspring: self.offspring,
            average_offspring_per_agent: (self.offspring as f64 / ever) as f32,
        }
    }
}

type WithParents = (AgentNumber, Option<[AgentNumber; 2]>);

fn kinship((one, parents): WithParents, (two, others): WithParents) -> Option<Kinship> {
    let is_parent = |number: AgentNumber, of: Option<[AgentNumber; 2]>| of.is_some_and(|of| of.contains(&number));
    if one == two {
        return None;
    }
    if is_parent(one, others) || is_parent(two, parents) {
        return Some(Kinship::ParentAndChild);
    }
    match parents.into_iter().flatten().filter(|parent| is_parent(*parent, others)).count() {
        0 => None,
        1 => Some(Kinship::HalfSiblings),
        _ => Some(Kinship::Siblings),
    }
}
