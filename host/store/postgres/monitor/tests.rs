//! Against real servers: Debian's, which has pg_stat_statements and hypopg, and one that has neither.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::str::FromStr;

use services::{Postgres, PostgresKind};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgPool, PgPoolOptions};

use super::super::connections::timed;
use super::*;
use crate::store::conformance::text;
use crate::store::monitor::{CheckedBy, IndexAdvice, SlowStatement};
use crate::store::{DocumentStore, MonitoredStore, PostgresOptions, PostgresStore};

const BOTH: [PostgresKind; 2] = [PostgresKind::Debian, PostgresKind::Vector];

/// By one path of 50,000: without an index, the whole table is read.
const BY_PATH: &str = "SELECT sequence FROM documents WHERE root = $1 AND path = $2";

const FEED: &str = "SELECT path FROM documents WHERE sequence > $1 ORDER BY sequence LIMIT $2";

const BY_BATCH: &str = "UPDATE documents SET size = new.size
    FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS new (root, path, size)
    WHERE documents.root = new.root AND documents.path = new.path";

struct Database {
    pool: PgPool,
    monitor: Arc<Monitor>,
}

impl Database {
    async fn open(kind: PostgresKind, slow_from: Duration) -> Self {
        Self::at(&Postgres::shared(kind).database(), slow_from).await
    }

    async fn at(url: &str, slow_from: Duration) -> Self {
        let connect = PgConnectOptions::from_str(url).unwrap();
        let pool = PgPoolOptions::new().max_connections(10).connect_with(connect.clone()).await.unwrap();
        Self { monitor: Monitor::start(connect, slow_from), pool }
    }

    async fn run(&self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&self.pool).await.unwrap();
    }

    /// 50,000 documents below seven roots, with statistics and without indexes.
    async fn with_documents(kind: PostgresKind) -> Self {
        let database = Self::open(kind, Duration::ZERO).await;
        database
            .run(
                "CREATE TABLE documents (root bigint NOT NULL, path text NOT NULL, sequence bigint NOT NULL,
                    size bigint NOT NULL);
                INSERT INTO documents SELECT i % 7, 'src/folder/file-' || i * 7919 % 50000, i, i
                    FROM generate_series(1, 50000) AS i;
                ANALYZE documents;",
            )
            .await;
        database
    }

    async fn report(&self) -> DatabaseReport {
        self.monitor.report(figures(1, 10)).await.unwrap()
    }

    /// The server's own figure for what the advice promises, with the index really there.
    async fn real_cost(&self, advice: &IndexAdvice, statement: &str) -> f64 {
        self.run(&advice.create.replace("CONCURRENTLY ", "")).await;
        self.run("ANALYZE documents").await;
        let mut inspection = Inspection::open(&self.monitor.connect).await.unwrap();
        let explained = inspection.explain(statement).await.unwrap();
        plan::total_cost(plan::root(&explained))
    }

    async fn planned(&self, statement: &str) -> SlowStatement {
        for _ in 0..600 {
            let slow = self.monitor.log.slow_statements().into_iter().find(|slow| slow.statement == statement);
            match slow {
                Some(slow) if slow.plan.is_some() || slow.plan_failure.is_some() => return slow,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        panic!("no plan of {statement}");
    }
}

fn figures(in_use: u32, max: u32) -> PoolFigures {
    PoolFigures { size: max, idle: max - in_use, in_use, max, waiting: 0, usage: f64::from(in_use) / f64::from(max) }
}

fn near(promised: f64, real: f64, tolerance: f64) {
    assert!((promised - real).abs() <= tolerance * real, "promised {promised}, real {real}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_statement_is_kept_with_its_plan() {
    for kind in BOTH {
        let database = Database::with_documents(kind).await;
        let monitor = Monitor::start(database.monitor.connect.clone(), Duration::from_millis(20));
        let database = Database { monitor, ..database };
        let slow = "SELECT pg_sleep($1), count(*) FROM documents WHERE path = $2";
        let query = sqlx::query(slow).bind(0.05).bind("top secret").execute(&database.pool);
        timed(&database.monitor, slow, query).await.unwrap();
        timed(&database.monitor, "SELECT 1", sqlx::query("SELECT 1").execute(&database.pool)).await.unwrap();

        let found = database.planned(slow).await;
        let plan = found.plan.unwrap();
        assert!(found.last_ms >= 50.0, "{}", found.last_ms);
        assert!(plan.to_string().contains(r#""Filter":"(documents.path = $2)""#), "{plan}");
        let report = database.report().await;
        assert_eq!((report.slow.len(), report.slow[0].times), (1, 1));
        assert!(!format!("{report:?}").contains("top secret"));
    }
}

/// What is given up, because it takes too long, is slow too.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_nobody_waits_for_any_more_is_kept() {
    let database = Database::open(PostgresKind::Debian, Duration::from_millis(1)).await;
    let endless = "SELECT pg_sleep($1)";
    let query = sqlx::query(endless).bind(3600.0).execute(&database.pool);
    let waited = tokio::time::timeout(Duration::from_millis(20), timed(&database.monitor, endless, query)).await;
    assert!(waited.is_err());
    assert_eq!(database.planned(endless).await.times, 1);
}

/// Every kind of statement that the store has; none is run by being explained.
#[tokio::test(flavor = "multi_thread")]
async fn statements_of_all_kinds_have_a_plan() {
    for kind in BOTH {
        let database = Database::with_documents(kind).await;
        let mut inspection = Inspection::open(&database.monitor.connect).await.unwrap();
        for statement in [
            BY_PATH,
            FEED,
            BY_BATCH,
            "INSERT INTO documents VALUES ($1, $2, $3, $4) RETURNING sequence;",
            "DELETE FROM documents WHERE path = ANY ($1)",
            "WITH gone AS (DELETE FROM documents RETURNING 1) SELECT count(*) FROM gone",
            "SELECT 1",
        ] {
            let plan = inspection.explain(statement).await.unwrap();
            assert!(plan::total_cost(plan::root(&plan)) > 0.0, "{statement}");
        }
        for (statement, why) in [
            ("DROP TABLE documents", "no plan"),
            ("SELECT * FROM nowhere", "does not exist"),
            ("SELECT 1; DROP TABLE documents", "multiple commands"),
            ("SELECT", ""),
        ] {
            match inspection.explain(statement).await {
                Err(reason) => assert!(reason.contains(why), "{statement}: {reason}"),
                Ok(_) => assert_eq!(statement, "SELECT"),
            }
        }
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM documents").fetch_one(&database.pool).await.unwrap();
        assert_eq!(count, 50_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_index_is_advised_for_what_it_saves() {
    for (kind, checked_by, tolerance) in
        [(PostgresKind::Debian, CheckedBy::Hypopg, 0.15), (PostgresKind::Vector, CheckedBy::Statistics, 0.15)]
    {
        for (statement, columns) in
            [(BY_PATH, &["root", "path"][..]), (BY_BATCH, &["root", "path"]), (FEED, &["sequence"])]
        {
            let database = Database::with_documents(kind).await;
            // The task that creates the extensions has done so once it explains.
            database.monitor.observe(statement, Duration::from_millis(1));
            database.planned(statement).await;
            let report = database.report().await;
            let advice = report.advice.iter().find(|advice| advice.statement == statement);
            let advice = advice.unwrap_or_else(|| panic!("{kind:?} {statement}: {report:#?}"));
            assert_eq!((&advice.table[..], advice.checked_by), ("public.documents", checked_by), "{advice:?}");
            let mut named: Vec<&str> = advice.columns.iter().map(String::as_str).collect();
            named.sort_by_key(|name| columns.iter().position(|column| column == name));
            assert_eq!(named, columns, "{kind:?} {advice:?}");
            assert!(advice.cost_after < advice.cost_before * 0.9, "{advice:?}");
            let real = database.real_cost(advice, statement).await;
            near(advice.cost_after, real, tolerance);
            // With the index there, nothing is advised any more.
            let after = Monitor::start(database.monitor.connect.clone(), Duration::ZERO);
            after.observe(statement, Duration::from_millis(1));
            let report = after.report(figures(1, 10)).await.unwrap();
            assert!(report.advice.iter().all(|advice| advice.statement != statement), "{:?}", report.advice);
        }
    }
}

/// The store itself: its statements need no more indexes than it has, and a lost one is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn the_store_s_own_indexes_are_enough_and_all_needed() {
    for (kind, checked_by) in [(PostgresKind::Debian, CheckedBy::Hypopg), (PostgresKind::Vector, CheckedBy::Statistics)]
    {
        let url = Postgres::shared(kind).database();
        let options = PostgresOptions { slow_query: Duration::ZERO, ..PostgresOptions::new("a") };
        let store = PostgresStore::open(&url, options).await.unwrap();
        let run = async |sql: &str| {
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(store.connections.pool()).await.unwrap();
        };
        run("INSERT INTO documents SELECT i % 1024, i, 0, 'file-' || i, sha256(i::text::bytea), NULL, NULL, 0, 0, 1, '', i
                FROM generate_series(1, 50000) AS i;
            INSERT INTO contents SELECT i % 1024, i, '\\x0000' FROM generate_series(1, 50000) AS i;
            UPDATE counters SET value = 50000;
            ANALYZE")
        .await;
        let work = async || {
            store.upsert(vec![text(0, "new.md", "words")]).await.unwrap();
            store.upsert(vec![text(0, "new.md", "other words")]).await.unwrap();
            assert!(store.document(0, "new.md").await.unwrap().is_some());
            let last = store.last_sequence().await.unwrap();
            assert_eq!(store.changes(last - 1, 10).await.unwrap().len(), 1);
            assert_eq!(store.remove(0, &["new.md".to_owned()]).await.unwrap(), 1);
            store.roots().await.unwrap();
            store.tasks(10).await.unwrap();
        };
        work().await;
        let report = store.report().await.unwrap();
        assert!(report.slow.len() > 5, "{:?}", report.slow);
        assert!(report.advice.is_empty(), "{:#?}", report.advice);
        assert_eq!(report.pool.unwrap().max, 50);

        run("DROP INDEX documents_sequence;
            ALTER TABLE documents DROP CONSTRAINT documents_root_path_digest_shard_key;
            ALTER TABLE contents DROP CONSTRAINT contents_pkey;
            ANALYZE")
        .await;
        store.document(0, "file-1").await.unwrap();
        *store.connections.monitor().reported.lock().await = None;
        let advice = store.report().await.unwrap().advice;
        let asked = |table: &str, columns: &[&str]| {
            let found = advice.iter().find(|advice| {
                let mut named: Vec<&str> = advice.columns.iter().map(String::as_str).collect();
                named.sort_unstable();
                advice.table == table && named == columns
            });
            found.unwrap_or_else(|| panic!("{kind:?} {table} {columns:?}: {advice:#?}"))
        };
        for (table, columns) in [
            ("public.documents", &["sequence"][..]),
            ("public.documents", &["path_digest", "root", "shard"]),
            ("public.contents", &["document", "shard"]),
        ] {
            let found = asked(table, columns);
            assert_eq!(found.checked_by, checked_by);
            assert!(found.cost_after < found.cost_before * 0.9);
        }
    }
}

/// A user who may do nothing special, and names that need quotes.
#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_user_has_advice_too() {
    let postgres = Postgres::start();
    postgres.sql("postgres", "CREATE ROLE plain LOGIN");
    postgres.sql("postgres", "CREATE DATABASE theirs OWNER plain");
    let database = Database::at(&postgres.url("theirs").replace("corsac@", "plain@"), Duration::ZERO).await;
    database
        .run(
            "CREATE SCHEMA \"My Data\"; CREATE TABLE \"My Data\".\"Odd Name\" (\"Order\" bigint, \"a\"\"b\" text);
            INSERT INTO \"My Data\".\"Odd Name\" SELECT i, 'x' || i FROM generate_series(1, 20000) AS i; ANALYZE",
        )
        .await;
    let statement = "SELECT 1 FROM \"My Data\".\"Odd Name\" \"O\" WHERE \"O\".\"a\"\"b\" = $1 AND $2 = \"Order\"";
    database.monitor.observe(statement, Duration::from_millis(1));
    database.planned(statement).await;
    let report = database.report().await;
    assert!(report.extensions.iter().all(|(name, _)| name == "plpgsql"), "{:?}", report.extensions);
    let advice = &report.advice[0];
    let create = "CREATE INDEX CONCURRENTLY ON \"My Data\".\"Odd Name\" (\"a\"\"b\", \"Order\")";
    assert_eq!((advice.create.as_str(), advice.checked_by), (create, CheckedBy::Statistics));
    database.run(&format!("BEGIN; {}; ROLLBACK", advice.create.replace("CONCURRENTLY ", ""))).await;

    // Once somebody has installed it, the planner is asked.
    postgres.sql("theirs", "CREATE EXTENSION hypopg");
    *database.monitor.reported.lock().await = None;
    let report = database.report().await;
    assert_eq!((report.advice[0].create.as_str(), report.advice[0].checked_by), (create, CheckedBy::Hypopg));
}

/// Most rows have the value: an index would only cost.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_saves_nothing_is_not_advised() {
    for kind in BOTH {
        let database = Database::with_documents(kind).await;
        database.run("ALTER TABLE documents ADD live boolean NOT NULL DEFAULT true; ANALYZE documents").await;
        for statement in ["SELECT count(size) FROM documents WHERE live = $1", "SELECT * FROM documents WHERE size > 0"]
        {
            database.monitor.observe(statement, Duration::from_millis(1));
            database.planned(statement).await;
        }
        let report = database.report().await;
        assert!(report.advice.iter().all(|advice| !advice.columns.contains(&"live".to_owned())), "{:?}", report.advice);
        assert!(report.advice.iter().all(|advice| !advice.columns.contains(&"size".to_owned())), "{:?}", report.advice);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_counts_statements_where_it_can() {
    let database = Database::open(PostgresKind::Debian, Duration::from_secs(10)).await;
    database.run("CREATE TABLE counted (number int)").await;
    // The monitor creates it in the background.
    let there = "SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'";
    while sqlx::query_scalar::<_, i64>(there).fetch_one(&database.pool).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for _ in 0..7 {
        let query = sqlx::query("INSERT INTO counted SELECT generate_series(1, $1)").bind(3);
        query.execute(&database.pool).await.unwrap();
    }
    database.run("CREATE ROLE somebody PASSWORD 'hidden word'; ALTER ROLE somebody PASSWORD 'hidden word'").await;
    let report = database.report().await;
    database.run("DROP ROLE somebody").await;
    assert!(!format!("{report:?}").contains("hidden word"), "{:#?}", report.statements);
    assert!(report.statements.iter().any(|figures| figures.statement == "ALTER ROLE …"), "{:#?}", report.statements);
    assert_eq!(report.source, StatementSource::PgStatStatements);
    let inserted = report.statements.iter().find(|figures| figures.statement.starts_with("INSERT INTO counted"));
    let inserted = inserted.unwrap();
    assert_eq!((inserted.calls, inserted.server.unwrap().rows), (7, 21));
    assert!(report.version.starts_with("15."), "{}", report.version);
    assert!(report.extensions.iter().any(|(name, _)| name == "pg_stat_statements"));

    let database = Database::open(PostgresKind::Vector, Duration::from_secs(10)).await;
    database.monitor.observe("SELECT 1", Duration::from_millis(3));
    let report = database.report().await;
    assert_eq!(report.source, StatementSource::Host);
    assert_eq!((report.statements[0].calls, report.statements[0].total_ms), (1, 3.0));
    assert!(report.notes.iter().any(|note| note.contains("shared_preload_libraries")), "{:?}", report.notes);
    assert!(report.version.starts_with("18."), "{}", report.version);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_nobody_uses_is_named() {
    let database = Database::with_documents(PostgresKind::Debian).await;
    database.run("CREATE INDEX idle ON documents (size); CREATE UNIQUE INDEX rule ON documents (sequence)").await;
    for _ in 0..FEW_READS {
        database.run("SELECT 1 FROM documents LIMIT 1").await;
    }
    // The server writes its counts down when a session ends.
    database.pool.close().await;
    let mut unused = Vec::new();
    for _ in 0..600 {
        let mut inspection = Inspection::open(&database.monitor.connect).await.unwrap();
        unused = figures::unused_indexes(&mut inspection.connection).await.unwrap();
        if !unused.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(unused.len(), 1, "{unused:?}");
    assert_eq!((&unused[0].index[..], &unused[0].drop[..]), ("public.idle", "DROP INDEX CONCURRENTLY public.idle"));
    assert!(unused[0].bytes > 1 << 20);
}

const FEW_READS: usize = 110;

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_fills_up_warns_once() {
    let database = Database::open(PostgresKind::Debian, Duration::from_secs(10)).await;
    for (in_use, warnings) in [(8, 0), (9, 1), (10, 1), (8, 1), (9, 1), (6, 1), (9, 2)] {
        database.monitor.observe_pool(figures(in_use, 10));
        assert_eq!(database.monitor.pool_warnings.load(Ordering::Relaxed), warnings, "{in_use}");
    }
    let report = database.report().await;
    assert_eq!((report.pool_warnings, report.pool.unwrap().in_use), (2, 1));
}

/// Frozen, or gone: an error in time that says nothing of the address.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_an_error_in_time() {
    let mut postgres = Postgres::start();
    let url = postgres.database().replace("corsac@", "corsac:hidden@");
    let database = Database::at(&url, Duration::ZERO).await;
    database.monitor.observe("SELECT 1", Duration::from_millis(3));
    postgres.pause();
    let error = database.monitor.report(figures(1, 10)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    postgres.resume();
    postgres.kill();
    *database.monitor.reported.lock().await = None;
    let error = database.monitor.report(figures(1, 10)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(!error.to_string().contains("hidden") && !error.to_string().contains("127.0.0.1"), "{error}");
    postgres.restart();
    *database.monitor.reported.lock().await = None;
    assert_eq!(database.report().await.slow.len(), 1);
}
