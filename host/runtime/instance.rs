//! One guarded instance: its store, its limits, and what the end of a call means. A store that trapped,
//! timed out or hit a limit is thrown away; others may be used again if the plugin's policy says so.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use wasmtime::component::{Instance as ComponentInstance, InstancePre};
use wasmtime::{PoolConcurrencyLimitError, Store, Trap, UpdateDeadline, WasmBacktrace};

use super::bindings::natural_strategy::{NaturalStrategy, NaturalStrategyIndices};
use super::bindings::ranker::{Ranker, RankerPre};
use super::bindings::rules::exports::corsac::{agents, plugin};
use super::bindings::strategy::{Strategy, StrategyIndices};
use super::component::{PluginKind, Provisions};
use super::engine::TICK;
use super::error::{CallError, LoadError};
use super::imports::HostState;
use super::limits::{InstancePolicy, PluginOptions};

/// A linked component, ready to be instantiated as one kind.
pub enum Template {
    Strategy {
        pre: InstancePre<HostState>,
        strategy: Box<StrategyIndices>,
        language: Option<Box<NaturalStrategyIndices>>,
    },
    Ranker(RankerPre<HostState>),
    TraitRules {
        pre: InstancePre<HostState>,
        places: Box<RulesPlaces>,
    },
}

/// Where the interfaces of trait rules are among their exports.
pub struct RulesPlaces {
    model: plugin::trait_model::GuestIndices,
    society: Option<agents::society::GuestIndices>,
    matching: Option<agents::matching::GuestIndices>,
    grouping: Option<agents::grouping::GuestIndices>,
}

/// The interfaces of trait rules, ready to be called.
pub struct RulesGuest {
    pub model: plugin::trait_model::Guest,
    pub society: Option<agents::society::Guest>,
    pub matching: Option<agents::matching::Guest>,
    pub grouping: Option<agents::grouping::Guest>,
}

impl RulesPlaces {
    fn find(pre: &InstancePre<HostState>, provisions: Provisions) -> wasmtime::Result<Self> {
        Ok(Self {
            model: plugin::trait_model::GuestIndices::new(pre)?,
            society: provisions.society.then(|| agents::society::GuestIndices::new(pre)).transpose()?,
            matching: provisions.matching.then(|| agents::matching::GuestIndices::new(pre)).transpose()?,
            grouping: provisions.grouping.then(|| agents::grouping::GuestIndices::new(pre)).transpose()?,
        })
    }

    fn load(&self, mut store: &mut Store<HostState>, instance: &ComponentInstance) -> wasmtime::Result<RulesGuest> {
        Ok(RulesGuest {
            model: self.model.load(&mut store, instance)?,
            society: self.society.as_ref().map(|places| places.load(&mut store, instance)).transpose()?,
            matching: self.matching.as_ref().map(|places| places.load(&mut store, instance)).transpose()?,
            grouping: self.grouping.as_ref().map(|places| places.load(&mut store, instance)).transpose()?,
        })
    }
}

pub enum Guest {
    Strategy { strategy: Box<Strategy>, language: Option<Box<NaturalStrategy>> },
    Ranker(Ranker),
    TraitRules(Box<RulesGuest>),
}

pub struct Instance {
    pub store: Store<HostState>,
    pub guest: Guest,
    born: Instant,
    uses_left: u32,
}

impl Template {
    /// `provisions`: what the component exports beside the kind.
    pub fn new(kind: PluginKind, provisions: Provisions, pre: InstancePre<HostState>) -> Result<Self, LoadError> {
        let contract = |error: wasmtime::Error| LoadError::Contract(format!("{error:#}"));
        Ok(match kind {
            PluginKind::Strategy => Template::Strategy {
                strategy: Box::new(StrategyIndices::new(&pre).map_err(contract)?),
                language: (provisions.understanding)
                    .then(|| NaturalStrategyIndices::new(&pre).map(Box::new))
                    .transpose()
                    .map_err(contract)?,
                pre,
            },
            PluginKind::Ranker => Template::Ranker(RankerPre::new(pre).map_err(contract)?),
            PluginKind::TraitRules => {
                Template::TraitRules { places: Box::new(RulesPlaces::find(&pre, provisions).map_err(contract)?), pre }
            }
        })
    }

    pub fn understands(&self) -> bool {
        matches!(self, Template::Strategy { language: Some(_), .. })
    }

    /// What trait rules have beside the trait model; nothing for other kinds.
    pub fn provisions(&self) -> Provisions {
        let Template::TraitRules { places, .. } = self else { return Provisions::default() };
        Provisions {
            society: places.society.is_some(),
            matching: places.matching.is_some(),
            grouping: places.grouping.is_some(),
            understanding: false,
        }
    }

    /// A new store with the plugin's limits, and in it a new instance. `ticks` bounds its start function.
    pub async fn instantiate(
        &self,
        label: &Arc<str>,
        settings: &Arc<[(String, String)]>,
        options: &PluginOptions,
    ) -> Result<Instance, CallError> {
        let state = HostState::new(label.clone(), settings.clone(), options.memory_bytes as usize);
        let engine = match self {
            Template::Ranker(pre) => pre.engine(),
            Template::Strategy { pre, .. } | Template::TraitRules { pre, .. } => pre.component().engine(),
        };
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(options.max_output_bytes as usize);
        store.epoch_deadline_callback(|mut context| {
            let state = context.data_mut();
            match state.ticks_left.checked_sub(1) {
                None => Ok(UpdateDeadline::Interrupt),
                Some(left) => {
                    state.ticks_left = left;
                    // tokio's own yield lets timers and sockets have their turn too.
                    Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
                }
            }
        });
        store.set_epoch_deadline(1);
        store.data_mut().begin(None, 0, ticks(options.deadline()));
        let guest = match self {
            Template::Strategy { pre, strategy, language } => {
                pre.instantiate_async(&mut store).await.and_then(|instance| {
                    let language = language
                        .as_ref()
                        .map(|language| language.load(&mut store, &instance).map(Box::new))
                        .transpose()?;
                    Ok(Guest::Strategy { strategy: Box::new(strategy.load(&mut store, &instance)?), language })
                })
            }
            Template::Ranker(pre) => pre.instantiate_async(&mut store).await.map(Guest::Ranker),
            Template::TraitRules { pre, places } => pre
                .instantiate_async(&mut store)
                .await
                .and_then(|instance| Ok(Guest::TraitRules(Box::new(places.load(&mut store, &instance)?)))),
        };
        match guest {
            Ok(guest) => Ok(Instance { store, guest, born: Instant::now(), uses_left: random_uses() }),
            Err(error) => Err(classify(&error, store.data(), options)),
        }
    }
}

/// Ticks of the epoch that make up a deadline; at least one.
pub fn ticks(deadline: Duration) -> u64 {
    (deadline.as_micros() / TICK.as_micros()).max(1) as u64
}

/// What an error of wasmtime means for the caller.
pub fn classify(error: &wasmtime::Error, state: &HostState, options: &PluginOptions) -> CallError {
    // Not a type of its own in wasmtime, only this text.
    if format!("{error:#}").contains("fuel allocated for hostcalls") {
        return CallError::Output { limit: options.max_output_bytes };
    }
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return CallError::Exhausted("the pool of instances is full".into());
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => CallError::Timeout(options.deadline()),
        _ if state.memory.exceeded => CallError::Memory { limit: options.memory_bytes },
        Some(trap) => CallError::Trap(format!("{trap}{}", place(error))),
        None => CallError::Trap(format!("{}{}", error.root_cause(), place(error))),
    }
}

/// The innermost named functions of the guest.
fn place(error: &wasmtime::Error) -> String {
    const FRAMES: usize = 4;
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return String::new() };
    let names: Vec<String> = backtrace
        .frames()
        .iter()
        .filter_map(|frame| frame.func_name())
        .take(FRAMES)
        .map(|name| format!("{:#}", rustc_demangle(name)))
        .collect();
    if names.is_empty() { String::new() } else { format!(" in {}", names.join(", called by ")) }
}

/// Names of Rust guests without their hash; wasmtime demangles them itself except for the hash.
fn rustc_demangle(name: &str) -> &str {
    match name.rfind("::h") {
        Some(at) if name.len() - at == 19 => &name[..at],
        _ => name,
    }
}

/// Instances that wait for their next call.
#[derive(Default)]
pub struct WarmPool(Mutex<Vec<Instance>>);

impl WarmPool {
    /// An instance is retired at this age, so that a leak in a guest stays small.
    const OLDEST: Duration = Duration::from_secs(300);

    pub fn take(&self) -> Option<Instance> {
        self.0.lock().pop()
    }

    /// Keeps an instance after a good call, if the policy and its age, uses and size allow it.
    pub fn give(&self, mut instance: Instance, options: &PluginOptions) {
        instance.uses_left = instance.uses_left.saturating_sub(1);
        let memory = instance.store.data().memory.high_water;
        let worn_out = instance.uses_left == 0
            || instance.born.elapsed() > Self::OLDEST
            || memory as u64 > options.memory_bytes / 2;
        let mut waiting = self.0.lock();
        if options.instances == InstancePolicy::Warm && !worn_out && waiting.len() < options.concurrent_calls as usize {
            instance.store.data_mut().end();
            waiting.push(instance);
        }
    }

    pub fn clear(&self) {
        self.0.lock().clear();
    }
}

/// 64 to 191 calls: random, so that no author comes to rely on state that survives.
fn random_uses() -> u32 {
    64 + (RandomState::new().hash_one(()) % 128) as u32
}
