//! The world of agents: entities, time, persistence and concurrency. Every formula is asked of `rules`.
//! Knows nothing of HTTP, wasm or SQL.

/// A world for tests of those who ask one.
#[cfg(test)]
pub(crate) mod fake;
/// What agents consist of.
pub mod component;
/// What clients may ask.
pub mod world;
/// What happened, in order.
pub mod event;
/// What is told to clients.
pub mod view;
/// The world at one moment.
mod state;

pub use world::World;
