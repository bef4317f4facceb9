//! What agents are made of: the traits of the rules that decide now, and what spirits begin with.

use std::collections::BTreeMap;

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::Awake;
use super::naming::find_spirit;
use crate::ecs::World;
use crate::http::Name;
use crate::http::problem::Problem;
use crate::rules::TraitNames;

/// Of a trait that the rules say nothing more of.
const MIDDLE: f32 = 0.5;

/// Which of the three groups.
#[derive(Clone, Copy)]
enum Group {
    Personality,
    Physical,
    Abilities,
}

impl Group {
    fn word(self) -> &'static str {
        match self {
            Self::Personality => "personality",
            Self::Physical => "physical",
            Self::Abilities => "abilities",
        }
    }

    fn of(self, names: TraitNames) -> Vec<String> {
        match self {
            Self::Personality => names.personality,
            Self::Physical => names.physical,
            Self::Abilities => names.abilities,
        }
    }
}

/// One trait of the rules.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct TraitDefinition {
    /// Empty where the rules have no categories.
    category: String,
    purpose: String,
    /// Of spirits that have no value of their own.
    default: f32,
    min: f32,
    max: f32,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct TraitGroup {
    /// `personality`, `physical` or `abilities`.
    group: &'static str,
    trait_definitions: BTreeMap<String, TraitDefinition>,
    count: usize,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct SpiritTraits {
    spirit: String,
    /// `personality`, `physical` or `abilities`.
    group: &'static str,
    /// What an agent of the spirit begins with, before chance.
    base_traits: BTreeMap<String, f32>,
    trait_definitions: BTreeMap<String, TraitDefinition>,
}

fn definitions(world: &dyn World, group: Group) -> BTreeMap<String, TraitDefinition> {
    let mut said = world.catalogue().traits;
    let definition = |name: String| {
        let found = said.iter().position(|known| known.name == name && known.group == group.word());
        let known = found.map(|at| said.swap_remove(at));
        let (category, purpose, default) = known
            .map_or((String::new(), String::new(), MIDDLE), |known| (known.category, known.purpose, known.default));
        (name, TraitDefinition { category, purpose, default, min: 0.0, max: 1.0 })
    };
    group.of(world.trait_names()).into_iter().map(definition).collect()
}

fn whole(world: &dyn World, group: Group) -> Json<TraitGroup> {
    let trait_definitions = definitions(world, group);
    Json(TraitGroup { group: group.word(), count: trait_definitions.len(), trait_definitions })
}

/// What a spirit begins with, group by group.
fn begins_with(
    world: &dyn World,
    spirit: &str,
    group: Group,
) -> Result<(BTreeMap<String, f32>, BTreeMap<String, TraitDefinition>), Problem> {
    let own: BTreeMap<String, f32> = find_spirit(world.catalogue(), spirit)?.base_traits.into_iter().collect();
    let definitions = definitions(world, group);
    let value =
        |(name, known): (&String, &TraitDefinition)| (name.clone(), own.get(name).copied().unwrap_or(known.default));
    Ok((definitions.iter().map(value).collect(), definitions))
}

fn one(world: &dyn World, spirit: String, group: Group) -> Result<Json<SpiritTraits>, Problem> {
    let (base_traits, trait_definitions) = begins_with(world, &spirit, group)?;
    Ok(Json(SpiritTraits { spirit, group: group.word(), base_traits, trait_definitions }))
}

/// The traits of the personality.
#[utoipa::path(get, path = "/api/ecs/traits/personality", tag = "ecs", responses((status = 200, body = TraitGroup)))]
pub(in crate::http) async fn personality(Awake(world): Awake) -> Json<TraitGroup> {
    whole(&*world, Group::Personality)
}

/// The personality of a spirit.
#[utoipa::path(
    get,
    path = "/api/ecs/traits/personality/{spirit}",
    tag = "ecs",
    params(("spirit" = String, Path, description = "such as `fox`")),
    responses((status = 200, body = SpiritTraits))
)]
pub(in crate::http) async fn personality_of(
    Awake(world): Awake,
    Name(spirit): Name,
) -> Result<Json<SpiritTraits>, Problem> {
    one(&*world, spirit, Group::Personality)
}

/// The traits of the body.
#[utoipa::path(get, path = "/api/ecs/traits/physical", tag = "ecs", responses((status = 200, body = TraitGroup)))]
pub(in crate::http) async fn physical(Awake(world): Awake) -> Json<TraitGroup> {
    whole(&*world, Group::Physical)
}

/// The body of a spirit.
#[utoipa::path(
    get,
    path = "/api/ecs/traits/physical/{spirit}",
    tag = "ecs",
    params(("spirit" = String, Path, description = "such as `fox`")),
    responses((status = 200, body = SpiritTraits))
)]
pub(in crate::http) async fn physical_of(
    Awake(world): Awake,
    Name(spirit): Name,
) -> Result<Json<SpiritTraits>, Problem> {
    one(&*world, spirit, Group::Physical)
}

/// The abilities.
#[utoipa::path(get, path = "/api/ecs/traits/abilities", tag = "ecs", responses((status = 200, body = TraitGroup)))]
pub(in crate::http) async fn abilities(Awake(world): Awake) -> Json<TraitGroup> {
    whole(&*world, Group::Abilities)
}

/// The abilities of a spirit.
#[utoipa::path(
    get,
    path = "/api/ecs/traits/abilities/{spirit}",
    tag = "ecs",
    params(("spirit" = String, Path, description = "such as `fox`")),
    responses((status = 200, body = SpiritTraits))
)]
pub(in crate::http) async fn abilities_of(
    Awake(world): Awake,
    Name(spirit): Name,
) -> Result<Json<SpiritTraits>, Problem> {
    one(&*world, spirit, Group::Abilities)
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct WholeSpirit {
    spirit: String,
    personality: BTreeMap<String, f32>,
    physical: BTreeMap<String, f32>,
    abilities: BTreeMap<String, f32>,
}

/// All that a spirit begins with.
#[utoipa::path(
    get,
    path = "/api/ecs/traits/spirit/{spirit}",
    tag = "ecs",
    params(("spirit" = String, Path, description = "such as `fox`")),
    responses((status = 200, body = WholeSpirit))
)]
pub(in crate::http) async fn of_spirit(Awake(world): Awake, Name(spirit): Name) -> Result<Json<WholeSpirit>, Problem> {
    let values = |group| begins_with(&*world, &spirit, group).map(|(values, _)| values);
    let (personality, physical) = (values(Group::Personality)?, values(Group::Physical)?);
    let abilities = values(Group::Abilities)?;
    Ok(Json(WholeSpirit { spirit, personality, physical, abilities }))
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct TraitConfig {
    /// `name@version` of the rules that decide now.
    rules: String,
    #[schema(value_type = Object)]
    traits: TraitNames,
    /// Numbers that the rules were made with, in their own words.
    parameters: BTreeMap<String, f32>,
}

/// Names of all traits, and the numbers of the rules.
#[utoipa::path(get, path = "/api/ecs/traits/config", tag = "ecs", responses((status = 200, body = TraitConfig)))]
pub(in crate::http) async fn config(Awake(world): Awake) -> Json<TraitConfig> {
    let parameters = world.catalogue().parameters.into_iter().collect();
    Json(TraitConfig { rules: world.status().rules, traits: world.trait_names(), parameters })
}
