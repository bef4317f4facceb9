//! The world of agents: entities, time, persistence and concurrency. Every formula is asked of `rules`.
//! Knows nothing of HTTP, wasm or SQL.

/// What agents consist of.
pub mod component;
/// What happened, in order.
pub mod event;
/// A world for tests of those who ask one.
#[cfg(test)]
pub(crate) mod fake;
/// The world at one moment.
mod state;
/// What is told to clients.
pub mod view;
/// What clients may ask.
pub mod world;

pub use world::World;
