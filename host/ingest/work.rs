//! What a task is to do, and what is stored of it so that any host can do it. Knows nothing of turns and rights.

use super::folder::{self, IndexRequest, Plan};
use super::{IngestConfig, IngestError};
use crate::store::{Bounds, Task, TaskKind};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Work {
    /// Index a folder, or a part of it.
    Folder(Plan),
    /// Derive posted documents anew.
    Renewal,
}

impl Work {
    /// Of a task that another process began.
    pub(super) fn of(task: &Task, config: &IngestConfig) -> Result<Self, IngestError> {
        let bounds = task.progress.bounds.clone();
        match task.kind {
            TaskKind::IndexFolder => {
                let request = IndexRequest {
                    path: bounds.folder,
                    file_types: bounds.file_types,
                    directories: bounds.directories,
                    force: bounds.force,
                    watch: false,
                };
                let plan = folder::plan(request, config)?;
                Ok(Self::Folder(Plan { given: task.path.clone(), ..plan }))
            }
            TaskKind::RenewDocuments => Ok(Self::Renewal),
        }
    }

    pub(super) fn kind(&self) -> TaskKind {
        match self {
            Self::Folder(_) => TaskKind::IndexFolder,
            Self::Renewal => TaskKind::RenewDocuments,
        }
    }

    /// What it is about, for people.
    pub(super) fn subject(&self) -> &str {
        match self {
            Self::Folder(plan) => &plan.given,
            Self::Renewal => "the posted documents",
        }
    }

    pub(super) fn bounds(&self) -> Bounds {
        match self {
            Self::Folder(plan) => Bounds {
                folder: plan.folder.to_string_lossy().into_owned(),
                file_types: plan.scope.file_types.clone(),
                directories: plan.scope.directories.clone(),
                force: plan.force,
            },
            Self::Renewal => Bounds::default(),
        }
    }
}
