//! Throw-away PostgreSQL and Redis servers and browsers for tests and benches: real programs on free ports of
//! loopback, in temporary folders, that end with the process that started them, however that ends. Never a server
//! that happens to be there. Everything here blocks; failures panic with what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod browser;
mod certificate;
mod child;
mod postgres;
mod redis;

pub use browser::Browser;
pub use certificate::Certificate;
pub use postgres::{Postgres, PostgresKind, PostgresOptions};
pub use redis::{Redis, RedisCluster};

/// A port that was free a moment ago. Another process may take it first: whoever starts a server on it tries again.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
