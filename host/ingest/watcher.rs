//! Folders that are kept up to date while they change. The file system's events only say where to look:
//! each batch becomes an indexing of just those paths, so what counts as a document, and what is news,
//! is decided in one place.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify_debouncer_full::notify::event::{AccessKind, AccessMode};
use notify_debouncer_full::notify::{EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::folder::{self, Plan};
use super::walk::{is_below, relative};
use super::work::Work;
use super::{Ingest, IngestError, hosts};
use crate::store::Lease;

/// Quiet time before a change counts: an editor's save is several events.
const SETTLE: Duration = Duration::from_millis(300);

/// Until a change that could not be written is looked at again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// More changed paths than this are cheaper to find by walking everything.
const MAX_PATHS: usize = 256;

/// Folders that are being watched.
#[derive(Default)]
pub(super) struct Watched(Mutex<BTreeSet<PathBuf>>);

/// Where to look again.
#[derive(Default)]
struct Changes {
    /// Relative to the watched folder; the empty path is all of it.
    paths: Mutex<BTreeSet<String>>,
    wake: Notify,
}

impl Changes {
    fn look_again(&self, paths: impl IntoIterator<Item = String>) {
        self.paths.lock().extend(paths);
        self.wake.notify_one();
    }
}

/// Watches the plan's folder until shutdown; watching it twice is watching it once.
pub(super) async fn watch(ingest: &Ingest, plan: &Plan) -> Result<(), IngestError> {
    if !ingest.watched.0.lock().insert(plan.folder.clone()) {
        return Ok(());
    }
    let changes = Arc::new(Changes::default());
    match subscribe(plan, Arc::clone(&changes)).await {
        Ok(debouncer) => {
            let (watching, plan) = (ingest.clone(), plan.clone());
            ingest.tasks.spawn(async move { follow(&watching, &plan, &changes, debouncer).await });
            Ok(())
        }
        Err(reason) => {
            ingest.watched.0.lock().remove(&plan.folder);
            Err(IngestError::Watch { folder: plan.given.clone(), reason })
        }
    }
}

type Subscription = Debouncer<RecommendedWatcher, RecommendedCache>;

async fn subscribe(plan: &Plan, changes: Arc<Changes>) -> Result<Subscription, String> {
    let folder = plan.folder.clone();
    // Asks the kernel once a folder, which takes a while in a large tree.
    let subscribing = tokio::task::spawn_blocking(move || {
        let noted = folder.clone();
        let mut debouncer = new_debouncer(SETTLE, None, move |events| note(&noted, &changes, events))?;
        debouncer.watch(&folder, RecursiveMode::Recursive)?;
        Ok(debouncer)
    });
    match subscribing.await {
        Ok(Ok(debouncer)) => Ok(debouncer),
        Ok(Err(error)) => {
            let error: notify_debouncer_full::notify::Error = error;
            Err(error.to_string())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Called on the watcher's thread.
fn note(folder: &Path, changes: &Changes, events: DebounceEventResult) {
    let mut paths = changes.paths.lock();
    match events {
        Ok(events) => {
            for event in events {
                if event.need_rescan() {
                    paths.insert(String::new());
                }
                // Reading a file is an event too, and indexing reads them.
                let read_only =
                    matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
                if !read_only {
                    paths.extend(event.paths.iter().filter_map(|path| place(folder, path)));
                }
            }
        }
        Err(_) => {
            paths.insert(String::new());
        }
    }
    if paths.len() > MAX_PATHS {
        *paths = BTreeSet::from([String::new()]);
    }
    if !paths.is_empty() {
        changes.wake.notify_one();
    }
}

/// Where to look after a path has changed; nowhere for hidden ones.
fn place(folder: &Path, path: &Path) -> Option<String> {
    let path = relative(folder, path);
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
    // Decides over everything beside it.
    let place = if matches!(name, ".gitignore" | ".ignore") { parent } else { &path };
    let hidden = place.split('/').any(|part| part.starts_with('.'));
    (!hidden).then(|| place.to_owned())
}

/// Of all hosts that watch a folder, one writes its changes.
async fn follow(ingest: &Ingest, plan: &Plan, changes: &Changes, _subscription: Subscription) {
    let right = format!("watch:{}", plan.folder.display());
    let mut first = true;
    while let Some((lease, at_once)) = hosts::obtain(ingest, &right).await {
        // Whoever asked for the first watch has the folder walked; later, nobody knows what was missed.
        if !(first && at_once) {
            changes.look_again([String::new()]);
        }
        first = false;
        write_changes(ingest, plan, changes, &lease).await;
    }
}

/// Until the right is lost or the server stops.
async fn write_changes(ingest: &Ingest, plan: &Plan, changes: &Changes, lease: &Lease) {
    loop {
        tokio::select! {
            () = changes.wake.notified() => {}
            () = lease.lost().cancelled() => return,
            () = ingest.stop.cancelled() => return,
        }
        let paths = std::mem::take(&mut *changes.paths.lock());
        let Some(part) = part_of(plan, &paths) else { continue };
        match write(ingest, part).await {
            Ok(()) => tracing::debug!(folder = plan.given, paths = paths.len(), "followed a watched folder"),
            Err(IngestError::ShuttingDown) => return,
            Err(error) if error.may_pass() => {
                // Every second, maybe for long: who is away or busy has been said elsewhere.
                tracing::debug!(folder = plan.given, %error, "a watched folder's changes wait");
                hosts::pause(ingest, TRY_AGAIN).await;
                changes.look_again(paths);
            }
            Err(error) => tracing::warn!(folder = plan.given, %error, "cannot follow a watched folder"),
        }
    }
}

async fn write(ingest: &Ingest, part: Plan) -> Result<(), IngestError> {
    let entry = ingest.tasks.unlisted(Work::Folder(part.clone()));
    let _turn = ingest.tasks.turn().await;
    match folder::claim(ingest, &part).await? {
        Some(claim) => folder::index(ingest, &entry, claim).await,
        None => Err(IngestError::Elsewhere { folder: part.given }),
    }
}

/// The plan, bounded to the changed paths; none if none of them is in its scope.
fn part_of(plan: &Plan, paths: &BTreeSet<String>) -> Option<Plan> {
    let directories = &plan.scope.directories;
    let mut part = Plan { force: false, ..plan.clone() };
    if paths.contains("") {
        return Some(part);
    }
    part.scope.directories = if directories.is_empty() {
        paths.iter().cloned().collect()
    } else {
        let inside = paths.iter().filter(|path| directories.iter().any(|directory| is_below(path, directory)));
        let around = directories.iter().filter(|directory| paths.iter().any(|path| is_below(directory, path)));
        inside.chain(around).cloned().collect()
    };
    (!part.scope.directories.is_empty()).then_some(part)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::query::Scope;

    #[test]
    fn changed_paths_tell_where_to_look() {
        for (path, expected) in [
            ("/w/a.rs", Some("a.rs")),
            ("/w/sub/deep/a.rs", Some("sub/deep/a.rs")),
            ("/w", Some("")),
            ("/w/.gitignore", Some("")),
            ("/w/sub/.ignore", Some("sub")),
            ("/w/.git/index", None),
            ("/w/sub/.a.rs.swp", None),
            ("/w/.cache/.gitignore", None),
        ] {
            assert_eq!(place(Path::new("/w"), Path::new(path)).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn changes_are_bounded_by_the_scope() {
        let check = |directories: &[&str], paths: &[&str], expected: Option<&[&str]>| {
            let owned = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
            let scope = Scope { directories: owned(directories), ..Scope::default() };
            let plan = Plan { given: "w".into(), folder: "/w".into(), scope, force: true };
            let part = part_of(&plan, &owned(paths).into_iter().collect());
            assert!(!part.as_ref().is_some_and(|part| part.force));
            assert_eq!(part.map(|part| part.scope.directories), expected.map(owned), "{directories:?} {paths:?}");
        };
        check(&[], &["a", "b/c"], Some(&["a", "b/c"]));
        check(&[], &["", "a"], Some(&[]));
        check(&["src"], &["src/a", "srcs/b", "c"], Some(&["src/a"]));
        check(&["src/deep"], &["src"], Some(&["src/deep"]));
        check(&["src"], &["", "x"], Some(&["src"]));
        check(&["src"], &["docs/a"], None);
    }
}
