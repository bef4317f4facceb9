//! Retrieval by PostgreSQL against retrieval by the host's own index: time until everything can be searched, latency of
//! each strategy over the same tree and the same questions, and relevance on judged collections.
//!
//! ```text
//! cargo bench --bench retrieval -- [--tree FOLDER] [--count 300] [--collection FOLDER]...
//! ```
//!
//! The server is a throw-away PostgreSQL with pgvector and pg_trgm that waits for the disk on commit and has its
//! defaults otherwise, on the same machine: a network would add its round trips, of which a search has about ten.
//! Latency is seen by the client over HTTP, every question asked for the first time. A collection is in BEIR's layout,
//! as for `corsac eval`; CORSAC_COLLECTIONS may name some too, with `:` between.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use clap::Parser;
use common::client::{self, Connection};
use common::figures::{Sample, head, row, short};
use common::machine;
use common::server::Server;
use common::workload::{Question, Workload};
use corsac::app::standard_plugins;
use corsac::config::{RetrievalMode, Secret};
use corsac::eval::{self, Collection, Mode, Relevance};
use corsac::index::Searched;
use corsac::index::remote::Analysis;
use corsac::runtime::{Runtime, RuntimeOptions};
use corsac::store::{PostgresStore, Retrieval};
use rayon::prelude::*;
use services::{Postgres, PostgresKind, PostgresOptions};
use tokio::task::{block_in_place, spawn_blocking};

/// As in the paths of the API.
const STRATEGIES: [&str; 4] = ["syntax", "semantic", "hybrid", "search"];
const CLIENTS: [usize; 2] = [1, 8];

/// Compares both retrieval modes.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: common::Options,
    /// Questions a row.
    #[arg(long)]
    count: Option<usize>,
    /// Folder of a judged collection; may be given several times.
    #[arg(long, value_name = "FOLDER")]
    collection: Vec<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    common::runtime()?.block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    machine::print_facts("retrieval");
    let options = PostgresOptions { kind: PostgresKind::Vector, durable: true, ..PostgresOptions::default() };
    let postgres = spawn_blocking(move || Postgres::start_with(options)).await?;
    println!("\nPostgreSQL {}", postgres.sql("postgres", "SHOW server_version"));
    latency(arguments, &postgres).await?;
    let named = std::env::var_os("CORSAC_COLLECTIONS").unwrap_or_default();
    for folder in arguments
        .collection
        .iter()
        .cloned()
        .chain(std::env::split_paths(&named))
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        relevance(&folder, &postgres).await?;
    }
    Ok(())
}

/// One mode's answers to each strategy's questions.
struct Asked {
    mode: &'static str,
    seconds: f64,
    megabytes: f64,
    rows: Vec<(&'static str, usize, Vec<Duration>)>,
}

async fn latency(arguments: &Arguments, postgres: &Postgres) -> anyhow::Result<()> {
    // Each mode has a data folder of its own.
    let mut options = arguments.options.clone();
    options.data = None;
    let tree = options.small_tree();
    let count = arguments.count.unwrap_or(options.size(300, 5));
    let embedded = Server::start(&tree, &options, |settings| settings.cache.bytes = 0).await?;
    let snapshot = embedded.app.index.snapshot();
    let workload = block_in_place(|| Workload::draw(&snapshot, count * 4))?;
    let here = ask(embedded, "index", workload.clone(), count).await?;
    let url = postgres.database();
    let database = Server::start(&tree, &options, |settings| {
        settings.cache.bytes = 0;
        settings.database.url = Some(Secret::new(url));
        settings.index.retrieval = RetrievalMode::Postgres;
    })
    .await?;
    let there = ask(database, "postgres", workload, count).await?;

    head("Indexing", &["retrieval", "until searchable, s", "index or tables, MB"]);
    for asked in [&here, &there] {
        row(&[&asked.mode, &short(asked.seconds), &short(asked.megabytes)]);
    }
    let columns = ["strategy", "clients", "questions", "index p50, ms", "p99", "postgres p50, ms", "p99", "p50 ratio"];
    head("Latency, not cached", &columns);
    for ((strategy, clients, ours), (_, _, theirs)) in here.rows.iter().zip(&there.rows) {
        let [ours, theirs] = [ours, theirs].map(|times| Sample::milliseconds(times.iter().copied()));
        row(&[
            &if *strategy == "search" { "smart" } else { strategy },
            clients,
            &count,
            &short(ours.median()),
            &short(ours.quantile(0.99)),
            &short(theirs.median()),
            &short(theirs.quantile(0.99)),
            &short(theirs.median() / ours.median()),
        ]);
    }
    Ok(())
}

async fn ask(server: Server, mode: &'static str, mut workload: Workload, count: usize) -> anyhow::Result<Asked> {
    let mut rows = Vec::new();
    for strategy in STRATEGIES {
        for clients in CLIENTS {
            let questions = workload.take(strategy, count);
            let (address, requests) = (server.address, questions.iter().map(Question::http).collect());
            rows.push((strategy, clients, client::each(vec![address], requests, clients, whole).await?));
        }
    }
    let megabytes = server.app.index.snapshot().stats().index_bytes as f64 / 1e6;
    let asked = Asked { mode, seconds: server.indexing.as_secs_f64(), megabytes, rows };
    server.stop().await?;
    Ok(asked)
}

/// The time of an answer that nothing was left out of.
fn whole(connection: &Connection, took: Duration) -> anyhow::Result<Duration> {
    let body = String::from_utf8_lossy(connection.body());
    ensure!(!body.contains("\"degraded\":true"), "degraded: {body}");
    Ok(took)
}

async fn relevance(folder: &Path, postgres: &Postgres) -> anyhow::Result<()> {
    let collection = Collection::read(folder)?;
    let runtime = Runtime::start(RuntimeOptions { embedded: standard_plugins(), ..RuntimeOptions::default() }).await?;
    let modes: Vec<Mode> = eval::modes().into_iter().map(|(_, mode)| mode).collect();
    let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let here = eval::evaluate(&collection, runtime.clone(), &temporary.path().join("index"), None, &modes).await?;
    let engine = written(&collection, &postgres.database()).await?;
    let there = eval::measure(&collection, runtime, Searched::Elsewhere(engine), &modes).await?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let columns = ["mode", "queries", "index nDCG@10", "postgres nDCG@10", "index ms/query", "postgres ms/query"];
    head(&format!("Relevance on {name}"), &columns);
    for (ours, theirs) in here.iter().zip(&there) {
        let ndcg = |figures: &Relevance| format!("{:.4}", figures.ndcg_at_10);
        row(&[
            &ours.mode,
            &ours.queries,
            &ndcg(ours),
            &ndcg(theirs),
            &short(ours.mean_milliseconds),
            &short(theirs.mean_milliseconds),
        ]);
    }
    Ok(())
}

/// The collection in the tables of a database.
async fn written(collection: &Collection, url: &str) -> anyhow::Result<Arc<Retrieval>> {
    let store = PostgresStore::open(url, corsac::store::PostgresOptions::new("bench")).await?;
    let engine = Arc::new(Retrieval::open(Arc::new(store), Analysis::load()?).await?);
    block_in_place(|| {
        engine.begin_writing()?;
        for page in collection.versions().chunks(512) {
            engine.apply(page.par_iter().map(|version| engine.prepare(version.clone())).collect())?;
        }
        engine.publish(true)
    })?;
    Ok(engine)
}
