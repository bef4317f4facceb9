//! Who fits whom: the rules score, the world says who may.

use std::sync::Arc;

use super::record;
use super::running::Running;
use super::view::{CompatibilityView, Mate, TraitAnalysis, WorldError};
use crate::rules::{Individual, Population, Rules, RulesError, TraitNames};
use crate::runtime::CallError;

/// Candidates of one call, which must fit into a guest's memory: 18 MB of 44 traits.
const CANDIDATES: usize = 100_000;

impl Running {
    /// Best first; only those that the agent may breed with, now.
    pub(super) async fn mates(self: &Arc<Self>, id: &str, most: u32) -> Result<Vec<Mate>, WorldError> {
        let rules = self.book.rules();
        let (running, wanted) = (self.clone(), id.to_owned());
        // Looks at everybody: milliseconds that are not the executor's.
        let read = move || {
            running.with(|state| {
                let number = state.find_living(&wanted)?;
                let one = state.individual(number).ok_or(WorldError::NoAgent(wanted))?;
                let candidates = state.candidates(number);
                let many: Vec<Population> = candidates.chunks(CANDIDATES).map(|part| state.population(part)).collect();
                Ok::<_, WorldError>((one, candidates, many, state.customs.breeding_threshold))
            })
        };
        let read = tokio::task::spawn_blocking(read).await;
        let (one, candidates, many, least) = read.map_err(|error| WorldError::Internal(error.to_string()))??;
        let mut scored = Vec::with_capacity(candidates.len());
        for (population, numbers) in many.iter().zip(candidates.chunks(CANDIDATES)) {
            let scores = rules.compatibility(&one, population).await?;
            scored.extend(numbers.iter().copied().zip(scores).filter(|(_, score)| *score >= least));
        }
        scored.sort_unstable_by(|(one, a), (two, b)| b.total_cmp(a).then(one.cmp(two)));
        Ok(self.with(|state| {
            let mate = |(number, score)| {
                let view = state.view(number)?;
                Some(Mate {
                    agent_id: view.agent_id,
                    name: view.name,
                    spirit: view.spirit,
                    generation: view.generation,
                    compatibility_score: score,
                })
            };
            scored.into_iter().filter_map(mate).take(most as usize).collect()
        }))
    }

    pub(super) async fn compatibility(&self, first: &str, second: &str) -> Result<CompatibilityView, WorldError> {
        let rules = self.book.rules();
        let (one, two, obstacles, traits, customs) = self.with(|state| {
            let numbers = [state.find_living(first)?, state.find_living(second)?];
            let individual =
                |at: usize, id: &str| state.individual(numbers[at]).ok_or_else(|| WorldError::NoAgent(id.to_owned()));
            let obstacles = state.obstacles(numbers[0], numbers[1]);
            let (traits, customs) = (state.traits.clone(), state.customs.clone());
            Ok::<_, WorldError>((individual(0, first)?, individual(1, second)?, obstacles, traits, customs))
        })?;
        let score = score(&one, &two, &*rules).await?;
        let level = customs.levels.iter().find(|level| score >= level.at_least);
        let fits = score >= customs.breeding_threshold;
        let (name, advice) = match level {
            Some(level) => (level.name.clone(), level.advice.clone()),
            None if fits => ("sufficient".to_owned(), "They may breed.".to_owned()),
            None => ("insufficient".to_owned(), "They may not breed.".to_owned()),
        };
        Ok(CompatibilityView {
            agent1_id: first.to_owned(),
            agent2_id: second.to_owned(),
            compatibility_score: score,
            compatibility_level: name,
            breeding_recommended: fits && obstacles.is_empty(),
            spirit_compatibility: one.spirit == two.spirit,
            generation_difference: one.generation.abs_diff(two.generation),
            trait_analysis: analysis(&traits, &one.traits, &two.traits),
            recommendation: advice,
            obstacles,
        })
    }

    /// Names and versions of all rules that ever decided here, the first first.
    pub(super) async fn rules_used(&self) -> Result<Vec<super::view::RulesView>, WorldError> {
        let deciding = self.book.rules().about().digest;
        let used = self.shelf.store.rules_used().await.map_err(|error| super::journal::unavailable(&error))?;
        let view = |rules: crate::store::StoredRules| super::view::RulesView {
            current: rules.digest == deciding,
            digest: record::hexadecimal(&rules.digest),
            name: rules.name,
            version: rules.version,
            first_used: record::rfc3339(rules.first_used),
        };
        Ok(used.into_iter().map(view).collect())
    }
}

pub(super) async fn score(one: &Individual, two: &Individual, rules: &dyn Rules) -> Result<f32, WorldError> {
    let many = Population {
        count: 1,
        traits: two.traits.clone(),
        spirits: vec![two.spirit.clone()],
        generations: vec![two.generation],
    };
    let scores = rules.compatibility(one, &many).await?;
    let none = || RulesError {
        rules: rules.about().label(),
        call: "compatibility",
        error: CallError::Contract("no score for one candidate".into()),
    };
    Ok(scores.first().copied().ok_or_else(none)?)
}

fn analysis(names: &TraitNames, one: &[f32], two: &[f32]) -> TraitAnalysis {
    let (personality, physical) = (names.personality.len(), names.physical.len());
    let similarity = |from: usize, count: usize| {
        let pairs = one.iter().zip(two).skip(from).take(count);
        let difference: f32 = pairs.map(|(one, two)| (one - two).abs()).sum();
        if count == 0 { 0.0 } else { 1.0 - difference / count as f32 }
    };
    TraitAnalysis {
        personality_similarity: similarity(0, personality),
        physical_similarity: similarity(personality, physical),
        ability_similarity: similarity(personality + physical, names.abilities.len()),
        personality_traits: personality as u32,
        physical_traits: physical as u32,
        ability_traits: names.abilities.len() as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_traits_are_compared_apart() {
        let names =
            TraitNames { personality: vec!["a".into(), "b".into()], physical: vec![], abilities: vec!["c".into()] };
        // 1 - (0.25 + 0.25) / 2, nothing to compare, 1 - 1.
        let found = analysis(&names, &[0.0, 0.5, 1.0], &[0.25, 0.25, 0.0]);
        assert_eq!(
            (found.personality_similarity, found.physical_similarity, found.ability_similarity),
            (0.75, 0.0, 0.0)
        );
        assert_eq!((found.personality_traits, found.physical_traits, found.ability_traits), (2, 0, 1));
    }
}
