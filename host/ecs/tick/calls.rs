//! Rules being asked, call by call: what a call's seed is, which are left out, what becomes of one that
//! fails. Knows nothing of what is asked.

use std::future::Future;

use super::super::chance;
use super::super::event::{Skipped, System};
use crate::rules::{Rules, RulesError};
use crate::runtime::CallError;

/// The calls of one tick.
pub(super) struct Calls<'a> {
    rules: &'a dyn Rules,
    seed: u64,
    tick: u64,
    skip: &'a [Skipped],
    skipped: Vec<Skipped>,
    failures: Vec<(Skipped, RulesError)>,
    /// It used up its time in this tick and is asked nothing more: every further batch would, too.
    slow: Option<System>,
}

/// The word in a seed. Interaction, for one, is `tick-interaction`.
fn label(system: System) -> &'static str {
    match system {
        System::Lives => "tick-lives",
        System::Movement => "tick-movement",
        System::Interaction => "tick-interaction",
        System::Groups => "tick-groups",
        System::Standing => "tick-standing",
        System::Learning => "tick-learning",
        System::Unlearning => "tick-unlearning",
        System::Memory => "tick-memory",
        System::Influence => "tick-influence",
    }
}

impl<'a> Calls<'a> {
    pub(super) fn new(rules: &'a dyn Rules, seed: u64, tick: u64, skip: &'a [Skipped]) -> Self {
        Self { rules, seed, tick, skip, skipped: vec![], failures: vec![], slow: None }
    }

    pub(super) fn rules(&self) -> &'a dyn Rules {
        self.rules
    }

    /// Of the rules' own chance in one call.
    pub(super) fn seed(&self, system: System, batch: u32) -> u64 {
        chance::seed(self.seed, label(system), &[self.tick, u64::from(batch)])
    }

    /// Of what the world itself draws for a system. No batch has this number.
    pub(super) fn draws(&self, system: System) -> u64 {
        chance::seed(self.seed, label(system), &[self.tick, u64::MAX])
    }

    /// None: the call has no effect, because it failed now or when the tick was lived through.
    pub(super) async fn ask<T>(
        &mut self,
        system: System,
        batch: u32,
        call: impl Future<Output = Result<T, RulesError>>,
    ) -> Option<T> {
        let this = Skipped { system, batch };
        if self.skip.contains(&this) || self.slow == Some(system) {
            self.skipped.push(this);
            return None;
        }
        match call.await {
            Ok(answer) => Some(answer),
            Err(failure) => {
                if matches!(failure.error, CallError::Timeout(_)) {
                    self.slow = Some(system);
                }
                self.skipped.push(this.clone());
                self.failures.push((this, failure));
                None
            }
        }
    }

    pub(super) fn end(self) -> (Vec<Skipped>, Vec<(Skipped, RulesError)>) {
        (self.skipped, self.failures)
    }
}
