//! Events applied by hand.
