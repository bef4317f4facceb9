//! The world of agents under load: a server with many agents whose clock runs, and clients that ask by the mix of
//! a load test (status 3, create 2, list 2, interact 1). Open loop: requests come at their time whether or not
//! earlier ones were answered, and latency counts from the moment at which a request was due. For each agent that
//! is created one is retired, so that the population, and with it memory, should stay as it is. What agents remember
//! of each other fills up in the first hour of a world, whoever asks; `--warm` lets as much time pass beforehand as
//! that takes, ten times as fast.
//!
//! ```text
//! cargo bench --bench ecs -- [--agents 100000] [--rate 2000] [--seconds 600] [--warm 400]
//! ```
//!
//! The server is a process of its own on the same machine; clients share its cores. Before the load: how long it
//! takes to create the agents, and the mates of one agent among all of them.

mod common;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use common::client::{self, Connection, apart};
use common::figures::{Sample, head, row, short};
use common::host::Host;
use common::machine;
use futures::future::join_all;
use serde_json::{Value, json};

/// Measures the world of agents.
#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value_t = 100_000)]
    agents: usize,
    /// Requests a second, retirements not counted.
    #[arg(long, default_value_t = 2000.0)]
    rate: f64,
    #[arg(long, default_value_t = 600.0)]
    seconds: f64,
    /// Ticks of ten world seconds each that pass before the load.
    #[arg(long, default_value_t = 400)]
    warm: u64,
    /// Connections; an idle one takes the next request that is due.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Shows only that it works.
    #[arg(long)]
    quick: bool,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The load test's tasks by weight, in an order that repeats.
const MIX: [Task; 8] =
    [Task::Status, Task::Create, Task::List, Task::Status, Task::Interact, Task::Create, Task::List, Task::Status];

/// Ticks of one request.
const WARM_STEP: u64 = 20;

const SPIRITS: [&str; 5] = ["fox", "wolf", "otter", "eagle", "lion"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    Status,
    Create,
    List,
    Interact,
    /// Beside the mix: one for each creation.
    Retire,
}

#[derive(Default)]
struct Seen {
    latencies: BTreeMap<Task, Vec<Duration>>,
    errors: BTreeMap<String, usize>,
}

fn main() -> anyhow::Result<()> {
    let mut arguments = Arguments::parse();
    if arguments.quick || !arguments.bench {
        arguments = Arguments { agents: 200, rate: 50.0, seconds: 2.0, warm: 2, connections: 4, ..arguments };
    }
    common::runtime()?.block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    machine::print_facts("ecs");
    let empty = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let host = Host::start(empty.path(), &[]).await?;
    populate(&host, arguments.agents).await?;
    warm(&host, arguments.warm).await?;
    mates(&host).await?;
    tokio::time::sleep(Duration::from_secs(if arguments.seconds > 10.0 { 10 } else { 0 })).await;

    let (_, before) = host.get("/api/ecs/status").await?;
    let began = Instant::now();
    let watched = watch(&host, arguments.seconds);
    let (address, rate, seconds) = (host.address, arguments.rate, arguments.seconds);
    let (agents, connections) = (arguments.agents, arguments.connections);
    let load = apart(move || load(address, agents, rate, seconds, connections));
    let (seen, _) = tokio::join!(load, watched);
    let (seen, took) = (seen?, began.elapsed());
    let (_, after) = host.get("/api/ecs/status").await?;
    print(&seen, took);
    let ticks = |status: &Value| status["tick"].as_u64().unwrap_or_default();
    println!(
        "\n{} ticks in {} s, late: {}; failed calls of rules: {}; agents {} → {}",
        ticks(&after) - ticks(&before),
        short(took.as_secs_f64()),
        after["late_ticks"],
        after["failed_calls"],
        before["agent_count"],
        after["agent_count"],
    );
    if arguments.bench {
        ensure!(seen.errors.is_empty(), "there were errors: {:?}", seen.errors);
    }
    Ok(())
}

async fn populate(host: &Host, agents: usize) -> anyhow::Result<()> {
    let began = Instant::now();
    for first in (0..agents).step_by(1000) {
        let batch: Vec<Value> = (first..agents.min(first + 1000)).map(|number| born(&name(number), number)).collect();
        let (status, answer) = host.post("/api/ecs/agents/batch", &json!({ "agents": batch })).await?;
        ensure!(status == 200, "a batch was answered with {status}: {answer}");
    }
    let took = began.elapsed().as_secs_f64();
    let (resident, computed) = host.use_of_machine();
    let (_, status) = host.get("/api/ecs/status").await?;
    println!(
        "\n{agents} agents created in {} s ({} a second), {} s of processor; resident {} MB; {} bytes an agent by the \
         server's own count; data folder {} MB",
        short(took),
        short(agents as f64 / took),
        short(computed),
        short(resident),
        status["bytes_per_agent"],
        short(host.data_bytes() as f64 / 1e6),
    );
    Ok(())
}

fn name(number: usize) -> String {
    format!("agent-{number}")
}

/// Grown up and all over the map, so that everyone is a mate and has neighbours.
fn born(id: &str, number: usize) -> Value {
    let spread = |factor: usize| (number * factor % 20_001) as f32 / 10.0 - 1000.0;
    let spirit = SPIRITS[number % SPIRITS.len()];
    json!({ "agent_id": id, "spirit": spirit, "age": 20.0 + (number % 40) as f32, "x": spread(7919), "y": spread(104_729) })
}

/// Lets time pass until agents know as many others, and remember as much, as they ever will.
async fn warm(host: &Host, ticks: u64) -> anyhow::Result<()> {
    let began = Instant::now();
    let clock = async |change: Value| -> anyhow::Result<()> {
        let (status, answer) = host.post("/api/ecs/clock", &change).await?;
        ensure!(status == 200, "the clock was answered with {status}: {answer}");
        Ok(())
    };
    clock(json!({ "acceleration": 10.0, "paused": true })).await?;
    for done in (0..ticks).step_by(WARM_STEP as usize) {
        let step = json!({ "ticks": WARM_STEP.min(ticks - done) });
        let (status, answer) = host.post("/api/ecs/clock/step", &step).await?;
        ensure!(status == 200, "a step was answered with {status}: {answer}");
    }
    clock(json!({ "acceleration": 1.0, "paused": false })).await?;
    let (_, status) = host.get("/api/ecs/status").await?;
    let (resident, _) = host.use_of_machine();
    println!(
        "\n{ticks} ticks of ten seconds in {} s; resident {} MB; {} bytes an agent",
        short(began.elapsed().as_secs_f64()),
        short(resident),
        status["bytes_per_agent"],
    );
    Ok(())
}

async fn mates(host: &Host) -> anyhow::Result<()> {
    let mut took = Vec::new();
    for number in 0..20 {
        let began = Instant::now();
        let (status, answer) = host.get(&format!("/api/ecs/agents/{}/mates?max_results=5", name(number * 7))).await?;
        took.push(began.elapsed());
        ensure!(status == 200, "mates: {status}: {answer}");
    }
    let sample = Sample::milliseconds(took);
    println!(
        "\nmates of one agent among all: p50 {} ms, worst {} ms",
        short(sample.median()),
        short(sample.quantile(1.0))
    );
    Ok(())
}

/// What the server takes of the machine, at even intervals.
async fn watch(host: &Host, seconds: f64) {
    const LOOKS: u32 = 10;
    let columns = ["after, s", "resident, MB", "processor, s", "agents", "last tick, ms", "data, MB"];
    let parts = ["world, MB", "interactions", "relationships", "memories", "departed", "tables"];
    head("The server meanwhile", &[&columns[..], &parts].concat());
    let began = Instant::now();
    for look in 0..=LOOKS {
        let due = Duration::from_secs_f64(seconds * f64::from(look) / f64::from(LOOKS));
        tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
        let (resident, computed) = host.use_of_machine();
        let status = host.get("/api/ecs/status").await.map(|(_, status)| status).unwrap_or_default();
        let last = status["last_tick_ms"].as_f64().unwrap_or(f64::NAN);
        let data = host.data_bytes() as f64 / 1e6;
        let cells = [began.elapsed().as_secs_f64(), resident, computed].map(short);
        let part = |name: &str| short(status["footprint"][name].as_f64().unwrap_or(f64::NAN) / 1e6);
        let world = status["footprint"].as_object().map(|parts| parts.values().filter_map(Value::as_f64).sum::<f64>());
        let world = short(world.unwrap_or(f64::NAN) / 1e6);
        let [met, known, kept, gone, tables] =
            ["interactions", "relationships", "memories", "departed", "tables"].map(part);
        row(&[
            &cells[0],
            &cells[1],
            &cells[2],
            &status["agent_count"],
            &short(last),
            &short(data),
            &world,
            &met,
            &known,
            &kept,
            &gone,
            &tables,
        ]);
    }
}

/// One clock for all connections: who is free takes the next request that is due, or waits for it.
async fn load(address: SocketAddr, agents: usize, rate: f64, seconds: f64, connections: usize) -> anyhow::Result<Seen> {
    let (seen, next) = (RefCell::new(Seen::default()), RefCell::new(0usize));
    let created: RefCell<VecDeque<usize>> = RefCell::default();
    let count = (rate * seconds) as usize;
    let began = Instant::now();
    let client = async || {
        let mut connection = Connection::open(address).await?;
        loop {
            let number = next.replace_with(|number| *number + 1);
            if number >= count {
                return anyhow::Ok(());
            }
            let due = began + Duration::from_secs_f64(number as f64 / rate);
            tokio::time::sleep_until(due.into()).await;
            let task = MIX[number % MIX.len()];
            answer(&mut connection, task, &request(task, number, agents), due, &seen).await?;
            if task == Task::Create {
                // The oldest one that this load created, so that those of before stay to interact.
                let oldest = {
                    let mut created = created.borrow_mut();
                    created.push_back(number);
                    if created.len() > connections { created.pop_front() } else { None }
                };
                if let Some(oldest) = oldest {
                    let request = request(Task::Retire, oldest, agents);
                    answer(&mut connection, Task::Retire, &request, Instant::now(), &seen).await?;
                }
            }
        }
    };
    for ended in join_all((0..connections).map(|_| client())).await {
        ended?;
    }
    Ok(seen.into_inner())
}

fn request(task: Task, number: usize, agents: usize) -> Vec<u8> {
    match task {
        Task::Status => client::get("/api/ecs/status"),
        Task::Create => client::post("/api/ecs/agents", &born(&format!("load-{number}"), number).to_string()),
        Task::List => client::get(&format!("/api/ecs/agents?limit=50&offset={}", number * 7919 % agents.max(51))),
        Task::Retire => client::delete(&format!("/api/ecs/agents/load-{number}")),
        Task::Interact => {
            let (first, second) = (number * 104_729 % agents, (number * 7919 + 1) % agents);
            let second = if first == second { (second + 1) % agents } else { second };
            let body =
                json!({ "agent1_id": name(first), "agent2_id": name(second), "interaction_type": "communication" });
            client::post("/api/ecs/interactions", &body.to_string())
        }
    }
}

async fn answer(
    connection: &mut Connection,
    task: Task,
    request: &[u8],
    due: Instant,
    seen: &RefCell<Seen>,
) -> anyhow::Result<()> {
    let status = connection.exchange(request).await.context("the server did not answer")?;
    let took = due.elapsed();
    let mut seen = seen.borrow_mut();
    seen.latencies.entry(task).or_default().push(took);
    let failed = serde_json::from_slice::<Value>(connection.body()).is_ok_and(|body| body["success"] == false);
    if !(200..300).contains(&status) || failed {
        let body: String = String::from_utf8_lossy(connection.body()).chars().take(200).collect();
        *seen.errors.entry(format!("{task:?} {status}: {body}")).or_default() += 1;
    }
    Ok(())
}

fn print(seen: &Seen, took: Duration) {
    head("Requests", &["task", "answers", "a second", "p50, ms", "p95, ms", "p99, ms", "worst, ms"]);
    let line = |name: &str, latencies: &mut dyn Iterator<Item = Duration>| {
        let sample = Sample::milliseconds(latencies);
        let rate = short(sample.len() as f64 / took.as_secs_f64());
        let [p50, p95, p99, worst] = [0.5, 0.95, 0.99, 1.0].map(|share| short(sample.quantile(share)));
        row(&[&name, &sample.len(), &rate, &p50, &p95, &p99, &worst]);
    };
    for (task, latencies) in &seen.latencies {
        line(&format!("{task:?}").to_lowercase(), &mut latencies.iter().copied());
    }
    let mixed = seen.latencies.iter().filter(|(task, _)| **task != Task::Retire);
    line("the mix", &mut mixed.flat_map(|(_, latencies)| latencies.iter().copied()));
    println!("\nerrors: {}", seen.errors.values().sum::<usize>());
    for (error, count) in &seen.errors {
        println!("- {count} × {error}");
    }
}
