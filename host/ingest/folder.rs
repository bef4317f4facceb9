//! One folder's indexing: walk, store what is news, remove what is gone, wait until it is searchable.
//! Cancelled or failed anywhere, it leaves whole transactions behind, and the next run completes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::boundary;
use super::tasks::Entry;
use super::walk::{Found, Walk};
use super::{Ingest, IngestConfig, IngestError};
use crate::query::Scope;
use crate::store::{Lease, NewDocument, Phase, Root, Upserted};

/// Documents a transaction, and bytes of text: large enough that syncing the disk is not what takes the
/// time, small enough to hold in memory and to let other writers in between.
const BATCH_DOCUMENTS: usize = 256;
const BATCH_BYTES: usize = 8 << 20;

/// A batch that does not fill is written after so long without a new document.
const BATCH_PATIENCE: Duration = Duration::from_millis(200);

/// Documents read ahead of the store; with the largest documents, 32 MiB.
const READ_AHEAD: usize = 32;

/// Tombstones a transaction.
const REMOVALS: usize = 1000;

/// What a client wants indexed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexRequest {
    /// The folder: absolute, or relative to one that the server may index.
    pub path: String,
    /// Extensions with or without a dot; empty: all.
    #[serde(default)]
    pub file_types: Vec<String>,
    /// Folders relative to `path`; empty: all.
    #[serde(default)]
    pub directories: Vec<String>,
    /// Read and index everything anew, even what has not changed.
    #[serde(default)]
    pub force: bool,
    /// Keep the folder up to date from now on until the server stops.
    #[serde(default)]
    pub watch: bool,
}

/// A checked request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    /// As the client gave it.
    pub given: String,
    /// Canonical.
    pub folder: PathBuf,
    pub scope: Scope,
    pub force: bool,
}

pub(super) fn plan(request: IndexRequest, config: &IngestConfig) -> Result<Plan, IngestError> {
    let folder = boundary::resolve(&request.path, &config.allowed_roots)?;
    if folder.to_str().is_none() || canonical(&config.excluded).iter().any(|excluded| folder.starts_with(excluded)) {
        return Err(IngestError::NotAllowed { path: request.path });
    }
    let mut scope = Scope::default();
    for given in &request.file_types {
        let extension = given.trim_start_matches('*').trim_start_matches('.').to_lowercase();
        if extension.is_empty() || extension.len() > 32 || extension.contains(|c: char| c == '/' || c.is_control()) {
            return Err(bad_request("file_types", format!("must be extensions such as `rs`, not `{given}`")));
        }
        scope.file_types.push(extension);
    }
    for given in &request.directories {
        let parts: Vec<_> = given.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        if given.starts_with('/') || parts.contains(&"..") || given.contains(char::is_control) {
            return Err(bad_request("directories", format!("must be relative and without `..`, not `{given}`")));
        }
        scope.directories.push(parts.join("/"));
    }
    if scope.directories.iter().any(String::is_empty) {
        scope.directories.clear();
    }
    Ok(Plan { given: request.path, folder, scope, force: request.force })
}

fn bad_request(field: &'static str, reason: String) -> IngestError {
    IngestError::BadRequest { field, reason }
}

fn canonical(folders: &[PathBuf]) -> Vec<PathBuf> {
    folders.iter().map(|folder| folder.canonicalize().unwrap_or_else(|_| folder.clone())).collect()
}

/// The right to index a folder, and what there is to walk.
pub(super) struct Claim {
    root: Root,
    walk: Walk,
    lease: Lease,
}

/// None while another host indexes the folder's root, or decides which root a folder belongs to.
pub(super) async fn claim(ingest: &Ingest, plan: &Plan) -> Result<Option<Claim>, IngestError> {
    // An unreadable folder must not look like one whose files are all gone.
    if let Err(error) = std::fs::read_dir(&plan.folder) {
        return Err(IngestError::UnreadableFolder { folder: plan.given.clone(), reason: error.to_string() });
    }
    let Some((root, walk)) = root_and_walk(ingest, plan).await? else { return Ok(None) };
    let lease = ingest.store.lease(&format!("root:{}", root.path)).await?;
    Ok(lease.map(|lease| Claim { root, walk, lease }))
}

pub(super) async fn index(ingest: &Ingest, entry: &Arc<Entry>, claim: Claim) -> Result<(), IngestError> {
    let store = &ingest.store;
    let Claim { root, mut walk, lease } = claim;
    // Under the lease, so that what another host has just stored is known.
    walk.known = store.fingerprints(root.id).await?.into_iter().map(|(path, print)| (path, print.into())).collect();
    let complete = walk.covers_root();

    entry.enter(Phase::Walking);
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let walking = {
        let (stop, lost, entry) = (ingest.stop.clone(), lease.lost().clone(), Arc::clone(entry));
        let go_on = move || !stop.is_cancelled() && !lost.is_cancelled();
        tokio::task::spawn_blocking(move || walk.run(|found| go_on() && note(&entry, &sender, found)))
    };
    // On an error the receiver is gone, which ends the walk.
    let stored = store_all(ingest, entry, &lease, receiver).await;
    let walked = walking.await.map_err(|error| {
        let (folder, reason) = (entry.work.subject().to_owned(), error.to_string());
        IngestError::UnreadableFolder { folder, reason }
    });
    stored?;
    let Some(gone) = walked? else {
        held(&lease)?;
        return Err(IngestError::ShuttingDown);
    };
    for paths in gone.chunks(REMOVALS) {
        held(&lease)?;
        let removed = store.remove(root.id, paths).await?;
        entry.update(|progress| progress.removed += removed);
        ingest.follower.wake();
    }

    searchable(ingest, entry).await?;
    if complete {
        store.mark_indexed(root.id, unix_now()).await?;
    }
    Ok(())
}

/// Waits until searches see what a task has stored.
pub(super) async fn searchable(ingest: &Ingest, entry: &Entry) -> Result<(), IngestError> {
    let last = ingest.store.last_sequence().await?;
    entry.aim_at(last);
    entry.enter(Phase::Indexing);
    tokio::select! {
        committed = ingest.follower.committed(last) => committed,
        () = ingest.stop.cancelled() => Err(IngestError::ShuttingDown),
    }
}

/// What another host may write by now, this one must not.
pub(super) fn held(lease: &Lease) -> Result<(), IngestError> {
    if lease.lost().is_cancelled() { Err(IngestError::LeaseLost) } else { Ok(()) }
}

async fn root_and_walk(ingest: &Ingest, plan: &Plan) -> Result<Option<(Root, Walk)>, IngestError> {
    if let Some(found) = known_root(ingest, plan).await? {
        return Ok(Some(found));
    }
    // One host after the other: a folder and one inside of it must not both become roots.
    let Some(_deciding) = ingest.store.lease("roots").await? else { return Ok(None) };
    if let Some(found) = known_root(ingest, plan).await? {
        return Ok(Some(found));
    }
    let path = plan.folder.to_string_lossy();
    let root = ingest.store.register_root(&path, &name_of(&plan.folder)).await?;
    let walk = Walk { root: root.id, ..walk_of(&ingest.config, plan) };
    Ok(Some((root, walk)))
}

fn walk_of(config: &IngestConfig, plan: &Plan) -> Walk {
    Walk {
        folder: plan.folder.clone(),
        root: 0,
        scope: plan.scope.clone(),
        excluded: canonical(&config.excluded),
        max_content_bytes: config.max_content_bytes,
        threads: config.threads,
        force: plan.force,
        timestamp_granularity: config.timestamp_granularity,
        known: Default::default(),
    }
}

/// A folder inside of an indexed one is a part of it, not a second copy; unless the outer one leaves it
/// out.
async fn known_root(ingest: &Ingest, plan: &Plan) -> Result<Option<(Root, Walk)>, IngestError> {
    let mut walk = walk_of(&ingest.config, plan);
    for root in ingest.store.roots().await? {
        let Ok(inner) = plan.folder.strip_prefix(&root.path) else { continue };
        if inner.as_os_str().is_empty() {
            walk.root = root.id;
            return Ok(Some((root, walk)));
        }
        let outer = PathBuf::from(&root.path);
        if walk.reaches(&outer, &plan.folder) {
            let inner = inner.to_string_lossy();
            walk.scope.directories = match plan.scope.directories.as_slice() {
                [] => vec![inner.into_owned()],
                directories => directories.iter().map(|directory| format!("{inner}/{directory}")).collect(),
            };
            walk.folder = outer;
            walk.root = root.id;
            return Ok(Some((root, walk)));
        }
    }
    Ok(None)
}

fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned()
}

/// Counts what the walk found and hands on what is to be stored; says whether to go on. Called on the
/// walk's threads.
fn note(entry: &Entry, sender: &mpsc::Sender<NewDocument>, found: Found) -> bool {
    if let Found::Failed(reason) = &found {
        tracing::warn!(folder = entry.work.subject(), reason, "cannot read a part of the folder; what it held is kept");
    }
    entry.update(|progress| {
        progress.files_seen += u64::from(!matches!(found, Found::Failed(_)));
        match &found {
            Found::Unchanged => progress.unchanged += 1,
            Found::Read(document) => progress.bytes += document.content.len() as u64,
            Found::Skipped(path, reason) => progress.skipped.entry(*reason).or_default().add(path),
            Found::Failed(_) => progress.errors += 1,
        }
    });
    match found {
        Found::Read(document) => sender.blocking_send(*document).is_ok(),
        _ => true,
    }
}

/// Stores what comes, batch by batch, no faster than the index can follow.
async fn store_all(
    ingest: &Ingest,
    entry: &Entry,
    lease: &Lease,
    mut receiver: mpsc::Receiver<NewDocument>,
) -> Result<(), IngestError> {
    let mut open = true;
    while open {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < BATCH_DOCUMENTS && bytes < BATCH_BYTES {
            let received = if batch.is_empty() {
                Ok(receiver.recv().await)
            } else {
                tokio::time::timeout(BATCH_PATIENCE, receiver.recv()).await
            };
            match received {
                Ok(Some(document)) => {
                    bytes += document.content.len();
                    batch.push(document);
                }
                Ok(None) => {
                    open = false;
                    break;
                }
                Err(_) => break,
            }
        }
        if batch.is_empty() {
            continue;
        }
        held(lease)?;
        let outcomes = ingest.store.upsert(batch).await?;
        let mut last = 0;
        entry.update(|progress| {
            for outcome in outcomes {
                match outcome {
                    Upserted::Written { sequence, .. } => {
                        progress.indexed += 1;
                        last = last.max(sequence);
                    }
                    Upserted::Unchanged => progress.unchanged += 1,
                }
            }
        });
        entry.aim_at(last);
        tokio::select! {
            caught_up = ingest.follower.backlog_is_short(last) => caught_up?,
            () = ingest.stop.cancelled() => return Err(IngestError::ShuttingDown),
        }
    }
    Ok(())
}

fn unix_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs().cast_signed())
}
