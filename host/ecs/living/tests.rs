//! A world from its first event to its last.
