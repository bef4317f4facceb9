//! From files to the registry and on: reads the plugin folders, loads what changed, publishes a new
//! snapshot. One at a time; a bad file leaves what served before serving, and is listed with its error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::compiled::CompiledCache;
use super::component::MAX_FILE_BYTES;
use super::error::LoadError;
use super::limits::PluginOptions;
use super::load::Loader;
use super::outgoing::Outgoing;
use super::plugin::{Plugin, Source};
use super::registry::{Failure, Registry};

/// A file that is being written fires many events; it is looked at when it has been quiet for so long.
const SETTLE: Duration = Duration::from_millis(150);
/// Events get lost (network file systems, queue overflow), so the folders are looked at anyway.
const LOOK_ANYWAY: Duration = Duration::from_secs(10);

/// What the runtime starts with.
pub struct RuntimeOptions {
    /// Folder for compiled code; none: compile at every start.
    pub compiled: Option<PathBuf>,
    /// Plugins carried in the binary.
    pub embedded: &'static [(&'static str, &'static [u8])],
    /// Folders of `*.wasm`; a plugin in a later one wins over its namesake in an earlier one.
    pub folders: Vec<PathBuf>,
    /// The operator's limits and settings of a plugin, by its name.
    pub plugins: OptionsOf,
    /// Where the requests of plugins go that were granted hosts.
    pub outgoing: Option<Arc<dyn Outgoing>>,
}

/// Limits and settings by plugin name.
pub type OptionsOf = Arc<dyn Fn(&str) -> PluginOptions + Send + Sync>;

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self {
            compiled: None,
            embedded: &[],
            folders: vec![],
            plugins: Arc::new(|_| PluginOptions::default()),
            outgoing: None,
        }
    }
}

/// Loads, holds and swaps plugins.
pub struct Runtime {
    loader: Arc<Loader>,
    registry: ArcSwap<Registry>,
    embedded: &'static [(&'static str, &'static [u8])],
    folders: Vec<PathBuf>,
    options: OptionsOf,
    slots: tokio::sync::Mutex<BTreeMap<Source, Slot>>,
    retired: Mutex<Vec<Weak<Plugin>>>,
}

/// What is known of one source.
#[derive(Default)]
struct Slot {
    stamp: Option<Stamp>,
    digest: Option<blake3::Hash>,
    /// The last version that loaded.
    plugins: Vec<Arc<Plugin>>,
    failure: Option<Failure>,
}

/// Tells cheaply whether a file may have changed.
type Stamp = (SystemTime, u64, u64);

/// What one look at the folders did, by file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refresh {
    pub loaded: Vec<String>,
    pub failed: Vec<(String, LoadError)>,
    pub removed: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    #[error("there is no plugin `{name}`; loaded: {}", known.join(", "))]
    Unknown { name: String, known: Vec<String> },
    #[error("{name} was not reloaded, the version before goes on serving: {error}")]
    Failed { name: String, error: LoadError },
}

impl Runtime {
    /// Loads everything there is. A plugin that fails is listed, not fatal.
    pub async fn start(options: RuntimeOptions) -> Result<Arc<Self>, LoadError> {
        let compiled = match &options.compiled {
            None => None,
            Some(folder) => Some(CompiledCache::open(folder).map_err(|error| read_error(folder, &error))?),
        };
        let runtime = Arc::new(Self {
            loader: Arc::new(Loader::new(compiled)?.with_outgoing(options.outgoing)),
            registry: ArcSwap::default(),
            embedded: options.embedded,
            folders: options.folders,
            options: options.plugins,
            slots: Default::default(),
            retired: Mutex::default(),
        });
        let mut slots = runtime.slots.lock().await;
        for (name, bytes) in runtime.embedded {
            let slot = slots.entry(Source::Embedded((*name).to_owned())).or_default();
            runtime.load(slot, Source::Embedded((*name).to_owned()), bytes.to_vec()).await.ok();
        }
        runtime.publish(&slots);
        drop(slots);
        runtime.refresh().await;
        Ok(runtime)
    }

    /// The snapshot to use for one query.
    pub fn registry(&self) -> Arc<Registry> {
        self.registry.load_full()
    }

    /// Looks at the folders and loads what is new or changed.
    pub async fn refresh(&self) -> Refresh {
        let mut slots = self.slots.lock().await;
        let mut outcome = Refresh::default();
        let files = self.files();
        let gone: Vec<Source> = slots
            .keys()
            .filter(|source| matches!(source, Source::File(path) if !files.iter().any(|(file, _)| file == path)))
            .cloned()
            .collect();
        for source in gone {
            slots.remove(&source);
            outcome.removed.push(source.label());
        }
        for (path, stamp) in files {
            let source = Source::File(path.clone());
            let slot = slots.entry(source.clone()).or_default();
            if slot.stamp == Some(stamp) {
                continue;
            }
            let loaded = match read(&path, stamp) {
                Ok(bytes) if slot.digest == Some(blake3::hash(&bytes)) => {
                    slot.stamp = Some(stamp);
                    continue;
                }
                Ok(bytes) => self.load(slot, source.clone(), bytes).await,
                Err(error) => Err(fail(slot, source.clone(), error)),
            };
            slot.stamp = Some(stamp);
            match loaded {
                Ok(()) => outcome.loaded.push(source.label()),
                Err(error) => outcome.failed.push((source.label(), error)),
            }
        }
        if outcome != Refresh::default() {
            self.publish(&slots);
        }
        outcome
    }

    /// Loads the file of one plugin again, changed or not.
    pub async fn reload(&self, name: &str) -> Result<Arc<Plugin>, ReloadError> {
        let unknown = || ReloadError::Unknown {
            name: name.to_owned(),
            known: self.registry().plugins().map(|plugin| plugin.description.name.clone()).collect(),
        };
        let source = self.registry().get(name).map(|plugin| plugin.source.clone()).ok_or_else(unknown)?;
        let mut slots = self.slots.lock().await;
        let slot = slots.entry(source.clone()).or_default();
        let bytes = match &source {
            Source::Embedded(embedded) => {
                let found = self.embedded.iter().find(|(name, _)| name == embedded);
                found.map(|(_, bytes)| bytes.to_vec()).ok_or_else(unknown)?
            }
            Source::File(path) => {
                let read = stamp(path).and_then(|stamp| read(path, stamp));
                read.map_err(|error| ReloadError::Failed {
                    name: name.to_owned(),
                    error: fail(slot, source.clone(), error),
                })?
            }
        };
        let loaded = self.load(slot, source.clone(), bytes).await;
        self.publish(&slots);
        loaded.map_err(|error| ReloadError::Failed { name: name.to_owned(), error })?;
        self.registry().get(name).cloned().ok_or_else(unknown)
    }

    /// Versions that were replaced but still have calls under way.
    pub fn draining(&self) -> Vec<Arc<Plugin>> {
        let mut retired = self.retired.lock();
        retired.retain(|plugin| plugin.strong_count() > 0);
        retired.iter().filter_map(Weak::upgrade).collect()
    }

    /// Follows the folders until the returned guard is dropped.
    pub fn watch(self: &Arc<Self>) -> Result<Watch, LoadError> {
        let (wake, mut woken) = tokio::sync::mpsc::channel::<()>(1);
        let mut debouncer = notify_debouncer_full::new_debouncer(SETTLE, None, move |_events| {
            // A full channel means that a look is due anyway.
            let _ = wake.try_send(());
        })
        .map_err(|error| LoadError::Engine(format!("cannot watch for plugins: {error}")))?;
        for folder in &self.folders {
            debouncer
                .watch(folder, notify::RecursiveMode::NonRecursive)
                .map_err(|error| LoadError::Read { file: folder.display().to_string(), reason: error.to_string() })?;
        }
        let runtime = Arc::downgrade(self);
        let task = tokio::spawn(async move {
            // Watches as long as it lives.
            let _debouncer = debouncer;
            loop {
                let _ = tokio::time::timeout(LOOK_ANYWAY, woken.recv()).await;
                let Some(runtime) = runtime.upgrade() else { return };
                runtime.refresh().await;
            }
        });
        Ok(Watch { task })
    }

    /// Loads a file's bytes beside what serves, under the operator's limits but with settings of their own.
    pub(super) async fn load_apart(
        &self,
        bytes: &[u8],
        name: &str,
        settings: &[(String, String)],
    ) -> Result<Vec<Plugin>, LoadError> {
        let options =
            |name: &str| PluginOptions { settings: settings.iter().cloned().collect(), ..(self.options)(name) };
        self.loader.load(bytes.into(), &Source::Embedded(name.to_owned()), &options).await
    }

    async fn load(&self, slot: &mut Slot, source: Source, bytes: Vec<u8>) -> Result<(), LoadError> {
        let began = std::time::Instant::now();
        let digest = blake3::hash(&bytes);
        slot.digest = Some(digest);
        match self.loader.load(bytes.into(), &source, &*self.options).await {
            Ok(plugins) => {
                for plugin in &plugins {
                    let took_ms = began.elapsed().as_millis() as u64;
                    tracing::info!(
                        plugin = plugin.label(),
                        kind = plugin.kind.name(),
                        source = source.label(),
                        took_ms,
                        "plugin loaded"
                    );
                }
                self.retired.lock().extend(slot.plugins.iter().map(Arc::downgrade));
                slot.plugins.iter().for_each(|old| old.retire());
                slot.plugins = plugins.into_iter().map(Arc::new).collect();
                slot.failure = None;
                Ok(())
            }
            Err(error) => Err(fail(slot, source, error)),
        }
    }

    fn publish(&self, slots: &BTreeMap<Source, Slot>) {
        // Embedded sources sort before files; files are ordered by the precedence of their folder.
        let rank = |source: &Source| match source {
            Source::Embedded(_) => 0,
            Source::File(path) => {
                1 + self.folders.iter().position(|folder| path.starts_with(folder)).unwrap_or(self.folders.len())
            }
        };
        let mut ordered: Vec<(&Source, &[Arc<Plugin>])> =
            slots.iter().map(|(source, slot)| (source, slot.plugins.as_slice())).collect();
        ordered.sort_by_key(|(source, _)| rank(source));
        let failures = slots.values().filter_map(|slot| slot.failure.clone()).collect();
        let generation = self.registry.load().generation + 1;
        self.registry.store(Arc::new(Registry::assemble(ordered, failures, generation)));
    }

    fn files(&self) -> Vec<(PathBuf, Stamp)> {
        let mut files = Vec::new();
        for folder in &self.folders {
            let Ok(entries) = std::fs::read_dir(folder) else {
                tracing::warn!(folder = %folder.display(), "the plugin folder cannot be read");
                continue;
            };
            let mut found: Vec<PathBuf> = entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
                .collect();
            found.sort();
            files.extend(found.into_iter().filter_map(|path| stamp(&path).ok().map(|stamp| (path, stamp))));
        }
        files
    }
}

/// Stops following when dropped.
pub struct Watch {
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn fail(slot: &mut Slot, source: Source, error: LoadError) -> LoadError {
    tracing::warn!(source = source.label(), serving = !slot.plugins.is_empty(), %error, "plugin not loaded");
    slot.failure = Some(Failure { source, error: error.clone(), since: SystemTime::now() });
    error
}

fn stamp(path: &Path) -> Result<Stamp, LoadError> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).map_err(|error| read_error(path, &error))?;
    let modified = metadata.modified().map_err(|error| read_error(path, &error))?;
    Ok((modified, metadata.len(), metadata.ino()))
}

fn read(path: &Path, (_, size, _): Stamp) -> Result<Vec<u8>, LoadError> {
    if size > MAX_FILE_BYTES {
        return Err(LoadError::TooLarge { size, limit: MAX_FILE_BYTES });
    }
    std::fs::read(path).map_err(|error| read_error(path, &error))
}

fn read_error(path: &Path, error: &std::io::Error) -> LoadError {
    LoadError::Read {
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        reason: error.to_string(),
    }
}
