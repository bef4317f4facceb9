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
//! asks about at once; a hundred thousand is a whole world, asked for the mates of one: by `compatibility` in one
//! call, and by `score` in parts of 4,096, as a world does, on one core and on two (the native side, too).

mod common;

use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use common::figures::{Effort, Sample, batches, head, row, short};
use common::{Options, machine, plugins};
use corsac::rules::{Crowd, Rules, RulesError};
use corsac::runtime::{InstancePolicy, TraitRules};
use traits_classic::Classic;
use traits_kit::{Matching, Society, TraitModel};

const RULES: &str = "traits-classic";
const WIDTH: usize = traits_kit::traits::WIDTH;

/// Measures what rules cost.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

/// The same version twice, by how its instances live.
struct Components {
    fresh: Arc<TraitRules>,
    warm: Arc<TraitRules>,
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
    let part = options.size(4096, 64);
    scores(effort, &components, part, part, 1).await?;
    for cores in [1, 2] {
        scores(slow, &components, options.size(100_000, 256), part, cores).await?;
    }
    Ok(())
}

async fn load(instances: InstancePolicy) -> anyhow::Result<Arc<TraitRules>> {
    let plugin = plugins::load(RULES, instances).await?;
    let rules = TraitRules::of(Arc::new(plugin)).with_context(|| format!("{RULES} has no trait rules in it"))?;
    Ok(Arc::new(rules))
}

/// Numbers in 0..1 that repeat late enough not to be learnt.
fn column(length: usize) -> Vec<f32> {
    (0..length).map(|place| (place * 7919 % 10_007) as f32 / 10_007.0).collect()
}

/// The same columns as the host's record, and as what makes the plugin's, which are used up.
macro_rules! columns {
    ($record:ident { $($column:ident: $value:expr),* $(,)? }) => {
        (corsac::rules::$record { $($column: $value),* }, || traits_kit::$record { $($column: $value),* })
    };
}

async fn tick(effort: Effort, components: &Components, count: usize) -> anyhow::Result<()> {
    let (traits, short) = (column(count * WIDTH), column(count));
    let (lives, owned) =
        columns!(Lives { count: count as u32, ages: short.clone(), energies: short.clone(), traits: traits.clone() });
    let native = |lives| Classic::tick(lives, 0.01, 7);
    compare(effort, components, ("tick", count), owned, native, async |rules| rules.tick(&lives, 0.01, 7).await).await
}

async fn wander(effort: Effort, components: &Components, count: usize) -> anyhow::Result<()> {
    let (traits, short) = (column(count * WIDTH), column(count));
    let (bodies, owned) = columns!(Bodies {
        count: count as u32,
        traits: traits.clone(),
        energies: short.clone(),
        xs: short.clone(),
        ys: short.clone(),
        velocity_xs: short.clone(),
        velocity_ys: short.clone(),
    });
    let native = |bodies| Classic::wander(bodies, 1.0, 7);
    compare(effort, components, ("wander", count), owned, native, async |rules| rules.wander(&bodies, 1.0, 7).await)
        .await
}

async fn meet(effort: Effort, components: &Components, count: usize) -> anyhow::Result<()> {
    let (traits, short) = (column(count * WIDTH), column(count));
    let (pairs, owned) = columns!(Encounters {
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
    });
    let native = |pairs| Classic::meet(pairs, 1.0, 7);
    compare(effort, components, ("meet", count), owned, native, async |rules| rules.meet(&pairs, 1.0, 7).await).await
}

/// One against all: one call, whatever the count.
async fn mates(effort: Effort, components: &Components, count: usize) -> anyhow::Result<()> {
    let spirits: Vec<String> = components.fresh.about().spirits.iter().cycle().take(count).cloned().collect();
    let (traits, own) = (column(count * WIDTH), column(WIDTH));
    let (many, owned) = columns!(Population {
        count: count as u32,
        traits: traits.clone(),
        spirits: spirits.clone(),
        generations: vec![2; count],
    });
    let (one, alone) = columns!(Individual { traits: own.clone(), spirit: "fox".into(), generation: 1, mutations: 0 });
    let native = |(one, many)| Classic::compatibility(one, many);
    let ask = async |rules: &Arc<TraitRules>| rules.compatibility(&one, &many).await;
    compare(effort, components, ("compatibility", count), || (alone(), owned()), native, ask).await
}

/// One against all, part by part: how the parts are shared out is what a world does.
async fn scores(
    effort: Effort,
    components: &Components,
    count: usize,
    part: usize,
    cores: usize,
) -> anyhow::Result<()> {
    let spirits = components.fresh.about().spirits.clone();
    let (traits, own) = (column(count * WIDTH), column(WIDTH));
    let places: Vec<u32> = (0..count).map(|agent| (agent % spirits.len()) as u32).collect();
    macro_rules! crowd {
        ($type:path, $rows:expr) => {{
            let rows: std::ops::Range<usize> = $rows;
            $type {
                count: rows.len() as u32,
                traits: traits[rows.start * WIDTH..rows.end * WIDTH].to_vec(),
                spirits: spirits.clone(),
                spirit_of: places[rows.clone()].to_vec(),
                generations: vec![2; rows.len()],
            }
        }};
    }
    let rows = || (0..count).step_by(part).map(|first| first..count.min(first + part));
    let (one, alone) = columns!(Individual { traits: own.clone(), spirit: "fox".into(), generation: 1, mutations: 0 });
    let crowds: Arc<Vec<Crowd>> = Arc::new(rows().map(|rows| crowd!(Crowd, rows)).collect());
    // One list of parts a core.
    let owned = || {
        let mut shares: Vec<Vec<_>> = (0..cores).map(|_| vec![]).collect();
        for (at, rows) in rows().enumerate() {
            shares[at % cores].push((alone(), crowd!(traits_kit::Crowd, rows)));
        }
        shares
    };
    let native = |shares: Vec<Vec<_>>| {
        let all = |share: Vec<_>| {
            share.into_iter().map(|(one, many)| Classic::score(one, many)).collect::<Result<Vec<_>, _>>()
        };
        std::thread::scope(|scope| {
            let mut shares = shares.into_iter();
            let here = shares.next().unwrap_or_default();
            let others: Vec<_> = shares.map(|share| scope.spawn(move || all(share))).collect();
            let mut scores = all(here)?;
            for other in others {
                let ended = other.join().map_err(|_| traits_kit::PluginError::Internal("a thread panicked".into()));
                scores.extend(ended??);
            }
            Ok(scores)
        })
    };
    let one = Arc::new(one);
    let ask = async |rules: &Arc<TraitRules>| {
        let share = |core: usize| {
            let (rules, one, crowds) = (rules.clone(), one.clone(), crowds.clone());
            async move {
                let mut scores = Vec::new();
                for crowd in crowds.iter().skip(core).step_by(cores) {
                    scores.push(rules.score(&one, crowd).await?);
                }
                Ok::<_, RulesError>(scores)
            }
        };
        let others: Vec<_> = (1..cores).map(|core| tokio::spawn(share(core))).collect();
        let mut scores = share(0).await?;
        for other in others.into_iter().map(|other| async { other.await.ok() }) {
            scores.extend(other.await.transpose()?.unwrap_or_default());
        }
        Ok(scores)
    };
    let name = if count == part { "score".to_owned() } else { format!("score in parts, {cores} core(s)") };
    compare(effort, components, (&name, count), owned, native, ask).await
}

/// A line of the table: one call natively, with what `owned` makes, and of both components.
async fn compare<I, N, A>(
    effort: Effort,
    components: &Components,
    (call, count): (&str, usize),
    owned: impl Fn() -> I,
    native: impl Fn(I) -> Result<N, traits_kit::PluginError>,
    ask: impl AsyncFn(&Arc<TraitRules>) -> Result<A, RulesError>,
) -> anyhow::Result<()> {
    let Effort { batches: number, calls } = effort;
    let native = batches(number, calls, owned, async |input| native(input).map_err(refused)).await?;
    let component = async |rules| batches(number, calls, || (), async |()| Ok(ask(rules).await?)).await;
    print(call, count, &native, &component(&components.fresh).await?, &component(&components.warm).await?);
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
