//! Ages, energy, traits, deaths: what time does to every agent. The only system of rules without a society.

use super::super::component::*;
use super::super::event::System;
use super::super::state::{State, stage};
use super::{BATCH, Calls, Columns};
use crate::rules::{Lives, LivesAfter};

/// By batch; none where the call has no effect.
pub(super) struct Effect(Vec<Option<LivesAfter>>);

pub(super) async fn plan(world: &Columns, calls: &mut Calls<'_>, years: f32) -> Effect {
    let mut after = Vec::new();
    for (batch, rows) in world.batches() {
        let now = Lives {
            count: rows.len() as u32,
            ages: world.ages[rows.clone()].to_vec(),
            energies: world.energies[rows.clone()].to_vec(),
            traits: world.traits[rows.start * world.width..rows.end * world.width].to_vec(),
        };
        let seed = calls.seed(System::Lives, batch);
        after.push(calls.ask(System::Lives, batch, calls.rules().tick(&now, years, seed)).await);
    }
    Effect(after)
}

impl Effect {
    /// Those whose life has ended; they are still there.
    pub(super) fn apply(self, state: &mut State, years: f32) -> Vec<AgentNumber> {
        let mut ended = Vec::new();
        let mut crowds = state.crowds.get_mut();
        let (width, customs) = (state.traits.width(), &state.customs);
        let query =
            state.agents.query_mut::<(&Agent, &mut Lifecycle, &mut Reproduction, &mut Interactions, &mut Traits)>();
        for (row, (agent, lifecycle, reproduction, interactions, traits)) in query.into_iter().enumerate() {
            reproduction.cooldown = (reproduction.cooldown - years).max(0.0);
            let Some(after) = self.0.get(row / BATCH).and_then(Option::as_ref) else { continue };
            let at = row % BATCH;
            if let (Some(age), Some(energy)) = (after.ages.get(at), after.energies.get(at)) {
                lifecycle.age = *age;
                lifecycle.stage = stage(*age, customs);
                interactions.energy = *energy;
            }
            if let Some(values) = after.traits.get(at * width..(at + 1) * width)
                && traits.values.len() == width
            {
                traits.values.copy_from_slice(values);
                if let Some(crowds) = &mut crowds {
                    crowds.change(agent.number, values);
                }
            }
            if after.alive.get(at) == Some(&false) {
                ended.push(agent.number);
            }
        }
        ended
    }
}
