//! The price of WebAssembly on whole queries: the same strategy and ranker, once linked natively and once
//! as components, over the same index in the same run, one after the other on each query.
//!
//! ```text
//! cargo bench --bench price -- [--tree FOLDER] [--data FOLDER] [--hits 100]
//! ```
//!
//! A query here is strategy, all of its probes, ranker, and sorting; the probes of both sides go through
//! one retriever that runs each on a blocking thread, as the server does. The figure is the median ratio
//! of a component's time to that of the native run beside it (with p10 and p90 over all pairs). Each round
//! asks native, fresh, warm and native again, beginning with another one each time, so nobody always
//! finds the caches warm; "native again" shows how far two equal things differ on this machine. The last
//! column holds the difference against a whole answer of the service with the cache off, which also
//! fetches, marks and writes out the page.
//!
//! The tree is by default all crates that cargo has fetched. `--hits` bounds what one probe may find, and
//! so the number of candidates.

mod common;
/// The other side of the comparison.
#[path = "common/native.rs"]
mod native;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use common::figures::{Sample, head, row, short};
use common::plugins::{self, SnapshotRetriever};
use common::server::Server;
use common::workload::{Question, Workload};
use common::{Options, machine};
use corsac::runtime::{Candidates, InstancePolicy, Plugin};
use tokio::runtime::Runtime;

/// Measures native against component.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Hits of one probe at most.
    #[arg(long, default_value_t = 100)]
    hits: u32,
}

/// Chunks and scores, best first.
type Ranked = Vec<(u64, f32)>;

/// A strategy and the default ranker as components.
struct Component {
    strategy: Plugin,
    ranker: Plugin,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let options = &arguments.options;
    machine::print_facts("price");
    let runtime = common::runtime()?;
    let server = runtime.block_on(Server::start(&options.large_tree(), options, |settings| {
        settings.cache.bytes = 0;
    }))?;
    let snapshot = server.app.index.snapshot();
    let workload = Workload::draw(&snapshot, options.size(400, 20))?;
    let retriever = Arc::new(SnapshotRetriever { snapshot, most: arguments.hits });

    let columns = ["pair", "median ratio", "p10", "p90", "native, µs", "component, µs", "difference, µs"];
    head(
        "Native against component",
        &[&columns[..], &["candidates", "queries", "answers that differ", "of a whole answer"]].concat(),
    );
    let strategies: [(&str, native::Strategy); 2] = [
        ("hybrid", |query, retrieve| strategy_hybrid::propose(query, retrieve)),
        ("semantic", |query, retrieve| strategy_semantic::propose(query, retrieve)),
    ];
    for (name, strategy) in strategies {
        let questions = workload.clone().take(name, options.size(300, 5));
        let components = [
            runtime.block_on(Component::load(name, InstancePolicy::Fresh))?,
            runtime.block_on(Component::load(name, InstancePolicy::Warm))?,
        ];
        let mut pairs = Pairs::default();
        for (place, question) in questions.iter().enumerate() {
            let query = native::Query::new(&question.text);
            let run = |contestant: usize| match contestant {
                0 | 3 => Ok(sorted(native::search(&runtime, strategy, &query, &*retriever)?)),
                component => components[component - 1].run(&runtime, &question.text, &retriever),
            };
            // Reads from the disk what all of them need.
            run(0)?;
            for round in 0..options.size(4, 1) {
                pairs.round(place + round, run)?;
            }
        }
        let whole = runtime.block_on(whole_answers(&server, &questions))?;
        pairs.print(name, questions.len(), whole.median());
    }
    runtime.block_on(server.stop())
}

/// Times of one strategy: native, fresh, warm, native again.
#[derive(Default)]
struct Pairs {
    times: [Vec<Duration>; 4],
    candidates: Vec<f64>,
    differing: [usize; 4],
}

impl Pairs {
    fn round(&mut self, begin: usize, run: impl Fn(usize) -> anyhow::Result<Ranked>) -> anyhow::Result<()> {
        let mut answers: [Ranked; 4] = Default::default();
        for contestant in (0..4).map(|step| (begin + step) % 4) {
            let began = Instant::now();
            answers[contestant] = run(contestant)?;
            self.times[contestant].push(began.elapsed());
        }
        self.candidates.push(answers[0].len() as f64);
        for (differing, answer) in self.differing.iter_mut().zip(&answers) {
            *differing += usize::from(*answer != answers[0]);
        }
        Ok(())
    }

    fn print(&self, strategy: &str, queries: usize, whole: f64) {
        let native = Sample::microseconds(self.times[0].iter().copied());
        for (contestant, label) in [(1, "fresh"), (2, "warm"), (3, "native again")] {
            let pairs = || self.times[contestant].iter().map(Duration::as_secs_f64).zip(&self.times[0]);
            let ratio = Sample::of(pairs().map(|(time, native)| time / native.as_secs_f64()));
            let difference = Sample::of(pairs().map(|(time, native)| (time - native.as_secs_f64()) * 1e6)).median();
            let component = Sample::microseconds(self.times[contestant].iter().copied());
            row(&[
                &format!("{strategy}, {label}"),
                &format!("{:.3}", ratio.median()),
                &format!("{:.3}", ratio.quantile(0.1)),
                &format!("{:.3}", ratio.quantile(0.9)),
                &short(native.median()),
                &short(component.median()),
                &short(difference),
                &Sample::of(self.candidates.iter().copied()).median(),
                &queries,
                &self.differing[contestant],
                &format!("{:.1} % of {} µs", difference / whole * 100.0, short(whole)),
            ]);
        }
    }
}

/// The same questions through the whole service, in microseconds.
async fn whole_answers(server: &Server, questions: &[Question]) -> anyhow::Result<Sample> {
    let mut times = Vec::new();
    for question in questions {
        let request = question.request();
        let began = Instant::now();
        server.search(request).await?;
        times.push(began.elapsed());
    }
    Ok(Sample::microseconds(times))
}

impl Component {
    async fn load(strategy: &str, policy: InstancePolicy) -> anyhow::Result<Self> {
        let strategy = plugins::load(&format!("strategy-{strategy}"), policy).await?;
        Ok(Self { strategy, ranker: plugins::load("rank-relevance", policy).await? })
    }

    fn run(&self, runtime: &Runtime, text: &str, retriever: &Arc<SnapshotRetriever>) -> anyhow::Result<Ranked> {
        let query = plugins::query(text);
        runtime.block_on(async {
            let hits = self.strategy.propose(&query, retriever.clone()).await?.hits;
            if hits.is_empty() {
                return Ok(vec![]);
            }
            let chunks = hits.chunks.iter().map(|chunk| chunk.0);
            let candidates =
                Candidates { count: hits.scores.len() as u32, features: hits.scores, ..Candidates::default() };
            let ranking = self.ranker.rank(&query, candidates, false).await?;
            Ok(sorted(chunks.zip(ranking.scores).collect()))
        })
    }
}

/// Best first, ties in the strategy's order.
fn sorted(mut ranked: Ranked) -> Ranked {
    ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
    ranked
}
