//! The world of agents: entities, time, persistence and concurrency. Every formula is asked of `rules`.
//! Knows nothing of HTTP, wasm or SQL.

/// What events do to it.
mod apply;
/// Seeds.
mod chance;
/// What agents consist of.
pub mod component;
/// What happened, in order.
pub mod event;
/// What can be read off it.
mod read;
/// It as bytes.
mod snapshot;
/// The world at one moment.
mod state;
/// The world, one step on.
mod tick;
/// What is told to clients.
pub mod view;
/// What clients may ask.
pub mod world;

pub use world::World;
