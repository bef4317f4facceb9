//! The state as bytes.
