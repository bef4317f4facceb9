//! Between the words of rules and the contract's records, both ways, as they are; whether an answer holds
//! is for the checks of `crate::rules`.

use crate::rules::{
    Bodies, Bond, Catalogue, Customs, Encounters, EncountersAfter, Individual, Interaction, InteractionKind, Kinship,
    Lessons, Level, Lives, LivesAfter, Memories, MemoriesAfter, Offspring, Outcome, Part, People, Population, Spirit,
    Standing, Standings, Style, TraitDefinition, TraitNames,
};
use crate::runtime::bindings::social_rules::exports::corsac::agents::society as wire_society;
use crate::runtime::bindings::social_rules::exports::corsac::plugin::trait_model as wire_social;
use crate::runtime::bindings::trait_rules::exports::corsac::plugin::trait_model as wire;

/// Names of traits, and of spirits.
pub fn described(described: wire::RulesDescription) -> (TraitNames, Vec<String>) {
    let wire::TraitNames { personality, physical, abilities } = described.traits;
    (TraitNames { personality, physical, abilities }, described.spirits)
}

pub fn individual(individual: &Individual) -> wire::Individual {
    wire::Individual {
        traits: individual.traits.clone(),
        spirit: individual.spirit.clone(),
        generation: individual.generation,
        mutations: individual.mutations,
    }
}

pub fn population(population: &Population) -> wire::Population {
    wire::Population {
        count: population.count,
        traits: population.traits.clone(),
        spirits: population.spirits.clone(),
        generations: population.generations.clone(),
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

pub fn lives(lives: &Lives) -> wire::Lives {
    wire::Lives {
        count: lives.count,
        ages: lives.ages.clone(),
        energies: lives.energies.clone(),
        traits: lives.traits.clone(),
    }
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

pub fn encounters(pairs: &Encounters) -> wire_society::Encounters {
    wire_society::Encounters {
        count: pairs.count,
        first: pairs.first.clone(),
        second: pairs.second.clone(),
        first_energies: pairs.first_energies.clone(),
        second_energies: pairs.second_energies.clone(),
        distances: pairs.distances.clone(),
        strengths: pairs.strengths.clone(),
        trusts: pairs.trusts.clone(),
        familiarities: pairs.familiarities.clone(),
        same_spirit: pairs.same_spirit.clone(),
    }
}

pub fn encounters_after(after: wire_society::EncountersAfter) -> EncountersAfter {
    let kind = |kind| match kind {
        wire_social::InteractionKind::Communication => InteractionKind::Communication,
        wire_social::InteractionKind::Collaboration => InteractionKind::Collaboration,
        wire_social::InteractionKind::Teaching => InteractionKind::Teaching,
        wire_social::InteractionKind::Social => InteractionKind::Social,
        wire_social::InteractionKind::Competitive => InteractionKind::Competitive,
        wire_social::InteractionKind::Romantic => InteractionKind::Romantic,
    };
    let outcome = |outcome| match outcome {
        wire_social::Outcome::Success => Outcome::Success,
        wire_social::Outcome::PartialSuccess => Outcome::PartialSuccess,
        wire_social::Outcome::Failure => Outcome::Failure,
        wire_social::Outcome::Neutral => Outcome::Neutral,
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

pub fn bodies(bodies: &Bodies) -> wire_society::Bodies {
    wire_society::Bodies {
        count: bodies.count,
        traits: bodies.traits.clone(),
        energies: bodies.energies.clone(),
        xs: bodies.xs.clone(),
        ys: bodies.ys.clone(),
        velocity_xs: bodies.velocity_xs.clone(),
        velocity_ys: bodies.velocity_ys.clone(),
    }
}

pub fn velocities(velocities: wire_society::Velocities) -> (Vec<f32>, Vec<f32>) {
    (velocities.xs, velocities.ys)
}

pub fn memories(memories: &Memories) -> wire_society::Memories {
    wire_society::Memories {
        count: memories.count,
        importances: memories.importances.clone(),
        emotions: memories.emotions.clone(),
        decay_rates: memories.decay_rates.clone(),
        accesses: memories.accesses.clone(),
        idle: memories.idle.clone(),
    }
}

pub fn memories_after(after: wire_society::MemoriesAfter) -> MemoriesAfter {
    MemoriesAfter { importances: after.importances, consolidated: after.consolidated, forgotten: after.forgotten }
}

pub fn lessons(lessons: &Lessons) -> wire_society::Lessons {
    wire_society::Lessons {
        count: lessons.count,
        teachers: lessons.teachers.clone(),
        learners: lessons.learners.clone(),
        teacher_proficiencies: lessons.teacher_proficiencies.clone(),
        learner_proficiencies: lessons.learner_proficiencies.clone(),
    }
}

pub fn people(people: &People) -> wire_society::People {
    wire_society::People {
        count: people.count,
        traits: people.traits.clone(),
        energies: people.energies.clone(),
        networks: people.networks.clone(),
        leaderships: people.leaderships.clone(),
        influences: people.influences.clone(),
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
