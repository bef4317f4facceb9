//! What can go wrong with a plugin: when it is loaded, and when it is called.

use std::time::Duration;

/// Why a file is not served as a plugin. The texts are for its author: what is there, what is missing,
/// what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read {file}: {reason}")]
    Read { file: String, reason: String },
    #[error("the file has {size} bytes, more than the {limit} that this host accepts")]
    TooLarge { size: u64, limit: u64 },
    #[error("not WebAssembly: it starts with {start}; build the plugin for wasm32-unknown-unknown or wasm32-wasip2")]
    NotWasm { start: String },
    #[error("damaged or incomplete WebAssembly: {0}; build or copy it again (write to another name, then rename)")]
    Damaged(String),
    #[error(
        "a core module without component type information: generate its bindings with wit-bindgen from this host's \
         wit/ folder, or turn it into a component with `wasm-tools component new`"
    )]
    Untyped,
    #[error("the core module cannot be made a component: {0}")]
    Componentize(String),
    #[error(
        "exports none of {}; it exports {}: build it against a world of corsac:plugin", wanted.join(", "), found_text(found)
    )]
    NoWorld { wanted: Vec<String>, found: Vec<String> },
    #[error(
        "exports {found}, but this host speaks contract {supported}: rebuild the plugin against the host's wit/ folder"
    )]
    WrongContract { found: String, supported: &'static str },
    #[error("imports what this host does not provide: {}; build it without what wants them", .0.join(", "))]
    UnknownImports(Vec<String>),
    #[error(
        "imports wasi:http, which takes a grant: list the hosts that {0} may call as `http` in [plugins.{0}] and in upstream.allowed_hosts"
    )]
    NoGrant(String),
    #[error(
        "{name} imports wasi:http as {kind}, which only a strategy may: a ranker and trait rules are functions of their inputs"
    )]
    NeverGranted { name: String, kind: &'static str },
    #[error("does not fit the contract: {0}; rebuild the plugin against the host's wit/ folder as it is")]
    Contract(String),
    #[error("needs more than this host gives a plugin: {0}; do less before the first query")]
    Resources(String),
    #[error("its description is not valid: {0}")]
    Description(String),
    #[error("its first call failed: {0}; a plugin must answer when nothing is found, or refuse in its own words")]
    Probe(String),
    #[error("the name {name} is already provided by {by}: rename the plugin or remove one of the files")]
    NameTaken { name: String, by: String },
    #[error("compiling failed: {0}; build it without features of WebAssembly that this host lacks")]
    Compile(String),
    #[error("the WebAssembly engine cannot start: {0}")]
    Engine(String),
}

fn found_text(found: &[String]) -> String {
    if found.is_empty() { "nothing".into() } else { found.join(", ") }
}

/// Why a call gave no result. Each is counted apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The plugin's own word: the query must change.
    #[error("{0}")]
    BadQuery(String),
    /// The plugin's own word: it does not do this.
    #[error("{0}")]
    Unsupported(String),
    /// The plugin's own word: it failed.
    #[error("{0}")]
    Internal(String),
    /// The guest trapped; the text says where, as far as its names tell.
    #[error("{0}")]
    Trap(String),
    #[error("ran longer than {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("needed more than {limit} bytes of memory")]
    Memory { limit: u64 },
    #[error("returned more than {limit} bytes")]
    Output { limit: u64 },
    /// The answer breaks the contract (lengths that differ, numbers that are not finite …).
    #[error("broke the contract: {0}")]
    Contract(String),
    /// No instance could be had.
    #[error("no instance is free: {0}")]
    Exhausted(String),
}

impl CallError {
    /// One word for metrics and lists.
    pub fn kind(&self) -> &'static str {
        match self {
            CallError::BadQuery(_) => "bad_query",
            CallError::Unsupported(_) => "unsupported",
            CallError::Internal(_) => "internal",
            CallError::Trap(_) => "trap",
            CallError::Timeout(_) => "timeout",
            CallError::Memory { .. } => "memory",
            CallError::Output { .. } => "output",
            CallError::Contract(_) => "contract",
            CallError::Exhausted(_) => "exhausted",
        }
    }
}
