//! PostgreSQL and Redis fail under load, one fault after the other: fifty clients of one host, of which some post
//! documents. For each fault: what clients saw, how long until all was well again, and whether every write that
//! was acknowledged is there afterwards, also for a new host that knows nothing but the database.
//!
//! ```text
//! PHASE_SECONDS=20 cargo bench --bench faults -- [--tree FOLDER]
//! ```
//!
//! A phase begins with its fault, which ends in the middle of the phase; the rest is for recovery, with a pause
//! behind it in which no figures are taken. A search error is any answer but 200. A refused write is a 503: told
//! to come back, and not stored. "Noticed" is from the fault to the first refused write, or until the host says
//! that the shared cache is away (or takes nothing, for a full one); "recovered" is from the end of the fault to
//! the first write that was accepted after it, or until the host says that the cache is back. All runs
//! on one machine and shares its cores.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use common::crowd::{self, Crowd, Seen, Stage};
use common::figures::{Sample, head, row, short};
use common::host::Host;
use common::server::Server;
use common::workload::Workload;
use common::{Options, machine};
use serde_json::{Value, json};
use services::{Postgres, PostgresOptions, Redis};

/// Measures faults under load.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Seconds of each phase.
    #[arg(long, env = "PHASE_SECONDS")]
    phase_seconds: Option<f64>,
    #[arg(long, default_value_t = 50)]
    clients: usize,
    /// Of the clients, those that post.
    #[arg(long, default_value_t = 6)]
    posting: usize,
    /// Seconds that a write waits for a connection before it is refused; the server's own default is 30.
    #[arg(long, default_value_t = 2)]
    pool_timeout: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    RedisKilled,
    RedisPaused,
    RedisFull,
    PostgresKilled,
    PostgresPaused,
}

impl Fault {
    const ALL: [(Self, &'static str); 6] = [
        (Self::None, "none"),
        (Self::RedisKilled, "Redis killed, restarted empty"),
        (Self::RedisPaused, "Redis paused"),
        (Self::RedisFull, "Redis full"),
        (Self::PostgresKilled, "PostgreSQL killed, restarted"),
        (Self::PostgresPaused, "PostgreSQL paused"),
    ];

    fn is_of_redis(self) -> bool {
        matches!(self, Self::RedisKilled | Self::RedisPaused | Self::RedisFull)
    }
}

/// When a phase's fault began and ended, and what the host said of the shared cache meanwhile.
struct Course {
    began: Instant,
    ended: Instant,
    noticed: Option<Instant>,
    recovered: Option<Instant>,
}

/// What the host depends on.
struct Services {
    postgres: Postgres,
    redis: Redis,
}

impl Services {
    /// Both calls block, for as long as the server takes to start.
    fn begin(&mut self, fault: Fault) {
        match fault {
            Fault::None => {}
            Fault::RedisKilled => self.redis.kill(),
            Fault::RedisPaused => self.redis.pause(),
            // Less than it has: every write is refused, reads go on.
            Fault::RedisFull => drop(self.redis.command(&["CONFIG", "SET", "maxmemory", "1"])),
            Fault::PostgresKilled => self.postgres.kill(),
            Fault::PostgresPaused => self.postgres.pause(),
        }
    }

    fn end(&mut self, fault: Fault) {
        match fault {
            Fault::None => {}
            Fault::RedisKilled => self.redis.restart(),
            Fault::RedisPaused => self.redis.resume(),
            Fault::RedisFull => drop(self.redis.command(&["CONFIG", "SET", "maxmemory", "0"])),
            Fault::PostgresKilled => self.postgres.restart(),
            Fault::PostgresPaused => self.postgres.resume(),
        }
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    common::runtime()?.block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let options = &arguments.options;
    ensure!(arguments.posting < arguments.clients, "--posting must be less than --clients");
    let seconds = arguments.phase_seconds.unwrap_or(options.size(20.0, 3.0));
    let phase = Duration::from_secs_f64(seconds.clamp(1.0, 3600.0));
    machine::print_facts("faults");
    let tree = options.small_tree().canonicalize()?;
    let requests = requests(options).await?;
    let postgres = Postgres::start_with(PostgresOptions { durable: true, ..Default::default() });
    let services = Services { postgres, redis: Redis::start() };
    let (database, cache) = (services.postgres.database(), services.redis.url());
    let timeout = arguments.pool_timeout.to_string();
    let environment = [
        ("DATABASE_URL", database.as_str()),
        ("REDIS_URL", cache.as_str()),
        ("DB_POOL_TIMEOUT", timeout.as_str()),
        ("RUST_LOG", "warn,corsac=info"),
    ];
    let host = Host::start(&tree, &environment).await?;
    host.index(&tree).await?;
    host.caught_up().await?;

    let stage = Arc::new(Stage::default());
    let clients = (arguments.clients - arguments.posting, arguments.posting);
    let load = tokio::spawn(crowd::gather(host.address, requests, clients, stage.clone()));
    let courses = play(services, &host, phase, &stage).await;
    stage.over.store(true, Ordering::SeqCst);
    let crowd = load.await??;
    let (courses, _services) = courses?;

    let here = missing(&host, &crowd).await.context("looking for the documents on the host")?;
    let new = Host::start(&tree, &environment).await?;
    let there = missing(&new, &crowd).await.context("looking for the documents on a new host")?;
    print(&crowd, &courses, phase, arguments, &here);
    let (acknowledged, sent) = (crowd.acknowledged.len(), crowd.sent);
    println!(
        "\nOf {sent} documents sent, {acknowledged} were acknowledged; of those the host has lost {}, and a new host \
         over the same database misses {}.",
        here.len(),
        there.len()
    );
    ensure!(here.is_empty() && there.is_empty(), "acknowledged writes were lost");
    Ok(())
}

/// Plays all faults; between two of them there is time to calm down, whose figures go to phases of their own.
async fn play(
    mut services: Services,
    host: &Host,
    phase: Duration,
    stage: &Stage,
) -> anyhow::Result<(Vec<Course>, Services)> {
    let mut courses = Vec::new();
    for (number, (fault, name)) in Fault::ALL.into_iter().enumerate() {
        eprintln!("{name} …");
        stage.phase.store(2 * number, Ordering::SeqCst);
        tokio::time::sleep(phase / 4).await;
        stage.phase.store(2 * number + 1, Ordering::SeqCst);
        let began = Instant::now();
        services = tokio::task::spawn_blocking(move || {
            services.begin(fault);
            services
        })
        .await?;
        let noticed = watch(host, fault, began, phase / 2, false).await;
        services = tokio::task::spawn_blocking(move || {
            services.end(fault);
            services
        })
        .await?;
        let ended = Instant::now();
        let recovered = watch(host, fault, ended, phase / 2, true).await;
        courses.push(Course { began, ended, noticed, recovered });
    }
    Ok((courses, services))
}

/// Spends the time, and says when the host first said of the shared cache what is looked for.
async fn watch(host: &Host, fault: Fault, since: Instant, time: Duration, works: bool) -> Option<Instant> {
    let mut found = None;
    while since.elapsed() < time {
        if fault.is_of_redis()
            && found.is_none()
            && let Ok((200, page)) = host.get("/api/search/performance").await
            && cache_works(&page) == works
        {
            found = Some(Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    found
}

fn cache_works(page: &Value) -> bool {
    let status = &page["metrics"]["cache_status"];
    status["redis_available"] == true && status["tiers"]["redis"]["writable"] != false
}

fn print(crowd: &Crowd, courses: &[Course], phase: Duration, arguments: &Arguments, lost: &BTreeSet<String>) {
    let title = format!(
        "{} clients, {} of them posting; {} s a phase, the fault for half of it; writes wait {} s for a connection",
        arguments.clients,
        arguments.posting,
        short(phase.as_secs_f64()),
        arguments.pool_timeout
    );
    let columns = [
        "fault",
        "searches",
        "p50, ms",
        "p99, ms",
        "longest, ms",
        "search errors",
        "marked stale, %",
        "from a cache, %",
        "writes accepted",
        "p99, ms",
        "refused (503)",
        "other write errors",
        "noticed, s",
        "recovered, s",
        "acknowledged and lost",
    ];
    head(&title, &columns);
    for (number, (fault, name)) in Fault::ALL.into_iter().enumerate() {
        let (Some(course), Some(seen)) = (courses.get(number), crowd.phases.get(2 * number + 1)) else { continue };
        let latency = Sample::milliseconds(seen.searches.iter().copied());
        let accepted = seen.writes.iter().filter(|write| write.accepted).map(|write| write.ended - write.began);
        let accepted = Sample::milliseconds(accepted);
        let refused = seen.writes.iter().filter(|write| !write.accepted).count();
        let [p50, p99, longest] = [0.5, 0.99, 1.0].map(|share| short(latency.quantile(share)));
        let share = |part: usize| short(part as f64 * 100.0 / latency.len().max(1) as f64);
        let (noticed, recovered) = reactions(fault, course, seen);
        let gone = crowd.acknowledged.iter().filter(|(path, at)| *at == 2 * number + 1 && lost.contains(path)).count();
        row(&[
            &name,
            &latency.len(),
            &p50,
            &p99,
            &longest,
            &list(&seen.search_errors),
            &share(seen.stale),
            &share(seen.hits),
            &accepted.len(),
            &short(accepted.quantile(0.99)),
            &refused,
            &list(&seen.write_errors),
            &noticed,
            &recovered,
            &gone,
        ]);
    }
    let between: usize = crowd.phases.iter().step_by(2).flat_map(|seen| seen.search_errors.values()).sum();
    println!("\nSearch errors between the phases: {between}.");
}

/// In seconds: until the fault was noticed, and from its end until it was over for clients.
fn reactions(fault: Fault, course: &Course, seen: &Seen) -> (String, String) {
    let seconds = |from: Instant, to: Option<Instant>| match to {
        Some(to) => short(to.saturating_duration_since(from).as_secs_f64()),
        None => "not".into(),
    };
    match fault {
        Fault::None => ("–".into(), "–".into()),
        Fault::PostgresKilled | Fault::PostgresPaused => {
            let refused = seen.writes.iter().filter(|write| !write.accepted).map(|write| write.ended).min();
            let began_after = seen.writes.iter().filter(|write| write.accepted && write.ended >= course.ended);
            let accepted = began_after.map(|write| write.ended).min();
            (seconds(course.began, refused), seconds(course.ended, accepted))
        }
        _ => (seconds(course.began, course.noticed), seconds(course.ended, course.recovered)),
    }
}

fn list(errors: &BTreeMap<String, usize>) -> String {
    if errors.is_empty() {
        return "0".into();
    }
    errors.iter().map(|(kind, count)| format!("{count} × {kind}")).collect::<Vec<_>>().join(", ")
}

/// Documents that were acknowledged and that searches of a host do not find.
async fn missing(host: &Host, crowd: &Crowd) -> anyhow::Result<BTreeSet<String>> {
    const PAGE: usize = 100;
    host.caught_up().await?;
    let mut missing: BTreeSet<String> = crowd.acknowledged.iter().map(|(path, _)| path.clone()).collect();
    for folder in crowd.folders() {
        for offset in (0..).step_by(PAGE) {
            let request = json!({"query": r"postmarker_\d+_", "pattern_type": "regex", "directories": [folder],
                "window": 1000, "offset": offset, "max_results": PAGE});
            let (status, answer) = host.post("/api/search/syntax", &request).await?;
            ensure!(status == 200, "status {status}: {answer}");
            let results = answer["results"].as_array().context("no results")?;
            results.iter().filter_map(|result| result["file_path"].as_str()).for_each(|path| {
                missing.remove(path);
            });
            if results.len() < PAGE {
                break;
            }
        }
    }
    Ok(missing)
}

/// Searches of every kind, so many that a round of all clients through them takes a while.
async fn requests(options: &Options) -> anyhow::Result<Vec<Vec<u8>>> {
    let server = Server::start(&options.small_tree(), options, |_| {}).await?;
    let mut workload = Workload::draw(&server.app.index.snapshot(), options.size(3000, 30))?;
    server.stop().await?;
    Ok(workload.mixed(options.size(600, 20)))
}
