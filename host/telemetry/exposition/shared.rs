//! Figures of the tier of the cache that hosts share, as this host sees it.

use prometheus_client::registry::Registry;

use super::{register_counter, register_gauge};
use crate::cache::SharedFigures;

pub(super) fn add(shared: &SharedFigures, registry: &mut Registry) {
    let state = &shared.state;
    register_gauge(registry, "redis_available", "1 while Redis is asked, 0 while it is away", state.available.into());
    register_gauge(registry, "redis_writable", "1 while Redis takes values", state.writable.into());
    for (name, help, value) in [
        ("redis_outages", "Times that Redis went away", state.outages),
        ("redis_hits", "Look-ups in Redis that found something", shared.hits),
        ("redis_misses", "Look-ups in Redis that found nothing", shared.misses),
        ("redis_sets", "Values written to Redis", shared.sets),
        ("redis_deletes", "Keys removed from Redis", shared.deletes),
        ("redis_errors", "Calls to Redis that failed", shared.errors),
        ("redis_timeouts", "Calls to Redis that took too long", shared.timeouts),
        ("redis_corrupted", "Values in Redis that were damaged or foreign", shared.corrupted),
        ("redis_dropped", "Values that were not written", shared.dropped),
        ("redis_skipped", "Calls not made because Redis was away", shared.skipped),
        ("redis_saved_bytes", "Bytes that compression saved", shared.saved_bytes()),
    ] {
        register_counter(registry, name, help, value);
    }
    for (name, help, value) in [
        ("redis_memory_bytes", "Memory that Redis uses", shared.memory_usage_bytes),
        ("redis_keys", "Keys in Redis, whoever's", shared.key_count),
        ("redis_evictions", "Keys that Redis dropped for want of room, since its start", shared.evictions),
    ] {
        register_gauge(registry, name, help, value);
    }
}
