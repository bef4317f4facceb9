//! Where agents go. Who has a target goes straight there and stays; the others go as the rules say, within
//! the map.

use super::super::component::*;
use super::super::event::System;
use super::super::state::State;
use super::columns::{self, apart};
use super::{Calls, Columns};
use crate::rules::Bodies;

/// Place and velocity by row.
pub(super) struct Effect(Vec<([f32; 2], [f32; 2])>);

pub(super) async fn plan(world: &Columns, calls: &mut Calls<'_>, step: f32, society: bool) -> Effect {
    let mut after: Vec<_> = world.positions.iter().map(|position| (position.at, position.velocity)).collect();
    let mut wanderers = Vec::new();
    for (row, position) in world.positions.iter().enumerate() {
        match position.target {
            Some(target) => after[row] = steer(position.at, target, world.customs.movement_speed, step),
            None => wanderers.push(row),
        }
    }
    if !society {
        return Effect(after);
    }
    for (batch, turns) in columns::batches(wanderers.len()) {
        let rows = &wanderers[turns];
        let column = |value: &dyn Fn(usize) -> f32| rows.iter().map(|row| value(*row)).collect::<Vec<f32>>();
        let now = Bodies {
            count: rows.len() as u32,
            traits: world.traits_of_all(rows.iter().copied()),
            energies: column(&|row| world.energies[row]),
            xs: column(&|row| world.positions[row].at[0]),
            ys: column(&|row| world.positions[row].at[1]),
            velocity_xs: column(&|row| world.positions[row].velocity[0]),
            velocity_ys: column(&|row| world.positions[row].velocity[1]),
        };
        let seed = calls.seed(System::Movement, batch);
        let call = calls.rules().wander(&now, step, seed);
        let Some((xs, ys)) = calls.ask(System::Movement, batch, call).await else { continue };
        for (row, velocity) in rows.iter().zip(xs.into_iter().zip(ys).map(|(x, y)| [x, y])) {
            let at = world.positions[*row].at;
            let place = [0, 1].map(|axis| (at[axis] + velocity[axis] * step).clamp(-MAP_EDGE, MAP_EDGE));
            after[*row] = (place, velocity);
        }
    }
    Effect(after)
}

/// Place and velocity after a step straight towards a target.
fn steer(at: [f32; 2], target: [f32; 2], speed: f32, step: f32) -> ([f32; 2], [f32; 2]) {
    let way = [target[0] - at[0], target[1] - at[1]];
    let distance = apart(at, target);
    if distance <= speed * step {
        return (target, [0.0; 2]);
    }
    let velocity = way.map(|way| way / distance * speed);
    ([0, 1].map(|axis| (at[axis] + velocity[axis] * step).clamp(-MAP_EDGE, MAP_EDGE)), velocity)
}

impl Effect {
    pub(super) fn apply(self, state: &mut State) {
        let positions = state.agents.query_mut::<&mut Position>();
        for (position, (at, velocity)) in positions.into_iter().zip(self.0) {
            position.at = at;
            position.velocity = velocity;
        }
    }
}
