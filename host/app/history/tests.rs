//! The book of one host over a real store, with a clock that the tests turn.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::AtomicBool;

use async_trait::async_trait;

use super::*;
use crate::store::SqliteStore;
use crate::telemetry::Distribution;

/// A store that can be away.
struct Store(SqliteStore, AtomicBool);

#[async_trait]
impl HistoryStore for Store {
    async fn record_history(&self, rows: &[HistoryRow]) -> Result<(), StoreError> {
        self.there()?;
        self.0.record_history(rows).await
    }

    async fn history(&self, range: &HistoryRange) -> Result<Vec<HistoryRow>, StoreError> {
        self.there()?;
        self.0.history(range).await
    }

    async fn forget_history(&self, resolution: Resolution, before: i64) -> Result<u64, StoreError> {
        self.there()?;
        self.0.forget_history(resolution, before).await
    }
}

impl Store {
    async fn open(folder: &tempfile::TempDir) -> Arc<Self> {
        let store = SqliteStore::open(&folder.path().join("store.sqlite")).await.unwrap();
        Arc::new(Self(store, AtomicBool::new(true)))
    }

    fn there(&self) -> Result<(), StoreError> {
        if self.1.load(Ordering::SeqCst) { Ok(()) } else { Err(StoreError::Unavailable("as asked".into())) }
    }
}

/// A process that answers searches.
#[derive(Default)]
struct Process {
    now: Moment,
}

impl Process {
    fn at(at: i64) -> Self {
        Self { now: Moment { at, ..Moment::default() } }
    }

    /// A minute in which searches took these milliseconds.
    fn minute(&mut self, book: &Book, searches: impl IntoIterator<Item = u64>) {
        let before = self.now.clone();
        for milliseconds in searches {
            self.now.counts.searches += 1;
            self.now.searches.record(Duration::from_millis(milliseconds));
        }
        self.now.at += MINUTE;
        book.note(&before, &self.now);
    }
}

fn everything(hourly: bool) -> HistoryRequest {
    HistoryRequest { hourly, from: 0, to: i64::MAX, host: None, limit: 100_000 }
}

async fn read(book: &Book, hourly: bool) -> Vec<HostSample> {
    book.read(&everything(hourly)).await.unwrap().samples
}

/// 1000 hours after the epoch.
const BEGIN: i64 = 1000 * HOUR;

/// The first half of the searches in the first minute, the others in the last: the hour's percentiles are
/// those of 1..=1000, which no mean of the minutes' gives.
#[tokio::test]
async fn minutes_become_an_hour_with_its_true_percentiles() {
    let folder = tempfile::tempdir().unwrap();
    let book = Book::new(Store::open(&folder).await, "one".into());
    let (mut process, mut summed_up) = (Process::at(BEGIN), None);
    process.minute(&book, 1..=900);
    for _ in 0..58 {
        process.minute(&book, []);
        book.settle(process.now.at, &mut summed_up, false).await.unwrap();
    }
    assert!(read(&book, true).await.is_empty(), "the hour has not ended");
    process.minute(&book, 901..=1000);
    book.settle(process.now.at, &mut summed_up, false).await.unwrap();

    let hours = read(&book, true).await;
    assert_eq!(hours.len(), 1);
    let (hour, times) = (&hours[0].sample, hours[0].times);
    assert_eq!((hour.at, hour.seconds, hour.counts.searches, hours[0].host.as_str()), (BEGIN, 3600, 1000, "one"));
    for (actual, expected) in [(times.p50, 500.0), (times.p95, 950.0), (times.p99, 990.0), (times.mean, 500.5)] {
        assert!((actual - expected).abs() <= expected * 0.001, "{actual} is not {expected}");
    }
    let minutes = read(&book, false).await;
    assert_eq!(minutes.len(), 60);
    assert_eq!(minutes.iter().map(|minute| minute.sample.counts.searches).sum::<u64>(), 1000);
    assert_eq!(book.figures(), HistoryFigures { written: 60, ..HistoryFigures::default() });
}

#[tokio::test]
async fn what_the_store_did_not_take_waits_and_is_seen_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder).await;
    let book = Book::new(store.clone(), "one".into());
    let (mut process, mut summed_up) = (Process::at(BEGIN + 59 * MINUTE), None);
    store.1.store(false, Ordering::SeqCst);
    for searches in [3, 5] {
        process.minute(&book, vec![1; searches]);
        assert!(book.settle(process.now.at, &mut summed_up, false).await.is_err());
    }
    assert_eq!(book.figures().waiting, 2);
    assert!(book.read(&everything(false)).await.is_err());
    store.1.store(true, Ordering::SeqCst);
    assert_eq!(read(&book, false).await.len(), 2, "those that wait are there too");
    book.settle(process.now.at, &mut summed_up, false).await.unwrap();
    assert_eq!((book.figures().waiting, book.figures().written), (0, 2));
    // The hour that passed while the store was away is not lost.
    let hours = read(&book, true).await;
    assert_eq!(hours.iter().map(|hour| hour.sample.counts.searches).collect::<Vec<_>>(), [3]);

    // No more than a day of samples waits.
    store.1.store(false, Ordering::SeqCst);
    (0..MOST_WAITING + 7).for_each(|_| process.minute(&book, []));
    assert_eq!((book.figures().waiting, book.figures().dropped), (MOST_WAITING as u64, 7));
}

/// A read falls between the store's transaction and the end of the wait.
#[tokio::test]
async fn what_waits_and_is_in_the_store_already_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder).await;
    let book = Book::new(store.clone(), "one".into());
    let mut process = Process::at(BEGIN);
    process.minute(&book, [1, 2]);
    let waiting: Vec<HistoryRow> = book.waiting.lock().iter().cloned().collect();
    store.record_history(&waiting).await.unwrap();
    let minutes = read(&book, false).await;
    assert_eq!(minutes.iter().map(|minute| minute.sample.counts.searches).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn a_restart_within_a_minute_adds_to_it() {
    let folder = tempfile::tempdir().unwrap();
    for begin in [BEGIN, BEGIN + 25] {
        let book = Book::new(Store::open(&folder).await, "one".into());
        let before = Process::at(begin).now;
        let mut now = Moment { at: begin + 20, searches: Distribution::default(), ..before.clone() };
        now.counts.searches = 4;
        book.note(&before, &now);
        book.settle(now.at, &mut None, true).await.unwrap();
    }
    let minutes = read(&Book::new(Store::open(&folder).await, "other".into()), false).await;
    assert_eq!(minutes.len(), 1);
    assert_eq!((minutes[0].sample.seconds, minutes[0].sample.counts.searches), (40, 8));
}

#[tokio::test]
async fn old_minutes_and_hours_go_but_not_before_their_hour_is_summed_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder).await;
    // A host that never came back.
    let gone = Book::new(store.clone(), "gone".into());
    let mut process = Process::at(BEGIN);
    process.minute(&gone, vec![2; 6]);
    gone.settle(process.now.at, &mut Some(BEGIN), false).await.unwrap();
    assert!(read(&gone, true).await.is_empty());

    let book = Book::new(store.clone(), "one".into());
    let (mut process, mut summed_up) = (Process::at(BEGIN + 24 * HOUR), None);
    process.minute(&book, [1]);
    book.settle(process.now.at, &mut summed_up, false).await.unwrap();
    assert_eq!(read(&book, false).await.len(), 2, "a day old is kept");
    let mut process = Process::at(BEGIN + 27 * HOUR);
    process.minute(&book, []);
    book.settle(process.now.at, &mut summed_up, false).await.unwrap();
    assert!(read(&book, false).await.iter().all(|minute| minute.host == "one"));
    let hours = read(&book, true).await;
    let counts: Vec<_> = hours.iter().map(|hour| (hour.host.as_str(), hour.sample.counts.searches)).collect();
    assert_eq!(counts, [("gone", 6), ("one", 1)]);

    // A month and a day later.
    let mut process = Process::at(BEGIN + 32 * 24 * HOUR);
    process.minute(&book, []);
    book.settle(process.now.at, &mut summed_up, false).await.unwrap();
    assert!(read(&book, true).await.iter().all(|hour| hour.sample.counts.searches == 0));
}

#[tokio::test]
async fn an_answer_is_bounded_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let book = Book::new(Store::open(&folder).await, "one".into());
    let mut process = Process::at(BEGIN);
    (0..5).for_each(|_| process.minute(&book, []));
    book.settle(process.now.at, &mut None, false).await.unwrap();
    let some = book.read(&HistoryRequest { limit: 3, ..everything(false) }).await.unwrap();
    assert_eq!((some.samples.len(), some.truncated, some.host.as_str()), (3, true, "one"));
    let range = HistoryRequest { from: BEGIN + MINUTE, to: BEGIN + 3 * MINUTE, ..everything(false) };
    let times: Vec<i64> = book.read(&range).await.unwrap().samples.iter().map(|sample| sample.sample.at).collect();
    assert_eq!(times, [BEGIN + MINUTE, BEGIN + 2 * MINUTE]);
    let other = HistoryRequest { host: Some("other".into()), ..everything(false) };
    assert!(book.read(&other).await.unwrap().samples.is_empty());
}
