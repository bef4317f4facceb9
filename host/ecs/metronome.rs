//! The world's time: one tick after the other, each durable before it happens. What happens in one is
//! `tick`'s.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::event::Event;
use super::journal::Effect;
use super::running::Running;
use super::state::State;
use super::tick;
use super::view::WorldError;

/// Events after which a world without ticks is saved: a start replays them in a second or so.
const IDLE_EVENTS: u64 = 20_000;

impl Running {
    /// Makes it tick until it is dropped. Ticks that come late are counted and not made up for: a world that
    /// cannot keep up goes slower, not in bursts.
    pub(super) async fn keep_time(self: Arc<Self>) {
        let period = self.options.tick;
        let mut due = tokio::time::Instant::now() + period;
        loop {
            tokio::time::sleep_until(due).await;
            if let Err(error) = self.beat().await {
                tracing::warn!(%error, "the world does not tick");
            }
            let now = tokio::time::Instant::now();
            due += period;
            if due <= now {
                let missed = 1 + (now - due).as_nanos() / period.as_nanos().max(1);
                self.figures.late_ticks.fetch_add(u64::try_from(missed).unwrap_or(u64::MAX), Ordering::Relaxed);
                due = now + period;
            }
        }
    }

    /// What is due every period.
    async fn beat(self: &Arc<Self>) -> Result<(), WorldError> {
        let idle = self.with(|state| state.clock.paused || state.agents.is_empty());
        if idle {
            // Other rules decide in a world without ticks, too.
            if self.rules_changed() {
                self.follow_rules(&self.alone().await).await?;
            }
            let since =
                self.with(State::sequence).saturating_sub(self.figures.snapshot_sequence.load(Ordering::Relaxed));
            if since >= IDLE_EVENTS {
                self.save_meanwhile();
            }
            return Ok(());
        }
        self.tick().await?;
        let ticks = self.with(|state| state.clock.tick);
        // A restoration may have set it back.
        let since = ticks.saturating_sub(self.figures.snapshot_tick.load(Ordering::Relaxed));
        if since >= self.options.snapshot_ticks {
            self.save_meanwhile();
        }
        Ok(())
    }

    /// An automatic snapshot, unless one is under way.
    fn save_meanwhile(self: &Arc<Self>) {
        if self.figures.saving.swap(true, Ordering::AcqRel) {
            return;
        }
        let running = self.clone();
        tokio::spawn(async move {
            if let Err(error) = running.save_snapshot(None).await {
                tracing::warn!(%error, "the world was not saved; its events are");
            }
            running.figures.saving.store(false, Ordering::Release);
        });
    }

    /// One tick, now.
    pub(super) async fn tick(&self) -> Result<(), WorldError> {
        let alone = self.alone().await;
        self.follow_rules(&alone).await?;
        let rules = self.book.rules();
        let begun = Instant::now();
        let acceleration = self.with(|state| state.clock.acceleration);
        let step = self.options.tick.as_secs_f32() * acceleration;
        let plan = tick::plan(&self.book.state, &*rules, step, &[]).await;
        if let Some((_, last)) = plan.failures().last() {
            let failed = plan.failures().len() as u64;
            tracing::warn!(error = %last, failed, "calls of rules failed in a tick and have no effect");
            self.figures.failed_calls.fetch_add(failed, Ordering::Relaxed);
            *self.figures.last_failure.lock() = Some(last.to_string());
        }
        let event = Event::Ticked { step, skipped: plan.skipped().to_vec() };
        self.journal.write(rules.about().digest, event, Effect::Tick(Box::new(plan)), alone).await?;
        *self.figures.last_tick.lock() = begun.elapsed();
        Ok(())
    }
}
