//! Words about the server itself: its parts, its connections, its past.

use crate::cache::SharedFigures;
use crate::telemetry::LatencyFigures;
use crate::telemetry::history::Sample;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartState {
    Up,
    /// Works, but not all of it.
    Degraded,
    Away,
    /// Not asked for.
    Off,
}

/// One part of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartStatus {
    pub name: &'static str,
    pub state: PartState,
    /// What it is, or what is wrong with it, without internals.
    pub detail: String,
    /// Without it no search can be answered.
    pub needed: bool,
}

impl PartStatus {
    pub fn stops_searches(&self) -> bool {
        self.needed && self.state == PartState::Away
    }

    pub fn is_in_trouble(&self) -> bool {
        matches!(self.state, PartState::Degraded | PartState::Away)
    }
}

/// Connections to one server.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PoolUse {
    /// Open ones.
    pub size: u64,
    pub idle: u64,
    pub in_use: u64,
    pub max: u64,
    /// Callers that wait for one.
    pub waiting: u64,
}

impl PoolUse {
    /// Percent of what there may be.
    pub fn usage(&self) -> f64 {
        if self.max == 0 { 0.0 } else { self.in_use as f64 * 100.0 / self.max as f64 }
    }
}

/// Callers share the connections to Redis, so all that are open are in use and nobody waits for one.
impl From<&SharedFigures> for PoolUse {
    fn from(redis: &SharedFigures) -> Self {
        let (size, max) = (redis.connections, redis.max_connections);
        Self { size, idle: 0, in_use: size, max, waiting: 0 }
    }
}

/// Which part of the past; samples that begin from `from` on and before `to`, in Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRequest {
    /// Else per minute.
    pub hourly: bool,
    pub from: i64,
    pub to: i64,
    /// None: all hosts.
    pub host: Option<String>,
    pub limit: u32,
}

/// A part of the past.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PastFigures {
    /// Name of the host that answers.
    pub host: String,
    /// By time, then by host.
    pub samples: Vec<HostSample>,
    pub truncated: bool,
}

/// One host's minute or hour.
#[derive(Clone, Debug, PartialEq)]
pub struct HostSample {
    pub host: String,
    /// Its distribution is empty: `times` sums it up, since many of them would take much memory.
    pub sample: Sample,
    pub times: LatencyFigures,
}
