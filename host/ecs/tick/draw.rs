//! Chance within one system of one tick. The same seed draws the same.

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{RngCore, SeedableRng};

pub(super) struct Draw(Pcg32);

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Self(Pcg32::seed_from_u64(seed))
    }

    /// Less than `count`; 0 when that is 0.
    pub(super) fn below(&mut self, count: usize) -> usize {
        ((u64::from(self.0.next_u32()) * count as u64) >> 32) as usize
    }

    /// Every row once. Not every order is possible, but every row is early as often as any other, which is
    /// what a limited number of turns asks for, and it costs no shuffling.
    pub(super) fn order(&mut self, count: usize) -> impl Iterator<Item = usize> + use<> {
        let start = self.below(count);
        let stride = (0..64).map(|_| 1 + self.below(count)).find(|stride| divisor(*stride, count) == 1).unwrap_or(1);
        (0..count).map(move |turn| ((start as u64 + turn as u64 * stride as u64) % count as u64) as usize)
    }
}

/// Greatest common one.
fn divisor(mut one: usize, mut other: usize) -> usize {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}
