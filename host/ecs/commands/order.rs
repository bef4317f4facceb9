//! What concerns the whole world: its clock, time by hand, whether agents breed, and which rules decide.

use super::invalid;
use crate::ecs::event::Event;
use crate::ecs::record::{hexadecimal, rfc3339};
use crate::ecs::running::Running;
use crate::ecs::view::{BreedingStats, ClockView, RulesView, WorldError};
use crate::ecs::world::ClockChange;

const NOBODY: [u8; 32] = [0; 32];
/// Ticks that one request may make happen.
const MOST_TICKS: u32 = 10_000;

impl Running {
    pub(in crate::ecs) async fn set_clock(&self, change: ClockChange) -> Result<ClockView, WorldError> {
        // Alone, so that what it leaves as it is, is what it is.
        let alone = self.alone().await;
        let before = self.with(|state| state.clock);
        let acceleration = change.acceleration.unwrap_or(before.acceleration);
        if !(0.1..=100.0).contains(&acceleration) {
            return Err(invalid("acceleration", "must be from 0.1 to 100"));
        }
        let paused = change.paused.unwrap_or(before.paused);
        if (acceleration, paused) != (before.acceleration, before.paused) {
            self.tell(NOBODY, Event::Clock { acceleration, paused }, alone).await?;
        }
        Ok(self.clock())
    }

    pub(in crate::ecs) async fn step(&self, ticks: u32) -> Result<ClockView, WorldError> {
        if !(1..=MOST_TICKS).contains(&ticks) {
            return Err(invalid("ticks", format!("must be from 1 to {MOST_TICKS}")));
        }
        for _ in 0..ticks {
            self.tick().await?;
        }
        Ok(self.clock())
    }

    pub(in crate::ecs) async fn set_breeding(&self, enabled: bool) -> Result<BreedingStats, WorldError> {
        let alone = self.alone().await;
        if self.with(|state| state.breeding) != enabled {
            self.tell(NOBODY, Event::Breeding { enabled }, alone).await?;
        }
        Ok(self.with(|state| state.breeding_stats()))
    }

    pub(in crate::ecs) async fn set_rules(&self, name: &str) -> Result<RulesView, WorldError> {
        let Some(rules) = self.shelf.source.current(name) else {
            let known = self.shelf.source.known().join(", ");
            return Err(invalid("name", format!("names no rules that are loaded; those are: {known}")));
        };
        let alone = self.alone().await;
        if self.book.rules().about().digest != rules.about().digest {
            self.adopt(rules.clone(), alone).await?;
        }
        let about = rules.about();
        let used = self.rules_used().await?;
        let known = used.into_iter().find(|used| used.digest == hexadecimal(&about.digest));
        Ok(known.unwrap_or_else(|| RulesView {
            name: about.name.clone(),
            version: about.version.clone(),
            digest: hexadecimal(&about.digest),
            first_used: rfc3339(crate::ecs::record::now()),
            current: true,
        }))
    }

    pub(in crate::ecs) fn clock(&self) -> ClockView {
        let tick_ms = u64::try_from(self.options.tick.as_millis()).unwrap_or(u64::MAX);
        self.with(|state| state.clock_view(tick_ms))
    }
}
