//! What people ask and choose, as the rest of the server sees it. Plain words; knows no store and no HTTP.

/// Remembers queries, in the background and without making anyone wait.
pub trait QueryLog: Send + Sync + 'static {
    /// A query was answered with so many hits. Those that found nothing are not remembered.
    fn asked(&self, text: &str, hits: u32);

    /// The queries that were asked most, each with its weight: how often, halved with age. Best first.
    fn frequent(&self, limit: usize) -> Vec<(String, f32)>;

    /// Grows whenever `frequent` may answer otherwise.
    fn version(&self) -> u64;
}

/// Remembers nothing: the operator switched it off.
pub struct Forgetful;

impl QueryLog for Forgetful {
    fn asked(&self, _: &str, _: u32) {}

    fn frequent(&self, _: usize) -> Vec<(String, f32)> {
        vec![]
    }

    fn version(&self) -> u64 {
        0
    }
}
