//! Counts what is asked in memory and writes it every few seconds; what is chosen is durable before it counts.
//! Questions of the many are counted by their text, choices by the terms of their question.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::{Mutex, RwLock};
use tokio_util::sync::CancellationToken;

use super::counts::Counts;
use super::{Affinity, Choices, FORGETTING, QueryLog};
use crate::store::{ForgetUsage, StoreError, UsageRow, UsageStore};

/// Between two writes of what was asked.
const WRITE_EVERY: Duration = Duration::from_secs(2);

/// Between two looks at what other hosts counted, and at what is too old.
const READ_EVERY: Duration = Duration::from_secs(60);

/// Longer questions are no queries that others would ask, too.
const LONGEST: usize = 200;

/// Questions that wait to be written; more of them are not counted.
const MOST_WAITING: usize = 10_000;

/// How use is remembered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UsagePolicy {
    /// Days after which a count is worth half.
    pub half_life_days: f32,
    /// Days after which it is deleted.
    pub keep_days: u32,
    /// Rows in memory; the latest and most counted.
    pub rows: u32,
}

/// The memory of a host.
pub struct Recorder {
    store: Arc<dyn UsageStore>,
    policy: UsagePolicy,
    counts: RwLock<Counts>,
    waiting: Mutex<HashMap<String, i64>>,
    /// Held alone while counts are on their way to the store, are forgotten or read anew, shared while a choice is on
    /// its way: else what is forgotten would come back, and counts would double or be lost.
    settling: tokio::sync::RwLock<()>,
    version: AtomicU64,
}

impl Recorder {
    /// With what the store remembers.
    pub async fn start(store: Arc<dyn UsageStore>, policy: UsagePolicy) -> Result<Arc<Self>, StoreError> {
        let counts = RwLock::new(Counts::of(store.usage(policy.rows).await?));
        let (waiting, settling) = Default::default();
        Ok(Arc::new(Self { store, policy, counts, waiting, settling, version: AtomicU64::new(1) }))
    }

    /// Writes, reads and prunes until it is told to end; then writes a last time.
    pub async fn run(self: Arc<Self>, closing: CancellationToken) {
        let mut write = tokio::time::interval(WRITE_EVERY);
        let mut read = tokio::time::interval(READ_EVERY);
        read.reset();
        loop {
            tokio::select! {
                () = closing.cancelled() => break,
                _ = write.tick() => self.flush().await,
                _ = read.tick() => {
                    if let Err(error) = self.refresh().await {
                        tracing::debug!(%error, "counts of use cannot be read now");
                    }
                }
            }
        }
        self.flush().await;
    }

    /// Writes what waits, also what another call is writing. What cannot be written waits on.
    pub async fn flush(&self) {
        let _alone = self.settling.write().await;
        self.write_waiting().await;
    }

    async fn write_waiting(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        if waiting.is_empty() {
            return;
        }
        let day = today();
        let rows: Vec<UsageRow> = waiting
            .into_iter()
            .map(|(question, count)| UsageRow { question, path: String::new(), day, count })
            .collect();
        if let Err(error) = self.store.record_usage(&rows).await {
            tracing::debug!(%error, "counts of use wait for the store");
            let mut waiting = self.waiting.lock();
            for row in rows {
                *waiting.entry(row.question).or_default() += row.count;
            }
        }
    }

    async fn refresh(&self) -> Result<(), StoreError> {
        let before = today() - i64::from(self.policy.keep_days);
        let _alone = self.settling.write().await;
        self.store.forget_usage(&ForgetUsage { before: Some(before), ..ForgetUsage::default() }).await?;
        self.write_waiting().await;
        // Also what another host was told to forget.
        let step = if self.read_anew().await? { FORGETTING } else { 1 };
        self.version.fetch_add(step, Ordering::Relaxed);
        Ok(())
    }

    /// What the store has and what waits for it. Whether a question is gone.
    async fn read_anew(&self) -> Result<bool, StoreError> {
        let mut read = Counts::of(self.store.usage(self.policy.rows).await?);
        let day = today();
        // Nobody counts meanwhile: it would be lost, or count twice.
        let waiting = self.waiting.lock();
        for (question, count) in waiting.iter() {
            read.add(UsageRow { question: question.clone(), path: String::new(), day, count: *count });
        }
        let before = std::mem::replace(&mut *self.counts.write(), read);
        drop(waiting);
        Ok(before.exceeds(&self.counts.read()))
    }

    /// A document was chosen for a question. Durable when it returns.
    pub async fn chosen(&self, terms: Vec<String>, path: &str) -> Result<(), StoreError> {
        let row = UsageRow { question: question(terms), path: path.to_owned(), day: today(), count: 1 };
        let _shared = self.settling.read().await;
        self.store.record_usage(std::slice::from_ref(&row)).await?;
        self.counts.write().add(row);
        self.version.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Forgets a question, as it was typed and by its terms, or everything. How many rows went.
    pub async fn forget(&self, of: Option<(&str, Vec<String>)>) -> Result<u64, StoreError> {
        let _alone = self.settling.write().await;
        match &of {
            None => self.waiting.lock().clear(),
            Some((text, _)) => _ = self.waiting.lock().remove(&*collapsed(text)),
        }
        let mut gone = 0;
        for which in forgetting(of) {
            gone += self.store.forget_usage(&which).await?;
        }
        self.read_anew().await?;
        self.version.fetch_add(FORGETTING, Ordering::Relaxed);
        Ok(gone)
    }

    /// On the way of every cached answer: a question that is known costs no allocation. `known`: no other counts.
    fn count(&self, text: &str, known: bool) {
        if text.is_empty() || text.len() > LONGEST || text.contains('\0') {
            return;
        }
        let mut waiting = self.waiting.lock();
        // Both or none are seen by whoever reads anew.
        let mut counts = self.counts.write();
        let is_known = counts.knows(text);
        if known && !is_known {
            return;
        }
        let is_full = waiting.len() >= MOST_WAITING;
        match waiting.get_mut(text) {
            Some(count) => *count += 1,
            None if is_full => return,
            None => _ = waiting.insert(text.to_owned(), 1),
        }
        if is_known || counts.len() < self.policy.rows as usize {
            counts.asked(text, today());
        }
        drop((counts, waiting));
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    /// Questions that are remembered in memory.
    pub fn questions(&self) -> usize {
        self.counts.read().len()
    }
}

impl QueryLog for Recorder {
    fn asked(&self, text: &str, hits: u32) {
        if hits > 0 {
            self.count(&collapsed(text), false);
        }
    }

    fn again(&self, text: &str) {
        self.count(&collapsed(text), true);
    }

    fn frequent(&self, limit: usize) -> Vec<(String, f32)> {
        self.counts.read().frequent(limit, today(), self.policy.half_life_days)
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }
}

impl Choices for Recorder {
    fn affinity(&self, terms: Vec<String>) -> Arc<Affinity> {
        // Questions without any term are different ones.
        if terms.is_empty() {
            return Arc::default();
        }
        Arc::new(self.counts.read().affinity(&question(terms), today(), self.policy.half_life_days))
    }
}

/// What is to go from a store where a question, as it was typed and by its terms, is forgotten, or everything.
pub fn forgetting(of: Option<(&str, Vec<String>)>) -> Vec<ForgetUsage> {
    let Some((text, terms)) = of else { return vec![ForgetUsage::default()] };
    let asked = ForgetUsage { question: Some(collapsed(text).into_owned()), path: Some(String::new()), before: None };
    vec![asked, ForgetUsage { question: Some(question(terms)), ..ForgetUsage::default() }]
}

/// One space between words, none around them.
fn collapsed(text: &str) -> Cow<'_, str> {
    let other_space = |letter: char| letter != ' ' && letter.is_whitespace();
    let is_collapsed = text.trim() == text && !text.contains("  ") && !text.contains(other_space);
    match is_collapsed {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

/// What two questions with the same words have in common.
fn question(mut terms: Vec<String>) -> String {
    terms.sort_unstable();
    terms.dedup();
    terms.join(" ").replace('\0', " ")
}

fn today() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| (since.as_secs() / 86_400).cast_signed())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use async_trait::async_trait;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::store::SqliteStore;

    const POLICY: UsagePolicy = UsagePolicy { half_life_days: 30.0, keep_days: 90, rows: 1000 };

    async fn store(folder: &tempfile::TempDir) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(&folder.path().join("store.sqlite")).await.unwrap())
    }

    /// A write waits for a permit.
    struct Gated {
        rows: Mutex<Vec<UsageRow>>,
        permits: Semaphore,
    }

    #[async_trait]
    impl UsageStore for Gated {
        async fn record_usage(&self, rows: &[UsageRow]) -> Result<(), StoreError> {
            self.permits.acquire().await.unwrap().forget();
            self.rows.lock().extend_from_slice(rows);
            Ok(())
        }

        async fn usage(&self, _: u32) -> Result<Vec<UsageRow>, StoreError> {
            Ok(self.rows.lock().clone())
        }

        async fn forget_usage(&self, _: &ForgetUsage) -> Result<u64, StoreError> {
            Ok(std::mem::take(&mut *self.rows.lock()).len() as u64)
        }
    }

    async fn gated() -> (Arc<Gated>, Arc<Recorder>) {
        let store = Arc::new(Gated { rows: Mutex::default(), permits: Semaphore::new(0) });
        let recorder = Recorder::start(store.clone(), POLICY).await.unwrap();
        (store, recorder)
    }

    #[tokio::test]
    async fn what_is_on_its_way_to_the_store_is_forgotten_as_well() {
        let (store, recorder) = gated().await;
        recorder.asked("fox", 1);
        let release = async { store.permits.add_permits(1) };
        let ((), gone, ()) = tokio::join!(recorder.flush(), recorder.forget(None), release);
        assert_eq!(gone.unwrap(), 1);
        assert_eq!((recorder.frequent(10), store.rows.lock().len()), (vec![], 0));
    }

    #[tokio::test]
    async fn what_is_asked_while_counts_are_read_anew_counts_once() {
        let (store, recorder) = gated().await;
        recorder.asked("fox", 1);
        let meanwhile = async {
            recorder.asked("dog", 1);
            store.permits.add_permits(2);
        };
        let (refreshed, ()) = tokio::join!(recorder.refresh(), meanwhile);
        refreshed.unwrap();
        let once = [("dog".to_owned(), 1.0), ("fox".to_owned(), 1.0)];
        assert_eq!(recorder.frequent(10), once);
        recorder.flush().await;
        assert_eq!(Counts::of(store.rows.lock().clone()).frequent(10, today(), 30.0), once);
    }

    #[tokio::test]
    async fn questions_without_words_have_nothing_in_common() {
        let (store, recorder) = gated().await;
        store.permits.add_permits(1);
        recorder.chosen(vec![], "a.rs").await.unwrap();
        assert_eq!(*recorder.affinity(vec![]), Affinity::default());
    }

    #[tokio::test]
    async fn more_questions_than_there_is_room_for_are_counted_in_the_store_alone() {
        let (store, _) = gated().await;
        store.permits.add_permits(1);
        let recorder = Recorder::start(store.clone(), UsagePolicy { rows: 2, ..POLICY }).await.unwrap();
        ["a", "b", "c", "a"].iter().for_each(|text| recorder.asked(text, 1));
        assert_eq!(recorder.frequent(10), [("a".to_owned(), 2.0), ("b".to_owned(), 1.0)]);
        recorder.flush().await;
        assert_eq!(store.rows.lock().len(), 3);
    }

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn questions_count_at_once_and_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let recorder = Recorder::start(store.clone(), POLICY).await.unwrap();
        for (text, hits) in [("  parse \t config ", 3), ("parse config", 1), ("nothing", 0), ("", 2), ("other", 1)] {
            recorder.asked(text, hits);
        }
        recorder.asked(&"long ".repeat(50), 1);
        recorder.again("parse config");
        recorder.again("nothing");
        let expected = [("parse config".to_owned(), 3.0), ("other".to_owned(), 1.0)];
        assert_eq!(recorder.frequent(10), expected);
        let closing = CancellationToken::new();
        closing.cancel();
        recorder.run(closing).await;
        let again = Recorder::start(store, POLICY).await.unwrap();
        assert_eq!(again.frequent(10), expected);
    }

    #[tokio::test]
    async fn a_choice_is_of_the_words_in_any_order_and_is_forgotten_with_them() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let recorder = Recorder::start(store.clone(), POLICY).await.unwrap();
        recorder.asked("parse config", 1);
        recorder.flush().await;
        recorder.chosen(words("parse config"), "a.rs").await.unwrap();
        recorder.chosen(words("x"), "b.rs").await.unwrap();
        assert_eq!(recorder.affinity(words("config parse")).of, HashMap::from([("a.rs".to_owned(), 0.5)]));
        let again = Recorder::start(store, POLICY).await.unwrap();
        assert_eq!(again.affinity(words("config parse")).of.len(), 1);

        assert_eq!(recorder.forget(Some(("parse  config", words("parse config")))).await.unwrap(), 2);
        assert_eq!(*recorder.affinity(words("config parse")), Affinity::default());
        assert_eq!(recorder.frequent(10), []);
        assert_eq!(recorder.affinity(words("x")).of.len(), 1);
        assert_eq!(recorder.forget(None).await.unwrap(), 1);
        assert_eq!(recorder.questions(), 0);
    }

    #[tokio::test]
    async fn what_is_too_old_goes_and_what_others_counted_comes() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let old = UsageRow { question: "old".into(), path: String::new(), day: today() - 91, count: 9 };
        store.record_usage(std::slice::from_ref(&old)).await.unwrap();
        let recorder = Recorder::start(store.clone(), POLICY).await.unwrap();
        let version = recorder.version();
        store.record_usage(&[UsageRow { question: "theirs".into(), day: today(), ..old }]).await.unwrap();
        recorder.refresh().await.unwrap();
        assert_eq!(recorder.frequent(10), [("theirs".to_owned(), 9.0)]);
        // What is gone is to be gone from whatever was made of it, too.
        assert!(recorder.version() >= version + FORGETTING);
        let version = recorder.version();
        recorder.refresh().await.unwrap();
        assert_eq!(recorder.version(), version + 1);
    }
}
