//! What one call of a plugin costs, in microseconds, without index, cache or HTTP.
//!
//! ```text
//! cargo bench --bench call
//! ```
//!
//! Each figure is the median over batches (p90 beside it) of the mean time of one call within a batch,
//! with inputs made beforehand. *native* is the same crate linked into this program; *warm* a component
//! whose instances are used again; *fresh* (the default of the server) one with a new instance each call.
//! Fresh less warm is therefore what a new instance with its store and limits costs; "engine alone" is the
//! same without this host's state: an instance out of the pool, created and dropped. The call on one
//! candidate, and the strategy's that finds nothing, are as good as empty.

mod common;

use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use common::figures::{Sample, batches, head, row, short};
use common::{Options, machine, plugins};
use corsac::runtime::{Candidates, CompiledCache, InstancePolicy, Loader, Plugin, PluginOptions, Source};
use wasmtime::component::Linker;
use wasmtime::{Store, UpdateDeadline};

const QUERY: &str = "how is the cache key made";

/// Measures what calls and instances cost.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

/// How often a thing is done.
#[derive(Clone, Copy)]
struct Effort {
    batches: usize,
    calls: usize,
}

fn main() -> anyhow::Result<()> {
    let options = Arguments::parse().options;
    common::runtime()?.block_on(run(&options))
}

async fn run(options: &Options) -> anyhow::Result<()> {
    machine::print_facts("call");
    let effort = options.size(Effort { batches: 200, calls: 200 }, Effort { batches: 3, calls: 3 });
    head("One call, µs", &["call", "native", "p90", "warm", "p90", "fresh", "p90", "fresh − warm"]);
    for (ranker, features) in [("rank-relevance", 1), ("rank-fields", 4)] {
        for count in [1, 100, 1000] {
            rank(effort, ranker, features, count).await?;
        }
    }
    propose(effort).await?;

    let slow = options.size(Effort { batches: 20, calls: 1 }, Effort { batches: 2, calls: 1 });
    head("Instances and loading, µs", &["what", "plugin", "median", "p90"]);
    for name in ["rank-relevance", "strategy-hybrid"] {
        instances(effort, name).await?;
        loading(slow, name).await?;
    }
    Ok(())
}

/// One ranker on `count` candidates.
async fn rank(effort: Effort, name: &str, features: usize, count: u32) -> anyhow::Result<()> {
    let column: Vec<f32> = (0..count as usize * features).map(|place| 1.0 / (1.0 + (place % 97) as f32)).collect();
    let native = native_rank(effort, name, count, &column).await?;
    let query = plugins::query(QUERY);
    let candidates = || Candidates { count, features: column.clone(), ..Candidates::default() };
    let call = async |plugin: &Plugin| {
        let rank = async |candidates| Ok(plugin.rank(&query, candidates, false).await?);
        batches(effort.batches, effort.calls, candidates, rank).await
    };
    let warm = call(&plugins::load(name, InstancePolicy::Warm).await?).await?;
    let fresh = call(&plugins::load(name, InstancePolicy::Fresh).await?).await?;
    print(&format!("`{name}`, candidates: {count}"), &native, &warm, &fresh);
    Ok(())
}

async fn native_rank(effort: Effort, name: &str, count: u32, column: &[f32]) -> anyhow::Result<Sample> {
    let query = rank_relevance::Query {
        text: QUERY.into(),
        limit: 20,
        file_types: vec![],
        directories: vec![],
        case_sensitive: false,
        whole_word: false,
        similarity_threshold: None,
        weights: vec![],
        parameters: vec![],
    };
    let candidates = || rank_relevance::Candidates {
        count,
        features: column.to_vec(),
        texts: vec![],
        dimension: 0,
        embeddings: vec![],
    };
    let fields = name == "rank-fields";
    let rank = async |candidates| match fields {
        true => Ok(rank_fields::rank(rank_fields::Boosts::default(), &candidates, false)),
        false => Ok(rank_relevance::rank(&query, &candidates, false)?),
    };
    batches(effort.batches, effort.calls, candidates, rank).await
}

/// The hybrid strategy when its probes find nothing, at once.
async fn propose(effort: Effort) -> anyhow::Result<()> {
    let Effort { batches: number, calls } = effort;
    let native_query = strategy_hybrid::Query {
        text: QUERY.into(),
        limit: 20,
        file_types: vec![],
        directories: vec![],
        case_sensitive: false,
        whole_word: false,
        similarity_threshold: None,
        weights: vec![],
        parameters: vec![],
    };
    let nothing = || strategy_hybrid::Hits { chunks: vec![], lines: vec![], scores: vec![], truncated: false };
    let native = async |()| {
        let retrieve = |probes: &[strategy_hybrid::Probe]| probes.iter().map(|_| Ok(nothing())).collect();
        Ok(strategy_hybrid::propose(&native_query, retrieve)?)
    };
    let native = batches(number, calls, || (), native).await?;
    let query = plugins::query(QUERY);
    let call = async |plugin: &Plugin| {
        let propose = async |()| Ok(plugin.propose(&query, Arc::new(plugins::NothingFound)).await?);
        batches(number, calls, || (), propose).await
    };
    let warm = call(&plugins::load("strategy-hybrid", InstancePolicy::Warm).await?).await?;
    let fresh = call(&plugins::load("strategy-hybrid", InstancePolicy::Fresh).await?).await?;
    print("`strategy-hybrid`, nothing found", &native, &warm, &fresh);
    Ok(())
}

fn print(call: &str, native: &Sample, warm: &Sample, fresh: &Sample) {
    let figures: Vec<String> =
        [native, warm, fresh].iter().flat_map(|sample| [sample.median(), sample.quantile(0.9)]).map(short).collect();
    row(&[&call, &figures.join(" | "), &short(fresh.median() - warm.median())]);
}

/// Creates and drops instances in the server's own engine, with imports that are never called.
async fn instances(effort: Effort, name: &str) -> anyhow::Result<()> {
    let (component, _) = Loader::new(None)?.compile(plugins::bytes(name)?)?;
    let engine = component.engine();
    let mut linker: Linker<()> = Linker::new(engine);
    linker.define_unknown_imports_as_traps(&component).map_err(anyhow::Error::msg).context("cannot link")?;
    let template = linker.instantiate_pre(&component).map_err(anyhow::Error::msg)?;
    let create = async |()| {
        let mut store = Store::new(engine, ());
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(1)));
        store.set_epoch_deadline(1);
        let instance = template.instantiate_async(&mut store).await.map_err(anyhow::Error::msg)?;
        drop(store);
        Ok(instance)
    };
    let sample = batches(effort.batches, effort.calls, || (), create).await?;
    print_one("create and drop an instance, engine alone", name, &sample);
    Ok(())
}

/// From the bytes of a file to code, compiled and from the cache on disk, and to a plugin that was tried.
async fn loading(effort: Effort, name: &str) -> anyhow::Result<()> {
    let bytes = plugins::bytes(name)?;
    let loader = Loader::new(None)?;
    let compile = async |()| Ok(loader.compile(bytes)?);
    print_one("compile", name, &batches(effort.batches, effort.calls, || (), compile).await?);

    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let loader = Arc::new(Loader::new(Some(CompiledCache::open(folder.path())?))?);
    let deserialize = async |()| Ok(loader.compile(bytes)?);
    print_one("load compiled code", name, &batches(effort.batches, effort.calls, || (), deserialize).await?);
    let source = Source::Embedded(name.into());
    let load = async |()| Ok(loader.load(bytes.into(), &source, &|_| PluginOptions::default()).await?);
    print_one("load compiled code, describe, try", name, &batches(effort.batches, effort.calls, || (), load).await?);
    Ok(())
}

fn print_one(what: &str, plugin: &str, sample: &Sample) {
    row(&[&what, &format!("`{plugin}`"), &short(sample.median()), &short(sample.quantile(0.9))]);
}
