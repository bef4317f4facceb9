//! The world of agents among the server's parts: what it is kept in, whose rules decide in it, and which host
//! runs it.

use std::sync::Arc;
use std::time::Duration;

use super::App;
use crate::config::EcsSettings;
use crate::ecs::{Ecs, Options, Right};
use crate::http::{PartState, PartStatus};
use crate::runtime::{RulesOfPlugins, Runtime};
use crate::store::Store;

/// Name of the right to run it, among the hosts of one database.
const LEASE: &str = "ecs-world";

/// None where it is switched off.
pub(super) fn start(settings: &EcsSettings, store: &Arc<dyn Store>, runtime: &Arc<Runtime>) -> Option<Arc<Ecs>> {
    if !settings.enabled {
        return None;
    }
    let leases = store.clone();
    let right: Right = Arc::new(move || {
        let leases = leases.clone();
        Box::pin(async move { leases.lease(LEASE).await })
    });
    let options = Options {
        rules: settings.rules.clone(),
        tick: Duration::from_millis(settings.tick_ms),
        acceleration: settings.acceleration,
        seconds_per_year: settings.seconds_per_year,
        seed: settings.seed,
        spawn_radius: settings.spawn_radius,
        snapshot_ticks: settings.snapshot_ticks,
        max_agents: settings.max_agents,
    };
    Some(Ecs::start(store.clone(), Arc::new(RulesOfPlugins::new(runtime.clone())), right, options))
}

impl App {
    pub(super) fn world_part(&self) -> PartStatus {
        let (state, detail) = match &self.ecs {
            None => (PartState::Off, "ecs.enabled is false".to_owned()),
            Some(ecs) => match ecs.condition() {
                // Where hosts share a database, all but one are so, for good.
                ("running" | "paused" | "elsewhere", detail) => (PartState::Up, detail),
                ("replaying", detail) => (PartState::Degraded, detail),
                (_, detail) => (PartState::Away, detail),
            },
        };
        PartStatus { name: "world", state, detail, needed: false }
    }
}
