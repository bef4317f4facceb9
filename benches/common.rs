//! What the bench programs share. Every program prints Markdown that `benches/README.md` can take as it
//! is; sizes are tiny unless `cargo bench` runs them.

#![allow(dead_code, unused_imports, reason = "each program uses its part")]

/// A lean HTTP client.
pub mod client;
/// Many clients of one host.
pub mod crowd;
/// Percentiles and Markdown.
pub mod figures;
/// Hosts as processes.
pub mod host;
/// Facts about the machine and this process.
pub mod machine;
/// What the command line says.
pub mod options;
/// Plugins outside of a server.
pub mod plugins;
/// The same work as another program does it.
pub mod ripgrep;
/// A whole server over a real tree.
pub mod server;
/// Queries out of the corpus.
pub mod workload;

use corsac::telemetry::{LogFormat, start_log};
pub use options::Options;

/// As the server's own binary has it; `--cfg system_allocator` measures what that is good for.
#[cfg(not(system_allocator))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The threads of the server, named so that their processor time can be told from the clients'. What it
/// warns of is shown: a figure taken beside a warning is none.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    // Nothing is exported, so nothing is lost.
    let _ = start_log(LogFormat::Text, "warn", None)?;
    Ok(tokio::runtime::Builder::new_multi_thread().thread_name(machine::SERVER_THREADS).enable_all().build()?)
}
