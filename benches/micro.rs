//! One or two operations of each layer by itself, measured by criterion. `cargo xtask bench` runs it and puts its
//! medians into the report.
//!
//! ```text
//! cargo bench --bench micro -- [FILTER] [--quick]
//! ```
//!
//! Without `--bench`, which `cargo bench` adds by itself, every operation runs once and nothing is measured. The
//! tree is this server's own sources.

mod common;

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::body::{Body, Bytes};
use axum::http::Request;
use common::server::Server;
use common::workload::Workload;
use common::{Options, machine, plugins};
use corsac::app::App;
use corsac::cache::{Cache, Computed, Entry, Lifetimes};
use corsac::ecs::World;
use corsac::ecs::view::NewAgent;
use corsac::http::Backend;
use corsac::index::{Snapshot, TextEmbedder};
use corsac::query::{
    PatternProbe, PatternSyntax, Probe, Scope, SymbolMatch, SymbolProbe, TermMatch, TextProbe, VectorProbe,
};
use corsac::runtime::{Candidates, InstancePolicy};
use corsac::store::{NewDocument, SqliteStore, Store};
use criterion::{BatchSize, Criterion, Throughput};
use tokio::runtime::Runtime;
use tower::ServiceExt;

/// The size of an answer with 20 hits.
const BODY: usize = 28_000;
const NAMESPACE: &str = "hybrid";
const AGENTS: usize = 1000;
const TEXT: &str = "how is the cache key made of a query, and what becomes of it when a plugin is swapped";

fn main() -> anyhow::Result<()> {
    machine::print_facts("micro");
    let runtime = common::runtime()?;
    let mut criterion = Criterion::default().configure_from_args();
    cache(&mut criterion, &runtime);
    rank(&mut criterion, &runtime)?;
    store(&mut criterion, &runtime)?;
    // The command line is criterion's.
    let options = Options::default();
    let server = runtime.block_on(Server::start(&options.small_tree(), &options, |settings| {
        settings.cache.warm_queries = 0;
    }))?;
    // Before agents come, whose clock would be heard in what follows.
    let world = Backend::world(&*server.app).context("the server has no world")?;
    http(&mut criterion, &runtime, &server)?;
    index(&mut criterion, &server.app.index.snapshot())?;
    ecs(&mut criterion, &runtime, &*world)?;
    criterion.final_summary();
    runtime.block_on(server.stop())
}

/// Through the whole router, without a socket: an answer out of the cache, and ones that have to be found.
fn http(criterion: &mut Criterion, runtime: &Runtime, server: &Server) -> anyhow::Result<()> {
    let router = server.app.router();
    let ask = async |body: Bytes| {
        let request = Request::post("/api/search/hybrid").header("host", "localhost");
        let request = request.header("content-type", "application/json").body(Body::from(body));
        let answer = router.clone().oneshot(request.map_err(anyhow::Error::from)?).await?;
        anyhow::ensure!(answer.status() == 200, "status {}", answer.status());
        Ok(axum::body::to_bytes(answer.into_body(), usize::MAX).await?)
    };
    let asked = Bytes::from(serde_json::json!({ "query": TEXT }).to_string());
    let size = runtime.block_on(ask(asked.clone()))?.len();
    let mut group = criterion.benchmark_group("http");
    group.throughput(Throughput::Bytes(size as u64));
    group.bench_function("cached answer", |bencher| bencher.to_async(runtime).iter(|| ask(asked.clone())));
    group.finish();

    let mut workload = Workload::draw(&server.app.index.snapshot(), 200)?;
    let questions = workload.take("hybrid", 200);
    anyhow::ensure!(!questions.is_empty(), "the tree has nothing to ask for");
    let number = Cell::new(0_usize);
    // The text changes with each round, so that no answer is there yet.
    let next = || {
        let place = number.replace(number.get() + 1);
        let mut request = questions[place % questions.len()].request();
        request.query.text += &format!(" {place}");
        request
    };
    let app: &App = &server.app;
    let mut group = criterion.benchmark_group("service");
    group.bench_function("uncached hybrid query", |bencher| {
        bencher.to_async(runtime).iter_batched(
            next,
            async |request| Backend::search(app, request).await.map(|answer| answer.body.len()),
            BatchSize::PerIteration,
        );
    });
    group.finish();
    Ok(())
}

fn cache(criterion: &mut Criterion, runtime: &Runtime) {
    let cache = Cache::new(1 << 30, Lifetimes::default());
    let entry = Entry { body: Bytes::from(vec![b'a'; BODY]), etag: "e".into() };
    let digest = |number: u64| *blake3::hash(&number.to_le_bytes()).as_bytes();
    let set = async |number: u64| {
        let computed = Computed { entry: entry.clone(), keep: true };
        let set = cache.get_or_compute(NAMESPACE, digest(number), async move { Ok::<_, &str>(computed) }).await;
        set.is_ok()
    };
    runtime.block_on(set(0));
    let mut group = criterion.benchmark_group("cache");
    group.bench_function("get of 28 kB", |bencher| {
        bencher.to_async(runtime).iter(|| cache.get(NAMESPACE, digest(0)));
    });
    let number = Cell::new(1);
    group.bench_function("set of 28 kB", |bencher| {
        bencher.to_async(runtime).iter_batched(|| number.replace(number.get() + 1), set, BatchSize::SmallInput);
    });
    group.finish();
}

/// A call of the default ranker's plainer sibling on a hundred candidates.
fn rank(criterion: &mut Criterion, runtime: &Runtime) -> anyhow::Result<()> {
    let query = plugins::query(TEXT);
    let features: Vec<f32> = (0..100).map(|place| 1.0 / (1.0 + (place % 97) as f32)).collect();
    let mut group = criterion.benchmark_group("runtime");
    for (name, instances) in [("fresh", InstancePolicy::Fresh), ("warm", InstancePolicy::Warm)] {
        let plugin = runtime.block_on(plugins::load("rank-relevance", instances))?;
        group.bench_function(format!("rank-relevance, 100 candidates, {name} instance"), |bencher| {
            bencher.to_async(runtime).iter_batched(
                || Candidates { count: 100, features: features.clone(), ..Candidates::default() },
                async |candidates| plugin.rank(&query, candidates, false).await.is_ok(),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
    Ok(())
}

fn index(criterion: &mut Criterion, snapshot: &Snapshot) -> anyhow::Result<()> {
    let probes = [
        (
            "text probe",
            Probe::Text(TextProbe {
                text: "cache key of a query".into(),
                mode: TermMatch::Any,
                fuzziness: 0,
                prefix: false,
                fields: vec![],
                limit: 100,
            }),
        ),
        ("vector probe", Probe::Vector(VectorProbe { text: TEXT.into(), min_similarity: None, limit: 100 })),
        (
            "pattern probe",
            Probe::Pattern(PatternProbe {
                pattern: r"fn \w*digest\w*\(".into(),
                syntax: PatternSyntax::Regex,
                case_sensitive: false,
                whole_word: false,
                limit: 100,
            }),
        ),
        (
            "symbol probe",
            Probe::Symbol(SymbolProbe {
                name: "Snapshot".into(),
                mode: SymbolMatch::Prefix,
                case_sensitive: false,
                limit: 100,
            }),
        ),
    ];
    let run = |probe: &Probe| snapshot.probe(probe, &Scope::default(), Instant::now() + Duration::from_secs(10));
    let mut group = criterion.benchmark_group("index");
    for (name, probe) in &probes {
        anyhow::ensure!(!run(probe)?.chunks.is_empty(), "the {name} finds nothing");
        group.bench_function(*name, |bencher| bencher.iter(|| run(probe)));
    }
    let (embedder, texts) = (TextEmbedder::built_in()?, [TEXT.to_owned()]);
    group.bench_function("embed one text", |bencher| bencher.iter(|| embedder.embed(&texts)));
    group.bench_function("terms of one text", |bencher| bencher.iter(|| snapshot.terms(TEXT)));
    group.finish();
    Ok(())
}

/// A hundred documents in one transaction, each time others.
fn store(criterion: &mut Criterion, runtime: &Runtime) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
    let store = runtime.block_on(SqliteStore::open(&folder.path().join("store.sqlite")))?;
    let number = Cell::new(0_u64);
    let next = || {
        let round = number.replace(number.get() + 1);
        (0..100).map(|place| document(round, place)).collect::<Vec<_>>()
    };
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(100)).sample_size(20);
    group.bench_function("upsert of 100 documents, SQLite", |bencher| {
        let store: &dyn Store = &store;
        let upsert = async |documents| store.upsert(documents).await.is_ok();
        bencher.to_async(runtime).iter_batched(next, upsert, BatchSize::PerIteration);
    });
    group.finish();
    Ok(())
}

fn document(round: u64, place: u64) -> NewDocument {
    NewDocument {
        root: 0,
        path: format!("round_{round}/{place}.md"),
        language: None,
        title: None,
        modified: None,
        stamp: None,
        content: format!("Document {place} of round {round}. {}", TEXT.repeat(20)),
        rewrite: false,
    }
}

fn ecs(criterion: &mut Criterion, runtime: &Runtime, world: &dyn World) -> anyhow::Result<()> {
    let agent = |name: String| NewAgent { agent_id: name, age: Some(30.0), ..NewAgent::default() };
    let agents = (0..AGENTS).map(|number| agent(format!("micro-{number}"))).collect();
    // Its own clock would tick in between.
    let pause = corsac::ecs::world::ClockChange { paused: Some(true), ..Default::default() };
    runtime.block_on(async {
        world.set_clock(pause).await?;
        world.create_many(agents).await
    })?;
    let mut group = criterion.benchmark_group("ecs");
    group.sample_size(20);
    group.bench_function("tick of 1,000 agents", |bencher| {
        bencher.to_async(runtime).iter(async || world.step(1).await.is_ok());
    });
    let number = Cell::new(0_u64);
    let next = || agent(format!("made-{}", number.replace(number.get() + 1)));
    group.bench_function("create", |bencher| {
        let create = async |agent| world.create(agent).await.is_ok();
        bencher.to_async(runtime).iter_batched(next, create, BatchSize::PerIteration);
    });
    group.finish();
    Ok(())
}
