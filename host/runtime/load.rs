//! Loading: bytes → component → compiled → described → one trial call → plugins. Blocking where it
//! compiles; off the request path always.

use std::sync::Arc;
use std::time::SystemTime;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use super::compiled::{CompiledCache, compile};
use super::component::{self, PluginKind};
use super::convert::Candidates;
use super::engine;
use super::error::{CallError, LoadError};
use super::features;
use super::imports::{self, HostState, Retriever};
use super::instance::{Guest, Template, WarmPool, classify};
use super::limits::PluginOptions;
use super::outgoing::{Grant, Outgoing};
use super::plugin::{Description, Inputs, Plugin, Source};
use super::rules;
use super::statistics::Statistics;
use crate::query::{Hits, Probe, Query, RetrievalError};
use crate::upstream::Host;

/// Loads components; one for the whole process.
pub struct Loader {
    engine: &'static Engine,
    linker: Linker<HostState>,
    compiled: Option<CompiledCache>,
    /// Where the requests of granted plugins go; none: nowhere.
    outgoing: Option<Arc<dyn Outgoing>>,
}

impl Loader {
    /// Without a cache of compiled code, every load compiles.
    pub fn new(compiled: Option<CompiledCache>) -> Result<Self, LoadError> {
        let engine = engine::shared()?;
        let mut linker = Linker::new(engine);
        imports::add_to_linker(&mut linker)?;
        Ok(Self { engine, linker, compiled, outgoing: None })
    }

    /// With a client for the plugins that are granted it.
    pub fn with_outgoing(self, outgoing: Option<Arc<dyn Outgoing>>) -> Self {
        Self { outgoing, ..self }
    }

    /// The compiled component of a file's bytes, and its kinds. Blocking: compiling takes from
    /// milliseconds (Rust, C) to seconds (a guest with an interpreter).
    pub fn compile(&self, bytes: &[u8]) -> Result<(Component, Vec<PluginKind>), LoadError> {
        let bytes = component::componentize(bytes)?;
        let component = match &self.compiled {
            Some(cache) => cache.component(self.engine, &bytes)?,
            None => compile(self.engine, &bytes)?,
        };
        let kinds = component::kinds(&component)?;
        component::check_imports(&component, &self.linker)?;
        // Makes the first call as fast as the others; failing here is no reason to refuse.
        let _ = component.initialize_copy_on_write_image();
        Ok((component, kinds))
    }

    /// One plugin for each kind that the component exports, described and tried once. `options` gives the
    /// operator's limits and settings by plugin name.
    pub async fn load(
        self: &Arc<Self>,
        bytes: Arc<[u8]>,
        source: &Source,
        options: &(dyn Fn(&str) -> PluginOptions + Send + Sync),
    ) -> Result<Vec<Plugin>, LoadError> {
        let (loader, file) = (self.clone(), bytes.clone());
        let compiled = tokio::task::spawn_blocking(move || loader.compile(&file)).await;
        let compiled = compiled.map_err(|error| LoadError::Compile(error.to_string()))??;
        self.load_compiled(compiled, &bytes, source, options).await
    }

    /// `load` for what `compile` gave of the file's `bytes`.
    pub async fn load_compiled(
        &self,
        (component, kinds): (Component, Vec<PluginKind>),
        bytes: &Arc<[u8]>,
        source: &Source,
        options: &(dyn Fn(&str) -> PluginOptions + Send + Sync),
    ) -> Result<Vec<Plugin>, LoadError> {
        let digest = blake3::hash(bytes);
        let calls_out = component::calls_out(&component);
        let provisions = component::provisions(&component)?;
        let mut plugins = Vec::with_capacity(kinds.len());
        for kind in kinds {
            let pre =
                self.linker.instantiate_pre(&component).map_err(|error| LoadError::Contract(format!("{error:#}")))?;
            let template = Template::new(kind, provisions, pre)?;
            let (description, inputs) = describe(&template).await?;
            let options = options(&description.name);
            if calls_out && kind != PluginKind::Strategy {
                return Err(LoadError::NeverGranted { name: description.name, kind: kind.name() });
            }
            if calls_out && options.http.is_empty() {
                return Err(LoadError::NoGrant(description.name));
            }
            // In force after the trial, which asks nobody outside.
            let label: Arc<str> = format!("{}@{}", description.name, description.version).into();
            let grant = Grant::new(self.outgoing.clone(), &options, label.clone());
            let settings: Vec<(String, String)> = options.settings.clone().into_iter().collect();
            let mut plugin = Plugin {
                label,
                identity: identity(&digest, &settings, &options.http),
                description,
                kind,
                digest,
                source: source.clone(),
                since: SystemTime::now(),
                inputs,
                rules: None,
                statistics: Statistics::default(),
                permits: Semaphore::new(options.concurrent_calls.max(1) as usize),
                settings: settings.into(),
                grant: Grant::default(),
                template,
                warm: WarmPool::default(),
                options,
            };
            if kind == PluginKind::TraitRules {
                // Asked with its settings, which may decide what it says of itself.
                plugin.rules = Some(rules::describe(&plugin, bytes).await?);
            }
            try_once(&plugin).await?;
            plugins.push(Plugin { statistics: plugin.statistics.after_trial(), grant, ..plugin });
        }
        Ok(plugins)
    }
}

/// Without a grant it is of file and settings alone: worlds that were made earlier name their rules so.
fn identity(digest: &blake3::Hash, settings: &[(String, String)], granted: &[Host]) -> blake3::Hash {
    fn add(hasher: &mut blake3::Hasher, text: &str) {
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(digest.as_bytes());
    for part in settings.iter().flat_map(|(key, value)| [key, value]) {
        add(&mut hasher, part);
    }
    if !granted.is_empty() {
        let mut hosts: Vec<String> = granted.iter().map(Host::to_string).collect();
        hosts.sort_unstable();
        hosts.dedup();
        // No text is as long as this, so hosts do not read as settings.
        hasher.update(&u64::MAX.to_le_bytes());
        hosts.iter().for_each(|host| add(&mut hasher, host));
    }
    hasher.finalize()
}

/// Calls `describe` under the default limits and checks what it says.
async fn describe(template: &Template) -> Result<(Description, Inputs), LoadError> {
    let options = PluginOptions::default();
    let failed = |error: CallError| match error {
        CallError::Memory { .. } | CallError::Exhausted(_) => LoadError::Resources(error.to_string()),
        other => LoadError::Probe(format!("describe: {other}")),
    };
    let mut instance = template.instantiate(&"(loading)".into(), &Arc::from([]), &options).await.map_err(failed)?;
    let store = &mut instance.store;
    let described = match &instance.guest {
        Guest::Strategy { strategy, .. } => strategy
            .corsac_plugin_candidate_generation()
            .call_describe(&mut *store)
            .await
            .map(|about| (about.name, about.version, about.purpose, Inputs::default())),
        Guest::Ranker(guest) => guest.corsac_plugin_ranking().call_describe(&mut *store).await.map(|described| {
            let about = described.about;
            let inputs = Inputs {
                features: described.inputs.features,
                texts: described.inputs.texts,
                embeddings: described.inputs.embeddings,
            };
            (about.name, about.version, about.purpose, inputs)
        }),
        Guest::TraitRules(rules) => rules
            .model
            .call_describe(&mut *store)
            .await
            .map(|described| described.about)
            .map(|about| (about.name, about.version, about.purpose, Inputs::default())),
    };
    let (name, version, purpose, inputs) =
        described.map_err(|error| failed(classify(&error, store.data(), &options)))?;
    check_description(&name, &version, &purpose)?;
    features::check(&inputs)?;
    Ok((Description { name, version, purpose }, inputs))
}

fn check_description(name: &str, version: &str, purpose: &str) -> Result<(), LoadError> {
    let valid_name = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= 64
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !valid_name {
        let reason = format!("the name {name:?} must be 1 to 64 of a-z, 0-9 and -, starting with a letter");
        return Err(LoadError::Description(reason));
    }
    let numbers: Vec<&str> = version.split(['-', '+']).next().unwrap_or_default().split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.len() <= 9 && part.bytes().all(|byte| byte.is_ascii_digit());
    if numbers.len() != 3 || !numbers.iter().all(is_number) || version.len() > 64 || version.contains(char::is_control)
    {
        return Err(LoadError::Description(format!("the version {version:?} must be semantic, like 1.2.3")));
    }
    if purpose.len() > 512 || purpose.contains(char::is_control) {
        return Err(LoadError::Description("the purpose must be one line of at most 512 bytes".into()));
    }
    Ok(())
}

/// A first call with nothing to find. The plugin may refuse the query in its own words; a trap, a
/// timeout, a limit or a broken contract keeps the version from being served.
async fn try_once(plugin: &Plugin) -> Result<(), LoadError> {
    let query = Query::new("corsac", 10);
    let outcome = match plugin.kind {
        PluginKind::Strategy => match plugin.propose(&query, Arc::new(NothingFound)).await {
            Ok(_) if plugin.understands() => plugin.analyze(&query).await.map(drop),
            outcome => outcome.map(drop),
        },
        PluginKind::Ranker => {
            let candidates = Candidates {
                count: 1,
                features: vec![0.5; plugin.inputs.features.len()],
                texts: vec![String::new(); plugin.inputs.texts.len()],
                dimension: 0,
                embeddings: vec![],
            };
            plugin.rank(&query, candidates, false).await.map(drop)
        }
        PluginKind::TraitRules => rules::try_once(plugin).await,
    };
    match outcome {
        Ok(()) | Err(CallError::BadQuery(_) | CallError::Unsupported(_)) => Ok(()),
        // It has only said that it cannot do without the service, which was kept from it.
        Err(CallError::Internal(_)) if !plugin.is_pure() => Ok(()),
        Err(error) => Err(LoadError::Probe(error.to_string())),
    }
}

struct NothingFound;

impl Retriever for NothingFound {
    fn retrieve(&self, probes: Vec<Probe>) -> BoxFuture<'_, Vec<Result<Hits, RetrievalError>>> {
        async move { probes.iter().map(|_| Ok(Hits::default())).collect() }.boxed()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn identity_of(settings: &[(&str, &str)], granted: &[&str]) -> blake3::Hash {
        let settings: Vec<_> = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let granted: Vec<Host> = granted.iter().map(|host| host.parse().unwrap()).collect();
        identity(&blake3::hash(b"file"), &settings, &granted)
    }

    #[test]
    fn another_grant_is_another_identity() {
        let settings = [("a.example", "b.example")];
        let one = identity_of(&settings, &["a.example", "b.example:9200"]);
        assert_eq!(one, identity_of(&settings, &["b.example:9200", "a.example"]), "in any order");
        let others = [
            identity_of(&settings, &[]),
            identity_of(&settings, &["a.example"]),
            identity_of(&settings, &["a.example", "b.example"]),
            identity_of(&[], &["a.example", "b.example"]),
            identity_of(&[], &["a.example", "b.example:9200"]),
            identity_of(&[], &[]),
        ];
        for (at, identity) in others.iter().enumerate() {
            assert!(*identity != one && !others[..at].contains(identity), "{at}");
        }
    }

    /// Stored worlds know their rules by it.
    #[test]
    fn without_a_grant_the_identity_is_that_of_file_and_settings() {
        let digest = blake3::hash(b"file");
        let bytes = [&digest.as_bytes()[..], &1_u64.to_le_bytes()[..], b"k", &2_u64.to_le_bytes()[..], b"vw"].concat();
        assert_eq!(identity_of(&[("k", "vw")], &[]), blake3::hash(&bytes));
    }
}
