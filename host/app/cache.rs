//! The cache as the settings want it: in process, with Redis behind it if there is one, and warmed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::AppError;
use crate::cache::{Cache, CacheOptions, SharedOptions, SharedTier};
use crate::config::Settings;

/// How often a host asks what others have cleared, should a message get lost.
const POLL: Duration = Duration::from_secs(1);
/// File of the data folder's own name.
const NAME: &str = "name";

/// Opens the cache. `database` is the identity of the one that hosts share. A Redis that is away does not hold up the
/// start for more than a second, or than one call may take.
pub(super) async fn open(settings: &Settings, database: Option<&str>, data: &Path) -> Result<Cache, AppError> {
    let shared = match &settings.redis.url {
        None => None,
        Some(url) => {
            let redis = &settings.redis;
            let options = SharedOptions {
                max_connections: redis.max_connections as usize,
                timeout: Duration::from_millis(redis.timeout_ms),
                prefix: prefix(settings, database, data)?,
                compression_threshold: usize::try_from(redis.compression_threshold_bytes).unwrap_or(usize::MAX),
                poll: POLL,
            };
            let shared = Arc::new(SharedTier::new(url.expose(), options)?);
            shared.open().await;
            Some(shared)
        }
    };
    Ok(Cache::with(CacheOptions {
        capacity_bytes: settings.cache.bytes,
        lifetimes: settings.cache.lifetimes(),
        grace: Duration::from_secs(settings.cache.stale_seconds),
        shared,
    }))
}

/// How many questions are answered ahead, and over how long they are counted. None where nothing is kept.
pub(super) fn warming(settings: &Settings) -> (usize, Duration) {
    let keeps = settings.cache.bytes > 0 || settings.redis.url.is_some();
    let wanted = if keeps { settings.cache.warm_queries as usize } else { 0 };
    (wanted, Duration::from_secs(settings.cache.warm_period_seconds))
}

/// Hosts that answer from the same documents in the same way share answers, others must not: an answer's key has the
/// number of the last change in it, and every database counts from one. A database that hosts share has an identity;
/// else the data folder has a name of its own.
fn prefix(settings: &Settings, database: Option<&str>, data: &Path) -> Result<String, AppError> {
    let documents = match database {
        Some(identity) => {
            let mode = format!("{identity} {:?}", settings.index.retrieval);
            blake3::hash(mode.as_bytes()).to_hex()[..12].to_owned()
        }
        None => own_name(data)?,
    };
    Ok(format!("{}:{documents}", settings.redis.prefix))
}

/// For documents that went back to an earlier state: numbers of changes will come a second time, and must
/// not find the answers of the first.
pub(super) fn rename(data: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(data.join(NAME)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Made once for a data folder.
fn own_name(data: &Path) -> Result<String, AppError> {
    let file = data.join(NAME);
    let failed = |error: std::io::Error| AppError::DataFolder { folder: data.to_owned(), reason: error.to_string() };
    match std::fs::read_to_string(&file) {
        Ok(name) if !name.is_empty() => return Ok(name),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let name = uuid::Uuid::new_v4().simple().to_string();
    std::fs::write(&file, &name).map_err(failed)?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::config::RetrievalMode;

    #[test]
    fn who_answers_from_the_same_documents_shares_and_nobody_else() {
        let [one, two] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let mut settings = Settings::default();
        let of = |settings: &Settings, database: Option<&str>, data: &Path| prefix(settings, database, data).unwrap();
        assert_eq!(of(&settings, None, one.path()), of(&settings, None, one.path()));
        assert_ne!(of(&settings, None, one.path()), of(&settings, None, two.path()));
        let before = of(&settings, None, two.path());
        rename(two.path()).unwrap();
        assert_ne!(of(&settings, None, two.path()), before);
        let shared = of(&settings, Some("a"), one.path());
        assert_eq!(shared, of(&settings, Some("a"), two.path()));
        assert_ne!(shared, of(&settings, Some("b"), one.path()));
        settings.index.retrieval = RetrievalMode::Postgres;
        assert_ne!(shared, of(&settings, Some("a"), one.path()));
    }
}
