//! Between the words of rules and the contract's records, both ways, as they are; whether an answer holds
//! is for the checks of `crate::rules`.

use crate::rules::{
    Bodies, Bond, Catalogue, Crowd, Customs, Encounters, EncountersAfter, Groups, Individual, Interaction,
    InteractionKind, Kinship, Lessons, Level, Lives, LivesAfter, Memories, MemoriesAfter, Offspring, Outcome, Part,
    People, Population, Spirit, Standing, Standings, Style, TraitDefinition, TraitNames,
};
use crate::runtime::bindings::rules::exports::corsac::agents::grouping as wire_grouping;
use crate::runtime::bindings::rules::exports::corsac::agents::matching as wire_matching;
use crate::runtime::bindings::rules::exports::corsac::agents::society as wire_society;
use crate::runtime::bindings::rules::exports::corsac::plugin::trait_model as wire;

/// Names of traits, and of spirits.
pub fn described(described: wire::RulesDescription) -> (TraitNames, Vec<String>) {
    let wire::TraitNames { personality, physical, abilities } = described.traits;
    (TraitNames { personality, physical, abilities }, described.spirits)
}

pub fn individual(individual: &Individual) -> wire::Individual<'_> {
    wire::Individual {
        traits: &individual.traits,
        spirit: &individual.spirit,
        generation: individual.generation,
        mutations: individual.mutations,
    }
}

/// Texts as they are passed.
pub fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

pub fn population<'a>(population: &'a Population, spirits: &'a [&'a str]) -> wire::Population<'a> {
    let Population { count, traits, generations, .. } = population;
    wire::Population { count: *count, traits, spirits, generations }
}

/// For rules that know no crowds; `spirits` are `spirits_of` it.
pub fn crowd_as_population<'a>(crowd: &'a Crowd, spirits: &'a [&'a str]) -> wire::Population<'a> {
    let Crowd { count, traits, generations, .. } = crowd;
    wire::Population { count: *count, traits, spirits, generations }
}

/// The name of each agent's spirit.
pub fn spirits_of(crowd: &Crowd) -> Vec<&str> {
    crowd.spirit_of.iter().map(|at| crowd.spirits.get(*at as usize).map_or("", String::as_str)).collect()
}

pub fn crowd<'a>(crowd: &'a Crowd, spirits: &'a [&'a str]) -> wire_matching::Crowd<'a> {
    wire_matching::Crowd {
        count: crowd.count,
        traits: &crowd.traits,
        spirits,
        spirit_of: &crowd.spirit_of,
        generations: &crowd.generations,
    }
}

pub fn groups(groups: &Groups) -> wire_grouping::Groups<'_> {
    wire_grouping::Groups {
        count: groups.count,
        sizes: &groups.sizes,
        cohesions: &groups.cohesions,
        leaders: &groups.leaders,
    }
}

pub fn offspring(offspring: wire::Offspring) -> Offspring {
    Offspring { traits: offspring.traits, spirits: offspring.spirits, mutations: offspring.mutations }
}

pub fn kind(kind: InteractionKind) -> wire::InteractionKind {
    match kind {
        InteractionKind::Communication => wire::InteractionKind::Communication,
        InteractionKind::Collaboration => wire::InteractionKind::Collaboration,
        InteractionKind::Teaching => wire::InteractionKind::Teaching,
        InteractionKind::Social => wire::InteractionKind::Social,
        InteractionKind::Competitive => wire::InteractionKind::Competitive,
        InteractionKind::Romantic => wire::InteractionKind::Romantic,
    }
}

pub fn bond(bond: Bond) -> wire::Relationship {
    wire::Relationship { strength: bond.strength, trust: bond.trust, familiarity: bond.familiarity }
}

pub fn interaction(result: wire::InteractionResult) -> Interaction {
    let outcome = match result.outcome {
        wire::Outcome::Success => Outcome::Success,
        wire::Outcome::PartialSuccess => Outcome::PartialSuccess,
        wire::Outcome::Failure => Outcome::Failure,
        wire::Outcome::Neutral => Outcome::Neutral,
    };
    let wire::Relationship { strength, trust, familiarity } = result.after;
    let (first, second) = result.energy_costs;
    Interaction {
        outcome,
        impact: result.impact,
        after: Bond { strength, trust, familiarity },
        energy_costs: [first, second],
    }
}

pub fn lives(lives: &Lives) -> wire::Lives<'_> {
    wire::Lives { count: lives.count, ages: &lives.ages, energies: &lives.energies, traits: &lives.traits }
}

pub fn lives_after(after: wire::LivesAfter) -> LivesAfter {
    LivesAfter { ages: after.ages, energies: after.energies, traits: after.traits, alive: after.alive }
}

pub fn customs(customs: wire_society::Customs) -> Customs {
    let (infancy, youth, adulthood) = customs.stages;
    let kin = |kin| match kin {
        wire_society::Kinship::ParentAndChild => Kinship::ParentAndChild,
        wire_society::Kinship::Siblings => Kinship::Siblings,
        wire_society::Kinship::HalfSiblings => Kinship::HalfSiblings,
    };
    let level = |level: wire_society::Level| Level { at_least: level.at_least, name: level.name, advice: level.advice };
    Customs {
        stages: [infancy, youth, adulthood],
        maturity_age: customs.maturity_age,
        max_age: customs.max_age,
        breeding_cooldown: customs.breeding_cooldown,
        max_offspring: customs.max_offspring,
        breeding_threshold: customs.breeding_threshold,
        allowed_kin: customs.allowed_kin.into_iter().map(kin).collect(),
        meeting_distance: customs.meeting_distance,
        movement_speed: customs.movement_speed,
        max_relationships: customs.max_relationships,
        memory_capacity: customs.memory_capacity,
        knowledge_capacity: customs.knowledge_capacity,
        levels: customs.levels.into_iter().map(level).collect(),
    }
}

pub fn catalogue(catalogue: wire_society::Catalogue) -> Catalogue {
    let spirit = |spirit: wire_society::Spirit| Spirit {
        name: spirit.name,
        category: spirit.category,
        emoji: spirit.emoji,
        adjectives: spirit.adjectives,
        names: spirit.names,
        generation_numbers: spirit.generation_numbers,
        base_traits: spirit.base_traits,
    };
    let style =
        |style: wire_society::Style| Style { name: style.name, template: style.template, purpose: style.purpose };
    let definition = |definition: wire_society::TraitDefinition| TraitDefinition {
        name: definition.name,
        group: definition.group,
        category: definition.category,
        default: definition.default,
        purpose: definition.purpose,
    };
    Catalogue {
        spirits: catalogue.spirits.into_iter().map(spirit).collect(),
        styles: catalogue.styles.into_iter().map(style).collect(),
        schemes: catalogue.schemes,
        traits: catalogue.traits.into_iter().map(definition).collect(),
        words: catalogue.words.into_iter().map(|list| (list.name, list.words)).collect(),
        parameters: catalogue.parameters,
    }
}

pub fn encounters(pairs: &Encounters) -> wire_society::Encounters<'_> {
    wire_society::Encounters {
        count: pairs.count,
        first: &pairs.first,
        second: &pairs.second,
        first_energies: &pairs.first_energies,
        second_energies: &pairs.second_energies,
        distances: &pairs.distances,
        strengths: &pairs.strengths,
        trusts: &pairs.trusts,
        familiarities: &pairs.familiarities,
        same_spirit: &pairs.same_spirit,
    }
}

pub fn encounters_after(after: wire_society::EncountersAfter) -> EncountersAfter {
    let kind = |kind| match kind {
        wire::InteractionKind::Communication => InteractionKind::Communication,
        wire::InteractionKind::Collaboration => InteractionKind::Collaboration,
        wire::InteractionKind::Teaching => InteractionKind::Teaching,
        wire::InteractionKind::Social => InteractionKind::Social,
        wire::InteractionKind::Competitive => InteractionKind::Competitive,
        wire::InteractionKind::Romantic => InteractionKind::Romantic,
    };
    let outcome = |outcome| match outcome {
        wire::Outcome::Success => Outcome::Success,
        wire::Outcome::PartialSuccess => Outcome::PartialSuccess,
        wire::Outcome::Failure => Outcome::Failure,
        wire::Outcome::Neutral => Outcome::Neutral,
    };
    EncountersAfter {
        met: after.met,
        kinds: after.kinds.into_iter().map(kind).collect(),
        outcomes: after.outcomes.into_iter().map(outcome).collect(),
        impacts: after.impacts,
        strengths: after.strengths,
        trusts: after.trusts,
        familiarities: after.familiarities,
        first_costs: after.first_costs,
        second_costs: after.second_costs,
        importances: after.importances,
        emotions: after.emotions,
    }
}

pub fn bodies(bodies: &Bodies) -> wire_society::Bodies<'_> {
    wire_society::Bodies {
        count: bodies.count,
        traits: &bodies.traits,
        energies: &bodies.energies,
        xs: &bodies.xs,
        ys: &bodies.ys,
        velocity_xs: &bodies.velocity_xs,
        velocity_ys: &bodies.velocity_ys,
    }
}

pub fn velocities(velocities: wire_society::Velocities) -> (Vec<f32>, Vec<f32>) {
    (velocities.xs, velocities.ys)
}

pub fn memories(memories: &Memories) -> wire_society::Memories<'_> {
    wire_society::Memories {
        count: memories.count,
        importances: &memories.importances,
        emotions: &memories.emotions,
        decay_rates: &memories.decay_rates,
        accesses: &memories.accesses,
        idle: &memories.idle,
    }
}

pub fn memories_after(after: wire_society::MemoriesAfter) -> MemoriesAfter {
    MemoriesAfter { importances: after.importances, consolidated: after.consolidated, forgotten: after.forgotten }
}

pub fn lessons(lessons: &Lessons) -> wire_society::Lessons<'_> {
    wire_society::Lessons {
        count: lessons.count,
        teachers: &lessons.teachers,
        learners: &lessons.learners,
        teacher_proficiencies: &lessons.teacher_proficiencies,
        learner_proficiencies: &lessons.learner_proficiencies,
    }
}

pub fn people(people: &People) -> wire_society::People<'_> {
    wire_society::People {
        count: people.count,
        traits: &people.traits,
        energies: &people.energies,
        networks: &people.networks,
        leaderships: &people.leaderships,
        influences: &people.influences,
    }
}

pub fn parts(parts: Vec<wire_society::Part>) -> Vec<Part> {
    let part = |part| match part {
        wire_society::Part::Apart => Part::Apart,
        wire_society::Part::Member => Part::Member,
        wire_society::Part::Leader => Part::Leader,
    };
    parts.into_iter().map(part).collect()
}

pub fn standings(after: wire_society::Standings) -> Standings {
    let standing = |standing| match standing {
        wire_society::Standing::Outcast => Standing::Outcast,
        wire_society::Standing::Marginal => Standing::Marginal,
        wire_society::Standing::Accepted => Standing::Accepted,
        wire_society::Standing::Popular => Standing::Popular,
        wire_society::Standing::Influential => Standing::Influential,
        wire_society::Standing::Leader => Standing::Leader,
    };
    Standings { influences: after.influences, standings: after.standings.into_iter().map(standing).collect() }
}
