//! How long statements take. Knows no statement and no connection.

use std::time::{Duration, Instant};

/// Told of every statement.
#[derive(Debug, Default)]
pub(super) struct Monitor {}

impl Monitor {
    pub(super) fn observe(&self, _sql: &'static str, _took: Duration) {}
}

/// Awaits a statement and tells the monitor how long it took.
pub(super) async fn timed<T>(monitor: &Monitor, sql: &'static str, statement: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let outcome = statement.await;
    monitor.observe(sql, start.elapsed());
    outcome
}
