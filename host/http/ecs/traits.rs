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
use crate::rules::{self, Catalogue, TraitNames};

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

    fn of(self, names: &TraitNames) -> &[String] {
        match self {
            Self::Personality => &names.personality,
            Self::Physical => &names.physical,
            Self::Abilities => &names.abilities,
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

type Definitions = BTreeMap<String, TraitDefinition>;
type Values = BTreeMap<String, f32>;

/// All traits of a group, also those that the catalogue leaves out.
fn definitions(said: &[rules::TraitDefinition], names: &TraitNames, group: Group) -> Definitions {
    let definition = |name: &String| {
        let known = said.iter().find(|known| known.name == *name && known.group == group.word());
        let (category, purpose, default) =
            known.map_or(("", "", MIDDLE), |known| (&known.category, &known.purpose, known.default));
        let (category, purpose) = (category.to_owned(), purpose.to_owned());
        (name.clone(), TraitDefinition { category, purpose, default, min: 0.0, max: 1.0 })
    };
    group.of(names).iter().map(definition).collect()
}

/// What agents of a spirit begin with.
fn values(own: &[(String, f32)], definitions: &Definitions) -> Values {
    let value = |(name, known): (&String, &TraitDefinition)| {
        let own = own.iter().find(|(own, _)| own == name).map(|(_, value)| *value);
        (name.clone(), own.unwrap_or(known.default))
    };
    definitions.iter().map(value).collect()
}

fn whole(world: &dyn World, group: Group) -> Json<TraitGroup> {
    let trait_definitions = definitions(&world.catalogue().traits, &world.trait_names(), group);
    Json(TraitGroup { group: group.word(), count: trait_definitions.len(), trait_definitions })
}

fn one(world: &dyn World, spirit: String, group: Group) -> Result<Json<SpiritTraits>, Problem> {
    let Catalogue { spirits, traits, .. } = world.catalogue();
    let own = find_spirit(spirits, &spirit)?.base_traits;
    let trait_definitions = definitions(&traits, &world.trait_names(), group);
    let base_traits = values(&own, &trait_definitions);
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
    let Catalogue { spirits, traits, .. } = world.catalogue();
    let (own, names) = (find_spirit(spirits, &spirit)?.base_traits, world.trait_names());
    let of = |group| values(&own, &definitions(&traits, &names, group));
    let (personality, physical, abilities) = (of(Group::Personality), of(Group::Physical), of(Group::Abilities));
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
