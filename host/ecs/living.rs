//! The world as hosts share it: one of them runs it, under a lease. Whoever gets the lease brings the world back
//! from what the store has, lets it run, and saves it at an orderly end. What happens in it is others'.

/// The world's answers to clients.
mod answers;
/// Events as they come.
mod watch;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::BoxFuture;
use parking_lot::{Mutex, RwLock};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::event::Event;
use super::journal::Book;
use super::replay::{Fold, ReplayError, Shelf};
use super::running::{Options, Running};
use super::state::State;
use super::view::{EventView, WorldError};
use crate::rules::{Rules, RulesSource};
use crate::store::{Lease, StoreError, WorldStore};

/// Events that wait for a reader; one that is slower reads them from the store.
const FEED: usize = 1024;
const SECOND: Duration = Duration::from_secs(1);
/// How long commands that have begun may take at an orderly end.
const FAREWELL: Duration = Duration::from_secs(5);

/// Asks for the right to run the world; none while another host has it.
pub type Right = Arc<dyn Fn() -> BoxFuture<'static, Result<Option<Lease>, StoreError>> + Send + Sync>;

/// The world of agents, on whichever host it runs.
pub struct Ecs {
    inner: Arc<Inner>,
    work: Mutex<Option<JoinHandle<()>>>,
}

struct Inner {
    store: Arc<dyn WorldStore>,
    source: Arc<dyn RulesSource>,
    right: Right,
    options: Options,
    phase: RwLock<Phase>,
    /// The last reason why it cannot run that was logged.
    said: Mutex<Option<String>>,
    feed: broadcast::Sender<EventView>,
    closing: CancellationToken,
}

#[derive(Clone)]
enum Phase {
    /// The lease is asked for.
    Waking,
    Elsewhere,
    Replaying {
        done: u64,
        of: u64,
    },
    Running(Arc<Running>),
    Failed(String),
    Stopped,
}

impl Ecs {
    /// Returns at once; the world is brought back meanwhile.
    pub fn start(
        store: Arc<dyn WorldStore>,
        source: Arc<dyn RulesSource>,
        right: Right,
        options: Options,
    ) -> Arc<Self> {
        let inner = Arc::new(Inner {
            store,
            source,
            right,
            options,
            phase: RwLock::new(Phase::Waking),
            said: Mutex::default(),
            feed: broadcast::Sender::new(FEED),
            closing: CancellationToken::new(),
        });
        let work = tokio::spawn(inner.clone().supervise());
        Arc::new(Self { inner, work: Mutex::new(Some(work)) })
    }

    /// Lets commands end that have begun, saves the world, and gives the lease back.
    pub async fn stop(&self) {
        self.inner.closing.cancel();
        let work = self.work.lock().take();
        if let Some(work) = work
            && let Err(error) = work.await
        {
            tracing::error!(%error, "the world did not end in order; its events are safe");
        }
    }

    /// One word, and what there is to say about it.
    pub fn condition(&self) -> (&'static str, String) {
        self.inner.condition()
    }
}

impl Inner {
    fn running(&self) -> Result<Arc<Running>, WorldError> {
        match &*self.phase.read() {
            Phase::Running(running) => Ok(running.clone()),
            other => Err(WorldError::Unavailable(other.reason())),
        }
    }

    fn condition(&self) -> (&'static str, String) {
        let phase = self.phase.read().clone();
        match phase {
            Phase::Running(running) => running.with(|state| {
                let said = format!("{} agents at tick {}", state.agents.len(), state.clock.tick);
                (if state.clock.paused { "paused" } else { "running" }, said)
            }),
            Phase::Waking | Phase::Replaying { .. } => ("replaying", phase.reason()),
            Phase::Elsewhere => ("elsewhere", phase.reason()),
            Phase::Failed(_) | Phase::Stopped => ("failed", phase.reason()),
        }
    }

    fn enter(&self, phase: Phase) {
        *self.phase.write() = phase;
    }

    /// Said once, however often it is tried.
    fn fail(&self, reason: String) {
        let mut said = self.said.lock();
        if said.as_ref() != Some(&reason) {
            tracing::error!(reason, "the world cannot run; it is tried again every second");
        }
        *said = Some(reason.clone());
        self.enter(Phase::Failed(reason));
    }

    async fn supervise(self: Arc<Self>) {
        while !self.closing.is_cancelled() {
            let lease = tokio::select! {
                () = self.closing.cancelled() => break,
                lease = self.acquire() => lease,
            };
            if let Err(error) = self.hold(lease).await {
                self.fail(error.to_string());
                tokio::select! {
                    () = self.closing.cancelled() => (),
                    () = tokio::time::sleep(SECOND) => (),
                }
            }
        }
        self.enter(Phase::Stopped);
    }

    async fn acquire(&self) -> Lease {
        loop {
            match (self.right)().await {
                Ok(Some(lease)) => return lease,
                Ok(None) => self.enter(Phase::Elsewhere),
                Err(error) => self.fail(error.to_string()),
            }
            tokio::time::sleep(SECOND).await;
        }
    }

    /// As long as the lease is held and nobody asks for an end.
    async fn hold(&self, lease: Lease) -> Result<(), WorldError> {
        let opened = tokio::select! {
            () = self.closing.cancelled() => return Ok(()),
            () = lease.lost().cancelled() => return Ok(()),
            opened = self.open() => opened,
        };
        let running = opened?;
        *self.said.lock() = None;
        self.enter(Phase::Running(running.clone()));
        tokio::select! {
            () = self.closing.cancelled() => self.close(&running).await,
            () = lease.lost().cancelled() => tracing::warn!("the world's lease is lost; another host may run it"),
            () = running.book.over.cancelled() => (),
            () = running.clone().keep_time() => (),
        }
        running.book.over.cancel();
        self.enter(Phase::Waking);
        Ok(())
    }

    async fn close(&self, running: &Arc<Running>) {
        self.enter(Phase::Stopped);
        if tokio::time::timeout(FAREWELL, running.alone()).await.is_err() {
            tracing::warn!("the world ends while commands are under way");
        }
        let saved = running.figures.snapshot_sequence.load(Ordering::Relaxed);
        if running.with(State::sequence) > saved
            && let Err(error) = running.save_snapshot(None).await
        {
            tracing::warn!(%error, "the world was not saved at its end; its events are");
        }
    }

    /// Brings the world back, or begins it.
    async fn open(&self) -> Result<Arc<Running>, WorldError> {
        let shelf = Shelf::new(self.store.clone(), self.source.clone());
        let last = self.store.last_event().await.map_err(ReplayError::from)?;
        self.enter(Phase::Replaying { done: 0, of: last });
        let mut fold = self.nearest(&shelf, last).await?;
        let (from, from_tick) = {
            let state = fold.state.read();
            (state.sequence(), state.clock.tick)
        };
        fold.to(last, |done| self.enter(Phase::Replaying { done, of: last })).await?;
        let Fold { state, rules, .. } = fold;
        let ruled = rules.is_some();
        let rules = match rules {
            Some(rules) => rules,
            None => self.first_rules()?,
        };
        let book = Book {
            store: self.store.clone(),
            state,
            rules: RwLock::new(rules.clone()),
            feed: self.feed.clone(),
            over: CancellationToken::new(),
        };
        let running = Arc::new(Running::new(Arc::new(book), shelf, self.options.clone()));
        running.note_snapshot(from, from_tick);
        if last == 0 {
            self.begin(&running).await?;
        }
        // A host may have died between the first event and this one.
        let alone = running.alone().await;
        match ruled {
            true => running.follow_rules(&alone).await?,
            false => running.adopt(rules, alone).await?,
        }
        tracing::info!(events = last, replayed = last - from, "the world of agents runs on this host");
        Ok(running)
    }

    /// From the latest snapshot that can be used, else from the beginning.
    async fn nearest<'a>(&self, shelf: &'a Shelf, last: u64) -> Result<Fold<'a>, ReplayError> {
        let mut infos = self.store.snapshots().await?;
        infos.retain(|info| info.sequence <= last);
        infos.sort_by_key(|info| std::cmp::Reverse(info.sequence));
        for info in infos {
            match Fold::from_snapshot(shelf, info.id).await {
                Ok(fold) => return Ok(fold),
                Err(error @ ReplayError::Store(_)) => return Err(error),
                Err(error) => tracing::warn!(%error, "an older snapshot, or the whole history, is used instead"),
            }
        }
        Ok(Fold::genesis(shelf))
    }

    fn first_rules(&self) -> Result<Arc<dyn Rules>, WorldError> {
        let wanted = &self.options.rules;
        self.source.current(wanted).ok_or_else(|| {
            let known = self.source.known().join(", ");
            WorldError::Unavailable(format!(
                "there are no rules `{wanted}` (ecs.rules); those that are loaded: {known}"
            ))
        })
    }

    async fn begin(&self, running: &Running) -> Result<(), WorldError> {
        let seed = match self.options.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|error| WorldError::Internal(error.to_string()))?,
        };
        let alone = running.alone().await;
        let genesis = Event::Genesis { seed, seconds_per_year: self.options.seconds_per_year };
        running.tell([0; 32], genesis, alone.clone()).await?;
        if self.options.acceleration != 1.0 {
            let clock = Event::Clock { acceleration: self.options.acceleration, paused: false };
            running.tell([0; 32], clock, alone).await?;
        }
        Ok(())
    }
}

impl Phase {
    fn reason(&self) -> String {
        match self {
            Phase::Waking => "the world is being opened; try again in a moment".into(),
            Phase::Elsewhere => "the world runs on another host; ask that one".into(),
            Phase::Replaying { done, of } => {
                format!("the world is being brought back, {done} of {of} events are done; try again in a moment")
            }
            Phase::Running(_) => "the world runs".into(),
            Phase::Failed(reason) => format!("the world cannot run at present: {reason}"),
            Phase::Stopped => "the world stops on this host".into(),
        }
    }
}

#[cfg(test)]
mod tests;
