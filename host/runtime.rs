//! The only door to wasm: loads components, calls them within limits, and swaps them while queries run.
//! Knows the domain's words and the contract; nothing of HTTP, indexes or stores.

mod bindings;
/// Compiled code on disk, authenticated.
mod compiled;
/// What the bytes of a file are.
mod component;
/// Domain words to the contract's records and back.
mod convert;
/// The one engine and its numbers.
mod engine;
/// What goes wrong at load and in a call.
mod error;
/// The columns that a ranker may ask for.
pub mod features;
/// What a plugin may call.
mod imports;
/// One guarded instance.
mod instance;
/// What one plugin may use.
mod limits;
/// From bytes to a plugin that has been tried.
mod load;
/// The way of a granted plugin to services elsewhere.
mod outgoing;
/// One version of one plugin, and its calls.
mod plugin;
/// Which plugins serve.
mod registry;
/// From the folders to the registry, again and again.
mod reload;
/// Trait rules as the world of agents asks them.
mod rules;
/// What one plugin version did.
mod statistics;
/// What a strategy makes of a query.
mod understanding;

pub use compiled::CompiledCache;
pub use component::{CONTRACT, MAX_FILE_BYTES, PluginKind, calls_out, exported_names, imported_names};
pub use convert::{Candidates, Proposal, Ranking};
pub use error::{CallError, LoadError};
pub use imports::Retriever;
pub use limits::{InstancePolicy, PluginOptions};
pub use load::Loader;
pub use outgoing::{Outgoing, OutgoingError};
pub use plugin::{Description, Inputs, Plugin, Source};
pub use registry::{Failure, Registry};
pub use reload::{OptionsOf, Refresh, ReloadError, Runtime, RuntimeOptions, Watch};
pub use rules::{RulesOfPlugins, TraitRules};
pub use statistics::StatisticsReading;
