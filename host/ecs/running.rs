//! A world that runs on this host: who may change it when, and what it counts about itself. How it came to be
//! here and what becomes of it is `living`'s.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock as Gate};

use super::event::Event;
use super::journal::{Book, Effect, Hold, Journal, unavailable};
use super::locks::{Locked, Locks};
use super::names::Names;
use super::record;
use super::replay::Shelf;
use super::state::State;
use super::view::WorldError;
use crate::rules::{Rules, RulesDigest};
use crate::store::StoredRules;

/// What decides how a world runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Rules of a new world.
    pub rules: String,
    /// Between two ticks.
    pub tick: Duration,
    /// World seconds a second, of a new world.
    pub acceleration: f32,
    /// World seconds, of a new world.
    pub seconds_per_year: f32,
    /// Of a new world; none: drawn.
    pub seed: Option<u64>,
    /// Units of the map, on either axis.
    pub spawn_radius: f32,
    /// Ticks between automatic snapshots.
    pub snapshot_ticks: u64,
    pub max_agents: u32,
}

pub(super) struct Running {
    pub book: Arc<Book>,
    pub journal: Journal,
    pub shelf: Shelf,
    pub options: Options,
    pub names: Names,
    pub figures: Figures,
    locks: Locks,
    /// Commands hold it shared from what they read to what they have changed; ticks, other rules and
    /// restorations hold it alone.
    gate: Arc<Gate<()>>,
    /// Makes the seeds of interactions differ; begins above all that were used before.
    chances: AtomicU64,
}

/// What is counted while the world runs on this host.
#[derive(Default)]
pub(super) struct Figures {
    pub late_ticks: AtomicU64,
    pub failed_calls: AtomicU64,
    pub last_failure: Mutex<Option<String>>,
    pub last_tick: Mutex<Duration>,
    /// Tick of the last snapshot.
    pub snapshot_tick: AtomicU64,
    /// Sequence of the last snapshot.
    pub snapshot_sequence: AtomicU64,
    pub saving: AtomicBool,
}

/// A command's right to its agents. The journal keeps it as long as it needs it.
pub(super) struct Turn {
    _shared: OwnedRwLockReadGuard<()>,
    _agents: Vec<Locked>,
}

/// The right to the whole world.
pub(super) struct Alone {
    _gate: OwnedRwLockWriteGuard<()>,
}

impl Running {
    pub(super) fn new(book: Arc<Book>, shelf: Shelf, options: Options) -> Self {
        let chances = AtomicU64::new(book.state.read().sequence());
        Self {
            journal: Journal::start(book.clone()),
            book,
            shelf,
            options,
            names: Names::default(),
            figures: Figures::default(),
            locks: Locks::default(),
            gate: Arc::default(),
            chances,
        }
    }

    /// Waits for those who deal with one of these agents, and for a tick that is under way. The agents come
    /// first: who waits for one shall not keep a tick waiting.
    pub(super) async fn turn<'a>(&self, agents: impl IntoIterator<Item = &'a str>) -> Arc<Turn> {
        let agents = self.locks.take(agents).await;
        let shared = self.gate.clone().read_owned().await;
        Arc::new(Turn { _shared: shared, _agents: agents })
    }

    /// Waits for all commands that have begun.
    pub(super) async fn alone(&self) -> Arc<Alone> {
        Arc::new(Alone { _gate: self.gate.clone().write_owned().await })
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.book.state.read())
    }

    pub(super) fn chance(&self) -> u64 {
        self.chances.fetch_add(1, Ordering::Relaxed)
    }

    /// Writes an event that says all of what it does.
    pub(super) async fn tell(&self, rules: RulesDigest, event: Event, hold: Hold) -> Result<u64, WorldError> {
        self.journal.write(rules, event, Effect::Told, hold).await
    }

    /// From here on these decide.
    pub(super) async fn adopt(&self, rules: Arc<dyn Rules>, alone: Arc<Alone>) -> Result<(), WorldError> {
        let about = rules.about();
        let archived = rules.archive();
        let body = postcard::to_stdvec(&archived).map_err(|error| WorldError::Internal(error.to_string()))?;
        let stored = StoredRules {
            digest: about.digest,
            name: about.name.clone(),
            version: about.version.clone(),
            first_used: record::now(),
            body,
        };
        // Before the event that names them: without them it could not be understood.
        self.shelf.store.save_rules(&stored).await.map_err(|error| unavailable(&error))?;
        let event = Event::Ruled {
            name: about.name.clone(),
            version: about.version.clone(),
            digest: about.digest,
            traits: about.traits.clone(),
        };
        self.journal.write(about.digest, event, Effect::Ruled(rules.clone()), alone).await?;
        tracing::info!(rules = rules.about().label(), "other rules decide in the world");
        Ok(())
    }

    /// Another version than the one that decides serves under its name. Where nothing serves under it, the
    /// last version goes on.
    pub(super) fn rules_changed(&self) -> bool {
        self.newer_rules().is_some()
    }

    /// Lets that version decide.
    pub(super) async fn follow_rules(&self, alone: &Arc<Alone>) -> Result<(), WorldError> {
        match self.newer_rules() {
            Some(rules) => self.adopt(rules, alone.clone()).await,
            None => Ok(()),
        }
    }

    fn newer_rules(&self) -> Option<Arc<dyn Rules>> {
        let deciding = self.book.rules();
        let current = self.shelf.source.current(&deciding.about().name)?;
        (current.about().digest != deciding.about().digest).then_some(current)
    }
}
