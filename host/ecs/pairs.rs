//! Who fits whom: the rules score, the world says who may.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::component::AgentNumber;
use super::crowd::Part;
use super::read::first;
use super::running::Running;
use super::view::{CompatibilityView, Mate, TraitAnalysis, WorldError};
use crate::rules::{Individual, Population, Rules, RulesError, TraitNames};
use crate::runtime::CallError;

/// Calls at once for one question: the other questions want instances of the rules, too.
const AT_ONCE: usize = 4;

type Score = (AgentNumber, f32);

/// What one question sees, whatever happens to the world meanwhile.
struct Sight {
    rules: Arc<dyn Rules>,
    one: Individual,
    parts: Vec<Arc<Part>>,
    least: f32,
}

impl Running {
    /// Best first; only those that the agent may breed with, now. All of the living are scored and only the best
    /// of them looked at: whether two may breed is costlier to find than how they fit.
    pub(super) async fn mates(self: &Arc<Self>, id: &str, most: u32) -> Result<Vec<Mate>, WorldError> {
        let (running, wanted) = (self.clone(), id.to_owned());
        let sight = apart(move || running.sight(&wanted)).await??;
        let scored = score_all(sight).await?;
        let (running, wanted) = (self.clone(), id.to_owned());
        apart(move || {
            running.with(|state| {
                let number = state.find_living(&wanted)?;
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
                Ok(best(scored, most as usize, state.may_mate(number)).into_iter().filter_map(mate).collect())
            })
        })
        .await?
    }

    fn sight(&self, id: &str) -> Result<Sight, WorldError> {
        self.with(|state| {
            let one = state.individual(state.find_living(id)?).ok_or_else(|| WorldError::NoAgent(id.to_owned()))?;
            // In the same look, for other rules may know other traits.
            let (rules, least) = (self.book.rules(), state.customs.breeding_threshold);
            Ok(Sight { rules, one, parts: state.crowds(), least })
        })
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

/// What takes milliseconds that are not the executor's.
async fn apart<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> Result<T, WorldError> {
    tokio::task::spawn_blocking(look).await.map_err(|error| WorldError::Internal(error.to_string()))
}

/// Those that fit, in no order. Dropped, it asks no further.
async fn score_all(sight: Sight) -> Result<Vec<Score>, WorldError> {
    let workers = tokio::runtime::Handle::current().metrics().num_workers().clamp(1, AT_ONCE);
    let sight = Arc::new(sight);
    let mut tasks = JoinSet::new();
    for worker in 0..workers.min(sight.parts.len()) {
        let sight = sight.clone();
        tasks.spawn(async move {
            let mut fitting = Vec::new();
            for part in sight.parts.iter().skip(worker).step_by(workers) {
                let scores = sight.rules.score(&sight.one, &part.crowd).await?;
                let scored = part.numbers.iter().copied().zip(scores);
                fitting.extend(scored.filter(|(_, score)| *score >= sight.least));
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

/// The best `most` of those that may. As a rule nearly all may, so a few more than are wanted are looked at, and
/// everybody only where those are not enough.
fn best(mut scored: Vec<Score>, most: usize, may: impl Fn(AgentNumber) -> bool) -> Vec<Score> {
    let order = |one: &Score, two: &Score| two.1.total_cmp(&one.1).then(one.0.cmp(&two.0));
    let enough = most.saturating_mul(4).max(64);
    if enough < scored.len() {
        scored.select_nth_unstable_by(enough, order);
        let few = scored[..enough].iter().copied().filter(|(number, _)| may(*number)).collect::<Vec<_>>();
        if few.len() >= most {
            return first(few, most, order);
        }
    }
    scored.retain(|(number, _)| may(*number));
    first(scored, most, order)
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
    fn the_best_that_may_are_found_however_few_they_are() {
        // As good as their number, of a thousand; then equals.
        let scored = || (1..=1000).map(|number| (AgentNumber(number), number as f32 / 1000.0)).collect::<Vec<_>>();
        let numbers = |found: Vec<Score>| found.into_iter().map(|(number, _)| number.0).collect::<Vec<_>>();
        assert_eq!(numbers(best(scored(), 3, |_| true)), [1000, 999, 998]);
        assert_eq!(numbers(best(scored(), 3, |number| number.0 % 10 == 0)), [1000, 990, 980]);
        // None of the best 64 may.
        assert_eq!(numbers(best(scored(), 3, |number| number.0 < 100)), [99, 98, 97]);
        assert_eq!(numbers(best(scored(), 3, |number| number.0 == 7)), [7]);
        assert_eq!(numbers(best(scored(), 3, |_| false)), [0; 0]);
        let equal = (1..=1000).rev().map(|number| (AgentNumber(number), 0.5)).collect();
        assert_eq!(numbers(best(equal, 3, |_| true)), [1, 2, 3]);
        assert_eq!(best(vec![], 3, |_| true), []);
        assert_eq!(best(scored(), 0, |_| true), []);
    }

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
