//! The heaviest positions of any range, without a look at the rest: weights with the maximum of every 64 of them, of
//! every 64 of those, and so on. Knows numbers only.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

/// How many weights one maximum stands for, as a power of two: a cache line or two, and 1/63 more memory.
const FAN_BITS: u32 = 6;
const FAN: u32 = 1 << FAN_BITS;

/// Weights by position.
#[derive(Default)]
pub(super) struct Peaks {
    /// The weights themselves, then maxima, the last level no longer than `FAN`.
    levels: Vec<Box<[u16]>>,
}

impl Peaks {
    /// At most 2^32 - 1 weights.
    pub(super) fn new(weights: Vec<u16>) -> Self {
        let mut levels = vec![weights.into_boxed_slice()];
        while let Some(last) = levels.last().filter(|level| level.len() > FAN as usize) {
            let maxima = last.chunks(FAN as usize).map(|chunk| chunk.iter().copied().max().unwrap_or(0)).collect();
            levels.push(maxima);
        }
        Self { levels }
    }

    /// The weights in order.
    pub(super) fn weights(&self) -> &[u16] {
        self.levels.first().map(|level| &**level).unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> usize {
        self.levels.iter().map(|level| size_of_val(&**level)).sum()
    }

    /// Positions of some ranges with their weights, the heaviest first, of equal ones the first. Ranges must lie
    /// within the weights and apart from each other.
    pub(super) fn best(&self, ranges: impl IntoIterator<Item = Range<u32>>) -> Best<'_> {
        let mut best = Best { levels: &self.levels, open: BinaryHeap::new() };
        ranges.into_iter().for_each(|range| best.open(range));
        best
    }
}

/// See `Peaks::best`.
pub(super) struct Best<'a> {
    levels: &'a [Box<[u16]>],
    open: BinaryHeap<Block>,
}

/// What a maximum stands for. The greatest is looked into next: of equal weights the one that begins first, and a
/// larger block before a smaller one, because it may hold an earlier position of that weight.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Block {
    weight: u16,
    first: Reverse<u32>,
    level: u32,
}

impl Best<'_> {
    /// The fewest blocks that make up the range.
    fn open(&mut self, range: Range<u32>) {
        let (mut from, mut to) = (range.start, range.end);
        for level in 0..self.levels.len() as u32 {
            let last = level + 1 == self.levels.len() as u32;
            while from < to && (last || !from.is_multiple_of(FAN)) {
                self.push(level, from);
                from += 1;
            }
            while from < to && !to.is_multiple_of(FAN) {
                to -= 1;
                self.push(level, to);
            }
            (from, to) = (from / FAN, to / FAN);
        }
    }

    fn push(&mut self, level: u32, at: u32) {
        if let Some(weight) = self.levels.get(level as usize).and_then(|weights| weights.get(at as usize)) {
            self.open.push(Block { weight: *weight, first: Reverse(at << (FAN_BITS * level)), level });
        }
    }
}

impl Iterator for Best<'_> {
    type Item = (u32, u16);

    fn next(&mut self) -> Option<(u32, u16)> {
        loop {
            let Block { weight, first: Reverse(first), level } = self.open.pop()?;
            let Some(below) = level.checked_sub(1) else { return Some((first, weight)) };
            let child = first >> (FAN_BITS * below);
            (child..child + FAN).for_each(|at| self.push(below, at));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_heaviest_comes_first_and_of_equal_ones_the_first() {
        let peaks = Peaks::new(vec![3, 9, 1, 9, 4]);
        let found: Vec<_> = peaks.best(Some(0..5)).collect();
        assert_eq!(found, [(1, 9), (3, 9), (4, 4), (0, 3), (2, 1)]);
        assert_eq!(peaks.best([2..3, 4..5]).collect::<Vec<_>>(), [(4, 4), (2, 1)]);
        assert_eq!(peaks.best(Some(2..2)).count(), 0);
        assert_eq!(Peaks::new(vec![]).best(Some(0..0)).count(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against sorting, with sizes that need three levels and weights that are often equal.
        #[test]
        fn any_ranges_agree_with_sorting(
            weights in prop::collection::vec(0u16..40, 1..9000),
            (from, middle, to) in (0u32..9000, 0u32..9000, 0u32..9000),
        ) {
            let length = weights.len() as u32;
            let mut bounds = [from % (length + 1), middle % (length + 1), to % (length + 1)];
            bounds.sort_unstable();
            // Two ranges with a gap of one position between them.
            let second = (bounds[1] + 1).min(bounds[2])..bounds[2];
            let ranges = [bounds[0]..bounds[1], second];
            let mut expected: Vec<(u32, u16)> =
                ranges.iter().cloned().flatten().map(|at| (at, weights[at as usize])).collect();
            expected.sort_by_key(|(at, weight)| (Reverse(*weight), *at));
            let found: Vec<_> = Peaks::new(weights).best(ranges).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
