//! The world of agents: entities, time, persistence and concurrency. Every formula is asked of `rules`.
//! Knows nothing of HTTP, wasm or SQL.

/// What events do to it.
mod apply;
/// Seeds.
mod chance;
/// What clients make happen.
mod commands;
/// What agents consist of.
pub mod component;
/// Agents as rules score them.
mod crowd;
/// What happened, in order.
pub mod event;
/// A world for tests of those who ask one.
#[cfg(test)]
pub(crate) mod fake;
/// Snapshots and the past.
mod history;
/// Where it changes.
mod journal;
/// The world as hosts share it.
mod living;
/// One agent, one caller.
mod locks;
/// Its time.
mod metronome;
/// What agents are called.
mod names;
/// Agents by number.
mod numbers;
/// Questions about two agents that the rules answer.
mod pairs;
/// What can be read off it.
mod read;
/// Events as they are kept.
mod record;
/// From events to the world.
mod replay;
/// The world while it runs here.
mod running;
/// It as bytes.
mod snapshot;
/// The world at one moment.
mod state;
/// One tick.
mod tick;
/// What is told to clients.
pub mod view;
/// What clients may ask.
pub mod world;

pub use living::{Ecs, Right};
pub use running::Options;
pub use world::World;
