//! The values of the world of agents.

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::settings::within;
use crate::ecs::component::MAP_EDGE;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EcsSettings {
    /// There is a world.
    pub enabled: bool,
    /// Plugin whose rules decide in a new world; later the world itself says which.
    pub rules: String,
    /// Between two ticks, in milliseconds.
    pub tick_ms: u64,
    /// World seconds a second, in a new world.
    pub acceleration: f32,
    /// World seconds a year of an agent's age, in a new world.
    pub seconds_per_year: f32,
    /// Where all chance of a new world comes from; none: drawn once, and kept.
    pub seed: Option<u64>,
    /// New agents without a place appear at most this far from the middle, on either axis.
    pub spawn_radius: f32,
    /// Ticks between two snapshots that the host makes by itself.
    pub snapshot_ticks: u64,
    /// More are refused.
    pub max_agents: u32,
}

impl Default for EcsSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            rules: "traits-classic".to_owned(),
            tick_ms: 1000,
            acceleration: 1.0,
            seconds_per_year: 3600.0,
            seed: None,
            spawn_radius: 100.0,
            snapshot_ticks: 300,
            max_agents: 1_000_000,
        }
    }
}

impl EcsSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("ecs.tick_ms", self.tick_ms, 10, 3_600_000)?;
        number("ecs.acceleration", self.acceleration, 0.1, 100.0)?;
        // Ages are 32-bit: a tick must be a ten-thousandth of a year or more, or a grown agent would not age by it.
        number("ecs.seconds_per_year", self.seconds_per_year, 0.001, self.tick_ms as f32 * 10.0)?;
        number("ecs.spawn_radius", self.spawn_radius, 0.0, MAP_EDGE)?;
        within("ecs.snapshot_ticks", self.snapshot_ticks, 1, 1_000_000)?;
        within("ecs.max_agents", self.max_agents.into(), 1, 10_000_000)
    }
}

fn number(name: &'static str, value: f32, least: f32, most: f32) -> Result<(), ConfigError> {
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(ConfigError::Number { name, value, least, most }),
    }
}
