//! The composition root: the only place that knows every part. Starts them in the order of their needs
//! and stops them in the reverse one.

/// Agents as a collection that is searched.
mod agents;
/// The parts as the HTTP layer sees them.
mod backend;
/// The cache and its tiers.
mod cache;
/// What the store says about its database.
mod database;
/// Whether each part works.
mod health;
/// Figures of the past.
mod history;
/// What this host tells of the work of others.
mod hosts;
/// API keys between the parts.
pub mod keys;
/// The better embedding model.
mod model;
/// Retrieval for language models.
mod rag;
/// The database as the engine that answers look-ups.
mod retrieval;
/// Which store a server has.
mod store;
/// Suggestions while somebody types.
mod suggest;
/// Services elsewhere.
mod upstream;
/// What is remembered of use.
mod usage;
/// The world of agents.
mod world;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::access::{AccessError, Keyring};
use crate::cache::Cache;
use crate::config::{ConfigError, RetrievalMode, Settings, default_data_folder};
use crate::ecs::Ecs;
use crate::http::{self, Stopped};
use crate::index::{Index, IndexError, Searched};
use crate::ingest::{IndexRequest, Ingest, IngestConfig, IngestError};
use crate::runtime::{LoadError, Outgoing, Runtime, RuntimeOptions, Watch};
use crate::service::{Service, ServiceLimits};
use crate::store::copy::CopyError;
use crate::store::{DocumentStore, PostgresStore, Store, StoreError, Task, TaskState};
use crate::suggest::{Suggest, SuggestError};
use crate::telemetry::Metrics;

pub use store::copy_store;

include!(concat!(env!("OUT_DIR"), "/standard_plugins.rs"));

#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot use the data folder {folder}: {reason}; name one that can be written with --data")]
    DataFolder { folder: PathBuf, reason: String },
    #[error("cannot use the plugin folder {folder}: {reason}; name another with --plugins, or make it")]
    PluginFolder { folder: PathBuf, reason: String },
    #[error("another corsac uses the data folder {0}; stop it, or choose another with --data")]
    InUse(PathBuf),
    #[error("cannot serve on {address}: {reason}; choose another address with --listen")]
    Listen { address: std::net::SocketAddr, reason: String },
    #[error("the folder {0} cannot be indexed: it is not there or no folder; name another")]
    NoTree(PathBuf),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error(transparent)]
    Cache(#[from] crate::cache::BadUrl),
    #[error(transparent)]
    Client(#[from] crate::upstream::ClientError),
    #[error(transparent)]
    Suggest(#[from] SuggestError),
    #[error("plugins: {0}")]
    Plugins(#[from] LoadError),
    #[error(
        "requests on {address} need an API key, and there is none: make one with `corsac key create --name first --scope admin {store}`, give one in CORSAC_ADMIN_KEY, or let everyone in with --keys off"
    )]
    NoKey { address: std::net::SocketAddr, store: String },
    #[error("there is no API key {0}: `corsac key list` shows those that there are")]
    UnknownKey(String),
    #[error(transparent)]
    Key(#[from] AccessError),
    #[error("there is no store at {0}; give the data folder of a server, or `sqlite:FILE`")]
    NoStore(PathBuf),
    #[error("the store holds a copy that has not ended; run `corsac store copy` again with the same source")]
    HalfCopied,
    #[error("the copy failed: {0}")]
    Copy(#[from] CopyError),
    #[error("serving failed: {0}; start the server again")]
    Serve(std::io::Error),
}

/// A running server without its sockets.
pub struct App {
    pub runtime: Arc<Runtime>,
    pub ingest: Ingest,
    pub index: Searched,
    service: Service,
    /// None: the world is switched off.
    agents: Option<agents::Agents>,
    models: rag::Models,
    cache: Cache,
    metrics: Arc<Metrics>,
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    tree: Option<PathBuf>,
    /// RFC 3339: the last time that an indexing task ended well.
    last_indexed: Arc<RwLock<Option<String>>>,
    closing: CancellationToken,
    ready: AtomicBool,
    hosts: http::Hosts,
    cors: http::Cors,
    drain: Duration,
    store_probe: health::StoreProbe,
    upstreams: upstream::Upstreams,
    history: Option<history::History>,
    usage: usage::Usage,
    /// None where it is switched off.
    ecs: Option<Arc<Ecs>>,
    /// None where they are switched off.
    suggest: Option<Arc<Suggest>>,
    _watch: Option<Watch>,
    _lock: std::fs::File,
}

impl App {
    /// Opens the data folder, loads plugins, starts following the store. `tree` is what the server is for;
    /// none: only posted documents. Nothing is indexed yet.
    pub async fn start(settings: &Settings, tree: Option<&Path>) -> Result<Arc<Self>, AppError> {
        let tree = match tree {
            None => None,
            Some(tree) if tree.is_dir() => tree.canonicalize().ok(),
            Some(tree) => return Err(AppError::NoTree(tree.to_owned())),
        };
        let data = match &settings.server.data {
            Some(data) => data.clone(),
            None => default_data_folder(tree.as_deref())?,
        };
        let lock = lock(&data)?;
        let (store, shared) = store::open(settings, &data).await?;
        store::match_index(&*store, &data).await?;
        let keyring = keys::keyring(settings, &store, &data).await?;
        let (index, ingest) = follow(&store, shared, &data, settings, tree.as_deref()).await?;
        let upstreams = upstream::Upstreams::new(settings)?;
        let runtime = start_runtime(settings, &data, upstreams.outgoing()).await?;
        let watch = if settings.server.plugin_folders.is_empty() { None } else { Some(runtime.watch()?) };
        let cache = cache::open(settings, store.identity().await?.as_deref(), &data).await?;
        let metrics = Arc::<Metrics>::default();
        let host = store::host(&data)?;
        let history = settings.telemetry.history.then(|| {
            let (metrics, cache, index, store) = (metrics.clone(), cache.clone(), index.clone(), store.clone());
            history::History::start(host, history::Sources { metrics, cache, index, store })
        });
        let database = if settings.database.url.is_some() { "postgresql" } else { "sqlite" };
        let by_database = settings.index.retrieval == RetrievalMode::Postgres;
        let limits = ServiceLimits {
            concurrent_searches: settings.server.max_concurrent_searches as usize,
            timeout: Duration::from_millis(settings.server.search_timeout_ms),
        };
        let (wanted, period) = cache::warming(settings);
        let usage = usage::Usage::start(&settings.usage, &store, &index).await?;
        let service = Service::warming(runtime.clone(), index.clone(), cache.clone(), limits, wanted, period)
            .learning(usage.learning());
        let ecs = world::start(&settings.ecs, &store, &runtime);
        let agents = match &ecs {
            Some(ecs) => Some(agents::Agents::start(ecs.clone(), runtime.clone(), cache.clone(), limits, &data).await?),
            None => None,
        };
        let closing = CancellationToken::new();
        let suggest = suggest::start(&settings.suggest, &index, &cache, usage.learning().log, &closing)?;
        tokio::spawn(service.clone().keep_warm(closing.clone()));
        tokio::spawn(keyring.clone().follow(closing.clone()));
        usage.recorder().map(|recorder| tokio::spawn(recorder.run(closing.clone())));
        Ok(Arc::new(Self {
            service,
            agents,
            models: rag::Models::new(settings.rag.clone(), upstreams.generator.clone(), upstreams.embeddings.clone())?,
            runtime,
            ingest,
            index,
            cache,
            metrics,
            store_probe: health::StoreProbe::new(store.clone(), database, by_database),
            upstreams,
            history,
            usage,
            ecs,
            suggest,
            store,
            keyring,
            tree,
            last_indexed: Arc::default(),
            closing,
            ready: AtomicBool::new(false),
            hosts: if settings.server.listen.ip().is_loopback() { http::Hosts::Loopback } else { http::Hosts::Any },
            cors: http::Cors::new(&settings.security.cors_origins),
            drain: Duration::from_millis(settings.server.drain_ms),
            _watch: watch,
            _lock: lock,
        }))
    }

    /// Searches may come from now on.
    pub async fn open(&self) -> Result<(), AppError> {
        *self.last_indexed.write() = hosts::last_indexed(&*self.store).await?;
        if self.ingest.is_shared() {
            let (store, last_indexed) = (self.store.clone(), self.last_indexed.clone());
            tokio::spawn(hosts::follow_last_indexed(store, last_indexed, self.closing.clone()));
        }
        self.ready.store(true, Ordering::Release);
        Ok(())
    }

    /// Starts to index a folder and returns at once.
    pub async fn index_folder(&self, request: IndexRequest) -> Result<Task, IngestError> {
        let task = self.ingest.start_indexing(request).await?;
        if let Some(mut progress) = self.ingest.watch_task(&task.id).await? {
            let last_indexed = self.last_indexed.clone();
            tokio::spawn(async move {
                let finished = progress.wait_for(|task| task.state.is_finished()).await;
                if let Ok(task) = finished
                    && task.state == TaskState::Succeeded
                {
                    *last_indexed.write() = task.finished_at.clone();
                }
            });
        }
        Ok(task)
    }

    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) && !self.is_stopping()
    }

    /// Whether a stop was asked for.
    pub fn is_stopping(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// The router over this server.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        let options = http::Options {
            metrics: self.metrics.clone(),
            closing: self.closing.clone(),
            hosts: self.hosts,
            cors: self.cors.clone(),
            keyring: Some(self.keyring.clone()),
        };
        http::router(self.clone(), options)
    }

    /// Serves until `shutdown`, drains, and stops the parts.
    pub async fn serve(
        self: &Arc<Self>,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Stopped, AppError> {
        let stopped = http::serve(listener, self.router(), self.closing.clone(), self.drain, shutdown).await;
        self.stop().await;
        stopped.map_err(AppError::Serve)
    }

    /// Commits what the index has taken in and closes the store.
    pub async fn stop(&self) {
        self.closing.cancel();
        self.ingest.shutdown().await;
        if let Some(agents) = &self.agents {
            agents.stop().await;
        }
        if let Some(ecs) = &self.ecs {
            ecs.stop().await;
        }
        if let Some(history) = &self.history {
            history.stop().await;
        }
        if let Some(recorder) = self.usage.recorder() {
            recorder.flush().await;
        }
        self.store.close().await;
    }
}

async fn follow(
    store: &Arc<dyn Store>,
    database: Option<Arc<PostgresStore>>,
    data: &Path,
    settings: &Settings,
    tree: Option<&Path>,
) -> Result<(Searched, Ingest), AppError> {
    let folder = data.join("index");
    let config = IngestConfig {
        allowed_roots: tree.map(Path::to_owned).into_iter().chain(settings.index.allowed_roots.clone()).collect(),
        excluded: vec![data.to_owned()],
        max_content_bytes: settings.index.max_file_bytes,
        shared: settings.database.url.is_some(),
        ..IngestConfig::default()
    };
    if settings.index.retrieval == RetrievalMode::Postgres
        && let Some(database) = database
    {
        return retrieval::follow(database, config).await;
    }
    let model = model::load(settings).await?;
    let (opened, better) = (folder.clone(), model.clone());
    let open = move || Index::open_with(&opened, better);
    let index = tokio::task::spawn_blocking(open).await.map_err(|error| IndexError::Read(error.to_string()))??;
    let index = Arc::new(index);
    match Ingest::start(store.clone() as Arc<dyn DocumentStore>, index.clone(), config.clone()).await {
        Ok(ingest) => Ok((index.into(), ingest)),
        // A store that was put back from a backup: what is derived from the newer one is worth nothing.
        Err(IngestError::IndexAhead { index: ahead, store: behind }) => {
            tracing::warn!(ahead, behind, "the index is newer than the store and is built again");
            drop(index);
            let failed =
                |error: std::io::Error| AppError::DataFolder { folder: folder.clone(), reason: error.to_string() };
            std::fs::remove_dir_all(&folder).map_err(failed)?;
            cache::rename(data).map_err(failed)?;
            let index = Arc::new(Index::open_with(&folder, model)?);
            let ingest = Ingest::start(store.clone() as Arc<dyn DocumentStore>, index.clone(), config).await?;
            Ok((index.into(), ingest))
        }
        Err(error) => Err(error.into()),
    }
}

async fn start_runtime(
    settings: &Settings,
    data: &Path,
    outgoing: Arc<dyn Outgoing>,
) -> Result<Arc<Runtime>, AppError> {
    for folder in &settings.server.plugin_folders {
        let failed =
            |error: std::io::Error| AppError::PluginFolder { folder: folder.clone(), reason: error.to_string() };
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let settings_of = settings.clone();
    let options = RuntimeOptions {
        compiled: Some(data.join("compiled")),
        embedded: STANDARD_PLUGINS,
        folders: settings.server.plugin_folders.clone(),
        plugins: Arc::new(move |name: &str| settings_of.plugin(name)),
        outgoing: Some(outgoing),
    };
    Ok(Runtime::start(options).await?)
}

/// Two servers over one data folder would each miss what the other writes.
fn lock(data: &Path) -> Result<std::fs::File, AppError> {
    let failed = |error: std::io::Error| AppError::DataFolder { folder: data.to_owned(), reason: error.to_string() };
    std::fs::create_dir_all(data).map_err(failed)?;
    let file = std::fs::File::create(data.join("lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(AppError::InUse(data.to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// The standard plugins that this binary carries.
pub fn standard_plugins() -> &'static [(&'static str, &'static [u8])] {
    STANDARD_PLUGINS
}
