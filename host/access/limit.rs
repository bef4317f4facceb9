//! How often one caller may ask: GCRA, a bucket that holds a minute's requests and fills evenly.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// More would be no limit that this server could reach.
pub const MAX_RATE: u32 = 10_000_000;

const MINUTE: u64 = 60;

/// What is left after a request that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub per_minute: u32,
    /// Requests that may come at once now.
    pub remaining: u32,
    /// Seconds until `remaining` is `per_minute` again if none comes.
    pub full_in: u64,
}

/// A request that came too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    pub per_minute: u32,
    /// Until one more is let through.
    pub wait: Duration,
}

/// The bucket of one caller; a few dozen bytes.
pub(super) struct Limit<Time: Clock = DefaultClock> {
    limiter: RateLimiter<NotKeyed, InMemoryState, Time, StateInformationMiddleware>,
    per_minute: NonZeroU32,
}

impl Limit {
    /// None: no limit.
    pub(super) fn new(per_minute: u32) -> Option<Self> {
        Self::with_clock(per_minute, DefaultClock::default())
    }
}

impl<Time: Clock> Limit<Time> {
    pub(super) fn with_clock(per_minute: u32, clock: Time) -> Option<Self> {
        let per_minute = NonZeroU32::new(per_minute.min(MAX_RATE))?;
        let limiter = RateLimiter::direct_with_clock(Quota::per_minute(per_minute), clock).with_middleware();
        Some(Self { limiter, per_minute })
    }

    /// Takes one request out of the bucket.
    pub(super) fn take(&self) -> Result<Allowance, Exceeded> {
        let per_minute = self.per_minute.get();
        match self.limiter.check() {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let missing = u64::from(per_minute.saturating_sub(remaining));
                let full_in = (missing * MINUTE).div_ceil(per_minute.into());
                Ok(Allowance { per_minute, remaining, full_in })
            }
            Err(until) => Err(Exceeded { per_minute, wait: until.wait_time_from(self.limiter.clock().now()) }),
        }
    }
}
