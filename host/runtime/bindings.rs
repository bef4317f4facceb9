//! Types generated from the contract. They stop here: `convert` turns them into domain words, and no
//! other layer sees them. Interfaces that several worlds share are generated once, by `strategy`.

#[allow(missing_docs, reason = "generated from the contract, which is documented")]
pub mod strategy {
    wasmtime::component::bindgen!({
        path: "wit/v0.1",
        world: "strategy",
        imports: { "corsac:plugin/retrieval.retrieve": async },
        exports: { default: async },
    });
}

#[allow(missing_docs, reason = "generated from the contract, which is documented")]
pub mod ranker {
    wasmtime::component::bindgen!({
        path: "wit/v0.1",
        world: "ranker",
        exports: { default: async },
        with: {
            "corsac:plugin/types": super::strategy::corsac::plugin::types,
            "wasi:config/store": super::strategy::wasi::config::store,
            "wasi:logging/logging": super::strategy::wasi::logging::logging,
        },
    });
}

/// A strategy that understands queries too. What it shares with `strategy` is called through that; only the
/// understanding is called through this.
#[allow(missing_docs, reason = "generated from the contract, which is documented")]
pub mod natural_strategy {
    wasmtime::component::bindgen!({
        path: ["wit/v0.1", "wit/language-v0.1"],
        world: "corsac:language/natural-strategy",
        exports: { default: async },
        with: {
            "corsac:plugin/types": super::strategy::corsac::plugin::types,
            "corsac:plugin/retrieval": super::strategy::corsac::plugin::retrieval,
            "wasi:config/store": super::strategy::wasi::config::store,
            "wasi:logging/logging": super::strategy::wasi::logging::logging,
        },
    });
}

/// Everything that trait rules may have. Its interfaces are looked for one by one: all but the trait model may be
/// missing. What goes in is borrowed, so that columns are copied once, into the guest.
#[allow(missing_docs, reason = "generated from the contract, which is documented")]
pub mod rules {
    wasmtime::component::bindgen!({
        path: ["wit/v0.1", "wit/world-v0.1"],
        world: "corsac:agents/complete-rules",
        ownership: Borrowing { duplicate_if_necessary: false },
        exports: { default: async },
        with: {
            "corsac:plugin/types": super::strategy::corsac::plugin::types,
            "wasi:config/store": super::strategy::wasi::config::store,
            "wasi:logging/logging": super::strategy::wasi::logging::logging,
        },
    });
}
