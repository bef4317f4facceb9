//! The backend that the tests of the routes stand on: answers as the request's words say, and writes down what it is
//! asked.

use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;

use super::*;
use crate::cache;
use crate::index::{IndexStats, ModelStats};
use crate::query::Query;
use crate::telemetry::HistoryFigures;

/// Answers with `answer`, or with an error when the query's text asks for one.
pub(in crate::http) struct Fake {
    pub(super) seen: Mutex<Vec<SearchRequest>>,
    pub(super) indexed: Mutex<Vec<IndexRequest>>,
    pub(super) cache_status: Mutex<CacheStatus>,
    pub(super) cleared: Mutex<Vec<Option<String>>>,
    pub(super) ready: AtomicBool,
    pub(super) parts: Mutex<Vec<PartStatus>>,
    pub(super) database_away: AtomicBool,
    pub(super) history: Mutex<Option<PastFigures>>,
    pub(super) asked_history: Mutex<Vec<HistoryRequest>>,
    pub(super) suggester: Mutex<Option<Arc<dyn crate::suggest::Suggester>>>,
    pub(super) world: Mutex<Option<Arc<dyn crate::ecs::World>>>,
    pub(super) asked_agents: Mutex<Vec<AgentSearch>>,
    pub(super) usage: feedback::FakeUsage,
    pub(super) task: watch::Sender<TaskStatus>,
    /// Searches for `slow` wait for a permit.
    pub(super) gate: tokio::sync::Semaphore,
    pub(super) slow_started: tokio::sync::Semaphore,
    pub(super) rag: rag::FakeRag,
    pub(super) streams: parts::FakeStreams,
}

pub(super) const BODY: &str = r#"{"success":true,"results":[]}"#;

impl Default for Fake {
    fn default() -> Self {
        Self {
            seen: Mutex::default(),
            usage: Default::default(),
            indexed: Mutex::default(),
            cache_status: Mutex::new(CacheStatus::Miss),
            cleared: Mutex::default(),
            ready: AtomicBool::new(true),
            database_away: AtomicBool::new(false),
            parts: Mutex::new(vec![part("store", PartState::Up, "sqlite")]),
            history: Mutex::default(),
            suggester: Mutex::default(),
            world: Mutex::default(),
            asked_agents: Mutex::default(),
            asked_history: Mutex::default(),
            task: watch::Sender::new(task_at(TaskState::Running, 0)),
            gate: tokio::sync::Semaphore::new(0),
            slow_started: tokio::sync::Semaphore::new(0),
            rag: Default::default(),
            streams: parts::FakeStreams::default(),
        }
    }
}

pub(super) fn task_at(state: TaskState, files: u64) -> TaskStatus {
    TaskStatus {
        id: "t1".into(),
        kind: "index".into(),
        state,
        progress: json!({"files": files}),
        started_at: Some("2026-01-01T00:00:00Z".into()),
        finished_at: None,
        error: None,
    }
}

pub(super) fn part(name: &'static str, state: PartState, detail: &str) -> PartStatus {
    PartStatus { name, state, detail: detail.into(), needed: false }
}

fn plugin() -> PluginStatus {
    PluginStatus {
        name: "rank-fields".into(),
        version: "0.1.0".into(),
        kind: Some(PluginKind::Ranker),
        purpose: "boosts".into(),
        digest: "ab".repeat(32),
        state: PluginState::Active,
        since: "2026-01-01T00:00:00Z".into(),
        source: PluginSource::Embedded,
        calls: 7,
        errors: PluginErrors { trap: 1, ..Default::default() },
        p50_us: 20.0,
        p99_us: 90.0,
        memory_high_water_bytes: 1 << 20,
        last_error: None,
    }
}

fn database() -> DatabaseStatus {
    DatabaseStatus {
        backend: "postgresql".into(),
        version: "15.1".into(),
        extensions: vec![Extension { name: "hypopg".into(), version: "1.3".into() }],
        pool: Some(PoolStatus {
            size: 10,
            in_use: 9,
            idle: 1,
            max: 10,
            waiting: 2,
            usage_percent: 90.0,
            warning: true,
            warnings: 1,
        }),
        query_statistics: QueryStatistics { source: StatisticsSource::PgStatStatements, statements: vec![] },
        slow_queries: SlowQueries { threshold_ms: 1000, queries: vec![] },
        index_advice: vec![IndexAdvice {
            table: "public.documents".into(),
            columns: vec!["path".into()],
            create: "CREATE INDEX CONCURRENTLY ON public.documents (path)".into(),
            statement: "SELECT 1 FROM documents WHERE path = $1".into(),
            helps: 1,
            checked_by: CheckedBy::Hypopg,
            cost_before: 1218.0,
            cost_after: 8.06,
        }],
        unused_indexes: vec![],
        notes: vec![],
    }
}

fn key() -> KeyStatus {
    KeyStatus {
        id: "0a1b".into(),
        name: "test".into(),
        scopes: vec!["search".into()],
        rate_per_minute: None,
        created_at: "2026-01-01T00:00:00Z".into(),
        expires_at: None,
    }
}

fn plugin_name() -> String {
    "strategy-x@0.1.0".to_owned()
}

/// The secret that a failing part knows and a client must not see.
pub(super) const SECRET: &str = "/var/lib/secret/index.bin: at frame 3 of backtrace";

pub(super) fn failure(text: &str) -> Option<SearchError> {
    let (plugin, reason) = (plugin_name(), SECRET.to_owned());
    Some(match text {
        "fail bad query" => SearchError::BadQuery { plugin, reason: "unclosed group at byte 3".into() },
        "fail unsupported" => SearchError::Unsupported { plugin, reason: "no patterns".into() },
        "fail ranker" => SearchError::UnknownRanker { name: "x".into(), known: vec!["relevance".into()] },
        "fail plugin" => SearchError::PluginFailed { plugin, reason },
        "fail trap" => SearchError::PluginTrapped { plugin, reason },
        "fail limit" => SearchError::PluginLimit { plugin, reason },
        "fail plugin time" => SearchError::PluginTimedOut { plugin, deadline: Duration::from_millis(250) },
        "fail overloaded" => SearchError::Overloaded,
        "fail time" => SearchError::TimedOut(Duration::from_secs(5)),
        "fail index" => SearchError::Index(reason),
        _ => return None,
    })
}

impl Backend for Fake {
    fn freshness(&self) -> Freshness {
        Freshness { generation: 77, latest: 79, checked: 6, stale: true }
    }

    fn search(&self, request: SearchRequest) -> BoxFuture<'_, Result<Answer, SearchError>> {
        async move {
            let text = request.query.text.clone();
            let strategy = request.strategy.clone();
            self.seen.lock().push(request);
            if !["semantic", "syntax", "hybrid", "smart", "natural"].contains(&strategy.as_str()) {
                return Err(SearchError::UnknownStrategy {
                    name: strategy,
                    known: vec!["hybrid".into(), "smart".into()],
                });
            }
            if text == "panic" {
                panic!("as asked");
            }
            if text == "slow" {
                self.slow_started.add_permits(1);
                self.gate.acquire().await.unwrap().forget();
            }
            if let Some(error) = failure(&text) {
                return Err(error);
            }
            Ok(Answer {
                body: Bytes::from_static(BODY.as_bytes()),
                etag: "0123456789abcdef".into(),
                cache: *self.cache_status.lock(),
                timings: vec![("strategy", Duration::from_micros(1500)), ("rank", Duration::from_micros(42))],
            })
        }
        .boxed()
    }

    fn streams(&self) -> &dyn crate::service::stream::Streams {
        &self.streams
    }

    fn world(&self) -> Option<Arc<dyn crate::ecs::World>> {
        self.world.lock().clone()
    }

    fn usage(&self) -> &dyn Usage {
        &self.usage
    }

    fn rag(&self) -> &dyn Rag {
        &self.rag
    }

    fn analyze(&self, strategy: &str, query: Query) -> BoxFuture<'_, Result<Analysis, SearchError>> {
        assert_eq!(strategy, "natural");
        let failure = failure(&query.text);
        async move { failure.map_or_else(|| Ok(language::analysis(&query.text)), Err) }.boxed()
    }

    fn search_agents(&self, request: AgentSearch) -> BoxFuture<'_, Result<AgentMatches, AgentSearchError>> {
        let AgentSearch { query, exact, .. } = request.clone();
        let away = query == "world away";
        self.asked_agents.lock().push(request);
        let failure = failure(&query);
        let found = AgentMatches {
            query,
            exact_match: exact,
            results: vec![],
            count: 0,
            search_strategies: vec![],
            degraded: false,
        };
        async move {
            if away {
                return Err(BackendError::Unavailable("the world is being replayed".into()).into());
            }
            failure.map_or(Ok(found), |error| Err(error.into()))
        }
        .boxed()
    }

    fn suggester(&self) -> Option<Arc<dyn crate::suggest::Suggester>> {
        self.suggester.lock().clone()
    }

    fn plugins(&self) -> Vec<PluginStatus> {
        vec![plugin()]
    }

    fn reload(&self, name: &str) -> BoxFuture<'_, Result<PluginStatus, BackendError>> {
        let result = match name {
            "rank-fields" => Ok(plugin()),
            "rank-broken" => Err(BackendError::Conflict("rank-broken is not a component".into())),
            _ => Err(BackendError::NotFound { kind: "plugin", name: name.to_owned() }),
        };
        async { result }.boxed()
    }

    fn start_indexing(&self, request: IndexRequest) -> BoxFuture<'_, Result<TaskStatus, BackendError>> {
        let outside = request.project_root.as_deref().is_some_and(|root| root != "allowed");
        self.indexed.lock().push(request);
        let message = "is not a folder that this server may index";
        let refused = BackendError::Invalid { field: "project_root".into(), message: message.into() };
        async move { if outside { Err(refused) } else { Ok(task_at(TaskState::Queued, 0)) } }.boxed()
    }

    fn put_documents(
        &self,
        documents: Vec<PostedDocument>,
    ) -> BoxFuture<'_, Result<Vec<DocumentOutcome>, BackendError>> {
        async move {
            if documents.iter().any(|document| document.content == "store away") {
                return Err(BackendError::Unavailable(SECRET.into()));
            }
            let stored = |document: PostedDocument| DocumentOutcome {
                path: document.path.or(document.id),
                state: DocumentState::Stored,
                errors: vec![],
            };
            Ok(documents.into_iter().map(stored).collect())
        }
        .boxed()
    }

    fn tasks(&self) -> BoxFuture<'_, Result<Vec<TaskStatus>, BackendError>> {
        async { Ok(vec![self.task.borrow().clone()]) }.boxed()
    }

    fn task(&self, id: &str) -> BoxFuture<'_, Result<TaskStatus, BackendError>> {
        let found = (id == "t1").then(|| self.task.borrow().clone());
        let missing = BackendError::NotFound { kind: "task", name: id.to_owned() };
        async { found.ok_or(missing) }.boxed()
    }

    fn watch_task(&self, id: &str) -> BoxFuture<'_, Result<BoxStream<'static, TaskStatus>, BackendError>> {
        let found = (id == "t1").then(|| WatchStream::new(self.task.subscribe()).boxed());
        let missing = BackendError::NotFound { kind: "task", name: id.to_owned() };
        async { found.ok_or(missing) }.boxed()
    }

    fn keys(&self) -> BoxFuture<'_, Result<Vec<KeyStatus>, BackendError>> {
        async { Ok(vec![key()]) }.boxed()
    }

    fn create_key(&self, request: KeyRequest) -> BoxFuture<'_, Result<CreatedKey, BackendError>> {
        let KeyRequest { name, scopes, rate_per_minute, .. } = request;
        let status = KeyStatus { name, scopes, rate_per_minute, ..key() };
        async { Ok(CreatedKey { key: "corsac_0a1b_ff".into(), status }) }.boxed()
    }

    fn revoke_key(&self, id: &str) -> BoxFuture<'_, Result<(), BackendError>> {
        let missing = BackendError::NotFound { kind: "API key", name: id.to_owned() };
        let outcome = if id == "0a1b" { Ok(()) } else { Err(missing) };
        async { outcome }.boxed()
    }

    fn index(&self) -> IndexStatus {
        let stats = IndexStats {
            documents: 1250,
            chunks: 5000,
            content_bytes: 9_000_000,
            index_bytes: 3 << 20,
            generation: 77,
            vectors: 5000,
            dimension: 256,
            models: vec![ModelStats {
                name: "fine".into(),
                digest: "0f".into(),
                dimension: 384,
                embedded: 3750,
                backlog: 1250,
                answers: false,
                failure: None,
            }],
        };
        IndexStatus { stats, last_indexed: Some("2026-01-01T00:00:00Z".into()) }
    }

    fn cache(&self) -> BoxFuture<'_, cache::Figures> {
        let figures = cache::NamespaceFigures { namespace: "syntax".into(), hits: 8, misses: 2, ..Default::default() };
        async { cache::Figures { namespaces: vec![figures], entries: 2, bytes: 99, capacity_bytes: 100, shared: None } }
            .boxed()
    }

    fn clear_cache(&self, namespace: Option<String>) -> BoxFuture<'_, cache::Cleared> {
        self.cleared.lock().push(namespace);
        async { cache::Cleared { entries: 3, shared: 2, hosts: 1 } }.boxed()
    }

    fn database(&self) -> BoxFuture<'_, Result<DatabaseStatus, BackendError>> {
        let away = self.database_away.load(Ordering::SeqCst);
        async move { if away { Err(BackendError::Unavailable(SECRET.into())) } else { Ok(database()) } }.boxed()
    }

    fn parts(&self) -> BoxFuture<'_, Vec<PartStatus>> {
        let parts = self.parts.lock().clone();
        async { parts }.boxed()
    }

    fn database_pool(&self) -> Option<PoolUse> {
        Some(PoolUse { size: 9, idle: 5, in_use: 4, max: 50, waiting: 1 })
    }

    fn history(&self, request: HistoryRequest) -> BoxFuture<'_, Result<Option<PastFigures>, BackendError>> {
        let away = request.host.as_deref() == Some("away");
        self.asked_history.lock().push(request);
        let past = self.history.lock().clone();
        async move { if away { Err(BackendError::Unavailable(SECRET.into())) } else { Ok(past) } }.boxed()
    }

    fn history_figures(&self) -> Option<HistoryFigures> {
        None
    }

    fn ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst)
    }
}
