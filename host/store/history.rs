//! Figures of the past, kept beside what they are about: one row for a host and a stretch of time. Knows
//! no figure by name: whoever keeps history hands in text and bytes and gets them back.

use async_trait::async_trait;

use super::StoreError;

/// How long a stretch a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolution {
    Minute,
    Hour,
}

impl Resolution {
    pub fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }
}

/// What one host did in one stretch of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRow {
    pub host: String,
    pub resolution: Resolution,
    /// Unix seconds at which the stretch begins, to the second: a host that starts again within a minute
    /// has two rows for it.
    pub at: i64,
    pub figures: String,
    /// Search times, as bytes of their own.
    pub times: Vec<u8>,
}

/// Which rows; those that begin from `from` on and before `until`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRange {
    pub resolution: Resolution,
    pub from: i64,
    pub until: i64,
    /// None: all hosts.
    pub host: Option<String>,
    pub limit: u32,
}

impl HistoryRange {
    /// A row of this range, of its columns `at`, `host`, `figures` and `times`.
    pub(super) fn row(&self, (at, host, figures, times): (i64, String, String, Vec<u8>)) -> HistoryRow {
        HistoryRow { host, resolution: self.resolution, at, figures, times }
    }
}

/// Keeps rows of history.
#[async_trait]
pub trait HistoryStore: Send + Sync {
    /// Writes rows in one transaction. A row of the same host, resolution and begin is replaced, so that
    /// writing once more what may have been written is harmless.
    async fn record_history(&self, rows: &[HistoryRow]) -> Result<(), StoreError>;

    /// Rows in the order of their begin, then of their host; the earliest `limit` of them.
    async fn history(&self, range: &HistoryRange) -> Result<Vec<HistoryRow>, StoreError>;

    /// Forgets, of all hosts, rows that begin before a time in Unix seconds; says how many.
    async fn forget_history(&self, resolution: Resolution, before: i64) -> Result<u64, StoreError>;
}

/// What both backends must do.
#[cfg(test)]
pub(super) async fn conforms(store: &dyn HistoryStore) {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    let row = |host: &str, resolution, at, figures: &str| HistoryRow {
        host: host.to_owned(),
        resolution,
        at,
        figures: figures.to_owned(),
        times: vec![0, 255, at as u8],
    };
    let range = |resolution, from, until| HistoryRange { resolution, from, until, host: None, limit: 100 };
    let (minute, hour) = (Resolution::Minute, Resolution::Hour);
    let rows = [
        row("b", minute, 60, "{}"),
        row("a", minute, 120, r#"{"größe": 1}"#),
        row("a", minute, 60, "{}"),
        row("a", hour, 0, "hour"),
    ];
    store.record_history(&[]).await.unwrap();
    store.record_history(&rows).await.unwrap();
    // Once more, and with another text.
    store.record_history(&rows[..1]).await.unwrap();
    store.record_history(&[row("b", minute, 60, "newer")]).await.unwrap();

    let newer = row("b", minute, 60, "newer");
    let all = store.history(&range(minute, 0, 1000)).await.unwrap();
    assert_eq!(all, [rows[2].clone(), newer.clone(), rows[1].clone()]);
    assert_eq!(store.history(&range(minute, 60, 120)).await.unwrap(), [rows[2].clone(), newer.clone()]);
    assert_eq!(store.history(&range(hour, 0, 1)).await.unwrap(), [rows[3].clone()]);
    let one = HistoryRange { host: Some("b".to_owned()), ..range(minute, 0, 1000) };
    assert_eq!(store.history(&one).await.unwrap(), [newer]);
    let first = HistoryRange { limit: 1, ..range(minute, 0, 1000) };
    assert_eq!(store.history(&first).await.unwrap(), [rows[2].clone()]);

    // More than any database takes parameters in one statement.
    let many: Vec<HistoryRow> = (0..20_000).map(|at| row("many", minute, 10_000 + at, "{}")).collect();
    store.record_history(&many).await.unwrap();
    let kept = store.history(&HistoryRange { limit: 30_000, ..range(minute, 10_000, 100_000) }).await.unwrap();
    assert_eq!(kept, many);

    // Twice in one batch: the last one counts.
    store.record_history(&[row("c", hour, 7, "first"), row("c", hour, 7, "second")]).await.unwrap();
    assert_eq!(store.history(&range(hour, 7, 8)).await.unwrap(), [row("c", hour, 7, "second")]);

    assert_eq!(store.forget_history(minute, 10_000).await.unwrap(), 3);
    assert!(store.history(&range(minute, 0, 10_000)).await.unwrap().is_empty());
    assert_eq!(store.history(&range(hour, 0, 1)).await.unwrap(), [rows[3].clone()]);
}
