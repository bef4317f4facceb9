//! A task: long-running work that a client starts, watches and finds again after a restart. Plain data
//! with a JSON shape; who runs it is not known here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Long-running work and how far it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// UUID version 7, so ids sort by time of creation.
    pub id: String,
    pub kind: TaskKind,
    pub state: TaskState,
    /// The folder, as the client gave it, or in words what else it is about.
    pub path: String,
    pub progress: Progress,
    /// Why it failed or was interrupted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// RFC 3339, UTC.
    pub created_at: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub finished_at: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    IndexFolder,
    /// Posted documents are derived anew.
    RenewDocuments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// Waits for the tasks before it.
    Queued,
    Running,
    Succeeded,
    Failed,
    /// The server stopped before it ended; what it had stored is kept, and a new run completes it.
    Interrupted,
}

impl TaskState {
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Interrupted)
    }
}

/// What a task has done so far; documents that are derived anew count as files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    pub phase: Phase,
    /// Files that the walk met and the request's filters let through.
    pub files_seen: u64,
    /// New or changed, and durably stored.
    pub indexed: u64,
    pub unchanged: u64,
    /// No longer there, and removed.
    pub removed: u64,
    /// Left out, by reason.
    pub skipped: BTreeMap<SkipReason, Skipped>,
    /// Files or folders that could not be read, or that the store refused.
    pub errors: u64,
    /// Bytes of text read.
    pub bytes: u64,
    /// Of `indexed` and `removed`, those that searches do not see yet.
    pub pending: u64,
    /// Chunks that the whole index holds now.
    pub chunks: u64,
    /// Seconds since the start.
    pub elapsed: f64,
    /// Files seen a second, on average since the start.
    pub files_per_second: f64,
    /// What of which folder the task is for: all that another host needs to take it over.
    pub bounds: Bounds,
}

/// The part of a folder that a task covers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bounds {
    /// Absolute and without links.
    pub folder: String,
    /// Extensions; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub file_types: Vec<String>,
    /// Relative to the folder; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<String>,
    /// Everything anew, changed or not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    #[default]
    Waiting,
    /// Another host indexes the same root; this task follows when that one has finished.
    Elsewhere,
    /// Reading the folder; the index follows at the same time.
    Walking,
    /// All is stored; the index catches up.
    Indexing,
    /// Making the rest visible to searches.
    Committing,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// A NUL byte near its beginning, or too little of it is UTF-8.
    Binary,
    TooLarge,
    Empty,
    Unreadable,
    /// Links are not followed, so that nothing outside of the folder gets in.
    SymbolicLink,
    /// A socket, pipe or device.
    SpecialFile,
    /// Its path is longer than the store takes, or is not UTF-8.
    UnusablePath,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    pub count: u64,
    /// The first few paths.
    pub examples: Vec<String>,
}

impl Skipped {
    const EXAMPLES: usize = 5;

    pub fn add(&mut self, path: &str) {
        self.count += 1;
        if self.examples.len() < Self::EXAMPLES {
            self.examples.push(path.to_owned());
        }
    }
}
