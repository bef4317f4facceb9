//! Which store a server has, by its settings: SQLite in the data folder, or the database that it shares with other
//! hosts. Of a shared one the data folder knows who this host is, and whose changes its index has followed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::AppError;
use crate::config::{DatabaseSettings, Settings, StoreLocation};
use crate::store::copy::{self, Inventory, Portable, Target};
use crate::store::{DEFAULT_MAX_CONTENT_BYTES, PostgresOptions, PostgresStore, SqliteStore, Store};

/// Name of this host among those of one database.
const HOST: &str = "host";

const SQLITE: &str = "store.sqlite";

/// Identity of the database that the index follows; not there for the embedded one.
const DATABASE: &str = "database";

/// The store, and the same once more where it is a database that can answer look-ups.
pub(super) type Opened = (Arc<dyn Store>, Option<Arc<PostgresStore>>);

pub(super) async fn open(settings: &Settings, data: &Path) -> Result<Opened, AppError> {
    open_as(settings, data, || host_in(data)).await
}

/// For a command that works beside running servers and must not be taken for one of them.
pub(super) async fn open_beside(settings: &Settings, data: &Path) -> Result<Arc<dyn Store>, AppError> {
    if settings.database.url.is_none() {
        fs::create_dir_all(data).map_err(|error| unusable(data, &error))?;
    }
    let (store, _) = open_as(settings, data, || Ok(format!("command-{}", uuid::Uuid::new_v4()))).await?;
    Ok(store)
}

async fn open_as(
    settings: &Settings,
    data: &Path,
    host: impl FnOnce() -> std::io::Result<String>,
) -> Result<Opened, AppError> {
    let limit = settings.index.max_file_bytes.max(DEFAULT_MAX_CONTENT_BYTES);
    let database = &settings.database;
    let Some(url) = &database.url else {
        let store = SqliteStore::open(&data.join(SQLITE)).await?;
        refuse_half_copied(&store).await?;
        let store = store.with_slow_from(Duration::from_millis(database.slow_query_ms));
        return Ok((Arc::new(store.with_max_content_bytes(limit)), None));
    };
    let host = host().map_err(|error| unusable(data, &error))?;
    let store = PostgresStore::open(url.expose(), options(database, host)).await?;
    refuse_half_copied(&store).await?;
    let store = Arc::new(store.with_max_content_bytes(limit));
    Ok((store.clone(), Some(store)))
}

fn options(database: &DatabaseSettings, host: String) -> PostgresOptions {
    PostgresOptions {
        pool_size: database.pool_size,
        max_overflow: database.max_overflow,
        pool_timeout: Duration::from_secs(database.pool_timeout_seconds),
        recycle: Duration::from_secs(database.recycle_seconds),
        poll_interval: Duration::from_millis(database.poll_interval_ms),
        slow_query: Duration::from_millis(database.slow_query_ms),
        host,
    }
}

/// Its sequence is not that of its documents yet.
async fn refuse_half_copied(store: &dyn Portable) -> Result<(), AppError> {
    match store.target().await? {
        Target::Begun => Err(AppError::HalfCopied),
        Target::Empty | Target::Full => Ok(()),
    }
}

/// One side of a copy.
struct Side {
    store: Arc<dyn Portable>,
    /// The data folder with its lock, when it is one.
    folder: Option<(PathBuf, fs::File)>,
}

impl Side {
    async fn open(location: &StoreLocation, create: bool) -> Result<Self, AppError> {
        let existing = |file: &Path| match create || file.is_file() {
            true => Ok(()),
            false => Err(AppError::NoStore(file.to_owned())),
        };
        Ok(match location {
            StoreLocation::Database(url) => {
                // Tasks that did not end have no host any more: whoever serves the copy takes them over.
                let options = options(&DatabaseSettings::default(), format!("copy-{}", uuid::Uuid::new_v4()));
                Self { store: Arc::new(PostgresStore::open(url.expose(), options).await?), folder: None }
            }
            StoreLocation::File(file) => {
                existing(file)?;
                Self { store: Arc::new(SqliteStore::open(file).await?), folder: None }
            }
            StoreLocation::Folder(folder) => {
                let file = folder.join(SQLITE);
                existing(&file)?;
                let lock = super::lock(folder)?;
                Self { store: Arc::new(SqliteStore::open(&file).await?), folder: Some((folder.clone(), lock)) }
            }
        })
    }
}

/// Copies a whole store into another one; `progress` is told how many documents are over, and of how many. Returns
/// what both have now, and whether the target had it before. An index in a data folder on either side stays of use.
pub async fn copy_store(
    from: &StoreLocation,
    to: &StoreLocation,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<(Inventory, bool), AppError> {
    let (from, to) = (Side::open(from, false).await?, Side::open(to, true).await?);
    let counts = from.store.counts().await?;
    let total = counts.documents + counts.tombstones;
    let copied = copy::copy(&*from.store, &*to.store, &|done| progress(done, total)).await;
    if copied.is_ok() {
        keep_index(&from, &to).await?;
    }
    from.store.close().await;
    to.store.close().await;
    Ok(copied?)
}

/// Throws the index away when it has followed another database than this one: its sequences say nothing here.
pub(super) async fn match_index(store: &dyn Store, data: &Path) -> Result<(), AppError> {
    let identity = store.identity().await?;
    forget_other_index(data, identity.as_deref()).map_err(|error| unusable(data, &error))
}

fn forget_other_index(data: &Path, identity: Option<&str>) -> std::io::Result<()> {
    let (file, index) = (data.join(DATABASE), data.join("index"));
    let followed = read(&file)?;
    if followed.as_deref() == identity {
        return Ok(());
    }
    if index.exists() {
        tracing::warn!("the index belongs to another database and is built again");
        fs::remove_dir_all(&index)?;
    }
    match identity {
        Some(identity) => fs::write(&file, identity),
        None => fs::remove_file(&file),
    }
}

/// The index of a data folder has followed one side of a copy: from now on it may follow the other one.
async fn keep_index(from: &Side, to: &Side) -> Result<(), AppError> {
    if let (Some((folder, _)), Some(identity)) = (&from.folder, to.store.identity().await?) {
        let file = folder.join(DATABASE);
        let written = read(&file).and_then(|followed| match followed {
            None => fs::write(&file, identity),
            Some(_) => Ok(()),
        });
        written.map_err(|error| unusable(folder, &error))?;
    }
    if let (Some(identity), Some((folder, _))) = (from.store.identity().await?, &to.folder) {
        let file = folder.join(DATABASE);
        let removed = read(&file).and_then(|followed| match followed == Some(identity) {
            true => fs::remove_file(&file),
            false => Ok(()),
        });
        removed.map_err(|error| unusable(folder, &error))?;
    }
    Ok(())
}

/// The name of this host, whatever its store.
pub(super) fn host(data: &Path) -> Result<String, AppError> {
    host_in(data).map_err(|error| unusable(data, &error))
}

/// A new name at the first start.
fn host_in(data: &Path) -> std::io::Result<String> {
    let file = data.join(HOST);
    if let Some(host) = read(&file)? {
        return Ok(host);
    }
    let host = uuid::Uuid::new_v4().to_string();
    fs::write(&file, &host)?;
    Ok(host)
}

/// None when there is no such file, or an empty one.
fn read(file: &Path) -> std::io::Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn unusable(data: &Path, error: &std::io::Error) -> AppError {
    AppError::DataFolder { folder: data.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_host_keeps_its_name() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let name = host(one.path()).unwrap();
        assert_eq!(host(one.path()).unwrap(), name);
        assert_ne!(host(two.path()).unwrap(), name);
    }

    #[test]
    fn an_index_stays_with_its_database() {
        let data = tempfile::tempdir().unwrap();
        let index = data.path().join("index");
        let mark = || {
            fs::create_dir_all(&index).unwrap();
            fs::write(index.join("mark"), "").unwrap();
        };
        let kept = |identity: Option<&str>| {
            forget_other_index(data.path(), identity).unwrap();
            index.join("mark").exists()
        };
        mark();
        assert!(kept(None));
        assert!(!kept(Some("a")));
        mark();
        assert!(kept(Some("a")));
        assert!(!kept(Some("b")));
        mark();
        assert!(!kept(None));
        mark();
        assert!(kept(None));
    }
}
