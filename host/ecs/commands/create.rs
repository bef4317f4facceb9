//! New agents: what their creator says, checked, and the rest from the rules and from chance that follows from
//! the world's seed and their ids. The same ids in a world of the same seed and rules become the same agents.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::{check_id, invalid, number_of, view_of, wrong_length};
use crate::ecs::commands::between;
use crate::ecs::component::{AgentNumber, GENDER_EXPRESSIONS, GENDER_IDENTITIES, Gender, MAP_EDGE, UNSPECIFIED};
use crate::ecs::event::{Birth, Event};
use crate::ecs::names::{self, Promised};
use crate::ecs::running::Running;
use crate::ecs::view::{AgentView, NewAgent, WorldError};
use crate::rules::{About, Customs, Rules};

const DEFAULT_SPIRIT: &str = "fox";
const DEFAULT_STYLE: &str = "foundation";
/// Where rules have no catalogue.
const STYLES: [&str; 6] = ["foundation", "exo", "hybrid", "cyberpunk", "mythological", "scientific"];
const LONGEST_NAME: usize = 100;
/// Names that are asked for beyond those needed: some may be taken.
const SPARE_NAMES: u32 = 16;

impl Running {
    /// `many`: errors say which of them is meant.
    pub(in crate::ecs) async fn create(&self, wanted: Vec<NewAgent>, many: bool) -> Result<Vec<AgentView>, WorldError> {
        if wanted.is_empty() {
            return Ok(vec![]);
        }
        let turn = self.turn(wanted.iter().map(|agent| agent.agent_id.as_str())).await;
        let rules = self.book.rules();
        let mut births = self.check(&wanted, rules.about(), many)?;
        let promised = self.give_names(&wanted, &mut births, &*rules, many).await?;
        self.check_room()?;
        self.give_traits(&mut births, &*rules).await?;
        let views = births.iter().map(view_of).collect();
        // The names are held until they are the state's, even if the caller goes meanwhile.
        self.tell(rules.about().digest, Event::Created { births }, Arc::new((turn, promised))).await?;
        Ok(views)
    }

    fn check(&self, wanted: &[NewAgent], about: &About, many: bool) -> Result<Vec<Birth>, WorldError> {
        let society = about.society.as_ref();
        let styles: Vec<&str> = match society.map(|society| &society.catalogue.styles) {
            Some(styles) if !styles.is_empty() => styles.iter().map(|style| style.name.as_str()).collect(),
            _ => STYLES.to_vec(),
        };
        let spirits: Vec<&str> = about.spirits.iter().map(String::as_str).collect();
        let customs = society.map(|society| society.customs.clone()).unwrap_or_default();
        let mut ids = HashSet::new();
        let mut births = Vec::with_capacity(wanted.len());
        for (index, agent) in wanted.iter().enumerate() {
            let field = |name: &str| path(index, name, many);
            let id = agent.agent_id.as_str();
            self.with(|state| check_id(state, id, || field("agent_id")))?;
            if !ids.insert(id) {
                return Err(WorldError::Conflict(format!("{}: the id `{id}` is there twice", field("agent_id"))));
            }
            let spirit = known(agent.spirit.as_deref(), DEFAULT_SPIRIT, &spirits, || field("spirit"))?;
            let style = known(agent.style.as_deref(), DEFAULT_STYLE, &styles, || field("style"))?;
            let place = |axis: &str, given: Option<f32>| match given {
                Some(at) if (-MAP_EDGE..=MAP_EDGE).contains(&at) => Ok(at),
                Some(_) => Err(invalid(field(axis), format!("must be from {} to {MAP_EDGE}", -MAP_EDGE))),
                None => {
                    let radius = self.options.spawn_radius;
                    Ok(between(self.seed(axis, &[number_of([id])]), -radius, radius))
                }
            };
            births.push(Birth {
                number: AgentNumber(0),
                id: id.to_owned(),
                name: String::new(),
                spirit: spirit.to_owned(),
                style: style.to_owned(),
                generation: 1,
                traits: vec![],
                mutations: 0,
                at: [place("x", agent.x)?, place("y", agent.y)?],
                gender: gender(agent, &field)?,
                age: age(agent.age, &customs, || field("age"))?,
            });
        }
        Ok(births)
    }

    /// One call a spirit.
    async fn give_traits(&self, births: &mut [Birth], rules: &dyn Rules) -> Result<(), WorldError> {
        let width = rules.about().traits.width();
        for (spirit, members) in groups(births, |birth| birth.spirit.clone()) {
            let ids = members.iter().filter_map(|at| births.get(*at)).map(|birth| birth.id.as_str());
            let seed = self.seed("first-traits", &[number_of(ids)]);
            let matrix = rules.first_traits(&spirit, members.len() as u32, seed).await?;
            if matrix.len() != width * members.len() {
                return Err(wrong_length(rules, "first-traits", width * members.len(), matrix.len()));
            }
            for (row, member) in matrix.chunks(width.max(1)).zip(members) {
                if let Some(birth) = births.get_mut(member) {
                    birth.traits = row.to_vec();
                }
            }
        }
        Ok(())
    }

    async fn give_names(
        &self,
        wanted: &[NewAgent],
        births: &mut [Birth],
        rules: &dyn Rules,
        many: bool,
    ) -> Result<Vec<Promised>, WorldError> {
        let mut promised = Vec::with_capacity(births.len());
        for (index, (birth, agent)) in births.iter_mut().zip(wanted).enumerate() {
            let Some(name) = &agent.name else { continue };
            let fits = !name.trim().is_empty() && name.chars().count() <= LONGEST_NAME;
            if !fits || name.chars().any(char::is_control) {
                let message = format!("must be 1 to {LONGEST_NAME} characters, without control characters");
                return Err(invalid(path(index, "name", many), message));
            }
            let Some(promise) = self.names.promise(&self.book.state, name) else {
                let field = path(index, "name", many);
                return Err(WorldError::Conflict(format!("{field}: the name `{name}` is taken")));
            };
            birth.name.clone_from(name);
            promised.push(promise);
        }
        for ((spirit, style), members) in groups(births, |birth| (birth.spirit.clone(), birth.style.clone())) {
            let nameless: Vec<usize> =
                members.into_iter().filter(|at| births.get(*at).is_some_and(|birth| birth.name.is_empty())).collect();
            let ids = nameless.iter().filter_map(|at| births.get(*at)).map(|birth| birth.id.as_str());
            let seed = number_of(ids);
            let generated = self.names_for(&spirit, &style, 1, nameless.len() as u32, seed, rules).await?;
            let mut left = generated.as_slice();
            for member in nameless {
                let Some(birth) = births.get_mut(member) else { continue };
                let promise = self.name(&birth.id, &spirit, &mut left, &generated)?;
                birth.name = promise.name.to_string();
                promised.push(promise);
            }
        }
        Ok(promised)
    }

    /// What the rules would call them; empty where they know no names.
    pub(super) async fn names_for(
        &self,
        spirit: &str,
        style: &str,
        generation: u32,
        count: u32,
        seed: u64,
        rules: &dyn Rules,
    ) -> Result<Vec<String>, WorldError> {
        if rules.about().society.is_none() || count == 0 {
            return Ok(vec![]);
        }
        let seed = self.seed("names", &[seed]);
        Ok(rules.names(spirit, style, generation, count + SPARE_NAMES, seed).await?)
    }

    /// A name for one agent: from `left`, which loses what was tried, else one of `all` with a number.
    pub(super) fn name(
        &self,
        id: &str,
        spirit: &str,
        left: &mut &[String],
        all: &[String],
    ) -> Result<Promised, WorldError> {
        while let [next, rest @ ..] = *left {
            *left = rest;
            if let Some(promise) = self.names.promise(&self.book.state, next) {
                return Ok(promise);
            }
        }
        let plain = [names::plain(spirit, id)];
        let all = if all.is_empty() { plain.as_slice() } else { all };
        let free = self.names.first_free(&self.book.state, all, self.seed("name", &[number_of([id])]));
        free.ok_or_else(|| WorldError::Conflict(format!("there is no free name for `{id}`: give it one")))
    }
}

fn path(index: usize, name: &str, many: bool) -> String {
    if many { format!("agents[{index}].{name}") } else { name.to_owned() }
}

/// Positions of births by what they have in common.
fn groups<Key: Ord>(births: &[Birth], key: impl Fn(&Birth) -> Key) -> BTreeMap<Key, Vec<usize>> {
    let mut groups = BTreeMap::<Key, Vec<usize>>::new();
    for (at, birth) in births.iter().enumerate() {
        groups.entry(key(birth)).or_default().push(at);
    }
    groups
}

fn known<'a>(
    given: Option<&'a str>,
    default: &'a str,
    known: &[&str],
    field: impl Fn() -> String,
) -> Result<&'a str, WorldError> {
    let word = given.unwrap_or(default);
    match known.contains(&word) {
        true => Ok(word),
        false => Err(invalid(field(), format!("is `{word}`, but must be one of {}", known.join(", ")))),
    }
}

fn age(given: Option<f32>, customs: &Customs, field: impl Fn() -> String) -> Result<f32, WorldError> {
    match given {
        None => Ok(0.0),
        Some(age) if age >= 0.0 && age < customs.max_age => Ok(age),
        Some(_) => Err(invalid(field(), format!("must be from 0 to less than {} years", customs.max_age))),
    }
}

fn gender(agent: &NewAgent, field: &impl Fn(&str) -> String) -> Result<Gender, WorldError> {
    let position = |given: &Option<String>, known: &[&str], name: &str, default: u8| match given {
        None => Ok(default),
        Some(word) => match known.iter().position(|known| known == word) {
            Some(at) => Ok(at as u8),
            None => Err(invalid(field(name), format!("is `{word}`, but must be one of {}", known.join(", ")))),
        },
    };
    Ok(Gender {
        identity: position(&agent.gender_identity, &GENDER_IDENTITIES, "gender_identity", UNSPECIFIED.identity)?,
        expression: position(
            &agent.gender_expression,
            &GENDER_EXPRESSIONS,
            "gender_expression",
            UNSPECIFIED.expression,
        )?,
    })
}
