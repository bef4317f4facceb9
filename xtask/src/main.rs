//! The project's own commands: `cargo xtask serve`, `test`, `bench`, `lint`, `plugins`, `fixtures`, `services`, `new`.
//!
//! Sets up what a fresh machine lacks, then hands over to cargo. Knows nothing of the host's code.

mod bench;
mod components;
mod process;
mod scaffold;
mod services;
mod toolchain;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use process::{Failure, cargo, run};
use toolchain::Choice;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build, serve and test Corsac")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Where the compiler for plugins comes from.
    #[arg(long, global = true, value_enum, default_value_t = Choice::Auto)]
    toolchain: Choice,
}

#[derive(Subcommand)]
enum Command {
    /// Build the standard plugins into plugins/.built.
    Plugins {
        /// Build the test fixtures as well.
        #[arg(long)]
        fixtures: bool,
    },
    /// Build the test fixtures into tests/fixtures/.built.
    Fixtures,
    /// Install what tests start: PostgreSQL, with pgvector and without, Redis, and a browser.
    Services,
    /// Build everything in release mode, index PATH and serve it on 127.0.0.1:8000.
    Serve {
        /// The folder to index; without it, this repository.
        path: Option<PathBuf>,
        /// For `corsac serve`, after `--`, such as `--listen 127.0.0.1:9000`.
        #[arg(last = true)]
        extra: Vec<OsString>,
    },
    /// Set up everything and run all tests.
    Test {
        /// For the host's tests, after `--`, such as a filter.
        #[arg(last = true)]
        extra: Vec<OsString>,
    },
    /// Build everything in release mode, measure layers, endpoints and users, and write a report.
    Bench(bench::Options),
    /// Check formatting, then clippy with warnings denied.
    Lint,
    /// Start a plugin of your own in a folder of its own.
    New {
        kind: scaffold::Kind,
        /// Name of plugin and folder: a-z, 0-9 and `-`.
        name: String,
        /// The folder to create it in.
        #[arg(long, default_value = ".")]
        within: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    match dispatch(arguments, root) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: Arguments, root: &Path) -> Result<(), Failure> {
    let toolchain = arguments.toolchain;
    match arguments.command {
        Command::Plugins { fixtures } => {
            components::plugins(root, toolchain)?;
            if fixtures { components::fixtures(root, toolchain) } else { Ok(()) }
        }
        Command::Fixtures => components::fixtures(root, toolchain),
        Command::Services => services::require(root),
        Command::Serve { path, extra } => serve(root, toolchain, path, extra),
        Command::Test { extra } => test(root, toolchain, extra),
        Command::Bench(options) => bench::bench(root, toolchain, &options),
        Command::Lint => lint(root),
        Command::New { kind, name, within } => scaffold::create(root, kind, &name, &within),
    }
}

fn serve(root: &Path, toolchain: Choice, path: Option<PathBuf>, extra: Vec<OsString>) -> Result<(), Failure> {
    toolchain::require_cpp()?;
    components::plugins(root, toolchain)?;
    let mut command = cargo(root);
    // `cargo run` finds the binary wherever the target folder is; the path is the caller's, not the root's.
    let path = std::path::absolute(path.unwrap_or_else(|| root.to_path_buf()))
        .map_err(|error| Failure::new("cannot tell the folder to index", error))?;
    command.args(["run", "--release", "--bin", "corsac", "--", "serve"]).arg(path);
    if !extra.iter().any(|argument| argument.to_string_lossy().starts_with("--listen")) {
        command.args(["--listen", "127.0.0.1:8000"]);
    }
    run(command.args(extra), "see the message above; a port in use: cargo xtask serve -- --listen 127.0.0.1:8001")
}

/// All stages run, so that one run shows all failures. The host's tests come last, so that the last line
/// printed is the test runner's own summary.
fn test(root: &Path, toolchain: Choice, extra: Vec<OsString>) -> Result<(), Failure> {
    toolchain::require_cpp()?;
    components::plugins(root, toolchain)?;
    components::fixtures(root, toolchain)?;
    services::require(root)?;
    let stage = |arguments: &[&str], extra: &[OsString]| {
        let mut command = cargo(root);
        command.args(["test", "--no-fail-fast"]).args(arguments).args(extra);
        run(&mut command, "a test failed or did not compile: its message is above")
    };
    let guests = stage(&["--workspace", "--exclude", "corsac", "--tests"], &[]);
    let examples_in_docs = stage(&["--doc"], &[]);
    let host = stage(&["--tests"], &extra);
    guests.and(examples_in_docs).and(host)
}

fn lint(root: &Path) -> Result<(), Failure> {
    toolchain::require_lints(root)?;
    toolchain::require_cpp()?;
    run(cargo(root).args(["fmt", "--all", "--check"]), "run cargo fmt --all")?;
    // The users of the suite are built by no test, so this is what notices that they no longer compile.
    let clippy = ["clippy", "--workspace", "--all-targets", "--features", "suite/load", "--", "-D", "warnings"];
    run(cargo(root).args(clippy), "the lint's message above says what to change")
}
