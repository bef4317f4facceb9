//! The world as it was before the tick, as columns: what more than one system needs, read once. A row is
//! an agent, in the order of the world.

use std::ops::Range;

use super::super::component::*;
use super::super::numbers::ByNumber;
use super::super::state::State;
use super::BATCH;
use crate::rules::{Customs, People};

/// Of all living agents.
pub(super) struct Columns {
    pub seed: u64,
    pub tick: u64,
    pub seconds_per_year: f32,
    pub customs: Customs,
    /// Traits of a row.
    pub width: usize,
    /// Where the abilities are among them.
    pub abilities: Range<usize>,
    pub numbers: Vec<AgentNumber>,
    pub traits: Vec<f32>,
    pub ages: Vec<f32>,
    pub energies: Vec<f32>,
    pub positions: Vec<Position>,
    pub networks: Vec<u32>,
    pub leaderships: Vec<u32>,
    pub influences: Vec<f32>,
    rows: ByNumber<u32>,
}

impl Columns {
    pub(super) fn gather(state: &State) -> Self {
        let count = state.agents.len() as usize;
        let width = state.traits.width();
        let mut columns = Self {
            seed: state.seed,
            tick: state.clock.tick,
            seconds_per_year: state.seconds_per_year,
            customs: state.customs.clone(),
            width,
            abilities: width - state.traits.abilities.len()..width,
            numbers: Vec::with_capacity(count),
            traits: Vec::with_capacity(count * width),
            ages: Vec::with_capacity(count),
            energies: Vec::with_capacity(count),
            positions: Vec::with_capacity(count),
            networks: Vec::with_capacity(count),
            leaderships: Vec::with_capacity(count),
            influences: Vec::with_capacity(count),
            rows: ByNumber::default(),
        };
        let mut query = state.agents.query::<(&Agent, &Traits, &Lifecycle, &Position, &Interactions, &Social)>();
        for (agent, traits, lifecycle, position, interactions, social) in query.iter() {
            columns.rows.insert(agent.number, columns.numbers.len() as u32);
            columns.numbers.push(agent.number);
            columns.traits.extend_from_slice(&traits.values);
            columns.ages.push(lifecycle.age);
            columns.energies.push(interactions.energy);
            columns.positions.push(*position);
            columns.networks.push(interactions.relationships.len() as u32);
            columns.leaderships.push(social.leads);
            columns.influences.push(social.influence);
        }
        columns
    }

    pub(super) fn count(&self) -> usize {
        self.numbers.len()
    }

    /// None: it departed.
    pub(super) fn row(&self, agent: AgentNumber) -> Option<usize> {
        self.rows.get(agent).map(|row| row as usize)
    }

    /// One agent's traits.
    pub(super) fn traits_of(&self, row: usize) -> &[f32] {
        self.traits.get(row * self.width..(row + 1) * self.width).unwrap_or_default()
    }

    /// Traits of many agents, row by row as rules read them.
    pub(super) fn traits_of_all(&self, rows: impl Iterator<Item = usize>) -> Vec<f32> {
        let mut traits = Vec::with_capacity(rows.size_hint().1.unwrap_or_default() * self.width);
        for row in rows {
            traits.extend_from_slice(self.traits_of(row));
        }
        traits
    }

    /// Batches of rows, numbered.
    pub(super) fn batches(&self) -> impl Iterator<Item = (u32, Range<usize>)> + use<> {
        batches(self.count())
    }

    pub(super) fn people(&self, rows: Range<usize>) -> People {
        People {
            count: rows.len() as u32,
            traits: self.traits[rows.start * self.width..rows.end * self.width].to_vec(),
            energies: self.energies[rows.clone()].to_vec(),
            networks: self.networks[rows.clone()].to_vec(),
            leaderships: self.leaderships[rows.clone()].to_vec(),
            influences: self.influences[rows].to_vec(),
        }
    }

    pub(super) fn distance(&self, one: usize, other: usize) -> f32 {
        match (self.positions.get(one), self.positions.get(other)) {
            (Some(one), Some(other)) => apart(one.at, other.at),
            _ => f32::INFINITY,
        }
    }
}

/// Distance. By a square root, which is the same on every machine, as `hypot` is not.
pub(super) fn apart(one: [f32; 2], other: [f32; 2]) -> f32 {
    let [x, y] = [one[0] - other[0], one[1] - other[1]];
    (x * x + y * y).sqrt()
}

/// `count` rows in batches, numbered from 0.
pub(super) fn batches(count: usize) -> impl Iterator<Item = (u32, Range<usize>)> {
    (0..count.div_ceil(BATCH)).map(move |batch| (batch as u32, batch * BATCH..((batch + 1) * BATCH).min(count)))
}
