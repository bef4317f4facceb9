//! What clients make happen. A command takes its agents' locks, looks, asks the rules what comes of it, and
//! hands the event to the journal. Knows no HTTP; every formula is the rules'.

/// Children of two agents.
mod breed;
/// New agents.
mod create;
/// The clock, time by hand, and which rules decide.
mod order;
/// What agents do: go, meet, talk, leave.
mod social;

use super::chance;
use super::component::AgentNumber;
use super::running::Running;
use super::state::State;
use super::view::{AgentView, WorldError};
use crate::rules::{Rules, RulesError};
use crate::runtime::CallError;

/// An agent that is there and lives.
fn living(state: &State, id: &str) -> Result<AgentNumber, WorldError> {
    let number = state.number(id).ok_or_else(|| WorldError::NoAgent(id.to_owned()))?;
    match state.is_living(number) {
        true => Ok(number),
        false => Err(WorldError::Conflict(format!("the agent `{id}` has left the world"))),
    }
}

fn invalid(field: impl Into<String>, message: impl Into<String>) -> WorldError {
    WorldError::Invalid { field: field.into(), message: message.into() }
}

/// Why an id cannot be a new agent's.
fn check_id(state: &State, id: &str, field: impl Fn() -> String) -> Result<(), WorldError> {
    let fits = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'_' || letter == b'-';
    if !(3..=50).contains(&id.len()) || !id.bytes().all(fits) {
        return Err(invalid(field(), "must be 3 to 50 of letters, digits, `_` and `-`"));
    }
    match state.number(id) {
        Some(_) => Err(WorldError::Conflict(format!("{}: the id `{id}` is taken", field()))),
        None => Ok(()),
    }
}

/// Rules that gave another number of answers than they were asked for.
fn wrong_length(rules: &dyn Rules, call: &'static str, expected: usize, found: usize) -> WorldError {
    let error = CallError::Contract(format!("{found} answers where {expected} are wanted"));
    WorldError::Rules(RulesError { rules: rules.about().label(), call, error })
}

/// A number that stands for words, for seeds.
fn number_of<'a>(words: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for word in words {
        hasher.update(&(word.len() as u64).to_le_bytes()).update(word.as_bytes());
    }
    let [a, b, c, d, e, f, g, h, ..] = *hasher.finalize().as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// From `least` to `most`, evenly.
fn between(seed: u64, least: f32, most: f32) -> f32 {
    // The upper 24 bits fill the fraction of a float exactly.
    let unit = (seed >> 40) as f32 / (1u32 << 24) as f32;
    least + unit * (most - least)
}

impl Running {
    /// Counts those who live and those about to be born, whose names are promised already.
    fn check_room(&self) -> Result<(), WorldError> {
        let most = self.options.max_agents;
        let about = self.with(|state| state.agents.len()) as usize + self.names.promised();
        // The sum counts those twice who have just been born; only where it says no does it matter.
        match about > most as usize && self.names.population(&self.book.state) > most as usize {
            true => Err(WorldError::Conflict(format!("the world is full: it holds {most} agents (ecs.max_agents)"))),
            false => Ok(()),
        }
    }

    /// A seed of this world.
    fn seed(&self, label: &str, numbers: &[u64]) -> u64 {
        chance::seed(self.with(|state| state.seed), label, numbers)
    }
}

fn view_of(birth: &super::event::Birth) -> AgentView {
    AgentView {
        agent_id: birth.id.clone(),
        name: birth.name.clone(),
        spirit: birth.spirit.clone(),
        style: birth.style.clone(),
        active: true,
        generation: birth.generation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_covers_its_range_and_not_more() {
        assert_eq!(between(0, -5.0, 5.0), -5.0);
        assert_eq!(between(1 << 63, -5.0, 5.0), 0.0);
        let most = between(u64::MAX, -5.0, 5.0);
        assert!(most < 5.0 && most > 4.99, "{most}");
    }

    #[test]
    fn words_keep_their_bounds_in_a_number() {
        assert_ne!(number_of(["ab", "c"]), number_of(["a", "bc"]));
        assert_eq!(number_of(["ab"]), number_of(["ab"]));
    }
}
