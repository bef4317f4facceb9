//! What the standard strategies share: the bindings of the `strategy` world, the shape of a query,
//! plans of weighted legs, and rank fusion. Pure functions; the only way out is the `retrieve` that a
//! caller hands in, so the same logic runs natively in tests and benches.
//!
//! A plain library: a plugin of your own needs nothing from here (see `plugins/README.md`).

/// What `wit_bindgen` makes of the contract; the names that strategies use are re-exported below.
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/v0.1",
        world: "strategy",
        generate_all,
        pub_export_macro: true,
        additional_derives: [PartialEq],
    });
}

pub mod choose;
pub mod fusion;
pub mod plan;
pub mod shape;
pub mod testing;

pub use bindings::corsac::plugin::retrieval::{
    self, Hits, PatternProbe, PatternSyntax, Probe, RetrievalError, SymbolMatch, SymbolProbe, TermMatch, TextField,
    TextProbe, VectorProbe,
};
pub use bindings::corsac::plugin::types::{Description, PluginError, Query};
pub use bindings::exports::corsac::plugin::candidate_generation::{Guest, Proposal};

/// Makes a type the plugin: its `describe` and its `propose(&Query, retrieve)` become the component's.
/// Does nothing in a native build.
#[macro_export]
macro_rules! strategy {
    ($name:literal, $purpose:literal, $propose:path) => {
        /// What the host calls.
        pub struct Strategy;

        impl $crate::Guest for Strategy {
            fn describe() -> $crate::Description {
                $crate::Description {
                    name: $name.into(),
                    version: env!("CARGO_PKG_VERSION").into(),
                    purpose: $purpose.into(),
                }
            }

            fn propose(query: $crate::Query) -> Result<$crate::Proposal, $crate::PluginError> {
                $propose(&query, $crate::retrieval::retrieve)
            }
        }

        #[cfg(target_family = "wasm")]
        $crate::bindings::export!(Strategy with_types_in $crate::bindings);
    };
}
