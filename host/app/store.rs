//! Which store a server has, by its settings: SQLite in the data folder, or the database that it shares with other
//! hosts. Of a shared one the data folder knows who this host is, and whose changes its index has followed.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::AppError;
use crate::config::Settings;
use crate::store::{DEFAULT_MAX_CONTENT_BYTES, PostgresOptions, PostgresStore, SqliteStore, Store};

/// Name of this host among those of one database.
const HOST: &str = "host";

/// Identity of the database that the index follows; not there for the embedded one.
const DATABASE: &str = "database";

pub(super) async fn open(settings: &Settings, data: &Path) -> Result<Arc<dyn Store>, AppError> {
    let limit = settings.index.max_file_bytes.max(DEFAULT_MAX_CONTENT_BYTES);
    let database = &settings.database;
    let Some(url) = &database.url else {
        let store = SqliteStore::open(&data.join("store.sqlite")).await?;
        let store = store.with_slow_from(Duration::from_millis(database.slow_query_ms));
        return Ok(Arc::new(store.with_max_content_bytes(limit)));
    };
    let options = PostgresOptions {
        pool_size: database.pool_size,
        max_overflow: database.max_overflow,
        pool_timeout: Duration::from_secs(database.pool_timeout_seconds),
        recycle: Duration::from_secs(database.recycle_seconds),
        poll_interval: Duration::from_millis(database.poll_interval_ms),
        slow_query: Duration::from_millis(database.slow_query_ms),
        host: host(data)?,
    };
    Ok(Arc::new(PostgresStore::open(url.expose(), options).await?.with_max_content_bytes(limit)))
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
