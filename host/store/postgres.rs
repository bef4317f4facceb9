//! Placeholder.

mod monitor;
