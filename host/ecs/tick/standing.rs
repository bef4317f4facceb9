//! How agents stand with others: influence and standing, as the rules see them.

use super::super::component::Social;
use super::super::event::System;
use super::super::state::State;
use super::{BATCH, Calls, Columns};
use crate::rules::Standings;

/// By batch; none where the call has no effect. Empty when nobody was asked.
#[derive(Default)]
pub(super) struct Effect(Vec<Option<Standings>>);

pub(super) async fn plan(world: &Columns, calls: &mut Calls<'_>) -> Effect {
    let mut after = Vec::new();
    for (batch, rows) in world.batches() {
        let people = world.people(rows);
        after.push(calls.ask(System::Standing, batch, calls.rules().stand(&people)).await);
    }
    Effect(after)
}

impl Effect {
    pub(super) fn apply(self, state: &mut State) {
        if self.0.is_empty() {
            return;
        }
        for (row, social) in state.agents.query_mut::<&mut Social>().into_iter().enumerate() {
            let Some(after) = self.0.get(row / BATCH).and_then(Option::as_ref) else { continue };
            let at = row % BATCH;
            if let (Some(influence), Some(standing)) = (after.influences.get(at), after.standings.get(at)) {
                social.influence = *influence;
                social.standing = *standing;
            }
        }
    }
}
