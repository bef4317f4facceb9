//! The one integration binary (linking the engine is slow): each module is one behaviour of the server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail by panicking")]

mod access;
mod cache;
mod cluster;
mod commands;
mod contract;
mod database;
mod durability;
mod faults;
mod hostile;
mod indexing;
mod language;
mod model;
mod outage;
mod page;
mod pages;
mod postgres;
mod rag;
mod reload;
mod requests;
mod retrieval;
mod rules;
mod runtime;
mod search;
mod status;
mod suggest;
mod support;
mod swap;
mod tidy;
mod tls;
mod upstream;
mod usage;
mod world;
