//! What one plugin version did since it was loaded: calls, errors by kind, latency, memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;

use super::error::CallError;

/// Latencies are kept in microseconds with two significant digits, up to one minute; longer ones count
/// as one minute.
const LONGEST_MICROSECONDS: u64 = 60_000_000;

pub struct Statistics {
    calls: AtomicU64,
    in_flight: AtomicUsize,
    memory_high_water: AtomicUsize,
    errors: Mutex<BTreeMap<&'static str, u64>>,
    last_error: Mutex<Option<String>>,
    latency: Mutex<Option<Histogram<u64>>>,
}

/// A reading of `Statistics`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatisticsReading {
    pub calls: u64,
    pub in_flight: usize,
    /// By `CallError::kind`.
    pub errors: BTreeMap<&'static str, u64>,
    pub last_error: Option<String>,
    /// Microseconds.
    pub p50_us: u64,
    /// Microseconds.
    pub p99_us: u64,
    pub memory_high_water_bytes: usize,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            calls: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            memory_high_water: AtomicUsize::new(0),
            errors: Mutex::default(),
            last_error: Mutex::default(),
            latency: Mutex::new(Histogram::new_with_bounds(1, LONGEST_MICROSECONDS, 2).ok()),
        }
    }
}

impl Statistics {
    /// Starts over, but remembers how much memory the trial call took.
    pub fn after_trial(&self) -> Self {
        let memory = self.memory_high_water.load(Ordering::Relaxed);
        Self { memory_high_water: AtomicUsize::new(memory), ..Self::default() }
    }

    /// Counts a call in; the guard counts it out again, however it ends.
    pub fn enter(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }

    pub fn record(&self, took: Duration, memory_high_water: usize, error: Option<&CallError>) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.memory_high_water.fetch_max(memory_high_water, Ordering::Relaxed);
        if let Some(latency) = self.latency.lock().as_mut() {
            latency.saturating_record(took.as_micros().try_into().unwrap_or(LONGEST_MICROSECONDS).max(1));
        }
        if let Some(error) = error {
            *self.errors.lock().entry(error.kind()).or_default() += 1;
            *self.last_error.lock() = Some(error.to_string());
        }
    }

    pub fn read(&self) -> StatisticsReading {
        let quantile = |q: f64| self.latency.lock().as_ref().map_or(0, |latency| latency.value_at_quantile(q));
        StatisticsReading {
            calls: self.calls.load(Ordering::Relaxed),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            errors: self.errors.lock().clone(),
            last_error: self.last_error.lock().clone(),
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
            memory_high_water_bytes: self.memory_high_water.load(Ordering::Relaxed),
        }
    }
}

pub struct InFlight<'a>(&'a Statistics);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
