//! Three hosts over one PostgreSQL and one Redis, behind a client that asks them in turn, against one host:
//! searches a second without and with the help of the cache; and what the cache that they share is worth:
//! one host is asked first, then another one the same.
//!
//! ```text
//! cargo bench --bench hosts -- [--tree FOLDER] [--clients 16]
//! ```
//!
//! Hosts are processes of the server's binary. All of them, PostgreSQL, Redis and the clients run on this one
//! machine and share its cores, so three hosts can at best be as fast as one that uses them all: the figures show
//! what sharing costs, not what more machines bring.

mod common;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Parser;
use common::client::{self, Connection};
use common::figures::{Sample, head, row, short};
use common::host::Host;
use common::server::Server;
use common::workload::Workload;
use common::{Options, machine};
use services::{Postgres, PostgresOptions, Redis};

/// Measures hosts together.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    #[arg(long, default_value_t = 16)]
    clients: usize,
}

/// What the clients saw.
struct Seen {
    latencies: Vec<Duration>,
    hits: usize,
    /// Of those, from Redis.
    shared: usize,
    took: Duration,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    common::runtime()?.block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (options, clients) = (&arguments.options, arguments.clients);
    machine::print_facts("hosts");
    let tree = options.small_tree().canonicalize()?;
    let (mut workload, count) = draw(options).await?;

    let postgres = Postgres::start_with(PostgresOptions { durable: true, ..Default::default() });
    let redis = Redis::start();
    let (database, cache) = (postgres.database(), redis.url());
    let environment = [("DATABASE_URL", database.as_str()), ("REDIS_URL", cache.as_str())];
    let mut hosts = Vec::new();
    for _ in 0..3 {
        hosts.push(Host::start(&tree, &environment).await?);
    }
    hosts[0].index(&tree).await?;
    let mut generations = Vec::new();
    for host in &hosts {
        generations.push(host.caught_up().await?);
    }
    ensure!(generations.iter().all(|generation| *generation == generations[0]), "hosts differ: {generations:?}");
    // The graphs of neighbours grow on the side.
    tokio::time::sleep(options.size(Duration::from_secs(10), Duration::ZERO)).await;
    let all: Vec<SocketAddr> = hosts.iter().map(|host| host.address).collect();

    head(
        &format!("Searches, {clients} clients, all on one machine"),
        &[
            "hosts",
            "answers from",
            "searches",
            "searches/s",
            "p50, ms",
            "p99, ms",
            "from a cache, %",
            "of that Redis, %",
        ],
    );
    for (name, addresses) in [("one", &all[..1]), ("three, in turn", &all[..])] {
        let requests = workload.mixed(count / 3);
        let asked = |requests: Vec<Vec<u8>>| ask(addresses.to_vec(), requests, clients);
        // Never asked before: every answer is computed, by whichever host.
        print(name, "index", &asked(requests.clone()).await?);
        // Asked before, and now with luck another host: the cache that they share.
        print(name, "cache, second time", &asked(shifted(&requests)).await?);
        print(name, "cache, third time", &asked(requests).await?);
    }

    let requests = workload.mixed(count / 3);
    head("One host is asked first, then another one the same", &["host", "searches", "hits, %", "p50, ms", "p99, ms"]);
    for (name, address) in [("first", all[0]), ("second", all[1]), ("second again", all[1])] {
        let seen = ask(vec![address], requests.clone(), clients).await?;
        let latency = Sample::milliseconds(seen.latencies.iter().copied());
        let quantiles = [0.5, 0.99].map(|share| short(latency.quantile(share)));
        row(&[&name, &latency.len(), &percent(seen.hits, latency.len()), &quantiles[0], &quantiles[1]]);
        // What was computed goes to Redis behind the answer.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

fn print(hosts: &str, from: &str, seen: &Seen) {
    let latency = Sample::milliseconds(seen.latencies.iter().copied());
    let rate = latency.len() as f64 / seen.took.as_secs_f64();
    let [p50, p99] = [0.5, 0.99].map(|share| short(latency.quantile(share)));
    let (hits, shared) = (percent(seen.hits, latency.len()), percent(seen.shared, seen.hits));
    row(&[&hosts, &from, &latency.len(), &short(rate), &p50, &p99, &hits, &shared]);
}

fn percent(part: usize, whole: usize) -> String {
    if whole == 0 { "–".into() } else { short(part as f64 * 100.0 / whole as f64) }
}

/// Queries of every kind out of the tree, by a server of this process over it; and how many a run may take.
async fn draw(options: &Options) -> anyhow::Result<(Workload, usize)> {
    let server = Server::start(&options.small_tree(), options, |_| {}).await?;
    let workload = Workload::draw(&server.app.index.snapshot(), options.size(6000, 60))?;
    server.stop().await?;
    Ok((workload, options.size(300, 9)))
}

/// One further, so that a client that asks in turn comes to another host with each.
fn shifted(requests: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut shifted = requests.to_vec();
    shifted.rotate_left(1);
    shifted
}

async fn ask(hosts: Vec<SocketAddr>, requests: Vec<Vec<u8>>, clients: usize) -> anyhow::Result<Seen> {
    let began = Instant::now();
    let note = |connection: &Connection, latency: Duration| {
        Ok((latency, connection.was_hit(), connection.head_has("detail=redis")))
    };
    let answers = client::each(hosts, requests, clients, note).await?;
    let took = began.elapsed();
    let hits = answers.iter().filter(|(_, hit, _)| *hit).count();
    let shared = answers.iter().filter(|(_, _, shared)| *shared).count();
    Ok(Seen { latencies: answers.into_iter().map(|(latency, _, _)| latency).collect(), hits, shared, took })
}
