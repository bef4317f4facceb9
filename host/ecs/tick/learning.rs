//! What agents teach each other and lose again. In one lesson an agent learns what another, whom it knows,
//! does best. A topic is an ability, by its place among the abilities.

use parking_lot::RwLock;

use super::super::component::*;
use super::super::event::System;
use super::super::state::State;
use super::draw::Draw;
use super::{BATCH, Calls, Columns, MOST_PAIRS, TickSummary, columns};
use crate::rules::Lessons;

/// Less than this is nothing.
const LEAST: f32 = 0.01;

struct Lesson {
    learner: AgentNumber,
    teacher: AgentNumber,
    topic: u16,
    /// Of the teacher before the lesson.
    taught: f32,
    /// Of the learner, before it and then after it.
    learned: f32,
}

/// Lessons that took place.
#[derive(Default)]
pub(super) struct Effect {
    lessons: Vec<Lesson>,
    tick: u64,
}

pub(super) async fn plan(state: &RwLock<State>, world: &Columns, calls: &mut Calls<'_>, step: f32) -> Effect {
    let mut draw = Draw::new(calls.draws(System::Learning));
    let mut lessons = lessons(&state.read(), world, &mut draw);
    let mut effect = Effect { lessons: Vec::with_capacity(lessons.len()), tick: world.tick };
    for (batch, turns) in columns::batches(lessons.len()) {
        let asked = &lessons[turns.clone()];
        let rows = |agent: &dyn Fn(&Lesson) -> AgentNumber| -> Vec<f32> {
            world.traits_of_all(asked.iter().filter_map(|lesson| world.row(agent(lesson))))
        };
        let now = Lessons {
            count: asked.len() as u32,
            teachers: rows(&|lesson| lesson.teacher),
            learners: rows(&|lesson| lesson.learner),
            teacher_proficiencies: asked.iter().map(|lesson| lesson.taught).collect(),
            learner_proficiencies: asked.iter().map(|lesson| lesson.learned).collect(),
        };
        let seed = calls.seed(System::Learning, batch);
        let call = calls.rules().learn(&now, step, seed);
        if let Some(after) = calls.ask(System::Learning, batch, call).await {
            for (lesson, learned) in lessons[turns].iter_mut().zip(after) {
                effect.lessons.push(Lesson { learned, ..*lesson });
            }
        }
    }
    effect
}

/// One for each agent that knows somebody who does something better, up to `MOST_PAIRS`.
fn lessons(state: &State, world: &Columns, draw: &mut Draw) -> Vec<Lesson> {
    let mut lessons = Vec::new();
    if world.abilities.is_empty() || world.customs.knowledge_capacity == 0 {
        return lessons;
    }
    for row in draw.order(world.count()) {
        if lessons.len() == MOST_PAIRS {
            break;
        }
        let learner = world.numbers[row];
        let Some(known) = state.part::<Interactions>(learner) else { continue };
        let Some(relationship) = known.relationships.get(draw.below(known.relationships.len())) else { continue };
        let teacher = relationship.other;
        let Some((topic, taught)) = best(state, world, teacher) else { continue };
        let Some(knowledge) = state.part::<Knowledge>(learner) else { continue };
        let learned = match knowledge.learned.binary_search_by_key(&topic, |learned| learned.topic) {
            Ok(at) => knowledge.learned.get(at).map_or(0.0, |learned| learned.proficiency),
            Err(_) if knowledge.learned.len() >= world.customs.knowledge_capacity as usize => continue,
            Err(_) => 0.0,
        };
        if taught > learned {
            lessons.push(Lesson { learner, teacher, topic, taught, learned });
        }
    }
    lessons
}

/// What a living agent does best, by nature or because it learned it, and how well.
fn best(state: &State, world: &Columns, agent: AgentNumber) -> Option<(u16, f32)> {
    let nature = world.traits_of(world.row(agent)?).get(world.abilities.clone())?;
    let learned = &state.part::<Knowledge>(agent)?.learned;
    let natural = nature.iter().enumerate().map(|(topic, value)| (topic as u16, *value));
    let learned = learned.iter().map(|learned| (learned.topic, learned.proficiency));
    // Of equal ones the first topic.
    natural.chain(learned).max_by(|one, other| one.1.total_cmp(&other.1).then(other.0.cmp(&one.0)))
}

impl Effect {
    pub(super) fn apply(self, state: &mut State, summary: &mut TickSummary) {
        for Lesson { learner, teacher, topic, learned: proficiency, .. } in self.lessons {
            let Some(entity) = state.entity(learner) else { continue };
            let Ok(knowledge) = state.agents.query_one_mut::<&mut Knowledge>(entity) else { continue };
            summary.lessons += 1;
            let learned = Learned { topic, proficiency, from: teacher, used_tick: self.tick };
            let known = &mut knowledge.learned;
            match known.binary_search_by_key(&topic, |learned| learned.topic) {
                Ok(at) => known[at] = learned,
                Err(at) => known.insert(at, learned),
            }
            known.retain(|learned| learned.proficiency >= LEAST);
        }
    }
}

/// What is left of all that was learned: by batch, agent after agent, topic after topic.
#[derive(Default)]
pub(super) struct Lost(Vec<Option<Vec<f32>>>);

pub(super) async fn lost(state: &RwLock<State>, world: &Columns, calls: &mut Calls<'_>, step: f32) -> Lost {
    let known: Vec<Vec<f32>> = {
        let state = state.read();
        let mut batches = vec![Vec::new(); world.count().div_ceil(BATCH)];
        for (row, knowledge) in state.agents.query::<&Knowledge>().iter().enumerate() {
            batches[row / BATCH].extend(knowledge.learned.iter().map(|learned| learned.proficiency));
        }
        batches
    };
    let mut after = Vec::new();
    for (batch, known) in known.iter().enumerate() {
        let (batch, call) = (batch as u32, calls.rules().unlearn(known, step));
        let asked = !known.is_empty();
        after.push(if asked { calls.ask(System::Unlearning, batch, call).await } else { None });
    }
    Lost(after)
}

impl Lost {
    pub(super) fn apply(self, state: &mut State) {
        if self.0.iter().all(Option::is_none) {
            return;
        }
        let mut left: Vec<_> = self.0.into_iter().map(|batch| batch.map(Vec::into_iter)).collect();
        for (row, knowledge) in state.agents.query_mut::<&mut Knowledge>().into_iter().enumerate() {
            let Some(left) = left.get_mut(row / BATCH).and_then(Option::as_mut) else { continue };
            for (learned, left) in knowledge.learned.iter_mut().zip(left) {
                learned.proficiency = left;
            }
            knowledge.learned.retain(|learned| learned.proficiency >= LEAST);
        }
    }
}
