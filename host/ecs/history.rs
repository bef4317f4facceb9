//! The world's past: snapshots, going back to one, events again, the rules that decided, and whether the past
//! explains the present.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::event::Event;
use super::journal::{Effect, unavailable};
use super::record::{self, hexadecimal, rfc3339};
use super::replay::Fold;
use super::running::Running;
use super::view::{EventView, ReplayView, RulesView, SnapshotView, WorldError};
use crate::store::{SnapshotInfo, StoredRules};

/// Snapshots with a name, at most.
const NAMED: usize = 20;
/// Snapshots without one that are kept.
const AUTOMATIC: u32 = 3;
const LONGEST_NAME: usize = 100;

impl Running {
    pub(super) async fn snapshots(&self) -> Result<Vec<SnapshotView>, WorldError> {
        let infos = self.shelf.store.snapshots().await.map_err(|error| unavailable(&error))?;
        Ok(infos.into_iter().map(view).collect())
    }

    /// Without a name it is the host's own, of which the oldest go.
    pub(super) async fn save_snapshot(&self, name: Option<String>) -> Result<SnapshotView, WorldError> {
        let store = &self.shelf.store;
        if let Some(name) = &name {
            if name.trim().is_empty() || name.chars().count() > LONGEST_NAME {
                let message = format!("must have 1 to {LONGEST_NAME} characters");
                return Err(WorldError::Invalid { field: "name".into(), message });
            }
            let there = store.snapshots().await.map_err(|error| unavailable(&error))?;
            if there.iter().filter(|info| info.name.is_some()).count() >= NAMED {
                let full = format!("there are {NAMED} snapshots with names, no more are kept: save it without one");
                return Err(WorldError::Conflict(full));
            }
        }
        let book = self.book.clone();
        let saved = tokio::task::spawn_blocking(move || {
            let state = book.state.read();
            let encoded = state.encode();
            let (sequence, tick, agents) = (state.sequence(), state.clock.tick, u64::from(state.agents.len()));
            drop(state);
            let (digest, body) = pack(encoded)?;
            let size = body.len() as u64;
            let info = SnapshotInfo { id: 0, sequence, tick, at: record::now(), name, agents, digest, size };
            Ok::<_, std::io::Error>((info, body))
        });
        let internal = |error: &dyn std::fmt::Display| WorldError::Internal(format!("a snapshot failed: {error}"));
        let (mut info, body) = saved.await.map_err(|error| internal(&error))?.map_err(|error| internal(&error))?;
        info.id = store.save_snapshot(&info, &body, AUTOMATIC).await.map_err(|error| unavailable(&error))?;
        self.note_snapshot(info.sequence, info.tick);
        Ok(view(info))
    }

    /// The world is kept up to there. Not by a snapshot that was begun before a restoration and ends after it: its
    /// tick may be far ahead, and no other would be made until then.
    pub(super) fn note_snapshot(&self, sequence: u64, tick: u64) {
        if self.figures.snapshot_sequence.fetch_max(sequence, Ordering::Relaxed) <= sequence {
            self.figures.snapshot_tick.store(tick, Ordering::Relaxed);
        }
    }

    /// The world goes on from a snapshot; what happened since stays in its history.
    pub(super) async fn restore(&self, snapshot: u64) -> Result<(), WorldError> {
        let store = &self.shelf.store;
        let infos = store.snapshots().await.map_err(|error| unavailable(&error))?;
        if infos.iter().all(|info| info.id != snapshot) {
            return Err(WorldError::NoSnapshot(snapshot));
        }
        // Before it is read, so that it does not go meanwhile: the event that names it needs it for ever.
        store.pin_snapshot(snapshot).await.map_err(|error| unavailable(&error))?;
        let (state, rules) = self.shelf.snapshot(snapshot).await?;
        let lawless = || WorldError::Conflict(format!("snapshot {snapshot} is of a world before its first rules"));
        let rules = rules.ok_or_else(lawless)?;
        let tick = state.clock.tick;
        let alone = self.alone().await;
        let effect = Effect::Became(Box::new(state), rules);
        let sequence = self.journal.write([0; 32], Event::Restored { snapshot }, effect, alone).await?;
        self.note_snapshot(sequence, tick);
        tracing::info!(snapshot, tick, "the world was restored");
        Ok(())
    }

    pub(super) async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventView>, WorldError> {
        let stored = self.shelf.store.events(after, limit).await.map_err(|error| unavailable(&error))?;
        let recorded: Result<Vec<_>, _> = stored.iter().map(record::from_store).collect();
        let recorded = recorded.map_err(|error| WorldError::Internal(error.to_string()))?;
        Ok(self.with(|state| recorded.iter().map(|recorded| record::to_view(recorded, state)).collect()))
    }

    /// Names and versions of all rules that ever decided here, the first first.
    pub(super) async fn rules_used(&self) -> Result<Vec<RulesView>, WorldError> {
        let deciding = self.book.rules().about().digest;
        let used = self.shelf.store.rules_used().await.map_err(|error| unavailable(&error))?;
        let view = |rules: StoredRules| RulesView {
            current: rules.digest == deciding,
            digest: hexadecimal(&rules.digest),
            name: rules.name,
            version: rules.version,
            first_used: rfc3339(rules.first_used),
        };
        Ok(used.into_iter().map(view).collect())
    }

    /// The living world goes on meanwhile.
    pub(super) async fn replay(self: &Arc<Self>, from: Option<u64>) -> Result<ReplayView, WorldError> {
        let running = self.clone();
        let now = tokio::task::spawn_blocking(move || running.with(|state| (state.sequence(), state.digest())));
        let (last, live) = now.await.map_err(|error| WorldError::Internal(error.to_string()))?;
        let begun = Instant::now();
        let mut fold = match from {
            Some(snapshot) => Fold::from_snapshot(&self.shelf, snapshot).await?,
            None => Fold::genesis(&self.shelf),
        };
        let first = fold.state.read().sequence();
        fold.to(last, |_| ()).await?;
        let state = fold.state.into_inner();
        let digest = tokio::task::spawn_blocking(move || state.digest()).await;
        let digest = digest.map_err(|error| WorldError::Internal(error.to_string()))?;
        Ok(ReplayView {
            from_sequence: first,
            to_sequence: last,
            events: last - first,
            digest: hexadecimal(&digest),
            live_digest: hexadecimal(&live),
            equal: digest == live,
            took_ms: begun.elapsed().as_secs_f64() * 1000.0,
        })
    }
}

/// Digest of the pieces, and all of them compressed. Each goes as soon as it is taken in.
fn pack(pieces: Vec<Box<[u8]>>) -> std::io::Result<([u8; 32], Vec<u8>)> {
    let mut hasher = blake3::Hasher::new();
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1)?;
    for piece in pieces {
        hasher.update(&piece);
        encoder.write_all(&piece)?;
    }
    Ok((*hasher.finalize().as_bytes(), encoder.finish()?))
}

fn view(info: SnapshotInfo) -> SnapshotView {
    SnapshotView {
        id: info.id,
        name: info.name,
        sequence: info.sequence,
        tick: info.tick,
        created_at: rfc3339(info.at),
        agents: info.agents,
        digest: hexadecimal(&info.digest),
        size_bytes: info.size,
    }
}
