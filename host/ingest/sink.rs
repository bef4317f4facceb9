//! What follows the change feed: the index, or in tests a recorder.

use crate::index::{Change, Index, IndexError};
use crate::store::StoredChange;

/// Who writes a view that hosts share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Ours,
    /// Another host does; `applied` and `chunks` say how far it is.
    Theirs,
}

/// A derived view of the store. Applying the same change twice must be the same as applying it once:
/// after a failure, all changes since `applied` come again.
pub trait Sink: Send + Sync + 'static {
    /// A change made ready to be applied.
    type Change: Send + 'static;

    /// Whether all hosts share the view, in the very store that it follows: it is away with the store then, and others
    /// may have brought it further or begun it anew.
    fn is_in_store(&self) -> bool {
        false
    }

    /// Whose turn it is to write; asked before a look at the feed, may wait for the store. Where each host has a view of
    /// its own it is always ours, and nobody asks.
    fn turn(&self) -> Result<Turn, IndexError> {
        Ok(Turn::Ours)
    }

    /// All the costly work that one change needs alone; called on many threads at once.
    fn prepare(&self, change: StoredChange) -> Self::Change;

    /// Takes changes in, in sequence order, not yet visible. One caller at a time.
    fn apply(&self, changes: Vec<Self::Change>) -> Result<(), IndexError>;

    /// Makes everything applied durable and visible, as of `sequence`.
    fn commit(&self, sequence: u64) -> Result<(), IndexError>;

    /// The sequence of the last durable commit.
    fn applied(&self) -> u64;

    /// Chunks that are visible.
    fn chunks(&self) -> u64;
}

impl Sink for Index {
    type Change = Change;

    fn prepare(&self, change: StoredChange) -> Change {
        match change {
            StoredChange::Upsert(version) => Change::Upsert(Box::new(Index::prepare(self, version))),
            // What cannot be read cannot be found either.
            StoredChange::Remove { document, sequence } | StoredChange::Damaged { document, sequence, .. } => {
                Change::Remove { document, sequence }
            }
        }
    }

    fn apply(&self, changes: Vec<Change>) -> Result<(), IndexError> {
        Index::apply(self, changes)
    }

    fn commit(&self, sequence: u64) -> Result<(), IndexError> {
        Index::commit(self, sequence)
    }

    fn applied(&self) -> u64 {
        Index::applied(self)
    }

    fn chunks(&self) -> u64 {
        self.snapshot().stats().chunks
    }
}
