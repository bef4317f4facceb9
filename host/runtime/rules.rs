//! Trait rules as components: what a world of agents asks of its rules becomes guarded calls of one
//! plugin version, and every answer is checked before anyone sees it. Knows the contract's interfaces;
//! nothing of entities, of time or of what is kept.

/// Words of rules to the contract's records and back.
mod convert;
/// What rules say of themselves, asked once when they are loaded.
mod description;
/// Which versions there are, and those that are no more.
mod source;

use std::sync::Arc;

use async_trait::async_trait;

use super::bindings::rules::exports::corsac::agents::grouping::Guest as GroupingGuest;
use super::bindings::rules::exports::corsac::agents::matching::Guest as MatchingGuest;
use super::bindings::rules::exports::corsac::agents::society::Guest as SocietyGuest;
use super::bindings::rules::exports::corsac::plugin::trait_model::Guest as ModelGuest;
use super::error::CallError;
use super::instance::Guest;
use super::plugin::Plugin;
use crate::rules::{
    About, ArchivedRules, Bodies, Bond, Crowd, Encounters, EncountersAfter, Groups, Individual, Interaction,
    InteractionKind, Lessons, Lives, LivesAfter, Memories, MemoriesAfter, Offspring, Part, People, Population, Rules,
    RulesError, Standings, checked,
};

pub(super) use description::describe;
pub use source::RulesOfPlugins;

/// One guarded call: begins it, asks the interface that `$face` finds, and checks the answer. A macro,
/// because no closure's type can say that its future, which borrows the store, may change threads.
macro_rules! ask {
    ($plugin:expr, $face:ident.$method:ident($($argument:expr),*), $check:expr) => {
        ask!($plugin, $face.$method($($argument),*) => std::convert::identity, $check)
    };
    ($plugin:expr, $face:ident.$method:ident($($argument:expr),*) => $outcome:expr, $check:expr) => {{
        let plugin: &Plugin = $plugin;
        let mut call = plugin.begin(None).await?;
        let guest = crate::runtime::rules::$face(plugin, &call.instance.guest)?;
        let outcome = guest.$method(&mut call.instance.store, $($argument),*).await;
        plugin.finish(call, outcome.map($outcome), $check)
    }};
}
use ask;

/// `ask!` for a method of `Rules`: whatever goes wrong names the rules and the call.
macro_rules! answer {
    ($rules:ident, $call:literal, $($asked:tt)*) => {{
        let outcome = async { ask!(&$rules.plugin, $($asked)*) }.await;
        outcome.map_err(|error| $rules.failed($call, error))
    }};
}

fn model<'a>(plugin: &Plugin, guest: &'a Guest) -> Result<&'a ModelGuest, CallError> {
    match guest {
        Guest::TraitRules(rules) => Ok(&rules.model),
        _ => Err(plugin.not_a("trait-rules")),
    }
}

fn society<'a>(plugin: &Plugin, guest: &'a Guest) -> Result<&'a SocietyGuest, CallError> {
    match guest {
        Guest::TraitRules(rules) => rules.society.as_ref().ok_or_else(|| lacks(plugin, "society")),
        _ => Err(plugin.not_a("trait-rules")),
    }
}

fn matching<'a>(plugin: &Plugin, guest: &'a Guest) -> Result<&'a MatchingGuest, CallError> {
    match guest {
        Guest::TraitRules(rules) => rules.matching.as_ref().ok_or_else(|| lacks(plugin, "matching")),
        _ => Err(plugin.not_a("trait-rules")),
    }
}

fn grouping<'a>(plugin: &Plugin, guest: &'a Guest) -> Result<&'a GroupingGuest, CallError> {
    match guest {
        Guest::TraitRules(rules) => rules.grouping.as_ref().ok_or_else(|| lacks(plugin, "grouping")),
        _ => Err(plugin.not_a("trait-rules")),
    }
}

fn lacks(plugin: &Plugin, interface: &str) -> CallError {
    CallError::Unsupported(format!("{} has no {interface}", plugin.label()))
}

/// The call that every version of rules must answer before it serves.
pub(super) async fn try_once(plugin: &Plugin) -> Result<(), CallError> {
    let about = plugin.rules().ok_or_else(|| plugin.not_a("trait-rules"))?;
    let Some(spirit) = about.spirits.first() else { return Ok(()) };
    let width = about.traits.width();
    ask!(plugin, model.call_first_traits(spirit, 1, 0), |traits| checked::first_traits(traits, 1, width)).map(drop)
}

/// One version of a plugin as rules.
pub struct TraitRules {
    plugin: Arc<Plugin>,
    /// Shared: a world looks for newer rules in every tick, and a catalogue is large.
    about: Arc<About>,
}

impl TraitRules {
    /// None for a plugin of another kind.
    pub fn of(plugin: Arc<Plugin>) -> Option<Self> {
        let about = plugin.rules.as_ref()?.about.clone();
        Some(Self { plugin, about })
    }

    fn failed(&self, call: &'static str, error: CallError) -> RulesError {
        RulesError { rules: self.plugin.label().to_owned(), call, error }
    }

    fn width(&self) -> usize {
        self.about.traits.width()
    }
}

#[async_trait]
impl Rules for TraitRules {
    fn about(&self) -> &About {
        &self.about
    }

    async fn first_traits(&self, spirit: &str, count: u32, seed: u64) -> Result<Vec<f32>, RulesError> {
        let check = |traits| checked::first_traits(traits, count, self.width());
        answer!(self, "first-traits", model.call_first_traits(spirit, count, seed), check)
    }

    async fn inherit(
        &self,
        first: &Individual,
        second: &Individual,
        count: u32,
        seed: u64,
    ) -> Result<Offspring, RulesError> {
        let (first, second) = (convert::individual(first), convert::individual(second));
        let spirits = &self.about.spirits;
        let check = |children| checked::offspring(convert::offspring(children), count, self.width(), spirits);
        answer!(self, "inherit", model.call_inherit(first, second, count, seed), check)
    }

    async fn compatibility(&self, one: &Individual, many: &Population) -> Result<Vec<f32>, RulesError> {
        let spirits = convert::texts(&many.spirits);
        let (one, population) = (convert::individual(one), convert::population(many, &spirits));
        let check = |scores| checked::compatibility(scores, many.count);
        answer!(self, "compatibility", model.call_compatibility(one, population), check)
    }

    async fn score(&self, one: &Individual, many: &Crowd) -> Result<Vec<f32>, RulesError> {
        let one = convert::individual(one);
        let check = |scores| checked::compatibility(scores, many.count);
        if !self.plugin.template.provisions().matching {
            let spirits = convert::spirits_of(many);
            let population = convert::crowd_as_population(many, &spirits);
            return answer!(self, "compatibility", model.call_compatibility(one, population), check);
        }
        let spirits = convert::texts(&many.spirits);
        let crowd = convert::crowd(many, &spirits);
        answer!(self, "score", matching.call_score(one, crowd), check)
    }

    async fn interact(
        &self,
        kind: InteractionKind,
        first: &Individual,
        second: &Individual,
        before: Bond,
        seed: u64,
    ) -> Result<Interaction, RulesError> {
        let (first, second) = (convert::individual(first), convert::individual(second));
        let (kind, before) = (convert::kind(kind), convert::bond(before));
        let check = |result| checked::interaction(convert::interaction(result));
        answer!(self, "interact", model.call_interact(kind, first, second, before, seed), check)
    }

    async fn tick(&self, now: &Lives, step: f32, seed: u64) -> Result<LivesAfter, RulesError> {
        let lives = convert::lives(now);
        let check = |after| checked::lives(convert::lives_after(after), now, self.width());
        answer!(self, "tick", model.call_tick(lives, step, seed), check)
    }

    async fn names(
        &self,
        spirit: &str,
        style: &str,
        generation: u32,
        count: u32,
        seed: u64,
    ) -> Result<Vec<String>, RulesError> {
        let check = |names| checked::names(names, count);
        answer!(self, "names", society.call_names(spirit, style, generation, count, seed), check)
    }

    async fn meet(&self, pairs: &Encounters, step: f32, seed: u64) -> Result<EncountersAfter, RulesError> {
        let (count, pairs) = (pairs.count, convert::encounters(pairs));
        let check = |after| checked::encounters(convert::encounters_after(after), count);
        answer!(self, "meet", society.call_meet(pairs, step, seed), check)
    }

    async fn wander(&self, now: &Bodies, step: f32, seed: u64) -> Result<(Vec<f32>, Vec<f32>), RulesError> {
        let (count, bodies) = (now.count, convert::bodies(now));
        let check = |after| checked::velocities(convert::velocities(after), count);
        answer!(self, "wander", society.call_wander(bodies, step, seed), check)
    }

    async fn remember(&self, now: &Memories, step: f32) -> Result<MemoriesAfter, RulesError> {
        let (count, memories) = (now.count, convert::memories(now));
        let check = |after| checked::memories(convert::memories_after(after), count);
        answer!(self, "remember", society.call_remember(memories, step), check)
    }

    async fn learn(&self, lessons: &Lessons, step: f32, seed: u64) -> Result<Vec<f32>, RulesError> {
        let (count, lessons) = (lessons.count, convert::lessons(lessons));
        let check = |learned| checked::proficiencies(learned, count);
        answer!(self, "learn", society.call_learn(lessons, step, seed), check)
    }

    async fn unlearn(&self, proficiencies: &[f32], step: f32) -> Result<Vec<f32>, RulesError> {
        let check = |left| checked::proficiencies(left, proficiencies.len() as u32);
        answer!(self, "unlearn", society.call_unlearn(proficiencies, step), check)
    }

    async fn gather(&self, people: &People, seed: u64) -> Result<Vec<Part>, RulesError> {
        let (count, people) = (people.count, convert::people(people));
        let check = |parts| checked::parts(convert::parts(parts), count);
        answer!(self, "gather", society.call_gather(people, seed), check)
    }

    async fn stand(&self, people: &People) -> Result<Standings, RulesError> {
        let (count, people) = (people.count, convert::people(people));
        let check = |after| checked::standings(convert::standings(after), count);
        answer!(self, "stand", society.call_stand(people), check)
    }

    async fn weigh(&self, groups: &Groups) -> Result<Vec<f32>, RulesError> {
        if !self.plugin.template.provisions().grouping {
            return Ok(groups.default_influences());
        }
        let (count, now) = (groups.count, convert::groups(groups));
        let check = |influences| checked::group_influences(influences, count);
        answer!(self, "weigh", grouping.call_weigh(now), check)
    }

    fn archive(&self) -> ArchivedRules {
        let About { name, version, digest, .. } = &*self.about;
        ArchivedRules {
            digest: *digest,
            name: name.clone(),
            version: version.clone(),
            component: self.plugin.rules.as_ref().map_or(vec![], |rules| rules.component.to_vec()),
            settings: self.plugin.settings.to_vec(),
        }
    }
}
