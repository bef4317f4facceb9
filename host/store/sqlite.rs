//! The embedded backend: one SQLite file in write-ahead mode, one connection that writes, a few that
//! read. Owns opening, migration, and what SQLite's errors mean; the statements are in its submodules.

/// Rows in and out.
mod copy;
/// Statements about documents, roots and the sequence.
mod documents;
/// Statements about figures of the past.
mod history;
/// Statements about API keys.
mod keys;
/// How long operations take.
mod monitor;
/// Statements about tasks.
mod tasks;
/// Statements about counts of use.
mod usage;
/// Statements about the world of agents.
mod world;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlitePool};

use super::{
    Counts, DEFAULT_MAX_CONTENT_BYTES, DocumentStore, Fingerprint, Lease, NewDocument, Renewed, Root, StoreError,
    StoredChange, Task, Upserted, version,
};
use crate::index::DocumentVersion;
use crate::store::monitor::StatementLog;

/// How long a statement waits for another process that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Readers at once; more would only queue for the same disk and page cache.
const READERS: u32 = 4;

/// Operations that take longer are slow, unless `with_slow_from` says otherwise.
const SLOW_FROM: Duration = Duration::from_secs(1);

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("host/store/sqlite/migrations");

/// Documents, roots and tasks in one SQLite file.
pub struct SqliteStore {
    /// One connection: writers queue here instead of failing with "database is locked".
    writer: SqlitePool,
    readers: SqlitePool,
    log: StatementLog,
    max_content_bytes: u64,
}

impl SqliteStore {
    /// Opens or creates the database and brings its tables up to date. Its folder must be there.
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // NORMAL may lose the last transactions on power failure; an acknowledged write must not be lost.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        let pool = || SqlitePoolOptions::new().acquire_timeout(Duration::from_secs(30)).test_before_acquire(false);
        let opening = |error| opening_failed(file, failure(error));
        let writer =
            pool().min_connections(1).max_connections(1).connect_with(options.clone()).await.map_err(opening)?;
        MIGRATIONS.run(&writer).await.map_err(|error| opening_failed(file, migration_failure(error)))?;
        let readers =
            pool().max_connections(READERS).connect_with(options.pragma("query_only", "ON")).await.map_err(opening)?;
        Ok(Self { writer, readers, log: StatementLog::new(SLOW_FROM), max_content_bytes: DEFAULT_MAX_CONTENT_BYTES })
    }

    /// Sets the largest text of one document.
    pub fn with_max_content_bytes(mut self, limit: u64) -> Self {
        self.max_content_bytes = limit;
        self
    }

    /// Sets from when on an operation is recorded as slow.
    pub fn with_slow_from(mut self, slow_from: Duration) -> Self {
        self.log = StatementLog::new(slow_from);
        self
    }
}

#[async_trait]
impl DocumentStore for SqliteStore {
    async fn register_root(&self, path: &str, name: &str) -> Result<Root, StoreError> {
        self.timed("register_root", documents::register_root(&self.writer, path, name)).await.map_err(failure)
    }

    async fn roots(&self) -> Result<Vec<Root>, StoreError> {
        self.timed("roots", documents::roots(&self.readers)).await.map_err(failure)
    }

    async fn mark_indexed(&self, root: u64, at: i64) -> Result<(), StoreError> {
        self.timed("mark_indexed", documents::mark_indexed(&self.writer, root, at)).await.map_err(failure)
    }

    async fn remove_root(&self, root: u64) -> Result<u64, StoreError> {
        self.timed("remove_root", documents::remove_root(&self.writer, root)).await.map_err(failure)
    }

    async fn upsert(&self, documents: Vec<NewDocument>) -> Result<Vec<Upserted>, StoreError> {
        version::check(&documents, self.max_content_bytes)?;
        let encoded = version::encode(documents).await?;
        self.timed("upsert", documents::upsert(&self.writer, encoded)).await.map_err(failure)
    }

    async fn remove(&self, root: u64, paths: &[String]) -> Result<u64, StoreError> {
        self.timed("remove", documents::remove(&self.writer, root, paths)).await.map_err(failure)
    }

    async fn renew(&self, root: u64, after: u64, until: u64, limit: u32) -> Result<Option<Renewed>, StoreError> {
        self.timed("renew", documents::renew(&self.writer, root, after, until, limit)).await.map_err(failure)
    }

    async fn changes(&self, after: u64, limit: u32) -> Result<Vec<StoredChange>, StoreError> {
        self.timed("changes", documents::changes(&self.readers, after, limit)).await.map_err(failure)
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        self.timed("last_sequence", documents::last_sequence(&self.readers)).await.map_err(failure)
    }

    async fn fingerprints(&self, root: u64) -> Result<HashMap<String, Fingerprint>, StoreError> {
        self.timed("fingerprints", documents::fingerprints(&self.readers, root)).await.map_err(failure)
    }

    async fn document(&self, root: u64, path: &str) -> Result<Option<DocumentVersion>, StoreError> {
        let found = self.timed("document", documents::document(&self.readers, root, path)).await;
        found.map_err(failure)?.map_or(Ok(None), StoredChange::live)
    }

    async fn mark_damaged(&self, document: u64) -> Result<(), StoreError> {
        self.timed("mark_damaged", documents::mark_damaged(&self.writer, document)).await.map_err(failure)
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.timed("counts", documents::counts(&self.readers)).await.map_err(failure)
    }

    async fn save_task(&self, task: &Task) -> Result<(), StoreError> {
        self.timed("save_task", tasks::save(&self.writer, task)).await.map_err(failure)
    }

    async fn task(&self, id: &str) -> Result<Option<Task>, StoreError> {
        self.timed("task", tasks::get(&self.readers, id)).await.map_err(failure)
    }

    async fn tasks(&self, limit: u32) -> Result<Vec<Task>, StoreError> {
        self.timed("tasks", tasks::list(&self.readers, limit)).await.map_err(failure)
    }

    async fn interrupt_tasks(&self, message: &str) -> Result<u64, StoreError> {
        self.timed("interrupt_tasks", tasks::interrupt(&self.writer, message)).await.map_err(failure)
    }

    async fn adopt_tasks(&self, _message: &str) -> Result<Vec<Task>, StoreError> {
        Ok(vec![])
    }

    async fn changed(&self, _after: u64) {
        // One process has the data folder locked, and it knows what it wrote.
        std::future::pending().await
    }

    async fn lease(&self, _name: &str) -> Result<Option<Lease>, StoreError> {
        Ok(Some(Lease::unchallenged()))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.readers).await.map(drop).map_err(failure)
    }

    async fn close(&self) {
        self.readers.close().await;
        // The last connection to close folds the write-ahead log into the file.
        self.writer.close().await;
    }
}

/// What an error of the database means for the caller. Codes: <https://www.sqlite.org/rescode.html>.
fn failure(error: sqlx::Error) -> StoreError {
    let text = error.to_string();
    match &error {
        sqlx::Error::Database(database) => {
            let code: i32 = database.code().and_then(|code| code.parse().ok()).unwrap_or(0);
            // The lower byte is the primary code, the rest refines it.
            match code & 0xff {
                5 | 6 => StoreError::Busy(text),
                // PERM, READONLY, IOERR, FULL, CANTOPEN
                3 | 8 | 10 | 13 | 14 => StoreError::Unavailable(text),
                // CORRUPT, NOTADB
                11 | 26 => StoreError::Corrupt(text),
                _ => StoreError::Statement(text),
            }
        }
        sqlx::Error::PoolTimedOut => StoreError::Busy(text),
        sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => StoreError::Unavailable(text),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StoreError::Corrupt(text),
        _ => StoreError::Statement(text),
    }
}

fn migration_failure(error: sqlx::migrate::MigrateError) -> StoreError {
    use sqlx::migrate::MigrateError;
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => failure(error),
        other => StoreError::Schema(other.to_string()),
    }
}

fn opening_failed(file: &Path, error: StoreError) -> StoreError {
    let name = |text: String| format!("{}: {text}", file.display());
    match error {
        StoreError::Unavailable(text) => StoreError::Unavailable(name(text)),
        StoreError::Busy(text) => StoreError::Busy(name(text)),
        StoreError::Corrupt(text) => StoreError::Corrupt(name(text)),
        StoreError::Schema(text) => StoreError::Schema(name(text)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::store::conformance;

    async fn open(folder: &tempfile::TempDir) -> SqliteStore {
        SqliteStore::open(&folder.path().join("store.sqlite")).await.unwrap()
    }

    #[tokio::test]
    async fn conforms() {
        for check in conformance::CHECKS {
            let folder = tempfile::tempdir().unwrap();
            check(std::sync::Arc::new(open(&folder).await)).await;
        }
    }

    #[tokio::test]
    async fn keys_conform() {
        let folder = tempfile::tempdir().unwrap();
        crate::store::key::conforms(std::sync::Arc::new(open(&folder).await)).await;
    }

    #[tokio::test]
    async fn everything_is_there_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let root = store.register_root("/src", "src").await.unwrap();
        store.upsert(vec![conformance::text(root.id, "a.rs", "fn a() {}")]).await.unwrap();
        store.close().await;

        let store = open(&folder).await;
        assert_eq!(store.last_sequence().await.unwrap(), 1);
        assert_eq!(store.roots().await.unwrap(), vec![root.clone()]);
        assert_eq!(store.document(root.id, "a.rs").await.unwrap().unwrap().content, "fn a() {}");
        let written = store.upsert(vec![conformance::text(root.id, "b.rs", "fn b() {}")]).await.unwrap();
        assert!(matches!(written[0], Upserted::Written { sequence: 2, .. }));
    }

    /// Not closed, like after kill -9: the write-ahead log alone carries the change.
    #[tokio::test]
    async fn acknowledged_writes_survive_a_lost_process() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        store.upsert(vec![conformance::text(0, "a.md", "acknowledged")]).await.unwrap();
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        let store = open(&copy).await;
        assert_eq!(store.document(0, "a.md").await.unwrap().unwrap().content, "acknowledged");
    }

    #[tokio::test]
    async fn a_damaged_row_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let documents = ["a", "b", "c"].map(|path| conformance::text(0, path, &format!("text of {path}")));
        store.upsert(documents.to_vec()).await.unwrap();
        sqlx::query("UPDATE contents SET body = x'07ff' WHERE document = (SELECT id FROM documents WHERE path = 'b')")
            .execute(&store.writer)
            .await
            .unwrap();
        sqlx::query("DELETE FROM contents WHERE document = (SELECT id FROM documents WHERE path = 'c')")
            .execute(&store.writer)
            .await
            .unwrap();

        for path in ["b", "c"] {
            let error = store.document(0, path).await.unwrap_err();
            assert!(matches!(&error, StoreError::DamagedDocument { path: named, .. } if named == path), "{error}");
        }
        let changes = store.changes(0, 10).await.unwrap();
        assert!(matches!(&changes[0], StoredChange::Upsert(version) if version.content == "text of a"));
        let StoredChange::Damaged { document, sequence: 2, path, .. } = &changes[1] else { panic!("{:?}", changes[1]) };
        assert_eq!(path, "b");
        assert!(matches!(changes[2], StoredChange::Damaged { sequence: 3, .. }));

        // The same text is written anew once the damage is known.
        store.mark_damaged(*document).await.unwrap();
        let written = store.upsert(vec![documents[1].clone()]).await.unwrap();
        assert!(matches!(written[0], Upserted::Written { sequence: 4, .. }));
        assert_eq!(store.document(0, "b").await.unwrap().unwrap().content, "text of b");
    }

    #[tokio::test]
    async fn a_foreign_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("store.sqlite");
        std::fs::write(&file, "this is not a database, but long enough to look like one ".repeat(99)).unwrap();
        let error = SqliteStore::open(&file).await.err().unwrap();
        assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
        assert!(error.to_string().contains("store.sqlite"));

        let error = SqliteStore::open(&folder.path().join("missing/store.sqlite")).await.err().unwrap();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }

    #[tokio::test]
    async fn a_database_of_a_newer_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'future', TRUE, x'00', 0)",
        )
        .execute(&store.writer)
        .await
        .unwrap();
        store.close().await;
        let error = SqliteStore::open(&folder.path().join("store.sqlite")).await.err().unwrap();
        assert!(matches!(error, StoreError::Schema(_)), "{error}");
    }
}
