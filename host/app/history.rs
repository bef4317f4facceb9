//! Figures of the past: takes a sample at the end of every minute, keeps it in the store, sums minutes up
//! to hours, and forgets what is old. A store that is away holds nothing up: samples wait in memory, up
//! to a bound, and are written later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cache::Cache;
use crate::http::{BackendError, HistoryRequest, HostSample, PastFigures};
use crate::index::Searched;
use crate::store::{HistoryRange, HistoryRow, HistoryStore, Resolution, Store, StoreError};
use crate::telemetry::history::{Counts, Levels, Moment, Sample, TierCounts};
use crate::telemetry::{HistoryFigures, Metrics, resident_bytes};

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
/// Minutes are kept for a day, and until their hour is summed up.
const KEEP_MINUTES: i64 = 25 * HOUR;
const KEEP_HOURS: i64 = 31 * 24 * HOUR;

/// Samples that wait for the store: a day of them.
const MOST_WAITING: usize = 24 * 60;

/// How long the store may take; what it was asked to write is asked again.
const STORE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the end of the process waits for the last sample to be written.
const LAST_WRITE: Duration = Duration::from_secs(2);

/// Where figures come from.
pub(super) struct Sources {
    pub(super) metrics: Arc<Metrics>,
    pub(super) cache: Cache,
    pub(super) index: Searched,
    pub(super) store: Arc<dyn Store>,
}

/// The history of this host.
pub(super) struct History {
    book: Book,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl History {
    /// Starts to take samples.
    pub(super) fn start(host: String, sources: Sources) -> Self {
        let book = Book::new(sources.store.clone() as Arc<dyn HistoryStore>, host);
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        tracker.spawn(keep(book.clone(), sources, stop.clone()));
        tracker.close();
        Self { book, stop, tracker }
    }

    /// Takes the last sample and writes it, if the store lets it.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        let _ = tokio::time::timeout(LAST_WRITE, self.tracker.wait()).await;
    }

    pub(super) fn figures(&self) -> HistoryFigures {
        self.book.figures()
    }

    pub(super) async fn read(&self, request: &HistoryRequest) -> Result<PastFigures, BackendError> {
        self.book.read(request).await
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn keep(book: Book, sources: Sources, stop: CancellationToken) {
    let mut last = sources.moment().await;
    let mut summed_up = None;
    loop {
        let stopping = tokio::select! {
            () = tokio::time::sleep(to_next_minute()) => false,
            () = stop.cancelled() => true,
        };
        let moment = sources.moment().await;
        book.note(&last, &moment);
        last = moment;
        if let Err(error) = book.settle(last.at, &mut summed_up, stopping).await {
            book.counters.failures.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%error, "the store does not take figures of the past at present; they wait");
        }
        if stopping {
            return;
        }
    }
}

impl Sources {
    async fn moment(&self) -> Moment {
        let (searches, requests) = (self.metrics.search_figures(), self.metrics.request_figures());
        let (cache, index) = (self.cache.figures().await, self.index.snapshot().stats());
        let pool = self.store.pool();
        let sum = |of: fn(&crate::cache::NamespaceFigures) -> u64| cache.namespaces.iter().map(of).sum();
        Moment {
            at: unix_now(),
            counts: Counts {
                searches: searches.total,
                cache_hits: searches.hits,
                search_errors: requests.search_errors,
                requests: requests.requests,
                request_errors: requests.request_errors,
                first_tier: TierCounts {
                    hits: sum(|namespace| namespace.hits + namespace.stale),
                    misses: sum(|namespace| namespace.shared + namespace.misses + namespace.coalesced),
                    evictions: sum(|namespace| namespace.evicted),
                    errors: 0,
                },
                second_tier: cache.shared.as_ref().map_or_else(TierCounts::default, |shared| TierCounts {
                    hits: shared.hits,
                    misses: shared.misses,
                    evictions: shared.evictions,
                    errors: shared.errors,
                }),
            },
            levels: Levels {
                memory_bytes: resident_bytes().unwrap_or_default() as f64,
                cache_entries: cache.entries as f64,
                cache_bytes: cache.bytes as f64,
                database_in_use: pool.map(|pool| pool.in_use.into()),
                database_waiting: pool.map(|pool| pool.waiting.into()),
                index_documents: index.documents as f64,
            },
            searches: self.metrics.search_times(),
            generation: index.generation,
        }
    }
}

#[derive(Default)]
struct Counters {
    written: AtomicU64,
    failures: AtomicU64,
    dropped: AtomicU64,
}

/// The rows of one host, those in the store and those that are on their way.
#[derive(Clone)]
struct Book {
    store: Arc<dyn HistoryStore>,
    host: Arc<str>,
    waiting: Arc<Mutex<VecDeque<HistoryRow>>>,
    counters: Arc<Counters>,
}

impl Book {
    fn new(store: Arc<dyn HistoryStore>, host: String) -> Self {
        Self { store, host: host.into(), waiting: Arc::default(), counters: Arc::default() }
    }

    fn figures(&self) -> HistoryFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HistoryFigures {
            written: read(&self.counters.written),
            failures: read(&self.counters.failures),
            dropped: read(&self.counters.dropped),
            waiting: self.waiting.lock().len() as u64,
        }
    }

    /// Takes in what happened between two moments.
    fn note(&self, earlier: &Moment, later: &Moment) {
        let sample = Sample::between(earlier, later);
        let mut waiting = self.waiting.lock();
        waiting.push_back(row(&self.host, Resolution::Minute, &sample));
        while waiting.len() > MOST_WAITING {
            waiting.pop_front();
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes what waits; then, once an hour, sums up the hours that have passed and forgets what is old.
    /// `summed_up` is the end of the last hour that was. Nothing of that when there is no time any more.
    async fn settle(&self, now: i64, summed_up: &mut Option<i64>, stopping: bool) -> Result<(), StoreError> {
        self.write().await?;
        let hour = now.div_euclid(HOUR) * HOUR;
        if stopping || *summed_up == Some(hour) {
            return Ok(());
        }
        self.sum_up(hour).await?;
        self.forget(now).await?;
        *summed_up = Some(hour);
        Ok(())
    }

    async fn write(&self) -> Result<(), StoreError> {
        let rows: Vec<HistoryRow> = self.waiting.lock().iter().cloned().collect();
        if rows.is_empty() {
            return Ok(());
        }
        within(self.store.record_history(&rows)).await?;
        let mut waiting = self.waiting.lock();
        // Only this task takes rows in, so the first ones are those that were written.
        let written = rows.len().min(waiting.len());
        waiting.drain(..written);
        self.counters.written.fetch_add(rows.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Makes an hour of this host's minutes, for each hour before `until` that has none.
    async fn sum_up(&self, until: i64) -> Result<(), StoreError> {
        let range = |resolution, from, until, limit| HistoryRange {
            resolution,
            from,
            until,
            host: Some(self.host.to_string()),
            limit,
        };
        let hours = within(self.store.history(&range(Resolution::Hour, until - KEEP_HOURS, until, u32::MAX))).await?;
        let mut from = hours.last().map_or(0, |hour| hour.at + HOUR);
        loop {
            // Where nobody was there, there is nothing to sum up.
            let next = within(self.store.history(&range(Resolution::Minute, from, until, 1))).await?;
            let Some(next) = next.first() else { return Ok(()) };
            let hour = next.at.div_euclid(HOUR) * HOUR;
            let minutes = within(self.store.history(&range(Resolution::Minute, hour, hour + HOUR, u32::MAX))).await?;
            within(self.store.record_history(&hours_of(hour, minutes))).await?;
            from = hour + HOUR;
        }
    }

    /// Forgets what is old, of all hosts. Hours of hosts that did not come back to sum them up are made
    /// before their minutes go.
    async fn forget(&self, now: i64) -> Result<(), StoreError> {
        let oldest_minute = (now - KEEP_MINUTES).div_euclid(HOUR) * HOUR;
        let range = |resolution, from, until| HistoryRange { resolution, from, until, host: None, limit: u32::MAX };
        let minutes = within(self.store.history(&range(Resolution::Minute, 0, oldest_minute))).await?;
        let mut by_hour: BTreeMap<i64, Vec<HistoryRow>> = BTreeMap::new();
        for minute in minutes {
            by_hour.entry(minute.at.div_euclid(HOUR) * HOUR).or_default().push(minute);
        }
        for (hour, mut minutes) in by_hour {
            let known = within(self.store.history(&range(Resolution::Hour, hour, hour + 1))).await?;
            minutes.retain(|minute| known.iter().all(|known| known.host != minute.host));
            within(self.store.record_history(&hours_of(hour, minutes))).await?;
        }
        within(self.store.forget_history(Resolution::Minute, oldest_minute)).await?;
        within(self.store.forget_history(Resolution::Hour, now - KEEP_HOURS)).await?;
        Ok(())
    }

    async fn read(&self, request: &HistoryRequest) -> Result<PastFigures, BackendError> {
        let resolution = if request.hourly { Resolution::Hour } else { Resolution::Minute };
        let range = HistoryRange {
            resolution,
            from: request.from,
            until: request.to,
            host: request.host.clone(),
            limit: request.limit.saturating_add(1),
        };
        let wanted = |row: &&HistoryRow| {
            row.resolution == resolution
                && (range.from..range.until).contains(&row.at)
                && range.host.as_ref().is_none_or(|host| *host == row.host)
        };
        // Before the store is asked: what gets there in between is seen twice, not never.
        let waiting: Vec<HistoryRow> = self.waiting.lock().iter().filter(wanted).cloned().collect();
        let unavailable =
            |_| BackendError::Unavailable("the store cannot be read at present; try again in a moment".into());
        let mut rows = within(self.store.history(&range)).await.map_err(unavailable)?;
        let truncated = rows.len() > request.limit as usize;
        rows.truncate(request.limit as usize);
        if !truncated {
            let own = rows.iter().filter(|row| *row.host == *self.host);
            let stored: BTreeSet<i64> = own.map(|row| row.at).collect();
            rows.extend(waiting.into_iter().filter(|row| !stored.contains(&row.at)));
        }
        let host = self.host.to_string();
        // A thousand histograms are real work.
        let samples = tokio::task::spawn_blocking(move || samples(resolution, rows))
            .await
            .map_err(|error| BackendError::Internal(error.to_string()))?;
        Ok(PastFigures { host, samples, truncated })
    }
}

/// By stretch, then by host; rows of the same stretch and host in one.
fn samples(resolution: Resolution, rows: Vec<HistoryRow>) -> Vec<HostSample> {
    let mut stretches: BTreeMap<(i64, String), Vec<HistoryRow>> = BTreeMap::new();
    for row in rows {
        let begin = row.at.div_euclid(resolution.seconds()) * resolution.seconds();
        stretches.entry((begin, row.host.clone())).or_default().push(row);
    }
    let sample = |((at, host), rows): ((i64, String), Vec<HistoryRow>)| {
        let mut sample = Sample::merged(at, &rows.iter().filter_map(read).collect::<Vec<_>>())?;
        let times = std::mem::take(&mut sample.searches).figures();
        Some(HostSample { host, sample, times })
    };
    stretches.into_iter().filter_map(sample).collect()
}

/// One row for each host that has minutes.
fn hours_of(hour: i64, minutes: Vec<HistoryRow>) -> Vec<HistoryRow> {
    let mut by_host: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    for minute in minutes {
        let Some(sample) = read(&minute) else { continue };
        by_host.entry(minute.host).or_default().push(sample);
    }
    let sum =
        |(host, samples): (String, Vec<Sample>)| Some(row(&host, Resolution::Hour, &Sample::merged(hour, &samples)?));
    by_host.into_iter().filter_map(sum).collect()
}

fn row(host: &str, resolution: Resolution, sample: &Sample) -> HistoryRow {
    HistoryRow {
        host: host.to_owned(),
        resolution,
        at: sample.at,
        figures: sample.figures_text(),
        times: sample.searches.encode(),
    }
}

/// None for a damaged row, which then is missing.
fn read(row: &HistoryRow) -> Option<Sample> {
    Sample::from_kept(row.at, &row.figures, &row.times)
}

async fn within<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = |_| Err(StoreError::Busy(format!("no answer within {} s", STORE_TIMEOUT.as_secs())));
    tokio::time::timeout(STORE_TIMEOUT, call).await.unwrap_or_else(late)
}

fn unix_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    i64::try_from(now).unwrap_or(i64::MAX)
}

/// Minutes end when the clock says so, on all hosts at once, so that their samples lie side by side.
fn to_next_minute() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let minute = Duration::from_secs(MINUTE.unsigned_abs());
    minute - Duration::from_millis((now.as_millis() % minute.as_millis()) as u64)
}

#[cfg(test)]
mod tests;
