//! What rules cost as a component, against the same rules linked into this program, without a world around
//! them.
//!
//! ```text
//! cargo bench --bench rules
//! ```
//!
//! Each figure is nanoseconds of one agent (or pair): the median over batches of calls (p90 beside it)
//! divided by the agents of a call. *native* is the crate `traits-classic`; *fresh* (the default of the
//! server) its component with a new instance each call; *warm* with instances that are used again. Both
//! include what it takes to get the columns in and the checked answer out. 8,192 agents are what a world
//! asks about at once; a hundred thousand is a whole world, asked for the mates of one.

mod common;

use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use common::figures::{Sample, batches, head, row, short};
use common::{Options, machine, plugins};
use corsac::rules::{Bodies, Encounters, Individual, Lives, Population, Rules};
use corsac::runtime::{InstancePolicy, TraitRules};
use traits_classic::Classic;
use traits_kit::{Society, TraitModel};

const RULES: &str = "traits-classic";
const WIDTH: usize = traits_kit::traits::WIDTH;

/// Measures what rules cost.
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

/// The same version twice, by how its instances live.
struct Components {
    fresh: TraitRules,
    warm: TraitRules,
}

fn main() -> anyhow::Result<()> {
    let options = Arguments::parse().options;
    common::runtime()?.block_on(run(&options))
}

async fn run(options: &Options) -> anyhow::Result<()> {
    machine::print_facts("rules");
    let components = Components { fresh: load(InstancePolicy::Fresh).await?, warm: load(InstancePolicy::Warm).await? };
    let effort = options.size(Effort { batches: 100, calls: 10 }, Effort { batches: 2, calls: 2 });
    head(
        "Rules, ns for one agent or pair",
        &["call", "native", "p90", "fresh", "p90", "warm", "p90", "fresh ÷ native", "fresh, ms for the call"],
    );
    for count in options.size(&[1, 1024, 8192][..], &[1, 64][..]) {
        tick(effort, &components, *count).await?;
    }
    let batch = options.size(8192, 64);
    wander(effort, &components, batch).await?;
    meet(effort, &components, batch).await?;
    let slow = Effort { calls: 1, ..effort };
    for count in [batch, options.size(100_000, 128)] {
        mates(slow, &components, count).await?;
    }
    Ok(())
}

async fn load(instances: InstancePolicy) -> anyhow::Result<TraitRules> {
    let plugin = plugins::load(RULES, instances).await?;
    TraitRules::of(Arc::new(plugin)).with_context(|| format!("{RULES} has no trait rules in it"))
}

/// Numbers in 0..1 that repeat late enough not to be learnt.
fn column(length: usize) -> Vec<f32> {
    (0..length).map(|place| (place * 7919 % 10_007) as f32 / 10_007.0).collect()
}

async fn tick(effort: Effort, components: &Components, count: usize) -> anyhow::Result<()> {
    let (ages, energies, traits) = (column(count), column(count), column(count * WIDTH));
    let lives = Lives { count: count as u32, ages: ages.clone(), energies: energies.clone(), traits: traits.clone() };
    let owned = || traits_kit::Lives {
        count: count as u32,
        ages: ages.clone(),
        energies: energies.clone(),
        traits: traits.clone(),
    };
    let native =
        batches(effort.batches, effort.calls, owned, async |lives| Classic::tick(lives, 0.01, 7).map_err(refused));
    let native = native.await?;
    let ask = async |rules: &TraitRules| {
        batches(effort.batches, effort.calls, || (), async |()| Ok(rules.tick(&lives, 0.01, 7).await?)).await
    };
    print("tick", count, &native, &ask(&components.fresh).await?, &ask(&components.warm).await?);
    Ok(())
}

async fn wander(effort: Effort, components: &Components, count: usize) -> anyhow::Result<()> {
    let (traits, short) = (column(count * WIDTH), column(count));
    let bodies = Bodies {
        count: count as u32,
        traits: traits.clone(),
        energies: short.clone(),
        xs: short.clone(),
        ys: short.clone(),
        velocity_xs: short.clone(),
        velocity_ys: short.clone(),
    };
    let owned = || traits_kit::Bodies {
        count: count as u32,
        traits: traits.clone(),
        energies: short.clone(),
        xs: short.clone(),
        ys: short.clone(),
        velocity_xs: short.clone(),
        velocity_ys: short.clone(),
    };
    let native =
        batches(effort.batches, effort.calls, owned, async |bodies| Classic::wander(bodies, 1.0, 7).map_err(refused));
    let native = native.await?;
    let ask = async |rules: &TraitRules| {
        batches(effort.batches, effort.calls, || (), async |()| Ok(rules.wander(&bodies, 1.0, 7).await?)).await
    };
    print("wander", count, &native, &ask(&components.fresh).await?, &ask(&components.warm).await?);
    Ok(())
}

async fn meet(effort: Effort, components: &Components, count: usize) -> anyhow::Result<()> {
    let (traits, short) = (column(count * WIDTH), column(count));
    let pairs = Encounters {
        count: count as u32,
        first: traits.clone(),
        second: traits.clone(),
        first_energies: short.clone(),
        second_energies: short.clone(),
        distances: short.clone(),
        strengths: short.clone(),
        trusts: short.clone(),
        familiarities: short.clone(),
        same_spirit: vec![false; count],
    };
    let owned = || traits_kit::Encounters {
        count: count as u32,
        first: traits.clone(),
        second: traits.clone(),
        first_energies: short.clone(),
        second_energies: short.clone(),
        distances: short.clone(),
        strengths: short.clone(),
        trusts: short.clone(),
        familiarities: short.clone(),
        same_spirit: vec![false; count],
    };
    let native =
        batches(effort.batches, effort.calls, owned, async |pairs| Classic::meet(pairs, 1.0, 7).map_err(refused));
    let native = native.await?;
    let ask = async |rules: &TraitRules| {
        batches(effort.batches, effort.calls, || (), async |()| Ok(rules.meet(&pairs, 1.0, 7).await?)).await
    };
    print("meet", count, &native, &ask(&components.fresh).await?, &ask(&components.warm).await?);
    Ok(())
}

/// One against all: one call, whatever the count.
async fn mates(effort: Effort, components: &Components, count: usize) -> anyhow::Result<()> {
    let spirits = components.fresh.about().spirits.iter().cycle().take(count).cloned().collect();
    let population =
        Population { count: count as u32, traits: column(count * WIDTH), spirits, generations: vec![2; count] };
    let one = Individual { traits: column(WIDTH), spirit: "fox".into(), generation: 1, mutations: 0 };
    let owned = || {
        let one = traits_kit::Individual {
            traits: one.traits.clone(),
            spirit: one.spirit.clone(),
            generation: one.generation,
            mutations: one.mutations,
        };
        let many = traits_kit::Population {
            count: count as u32,
            traits: population.traits.clone(),
            spirits: population.spirits.clone(),
            generations: population.generations.clone(),
        };
        (one, many)
    };
    let native = batches(effort.batches, effort.calls, owned, async |(one, many)| {
        Classic::compatibility(one, many).map_err(refused)
    });
    let native = native.await?;
    let ask = async |rules: &TraitRules| {
        let ask = async |()| Ok(rules.compatibility(&one, &population).await?);
        batches(effort.batches, effort.calls, || (), ask).await
    };
    print("compatibility", count, &native, &ask(&components.fresh).await?, &ask(&components.warm).await?);
    Ok(())
}

fn refused(error: traits_kit::PluginError) -> anyhow::Error {
    anyhow::anyhow!("{error:?}")
}

fn print(call: &str, count: usize, native: &Sample, fresh: &Sample, warm: &Sample) {
    let each = |microseconds: f64| short(microseconds * 1e3 / count as f64);
    let figures: Vec<String> =
        [native, fresh, warm].iter().flat_map(|sample| [sample.median(), sample.quantile(0.9)]).map(each).collect();
    row(&[
        &format!("`{call}`, {count}"),
        &figures.join(" | "),
        &short(fresh.median() / native.median()),
        &short(fresh.median() / 1e3),
    ]);
}
