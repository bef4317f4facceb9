//! The one place where the world changes. Events that wait are written together, in one transaction; what
//! is written is applied in the order in which it was written; then the callers hear of it. What cannot
//! be written has no effect. Decides nothing of what happens.

use std::any::Any;
use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::component::AgentNumber;
use super::event::{Event, Recorded};
use super::record;
use super::replay::{become_restored, finish_tick, rule, take};
use super::state::State;
use super::tick::TickPlan;
use super::view::{EventView, WorldError};
use crate::rules::{Rules, RulesDigest};
use crate::store::{StoreError, StoredEvent, WorldStore};

/// Events of one transaction, at most.
const GROUP: usize = 512;
/// Events that wait; more callers wait with theirs.
const QUEUE: usize = 4096;

/// What a journal writes to and changes.
pub(super) struct Book {
    pub store: Arc<dyn WorldStore>,
    /// Never held across a wait.
    pub state: parking_lot::RwLock<State>,
    /// Those that decide.
    pub rules: parking_lot::RwLock<Arc<dyn Rules>>,
    pub feed: broadcast::Sender<EventView>,
    /// Cancelled when this host must not write any more.
    pub over: CancellationToken,
}

/// What an event does.
pub(super) enum Effect {
    /// What it says.
    Told,
    /// A tick, as the rules have decided it.
    Tick(Box<TickPlan>),
    /// These rules decide from here on.
    Ruled(Arc<dyn Rules>),
    /// The world becomes this, under these rules.
    Became(Box<State>, Arc<dyn Rules>),
}

/// What must not be let go of before an event is applied, even by a caller who does not wait for it.
pub(super) type Hold = Arc<dyn Any + Send + Sync>;

/// The sequence of an event that is durable and applied.
type Outcome = Result<u64, WorldError>;
/// What is still to be told, and to whom.
type Answers = Vec<(oneshot::Sender<Outcome>, Outcome)>;

struct Entry {
    rules: RulesDigest,
    event: Event,
    effect: Effect,
    done: oneshot::Sender<Outcome>,
    hold: Hold,
}

#[derive(Clone)]
pub(super) struct Journal {
    entries: mpsc::Sender<Entry>,
}

impl Journal {
    /// Ends when the last clone is gone and what waits is written.
    pub(super) fn start(book: Arc<Book>) -> Self {
        let (entries, mut waiting) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let mut group = Vec::with_capacity(GROUP);
            while waiting.recv_many(&mut group, GROUP).await > 0 {
                book.write(&mut group).await;
            }
        });
        Self { entries }
    }

    /// Returns the sequence of the event once it is durable and applied. An event whose caller is gone
    /// happens all the same. New agents get their numbers here, whatever the event says.
    pub(super) async fn write(
        &self,
        rules: RulesDigest,
        event: Event,
        effect: Effect,
        hold: Hold,
    ) -> Result<u64, WorldError> {
        let (done, outcome) = oneshot::channel();
        let entry = Entry { rules, event, effect, done, hold };
        let gone = || WorldError::Unavailable("the world stops on this host; try again in a moment".into());
        self.entries.send(entry).await.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }
}

impl Book {
    pub(super) fn rules(&self) -> Arc<dyn Rules> {
        self.rules.read().clone()
    }

    async fn write(&self, group: &mut Vec<Entry>) {
        let (recorded, stored) = match self.number(group) {
            Ok(numbered) => numbered,
            Err(error) => return refuse(group, &WorldError::Internal(error.to_string())),
        };
        if self.over.is_cancelled() {
            return refuse(group, &WorldError::Unavailable("this host has the world no more; try again".into()));
        }
        if let Err(error) = self.store.append_events(&stored).await {
            if matches!(error, StoreError::Conflict(_)) {
                tracing::warn!(%error, "somebody else wrote to the world; it is read again");
                self.over.cancel();
            }
            return refuse(group, &unavailable(&error));
        }
        let (outcomes, holds) = self.apply(&recorded, group);
        // Not while the state is locked: who promises a name locks the names first, then the state.
        drop(holds);
        if self.feed.receiver_count() > 0 {
            let state = self.state.read();
            for recorded in &recorded {
                // Without receivers there is nobody to tell.
                let _ = self.feed.send(record::to_view(recorded, &state));
            }
        }
        for (done, outcome) in outcomes {
            // A caller that is gone does not hear.
            let _ = done.send(outcome);
        }
    }

    fn number(&self, group: &mut [Entry]) -> Result<(Vec<Recorded>, Vec<StoredEvent>), postcard::Error> {
        let state = self.state.read();
        let (mut sequence, tick, at) = (state.sequence(), state.clock.tick, record::now());
        let AgentNumber(mut agent) = state.next_number();
        drop(state);
        let mut recorded = Vec::with_capacity(group.len());
        for entry in group {
            for birth in entry.event.births_mut() {
                birth.number = AgentNumber(agent);
                agent += 1;
            }
            sequence += 1;
            // Nothing reads the entry's own any more.
            let event = std::mem::replace(&mut entry.event, Event::Breeding { enabled: true });
            recorded.push(Recorded { sequence, tick, at, rules: entry.rules, event });
        }
        let stored = recorded.iter().map(record::to_store).collect::<Result<_, _>>()?;
        Ok((recorded, stored))
    }

    fn apply(&self, recorded: &[Recorded], group: &mut Vec<Entry>) -> (Answers, Vec<Hold>) {
        let mut state = self.state.write();
        let (mut outcomes, mut holds) = (Vec::with_capacity(group.len()), Vec::with_capacity(group.len()));
        for (recorded, entry) in recorded.iter().zip(group.drain(..)) {
            let outcome = match entry.effect {
                Effect::Told => take(&mut state, recorded),
                Effect::Tick(plan) => finish_tick(&mut state, recorded, *plan),
                Effect::Ruled(rules) => {
                    let outcome = take(&mut state, recorded);
                    rule(&mut state, &*rules);
                    *self.rules.write() = rules;
                    outcome
                }
                Effect::Became(next, rules) => {
                    become_restored(&mut state, *next, recorded.sequence);
                    rule(&mut state, &*rules);
                    *self.rules.write() = rules;
                    Ok(())
                }
            };
            outcomes.push((entry.done, outcome.map(|()| recorded.sequence)));
            holds.push(entry.hold);
        }
        (outcomes, holds)
    }
}

fn refuse(group: &mut Vec<Entry>, error: &WorldError) {
    for entry in group.drain(..) {
        // A caller that is gone does not hear.
        let _ = entry.done.send(Err(error.clone()));
    }
}

/// What callers are told of a store that does not do what it is asked; its own words are for the log.
pub(super) fn unavailable(error: &StoreError) -> WorldError {
    tracing::warn!(%error, "the store of the world does not do what it is asked");
    WorldError::Unavailable("the world cannot be read or written at present; try again in a moment".into())
}
