//! What events do to the state. Every event is checked as a whole before anything of it is done, whoever
//! wrote it: one that cannot have happened leaves the state as it was. Knows no rules and no store.

/// Who is not remembered any more.
mod forget;
/// What meetings leave behind.
mod meeting;

use std::collections::HashSet;

use super::component::*;
use super::event::{Birth, Event, Recorded};
use super::state::{ApplyError, Body, Departed, Meeting, Ruling, State, stage};
use crate::rules::TraitNames;
pub(super) use forget::Remembrance;
use meeting::{IMPORTANCE, keep};
pub(super) use meeting::{KEPT_MEMORIES, evict};

/// Traits that rules may name at most.
const MAX_TRAITS: usize = 200;

impl State {
    /// Lets an event happen. Not `Ticked` and `Restored`: the first is computed, the second read.
    pub fn apply(&mut self, recorded: &Recorded) -> Result<(), ApplyError> {
        self.expect(recorded)?;
        if (self.sequence == 0) != matches!(recorded.event, Event::Genesis { .. }) {
            return Err(if self.sequence == 0 { ApplyError::NotBegun } else { ApplyError::Begun });
        }
        self.happen(recorded)?;
        self.sequence = recorded.sequence;
        Ok(())
    }

    fn happen(&mut self, recorded: &Recorded) -> Result<(), ApplyError> {
        match &recorded.event {
            Event::Genesis { seed, seconds_per_year } => {
                within("seconds_per_year", *seconds_per_year, f32::MIN_POSITIVE, f32::MAX)?;
                self.seed = *seed;
                self.seconds_per_year = *seconds_per_year;
            }
            Event::Ruled { name, version, digest, traits } => {
                let ruling = Ruling { name: name.clone(), version: version.clone(), digest: *digest };
                self.rule(ruling, traits)?;
            }
            Event::Created { births } => {
                self.check_births(births)?;
                if let Some(birth) = births.iter().find(|birth| birth.generation != 1) {
                    return Err(ApplyError::Value("generation without parents", f64::from(birth.generation)));
                }
                self.bear(births, None);
            }
            Event::Bred { parents, births } => self.breed(*parents, births)?,
            Event::Retired { agent } => {
                self.living(*agent)?;
                self.depart(*agent, false);
            }
            Event::Sent { agent, target } => {
                let entity = self.living(*agent)?;
                on_map("target", *target)?;
                if let Ok(position) = self.agents.query_one_mut::<&mut Position>(entity) {
                    position.target = Some(*target);
                }
            }
            Event::Interacted { first, second, kind, outcome, impact, after, energy_costs, message } => {
                let meeting = Meeting {
                    first: *first,
                    second: *second,
                    kind: *kind,
                    outcome: *outcome,
                    impact: *impact,
                    after: *after,
                    energy_costs: *energy_costs,
                    importance: IMPORTANCE,
                    emotion: *impact,
                };
                self.check_meeting(&meeting)?;
                self.note_meeting(&meeting, (recorded.sequence, 0), message.as_deref());
            }
            Event::Chatted { sender, receiver, kind, message } => {
                let entities = [self.living(*sender)?, self.living(*receiver)?];
                different(*sender, *receiver)?;
                let past = PastInteraction {
                    event: recorded.sequence,
                    place: 0,
                    sender: *sender,
                    receiver: *receiver,
                    kind: *kind,
                    outcome: None,
                    impact: 0.0,
                    energy: self.part::<Interactions>(*sender).map_or(0.0, |own| own.energy),
                    tick: Moment::at(self.clock.tick),
                    message: Some(Box::new(Message(message.as_str().into()))),
                };
                for entity in entities {
                    if let Ok(own) = self.agents.query_one_mut::<&mut Interactions>(entity) {
                        keep(own, past.clone());
                    }
                }
            }
            Event::Clock { acceleration, paused } => {
                within("acceleration", *acceleration, 0.1, 100.0)?;
                self.clock.acceleration = *acceleration;
                self.clock.paused = *paused;
            }
            Event::Breeding { enabled } => self.breeding = *enabled,
            Event::Ticked { .. } => return Err(ApplyError::NotByItself("ticked")),
            Event::Restored { .. } => return Err(ApplyError::NotByItself("restored")),
        }
        Ok(())
    }

    /// Carries traits and what is known over to other columns, by name; what was not there is in the middle.
    fn rule(&mut self, ruling: Ruling, traits: &TraitNames) -> Result<(), ApplyError> {
        let width = traits.width();
        if width > MAX_TRAITS {
            return Err(ApplyError::Contradiction(format!("{width} traits are more than {MAX_TRAITS}")));
        }
        let mut seen = HashSet::new();
        if let Some(name) = traits.all().find(|name| name.is_empty() || !seen.insert(*name)) {
            return Err(ApplyError::Contradiction(format!("the trait `{name}` is there twice or has no name")));
        }
        if self.traits != *traits {
            let sources: Vec<Option<usize>> = traits.all().map(|name| self.traits.position(name)).collect();
            let topics: Vec<Option<u16>> = self
                .traits
                .abilities
                .iter()
                .map(|old| traits.abilities.iter().position(|new| new == old))
                .map(|topic| topic.and_then(|topic| u16::try_from(topic).ok()))
                .collect();
            for (own, knowledge) in self.agents.query_mut::<(&mut Traits, &mut Knowledge)>() {
                let value = |source: &Option<usize>| source.and_then(|at| own.values.get(at)).copied().unwrap_or(0.5);
                own.values = sources.iter().map(value).collect();
                let topic = |old: u16| topics.get(usize::from(old)).copied().flatten();
                knowledge.learned.retain_mut(|learned| topic(learned.topic).map(|new| learned.topic = new).is_some());
                knowledge.learned.sort_by_key(|learned| learned.topic);
            }
            self.traits = traits.clone();
            self.crowds.take();
        }
        self.rules = Some(ruling);
        Ok(())
    }

    fn breed(&mut self, parents: [AgentNumber; 2], births: &[Birth]) -> Result<(), ApplyError> {
        let entities = [self.living(parents[0])?, self.living(parents[1])?];
        different(parents[0], parents[1])?;
        self.check_births(births)?;
        let generation = |parent| self.part::<Agent>(parent).map_or(0, |agent| agent.generation);
        let eldest = generation(parents[0]).max(generation(parents[1]));
        if let Some(birth) = births.iter().find(|birth| birth.generation <= eldest) {
            return Err(ApplyError::Value("generation of a child", f64::from(birth.generation)));
        }
        let cooldown = self.customs.breeding_cooldown.max(0.0);
        for entity in entities {
            if let Ok((own, lineage)) = self.agents.query_one_mut::<(&mut Reproduction, &mut Lineage)>(entity) {
                own.cooldown = cooldown;
                own.offspring = own.offspring.saturating_add(births.len() as u32);
                lineage.children.extend(births.iter().map(|birth| birth.number));
            }
        }
        self.offspring += births.len() as u64;
        self.bear(births, Some(parents));
        Ok(())
    }

    fn check_births(&self, births: &[Birth]) -> Result<(), ApplyError> {
        if self.rules.is_none() {
            return Err(ApplyError::NoTraits);
        }
        if births.is_empty() {
            return Err(ApplyError::Contradiction("nobody was born".into()));
        }
        let (mut ids, mut names) = (HashSet::new(), HashSet::new());
        let next = self.next_number().0;
        for (index, birth) in births.iter().enumerate() {
            let number = u32::try_from(index).ok().and_then(|index| next.checked_add(index));
            if Some(birth.number.0) != number {
                return Err(ApplyError::Value("the number of a new agent", f64::from(birth.number.0)));
            }
            let (expected, found) = (self.traits.width(), birth.traits.len());
            if expected != found {
                return Err(ApplyError::Width { agent: birth.number, expected, found });
            }
            birth.traits.iter().try_for_each(|&value| within("a trait", value, 0.0, 1.0))?;
            within("age", birth.age, 0.0, f32::MAX)?;
            on_map("the place of a new agent", birth.at)?;
            check_gender(&birth.gender)?;
            let (id, name) = (birth.id.as_str(), birth.name.as_str());
            if id.is_empty() || self.ids.contains_key(id) || !ids.insert(id) {
                return Err(ApplyError::Contradiction(format!("the id `{id}` is taken or empty")));
            }
            if name.is_empty() || self.names.contains(name) || !names.insert(name) {
                return Err(ApplyError::Contradiction(format!("the name `{name}` is taken or empty")));
            }
        }
        Ok(())
    }

    fn bear(&mut self, births: &[Birth], parents: Option<[AgentNumber; 2]>) {
        for birth in births {
            let body: Body = (
                Agent {
                    number: birth.number,
                    id: birth.id.as_str().into(),
                    name: birth.name.as_str().into(),
                    spirit: birth.spirit.as_str().into(),
                    style: birth.style.as_str().into(),
                    generation: birth.generation,
                    born: self.clock.tick,
                },
                Traits { values: birth.traits.as_slice().into(), mutations: birth.mutations },
                Lifecycle { age: birth.age, stage: stage(birth.age, &self.customs) },
                Reproduction { cooldown: 0.0, offspring: 0 },
                Lineage { parents, children: Vec::new() },
                Position { at: birth.at, velocity: [0.0; 2], target: None },
                Interactions {
                    energy: 1.0,
                    latest: Default::default(),
                    total: 0,
                    successful: 0,
                    failed: 0,
                    relationships: Vec::new(),
                },
                Social::default(),
                Memory::default(),
                Knowledge::default(),
                birth.gender.clone(),
            );
            if let Some(crowds) = self.crowds.get_mut() {
                crowds.add(birth.number, &birth.spirit, birth.generation, &birth.traits);
            }
            let entity = self.agents.spawn(body);
            self.entities.insert(birth.number, entity);
            self.known.insert(birth.number, ());
            self.given = birth.number.0;
            self.ids.insert(birth.id.as_str().into(), birth.number);
            self.names.insert(birth.name.as_str().into());
        }
    }

    /// An agent leaves: it died of itself or was retired. Its lineage stays, and what others keep of it, until it
    /// is forgotten; groups lose it, and end when it led them or one member is left. Nothing happens to one that
    /// is gone.
    pub(super) fn depart(&mut self, number: AgentNumber, died: bool) {
        let Some(entity) = self.entity(number) else { return };
        let Ok((agent, lineage, social)) = self.agents.query_one_mut::<(&Agent, &mut Lineage, &mut Social)>(entity)
        else {
            return;
        };
        let departed = Departed {
            id: agent.id.clone(),
            name: agent.name.clone(),
            spirit: agent.spirit.clone(),
            style: agent.style.clone(),
            generation: agent.generation,
            parents: lineage.parents,
            children: std::mem::take(&mut lineage.children),
            left: self.clock.tick,
            died,
        };
        for group in std::mem::take(&mut social.groups) {
            let Some(found) = self.groups.get_mut(&group) else { continue };
            found.members.retain(|member| *member != number);
            if found.leader == number || found.members.len() < 2 {
                self.dissolve(group);
            }
        }
        // The last in order takes its place: all hosts that saw the same events have the same order.
        let _ = self.agents.despawn(entity);
        self.entities.remove(number);
        if let Some(crowds) = self.crowds.get_mut() {
            crowds.remove(number);
        }
        self.departed.insert(number, departed);
        self.forget_some();
        *self.counted.get_mut() = None;
    }

    /// Ends a group; nobody belongs to it any more.
    pub(super) fn dissolve(&mut self, group: u32) {
        let Some(ended) = self.groups.remove(&group) else { return };
        for member in ended.members {
            let Some(entity) = self.entity(member) else { continue };
            if let Ok(social) = self.agents.query_one_mut::<&mut Social>(entity) {
                social.groups.retain(|own| *own != group);
                if member == ended.leader {
                    social.leads = social.leads.saturating_sub(1);
                }
            }
        }
    }
}

/// NaN is in no range.
fn within(what: &'static str, value: f32, low: f32, high: f32) -> Result<(), ApplyError> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(ApplyError::Value(what, f64::from(value))) }
}

fn on_map(what: &'static str, point: [f32; 2]) -> Result<(), ApplyError> {
    point.into_iter().try_for_each(|value| within(what, value, -MAP_EDGE, MAP_EDGE))
}

fn check_gender(gender: &Gender) -> Result<(), ApplyError> {
    if usize::from(gender.identity) >= GENDER_IDENTITIES.len() {
        return Err(ApplyError::Value("gender identity", f64::from(gender.identity)));
    }
    if usize::from(gender.expression) >= GENDER_EXPRESSIONS.len() {
        return Err(ApplyError::Value("gender expression", f64::from(gender.expression)));
    }
    Ok(())
}

fn different(first: AgentNumber, second: AgentNumber) -> Result<(), ApplyError> {
    if first != second {
        return Ok(());
    }
    Err(ApplyError::Contradiction(format!("agent {} cannot be both", first.0)))
}

#[cfg(test)]
pub(super) mod tests;
