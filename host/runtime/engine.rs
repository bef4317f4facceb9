//! The one `Engine` of the process and the thread that ticks its epoch. Every number here says what it
//! costs and why it is what it is; `cargo bench --bench call` shows what a call costs with them.

use std::sync::OnceLock;
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};

use super::error::LoadError;

/// How often a running guest is looked at. A guest that computes yields to other tasks after one tick
/// and is stopped within one tick of its deadline; the thread costs 200 wake-ups a second.
pub const TICK: Duration = Duration::from_millis(5);

/// Instances alive at once, over all plugins; more is an error of the call, which the permits in front
/// of the pool keep from happening. Each reserves 4 GiB of address space and uses none of it.
pub const MAX_INSTANCES: u32 = 400;

/// The hard ceiling for one linear memory; a plugin's own limit is lower.
pub const MAX_MEMORY_BYTES: usize = 1 << 30;

/// The process-wide engine. One for all plugins, because an engine keeps its compiler contexts for life.
pub fn shared() -> Result<&'static Engine, LoadError> {
    static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
    ENGINE
        .get_or_init(|| {
            let engine = Engine::new(&config()).map_err(|error| format!("{error:#}"))?;
            start_ticker(&engine).map_err(|error| error.to_string())?;
            Ok(engine)
        })
        .as_ref()
        .map_err(|reason| LoadError::Engine(reason.clone()))
}

fn config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(MAX_INSTANCES)
        // A component of another language has several core instances (adapters, shims).
        .total_core_instances(MAX_INSTANCES * 4)
        .total_memories(MAX_INSTANCES)
        .total_tables(MAX_INSTANCES * 2)
        .total_stacks(MAX_INSTANCES)
        .max_memory_size(MAX_MEMORY_BYTES)
        // The defaults (1 MiB, 20 000) refuse guests that carry an interpreter.
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .table_elements(100_000)
        // Without the pagemap scan, resident pages are reset by copying and cost more than they save.
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(64 << 10);

    let mut config = Config::new();
    config
        // No plugin streams, and a call costs a fifth without it.
        .concurrency_support(false)
        .epoch_interruption(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .wasm_backtrace_details(WasmBacktraceDetails::Enable);
    config
}

fn start_ticker(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new().name("epoch".into()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(())
}
