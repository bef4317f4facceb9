//! An event as it is kept and as clients see it. Decides nothing.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::component::AgentNumber;
use super::event::{Birth, Event, Recorded};
use super::state::State;
use super::view::EventView;
use crate::store::StoredEvent;

/// What the store has of an event that this program cannot read.
#[derive(Debug, thiserror::Error)]
#[error("event {sequence} cannot be read: {reason}; it was written by another version of this program, or is damaged")]
pub(super) struct Unreadable {
    pub sequence: u64,
    reason: postcard::Error,
}

impl Event {
    /// One word.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Genesis { .. } => "genesis",
            Event::Ruled { .. } => "ruled",
            Event::Created { .. } => "created",
            Event::Bred { .. } => "bred",
            Event::Retired { .. } => "retired",
            Event::Sent { .. } => "sent",
            Event::Interacted { .. } => "interacted",
            Event::Chatted { .. } => "chatted",
            Event::Clock { .. } => "clock",
            Event::Breeding { .. } => "breeding",
            Event::Ticked { .. } => "ticked",
            Event::Restored { .. } => "restored",
        }
    }

    /// Those that come to be by it.
    pub(super) fn births_mut(&mut self) -> &mut [Birth] {
        match self {
            Event::Created { births } | Event::Bred { births, .. } => births,
            _ => &mut [],
        }
    }
}

pub(super) fn to_store(recorded: &Recorded) -> Result<StoredEvent, postcard::Error> {
    Ok(StoredEvent {
        sequence: recorded.sequence,
        tick: recorded.tick,
        at: recorded.at,
        rules: recorded.rules,
        kind: recorded.event.kind().to_owned(),
        body: postcard::to_stdvec(&recorded.event)?,
    })
}

pub(super) fn from_store(stored: &StoredEvent) -> Result<Recorded, Unreadable> {
    let event =
        postcard::from_bytes(&stored.body).map_err(|reason| Unreadable { sequence: stored.sequence, reason })?;
    Ok(Recorded { sequence: stored.sequence, tick: stored.tick, at: stored.at, rules: stored.rules, event })
}

/// Agents whom `state` has forgotten are named by their number, as `#7`.
pub(super) fn to_view(recorded: &Recorded, state: &State) -> EventView {
    let id = |number: &AgentNumber| state.called(*number);
    let (agents, data) = match &recorded.event {
        Event::Genesis { seed, seconds_per_year } => {
            // JavaScript's numbers do not hold 64 bits.
            (vec![], json!({ "seed": seed.to_string(), "seconds_per_year": seconds_per_year }))
        }
        Event::Ruled { name, version, digest, traits } => {
            (vec![], json!({ "name": name, "version": version, "digest": hexadecimal(digest), "traits": traits }))
        }
        Event::Created { births } => (births.iter().map(|birth| birth.id.clone()).collect(), born(births)),
        Event::Bred { parents, births } => {
            let agents = births.iter().map(|birth| birth.id.clone()).chain(parents.iter().map(id)).collect();
            let mut data = born(births);
            data["parents"] = json!(parents.each_ref().map(id));
            (agents, data)
        }
        Event::Retired { agent } => (vec![id(agent)], json!({})),
        Event::Sent { agent, target } => (vec![id(agent)], json!({ "x": target[0], "y": target[1] })),
        Event::Interacted { first, second, kind, outcome, impact, after, energy_costs, message } => (
            vec![id(first), id(second)],
            json!({
                "kind": kind, "outcome": outcome, "impact": impact, "after": after,
                "energy_costs": energy_costs, "message": message,
            }),
        ),
        Event::Chatted { sender, receiver, kind, message } => {
            (vec![id(sender), id(receiver)], json!({ "kind": kind, "message": message }))
        }
        Event::Clock { acceleration, paused } => (vec![], json!({ "acceleration": acceleration, "paused": paused })),
        Event::Breeding { enabled } => (vec![], json!({ "enabled": enabled })),
        Event::Ticked { step, skipped } => (vec![], json!({ "step": step, "skipped": skipped })),
        Event::Restored { snapshot } => (vec![], json!({ "snapshot": snapshot })),
    };
    EventView {
        sequence: recorded.sequence,
        tick: recorded.tick,
        at: rfc3339(recorded.at),
        kind: recorded.event.kind().to_owned(),
        rules: (recorded.rules != [0; 32]).then(|| hexadecimal(&recorded.rules)),
        agents,
        data,
    }
}

fn born(births: &[Birth]) -> Value {
    let births: Vec<Value> = births
        .iter()
        .map(|birth| {
            json!({
                "agent_id": birth.id, "name": birth.name, "spirit": birth.spirit, "style": birth.style,
                "generation": birth.generation, "x": birth.at[0], "y": birth.at[1],
            })
        })
        .collect();
    json!({ "births": births })
}

/// Unix milliseconds as RFC 3339.
pub(super) fn rfc3339(milliseconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000);
    time.ok().and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

/// Unix milliseconds of the host's clock.
pub(super) fn now() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

pub(super) fn hexadecimal(digest: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*digest).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_told_as_a_date() {
        // 2001-09-09T01:46:40Z is the thousand millionth second.
        assert_eq!(rfc3339(1_000_000_000_250), "2001-09-09T01:46:40.25Z");
    }

    #[test]
    fn what_is_kept_is_read_again_and_damage_is_named() {
        let event = Event::Clock { acceleration: 2.5, paused: true };
        let recorded = Recorded { sequence: 7, tick: 3, at: 5, rules: [9; 32], event };
        let Ok(mut stored) = to_store(&recorded) else { unreachable!() };
        assert_eq!((stored.sequence, stored.kind.as_str()), (7, "clock"));
        assert_eq!(from_store(&stored).ok(), Some(recorded));
        stored.body = vec![255];
        assert!(from_store(&stored).is_err_and(|error| error.to_string().contains("event 7")));
    }
}
