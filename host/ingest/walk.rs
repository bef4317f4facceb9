//! Which files a folder has, and which of them are news. Walks and reads on all cores; knows nothing of
//! the store beyond the fingerprints that it is given.

use std::collections::HashMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ignore::{DirEntry, WalkBuilder, WalkState};
use parking_lot::Mutex;

use super::read::read_text;
use crate::query::Scope;
use crate::store::{Fingerprint, NewDocument, SkipReason};

/// A stamp that no file is trusted by.
const UNTRUSTED: i64 = 0;

/// What to walk, and what is known already.
pub(super) struct Walk {
    /// Canonical.
    pub folder: PathBuf,
    pub root: u64,
    pub scope: Scope,
    pub excluded: Vec<PathBuf>,
    pub max_content_bytes: u64,
    pub threads: usize,
    /// Read everything and write it anew.
    pub force: bool,
    pub timestamp_granularity: Duration,
    pub known: HashMap<String, Known>,
}

/// A document of the root that the store has.
pub(super) struct Known {
    fingerprint: Fingerprint,
    still_there: AtomicBool,
}

impl From<Fingerprint> for Known {
    fn from(fingerprint: Fingerprint) -> Self {
        Self { fingerprint, still_there: AtomicBool::new(false) }
    }
}

/// What the walk says of one file.
pub(super) enum Found {
    Unchanged,
    /// New, changed, or touched without a change; the store tells.
    Read(Box<NewDocument>),
    Skipped(String, SkipReason),
    /// A folder or file of which not even the name or kind could be read.
    Failed(String),
}

impl Walk {
    /// Calls `emit` from many threads; it says whether to go on. Returns the paths of documents that
    /// are gone, or none if the walk was stopped.
    pub(super) fn run(&self, emit: impl Fn(Found) -> bool + Sync) -> Option<Vec<String>> {
        let unreadable = Mutex::new(Vec::new());
        let stopped = AtomicBool::new(false);
        self.builder(&self.folder, &self.scope).build_parallel().run(|| {
            Box::new(|entry| {
                let found = match entry {
                    Ok(entry) => self.inspect(&entry),
                    Err(error) => {
                        unreadable.lock().push(self.relative(path_of(&error).unwrap_or(&self.folder)));
                        Some(Found::Failed(error.to_string()))
                    }
                };
                if found.is_none_or(&emit) {
                    WalkState::Continue
                } else {
                    stopped.store(true, Ordering::Relaxed);
                    WalkState::Quit
                }
            })
        });
        if stopped.into_inner() { None } else { Some(self.gone(&unreadable.into_inner())) }
    }

    /// Whether everything of the root that may be indexed is in this walk.
    pub(super) fn covers_root(&self) -> bool {
        self.scope == Scope::default()
    }

    /// Whether a walk of `outer` comes to the folder `inner` below it, or ignores it.
    pub(super) fn reaches(&self, outer: &Path, inner: &Path) -> bool {
        let scope = Scope { directories: vec![relative(outer, inner)], ..Scope::default() };
        let depth = inner.components().count() - outer.components().count();
        self.builder(outer, &scope).max_depth(Some(depth)).build().flatten().any(|entry| entry.path() == inner)
    }

    fn builder(&self, folder: &Path, scope: &Scope) -> WalkBuilder {
        let (folder, excluded, scope) = (folder.to_owned(), self.excluded.clone(), scope.clone());
        let mut builder = WalkBuilder::new(&folder);
        builder
            .threads(self.threads)
            .follow_links(false)
            .require_git(false)
            // One person's settings must not decide what a server finds.
            .git_global(false)
            .filter_entry(move |entry| {
                if excluded.iter().any(|excluded| entry.path().starts_with(excluded)) || entry.file_name() == ".git" {
                    return false;
                }
                let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
                !is_folder || leads_into(&relative(&folder, entry.path()), &scope.directories)
            });
        builder
    }

    fn inspect(&self, entry: &DirEntry) -> Option<Found> {
        let kind = entry.file_type()?;
        if kind.is_dir() {
            return None;
        }
        let path = self.relative(entry.path());
        if !in_scope(&path, &self.scope) {
            return None;
        }
        if entry.path().to_str().is_none() || path.contains(char::is_control) {
            return Some(Found::Skipped(path, SkipReason::UnusablePath));
        }
        if kind.is_symlink() {
            return Some(Found::Skipped(path, SkipReason::SymbolicLink));
        }
        if !kind.is_file() {
            return Some(Found::Skipped(path, SkipReason::SpecialFile));
        }
        let known = self.known.get(&path);
        let found = match entry.metadata() {
            Ok(metadata) => self.compare(entry.path(), path, &metadata, known),
            Err(_) => Found::Skipped(path, SkipReason::Unreadable),
        };
        // What cannot be read today is not gone.
        let still_there =
            matches!(found, Found::Unchanged | Found::Read(_) | Found::Skipped(_, SkipReason::Unreadable));
        if let Some(known) = known.filter(|_| still_there) {
            known.still_there.store(true, Ordering::Relaxed);
        }
        Some(found)
    }

    fn compare(&self, file: &Path, path: String, metadata: &Metadata, known: Option<&Known>) -> Found {
        let (modified, stamp) = self.times(metadata);
        let trusted = |known: &Known| {
            // The text may be shorter than the file by a byte order mark, or longer where bytes were
            // not UTF-8; both are rare, and then only cost reading the file again.
            known.fingerprint.stamp == Some(stamp) && known.fingerprint.size == metadata.len()
        };
        if stamp != UNTRUSTED && !self.force && known.is_some_and(trusted) {
            return Found::Unchanged;
        }
        if metadata.len() > self.max_content_bytes {
            return Found::Skipped(path, SkipReason::TooLarge);
        }
        let content = match read_text(file, self.max_content_bytes) {
            Ok(content) => content,
            Err(reason) => return Found::Skipped(path, reason),
        };
        Found::Read(Box::new(NewDocument {
            root: self.root,
            path,
            // A file says neither; whoever derives from it finds out.
            language: None,
            title: None,
            modified: Some(modified),
            stamp: Some(stamp),
            content,
            rewrite: self.force,
        }))
    }

    /// Unix seconds of the last change of the text, and the stamp.
    fn times(&self, metadata: &Metadata) -> (i64, i64) {
        let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
        let seconds = modified.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs().cast_signed());
        let changed = changed(metadata);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let young = changed + self.timestamp_granularity > now && !self.timestamp_granularity.is_zero();
        let stamp = i64::try_from(changed.as_nanos()).unwrap_or(UNTRUSTED);
        (seconds, if young { UNTRUSTED } else { stamp })
    }

    fn gone(&self, unreadable: &[String]) -> Vec<String> {
        let hidden = |path: &str| unreadable.iter().any(|folder| is_below(path, folder));
        let gone = self.known.iter().filter(|(path, known)| {
            !known.still_there.load(Ordering::Relaxed) && in_scope(path, &self.scope) && !hidden(path)
        });
        gone.map(|(path, _)| path.clone()).collect()
    }

    fn relative(&self, path: &Path) -> String {
        relative(&self.folder, path)
    }
}

/// When the file was last changed in any way, since the epoch. Unlike the modification time, nobody can
/// set this one back: a file that is replaced with its times preserved is still noticed.
#[cfg(unix)]
fn changed(metadata: &Metadata) -> Duration {
    use std::os::unix::fs::MetadataExt;
    let nanoseconds = u32::try_from(metadata.ctime_nsec()).unwrap_or_default();
    Duration::new(u64::try_from(metadata.ctime()).unwrap_or_default(), nanoseconds)
}

#[cfg(not(unix))]
fn changed(metadata: &Metadata) -> Duration {
    metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default()
}

pub(super) fn relative(folder: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(folder).unwrap_or(path).components();
    parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Paths with `/` between parts; a path is below itself, and everything is below the empty one.
pub(super) fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a folder lies in one of the wanted directories or on the way to one.
fn leads_into(folder: &str, directories: &[String]) -> bool {
    directories.is_empty()
        || directories.iter().any(|directory| is_below(folder, directory) || is_below(directory, folder))
}

fn in_scope(path: &str, scope: &Scope) -> bool {
    let in_directory =
        scope.directories.is_empty() || scope.directories.iter().any(|directory| is_below(path, directory));
    let of_type = || {
        let name = path.rsplit('/').next().unwrap_or(path);
        name.rsplit_once('.')
            .is_some_and(|(_, extension)| scope.file_types.iter().any(|wanted| wanted.eq_ignore_ascii_case(extension)))
    };
    in_directory && (scope.file_types.is_empty() || of_type())
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(file_types: &[&str], directories: &[&str]) -> Scope {
        let owned = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect();
        Scope { file_types: owned(file_types), directories: owned(directories) }
    }

    #[test]
    fn a_scope_bounds_files_and_the_way_to_them() {
        for (path, file_types, directories, expected) in [
            ("a.rs", &[][..], &[][..], true),
            ("src/a.RS", &["rs"], &["src"], true),
            ("src/a.rs", &["py"], &["src"], false),
            ("srcs/a.rs", &["rs"], &["src"], false),
            ("src/rs", &["rs"], &[], false),
            ("src/a.rs/b", &["rs"], &[], false),
            ("src/a.rs", &[], &["src/a.rs"], true),
        ] {
            assert_eq!(in_scope(path, &scope(file_types, directories)), expected, "{path}");
        }
        for (folder, expected) in
            [("", true), ("a", true), ("a/b", true), ("a/b/c", true), ("a/c", false), ("ab", false)]
        {
            assert_eq!(leads_into(folder, &["a/b".to_owned()]), expected, "{folder}");
        }
    }

    #[test]
    fn what_an_unreadable_folder_held_is_not_gone() {
        let known = |path: &str, still_there: bool| {
            let fingerprint = Fingerprint { digest: [0; 32], modified: 0, stamp: None, size: 1 };
            (path.to_owned(), Known { fingerprint, still_there: AtomicBool::new(still_there) })
        };
        let walk = Walk {
            folder: "/w".into(),
            root: 1,
            scope: scope(&["rs"], &[]),
            excluded: vec![],
            max_content_bytes: 1,
            threads: 1,
            force: false,
            timestamp_granularity: Duration::ZERO,
            known: HashMap::from([
                known("there.rs", true),
                known("gone.rs", false),
                known("locked/hidden.rs", false),
                known("lockedout.rs", false),
                known("other.py", false),
            ]),
        };
        let mut gone = walk.gone(&["locked".to_owned()]);
        gone.sort();
        assert_eq!(gone, ["gone.rs", "lockedout.rs"]);
        assert!(walk.gone(&[String::new()]).is_empty());
    }
}
