//! What agents are called, and the words that names are made of, as the rules' catalogue has them.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderMap, Uri};
use serde::Serialize;
use utoipa::ToSchema;

use super::checks::KINDS;
use super::parameters::Parameters;
use super::{Awake, TheWorld, next_page};
use crate::ecs::component::{GENDER_EXPRESSIONS, GENDER_IDENTITIES};
use crate::ecs::view::AgentView;
use crate::ecs::world::AgentFilter;
use crate::http::Name;
use crate::http::problem::{Code, Problem};
use crate::rules;

/// One spirit of the rules.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Spirit {
    spirit: String,
    category: String,
    emoji: String,
    adjectives: Vec<String>,
    names: Vec<String>,
    generation_numbers: Vec<u32>,
    /// Trait to value, where it differs from the trait's default.
    base_traits: BTreeMap<String, f32>,
}

impl From<rules::Spirit> for Spirit {
    fn from(spirit: rules::Spirit) -> Self {
        let rules::Spirit { name, category, emoji, adjectives, names, generation_numbers, base_traits } = spirit;
        let base_traits = base_traits.into_iter().collect();
        Self { spirit: name, category, emoji, adjectives, names, generation_numbers, base_traits }
    }
}

/// The spirit of that name, or 404.
pub(super) fn find_spirit(spirits: Vec<rules::Spirit>, name: &str) -> Result<rules::Spirit, Problem> {
    spirits.into_iter().find(|spirit| spirit.name == name).ok_or_else(|| unknown("spirit", name))
}

fn unknown(what: &str, name: &str) -> Problem {
    let name: String = name.chars().take(64).collect();
    let detail = format!("the rules that decide now know no {what} `{name}`; /api/ecs/naming/enums lists them all");
    Problem::new(Code::NotFound, detail)
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Spirits {
    spirits: BTreeMap<String, Spirit>,
    count: usize,
}

/// The spirits and their names.
#[utoipa::path(get, path = "/api/ecs/naming/animal-spirits", tag = "ecs", responses((status = 200, body = Spirits)))]
pub(in crate::http) async fn spirits(Awake(world): Awake) -> Json<Spirits> {
    let spirits = world.catalogue().spirits.into_iter();
    let spirits: BTreeMap<String, Spirit> = spirits.map(|spirit| (spirit.name.clone(), spirit.into())).collect();
    Json(Spirits { count: spirits.len(), spirits })
}

/// One spirit and its names.
#[utoipa::path(
    get,
    path = "/api/ecs/naming/animal-spirits/{spirit}",
    tag = "ecs",
    params(("spirit" = String, Path, description = "such as `fox`")),
    responses((status = 200, body = Spirit))
)]
pub(in crate::http) async fn spirit(Awake(world): Awake, Name(name): Name) -> Result<Json<Spirit>, Problem> {
    Ok(Json(find_spirit(world.catalogue().spirits, &name)?.into()))
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Components {
    /// Kind of word to words.
    components: BTreeMap<String, Vec<String>>,
}

/// The words that names are made of.
#[utoipa::path(get, path = "/api/ecs/naming/components", tag = "ecs", responses((status = 200, body = Components)))]
pub(in crate::http) async fn components(Awake(world): Awake) -> Json<Components> {
    Json(Components { components: world.catalogue().words.into_iter().collect() })
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Component {
    #[serde(rename = "type")]
    kind: String,
    words: Vec<String>,
}

/// The words of one kind.
#[utoipa::path(
    get,
    path = "/api/ecs/naming/components/{type}",
    tag = "ecs",
    params(("type" = String, Path, description = "such as `suffixes`")),
    responses((status = 200, body = Component))
)]
pub(in crate::http) async fn component(Awake(world): Awake, Name(name): Name) -> Result<Json<Component>, Problem> {
    let found = world.catalogue().words.into_iter().find(|(kind, _)| *kind == name);
    let (kind, words) = found.ok_or_else(|| unknown("component", &name))?;
    Ok(Json(Component { kind, words }))
}

/// How names of one style are made.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Style {
    /// Such as `{spirit}-{suffix}-{generation}`.
    template: String,
    purpose: String,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Schemes {
    schemes: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Styles {
    styles: BTreeMap<String, Style>,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct SpiritNames {
    spirits: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct NamingConfig {
    #[serde(flatten)]
    schemes: Schemes,
    #[serde(flatten)]
    styles: Styles,
    #[serde(flatten)]
    spirits: SpiritNames,
}

fn to_styles(styles: Vec<rules::Style>) -> Styles {
    let style = |rules::Style { name, template, purpose }| (name, Style { template, purpose });
    Styles { styles: styles.into_iter().map(style).collect() }
}

fn names_of(spirits: Vec<rules::Spirit>) -> SpiritNames {
    SpiritNames { spirits: spirits.into_iter().map(|spirit| spirit.name).collect() }
}

/// Schemes, styles and spirits.
#[utoipa::path(get, path = "/api/ecs/naming/config", tag = "ecs", responses((status = 200, body = NamingConfig)))]
pub(in crate::http) async fn config(Awake(world): Awake) -> Json<NamingConfig> {
    let rules::Catalogue { spirits, styles, schemes, .. } = world.catalogue();
    let (styles, spirits) = (to_styles(styles), names_of(spirits));
    Json(NamingConfig { schemes: Schemes { schemes }, styles, spirits })
}

/// The schemes of naming.
#[utoipa::path(get, path = "/api/ecs/naming/config/schemes", tag = "ecs", responses((status = 200, body = Schemes)))]
pub(in crate::http) async fn schemes(Awake(world): Awake) -> Json<Schemes> {
    Json(Schemes { schemes: world.catalogue().schemes })
}

/// The styles of names.
#[utoipa::path(get, path = "/api/ecs/naming/config/styles", tag = "ecs", responses((status = 200, body = Styles)))]
pub(in crate::http) async fn styles(Awake(world): Awake) -> Json<Styles> {
    Json(to_styles(world.catalogue().styles))
}

/// The spirits' own names.
#[utoipa::path(get, path = "/api/ecs/naming/config/spirits", tag = "ecs", responses((status = 200, body = SpiritNames)))]
pub(in crate::http) async fn spirit_names(Awake(world): Awake) -> Json<SpiritNames> {
    Json(names_of(world.catalogue().spirits))
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct GenerationNumbers {
    /// Spirit to numbers.
    generation_numbers: BTreeMap<String, Vec<u32>>,
}

/// The numbers that names of a spirit carry.
#[utoipa::path(get, path = "/api/ecs/naming/generation-numbers", tag = "ecs", responses((status = 200, body = GenerationNumbers)))]
pub(in crate::http) async fn generation_numbers(Awake(world): Awake) -> Json<GenerationNumbers> {
    let spirits = world.catalogue().spirits.into_iter();
    Json(GenerationNumbers {
        generation_numbers: spirits.map(|spirit| (spirit.name, spirit.generation_numbers)).collect(),
    })
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct GenerationNumbersOf {
    spirit: String,
    generation_numbers: Vec<u32>,
}

/// The numbers that names of one spirit carry.
#[utoipa::path(
    get,
    path = "/api/ecs/naming/generation-numbers/{spirit}",
    tag = "ecs",
    params(("spirit" = String, Path, description = "such as `fox`")),
    responses((status = 200, body = GenerationNumbersOf))
)]
pub(in crate::http) async fn generation_numbers_of(
    Awake(world): Awake,
    Name(name): Name,
) -> Result<Json<GenerationNumbersOf>, Problem> {
    let spirit = find_spirit(world.catalogue().spirits, &name)?;
    Ok(Json(GenerationNumbersOf { spirit: spirit.name, generation_numbers: spirit.generation_numbers }))
}

/// Every word that a request may choose from.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Enums {
    spirits: Vec<String>,
    styles: Vec<String>,
    schemes: Vec<String>,
    components: Vec<String>,
    interaction_types: Vec<&'static str>,
    gender_identities: Vec<&'static str>,
    gender_expressions: Vec<&'static str>,
}

/// Every word that a request may choose from.
#[utoipa::path(get, path = "/api/ecs/naming/enums", tag = "ecs", responses((status = 200, body = Enums)))]
pub(in crate::http) async fn enums(Awake(world): Awake) -> Json<Enums> {
    let rules::Catalogue { spirits, styles, schemes, words, .. } = world.catalogue();
    Json(Enums {
        spirits: names_of(spirits).spirits,
        styles: styles.into_iter().map(|style| style.name).collect(),
        schemes,
        components: words.into_iter().map(|(kind, _)| kind).collect(),
        interaction_types: KINDS.iter().map(|(word, _)| *word).collect(),
        gender_identities: GENDER_IDENTITIES.to_vec(),
        gender_expressions: GENDER_EXPRESSIONS.to_vec(),
    })
}

/// One page of living agents, by their names.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Characters {
    characters: Vec<AgentView>,
    total: u64,
    offset: u64,
    limit: u32,
}

/// Living agents and their names.
#[utoipa::path(
    get,
    path = "/api/ecs/naming/characters",
    tag = "ecs",
    params(
        ("limit" = Option<u32>, Query, description = "50 when left out", minimum = 1, maximum = 1000),
        ("offset" = Option<u64>, Query, description = "agents to skip"),
    ),
    responses((status = 200, body = Characters, headers(("link" = String, description = "the next page, if there is one"))))
)]
pub(in crate::http) async fn characters(
    Awake(world): Awake,
    uri: Uri,
) -> Result<(HeaderMap, Json<Characters>), Problem> {
    let mut parameters = Parameters::of(&uri, &["limit", "offset"]);
    let page = parameters.page(50);
    parameters.done()?;
    let found = world.agents(&AgentFilter { active_only: true, ..AgentFilter::default() }, page);
    let link = next_page(&uri, page, &found);
    let (offset, limit) = (page.offset, page.limit);
    Ok((link, Json(Characters { characters: found.items, total: found.total, offset, limit })))
}

/// One agent and its name.
#[utoipa::path(
    get,
    path = "/api/ecs/naming/characters/{id}",
    tag = "ecs",
    params(("id" = String, Path, description = "the agent's id")),
    responses((status = 200, body = AgentView))
)]
pub(in crate::http) async fn character(TheWorld(world): TheWorld, Name(id): Name) -> Result<Json<AgentView>, Problem> {
    Ok(Json(world.agent(&id)?.agent))
}
