//! From events to the world: applies what the store has, with the rules that decided then. What it does to
//! a state is what the journal did. Knows no clients and no clock.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::event::{Event, Recorded};
use super::record::{self, Unreadable};
use super::state::State;
use super::tick::{self, TickPlan};
use super::view::WorldError;
use crate::rules::{ArchivedRules, Rules, RulesDigest, RulesError, RulesSource};
use crate::store::{SnapshotInfo, StoreError, WorldStore};

/// Events that are read at once.
const PAGE: u32 = 1000;
/// How often a tick is computed before it counts as different from what it was: calls may time out.
const ATTEMPTS: u32 = 3;
/// Rules of the past that are kept compiled.
const SHELF: usize = 8;

#[derive(Debug, thiserror::Error)]
pub(super) enum ReplayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("event {found} comes where {expected} should: put the store back from a backup")]
    Gap { expected: u64, found: u64 },
    #[error("the rules {name} of digest {digest} are not in the store any more: load that very file again")]
    NoRules { name: String, digest: String },
    #[error("the archive of the rules {name} cannot be read: {reason}; load that very file again")]
    Archive { name: String, reason: String },
    #[error("rules of the past do not come back: {0}")]
    Rules(#[from] RulesError),
    #[error("event {0} is a tick before any rules were named")]
    Lawless(u64),
    #[error("the tick at event {sequence} went well when it was live and fails now: {reason}")]
    Differs { sequence: u64, reason: String },
    #[error("snapshot {0} is gone")]
    SnapshotGone(u64),
    #[error("snapshot {id} cannot be used: {reason}")]
    Snapshot { id: u64, reason: String },
}

impl From<ReplayError> for WorldError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Store(error) => super::journal::unavailable(&error),
            ReplayError::Rules(error) => WorldError::Rules(error),
            ReplayError::SnapshotGone(id) => WorldError::NoSnapshot(id),
            other => WorldError::Internal(other.to_string()),
        }
    }
}

/// Rules by digest: those that serve, or those that the store has archived.
pub(super) struct Shelf {
    pub store: Arc<dyn WorldStore>,
    pub source: Arc<dyn RulesSource>,
    revived: Mutex<HashMap<RulesDigest, Arc<dyn Rules>>>,
}

impl Shelf {
    pub(super) fn new(store: Arc<dyn WorldStore>, source: Arc<dyn RulesSource>) -> Self {
        Self { store, source, revived: Mutex::default() }
    }

    pub(super) async fn find(&self, name: &str, digest: &RulesDigest) -> Result<Arc<dyn Rules>, ReplayError> {
        if let Some(current) = self.source.current(name).filter(|rules| rules.about().digest == *digest) {
            return Ok(current);
        }
        if let Some(revived) = self.revived.lock().get(digest) {
            return Ok(revived.clone());
        }
        let Some(stored) = self.store.rules(digest).await? else {
            return Err(ReplayError::NoRules { name: name.to_owned(), digest: record::hexadecimal(digest) });
        };
        let archived: ArchivedRules = postcard::from_bytes(&stored.body)
            .map_err(|error| ReplayError::Archive { name: name.to_owned(), reason: error.to_string() })?;
        let rules = self.source.revive(&archived).await?;
        let mut revived = self.revived.lock();
        if revived.len() >= SHELF {
            revived.clear();
        }
        revived.insert(*digest, rules.clone());
        Ok(rules)
    }

    /// A world as a snapshot has it, and the rules that decided in it.
    pub(super) async fn snapshot(&self, id: u64) -> Result<(State, Option<Arc<dyn Rules>>), ReplayError> {
        let infos = self.store.snapshots().await?;
        let info = infos.into_iter().find(|info| info.id == id).ok_or(ReplayError::SnapshotGone(id))?;
        let body = self.store.snapshot_body(id).await?.ok_or(ReplayError::SnapshotGone(id))?;
        let unusable = move |reason: String| ReplayError::Snapshot { id, reason };
        let opened = tokio::task::spawn_blocking(move || open(&info, &body)).await;
        let mut state = opened.map_err(|error| unusable(error.to_string()))?.map_err(unusable)?;
        let ruling = state.rules.clone();
        let rules = match ruling {
            Some(ruling) => Some(self.find(&ruling.name, &ruling.digest).await?),
            None => None,
        };
        if let Some(rules) = &rules {
            rule(&mut state, &**rules);
        }
        Ok((state, rules))
    }
}

fn open(info: &SnapshotInfo, body: &[u8]) -> Result<State, String> {
    let encoded = zstd::decode_all(body).map_err(|error| error.to_string())?;
    if blake3::hash(&encoded) != info.digest {
        return Err("its content is not what was saved".into());
    }
    State::decode(&encoded).map_err(|error| error.to_string())
}

/// A world that is being built.
pub(super) struct Fold<'a> {
    pub state: RwLock<State>,
    pub rules: Option<Arc<dyn Rules>>,
    shelf: &'a Shelf,
}

impl<'a> Fold<'a> {
    pub(super) fn genesis(shelf: &'a Shelf) -> Self {
        Self { state: RwLock::new(State::new()), rules: None, shelf }
    }

    pub(super) async fn from_snapshot(shelf: &'a Shelf, id: u64) -> Result<Self, ReplayError> {
        let (state, rules) = shelf.snapshot(id).await?;
        Ok(Self { state: RwLock::new(state), rules, shelf })
    }

    /// Applies what comes up to and with the event `last`; tells which one it has come to.
    pub(super) async fn to(&mut self, last: u64, progress: impl Fn(u64)) -> Result<(), ReplayError> {
        loop {
            let done = self.state.read().sequence();
            progress(done);
            if done >= last {
                return Ok(());
            }
            let wanted = u32::try_from(last - done).unwrap_or(PAGE).min(PAGE);
            let page = self.shelf.store.events(done, wanted).await?;
            if page.is_empty() {
                return Err(ReplayError::Gap { expected: done + 1, found: 0 });
            }
            for stored in &page {
                let recorded = record::from_store(stored)?;
                let expected = self.state.read().sequence() + 1;
                if recorded.sequence != expected {
                    return Err(ReplayError::Gap { expected, found: recorded.sequence });
                }
                self.apply(&recorded).await?;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn apply(&mut self, recorded: &Recorded) -> Result<(), ReplayError> {
        match &recorded.event {
            Event::Ticked { step, skipped } => {
                let rules = self.rules.clone().ok_or(ReplayError::Lawless(recorded.sequence))?;
                for attempt in 1.. {
                    let plan = tick::plan(&self.state, &*rules, *step, skipped).await;
                    match plan.failures().first() {
                        None => {
                            told(finish_tick(&mut self.state.write(), recorded, plan));
                            break;
                        }
                        Some((_, reason)) if attempt >= ATTEMPTS => {
                            let reason = reason.to_string();
                            return Err(ReplayError::Differs { sequence: recorded.sequence, reason });
                        }
                        Some(_) => (),
                    }
                }
            }
            Event::Restored { snapshot } => {
                let (next, rules) = self.shelf.snapshot(*snapshot).await?;
                become_restored(&mut self.state.write(), next, recorded.sequence);
                self.rules = rules;
            }
            Event::Ruled { name, digest, .. } => {
                let rules = self.shelf.find(name, digest).await?;
                let mut state = self.state.write();
                told(take(&mut state, recorded));
                rule(&mut state, &*rules);
                self.rules = Some(rules);
            }
            _ => told(take(&mut self.state.write(), recorded)),
        }
        Ok(())
    }
}

/// What had no effect when it happened has none now.
fn told(outcome: Result<(), WorldError>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "an event of the past has no effect");
    }
}

/// Does what an event says. One that contradicts the world has no effect but counts: it is written.
pub(super) fn take(state: &mut State, recorded: &Recorded) -> Result<(), WorldError> {
    state.apply(recorded).map_err(|error| {
        state.restored_by(recorded.sequence);
        WorldError::Internal(format!("the {} of event {}: {error}", recorded.event.kind(), recorded.sequence))
    })
}

/// The customs of these rules hold.
pub(super) fn rule(state: &mut State, rules: &dyn Rules) {
    let society = rules.about().society.as_ref();
    state.set_customs(society.map(|society| society.customs.clone()).unwrap_or_default());
}

/// The world goes on as `next`. Numbers of agents that it does not know are not given again: events name
/// agents by them.
pub(super) fn become_restored(state: &mut State, mut next: State, sequence: u64) {
    next.given = next.given.max(state.given);
    next.restored_by(sequence);
    *state = next;
}

/// A tick as it was planned with this very state.
pub(super) fn finish_tick(state: &mut State, recorded: &Recorded, plan: TickPlan) -> Result<(), WorldError> {
    if let Err(error) = state.begin_tick(recorded) {
        state.restored_by(recorded.sequence);
        return Err(WorldError::Internal(format!("the tick of event {}: {error}", recorded.sequence)));
    }
    let happened = plan.apply(state);
    tracing::trace!(tick = state.clock.tick, ?happened, "the world has ticked");
    Ok(())
}
