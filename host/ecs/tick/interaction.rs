//! Who meets whom, and what comes of it. In one tick an agent meets one other at most, somebody near it.

use parking_lot::RwLock;

use super::super::component::*;
use super::super::event::System;
use super::super::state::{Meeting, State};
use super::draw::Draw;
use super::grid::Grid;
use super::{Calls, Columns, MOST_PAIRS, TickSummary, columns};
use crate::rules::{Bond, Encounters, EncountersAfter};

/// In the order in which they were drawn.
#[derive(Default)]
pub(super) struct Effect(Vec<Meeting>);

/// Rows of those who may meet; nobody is in it twice.
pub(super) fn pairs(places: &[[f32; 2]], reach: f32, most: usize, draw: &mut Draw) -> Vec<[usize; 2]> {
    let mut pairs = Vec::new();
    if places.len() < 2 || reach <= 0.0 {
        return pairs;
    }
    let grid = Grid::new(places, reach);
    let mut taken = vec![false; places.len()];
    for row in draw.order(places.len()) {
        if pairs.len() == most {
            break;
        }
        if !taken[row]
            && let Some(other) = grid.neighbour(row, |candidate| !taken[candidate], draw)
        {
            (taken[row], taken[other]) = (true, true);
            pairs.push([row, other]);
        }
    }
    pairs
}

pub(super) async fn plan(state: &RwLock<State>, world: &Columns, calls: &mut Calls<'_>, step: f32) -> Effect {
    let places: Vec<[f32; 2]> = world.positions.iter().map(|position| position.at).collect();
    let mut draw = Draw::new(calls.draws(System::Interaction));
    let pairs = pairs(&places, world.customs.meeting_distance, MOST_PAIRS, &mut draw);
    let mut meetings = Vec::new();
    for (batch, turns) in columns::batches(pairs.len()) {
        let pairs = &pairs[turns];
        let now = encounters(&state.read(), world, pairs);
        let seed = calls.seed(System::Interaction, batch);
        let call = calls.rules().meet(&now, step, seed);
        let Some(after) = calls.ask(System::Interaction, batch, call).await else { continue };
        let met = pairs.iter().enumerate();
        meetings.extend(met.filter_map(|(at, pair)| meeting(&after, at, pair.map(|row| world.numbers[row]))));
    }
    Effect(meetings)
}

/// None: they passed each other by, or the answer does not go that far.
fn meeting(after: &EncountersAfter, at: usize, [first, second]: [AgentNumber; 2]) -> Option<Meeting> {
    if !*after.met.get(at)? {
        return None;
    }
    let of = |column: &[f32]| column.get(at).copied();
    Some(Meeting {
        first,
        second,
        kind: *after.kinds.get(at)?,
        outcome: *after.outcomes.get(at)?,
        impact: of(&after.impacts)?,
        after: Bond {
            strength: of(&after.strengths)?,
            trust: of(&after.trusts)?,
            familiarity: of(&after.familiarities)?,
        },
        energy_costs: [of(&after.first_costs)?, of(&after.second_costs)?],
        importance: of(&after.importances)?,
        emotion: of(&after.emotions)?,
    })
}

fn encounters(state: &State, world: &Columns, pairs: &[[usize; 2]]) -> Encounters {
    let mut now = Encounters {
        count: pairs.len() as u32,
        first: world.traits_of_all(pairs.iter().map(|pair| pair[0])),
        second: world.traits_of_all(pairs.iter().map(|pair| pair[1])),
        ..Encounters::default()
    };
    for [first, second] in pairs.iter().copied() {
        now.first_energies.push(world.energies[first]);
        now.second_energies.push(world.energies[second]);
        now.distances.push(world.distance(first, second));
        let numbers = [world.numbers[first], world.numbers[second]];
        let bond = bond(state, numbers[0], numbers[1]).unwrap_or_default();
        now.strengths.push(bond.strength);
        now.trusts.push(bond.trust);
        now.familiarities.push(bond.familiarity);
        let [one, other] = numbers.map(|agent| state.part::<Agent>(agent));
        now.same_spirit.push(one.zip(other).is_some_and(|(one, other)| one.spirit == other.spirit));
    }
    now
}

/// What one has with the other, or, if it let go of that, the other with it.
pub(super) fn bond(state: &State, one: AgentNumber, other: AgentNumber) -> Option<Bond> {
    let known = |one, other| {
        let known = &state.part::<Interactions>(one)?.relationships;
        let at = known.binary_search_by_key(&other, |relationship| relationship.other).ok()?;
        known.get(at).map(|relationship| relationship.bond)
    };
    known(one, other).or_else(|| known(other, one))
}

impl Effect {
    pub(super) fn apply(self, state: &mut State, summary: &mut TickSummary) {
        let tick = Moment::at(state.clock.tick);
        // As many as fit: `MOST_PAIRS` is less.
        for (place, meeting) in (0..=u16::MAX).zip(&self.0) {
            for (own, other) in [(meeting.first, meeting.second), (meeting.second, meeting.first)] {
                recall(state, own, other, tick);
            }
            state.note_meeting(meeting, (state.sequence, place), None);
        }
        summary.encounters = self.0.len() as u32;
    }
}

/// Who meets somebody again thinks of what was before.
fn recall(state: &mut State, own: AgentNumber, other: AgentNumber, tick: Moment) {
    let Some(entity) = state.entity(own) else { return };
    if let Ok(memory) = state.agents.query_one_mut::<&mut Memory>(entity) {
        for remembered in memory.memories.iter_mut().filter(|remembered| remembered.about == other) {
            remembered.accesses = remembered.accesses.saturating_add(1);
            remembered.accessed_tick = tick;
        }
    }
}
