//! API keys between the parts: which policy holds for the settings, what a server without any key is told,
//! the words of the HTTP layer, and the commands `corsac key`.

use std::path::Path;
use std::sync::Arc;

use time::OffsetDateTime;

use super::{AppError, backend, database};
use crate::access::{AccessError, Key, Keyring, MadeKey, NewKey, Policy};
use crate::config::{KeyCommand, Settings, StoreArguments, default_data_folder};
use crate::http::{BackendError, CreatedKey, KeyRequest, KeyStatus};
use crate::store::{KeyStore, Store};

/// The keys of a server's store. An error where keys are wanted and there is none: nobody could ask.
pub(super) async fn keyring(
    settings: &Settings,
    store: &Arc<dyn Store>,
    data: &Path,
) -> Result<Arc<Keyring>, AppError> {
    let security = &settings.security;
    let policy = Policy {
        required: security.keys.requires_keys(settings.server.listen),
        administrator: security.admin_key.as_ref().map(|key| key.expose().to_owned()),
        rate_per_minute: security.rate_per_minute,
    };
    let required = policy.required;
    let keyring = Keyring::new(store.clone() as Arc<dyn KeyStore>, policy);
    if required {
        keyring.refresh().await?;
    }
    if !keyring.is_usable() {
        return Err(AppError::NoKey { address: settings.server.listen, store: named(settings, data) });
    }
    Ok(Arc::new(keyring))
}

/// The store as the commands `corsac key` are told of it.
fn named(settings: &Settings, data: &Path) -> String {
    match settings.database.url {
        Some(_) => "with DATABASE_URL set".to_owned(),
        None => format!("--data {}", data.display()),
    }
}

pub(super) async fn list(keyring: &Keyring) -> Result<Vec<KeyStatus>, BackendError> {
    Ok(keyring.list().await.map_err(backend_error)?.into_iter().map(status).collect())
}

pub(super) async fn create(keyring: &Keyring, request: KeyRequest) -> Result<CreatedKey, BackendError> {
    let KeyRequest { name, scopes, expires_days, rate_per_minute } = request;
    let scopes = scopes.join(",").parse().map_err(backend_error)?;
    let made = keyring.create(NewKey { name, scopes, expires_days, rate_per_minute }).await.map_err(backend_error)?;
    tracing::info!(id = made.key.id, scopes = %made.key.scopes, "an API key was made");
    Ok(CreatedKey { key: made.text, status: status(made.key) })
}

pub(super) async fn revoke(keyring: &Keyring, id: &str) -> Result<(), BackendError> {
    if !keyring.revoke(id).await.map_err(backend_error)? {
        return Err(BackendError::NotFound { kind: "API key", name: id.chars().take(64).collect() });
    }
    tracing::info!(id, "an API key was revoked");
    Ok(())
}

fn status(key: Key) -> KeyStatus {
    KeyStatus {
        id: key.id,
        name: key.name,
        scopes: key.scopes.words().into_iter().map(str::to_owned).collect(),
        rate_per_minute: key.rate_per_minute,
        created_at: time_of(key.created_at),
        expires_at: key.expires_at.map(time_of),
    }
}

fn time_of(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds).map(backend::rfc3339).unwrap_or_default()
}

fn backend_error(error: AccessError) -> BackendError {
    let field = match &error {
        AccessError::Scope(_) | AccessError::NoScope => "scopes",
        AccessError::Name => "name",
        AccessError::Lifetime { .. } => "expires_days",
        AccessError::Rate { .. } => "rate_per_minute",
        AccessError::Store(error) => return database::failure(error),
        AccessError::Random(_) => return BackendError::Internal(error.to_string()),
    };
    BackendError::Invalid { field: field.to_owned(), message: format!("is not valid: {error}") }
}

/// What a command prints: on standard output, and beside it for people.
pub struct Printed {
    pub output: String,
    pub note: String,
}

/// Runs `corsac key`. Works beside a running server, which sees the change within seconds.
pub async fn run(command: KeyCommand) -> Result<Printed, AppError> {
    match command {
        KeyCommand::Create { name, scope, expires_days, rate, store } => {
            let scopes = scope.parse().map_err(AppError::Key)?;
            let store = open(&store).await?;
            let new = NewKey { name, scopes, expires_days, rate_per_minute: rate };
            let made = over(&store).create(new).await;
            store.close().await;
            let MadeKey { key, text } = made?;
            let note = format!("key {} for {}: keep it, it cannot be shown again\n", key.id, key.scopes);
            Ok(Printed { output: format!("{text}\n"), note })
        }
        KeyCommand::List { store } => {
            let store = open(&store).await?;
            let keys = over(&store).list().await;
            store.close().await;
            Ok(Printed { output: table(keys?), note: String::new() })
        }
        KeyCommand::Revoke { id, store } => {
            let store = open(&store).await?;
            let was_there = over(&store).revoke(&id).await;
            store.close().await;
            match was_there? {
                true => Ok(Printed { output: String::new(), note: format!("key {id} is revoked\n") }),
                false => Err(AppError::UnknownKey(id)),
            }
        }
    }
}

fn over(store: &Arc<dyn Store>) -> Keyring {
    Keyring::new(store.clone() as Arc<dyn KeyStore>, Policy::default())
}

/// The store that a server with these arguments would have, whether or not one is running.
async fn open(arguments: &StoreArguments) -> Result<Arc<dyn Store>, AppError> {
    let settings = Settings::load(&arguments.as_serve())?;
    let data = match &settings.server.data {
        Some(data) => data.clone(),
        None => default_data_folder(arguments.tree.as_deref())?,
    };
    super::store::open_beside(&settings, &data).await
}

fn table(keys: Vec<Key>) -> String {
    let mut text = format!("{:16}  {:20}  {:10}  {:20}  {:20}  name\n", "id", "scopes", "a minute", "made", "ends");
    for key in keys.into_iter().map(status) {
        let rate = key.rate_per_minute.map_or_else(
            || "default".to_owned(),
            |rate| match rate {
                0 => "no limit".to_owned(),
                rate => rate.to_string(),
            },
        );
        let (scopes, ends) = (key.scopes.join(","), key.expires_at.unwrap_or_else(|| "never".to_owned()));
        text += &format!("{:16}  {scopes:20}  {rate:10}  {:20}  {ends:20}  {}\n", key.id, key.created_at, key.name);
    }
    text
}
