//! Events as they come, none left out: what a reader was too slow for is read from the store again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Inner;
use crate::ecs::view::{EventView, WorldError};

const PAGE: u32 = 256;
/// Before the store is asked again that did not answer.
const PAUSE: Duration = Duration::from_millis(500);

struct Watch {
    inner: Arc<Inner>,
    live: Receiver<EventView>,
    /// The last one told.
    last: u64,
    /// Read from the store and not told yet.
    read: VecDeque<EventView>,
    /// The store has more than was told.
    behind: bool,
}

/// None: from now on.
pub(super) fn watch(inner: &Arc<Inner>, after: Option<u64>) -> Result<BoxStream<'static, EventView>, WorldError> {
    // Listens before it reads, so that nothing falls in between.
    let live = inner.feed.subscribe();
    let now = inner.running()?.with(|state| state.sequence());
    let watch = Watch {
        inner: inner.clone(),
        live,
        last: after.unwrap_or(now),
        read: VecDeque::new(),
        behind: after.is_some_and(|after| after < now),
    };
    Ok(stream::unfold(watch, |mut watch| async move { Some((watch.next().await?, watch)) }).boxed())
}

impl Watch {
    /// None when the world stops on this host.
    async fn next(&mut self) -> Option<EventView> {
        loop {
            if let Some(event) = self.read.pop_front() {
                self.last = event.sequence;
                return Some(event);
            }
            if self.behind {
                self.catch_up().await?;
                continue;
            }
            let event = tokio::select! {
                () = self.inner.closing.cancelled() => return None,
                event = self.live.recv() => event,
            };
            match event {
                Ok(event) if event.sequence <= self.last => (),
                Ok(event) if event.sequence == self.last + 1 => {
                    self.last = event.sequence;
                    return Some(event);
                }
                Ok(_) | Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    async fn catch_up(&mut self) -> Option<()> {
        let page = match self.inner.running() {
            Ok(running) => running.events(self.last, PAGE).await,
            Err(error) => Err(error),
        };
        match page {
            Ok(page) => {
                self.behind = !page.is_empty();
                self.read = page.into();
                Some(())
            }
            Err(_) => tokio::select! {
                () = self.inner.closing.cancelled() => None,
                () = tokio::time::sleep(PAUSE) => Some(()),
            },
        }
    }
}
