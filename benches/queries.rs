//! Whole queries over a large real tree: indexing throughput, then p50 and p99 of each strategy, uncached
//! and cached, over HTTP and past it, and the syntax search against ripgrep.
//!
//! ```text
//! cargo bench --bench queries -- [--tree FOLDER] [--data FOLDER] [--count 1000]
//! ```
//!
//! The tree is by default all crates that cargo has fetched. With `--data` the index stays for the next
//! run (and for `--bench price`); a run that finds it there has no throughput of indexing to tell.
//!
//! Latency is seen by the client: from before the request is written until the last byte of the answer,
//! over loopback with keep-alive, clients on one thread of this process. *Uncached* asks `count` questions
//! for the first time, *cached* the same ones again; the column with the cache's hits proves which was
//! measured (an answer that is degraded is never kept). Clients are closed loops: each asks as soon as it
//! has its answer.

mod common;

use std::time::{Duration, Instant};

use clap::Parser;
use common::client::{self, Connection};
use common::figures::{Sample, head, row, short};
use common::server::Server;
use common::workload::{Question, Workload};
use common::{Options, machine, ripgrep};
use corsac::service::answer::SearchResponse;

/// As in the paths of the API.
const STRATEGIES: [&str; 4] = ["syntax", "semantic", "hybrid", "search"];
const MANY: usize = 8;

/// Measures indexing and queries.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Questions a row.
    #[arg(long)]
    count: Option<usize>,
}

/// One answer as its client saw it.
struct Seen {
    took: Duration,
    hit: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    common::runtime()?.block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let options = &arguments.options;
    machine::print_facts("queries");
    let tree = options.large_tree();
    let server = Server::start(&tree, options, |settings| settings.cache.bytes = 4 << 30).await?;
    indexing(&server);

    let count = arguments.count.unwrap_or(options.size(1000, 10));
    let mut workload = Workload::draw(&server.app.index.snapshot(), count * 3)?;
    let compared = workload.take("syntax", options.size(60, 6));
    let columns = ["strategy", "clients", "cache", "p50, ms", "p99, ms", "answers/s", "answers", "of these cache hits"];
    head("Latency", &columns);
    for strategy in STRATEGIES {
        let mut workload = workload.clone();
        for clients in [1, MANY] {
            let questions = workload.take(strategy, count);
            for cache in ["uncached", "cached"] {
                let (address, requests) = (server.address, questions.iter().map(Question::http).collect());
                let began = Instant::now();
                let seen = client::each(vec![address], requests, clients, seen).await?;
                print(strategy, &format!("{clients}, HTTP"), cache, &seen, began.elapsed());
            }
        }
        let questions = workload.take(strategy, count);
        for cache in ["uncached", "cached"] {
            let began = Instant::now();
            let seen = in_process(&server, &questions).await?;
            print(strategy, "1, in process", cache, &seen, began.elapsed());
        }
    }

    against_ripgrep(&server, &tree, compared).await?;
    server.stop().await
}

fn indexing(server: &Server) {
    let (stats, progress) = (server.app.index.snapshot().stats(), &server.indexed.progress);
    let seconds = server.indexing.as_secs_f64();
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let corpus = megabytes(stats.content_bytes);
    let index = megabytes(machine::bytes_below(&server.data.join("index")));
    let data = megabytes(machine::bytes_below(&server.data));
    let (_, peak) = machine::resident_megabytes();
    let skipped: u64 = progress.skipped.values().map(|skipped| skipped.count).sum();
    head("Indexing", &["figure", "value"]);
    row(&[
        &"files seen / indexed / unchanged / skipped",
        &format!("{} / {} / {} / {skipped}", progress.files_seen, progress.indexed, progress.unchanged),
    ]);
    row(&[&"corpus, MB of text", &short(corpus)]);
    row(&[&"chunks", &stats.chunks]);
    row(&[&"time until searchable, s", &short(seconds)]);
    // An index that was kept says nothing about these.
    let fresh = if progress.unchanged == 0 { seconds } else { f64::NAN };
    row(&[&"files/s", &short(progress.indexed as f64 / fresh)]);
    row(&[&"MB/s", &short(megabytes(progress.bytes) / fresh)]);
    row(&[&"until the work on the side was done, s more", &short(server.settling.as_secs_f64())]);
    row(&[&"peak resident memory, MB", &short(peak)]);
    row(&[&"index size, MB, and over corpus", &format!("{}, {:.2}", short(index), index / corpus)]);
    row(&[&"all data with the store, MB, and over corpus", &format!("{}, {:.2}", short(data), data / corpus)]);
}

fn print(strategy: &str, clients: &str, cache: &str, seen: &[Seen], took: Duration) {
    let latency = Sample::milliseconds(seen.iter().map(|seen| seen.took));
    row(&[
        &if strategy == "search" { "smart" } else { strategy },
        &clients,
        &cache,
        &short(latency.median()),
        &short(latency.quantile(0.99)),
        &short(seen.len() as f64 / took.as_secs_f64()),
        &seen.len(),
        &seen.iter().filter(|seen| seen.hit).count(),
    ]);
}

fn seen(connection: &Connection, took: Duration) -> anyhow::Result<Seen> {
    Ok(Seen { took, hit: connection.was_hit() })
}

async fn in_process(server: &Server, questions: &[Question]) -> anyhow::Result<Vec<Seen>> {
    let mut seen = Vec::with_capacity(questions.len());
    for question in questions {
        let request = question.request();
        let began = Instant::now();
        let answer = server.search(request).await?;
        seen.push(Seen { took: began.elapsed(), hit: answer.cache == corsac::service::CacheStatus::Hit });
    }
    Ok(seen)
}

/// Ratio of each pattern's times. The syntax search answers with its first lines, ripgrep prints them all.
async fn against_ripgrep(server: &Server, tree: &std::path::Path, questions: Vec<Question>) -> anyhow::Result<()> {
    let Some(version) = ripgrep::version() else {
        println!("\nripgrep: there is no `rg` here (Debian: `apt install ripgrep`), so it was not compared.");
        return Ok(());
    };
    head(
        &format!("Syntax search against {version}"),
        &["patterns", "corsac p50, ms", "rg p50, ms", "rg / corsac, median", "p10", "p90", "number of lines agrees"],
    );
    if let Some(first) = questions.first() {
        // Brings the tree into the page cache.
        ripgrep::search(tree, first)?;
    }
    for kind in ["literal", "regex"] {
        let (mut ours, mut theirs, mut agree) = (Vec::new(), Vec::new(), 0);
        for question in questions.iter().filter(|question| question.pattern_type == Some(kind)) {
            let request = question.request();
            let began = Instant::now();
            let answer = server.search(request).await?;
            ours.push(began.elapsed());
            let (lines, took) = ripgrep::search(tree, question)?;
            theirs.push(took);
            let answer: SearchResponse = serde_json::from_slice(&answer.body)?;
            let found = answer.total_results as usize;
            agree += usize::from(if answer.truncated { lines >= found } else { lines == found });
        }
        let ratio = Sample::of(ours.iter().zip(&theirs).map(|(one, other)| other.as_secs_f64() / one.as_secs_f64()));
        let count = ours.len();
        row(&[
            &format!("{count} {kind}"),
            &short(Sample::milliseconds(ours).median()),
            &short(Sample::milliseconds(theirs).median()),
            &short(ratio.median()),
            &short(ratio.quantile(0.1)),
            &short(ratio.quantile(0.9)),
            &format!("{agree} of {count}"),
        ]);
    }
    Ok(())
}
