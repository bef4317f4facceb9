//! From the bytes of a file to a component that this host can call: what the bytes are, what they
//! export, what they import, and, where something is wrong, what their author can do.

use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};
use wit_component::ComponentEncoder;

use super::error::LoadError;
use super::imports::HostState;

/// The contract that this host speaks, as in `wit/`.
pub const CONTRACT: &str = "0.1";

/// Bytes of the largest file that is taken. Components that carry an interpreter have 20 to 35 MB.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// The worlds of the contract by what they export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    Strategy,
    Ranker,
    TraitRules,
}

impl PluginKind {
    pub const ALL: [PluginKind; 3] = [PluginKind::Strategy, PluginKind::Ranker, PluginKind::TraitRules];

    /// The interface that makes a component of this kind.
    pub fn interface(self) -> &'static str {
        match self {
            PluginKind::Strategy => "corsac:plugin/candidate-generation",
            PluginKind::Ranker => "corsac:plugin/ranking",
            PluginKind::TraitRules => "corsac:plugin/trait-model",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            PluginKind::Strategy => "strategy",
            PluginKind::Ranker => "ranker",
            PluginKind::TraitRules => "trait-rules",
        }
    }
}

/// Component bytes from file bytes. A core module with component type information, which is what a plain
/// build for `wasm32-unknown-unknown` gives, is wrapped; everything is validated before it is compiled.
pub fn componentize(bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(LoadError::TooLarge { size: bytes.len() as u64, limit: MAX_FILE_BYTES });
    }
    if !bytes.starts_with(b"\0asm") {
        let start: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let start = if start.is_empty() { "nothing (it is empty)".into() } else { start.join(" ") };
        return Err(LoadError::NotWasm { start });
    }
    Validator::new_with_features(WasmFeatures::default())
        .validate_all(bytes)
        .map_err(|error| LoadError::Damaged(error.to_string()))?;
    if Parser::is_component(bytes) {
        return Ok(bytes.to_vec());
    }
    if !has_component_type(bytes)? {
        return Err(LoadError::Untyped);
    }
    ComponentEncoder::default()
        .validate(true)
        .module(bytes)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| LoadError::Componentize(advice(&format!("{error:#}"))))
}

fn has_component_type(module: &[u8]) -> Result<bool, LoadError> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::CustomSection(section) = payload.map_err(|error| LoadError::Damaged(error.to_string()))?
            && section.name().starts_with("component-type")
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn advice(error: &str) -> String {
    if error.contains("wasi_snapshot_preview1") {
        return "it imports wasi_snapshot_preview1: build for wasm32-unknown-unknown or wasm32-wasip2, or adapt it with \
                `wasm-tools component new --adapt`"
            .into();
    }
    error.lines().collect::<Vec<_>>().join(" ")
}

/// The kinds that a compiled component provides; at least one, else the error says what is there.
pub fn kinds(component: &Component) -> Result<Vec<PluginKind>, LoadError> {
    let exports: Vec<String> = exported_names(component);
    let mut kinds = Vec::new();
    for kind in PluginKind::ALL {
        for export in &exports {
            let Some((interface, version)) = export.split_once('@') else { continue };
            if interface != kind.interface() {
                continue;
            }
            if !speaks(version) {
                return Err(LoadError::WrongContract { found: export.clone(), supported: CONTRACT });
            }
            kinds.push(kind);
        }
    }
    if kinds.is_empty() {
        let wanted =
            PluginKind::ALL.map(|kind| format!("{}@{CONTRACT}.x ({})", kind.interface(), kind.name())).to_vec();
        return Err(LoadError::NoWorld { wanted, found: exports });
    }
    Ok(kinds)
}

/// What a component provides beside what makes it a plugin: interfaces of contracts of their own, each of which it may
/// do without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Provisions {
    /// `corsac:agents/society`, of trait rules
    pub society: bool,
    /// `corsac:agents/matching`, of trait rules
    pub matching: bool,
    /// `corsac:agents/grouping`, of trait rules
    pub grouping: bool,
    /// `corsac:language/understanding`, of strategies
    pub understanding: bool,
}

/// One in a version that this host does not speak is an error, not a missing one.
pub fn provisions(component: &Component) -> Result<Provisions, LoadError> {
    let exports = exported_names(component);
    let has = |interface: &str| {
        let found =
            exports.iter().find_map(|export| Some((export, export.strip_prefix(interface)?.strip_prefix('@')?)));
        match found {
            None => Ok(false),
            Some((_, version)) if speaks(version) => Ok(true),
            Some((export, _)) => Err(LoadError::WrongContract { found: export.clone(), supported: CONTRACT }),
        }
    };
    Ok(Provisions {
        society: has("corsac:agents/society")?,
        matching: has("corsac:agents/matching")?,
        grouping: has("corsac:agents/grouping")?,
        understanding: has("corsac:language/understanding")?,
    })
}

/// Whether this host speaks a version of a contract.
fn speaks(version: &str) -> bool {
    version == CONTRACT || version.starts_with(&format!("{CONTRACT}."))
}

/// Names of everything exported, as written in the component.
pub fn exported_names(component: &Component) -> Vec<String> {
    let engine = component.engine();
    component.component_type().exports(engine).map(|(name, _)| name.to_owned()).collect()
}

/// Names of everything imported, types left out.
pub fn imported_names(component: &Component) -> Vec<String> {
    let engine = component.engine();
    let is_type = |item: &ComponentItem| matches!(item, ComponentItem::Type(_));
    component
        .component_type()
        .imports(engine)
        .filter(|(_, item)| !is_type(&item.ty))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Whether it wants to call services elsewhere.
pub fn calls_out(component: &Component) -> bool {
    imported_names(component).iter().any(|name| name.starts_with("wasi:http/"))
}

/// Fails with the names of the imports that the linker cannot satisfy.
pub fn check_imports(component: &Component, linker: &Linker<HostState>) -> Result<(), LoadError> {
    const PROVIDED: [&str; 6] = [
        "corsac:plugin/retrieval@0.1.",
        "corsac:plugin/types@0.1.",
        "wasi:config/store@0.2.0-rc.1",
        "wasi:logging/logging@",
        "wasi:http/types@0.2.",
        "wasi:http/outgoing-handler@0.2.",
    ];
    const WASI: [&str; 6] =
        ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];
    let unknown: Vec<String> = imported_names(component)
        .into_iter()
        .filter(|name| !PROVIDED.iter().any(|known| name.starts_with(known)))
        .filter(|name| !(WASI.iter().any(|known| name.starts_with(known)) && name.contains("@0.2.")))
        .collect();
    if !unknown.is_empty() {
        return Err(LoadError::UnknownImports(unknown));
    }
    linker.substituted_component_type(component).map_err(|error| LoadError::Contract(format!("{error:#}")))?;
    Ok(())
}
