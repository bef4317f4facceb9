//! Trait rules of another kind, to show what swapping means: children are patchworks of their parents, the
//! traits of the living drift, opposites attract, vitality decides how long one lives. Traits, spirits and
//! names are those of `traits-classic`, so that a world can change over and back.

/// Crossover, drift, complements.
pub mod genetics;

use traits_kit::meeting::Manner;
use traits_kit::traits::{WIDTH, known};
use traits_kit::*;

/// How far chance moves what a lesson adds, up and down, as a share of it.
pub const LESSON_LUCK: f32 = 0.5;

/// What the host calls; a native build calls the same functions.
pub struct Drift;

impl TraitModel for Drift {
    fn describe() -> RulesDescription {
        describe("traits-drift", env!("CARGO_PKG_VERSION"), "crossover, drift of the living, complements")
    }

    fn first_traits(spirit: String, count: u32, seed: u64) -> Result<Vec<f32>, PluginError> {
        Ok(genetics::first_traits(&base_of(&spirit)?, count, &mut Chance::new(seed)))
    }

    /// A child has the spirit of the parent that gave it more traits; the first's, when both gave as many.
    fn inherit(first: Individual, second: Individual, count: u32, seed: u64) -> Result<Offspring, PluginError> {
        matrix("first.traits", &first.traits, 1)?;
        matrix("second.traits", &second.traits, 1)?;
        let mut chance = Chance::new(seed);
        let mut children = Offspring { traits: vec![], spirits: vec![], mutations: vec![] };
        for _ in 0..count {
            let (of_first, mutated) = genetics::child(&first.traits, &second.traits, &mut chance, &mut children.traits);
            let parent = if of_first as usize * 2 >= WIDTH { &first } else { &second };
            children.spirits.push(parent.spirit.clone());
            children.mutations.push(first.mutations.max(second.mutations).saturating_add(mutated));
        }
        Ok(children)
    }

    fn compatibility(one: Individual, many: Population) -> Result<Vec<f32>, PluginError> {
        matrix("one.traits", &one.traits, 1)?;
        matrix("traits", &many.traits, many.count)?;
        Ok(rows(&many.traits).map(|row| genetics::score(&one.traits, row)).collect())
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

    /// Who lives on is decided by the traits before they drift.
    fn tick(now: Lives, step: f32, seed: u64) -> Result<LivesAfter, PluginError> {
        let Lives { count, mut ages, mut energies, mut traits } = now;
        column("ages", ages.len(), count as usize)?;
        column("energies", energies.len(), count as usize)?;
        matrix("traits", &traits, count)?;
        let alive = genetics::live(&mut ages, &mut energies, &traits, step);
        genetics::drift(&mut traits, step, &mut Chance::new(seed));
        Ok(LivesAfter { ages, energies, traits, alive })
    }
}

impl Matching for Drift {
    fn score(one: Individual, many: Crowd) -> Result<Vec<f32>, PluginError> {
        matrix("one.traits", &one.traits, 1)?;
        crowd(&many)?;
        Ok(rows(&many.traits).map(|row| genetics::score(&one.traits, row)).collect())
    }
}

impl StandardSociety for Drift {
    /// Livelier meetings, more luck, and fit by difference.
    const MANNER: Manner = Manner { rate: 0.2, luck: 0.5, weights: [0.2, 0.2, 0.6], cost: 0.05, opposites: true };

    fn customs() -> Customs {
        let level = |at_least, name: &str, advice: &str| Level { at_least, name: name.into(), advice: advice.into() };
        Customs {
            stages: (3.0, 14.0, 70.0),
            maturity_age: 14.0,
            max_age: genetics::lifetime(1.0),
            breeding_cooldown: 0.5,
            max_offspring: 8,
            breeding_threshold: 0.3,
            // Here children are no means of their parents, so that kin differ enough.
            allowed_kin: vec![Kinship::HalfSiblings],
            meeting_distance: 80.0,
            movement_speed: motion::SPEED,
            max_relationships: 60,
            memory_capacity: 500,
            knowledge_capacity: 250,
            levels: vec![
                level(0.6, "complement", "what one lacks the other has"),
                level(0.45, "counterpart", "different enough"),
                level(0.3, "akin", "rather alike"),
                level(0.0, "mirror", "too alike to gain from each other"),
            ],
        }
    }

    fn catalogue() -> Catalogue {
        catalogue::catalogue(&[
            ("spread", genetics::SPREAD),
            ("mutation_rate", genetics::MUTATION_RATE),
            ("mutation", genetics::MUTATION),
            ("drift_per_year", genetics::DRIFT),
            ("complement_weight", genetics::COMPLEMENT_WEIGHT),
            ("physical_weight", genetics::BODY_WEIGHT),
            ("ability_cover_weight", genetics::COVER_WEIGHT),
            ("interaction_cost", Self::MANNER.cost),
            ("meeting_rate", Self::MANNER.rate),
            ("luck", Self::MANNER.luck),
        ])
    }

    /// Some lessons do more than they should, some less.
    fn lesson(lessons: &Lessons, seed: u64) -> Result<Vec<f32>, PluginError> {
        let mut chance = Chance::new(seed);
        let with_luck = |(after, before): (f32, &f32)| {
            (before + (after - before) * (1.0 + chance.around_zero(LESSON_LUCK))).clamp(0.0, 1.0)
        };
        Ok(mind::learn(lessons)?.into_iter().zip(&lessons.learner_proficiencies).map(with_luck).collect())
    }

    fn weight(groups: &Groups) -> Result<Vec<f32>, PluginError> {
        people::groups(groups)?;
        let columns = groups.sizes.iter().zip(&groups.cohesions).zip(&groups.leaders);
        Ok(columns.map(|((size, cohesion), leader)| group_influence(*size, *cohesion, *leader)).collect())
    }
}

/// Influence of a group: 0.5 × cohesion + 0.3 × size / (size + 4) + 0.2 × the leader's own, as a share of the
/// greatest (2). Every member adds, each less than the one before.
pub fn group_influence(size: u32, cohesion: f32, leader: f32) -> f32 {
    let size = size as f32;
    (0.5 * known(cohesion) + 0.3 * size / (size + 4.0) + 0.2 * known(leader / 2.0)).clamp(0.0, 1.0)
}

rules!(Drift);

#[cfg(test)]
mod tests {
    use super::*;

    fn individual(spirit: &str, value: f32) -> Individual {
        Individual { traits: vec![value; WIDTH], spirit: spirit.into(), generation: 1, mutations: 2 }
    }

    #[test]
    fn the_spirit_follows_the_traits() {
        let born = Drift::inherit(individual("fox", 0.2), individual("owl", 0.8), 100, 3).unwrap();
        for (row, spirit) in rows(&born.traits).zip(&born.spirits) {
            // Mutations change a value by half at most: 0.2 stays below 0.31, 0.8 above 0.39.
            let of_fox = row.iter().filter(|value| **value < 0.35).count();
            assert_eq!(spirit == "fox", of_fox >= 22, "{of_fox} traits of the fox");
        }
        assert!(born.mutations.iter().all(|mutations| *mutations >= 2));
    }

    #[test]
    fn the_living_drift_with_the_seed() {
        let now = || Lives { count: 3, ages: vec![1.0; 3], energies: vec![0.5; 3], traits: vec![0.5; 3 * WIDTH] };
        let tick = |seed| Drift::tick(now(), 1.0, seed).unwrap();
        assert_eq!(tick(4), tick(4));
        assert_ne!(tick(4).traits, tick(5).traits);
        assert_eq!(tick(4).ages, [2.0; 3]);
        assert!(tick(4).traits.iter().all(|value| (0.49..=0.51).contains(value)));
    }

    #[test]
    fn lessons_have_luck_around_their_middle() {
        let count = 1_000_u32;
        let lessons = Lessons {
            count,
            teachers: vec![0.5; count as usize * WIDTH],
            learners: vec![0.6; count as usize * WIDTH],
            teacher_proficiencies: vec![0.8; count as usize],
            learner_proficiencies: vec![0.0; count as usize],
        };
        // 0.1 + (0.72 − 0.1) × 0.5 × 0.6 = 0.286, half of it more or less.
        let learned = Drift::learn(lessons, 1.0, 6).unwrap();
        assert!(learned.iter().all(|value| (0.142_9..=0.429_1).contains(value)));
        let mean = learned.iter().sum::<f32>() / count as f32;
        assert!((mean - 0.286).abs() < 0.01, "{mean}");
    }

    #[test]
    fn a_crowd_is_scored_by_hand_and_as_a_population_is() {
        let values = [0.5_f32, 0.75, 1.0];
        let traits: Vec<f32> = values.iter().flat_map(|value| [*value; WIDTH]).collect();
        let crowd = Crowd {
            count: 3,
            traits: traits.clone(),
            spirits: vec!["fox".into()],
            spirit_of: vec![0; 3],
            generations: vec![1; 3],
        };
        let scores = Drift::score(individual("fox", 0.5), crowd).unwrap();
        // 0.5 × difference + 0.2 × likeness + 0.3 × the better one: 0.35; 0.125 + 0.15 + 0.225; 0.25 + 0.1 + 0.3.
        for (found, expected) in scores.iter().zip([0.35_f32, 0.5, 0.65]) {
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        }
        let many = Population { count: 3, traits, spirits: vec!["fox".into(); 3], generations: vec![1; 3] };
        assert_eq!(Drift::compatibility(individual("fox", 0.5), many).unwrap(), scores);
        let short =
            Crowd { count: 2, traits: vec![0.5; WIDTH], spirits: vec![], spirit_of: vec![], generations: vec![] };
        assert!(matches!(Drift::score(individual("fox", 0.5), short), Err(PluginError::Internal(_))));
    }

    #[test]
    fn groups_are_weighed_by_hand() {
        let groups = Groups {
            count: 3,
            sizes: vec![4, 12, 4],
            cohesions: vec![0.5, 1.0, f32::NAN],
            leaders: vec![1.0, 2.0, 0.0],
        };
        // 0.25 + 0.15 + 0.1; 0.5 + 0.225 + 0.2; what is no number counts 0.5.
        for (found, expected) in Drift::weigh(groups).unwrap().into_iter().zip([0.5, 0.925, 0.4]) {
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        }
    }

    #[test]
    fn customs_are_what_the_contract_wants() {
        let customs = Drift::describe_customs();
        assert!(customs.levels.is_sorted_by(|one, next| one.at_least > next.at_least));
        assert_eq!(customs.max_age, 120.0);
    }
}
