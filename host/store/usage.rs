//! What people ask and choose, as counts by day: what was asked, and which document was chosen for it. Counts only grow
//! or are forgotten, so hosts that count at once need no lock, and how fast the past fades is the reader's business.

use async_trait::async_trait;

use super::StoreError;

/// How often on one day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::FromRow)]
pub struct UsageRow {
    /// As it is compared; any text without NUL.
    pub question: String,
    /// The document that was chosen; empty: the question was asked.
    pub path: String,
    /// Days since 1970 (UTC).
    pub day: i64,
    pub count: i64,
}

impl UsageRow {
    /// Day, question and path of the last row of a page, after which the next one begins. The count, which may grow
    /// meanwhile, is no part of it.
    pub(super) fn place(last: Option<&Self>) -> (i64, &str, &str) {
        last.map_or((i64::MIN, "", ""), |row| (row.day, row.question.as_str(), row.path.as_str()))
    }
}

/// What to forget: all that satisfies every condition that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForgetUsage {
    /// Earlier days only.
    pub before: Option<i64>,
    pub question: Option<String>,
    /// Of one document only; empty: only that questions were asked.
    pub path: Option<String>,
}

/// Keeps counts of use.
#[async_trait]
pub trait UsageStore: Send + Sync {
    /// Adds counts to those that are there, all or none. Durable when it returns.
    async fn record_usage(&self, rows: &[UsageRow]) -> Result<(), StoreError>;

    /// At most `limit` rows, latest days first, then most counted, then by question and path.
    async fn usage(&self, limit: u32) -> Result<Vec<UsageRow>, StoreError>;

    /// How many rows went.
    async fn forget_usage(&self, which: &ForgetUsage) -> Result<u64, StoreError>;
}

/// What any backend must do; `store` is empty.
#[cfg(test)]
pub(crate) async fn conforms(store: &dyn UsageStore) {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    let row =
        |question: &str, path: &str, day, count| UsageRow { question: question.into(), path: path.into(), day, count };
    store.record_usage(&[]).await.unwrap();
    assert_eq!(store.usage(10).await.unwrap(), []);
    let asked = [row("b \u{fc}", "", 7, 2), row("a", "", 8, 1), row("b \u{fc}", "src/x.rs", 8, 3)];
    store.record_usage(&asked).await.unwrap();
    // Also twice in one batch.
    store
        .record_usage(&[row("b \u{fc}", "", 7, 1), row("b \u{fc}", "", 7, 4), row("a", "src/x.rs", 6, 1)])
        .await
        .unwrap();
    let all =
        [row("b \u{fc}", "src/x.rs", 8, 3), row("a", "", 8, 1), row("b \u{fc}", "", 7, 7), row("a", "src/x.rs", 6, 1)];
    assert_eq!(store.usage(10).await.unwrap(), all);
    assert_eq!(store.usage(2).await.unwrap(), all[..2]);

    let none = ForgetUsage { question: Some("c".into()), ..ForgetUsage::default() };
    assert_eq!(store.forget_usage(&none).await.unwrap(), 0);
    let early = ForgetUsage { before: Some(7), ..ForgetUsage::default() };
    assert_eq!(store.forget_usage(&early).await.unwrap(), 1);
    let asked = ForgetUsage { question: Some("b \u{fc}".into()), path: Some(String::new()), before: None };
    assert_eq!(store.forget_usage(&asked).await.unwrap(), 1);
    assert_eq!(store.usage(10).await.unwrap(), all[..2]);
    assert_eq!(store.forget_usage(&ForgetUsage::default()).await.unwrap(), 2);
    assert_eq!(store.usage(10).await.unwrap(), []);
}
