//! Search in people's words. `analyze` says what a query is after, what it names and where to look; `propose`
//! looks up the words that carry meaning, the meaning of the whole, and the names as definitions. A query
//! that is no language is searched as `strategy-smart` does.
//!
//! The tables are data (`data/*.toml`), constants in the component.

mod analysis;
mod entities;
mod neighbourhood;
mod plan;
mod tables;
mod words;

pub use analysis::{Understood, understand};
pub use plan::propose;
pub use strategy_kit::{Hits, PluginError, Probe, Proposal, Query, RetrievalError};

/// What `wit_bindgen` makes of the world with understanding; what the kit has is taken from there.
mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit/v0.1", "../../wit/language-v0.1"],
        world: "corsac:language/natural-strategy",
        with: {
            "corsac:plugin/types@0.1.0": strategy_kit::bindings::corsac::plugin::types,
            "corsac:plugin/retrieval@0.1.0": strategy_kit::bindings::corsac::plugin::retrieval,
            "wasi:config/store@0.2.0-rc.1": strategy_kit::bindings::wasi::config::store,
            "wasi:logging/logging@0.1.0-draft": strategy_kit::bindings::wasi::logging::logging,
        },
        generate_all,
    });
}

use bindings::exports::corsac::language::understanding::{self, Analysis, Entity, Filters, Intent};
use bindings::exports::corsac::plugin::candidate_generation;
use strategy_kit::Description;

/// What the host calls.
pub struct Strategy;

impl candidate_generation::Guest for Strategy {
    fn describe() -> Description {
        Description {
            name: "strategy-natural".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            purpose: "understands questions: what is looked for, what is named, where to look".into(),
        }
    }

    fn propose(query: Query) -> Result<candidate_generation::Proposal, PluginError> {
        let found = propose(&query, strategy_kit::retrieval::retrieve)?;
        let Proposal { chunks, lines, scores, strategies, degraded, reason } = found;
        Ok(candidate_generation::Proposal { chunks, lines, scores, strategies, degraded, reason })
    }
}

impl understanding::Guest for Strategy {
    fn analyze(query: Query) -> Result<Analysis, PluginError> {
        let understood = understand(&query);
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        let entity = |found: entities::Found| Entity {
            kind: found.kind.into(),
            text: found.text,
            value: found.value,
            confidence: found.confidence,
            start: found.start as u32,
            end: found.end as u32,
        };
        Ok(Analysis {
            normalised: understood.normalised,
            intent: Intent { name: understood.intent.into(), confidence: understood.intent_confidence },
            entities: understood.entities.into_iter().map(entity).collect(),
            expansions: owned(understood.expansions),
            rewritten: understood.rewritten,
            filters: Filters { file_types: understood.file_types, directories: understood.directories },
            likely_folders: owned(understood.likely_folders),
            suggested_strategy: (!understood.prose).then(|| "smart".into()),
            confidence: understood.confidence,
        })
    }
}

#[cfg(target_family = "wasm")]
bindings::export!(Strategy with_types_in bindings);
