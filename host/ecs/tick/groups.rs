//! Groups: the rules say who would lead or join one, and what a group is worth; who knows whom and is near decides
//! what comes of it.

use parking_lot::RwLock;

use super::super::component::*;
use super::super::event::System;
use super::super::state::{Group, State};
use super::interaction::bond;
use super::{Calls, Columns, TickSummary, columns};
use crate::rules::{Groups, Part};

/// Beside the leader.
const LEAST_FOLLOWERS: usize = 2;
/// The leader too.
const MOST_MEMBERS: usize = 32;

pub(super) struct Effect {
    dissolved: Vec<u32>,
    /// All others that were there, as they will be.
    kept: Vec<(u32, Group)>,
    founded: Vec<Group>,
}

pub(super) async fn plan(state: &RwLock<State>, world: &Columns, calls: &mut Calls<'_>) -> Effect {
    let mut parts = vec![Part::Apart; world.count()];
    for (batch, rows) in world.batches() {
        let people = world.people(rows.clone());
        let seed = calls.seed(System::Groups, batch);
        if let Some(found) = calls.ask(System::Groups, batch, calls.rules().gather(&people, seed)).await {
            for (part, found) in parts[rows].iter_mut().zip(found) {
                *part = found;
            }
        }
    }
    let mut effect = form(&state.read(), world, &parts);
    weigh(&mut effect, world, calls).await;
    effect
}

/// Asks what the groups are worth that there will be, those that stay first. Where the call has no effect they keep
/// the influence that they had, new ones none.
async fn weigh(effect: &mut Effect, world: &Columns, calls: &mut Calls<'_>) {
    let kept = effect.kept.iter_mut().map(|(_, group)| group);
    let mut all: Vec<&mut Group> = kept.chain(&mut effect.founded).collect();
    for (batch, places) in columns::batches(all.len()) {
        let part = &mut all[places];
        let leader = |group: &Group| world.row(group.leader).and_then(|row| world.influences.get(row)).copied();
        let now = Groups {
            count: part.len() as u32,
            sizes: part.iter().map(|group| group.members.len() as u32).collect(),
            cohesions: part.iter().map(|group| group.cohesion).collect(),
            leaders: part.iter().map(|group| leader(group).unwrap_or_default()).collect(),
        };
        let Some(found) = calls.ask(System::Influence, batch, calls.rules().weigh(&now)).await else { continue };
        for (group, influence) in part.iter_mut().zip(found) {
            group.influence = influence;
        }
    }
}

fn form(state: &State, world: &Columns, parts: &[Part]) -> Effect {
    let part = |agent| world.row(agent).and_then(|row| parts.get(row)).copied();
    let mut effect = Effect { dissolved: vec![], kept: vec![], founded: vec![] };
    // Rows whose leader has a group of its own already.
    let mut leading = vec![false; world.count()];
    for (id, group) in &state.groups {
        let Some(row) = world.row(group.leader) else {
            effect.dissolved.push(*id);
            continue;
        };
        let mut group = group.clone();
        group.members.retain(|member| world.row(*member).is_some());
        // Only the first of its groups grows.
        if !std::mem::replace(&mut leading[row], true) && part(group.leader) == Some(Part::Leader) {
            let room = MOST_MEMBERS.saturating_sub(group.members.len());
            let known = group.members.clone();
            group.members.extend(followers(state, world, row, part, &known).into_iter().take(room));
        }
        if group.members.len() < 2 {
            effect.dissolved.push(*id);
            continue;
        }
        effect.kept.push((*id, measured(state, group)));
    }
    for (row, found) in parts.iter().enumerate() {
        if *found != Part::Leader || leading[row] {
            continue;
        }
        let leader = world.numbers[row];
        let mut members = followers(state, world, row, part, &[]);
        if members.len() < LEAST_FOLLOWERS {
            continue;
        }
        members.truncate(MOST_MEMBERS - 1);
        members.push(leader);
        let group = Group { leader, members, founded_tick: world.tick, cohesion: 0.0, influence: 0.0 };
        effect.founded.push(measured(state, group));
    }
    effect
}

/// Those who would join, know the leader and are near it, by the strength of their bond.
fn followers(
    state: &State,
    world: &Columns,
    leader: usize,
    part: impl Fn(AgentNumber) -> Option<Part>,
    but: &[AgentNumber],
) -> Vec<AgentNumber> {
    let Some(known) = state.part::<Interactions>(world.numbers[leader]) else { return vec![] };
    let near = |row: usize| world.distance(leader, row) <= world.customs.meeting_distance;
    let mut found: Vec<(f32, AgentNumber)> = known
        .relationships
        .iter()
        .filter(|relationship| part(relationship.other) == Some(Part::Member))
        .filter(|relationship| world.row(relationship.other).is_some_and(near) && !but.contains(&relationship.other))
        .map(|relationship| (relationship.bond.strength, relationship.other))
        .collect();
    found.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    found.into_iter().map(|(_, agent)| agent).collect()
}

/// With members in order, and the cohesion of now.
fn measured(state: &State, mut group: Group) -> Group {
    group.members.sort_unstable();
    let followers = group.members.iter().filter(|member| **member != group.leader);
    let strengths: Vec<f32> =
        followers.map(|member| bond(state, group.leader, *member).map_or(0.0, |bond| bond.strength)).collect();
    group.cohesion = strengths.iter().sum::<f32>() / strengths.len().max(1) as f32;
    group
}

impl Effect {
    pub(super) fn apply(self, state: &mut State, summary: &mut TickSummary) {
        (summary.founded, summary.dissolved) = (self.founded.len() as u32, self.dissolved.len() as u32);
        for id in self.dissolved {
            state.dissolve(id);
        }
        for (id, group) in self.kept {
            let before = state.groups.get(&id).map(|group| group.members.clone()).unwrap_or_default();
            for member in group.members.iter().filter(|member| !before.contains(member)) {
                join(state, *member, id, false);
            }
            state.groups.insert(id, group);
        }
        for group in self.founded {
            let id = state.next_group;
            state.next_group += 1;
            for member in &group.members {
                join(state, *member, id, *member == group.leader);
            }
            state.groups.insert(id, group);
        }
    }
}

fn join(state: &mut State, member: AgentNumber, group: u32, leads: bool) {
    let Some(entity) = state.entity(member) else { return };
    if let Ok(social) = state.agents.query_one_mut::<&mut Social>(entity) {
        if let Err(at) = social.groups.binary_search(&group) {
            social.groups.insert(at, group);
        }
        social.leads += u32::from(leads);
    }
}
