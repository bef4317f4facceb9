//! What agents do one by one and with each other: go somewhere, meet, talk, leave.

use super::{invalid, living};
use crate::ecs::component::{Agent, AgentNumber, Interactions, MAP_EDGE, Position};
use crate::ecs::event::Event;
use crate::ecs::read::outcome_word;
use crate::ecs::record;
use crate::ecs::running::Running;
use crate::ecs::state::State;
use crate::ecs::view::{ChatView, InteractionView, PositionView, WorldError};
use crate::rules::InteractionKind;

/// No rules decided.
const NOBODY: [u8; 32] = [0; 32];

impl Running {
    pub(in crate::ecs) async fn retire(&self, id: &str) -> Result<(), WorldError> {
        let turn = self.turn([id]).await;
        let agent = self.with(|state| living(state, id))?;
        self.tell(NOBODY, Event::Retired { agent }, turn).await.map(drop)
    }

    pub(in crate::ecs) async fn send_to(&self, id: &str, x: f32, y: f32) -> Result<PositionView, WorldError> {
        for (field, value) in [("x", x), ("y", y)] {
            if !(-MAP_EDGE..=MAP_EDGE).contains(&value) {
                return Err(invalid(field, format!("must be from {} to {MAP_EDGE}", -MAP_EDGE)));
            }
        }
        let turn = self.turn([id]).await;
        let agent = self.with(|state| living(state, id))?;
        self.tell(NOBODY, Event::Sent { agent, target: [x, y] }, turn.clone()).await?;
        self.with(|state| state.position(id))
    }

    pub(in crate::ecs) async fn send_towards(
        &self,
        id: &str,
        other: &str,
        distance: f32,
    ) -> Result<PositionView, WorldError> {
        if !distance.is_finite() || distance < 0.0 {
            return Err(invalid("distance", "must be a number and not negative"));
        }
        two(id, other, "target_agent_id")?;
        let turn = self.turn([id, other]).await;
        let (agent, target) = self.with(|state| {
            let (agent, goal) = (living(state, id)?, living(state, other)?);
            let (from, to) = (at(state, agent, id)?, at(state, goal, other)?);
            Ok::<_, WorldError>((agent, short_of(from, to, distance)))
        })?;
        self.tell(NOBODY, Event::Sent { agent, target }, turn.clone()).await?;
        self.with(|state| state.position(id))
    }

    pub(in crate::ecs) async fn interact(
        &self,
        first: &str,
        second: &str,
        kind: InteractionKind,
        spoken: &str,
    ) -> Result<InteractionView, WorldError> {
        two(first, second, "agent2_id")?;
        let turn = self.turn([first, second]).await;
        let rules = self.book.rules();
        let (numbers, individuals, names, before) = self.with(|state| {
            let numbers = [living(state, first)?, living(state, second)?];
            let individual =
                |at: usize, id: &str| state.individual(numbers[at]).ok_or_else(|| WorldError::NoAgent(id.to_owned()));
            let names = numbers.map(|number| name(state, number));
            let individuals = [individual(0, first)?, individual(1, second)?];
            Ok::<_, WorldError>((numbers, individuals, names, state.bond(numbers[0], numbers[1])))
        })?;
        let seed = self.seed("interact", &[self.chance()]);
        let decided = rules.interact(kind, &individuals[0], &individuals[1], before, seed).await?;
        let event = Event::Interacted {
            first: numbers[0],
            second: numbers[1],
            kind,
            outcome: decided.outcome,
            impact: decided.impact,
            after: decided.after,
            energy_costs: decided.energy_costs,
            message: None,
        };
        let sequence = self.tell(rules.about().digest, event, turn).await?;
        let outcome = outcome_word(decided.outcome);
        Ok(InteractionView {
            interaction_id: format!("{sequence}-0"),
            participants: [first.to_owned(), second.to_owned()],
            interaction_type: spoken.to_owned(),
            content: format!("{} and {}: {spoken}, {}", names[0], names[1], outcome.replace('_', " ")),
            outcome: outcome.to_owned(),
            relationship_impact: decided.impact,
            timestamp: record::rfc3339(record::now()),
            // Between two ticks no time passes.
            duration: 0.0,
            energy_cost: decided.energy_costs[0],
        })
    }

    pub(in crate::ecs) async fn chat(
        &self,
        sender: &str,
        receiver: &str,
        message: &str,
        kind: InteractionKind,
        spoken: &str,
    ) -> Result<ChatView, WorldError> {
        two(sender, receiver, "receiver_id")?;
        let turn = self.turn([sender, receiver]).await;
        let [from, to] = self.with(|state| Ok::<_, WorldError>([living(state, sender)?, living(state, receiver)?]))?;
        let event = Event::Chatted { sender: from, receiver: to, kind, message: message.to_owned() };
        self.tell(NOBODY, event, turn.clone()).await?;
        let (energy, names) = self.with(|state| {
            let energy = state.part::<Interactions>(from).map_or(0.0, |own| own.energy);
            (energy, [from, to].map(|number| name(state, number)))
        });
        Ok(ChatView {
            success: true,
            message: message.to_owned(),
            content: format!("{} to {}: {message}", names[0], names[1]),
            interaction_type: spoken.to_owned(),
            sender_energy: energy,
            timestamp: record::rfc3339(record::now()),
        })
    }
}

fn two(first: &str, second: &str, field: &str) -> Result<(), WorldError> {
    if first == second { Err(invalid(field, "must be another agent")) } else { Ok(()) }
}

fn at(state: &State, number: AgentNumber, id: &str) -> Result<[f32; 2], WorldError> {
    state.part::<Position>(number).map(|own| own.at).ok_or_else(|| WorldError::NoAgent(id.to_owned()))
}

fn name(state: &State, number: AgentNumber) -> String {
    state.part::<Agent>(number).map(|agent| agent.name.to_string()).unwrap_or_default()
}

/// On the straight way, `distance` before its end; where it is when it is as near already.
fn short_of(from: [f32; 2], to: [f32; 2], distance: f32) -> [f32; 2] {
    let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
    let length = dx.hypot(dy);
    if length <= distance {
        return from;
    }
    let share = (length - distance) / length;
    [from[0] + dx * share, from[1] + dy * share].map(|value| value.clamp(-MAP_EDGE, MAP_EDGE))
}

#[cfg(test)]
mod tests {
    use super::short_of;

    #[test]
    fn the_way_ends_short_of_the_other() {
        // 3-4-5: a fifth of the way is left out.
        assert_eq!(short_of([0.0, 0.0], [30.0, 40.0], 10.0), [24.0, 32.0]);
        assert_eq!(short_of([1.0, 2.0], [4.0, 6.0], 5.0), [1.0, 2.0]);
        assert_eq!(short_of([1.0, 2.0], [1.0, 2.0], 0.0), [1.0, 2.0]);
    }
}
