//! Names for new agents: each is one agent's, until the world has forgotten it. A name that somebody is about to
//! give is held until it is given or given up. Knows no rules and no store.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::chance;
use super::state::State;

/// The range of numbers doubles with each: far more than ever needed.
const MOST_ATTEMPTS: u32 = 64;

#[derive(Default)]
pub(super) struct Names {
    promised: Arc<Mutex<HashSet<Box<str>>>>,
}

/// Nobody else gets this name until it is dropped.
pub(super) struct Promised {
    pub name: Box<str>,
    promised: Arc<Mutex<HashSet<Box<str>>>>,
}

impl Drop for Promised {
    fn drop(&mut self) {
        self.promised.lock().remove(&self.name);
    }
}

impl Names {
    /// None: somebody has it, had it and is remembered, or is about to.
    pub(super) fn promise(&self, state: &RwLock<State>, name: &str) -> Option<Promised> {
        // In this order: who gives a name up has made it the state's before.
        let mut promised = self.promised.lock();
        if promised.contains(name) || state.read().is_named(name) {
            return None;
        }
        promised.insert(name.into());
        Some(Promised { name: name.into(), promised: self.promised.clone() })
    }

    /// The first of `wanted` that is free; when none is, one of them with a number that `seed` chooses. None
    /// only where nothing is wanted.
    pub(super) fn first_free(&self, state: &RwLock<State>, wanted: &[String], seed: u64) -> Option<Promised> {
        if let Some(free) = wanted.iter().find_map(|name| self.promise(state, name)) {
            return Some(free);
        }
        // From a range that grows, so that a name that is often taken is not tried from its first number on.
        (0..MOST_ATTEMPTS).find_map(|attempt| {
            let chance = chance::seed(seed, "name-number", &[u64::from(attempt)]);
            let name = wanted.get((chance % wanted.len().max(1) as u64) as usize)?;
            let number = 2 + (chance >> 16) % (8 << attempt.min(32));
            self.promise(state, &format!("{name}-{number}"))
        })
    }

    /// Those who live and those about to be born.
    pub(super) fn population(&self, state: &RwLock<State>) -> usize {
        let promised = self.promised.lock();
        let state = state.read();
        state.agents.len() as usize + promised.iter().filter(|name| !state.is_named(name)).count()
    }

    /// New agents that are on their way, or have just been born.
    pub(super) fn promised(&self) -> usize {
        self.promised.lock().len()
    }
}

/// What an agent is called whose rules know no names: its spirit and the last part of its id.
pub(super) fn plain(spirit: &str, id: &str) -> String {
    format!("{spirit}-{}", id.rsplit('-').next().filter(|part| !part.is_empty()).unwrap_or(id))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_name_ends_as_the_id_does() {
        assert_eq!(plain("fox", "den-7-ruby"), "fox-ruby");
        assert_eq!(plain("fox", "ruby"), "fox-ruby");
        assert_eq!(plain("fox", "ruby-"), "fox-ruby-");
    }

    #[test]
    fn names_are_given_once_and_numbered_when_all_are_taken() {
        let (names, state) = (Names::default(), RwLock::new(State::new()));
        let wanted = ["a".to_owned(), "b".to_owned()];
        let given: Vec<Promised> = (0..40).map(|_| names.first_free(&state, &wanted, 7).unwrap()).collect();
        let given: Vec<&str> = given.iter().map(|promised| &*promised.name).collect();
        assert_eq!(given[..2], ["a", "b"]);
        let different: HashSet<&&str> = given.iter().collect();
        assert_eq!(different.len(), 40);
        let numbered = |name: &&str| name.split_once('-').is_some_and(|(_, number)| number.parse::<u64>().is_ok());
        assert!(given[2..].iter().all(numbered), "{given:?}");
        assert!(names.first_free(&state, &[], 7).is_none());
    }

    #[test]
    fn one_that_is_born_counts_once() {
        let state = RwLock::new(crate::ecs::apply::tests::world(2));
        let names = Names::default();
        let promised = names.promise(&state, "Name 3").unwrap();
        assert_eq!(names.population(&state), 3);
        let births = vec![crate::ecs::apply::tests::birth(3, &[0.5; 3])];
        crate::ecs::apply::tests::happen(&mut state.write(), crate::ecs::event::Event::Created { births }).unwrap();
        assert_eq!((names.promised(), names.population(&state)), (1, 3));
        drop(promised);
        assert_eq!((names.promised(), names.population(&state)), (0, 3));
    }

    #[test]
    fn a_name_given_up_is_free_again() {
        let (names, state) = (Names::default(), RwLock::new(State::new()));
        let first = names.promise(&state, "a").unwrap();
        assert!(names.promise(&state, "a").is_none());
        drop(first);
        assert!(names.promise(&state, "a").is_some());
        assert_eq!(names.promised(), 0);
    }
}
