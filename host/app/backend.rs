//! The parts of the server as the HTTP layer asks for them. Only turns words of one layer into those of
//! another; decides nothing.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use futures::{FutureExt, TryFutureExt};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_stream::wrappers::WatchStream;

use super::{App, database, keys};
use crate::cache;
use crate::ecs::World;
use crate::http::{
    AgentMatches, AgentSearch, AgentSearchError, Backend, BackendError, CreatedKey, DatabaseStatus, DocumentOutcome,
    DocumentState, Freshness, HistoryRequest, IndexRequest, IndexStatus, KeyRequest, KeyStatus, PartStatus,
    PastFigures, PluginErrors, PluginKind, PluginSource, PluginState, PluginStatus, PoolUse, PostedDocument, Rag,
    TaskState, TaskStatus, Usage, Violation,
};
use crate::ingest::{self, IngestError};
use crate::query::{Analysis, Query};
use crate::runtime::{self, Failure, Plugin, ReloadError, Source};
use crate::service::stream::Streams;
use crate::service::{Answer, SearchError, SearchRequest};
use crate::store;
use crate::suggest::Suggester;
use crate::telemetry::HistoryFigures;
use crate::upstream::UpstreamFigures;

/// Tasks that a list shows.
const LISTED_TASKS: u32 = 100;

impl Backend for App {
    fn search(&self, request: SearchRequest) -> BoxFuture<'_, Result<Answer, SearchError>> {
        self.service.search(request).boxed()
    }

    fn analyze(&self, strategy: &str, query: Query) -> BoxFuture<'_, Result<Analysis, SearchError>> {
        let strategy = strategy.to_owned();
        async move { self.service.analyze(&strategy, &query).await }.boxed()
    }

    fn streams(&self) -> &dyn Streams {
        &self.service
    }

    fn world(&self) -> Option<Arc<dyn World>> {
        self.ecs.clone().map(|ecs| ecs as Arc<dyn World>)
    }

    fn usage(&self) -> &dyn Usage {
        &self.usage
    }

    fn search_agents(&self, request: AgentSearch) -> BoxFuture<'_, Result<AgentMatches, AgentSearchError>> {
        async move {
            let Some(agents) = &self.agents else {
                let reason = "this server has no world of agents".to_owned();
                return Err(BackendError::Unavailable(reason).into());
            };
            agents.search(request).await
        }
        .boxed()
    }

    fn suggester(&self) -> Option<Arc<dyn Suggester>> {
        self.suggest.clone().map(|suggest| suggest as Arc<dyn Suggester>)
    }

    fn rag(&self) -> &dyn Rag {
        self
    }

    fn plugins(&self) -> Vec<PluginStatus> {
        let registry = self.runtime.registry();
        let mut failures: Vec<&Failure> = registry.failures().iter().collect();
        let mut list = Vec::new();
        for plugin in registry.plugins() {
            let mut status = status(plugin, PluginState::Active);
            // The version before goes on serving; its line says that a newer file is waiting for repair.
            if let Some(at) = failures.iter().position(|failure| failure.source == plugin.source) {
                status.last_error = Some(failures.remove(at).error.to_string());
            }
            list.push(status);
        }
        list.extend(failures.into_iter().map(failed));
        list.extend(self.runtime.draining().iter().map(|plugin| status(plugin, PluginState::Draining)));
        list
    }

    fn reload(&self, name: &str) -> BoxFuture<'_, Result<PluginStatus, BackendError>> {
        let name = name.to_owned();
        async move {
            match self.runtime.reload(&name).await {
                Ok(plugin) => Ok(status(&plugin, PluginState::Active)),
                Err(ReloadError::Unknown { name, .. }) => Err(BackendError::NotFound { kind: "plugin", name }),
                Err(failed @ ReloadError::Failed { .. }) => Err(BackendError::Conflict(failed.to_string())),
            }
        }
        .boxed()
    }

    fn start_indexing(&self, request: IndexRequest) -> BoxFuture<'_, Result<TaskStatus, BackendError>> {
        async move {
            let tree = self.tree.as_ref().map(|tree| tree.to_string_lossy().into_owned());
            let path = request.project_root.or(tree).ok_or_else(|| BackendError::Invalid {
                field: "project_root".into(),
                message: "is missing, and this server has no folder of its own: name one that it may index".into(),
            })?;
            let (file_types, directories) = (request.file_types, request.directories);
            let force = request.force_reindex;
            let request = ingest::IndexRequest { path, file_types, directories, force, watch: false };
            Ok(task_status(self.index_folder(request).map_err(backend_error).await?))
        }
        .boxed()
    }

    fn put_documents(
        &self,
        documents: Vec<PostedDocument>,
    ) -> BoxFuture<'_, Result<Vec<DocumentOutcome>, BackendError>> {
        self.put(documents, false).boxed()
    }

    fn tasks(&self) -> BoxFuture<'_, Result<Vec<TaskStatus>, BackendError>> {
        async move {
            let tasks = self.ingest.tasks(LISTED_TASKS).await.map_err(backend_error)?;
            Ok(tasks.into_iter().map(task_status).collect())
        }
        .boxed()
    }

    fn task(&self, id: &str) -> BoxFuture<'_, Result<TaskStatus, BackendError>> {
        let id = id.to_owned();
        async move {
            let task = self.ingest.task(&id).await.map_err(backend_error)?;
            task.map(task_status).ok_or(BackendError::NotFound { kind: "task", name: id })
        }
        .boxed()
    }

    fn watch_task(&self, id: &str) -> BoxFuture<'_, Result<BoxStream<'static, TaskStatus>, BackendError>> {
        let id = id.to_owned();
        async move {
            let task = self.ingest.watch_task(&id).await.map_err(backend_error)?;
            let task = task.ok_or(BackendError::NotFound { kind: "task", name: id })?;
            Ok(WatchStream::new(task).map(task_status).boxed())
        }
        .boxed()
    }

    fn keys(&self) -> BoxFuture<'_, Result<Vec<KeyStatus>, BackendError>> {
        keys::list(&self.keyring).boxed()
    }

    fn create_key(&self, request: KeyRequest) -> BoxFuture<'_, Result<CreatedKey, BackendError>> {
        keys::create(&self.keyring, request).boxed()
    }

    fn revoke_key(&self, id: &str) -> BoxFuture<'_, Result<(), BackendError>> {
        let id = id.to_owned();
        async move { keys::revoke(&self.keyring, &id).await }.boxed()
    }

    fn index(&self) -> IndexStatus {
        IndexStatus { stats: self.index.snapshot().stats(), last_indexed: self.last_indexed.read().clone() }
    }

    fn freshness(&self) -> Freshness {
        let ingest::Freshness { generation, latest, checked, stale } = self.ingest.freshness();
        Freshness { generation, latest, checked, stale }
    }

    fn cache(&self) -> BoxFuture<'_, cache::Figures> {
        self.cache.figures().boxed()
    }

    fn clear_cache(&self, namespace: Option<String>) -> BoxFuture<'_, cache::Cleared> {
        async move { self.cache.clear(namespace.as_deref()).await }.boxed()
    }

    fn database(&self) -> BoxFuture<'_, Result<DatabaseStatus, BackendError>> {
        async move { self.store.report().await.map(database::status).map_err(|error| database::failure(&error)) }
            .boxed()
    }

    fn parts(&self) -> BoxFuture<'_, Vec<PartStatus>> {
        self.parts_now().boxed()
    }

    fn database_pool(&self) -> Option<PoolUse> {
        self.store.pool().map(|pool| PoolUse {
            size: pool.size.into(),
            idle: pool.idle.into(),
            in_use: pool.in_use.into(),
            max: pool.max.into(),
            waiting: pool.waiting.into(),
        })
    }

    fn history(&self, request: HistoryRequest) -> BoxFuture<'_, Result<Option<PastFigures>, BackendError>> {
        async move {
            match &self.history {
                Some(history) => history.read(&request).await.map(Some),
                None => Ok(None),
            }
        }
        .boxed()
    }

    fn history_figures(&self) -> Option<HistoryFigures> {
        self.history.as_ref().map(|history| history.figures())
    }

    fn upstreams(&self) -> Vec<UpstreamFigures> {
        self.upstreams.figures()
    }

    fn ready(&self) -> bool {
        self.is_ready()
    }
}

impl App {
    /// One outcome for each document, in their order. `again`: also what did not change is derived anew.
    pub(super) async fn put(
        &self,
        documents: Vec<PostedDocument>,
        again: bool,
    ) -> Result<Vec<DocumentOutcome>, BackendError> {
        let paths: Vec<Option<String>> =
            documents.iter().map(|document| document.path.clone().or_else(|| document.id.clone())).collect();
        let documents = documents.into_iter().zip(&paths).map(|(document, path)| ingest::PostedDocument {
            path: path.clone().unwrap_or_default(),
            title: document.title,
            language: document.language,
            content: document.content,
            modified: document.modified,
        });
        let posted = match again {
            false => self.ingest.put_documents(documents.collect()).await,
            true => self.ingest.rewrite_documents(documents.collect()).await,
        };
        let posted = posted.map_err(backend_error)?;
        let mut written = posted.written.into_iter();
        let mut refused = posted.refused.into_iter().peekable();
        let outcomes = paths.into_iter().enumerate().map(|(at, path)| {
            let errors: Vec<Violation> = std::iter::from_fn(|| refused.next_if(|refusal| refusal.index == at))
                .map(|refusal| Violation::new(format!("documents[{at}].{}", refusal.field), refusal.reason))
                .collect();
            let state = match errors.is_empty() {
                false => DocumentState::Rejected,
                true if !written.next().unwrap_or(false) => DocumentState::Unchanged,
                true if posted.searchable => DocumentState::Stored,
                true => DocumentState::Pending,
            };
            DocumentOutcome { path, state, errors }
        });
        Ok(outcomes.collect())
    }
}

fn status(plugin: &Plugin, state: PluginState) -> PluginStatus {
    let figures = plugin.statistics.read();
    let count = |kind: &str| figures.errors.get(kind).copied().unwrap_or(0);
    PluginStatus {
        name: plugin.description.name.clone(),
        version: plugin.description.version.clone(),
        kind: kind(plugin.kind),
        purpose: plugin.description.purpose.clone(),
        digest: plugin.digest.to_hex().to_string(),
        state,
        since: rfc3339(plugin.since.into()),
        source: source(&plugin.source),
        calls: figures.calls,
        errors: PluginErrors {
            trap: count("trap"),
            timeout: count("timeout"),
            memory: count("memory"),
            output: count("output"),
            bad_query: count("bad_query"),
            unsupported: count("unsupported"),
            internal: count("internal"),
            contract: count("contract"),
            exhausted: count("exhausted"),
        },
        p50_us: figures.p50_us as f64,
        p99_us: figures.p99_us as f64,
        memory_high_water_bytes: figures.memory_high_water_bytes as u64,
        last_error: figures.last_error,
    }
}

/// A file that no version of was ever served.
fn failed(failure: &Failure) -> PluginStatus {
    let name = match &failure.source {
        Source::Embedded(name) => name.clone(),
        Source::File(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    };
    PluginStatus {
        name,
        version: String::new(),
        kind: None,
        purpose: String::new(),
        digest: String::new(),
        state: PluginState::Failed,
        since: rfc3339(failure.since.into()),
        source: source(&failure.source),
        calls: 0,
        errors: PluginErrors::default(),
        p50_us: 0.0,
        p99_us: 0.0,
        memory_high_water_bytes: 0,
        last_error: Some(failure.error.to_string()),
    }
}

fn kind(kind: runtime::PluginKind) -> Option<PluginKind> {
    Some(match kind {
        runtime::PluginKind::Strategy => PluginKind::Strategy,
        runtime::PluginKind::Ranker => PluginKind::Ranker,
        runtime::PluginKind::TraitRules => PluginKind::TraitRules,
    })
}

fn source(source: &Source) -> PluginSource {
    match source {
        Source::Embedded(_) => PluginSource::Embedded,
        Source::File(_) => PluginSource::Folder,
    }
}

pub(super) fn task_status(task: store::Task) -> TaskStatus {
    TaskStatus {
        id: task.id,
        kind: match task.kind {
            store::TaskKind::IndexFolder => "index".into(),
            store::TaskKind::RenewDocuments => "renew".into(),
        },
        state: match task.state {
            store::TaskState::Queued => TaskState::Queued,
            store::TaskState::Running => TaskState::Running,
            store::TaskState::Succeeded => TaskState::Succeeded,
            store::TaskState::Failed => TaskState::Failed,
            store::TaskState::Interrupted => TaskState::Interrupted,
        },
        progress: serde_json::to_value(&task.progress).unwrap_or_default(),
        started_at: task.started_at,
        finished_at: task.finished_at,
        error: task.error,
    }
}

pub(super) fn backend_error(error: IngestError) -> BackendError {
    match &error {
        IngestError::NotAllowed { .. } | IngestError::NotAFolder { .. } => {
            BackendError::Invalid { field: "project_root".into(), message: error.to_string() }
        }
        IngestError::BadRequest { field, reason } => {
            BackendError::Invalid { field: (*field).to_owned(), message: reason.clone() }
        }
        IngestError::TooManyTasks(_) => BackendError::Conflict(error.to_string()),
        IngestError::ShuttingDown | IngestError::Index(_) | IngestError::Away(_) => {
            BackendError::Unavailable(error.to_string())
        }
        IngestError::Store(store::StoreError::Unavailable(_) | store::StoreError::Busy(_)) => {
            BackendError::Unavailable("the store does not take writes at present; try again in a moment".into())
        }
        _ => BackendError::Internal(error.to_string()),
    }
}

/// UTC, to the second.
pub(super) fn rfc3339(time: OffsetDateTime) -> String {
    time.replace_nanosecond(0).ok().and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}
