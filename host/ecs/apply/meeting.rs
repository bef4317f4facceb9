//! What a meeting leaves with the two that met: less energy, a relationship, a memory, a line in the list of
//! each. How much of each is decided before.

use super::{different, within};
use crate::ecs::component::*;
use crate::ecs::state::{ApplyError, Meeting, State};
use crate::rules::{Bond, Outcome};

/// Memories that an agent has at most, whatever its rules allow: a hundred thousand agents shall fit.
pub(in crate::ecs) const KEPT_MEMORIES: usize = 32;
/// Of episodes that no rules weighed.
pub(super) const IMPORTANCE: f32 = 0.5;
const DECAY_RATE: f32 = 0.01;
/// By how much lists grow.
const STEP: usize = 8;

impl State {
    /// Whether two can have met so.
    pub(in crate::ecs) fn check_meeting(&self, meeting: &Meeting) -> Result<(), ApplyError> {
        self.living(meeting.first)?;
        self.living(meeting.second)?;
        different(meeting.first, meeting.second)?;
        let Bond { strength, trust, familiarity } = meeting.after;
        for value in [strength, trust, familiarity] {
            within("a bond", value, 0.0, 1.0)?;
        }
        for cost in meeting.energy_costs {
            within("an energy cost", cost, 0.0, 1.0)?;
        }
        within("importance", meeting.importance, 0.0, 1.0)?;
        within("emotion", meeting.emotion, -1.0, 1.0)?;
        within("impact", meeting.impact, -1.0, 1.0)
    }

    /// What a meeting, checked before, leaves with both. The event and the place in it are
    /// unique in the world. Does nothing for one that is gone.
    pub(in crate::ecs) fn note_meeting(
        &mut self,
        meeting: &Meeting,
        (event, place): (u64, u16),
        message: Option<&str>,
    ) {
        let tick = Moment::at(self.clock.tick);
        let sides = [(meeting.first, meeting.second), (meeting.second, meeting.first)];
        let memories = (self.customs.memory_capacity as usize).min(KEPT_MEMORIES);
        let relationships = self.customs.max_relationships as usize;
        let mut past = PastInteraction {
            event,
            place,
            sender: meeting.first,
            receiver: meeting.second,
            kind: meeting.kind,
            outcome: Some(meeting.outcome),
            impact: meeting.impact,
            energy: 0.0,
            tick,
            message: message.map(|words| Box::new(Message(words.into()))),
        };
        for ((own, other), cost) in sides.into_iter().zip(meeting.energy_costs) {
            let Some(entity) = self.entity(own) else { continue };
            let Ok((side, memory)) = self.agents.query_one_mut::<(&mut Interactions, &mut Memory)>(entity) else {
                continue;
            };
            side.energy = (side.energy - cost).max(0.0);
            if own == meeting.first {
                past.energy = side.energy;
            }
            match meeting.outcome {
                Outcome::Success | Outcome::PartialSuccess => side.successful += 1,
                Outcome::Failure => side.failed += 1,
                Outcome::Neutral => {}
            }
            keep(side, past.clone());
            relate(&mut side.relationships, other, meeting, tick, relationships);
            remember(memory, meeting, other, tick, memories);
        }
    }
}

pub(super) fn keep(own: &mut Interactions, past: PastInteraction) {
    own.total += 1;
    while own.latest.len() >= KEPT_INTERACTIONS {
        own.latest.pop_front();
    }
    if own.latest.len() == own.latest.capacity() {
        own.latest.reserve_exact(STEP.min(KEPT_INTERACTIONS - own.latest.len()));
    }
    own.latest.push_back(past);
}

/// Beyond `limit` the weakest goes; of equally weak ones that which rested longest.
fn relate(known: &mut Vec<Relationship>, other: AgentNumber, meeting: &Meeting, tick: Moment, limit: usize) {
    let at = known.binary_search_by_key(&other, |relationship| relationship.other);
    let at = at.unwrap_or_else(|at| {
        let (bond, last_tick) = (Bond::default(), tick);
        make_room(known);
        known.insert(at, Relationship { other, bond, count: 0, positive: 0, negative: 0, last_tick });
        at
    });
    if let Some(relationship) = known.get_mut(at) {
        relationship.bond = meeting.after;
        relationship.count = relationship.count.saturating_add(1);
        relationship.positive = relationship.positive.saturating_add(u32::from(meeting.impact > 0.0));
        relationship.negative = relationship.negative.saturating_add(u32::from(meeting.impact < 0.0));
        relationship.last_tick = tick;
    }
    while known.len() > limit {
        let weakest = known.iter().enumerate().min_by(|(_, one), (_, two)| {
            let by_quality = quality(one.bond).total_cmp(&quality(two.bond));
            by_quality.then(one.last_tick.cmp(&two.last_tick)).then(one.other.cmp(&two.other))
        });
        let Some((weakest, _)) = weakest else { return };
        known.remove(weakest);
    }
}

/// Room for a few more where there is none: doubling would leave a third of it empty, for every agent.
fn make_room<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(STEP);
    }
}

/// Mean of what a bond consists of.
fn quality(bond: Bond) -> f32 {
    (bond.strength + bond.trust + bond.familiarity) / 3.0
}

fn remember(memory: &mut Memory, meeting: &Meeting, about: AgentNumber, tick: Moment, capacity: usize) {
    make_room(&mut memory.memories);
    memory.memories.push(Remembered {
        kind: MemoryKind::Episodic,
        about,
        importance: meeting.importance,
        emotion: meeting.emotion,
        decay_rate: DECAY_RATE,
        accesses: 0,
        consolidated: false,
        created_tick: tick,
        accessed_tick: tick,
    });
    evict(memory, capacity);
}

/// Beyond its capacity a memory loses what is least important, of that what was not recalled for longest.
pub(in crate::ecs) fn evict(memory: &mut Memory, capacity: usize) {
    while memory.memories.len() > capacity {
        let least = memory.memories.iter().enumerate().min_by(|(_, one), (_, two)| {
            one.importance.total_cmp(&two.importance).then(one.accessed_tick.cmp(&two.accessed_tick))
        });
        let Some((least, _)) = least else { return };
        memory.memories.remove(least);
    }
}
