//! Who fits whom: the rules score, the world says who may.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::component::AgentNumber;
use super::read::first;
use super::running::Running;
use super::view::{CompatibilityView, Mate, TraitAnalysis, WorldError};
use crate::rules::{Individual, Population, Rules, RulesError, TraitNames};
use crate::runtime::CallError;

/// Candidates of one call: with 44 traits 700 KB, which stay in a processor's cache all the way into the guest.
const CANDIDATES: usize = 4096;
/// Calls at once for one question: the other questions want instances of the rules, too.
const AT_ONCE: usize = 4;

type Score = (AgentNumber, f32);

impl Running {
    /// Best first; only those that the agent may breed with, now.
    pub(super) async fn mates(self: &Arc<Self>, id: &str, most: u32) -> Result<Vec<Mate>, WorldError> {
        let (running, wanted) = (self.clone(), id.to_owned());
        // Looks at everybody: milliseconds that are not the executor's.
        let read = move || {
            running.with(|state| {
                let number = state.find_living(&wanted)?;
                Ok::<_, WorldError>((number, state.candidates(number)))
            })
        };
        let read = tokio::task::spawn_blocking(read).await;
        let (number, candidates) = read.map_err(|error| WorldError::Internal(error.to_string()))??;
        let scored = self.score_all(number, candidates).await?;
        let scored = first(scored, most as usize, |one, two| two.1.total_cmp(&one.1).then(one.0.cmp(&two.0)));
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
            scored.into_iter().filter_map(mate).collect()
        }))
    }

    /// Those that fit, in no order. Dropped, it asks no further.
    async fn score_all(self: &Arc<Self>, one: AgentNumber, others: Vec<AgentNumber>) -> Result<Vec<Score>, WorldError> {
        let parts = others.len().div_ceil(CANDIDATES);
        let workers = tokio::runtime::Handle::current().metrics().num_workers().clamp(1, AT_ONCE);
        let others: Arc<[AgentNumber]> = others.into();
        let mut tasks = JoinSet::new();
        for worker in 0..workers.min(parts) {
            let (running, others) = (self.clone(), others.clone());
            tasks.spawn(async move {
                let mut fitting = Vec::new();
                for part in others.chunks(CANDIDATES).skip(worker).step_by(workers) {
                    running.score_some(one, part, &mut fitting).await?;
                }
                Ok::<_, WorldError>(fitting)
            });
        }
        let mut all = Vec::new();
        while let Some(done) = tasks.join_next().await {
            all.extend(done.map_err(|error| WorldError::Internal(error.to_string()))??);
        }
        Ok(all)
    }

    async fn score_some(
        &self,
        one: AgentNumber,
        others: &[AgentNumber],
        fitting: &mut Vec<Score>,
    ) -> Result<(), WorldError> {
        // All of it in one look, for the next part's world may have other agents, traits and rules.
        let (rules, individual, living, population, least) = self.with(|state| {
            let gone = || WorldError::NoAgent(state.id(one).unwrap_or_else(|| one.0.to_string()));
            let individual = state.individual(one).ok_or_else(gone)?;
            let living: Vec<AgentNumber> = others.iter().copied().filter(|other| state.is_living(*other)).collect();
            let population = state.population(&living);
            Ok::<_, WorldError>((self.book.rules(), individual, living, population, state.customs.breeding_threshold))
        })?;
        if living.is_empty() {
            return Ok(());
        }
        let scores = rules.compatibility(&individual, &population).await?;
        fitting.extend(living.into_iter().zip(scores).filter(|(_, score)| *score >= least));
        Ok(())
    }

    pub(super) async fn compatibility(&self, first: &str, second: &str) -> Result<CompatibilityView, WorldError> {
        let (rules, one, two, obstacles, traits, customs) = self.with(|state| {
            let numbers = [state.find_living(first)?, state.find_living(second)?];
            let individual =
                |at: usize, id: &str| state.individual(numbers[at]).ok_or_else(|| WorldError::NoAgent(id.to_owned()));
            let obstacles = state.obstacles(numbers[0], numbers[1]);
            let (traits, customs) = (state.traits.clone(), state.customs.clone());
            let (one, two) = (individual(0, first)?, individual(1, second)?);
            // In the same look, for other rules may know other traits.
            Ok::<_, WorldError>((self.book.rules(), one, two, obstacles, traits, customs))
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
