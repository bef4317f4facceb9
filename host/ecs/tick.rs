//! One tick: asks the rules what happens, system by system, and does it. All systems see the world as it
//! was before the tick; what they want is collected first and done afterwards, in one fixed order. Owns no
//! formula but those of geometry, and no clock: somebody else says when, and how long a step is.

use parking_lot::RwLock;

use super::component::AgentNumber;
use super::event::Skipped;
use super::state::State;
use crate::rules::{Rules, RulesError};

/// Rules being asked, call by call.
mod calls;
/// The world as it was before the tick.
mod columns;
/// Chance within one system.
mod draw;
/// Who is near whom.
mod grid;
/// Groups.
mod groups;
/// Who meets whom, and what comes of it.
mod interaction;
/// What agents teach each other and lose again.
mod learning;
/// Ages, energy, traits, deaths.
mod lives;
/// What is remembered.
mod memory;
/// Where agents go.
mod movement;
/// How agents stand with others.
mod standing;

use calls::Calls;
use columns::Columns;

/// Agents of one call.
pub(super) const BATCH: usize = 8_192;
/// Meetings of one tick, and lessons, that the rules are asked about; chance says which.
pub(super) const MOST_PAIRS: usize = 20_000;
/// Systems of the world, for its status.
pub(super) const SYSTEMS: u64 = 9;

/// How often a system runs, in ticks.
const GROUPS_EVERY: u64 = 2;
const LEARNING_EVERY: u64 = 3;
const STANDING_EVERY: u64 = 4;
/// Every agent's memory comes up once in so many ticks.
const MEMORY_ROTA: u64 = 8;

/// What a tick will do: nothing has happened yet.
pub(super) struct TickPlan {
    step: f32,
    /// Years.
    cooled: f32,
    lives: lives::Effect,
    movement: movement::Effect,
    interaction: interaction::Effect,
    groups: Option<groups::Effect>,
    standing: standing::Effect,
    learning: learning::Effect,
    unlearning: learning::Lost,
    memory: memory::Effect,
    skipped: Vec<Skipped>,
    failures: Vec<(Skipped, RulesError)>,
}

/// What happened in a tick, for those who watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TickSummary {
    /// In the order of the world.
    pub deaths: Vec<AgentNumber>,
    pub encounters: u32,
    pub founded: u32,
    pub dissolved: u32,
    pub lessons: u32,
    pub forgotten: u32,
}

/// Asks the rules about the next tick, `step` world seconds long. Calls in `skip` failed when this tick was
/// lived through and are not made. The state must not change until the plan is applied; its lock is
/// never held while rules are asked.
pub(super) async fn plan(state: &RwLock<State>, rules: &dyn Rules, step: f32, skip: &[Skipped]) -> TickPlan {
    let world = Columns::gather(&state.read());
    let mut calls = Calls::new(rules, world.seed, world.tick, skip);
    let society = rules.about().society.is_some();
    // The first tick is number 1 here, so that a new world does not begin with everything at once.
    let number = world.tick + 1;
    let due = |every: u64| society && number.is_multiple_of(every);
    let years = step / world.seconds_per_year;
    let lives = lives::plan(&world, &mut calls, years).await;
    let movement = movement::plan(&world, &mut calls, step, society).await;
    let mut plan = TickPlan {
        step,
        cooled: years,
        lives,
        movement,
        interaction: Default::default(),
        groups: None,
        standing: Default::default(),
        learning: Default::default(),
        unlearning: Default::default(),
        memory: Default::default(),
        skipped: vec![],
        failures: vec![],
    };
    if society {
        plan.interaction = interaction::plan(state, &world, &mut calls, step).await;
    }
    if due(GROUPS_EVERY) {
        plan.groups = Some(groups::plan(state, &world, &mut calls).await);
    }
    if due(STANDING_EVERY) {
        plan.standing = standing::plan(&world, &mut calls).await;
    }
    if due(LEARNING_EVERY) {
        let since = step * LEARNING_EVERY as f32;
        plan.learning = learning::plan(state, &world, &mut calls, since).await;
        plan.unlearning = learning::lost(state, &world, &mut calls, since).await;
    }
    if society {
        plan.memory = memory::plan(state, &world, &mut calls, step).await;
    }
    (plan.skipped, plan.failures) = calls.end();
    plan
}

impl TickPlan {
    /// Calls that have no effect: what the event of this tick must say.
    pub(super) fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Those of them that were made, and how they failed.
    pub(super) fn failures(&self) -> &[(Skipped, RulesError)] {
        &self.failures
    }

    /// Does it, to the state that was planned with, after `State::begin_tick`; advances the clock.
    pub(super) fn apply(self, state: &mut State) -> TickSummary {
        let mut summary = TickSummary::default();
        // Memories and what was learned are told by their place: before anything adds to them.
        self.memory.apply(state, &mut summary);
        self.unlearning.apply(state);
        self.learning.apply(state, &mut summary);
        // Energy is what life gave before it is what meetings took.
        let deaths = self.lives.apply(state, self.cooled);
        self.movement.apply(state);
        self.interaction.apply(state, &mut summary);
        if let Some(groups) = self.groups {
            groups.apply(state, &mut summary);
        }
        self.standing.apply(state);
        // Last, for a departure changes the order that all of the above go by.
        for agent in &deaths {
            state.depart(*agent, true);
        }
        summary.deaths = deaths;
        state.advance(self.step);
        summary
    }
}

#[cfg(test)]
mod tests;
