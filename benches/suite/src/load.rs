//! Users who wait between two requests, as goose plays them. Latencies are kept here: goose rounds those above 100 ms.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use goose::GooseAttack;
use goose::config::GooseConfiguration;
use goose::goose::{Scenario, Transaction, TransactionFunction};

use crate::Options;
use crate::cases::users::{CLASSES, Class, Task};
use crate::cases::{Ask, Scene};
use crate::contract::Contract;
use crate::exchange::Client;
use crate::report::{Part, Report, Row};
use crate::server::Server;
use crate::tally::Tally;

/// What users share: the server, what they may ask for, and what they saw.
pub struct Crowd {
    client: Client,
    scene: Scene,
    number: AtomicU64,
    /// By class and task.
    seen: Mutex<BTreeMap<(&'static str, &'static str), Tally>>,
}

impl Crowd {
    /// Fails unless the server's document allows what each task asks for.
    pub async fn gather(server: &Server, tree: &Path) -> anyhow::Result<Arc<Self>> {
        let scene = Scene::prepare(&server.client, tree).await?;
        for task in CLASSES.iter().flat_map(|class| class.tasks) {
            allowed(&server.contract, &scene, task)?;
        }
        Ok(Arc::new(Self { client: server.client.clone(), scene, number: AtomicU64::new(0), seen: Mutex::default() }))
    }

    async fn perform(&self, class: &'static str, task: &Task) {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        // Every other question was asked before, by somebody: what people do, and neither all warm nor all cold.
        let ask = Ask { number, fresh: number.is_multiple_of(2) };
        let Some(request) = (task.request)(&self.scene, ask) else { return };
        let sent = Instant::now();
        let answer = self.client.ask(&request).await;
        let took = sent.elapsed().as_secs_f64() * 1e3;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.entry((class, task.name)).or_default().add(&answer, took);
    }

    /// What was seen since the last time.
    pub fn take(&self) -> BTreeMap<(&'static str, &'static str), Tally> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn allowed(contract: &Contract, scene: &Scene, task: &Task) -> anyhow::Result<()> {
    // Some numbers, because requests differ by theirs.
    for number in 0..12 {
        for fresh in [true, false] {
            let request = (task.request)(scene, Ask { number, fresh }).context("the tree has too few texts")?;
            contract.check(task.path, &request).with_context(|| format!("the task `{}`", task.name))?;
        }
    }
    Ok(())
}

/// A class of users as goose wants it.
pub fn scenario(crowd: &Arc<Crowd>, class: &'static Class) -> anyhow::Result<Scenario> {
    let (least, most) = class.wait;
    let mut scenario = Scenario::new(class.name)
        .set_wait_time(Duration::from_secs(least), Duration::from_secs(most))?
        .set_weight(class.users)?;
    for task in class.tasks {
        let crowd = crowd.clone();
        let perform: TransactionFunction = Arc::new(move |_| {
            let crowd = crowd.clone();
            Box::pin(async move {
                crowd.perform(class.name, task).await;
                Ok(())
            })
        });
        scenario =
            scenario.register_transaction(Transaction::new(perform).set_name(task.name).set_weight(task.weight)?);
    }
    Ok(scenario)
}

/// Runs users of these classes until `time` after the last of them came.
pub async fn attack(scenarios: Vec<Scenario>, (users, spawn): (usize, usize), time: Duration) -> anyhow::Result<()> {
    let mut configuration = GooseConfiguration::default();
    // Goose wants to know one, though nothing is asked through it.
    configuration.host = Some("http://127.0.0.1/".into());
    configuration.users = Some(users);
    configuration.increase_rate = Some(spawn.to_string());
    configuration.run_time = Some(format!("{}s", time.as_secs().max(1)));
    (configuration.no_metrics, configuration.no_print_metrics) = (true, true);
    configuration.no_telnet = true;
    configuration.quiet = 2;
    let mut attack = GooseAttack::initialize_with_config(configuration)?;
    for scenario in scenarios {
        attack = attack.register_scenario(scenario);
    }
    attack.execute().await?;
    Ok(())
}

pub async fn run(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let server = Server::start(&options.server, &options.tree, &[]).await?;
    report.corpus = server.corpus.clone();
    let crowd = Crowd::gather(&server, &options.tree).await?;
    report.notes.push(
        "Users: half of what they ask for nobody asked before, the other half is twenty texts that take turns. They wait \
         between two requests, so their number bounds what they offer."
            .into(),
    );
    for class in &CLASSES {
        let time = options.size(Duration::from_secs(60 * class.minutes), Duration::from_secs(8));
        eprintln!("{} users of {} for {} s …", class.users, class.name, time.as_secs());
        let (before, began) = (server.moment(), Instant::now());
        attack(vec![scenario(&crowd, class)?], (class.users, class.spawn), time).await?;
        let (used, lasted) = (before.until_now(), began.elapsed());
        let mut whole = Tally::default();
        let load = format!("{} users", class.users);
        for ((_, task), tally) in crowd.take() {
            whole.merge(tally.clone());
            let row = Row::new(Part::Load, format!("{}: {task}", class.name), "mixed", load.clone(), tally, lasted);
            report.push(row);
        }
        ensure!(whole.requests() > 0, "the users of {} asked for nothing", class.name);
        let mut row = Row::new(Part::Load, format!("{} users", class.name), "mixed", load, whole, lasted);
        let mean_wait = (class.wait.0 + class.wait.1) as f64 / 2.0;
        (row.offered, row.server) = (Some(class.users as f64 / mean_wait), Some(used));
        report.push(row);
    }
    Ok(())
}
