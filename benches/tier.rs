//! What the second tier of the cache costs and saves, on this server's own answers: compression with and
//! without a dictionary, one look-up and one write against the tier in process, and many in one round trip.
//!
//! ```text
//! cargo bench --bench tier -- [--tree FOLDER] [--count 600]
//! ```
//!
//! A Redis of its own on loopback, so a round trip is at its cheapest; over a network the batch wins more
//! and the second tier less. Dictionaries are made of one half of the answers and measured on the other: one
//! of raw text (their ends, one after the other), and one that the program `zstd` has trained, if it is there.
//! Answers of several strategies are mixed, because they would share one dictionary.

mod common;

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use common::figures::{Sample, head, row, short};
use common::server::Server;
use common::workload::Workload;
use common::{Options, machine};
use corsac::cache::{Cache, CacheOptions, Computed, Digest, Entry, Lifetimes, SharedOptions, SharedTier, Source};

/// zstd's usual size of a dictionary.
const DICTIONARY: usize = 112_640;
const THRESHOLD: usize = 1024;
const BATCH: usize = 100;
const NAMESPACE: &str = "hybrid";

/// Measures the tier that hosts share.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Answers of each strategy [default: 600].
    #[arg(long)]
    count: Option<usize>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    common::runtime()?.block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let options = &arguments.options;
    machine::print_facts("tier");
    let entries = answers(options, arguments.count.unwrap_or(options.size(600, 40))).await?;
    compression(&entries)?;
    calls("answers", options, &entries).await?;
    // What a round trip costs by itself: nothing to compress, hardly anything to copy.
    let small: Vec<Entry> = entries
        .iter()
        .map(|entry| Entry { body: entry.body.slice(..entry.body.len().min(512)), ..entry.clone() })
        .collect();
    calls("their first 512 bytes", options, &small).await
}

/// Finished answers of three strategies.
async fn answers(options: &Options, count: usize) -> anyhow::Result<Vec<Entry>> {
    let server = Server::start(&options.small_tree(), options, |settings| settings.cache.warm_queries = 0).await?;
    let workload = Workload::draw(&server.app.index.snapshot(), count * 3)?;
    let mut entries = Vec::new();
    for at in 0..count {
        // In turns, so that both halves have some of each.
        for strategy in ["semantic", "hybrid", "syntax"] {
            let mut workload = workload.clone();
            let Some(question) = workload.take(strategy, at + 1).into_iter().nth(at) else { continue };
            let answer = server.search(question.request()).await?;
            entries.push(Entry { body: answer.body, etag: answer.etag });
        }
    }
    server.stop().await?;
    ensure!(entries.len() >= BATCH, "only {} answers, but a batch has {BATCH}: give a larger tree", entries.len());
    Ok(entries)
}

fn compression(entries: &[Entry]) -> anyhow::Result<()> {
    let sizes = Sample::of(entries.iter().map(|entry| entry.body.len() as f64));
    let [low, median, high] = [0.1, 0.5, 0.9].map(|share| short(sizes.quantile(share) / 1e3));
    let small = entries.iter().filter(|entry| entry.body.len() <= THRESHOLD).count();
    println!(
        "\n{} answers of {low} / {median} / {high} kB (p10, median, p90), {small} not above the threshold",
        entries.len()
    );
    let (samples, measured): (Vec<_>, Vec<_>) = entries.iter().enumerate().partition(|(at, _)| at % 2 == 0);
    let samples: Vec<&[u8]> = samples.into_iter().map(|(_, entry)| &entry.body[..]).collect();
    let measured: Vec<&[u8]> = measured.into_iter().map(|(_, entry)| &entry.body[..]).collect();
    let columns = ["compression", "bytes saved, %", "against none at level 1", "µs to write", "µs to read"];
    head("Compression of the other half", &columns);
    let dictionaries = [("none", Some(vec![])), ("raw text", Some(raw(&samples))), ("trained", trained(&samples)?)];
    let mut reference = None;
    for (name, dictionary) in dictionaries {
        let Some(dictionary) = dictionary else { continue };
        for level in [1, 3, 6] {
            let (before, after, write, read) = one(&measured, &dictionary, level)?;
            let against = after / *reference.get_or_insert(after);
            let saved = short(100.0 * (1.0 - after / before));
            let name = format!("zstd level {level}, dictionary: {name}");
            row(&[&name, &saved, &format!("{against:.3}"), &short(write), &short(read)]);
        }
    }
    Ok(())
}

/// Bytes before and after, microseconds of one answer.
fn one(bodies: &[&[u8]], dictionary: &[u8], level: i32) -> anyhow::Result<(f64, f64, f64, f64)> {
    let mut compressor = zstd::bulk::Compressor::with_dictionary(level, dictionary)?;
    let mut decompressor = zstd::bulk::Decompressor::with_dictionary(dictionary)?;
    let (mut before, mut after) = (0, 0);
    let (mut write, mut read) = (Duration::ZERO, Duration::ZERO);
    for body in bodies {
        let began = Instant::now();
        let compressed = if body.len() > THRESHOLD { compressor.compress(body)? } else { body.to_vec() };
        write += began.elapsed();
        before += body.len();
        after += compressed.len().min(body.len());
        if body.len() > THRESHOLD {
            let began = Instant::now();
            let back = decompressor.decompress(&compressed, body.len())?;
            read += began.elapsed();
            ensure!(back == *body, "what was compressed did not come back");
        }
    }
    let each = |time: Duration| time.as_secs_f64() * 1e6 / bodies.len() as f64;
    Ok((before as f64, after as f64, each(write), each(read)))
}

/// The ends of answers, the last of them the latest: zstd finds what is near the end of a dictionary best.
fn raw(samples: &[&[u8]]) -> Vec<u8> {
    let each = (DICTIONARY / samples.len().max(1)).max(2048);
    let mut dictionary: Vec<u8> =
        samples.iter().flat_map(|body| &body[body.len().saturating_sub(each)..]).copied().collect();
    dictionary.drain(..dictionary.len().saturating_sub(DICTIONARY));
    dictionary
}

/// None where the program is missing.
fn trained(samples: &[&[u8]]) -> anyhow::Result<Option<Vec<u8>>> {
    if Command::new("zstd").arg("--version").output().is_err() {
        println!("\nThe program zstd is not here, so there is no trained dictionary.");
        return Ok(None);
    }
    let folder = tempfile::tempdir()?;
    for (number, body) in samples.iter().enumerate() {
        std::fs::write(folder.path().join(number.to_string()), body)?;
    }
    let file = folder.path().join("dictionary");
    let mut train = Command::new("zstd");
    train.args(["-q", "--train", "-r"]).arg(folder.path()).arg("-o").arg(&file);
    let output = train.arg(format!("--maxdict={DICTIONARY}")).output()?;
    ensure!(output.status.success(), "zstd --train: {}", String::from_utf8_lossy(&output.stderr));
    Ok(Some(std::fs::read(file)?))
}

async fn calls(what: &str, options: &Options, entries: &[Entry]) -> anyhow::Result<()> {
    let redis = services::Redis::start();
    let entries = &entries[..entries.len().min(1000)];
    let keys: Vec<Digest> = (0..entries.len()).map(|at| *blake3::hash(&at.to_le_bytes()).as_bytes()).collect();
    // Keeps in process what it writes; the other keeps nothing there, so each look-up goes to Redis.
    let (writer, reader) = (host(&redis.url(), 1 << 30).await?, host(&redis.url(), 0).await?);
    for (key, entry) in keys.iter().zip(entries) {
        let computed = Computed { entry: entry.clone(), keep: true };
        writer
            .get_or_compute(NAMESPACE, *key, async move { Ok::<_, &str>(computed) })
            .await
            .map_err(anyhow::Error::msg)?;
    }
    let rounds = options.size(20, 2);
    let (mut first, mut get, mut set) = (Vec::new(), Vec::new(), Vec::new());
    let [mut get_singles, mut get_batch, mut set_singles, mut set_batch] = [const { Vec::<f64>::new() }; 4];
    for round in 0..=rounds {
        let began = Instant::now();
        for key in &keys {
            ensure!(writer.get(NAMESPACE, *key).await.is_some(), "not in process");
        }
        let in_process = began.elapsed().as_secs_f64() * 1e6 / keys.len() as f64;
        let (mut gets, mut sets) = (Vec::new(), Vec::new());
        for key in &keys {
            let began = Instant::now();
            ensure!(writer.share(NAMESPACE, &[*key]).await == 1, "not written");
            sets.push(began.elapsed().as_secs_f64() * 1e6);
        }
        for key in &keys {
            let began = Instant::now();
            let never = async { Err("was computed") };
            let (_, source) = reader.get_or_compute(NAMESPACE, *key, never).await.map_err(anyhow::Error::msg)?;
            gets.push(began.elapsed().as_secs_f64() * 1e6);
            ensure!(source == Source::Shared, "came from {source:?}");
        }
        let (mut batch_gets, mut batch_sets) = (Vec::new(), Vec::new());
        for keys in keys.chunks_exact(BATCH) {
            let began = Instant::now();
            ensure!(writer.share(NAMESPACE, keys).await == BATCH, "not written");
            batch_sets.push(began.elapsed().as_secs_f64() * 1e6);
            let began = Instant::now();
            ensure!(reader.fetch(NAMESPACE, keys).await == BATCH, "not found");
            batch_gets.push(began.elapsed().as_secs_f64() * 1e6);
        }
        // The first round warms up.
        if round > 0 {
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
            first.push(in_process);
            get_singles.push(mean(&gets) * BATCH as f64 / mean(&batch_gets));
            set_singles.push(mean(&sets) * BATCH as f64 / mean(&batch_sets));
            get.append(&mut gets);
            set.append(&mut sets);
            get_batch.append(&mut batch_gets);
            set_batch.append(&mut batch_sets);
        }
    }
    head(&format!("One call with {what}, µs"), &["call", "median", "p99", "against the tier in process"]);
    let first = Sample::of(first);
    let in_process = first.median();
    for (name, sample) in [
        ("get in process", first),
        ("get from Redis", Sample::of(get)),
        ("set in Redis", Sample::of(set)),
        ("get 100 in one round trip", Sample::of(get_batch)),
        ("set 100 in one round trip", Sample::of(set_batch)),
    ] {
        let against = short(sample.median() / in_process);
        row(&[&name, &short(sample.median()), &short(sample.quantile(0.99)), &against]);
    }
    head(
        &format!("A hundred one after the other against one batch, {what}"),
        &["call", "times as long, median", "p10", "p90"],
    );
    for (name, ratios) in [("get", get_singles), ("set", set_singles)] {
        let sample = Sample::of(ratios);
        let [median, low, high] = [0.5, 0.1, 0.9].map(|share| short(sample.quantile(share)));
        row(&[&name, &median, &low, &high]);
    }
    let figures = writer.figures().await.shared.context("no shared tier")?;
    ensure!(figures.errors == 0, "{} calls failed", figures.errors);
    let saved = 100.0 * figures.saved_bytes() as f64 / figures.body_bytes as f64;
    println!("\nOf {} MB of bodies, {} % were saved.", short(figures.body_bytes as f64 / 1e6), short(saved));
    Ok(())
}

async fn host(url: &str, capacity_bytes: u64) -> anyhow::Result<Cache> {
    let options = SharedOptions {
        max_connections: 20,
        timeout: Duration::from_secs(5),
        prefix: "bench".into(),
        compression_threshold: THRESHOLD,
        poll: Duration::from_secs(1),
    };
    let shared = Arc::new(SharedTier::new(url, options)?);
    ensure!(shared.open().await, "Redis is not there");
    Ok(Cache::with(CacheOptions {
        capacity_bytes,
        lifetimes: Lifetimes::default(),
        grace: Duration::ZERO,
        shared: Some(shared),
    }))
}
