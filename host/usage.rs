//! What people ask and choose, as the rest of the server sees it: questions that found something, and documents that
//! were chosen for a question. Owns how the past fades and how much of it is kept in memory; knows the store's trait,
//! nothing of HTTP and nothing of ranking.

/// Counts in memory, and what follows from them.
mod counts;
/// Counting, writing, forgetting.
mod recorder;

pub use recorder::{Recorder, UsagePolicy, forgetting};

use std::collections::HashMap;
use std::sync::Arc;

/// See `QueryLog::version`.
pub const FORGETTING: u64 = 1 << 32;

/// Remembers queries, in the background and without making anyone wait.
pub trait QueryLog: Send + Sync + 'static {
    /// A query was answered with so many hits. Those that found nothing are not remembered.
    fn asked(&self, text: &str, hits: u32);

    /// A query was answered as it was before: counts if that found something.
    fn again(&self, text: &str);

    /// The queries that were asked most, each with its weight: how often, halved with age. Best first.
    fn frequent(&self, limit: usize) -> Vec<(String, f32)>;

    /// Grows whenever `frequent` may answer otherwise, and beyond a multiple of `FORGETTING` when something is to be
    /// forgotten.
    fn version(&self) -> u64;
}

/// Remembers nothing: the operator switched it off.
pub struct Forgetful;

impl QueryLog for Forgetful {
    fn asked(&self, _: &str, _: u32) {}

    fn again(&self, _: &str) {}

    fn frequent(&self, _: usize) -> Vec<(String, f32)> {
        vec![]
    }

    fn version(&self) -> u64 {
        0
    }
}

/// What was chosen for one question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Affinity {
    /// By the path of a document: 0 to 1, 0.5 for one choice of today.
    pub of: HashMap<String, f32>,
    /// Tells it from what it was before and will be later; 0 when nothing was chosen.
    pub fingerprint: u64,
}

/// Knows what was chosen; for whoever ranks.
pub trait Choices: Send + Sync + 'static {
    /// `terms`: those of the question, in any order; a question is what its terms are.
    fn affinity(&self, terms: Vec<String>) -> Arc<Affinity>;
}

impl Choices for Forgetful {
    fn affinity(&self, _: Vec<String>) -> Arc<Affinity> {
        Arc::default()
    }
}
