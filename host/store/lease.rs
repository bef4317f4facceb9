//! Rights that one host at a time has: whoever holds one knows when it is lost.

use tokio_util::sync::CancellationToken;

/// Held until dropped. What is done under it must stop when it is lost: another host may have it then.
pub struct Lease {
    lost: CancellationToken,
    _hold: Option<Box<dyn Send + Sync>>,
}

impl Lease {
    /// Of a backend that no other host can reach.
    pub fn unchallenged() -> Self {
        Self { lost: CancellationToken::new(), _hold: None }
    }

    /// `hold` gives the right back when it is dropped; whoever notices that the right is gone cancels `lost`.
    pub fn new(lost: CancellationToken, hold: impl Send + Sync + 'static) -> Self {
        Self { lost, _hold: Some(Box::new(hold)) }
    }

    /// Cancelled when the right is gone although it was not given back.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }
}
