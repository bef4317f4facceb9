//! Lists of agents, and all that one is. By number, which is the order of their coming.

use std::collections::BTreeMap;

use super::{State, agent_view, departed_view, stage_word, standing_word};
use crate::ecs::component::*;
use crate::ecs::state::{Departed, Whole};
use crate::ecs::view::*;
use crate::ecs::world::{AgentFilter, Page, PageOf};

/// Traits of the personality that are called dominant.
const DOMINANT: usize = 3;

impl State {
    /// Without a spirit and a style in the filter it costs the page and a small part of the offset (a look at
    /// every 64 that are skipped), with one of them a look at every agent (100,000: a few milliseconds).
    pub fn agents(&self, filter: &AgentFilter, page: PageOf) -> Page<AgentView> {
        let (offset, limit) = (usize::try_from(page.offset).unwrap_or(usize::MAX), page.limit as usize);
        let agents = self.agents.view::<&Agent>();
        let look_up = |number: AgentNumber| match self.entity(number).and_then(|entity| agents.get(entity)) {
            Some(agent) => Some(agent_view(agent)),
            None => self.departed.get(&number).map(departed_view),
        };
        if filter.spirit.is_none() && filter.style.is_none() {
            let (total, items) = match filter.active_only {
                true => {
                    let living = self.entities.after(offset).take(limit);
                    let items = living.filter_map(|(_, entity)| agents.get(entity)).map(agent_view).collect();
                    (self.entities.len(), items)
                }
                false => {
                    let numbers = self.known.after(offset).take(limit).map(|(number, ())| number);
                    (self.known.len(), numbers.filter_map(look_up).collect())
                }
            };
            return Page { items, total: total as u64 };
        }
        let fits = |spirit: &str, style: &str| {
            filter.spirit.as_deref().is_none_or(|wanted| wanted == spirit)
                && filter.style.as_deref().is_none_or(|wanted| wanted == style)
        };
        let mut found = Page { items: Vec::new(), total: 0 };
        for (number, ()) in self.known.iter() {
            let fitting = match self.entity(number).and_then(|entity| agents.get(entity)) {
                Some(agent) => fits(&agent.spirit, &agent.style),
                None if filter.active_only => false,
                None => self.departed.get(&number).is_some_and(|departed| fits(&departed.spirit, &departed.style)),
            };
            if !fitting {
                continue;
            }
            if found.total >= page.offset && found.items.len() < limit {
                found.items.extend(look_up(number));
            }
            found.total += 1;
        }
        found
    }

    /// Those that are or were, in the order of the ids.
    pub fn agents_by_id(&self, ids: &[String]) -> Vec<AgentView> {
        ids.iter().filter_map(|id| self.number(id)).filter_map(|number| self.view(number)).collect()
    }

    /// Of one that departed, what is kept: who it was and its lineage; the rest is empty.
    pub fn agent(&self, id: &str) -> Result<AgentDetail, WorldError> {
        let number = self.find(id)?;
        if let Some(departed) = self.departed.get(&number) {
            return Ok(self.departed_detail(departed));
        }
        let missing = || WorldError::NoAgent(id.to_owned());
        let entity = self.entity(number).ok_or_else(missing)?;
        let mut found = self.agents.query_one::<Whole>(entity);
        let (agent, traits, life, reproduction, lineage, position, own, social, memory, knowledge, gender) =
            found.get().map_err(|_| missing())?;
        let [personality, physical, abilities] = self.groups_of_traits(&traits.values);
        let word = |words: &[&str], at: u8| words.get(usize::from(at)).copied().unwrap_or("unspecified").to_owned();
        let proficiency = |learned: &Learned| {
            let topic = self.traits.abilities.get(usize::from(learned.topic))?;
            Some((topic.clone(), learned.proficiency))
        };
        Ok(AgentDetail {
            agent: agent_view(agent),
            dominant_traits: strongest(&personality, DOMINANT),
            personality,
            physical,
            abilities,
            mutation_count: traits.mutations,
            age: life.age,
            life_stage: stage_word(life.stage).into(),
            can_reproduce: self.may_reproduce(life, reproduction),
            offspring_count: reproduction.offspring,
            parents: self.ids_of(lineage.parents.iter().flatten()),
            children: self.ids_of(&lineage.children),
            position: self.position_view(agent, position),
            social_energy: own.energy,
            social_status: standing_word(social.standing).into(),
            influence: social.influence,
            groups: social.groups.clone(),
            memories: memory.memories.len() as u32,
            knowledge: knowledge.learned.iter().filter_map(proficiency).collect(),
            gender_identity: word(&GENDER_IDENTITIES, gender.identity),
            gender_expression: word(&GENDER_EXPRESSIONS, gender.expression),
        })
    }

    fn departed_detail(&self, departed: &Departed) -> AgentDetail {
        AgentDetail {
            agent: departed_view(departed),
            personality: BTreeMap::new(),
            physical: BTreeMap::new(),
            abilities: BTreeMap::new(),
            dominant_traits: vec![],
            mutation_count: 0,
            age: 0.0,
            life_stage: "departed".into(),
            can_reproduce: false,
            offspring_count: departed.children.len() as u32,
            parents: self.ids_of(departed.parents.iter().flatten()),
            children: self.ids_of(&departed.children),
            position: PositionView {
                agent_id: departed.id.to_string(),
                x: 0.0,
                y: 0.0,
                target_x: 0.0,
                target_y: 0.0,
                velocity_x: 0.0,
                velocity_y: 0.0,
                movement_speed: 0.0,
            },
            social_energy: 0.0,
            social_status: "departed".into(),
            influence: 0.0,
            groups: vec![],
            memories: 0,
            knowledge: BTreeMap::new(),
            gender_identity: "unspecified".into(),
            gender_expression: "unspecified".into(),
        }
    }

    /// Names and values, in the order of the rules.
    pub fn traits_of(&self, id: &str) -> Result<Vec<(String, f32)>, WorldError> {
        let entity = self.find_entity(id)?;
        let traits = self.agents.get::<&Traits>(entity).map_err(|_| WorldError::NoAgent(id.to_owned()))?;
        Ok(self.traits.all().map(str::to_owned).zip(traits.values.iter().copied()).collect())
    }

    /// Personality, physical, abilities.
    fn groups_of_traits(&self, values: &[f32]) -> [BTreeMap<String, f32>; 3] {
        let mut values = values.iter().copied();
        [&self.traits.personality, &self.traits.physical, &self.traits.abilities]
            .map(|names| names.iter().cloned().zip(values.by_ref()).collect())
    }

    /// Those that are or were.
    pub(super) fn ids_of<'a>(&self, numbers: impl IntoIterator<Item = &'a AgentNumber>) -> Vec<String> {
        numbers.into_iter().filter_map(|number| self.id(*number)).collect()
    }
}

/// Names of the highest values, of equal ones the first by name.
pub(super) fn strongest(traits: &BTreeMap<String, f32>, count: usize) -> Vec<String> {
    let mut sorted: Vec<(&String, f32)> = traits.iter().map(|(name, value)| (name, *value)).collect();
    sorted.sort_by(|one, two| two.1.total_cmp(&one.1));
    sorted.into_iter().take(count).map(|(name, _)| name.clone()).collect()
}
