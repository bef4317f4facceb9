//! Measures a Corsac server from outside, as its clients see it: `suite http`, `load`, `day` and `all`. Knows of the
//! server what its OpenAPI document says and what `/proc` tells about its process; none of its code.

#![cfg_attr(not(feature = "load"), allow(dead_code, reason = "some of it is for users, who need that feature"))]

/// Requests for every endpoint.
mod cases;
/// The same number of requests under way at any time.
mod closed;
/// What the server's OpenAPI document asks of requests.
mod contract;
/// A mixed day of production.
#[cfg(feature = "load")]
mod day;
/// One request and its answer.
mod exchange;
/// Folders that change while they are indexed.
#[cfg(any(test, feature = "load"))]
mod folder;
/// The benchmark of all endpoints.
mod http;
/// Users of three kinds.
#[cfg(feature = "load")]
mod load;
/// The machine, and processes on it.
mod machine;
/// What criterion has measured.
mod micro;
/// Arrivals at a fixed rate.
mod open;
/// What came of requests.
mod outcome;
/// All that was measured, and how it is shown.
mod report;
/// Texts to ask for, none of them twice.
mod rotation;
/// The server as a child.
mod server;
/// Percentiles of what was measured.
mod tally;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};

use report::Report;

#[derive(Parser)]
#[command(name = "suite", about = "Measure a Corsac server over HTTP")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Every search, ECS and RAG endpoint: closed loop, open loop, cold and warm.
    Http,
    /// Three kinds of users, one after the other, then a mixed day.
    Load,
    /// Searches, indexing of a folder that changes, plugin swaps and ECS at once.
    Day,
    /// All of it, with what criterion has measured before.
    All {
        /// Only one part.
        #[arg(long, value_enum)]
        only: Option<Part>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Micro,
    Http,
    Load,
}

#[derive(clap::Args)]
struct Options {
    /// The server's binary.
    #[arg(long, global = true, default_value = "target/release/corsac")]
    server: PathBuf,
    /// The folder that the server indexes.
    #[arg(long, global = true, default_value = ".")]
    tree: PathBuf,
    /// Short: shows that everything works; its figures mean little.
    #[arg(long, global = true)]
    quick: bool,
    /// Minutes of the mixed day [default: 10, or half a minute with --quick].
    #[arg(long, global = true)]
    minutes: Option<f64>,
    /// Where report.json, report.md and report.html go.
    #[arg(long, global = true, default_value = "target/bench/latest")]
    out: PathBuf,
    /// An earlier report.json to compare with.
    #[arg(long, global = true, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Where criterion keeps what it measured.
    #[arg(long, global = true, default_value = "target/criterion")]
    criterion: PathBuf,
}

impl Options {
    /// `full`, unless the run is a quick one.
    fn size<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(arguments.command, &arguments.options))
}

async fn run(command: Command, options: &Options) -> anyhow::Result<()> {
    // Read before anything is measured: a file that cannot be read should not cost an hour.
    let earlier = options.against.as_deref().map(Report::read).transpose()?;
    std::fs::create_dir_all(&options.out).with_context(|| format!("cannot create {}", options.out.display()))?;
    let mut report = Report::of_this_machine(options.quick);
    let measured = measure(command, options, &mut report).await;
    // Also what there was before something failed: a run takes most of an hour.
    if !report.measured_nothing() {
        report.write(&options.out, earlier.as_ref())?;
        println!("{}", report.markdown(earlier.as_ref()));
        eprintln!("written to {}", options.out.display());
    }
    measured
}

async fn measure(command: Command, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    match command {
        Command::Http => http::run(options, report).await,
        Command::Load => load(options, report, true).await,
        Command::Day => load(options, report, false).await,
        Command::All { only } => {
            let wanted = |part| only.is_none_or(|only| only == part);
            if wanted(Part::Micro) {
                report.micro = micro::read(&options.criterion)?;
            }
            if wanted(Part::Http) {
                http::run(options, report).await?;
            }
            if wanted(Part::Load) {
                load(options, report, true).await?;
            }
            Ok(())
        }
    }
}

#[cfg(feature = "load")]
async fn load(options: &Options, report: &mut Report, users: bool) -> anyhow::Result<()> {
    if users {
        load::run(options, report).await?;
    }
    day::run(options, report).await
}

#[cfg(not(feature = "load"))]
async fn load(_: &Options, _: &mut Report, _: bool) -> anyhow::Result<()> {
    anyhow::bail!("this binary was built without its users: cargo build -p suite --release --features load")
}
