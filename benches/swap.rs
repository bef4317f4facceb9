//! Swapping a plugin while clients search: failures, latency during swaps against the steady state of the
//! same run, time from the new file to its first answer, and memory over many swaps.
//!
//! ```text
//! cargo bench --bench swap -- [--tree FOLDER] [--swaps 100] [--clients 8]
//! ```
//!
//! Two versions of one ranker (`tests/fixtures/versioned-ranker`, built by `cargo xtask test`) take turns
//! in a watched folder, each put there by a rename and with a serial number in it, so that each is a file
//! never seen before and is compiled, as a real new version would be. Blocks without a swap and blocks of swaps take turns
//! too, so that both see the same machine. The cache is off: every answer is ranked by the plugin. Each
//! answer must be a 200 of exactly one version, which its scores prove (version × 1000 and up).
//!
//! "Rename to registered" is when the running server has the new version; most of it is the wait for the
//! file to be quiet. "Rename to answered" is when a client first sees it. Memory is what is resident
//! before and after further swaps without clients.

mod common;
/// New versions of a plugin, one after the other.
#[path = "common/swapper.rs"]
mod swapper;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use common::client::{self, Connection, apart};
use common::figures::{Sample, head, row, short};
use common::server::Server;
use common::workload::Workload;
use common::{Options, machine};
use corsac::app::App;
use corsac::service::answer::SearchResponse;
use futures::future::join_all;
use swapper::Swapper;

const SWAPS_A_BLOCK: usize = 10;
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures swaps under load.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    #[arg(long)]
    swaps: Option<usize>,
    #[arg(long, default_value_t = 8)]
    clients: usize,
}

/// What clients and swapper tell each other.
#[derive(Default)]
struct Stage {
    /// A block of swaps is under way.
    swapping: AtomicBool,
    over: AtomicBool,
    /// Of the newest answer.
    answered: AtomicU32,
}

/// What the clients saw.
#[derive(Default)]
struct Seen {
    steady: Vec<Duration>,
    swapping: Vec<Duration>,
    /// Answers that began before a block's border and ended after it count for neither.
    between: usize,
    failures: Vec<String>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    common::runtime()?.block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let options = &arguments.options;
    let swaps = arguments.swaps.unwrap_or(options.size(100, 4));
    machine::print_facts("swap");
    let mut swapper = Swapper::new()?;
    let server = Server::start(&options.small_tree(), options, |settings| {
        settings.cache.bytes = 0;
        settings.server.plugin_folders = vec![swapper.folder.path().to_owned()];
    })
    .await?;

    let requests = requests(&server, options.size(2000, 50))?;
    let stage = Arc::new(Stage::default());
    let (address, clients, watched) = (server.address, arguments.clients, stage.clone());
    let load = tokio::spawn(apart(move || clients_work(address, requests, clients, watched)));
    tokio::time::sleep(options.size(Duration::from_secs(2), Duration::from_millis(200))).await;

    let (mut registered, mut answered) = (Vec::new(), Vec::new());
    for block in 0..swaps.div_ceil(SWAPS_A_BLOCK) {
        stage.swapping.store(true, Ordering::SeqCst);
        let began = Instant::now();
        for _ in 0..SWAPS_A_BLOCK.min(swaps - block * SWAPS_A_BLOCK) {
            let renamed = swapper.swap()?;
            let version = swapper.version;
            let is_registered = || serving(&server.app) == Some(version);
            registered.push(until(renamed, is_registered).await.context("the new version was not taken up")?);
            let is_answered = || stage.answered.load(Ordering::Relaxed) == version;
            answered.push(until(renamed, is_answered).await.context("no answer of the new version came")?);
        }
        stage.swapping.store(false, Ordering::SeqCst);
        tokio::time::sleep(began.elapsed()).await;
    }
    stage.over.store(true, Ordering::SeqCst);
    let seen = load.await??;
    print(&seen, &registered, &answered, arguments.clients);
    memory(&server, &mut swapper, options.size(1000, 4)).await?;
    server.stop().await?;
    ensure!(seen.failures.is_empty(), "{} requests failed, the first: {}", seen.failures.len(), seen.failures[0]);
    Ok(())
}

fn print(seen: &Seen, registered: &[Duration], answered: &[Duration], clients: usize) {
    let columns = ["state", "requests", "p50, ms", "p90, ms", "p99, ms", "longest, ms"];
    head(&format!("{} swaps, {clients} clients", registered.len()), &columns);
    for (state, latencies) in [("steady", &seen.steady), ("swapping", &seen.swapping)] {
        let latency = Sample::milliseconds(latencies.iter().copied());
        let [p50, p90, p99, longest] = [0.5, 0.9, 0.99, 1.0].map(|share| short(latency.quantile(share)));
        row(&[&state, &latency.len(), &p50, &p90, &p99, &longest]);
    }
    let failed = seen.failures.len();
    println!("\nFailed: {failed} requests. Over the border of a block and in neither row: {}.", seen.between);
    head("From the new file on, ms", &["rename to", "p50", "p99", "longest"]);
    for (event, times) in [("registered", registered), ("answered", answered)] {
        let times = Sample::milliseconds(times.iter().copied());
        row(&[&event, &short(times.median()), &short(times.quantile(0.99)), &short(times.quantile(1.0))]);
    }
}

/// Searches in closed loops until the stage is over.
async fn clients_work(
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    clients: usize,
    stage: Arc<Stage>,
) -> anyhow::Result<Seen> {
    let client = async |number: usize| {
        let mut seen = Seen::default();
        let mut connection = Connection::open(address).await?;
        for request in requests.iter().cycle().skip(number * requests.len() / clients) {
            if stage.over.load(Ordering::SeqCst) {
                break;
            }
            let before = stage.swapping.load(Ordering::SeqCst);
            let began = Instant::now();
            let status = connection.exchange(request).await;
            let took = began.elapsed();
            let swapping = stage.swapping.load(Ordering::SeqCst);
            match status.and_then(|status| version_of(status, connection.body())) {
                Ok(version) => stage.answered.store(version, Ordering::Relaxed),
                Err(error) => {
                    seen.failures.push(format!("{error:#}"));
                    connection = Connection::open(address).await?;
                }
            }
            match (before, swapping) {
                (true, true) => seen.swapping.push(took),
                (false, false) => seen.steady.push(took),
                _ => seen.between += 1,
            }
        }
        anyhow::Ok(seen)
    };
    let mut all = Seen::default();
    for seen in join_all((0..clients).map(client)).await {
        let seen = seen?;
        all.steady.extend(seen.steady);
        all.swapping.extend(seen.swapping);
        all.between += seen.between;
        all.failures.extend(seen.failures);
    }
    Ok(all)
}

/// The one version that an answer comes from.
fn version_of(status: u16, body: &[u8]) -> anyhow::Result<u32> {
    ensure!(status == 200, "status {status}: {}", String::from_utf8_lossy(body));
    let answer: SearchResponse = serde_json::from_slice(body)?;
    let version = answer.ranker.version.split('.').next().unwrap_or_default().parse()?;
    let of_it = |score: f32| score as u32 / 1000 == version;
    ensure!(!answer.results.is_empty() && !answer.degraded, "an answer without results, or a degraded one");
    ensure!(answer.results.iter().all(|result| of_it(result.score)), "an answer of two versions");
    Ok(version)
}

fn requests(server: &Server, count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    let questions = Workload::draw(&server.app.index.snapshot(), count)?.take("hybrid", count);
    let body = |text| serde_json::json!({ "query": text, "ranker": "versioned" }).to_string();
    Ok(questions.into_iter().map(|question| client::post("/api/search/hybrid", &body(question.text))).collect())
}

fn serving(app: &App) -> Option<u32> {
    app.runtime.registry().get("versioned")?.description.version.split('.').next()?.parse().ok()
}

async fn until(began: Instant, mut is_so: impl FnMut() -> bool) -> anyhow::Result<Duration> {
    while !is_so() {
        ensure!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(began.elapsed())
}

/// Swaps without waiting for the watch, and what they leave in memory.
async fn memory(server: &Server, swapper: &mut Swapper, swaps: usize) -> anyhow::Result<()> {
    head("Resident memory", &["swaps", "MB", "ms a swap since the row before"]);
    let steps = 4;
    row(&[&0, &short(machine::resident_megabytes().0), &"–"]);
    for step in 1..=steps {
        let began = Instant::now();
        for _ in 0..swaps / steps {
            let renamed = swapper.swap()?;
            server.app.runtime.refresh().await;
            until(renamed, || serving(&server.app) == Some(swapper.version)).await?;
        }
        let milliseconds = began.elapsed().as_secs_f64() * 1e3 / (swaps / steps) as f64;
        row(&[&(step * swaps / steps), &short(machine::resident_megabytes().0), &short(milliseconds)]);
    }
    Ok(())
}
