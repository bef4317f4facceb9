//! What is remembered. An agent's memories come up once in a rota of ticks, all at once.

use parking_lot::RwLock;

use super::super::apply::{KEPT_MEMORIES, evict};
use super::super::component::*;
use super::super::event::System;
use super::super::state::State;
use super::{BATCH, Calls, Columns, MEMORY_ROTA, TickSummary};
use crate::rules::{Memories, MemoriesAfter};

/// By batch of those whose turn it is; none where the call has no effect.
#[derive(Default)]
pub(super) struct Effect {
    after: Vec<Option<MemoriesAfter>>,
    turn: u64,
    capacity: usize,
}

/// Whether an agent's memories come up in this tick, and it has any.
fn is_due(agent: &Agent, memory: &Memory, turn: u64) -> bool {
    u64::from(agent.number.0) % MEMORY_ROTA == turn && !memory.memories.is_empty()
}

pub(super) async fn plan(state: &RwLock<State>, world: &Columns, calls: &mut Calls<'_>, step: f32) -> Effect {
    let turn = world.tick % MEMORY_ROTA;
    let capacity = (world.customs.memory_capacity as usize).min(KEPT_MEMORIES);
    let batches: Vec<Memories> = gather(&state.read(), world.tick, turn, step);
    let mut after = Vec::new();
    for (batch, now) in batches.iter().enumerate() {
        let call = calls.rules().remember(now, step * MEMORY_ROTA as f32);
        after.push(calls.ask(System::Memory, batch as u32, call).await);
    }
    Effect { after, turn, capacity }
}

fn gather(state: &State, tick: u64, turn: u64, step: f32) -> Vec<Memories> {
    let mut batches: Vec<Memories> = Vec::new();
    let mut query = state.agents.query::<(&Agent, &Memory)>();
    for (turns, (_, memory)) in query.iter().filter(|(agent, memory)| is_due(agent, memory, turn)).enumerate() {
        if turns % BATCH == 0 {
            batches.push(Memories::default());
        }
        let Some(now) = batches.last_mut() else { continue };
        now.count += memory.memories.len() as u32;
        for remembered in &memory.memories {
            now.importances.push(remembered.importance);
            now.emotions.push(remembered.emotion);
            now.decay_rates.push(remembered.decay_rate);
            now.accesses.push(remembered.accesses);
            now.idle.push(tick.saturating_sub(remembered.accessed_tick.tick()) as f32 * step);
        }
    }
    batches
}

impl Effect {
    pub(super) fn apply(self, state: &mut State, summary: &mut TickSummary) {
        // Where the next agent's memories begin in its batch.
        let mut from = 0;
        let query = state.agents.query_mut::<(&Agent, &mut Memory)>();
        let due = query.into_iter().filter(|(agent, memory)| is_due(agent, memory, self.turn));
        for (turns, (_, memory)) in due.enumerate() {
            if turns % BATCH == 0 {
                from = 0;
            }
            let mut at = from;
            from += memory.memories.len();
            let Some(after) = self.after.get(turns / BATCH).and_then(Option::as_ref) else { continue };
            memory.memories.retain_mut(|remembered| {
                let (importance, consolidated) = (after.importances.get(at), after.consolidated.get(at));
                let forgotten = after.forgotten.get(at) == Some(&true);
                at += 1;
                if let (Some(importance), Some(consolidated)) = (importance, consolidated) {
                    remembered.importance = *importance;
                    remembered.consolidated |= *consolidated;
                }
                summary.forgotten += u32::from(forgotten);
                !forgotten
            });
            evict(memory, self.capacity);
        }
    }
}
