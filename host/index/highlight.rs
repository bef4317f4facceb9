//! Where a probe matches within a text, for marking.

use std::ops::Range;

use super::Snapshot;
use crate::query::Probe;

impl Snapshot {
    /// Byte ranges of `text` that the probe matches, in order, at most `limit`. A vector probe matches
    /// nowhere in particular.
    pub fn highlight(&self, _probe: &Probe, _text: &str, _limit: usize) -> Vec<Range<usize>> {
        vec![]
    }
}
