//! Who is where.

use super::{State, first};
use crate::ecs::component::*;
use crate::ecs::view::*;
use crate::ecs::world::{Page, PageOf};

impl State {
    /// Of a living agent.
    pub fn position(&self, id: &str) -> Result<PositionView, WorldError> {
        let mut found = self.agents.query_one::<(&Agent, &Position)>(self.find_entity(id)?);
        let (agent, position) = found.get().map_err(|_| WorldError::NoAgent(id.to_owned()))?;
        Ok(self.position_view(agent, position))
    }

    /// Of living agents by number; costs a fraction of the offset, and the page.
    pub fn positions(&self, page: PageOf) -> Page<PositionView> {
        let view = self.agents.view::<(&Agent, &Position)>();
        let offset = usize::try_from(page.offset).unwrap_or(usize::MAX);
        let living = self.entities.after(offset).take(page.limit as usize);
        let items = living
            .filter_map(|(_, entity)| view.get(entity))
            .map(|(agent, position)| self.position_view(agent, position))
            .collect();
        Page { items, total: u64::from(self.agents.len()) }
    }

    pub fn distance(&self, first: &str, second: &str) -> Result<(f32, PositionView, PositionView), WorldError> {
        let (first, second) = (self.position(first)?, self.position(second)?);
        let squared = squared([first.x, first.y], [second.x, second.y]);
        Ok((squared.sqrt(), first, second))
    }

    /// Others within the radius, nearest first, of equally near ones the elder first. Looks at every place,
    /// which lie side by side in memory: 100,000 take a fraction of a millisecond, and no command has to
    /// keep a grid for it.
    pub fn nearby(&self, id: &str, radius: f32, limit: u32) -> Result<Vec<Neighbour>, WorldError> {
        let own = self.find_entity(id)?;
        let center = self.agents.get::<&Position>(own).map_err(|_| WorldError::NoAgent(id.to_owned()))?.at;
        let reach = radius * radius;
        let mut near: Vec<(f32, AgentNumber, hecs::Entity)> = Vec::new();
        for (entity, position, agent) in self.agents.query::<(hecs::Entity, &Position, &Agent)>().iter() {
            let squared = squared(center, position.at);
            if squared <= reach && entity != own {
                near.push((squared, agent.number, entity));
            }
        }
        let order =
            |one: &(f32, AgentNumber, _), two: &(f32, AgentNumber, _)| one.0.total_cmp(&two.0).then(one.1.cmp(&two.1));
        let near = first(near, limit as usize, order);
        let view = self.agents.view::<(&Agent, &Position)>();
        let neighbour = |(squared, _, entity): (f32, AgentNumber, hecs::Entity)| {
            let (agent, position) = view.get(entity)?;
            let ([x, y], distance) = (position.at, squared.sqrt());
            let (name, spirit) = (agent.name.to_string(), agent.spirit.to_string());
            Some(Neighbour { agent_id: agent.id.to_string(), name, spirit, x, y, distance })
        };
        Ok(near.into_iter().filter_map(neighbour).collect())
    }

    /// One that wanders has its own place for a target.
    pub(super) fn position_view(&self, agent: &Agent, position: &Position) -> PositionView {
        let [target_x, target_y] = position.target.unwrap_or(position.at);
        PositionView {
            agent_id: agent.id.to_string(),
            x: position.at[0],
            y: position.at[1],
            target_x,
            target_y,
            velocity_x: position.velocity[0],
            velocity_y: position.velocity[1],
            movement_speed: self.customs.movement_speed,
        }
    }
}

fn squared(one: [f32; 2], two: [f32; 2]) -> f32 {
    let (x, y) = (one[0] - two[0], one[1] - two[1]);
    x * x + y * y
}
