//! Trait rules with the formulas of the system that Corsac re-creates: 44 traits around the base of fifty
//! spirits, children between their parents, likeness as compatibility, lives of a hundred years. Everything
//! is a function of its arguments; chance comes from the seed.
//!
//! Meetings, memory, knowledge, groups and movement are `traits-kit`'s, with the original's numbers.

/// First traits, inheritance, compatibility.
pub mod genetics;
/// Age and energy.
pub mod life;

use traits_kit::meeting::Manner;
use traits_kit::traits::{UNKNOWN, WIDTH};
use traits_kit::*;

/// What the host calls; a native build calls the same functions.
pub struct Classic;

impl TraitModel for Classic {
    fn describe() -> RulesDescription {
        describe("traits-classic", env!("CARGO_PKG_VERSION"), "the original's formulas: likeness, means and noise")
    }

    fn first_traits(spirit: String, count: u32, seed: u64) -> Result<Vec<f32>, PluginError> {
        Ok(genetics::first_traits(&base_of(&spirit)?, count, &mut Chance::new(seed)))
    }

    /// The spirit of each child is one of its parents', by chance. Mutations: the greater count of the two
    /// parents and the child's own mutated traits. A spirit that these rules do not know (the world had
    /// others before) draws to 0.5.
    fn inherit(first: Individual, second: Individual, count: u32, seed: u64) -> Result<Offspring, PluginError> {
        matrix("first.traits", &first.traits, 1)?;
        matrix("second.traits", &second.traits, 1)?;
        let bases = [&first, &second].map(|parent| traits::base(&parent.spirit).unwrap_or([UNKNOWN; WIDTH]));
        let before = first.mutations.max(second.mutations);
        let mut chance = Chance::new(seed);
        let mut children = Offspring { traits: vec![], spirits: vec![], mutations: vec![] };
        for _ in 0..count {
            let of = usize::from(chance.is(0.5));
            let mutated = genetics::child(&first.traits, &second.traits, &bases[of], &mut chance, &mut children.traits);
            children.spirits.push([&first, &second][of].spirit.clone());
            children.mutations.push(before.saturating_add(mutated));
        }
        Ok(children)
    }

    fn compatibility(one: Individual, many: Population) -> Result<Vec<f32>, PluginError> {
        matrix("one.traits", &one.traits, 1)?;
        matrix("traits", &many.traits, many.count)?;
        column("spirits", many.spirits.len(), many.count as usize)?;
        column("generations", many.generations.len(), many.count as usize)?;
        let alike = many.spirits.iter().map(|spirit| *spirit == one.spirit);
        Ok(genetics::scores(&one.traits, one.generation, &many.traits, alike, &many.generations))
    }

    fn interact(
        kind: InteractionKind,
        first: Individual,
        second: Individual,
        before: Relationship,
        seed: u64,
    ) -> Result<InteractionResult, PluginError> {
        matrix("first.traits", &first.traits, 1)?;
        matrix("second.traits", &second.traits, 1)?;
        let mut chance = Chance::new(seed);
        Ok(meeting::interact(&Self::MANNER, kind, &first.traits, &second.traits, &before, &mut chance))
    }

    fn tick(now: Lives, step: f32, _seed: u64) -> Result<LivesAfter, PluginError> {
        let Lives { count, mut ages, mut energies, .. } = now;
        column("ages", ages.len(), count as usize)?;
        column("energies", energies.len(), count as usize)?;
        life::advance(&mut ages, &mut energies, step);
        let alive = life::alive(&ages);
        Ok(LivesAfter { ages, energies, traits: vec![], alive })
    }
}

impl Matching for Classic {
    fn score(one: Individual, many: Crowd) -> Result<Vec<f32>, PluginError> {
        matrix("one.traits", &one.traits, 1)?;
        crowd(&many)?;
        // The table names every spirit once.
        let own = many.spirits.iter().position(|spirit| *spirit == one.spirit);
        let alike = many.spirit_of.iter().map(|at| Some(*at as usize) == own);
        Ok(genetics::scores(&one.traits, one.generation, &many.traits, alike, &many.generations))
    }
}

impl StandardSociety for Classic {
    const MANNER: Manner = meeting::CLASSIC;

    fn customs() -> Customs {
        let level = |at_least, name: &str, advice: &str| Level { at_least, name: name.into(), advice: advice.into() };
        Customs {
            stages: (5.0, 18.0, 80.0),
            maturity_age: 18.0,
            max_age: life::MAX_AGE,
            // The original's 30 had no unit; in years it would leave two children to a life.
            breeding_cooldown: 1.0,
            max_offspring: 5,
            breeding_threshold: 0.4,
            allowed_kin: vec![],
            meeting_distance: 50.0,
            movement_speed: motion::SPEED,
            max_relationships: 100,
            memory_capacity: 1000,
            knowledge_capacity: 500,
            levels: vec![
                level(0.8, "excellent", "highly recommended"),
                level(0.6, "good", "recommended"),
                level(0.4, "moderate", "possible, with some risk"),
                level(0.2, "poor", "not recommended"),
                level(0.0, "very_poor", "advised against"),
            ],
        }
    }

    fn catalogue() -> Catalogue {
        catalogue::catalogue(&[
            ("random_factor", genetics::RANDOM_FACTOR),
            ("inheritance_noise", genetics::INHERITANCE_NOISE),
            ("mutation_rate", genetics::MUTATION_RATE),
            ("inheritance_variance", genetics::INHERITANCE_VARIANCE),
            ("spirit_influence", genetics::SPIRIT_INFLUENCE),
            ("personality_weight", genetics::PERSONALITY_WEIGHT),
            ("physical_weight", genetics::PHYSICAL_WEIGHT),
            ("ability_weight", genetics::ABILITIES_WEIGHT),
            ("spirit_weight", genetics::SPIRIT_WEIGHT),
            ("generation_cost", genetics::GENERATION_COST),
            ("energy_recovery_per_year", life::RECOVERY),
            ("interaction_cost", Self::MANNER.cost),
            ("meeting_rate", Self::MANNER.rate),
            ("luck", Self::MANNER.luck),
        ])
    }
}

rules!(Classic);

#[cfg(test)]
mod tests {
    use super::*;

    fn individual(spirit: &str, value: f32, mutations: u32) -> Individual {
        Individual { traits: vec![value; WIDTH], spirit: spirit.into(), generation: 1, mutations }
    }

    #[test]
    fn children_have_a_parents_spirit_and_count_mutations_on() {
        let born = Classic::inherit(individual("fox", 0.4, 3), individual("owl", 0.6, 7), 200, 1).unwrap();
        assert_eq!((born.traits.len(), born.spirits.len(), born.mutations.len()), (200 * WIDTH, 200, 200));
        // 100 of 200, with a deviation of 7.
        let foxes = born.spirits.iter().filter(|spirit| *spirit == "fox").count();
        assert!((70..130).contains(&foxes), "{foxes}");
        assert!(born.spirits.iter().all(|spirit| spirit == "fox" || spirit == "owl"));
        assert!(born.mutations.iter().all(|mutations| (7..=7 + 44).contains(mutations)));
        assert!(born.mutations.iter().any(|mutations| *mutations > 7));
    }

    #[test]
    fn a_spirit_of_other_rules_can_still_breed() {
        let born = Classic::inherit(individual("kraken", 0.5, 0), individual("kraken", 0.5, 0), 1, 1).unwrap();
        // Mean 0.5, base 0.5: noise and mutation only.
        assert!(born.traits.iter().all(|value| (0.2..=0.8).contains(value)));
        assert!(Classic::first_traits("kraken".into(), 1, 1).is_err());
    }

    #[test]
    fn the_same_seed_gives_the_same() {
        let first = |seed| Classic::first_traits("otter".into(), 3, seed).unwrap();
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
        let born = |seed| Classic::inherit(individual("fox", 0.4, 0), individual("owl", 0.6, 0), 2, seed).unwrap();
        assert_eq!(born(9), born(9));
    }

    #[test]
    fn a_tick_leaves_traits_alone() {
        let now = Lives { count: 2, ages: vec![1.0, 99.0], energies: vec![0.2, 1.0], traits: vec![0.5; 2 * WIDTH] };
        let after = Classic::tick(now, 1.0, 0).unwrap();
        assert_eq!(after.ages, [2.0, 100.0]);
        assert_eq!(after.alive, [true, false]);
        assert!(after.traits.is_empty());
        assert!((after.energies[0] - 0.3).abs() < 1e-6);
    }

    #[test]
    fn an_interaction_costs_both() {
        let before = Relationship { strength: 0.5, trust: 0.5, familiarity: 0.5 };
        let result = |seed| {
            let kind = InteractionKind::Communication;
            Classic::interact(kind, individual("fox", 0.5, 0), individual("fox", 0.5, 0), before, seed).unwrap()
        };
        // Quality 0.3 × 0.5 + 0.3 × 0.5 + 0.4 = 0.7, luck ±0.3: success in half of the cases, never a failure.
        let outcomes: Vec<_> = (0..400).map(|seed| result(seed).outcome).collect();
        let successes = outcomes.iter().filter(|outcome| **outcome == Outcome::Success).count();
        assert!((150..250).contains(&successes), "{successes}");
        assert!(!outcomes.contains(&Outcome::Failure));
        assert_eq!(result(1).energy_costs, (0.1, 0.1));
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let many = Population { count: 2, traits: vec![0.5; WIDTH], spirits: vec![], generations: vec![] };
        assert!(matches!(Classic::compatibility(individual("fox", 0.5, 0), many), Err(PluginError::Internal(_))));
    }

    #[test]
    fn a_crowd_is_scored_by_hand_and_as_a_population_is() {
        let (spirits, generations) = (["fox", "owl", "fox", "kraken"], [1, 1, 3, 9]);
        let values = [0.5_f32, 0.75, 1.0, 0.5];
        let traits: Vec<f32> = values.iter().flat_map(|value| [*value; WIDTH]).collect();
        let crowd = Crowd {
            count: 4,
            traits: traits.clone(),
            // In an order of their own; nobody is an otter.
            spirits: ["otter", "owl", "kraken", "fox"].map(str::to_owned).to_vec(),
            spirit_of: vec![3, 1, 3, 2],
            generations: generations.to_vec(),
        };
        let scores = Classic::score(individual("fox", 0.5, 0), crowd).unwrap();
        // 1; 0.8 × 0.75 + 0.1; 0.8 × 0.5 + 0.2 − 2 × 0.05; 0.8 + 0.1 − 0.2 (at most).
        for (found, expected) in scores.iter().zip([1.0_f32, 0.7, 0.5, 0.7]) {
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        }
        let spirits = spirits.map(str::to_owned).to_vec();
        let many = Population { count: 4, traits, spirits, generations: generations.to_vec() };
        assert_eq!(Classic::compatibility(individual("fox", 0.5, 0), many).unwrap(), scores);
    }

    #[test]
    fn nobody_has_the_spirit_of_one_whose_spirit_is_not_in_the_table() {
        let crowd = Crowd {
            count: 1,
            traits: vec![0.5; WIDTH],
            spirits: vec!["owl".into()],
            spirit_of: vec![0],
            generations: vec![1],
        };
        // 0.8 + 0.2 × 0.5
        assert!((Classic::score(individual("fox", 0.5, 0), crowd).unwrap()[0] - 0.9).abs() < 1e-6);
        let none =
            Crowd { count: 1, traits: vec![0.5; WIDTH], spirits: vec![], spirit_of: vec![0], generations: vec![1] };
        let error = Classic::score(individual("fox", 0.5, 0), none).unwrap_err();
        assert_eq!(error, PluginError::Internal("the column spirit-of says 0 of agent 0, there are 0 spirits".into()));
    }

    #[test]
    fn customs_are_what_the_contract_wants() {
        let customs = Classic::describe_customs();
        assert!(customs.levels.is_sorted_by(|one, next| one.at_least > next.at_least));
        assert!(customs.stages.0 < customs.stages.1 && customs.stages.1 < customs.stages.2);
        assert!(customs.allowed_kin.is_empty());
    }
}
