//! A child of two agents. Whether they may is the state's and the rules' word, what it becomes the rules'.

use std::sync::Arc;

use super::{between, check_id, living, number_of, view_of, wrong_length};
use crate::ecs::component::{AgentNumber, MAP_EDGE, Position, UNSPECIFIED};
use crate::ecs::event::{Birth, Event};
use crate::ecs::running::Running;
use crate::ecs::view::{AgentView, WorldError};
use crate::rules::{Individual, Rules};

/// A child appears within this of the middle between its parents, on either axis.
const NEAR: f32 = 10.0;

/// What is read of the parents.
struct Parents {
    numbers: [AgentNumber; 2],
    individuals: [Individual; 2],
    styles: [String; 2],
    middle: [f32; 2],
}

impl Running {
    pub(in crate::ecs) async fn breed(&self, first: &str, second: &str, child: &str) -> Result<AgentView, WorldError> {
        let turn = self.turn([first, second, child]).await;
        let rules = self.book.rules();
        let parents = self.parents(first, second, child)?;
        self.check_pair(first, second, &parents, &*rules).await?;
        let [one, two] = &parents.individuals;
        let seed = self.seed("inherit", &[number_of([first, second, child])]);
        let mut offspring = rules.inherit(one, two, 1, seed).await?;
        let found = offspring.spirits.len().min(offspring.mutations.len());
        let (Some(spirit), Some(mutations)) = (offspring.spirits.pop(), offspring.mutations.pop()) else {
            return Err(wrong_length(&*rules, "inherit", 1, found));
        };
        let width = rules.about().traits.width();
        if offspring.traits.len() != width {
            return Err(wrong_length(&*rules, "inherit", width, offspring.traits.len()));
        }
        let generation = one.generation.max(two.generation).saturating_add(1);
        let [first_style, second_style] = parents.styles;
        let style = if seed & 1 == 0 { first_style } else { second_style };
        let names = self.names_for(&spirit, &style, generation, 1, number_of([child]), &*rules).await?;
        let promised = self.name(child, &spirit, &mut names.as_slice(), &names)?;
        self.check_room()?;
        let near = |axis: &str, middle: f32| {
            (middle + between(self.seed(axis, &[seed]), -NEAR, NEAR)).clamp(-MAP_EDGE, MAP_EDGE)
        };
        let birth = Birth {
            number: AgentNumber(0),
            id: child.to_owned(),
            name: promised.name.to_string(),
            spirit,
            style,
            generation,
            traits: offspring.traits,
            mutations,
            at: [near("x", parents.middle[0]), near("y", parents.middle[1])],
            gender: UNSPECIFIED,
            age: 0.0,
        };
        let view = view_of(&birth);
        let event = Event::Bred { parents: parents.numbers, births: vec![birth] };
        // The name is held until it is the state's, even if the caller goes meanwhile.
        self.tell(rules.about().digest, event, Arc::new((turn, promised))).await?;
        Ok(view)
    }

    fn parents(&self, first: &str, second: &str, child: &str) -> Result<Parents, WorldError> {
        self.with(|state| {
            let numbers = [living(state, first)?, living(state, second)?];
            check_id(state, child, || "offspring_id".to_owned())?;
            let obstacles = state.obstacles(numbers[0], numbers[1]);
            if !obstacles.is_empty() {
                return Err(WorldError::Conflict(obstacles.join("; ")));
            }
            let individual = |at: usize| state.individual(numbers[at]).ok_or_else(|| gone([first, second][at]));
            let style =
                |at: usize| state.view(numbers[at]).map(|view| view.style).ok_or_else(|| gone([first, second][at]));
            let place = |at: usize| {
                state.part::<Position>(numbers[at]).map(|own| own.at).ok_or_else(|| gone([first, second][at]))
            };
            let ([ax, ay], [bx, by]) = (place(0)?, place(1)?);
            Ok(Parents {
                numbers,
                individuals: [individual(0)?, individual(1)?],
                styles: [style(0)?, style(1)?],
                middle: [f32::midpoint(ax, bx), f32::midpoint(ay, by)],
            })
        })
    }

    async fn check_pair(
        &self,
        first: &str,
        second: &str,
        parents: &Parents,
        rules: &dyn Rules,
    ) -> Result<(), WorldError> {
        let [one, two] = &parents.individuals;
        let score = crate::ecs::pairs::score(one, two, rules).await?;
        let least = self.with(|state| state.customs.breeding_threshold);
        match score < least {
            true => Err(WorldError::Conflict(format!(
                "the compatibility of `{first}` and `{second}` is {score:.2}, below the {least:.2} that breeding wants"
            ))),
            false => Ok(()),
        }
    }
}

fn gone(id: &str) -> WorldError {
    WorldError::NoAgent(id.to_owned())
}
