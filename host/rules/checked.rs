//! What a rules' answer must keep: lengths, ranges, no NaN, no infinities. An answer that does not is a
//! broken contract, with the column, the place and the value named; nothing of it is used. Knows the
//! words of rules only, neither who answered nor what for.

use super::*;

/// What rules say of themselves.
mod description;

pub use description::{about, society};

/// Faster than any agent may be, in units of the map a world second.
pub const TOP_SPEED: f32 = 1_000.0;
/// Characters of a name.
pub const LONGEST_NAME: usize = 100;
/// By how many years an age may shrink, as rounding makes it.
const AGE_EPSILON: f32 = 1e-3;

type Checked<T> = Result<T, CallError>;

fn broken<T>(what: String) -> Checked<T> {
    Err(CallError::Contract(what))
}

fn length(column: &str, found: usize, expected: usize) -> Checked<()> {
    if found == expected { Ok(()) } else { broken(format!("{found} {column} for {expected}")) }
}

/// A value that is not finite is in no range.
fn range(column: &str, values: &[f32], low: f32, high: f32) -> Checked<()> {
    // `!(low..=high).contains` and no comparison turned round: NaN must not pass.
    match values.iter().position(|value| !(low..=high).contains(value)) {
        None => Ok(()),
        Some(at) => broken(format!("{column} {at} is {}, it must be {low} to {high}", values[at])),
    }
}

fn range_of(column: &str, value: f32, low: f32, high: f32) -> Checked<()> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        broken(format!("{column} is {value}, it must be {low} to {high}"))
    }
}

fn share(column: &str, values: &[f32], count: usize) -> Checked<()> {
    length(column, values.len(), count)?;
    range(column, values, 0.0, 1.0)
}

fn label(what: &str, text: &str) -> Checked<()> {
    if text.trim().is_empty() {
        return broken(format!("{what} is empty"));
    }
    let length = text.chars().count();
    if length > LONGEST_NAME {
        return broken(format!("{what} has {length} characters, more than {LONGEST_NAME}"));
    }
    match text.chars().find(|character| character.is_control()) {
        None => Ok(()),
        Some(character) => broken(format!("{what} holds the control character {character:?}")),
    }
}

fn different<'a>(what: &str, texts: impl IntoIterator<Item = &'a str>) -> Checked<()> {
    let mut seen = std::collections::HashMap::new();
    for (at, text) in texts.into_iter().enumerate() {
        label(&format!("{what} {at}"), text)?;
        if let Some(before) = seen.insert(text, at) {
            return broken(format!("{what} {at} is `{text}`, as {what} {before} is"));
        }
    }
    Ok(())
}

/// `count` rows of `width` traits.
fn traits(answer: &[f32], count: usize, width: usize) -> Checked<()> {
    let expected = count * width;
    if answer.len() != expected {
        return broken(format!("{} traits for {count} rows of {width}", answer.len()));
    }
    match answer.iter().position(|value| !(0.0..=1.0).contains(value)) {
        None => Ok(()),
        Some(at) => broken(format!(
            "traits {at} (row {}, column {}) is {}, it must be 0 to 1",
            at / width,
            at % width,
            answer[at]
        )),
    }
}

/// The answer of `Rules::first_traits`.
pub fn first_traits(answer: Vec<f32>, count: u32, width: usize) -> Checked<Vec<f32>> {
    traits(&answer, count as usize, width)?;
    Ok(answer)
}

/// The answer of `Rules::inherit`; `spirits` are those that the rules know.
pub fn offspring(answer: Offspring, count: u32, width: usize, spirits: &[String]) -> Checked<Offspring> {
    let count = count as usize;
    traits(&answer.traits, count, width)?;
    length("spirits", answer.spirits.len(), count)?;
    length("mutations", answer.mutations.len(), count)?;
    match answer.spirits.iter().position(|spirit| !spirits.contains(spirit)) {
        None => Ok(answer),
        Some(at) => broken(format!("spirits {at} is `{}`, which these rules do not know", answer.spirits[at])),
    }
}

/// The answer of `Rules::compatibility`, and of `Rules::score`.
pub fn compatibility(answer: Vec<f32>, count: u32) -> Checked<Vec<f32>> {
    share("scores", &answer, count as usize)?;
    Ok(answer)
}

/// The answer of `Rules::interact`.
pub fn interaction(answer: Interaction) -> Checked<Interaction> {
    range_of("impact", answer.impact, -1.0, 1.0)?;
    range_of("strength", answer.after.strength, 0.0, 1.0)?;
    range_of("trust", answer.after.trust, 0.0, 1.0)?;
    range_of("familiarity", answer.after.familiarity, 0.0, 1.0)?;
    range("energy costs", &answer.energy_costs, 0.0, 1.0)?;
    Ok(answer)
}

/// The answer of `Rules::tick` to `before`, whose rows have `width` traits. Nobody grows younger.
pub fn lives(answer: LivesAfter, before: &Lives, width: usize) -> Checked<LivesAfter> {
    let count = before.count as usize;
    length("ages", answer.ages.len(), count)?;
    range("ages", &answer.ages, 0.0, f32::MAX)?;
    let younger = answer.ages.iter().zip(&before.ages).position(|(after, before)| *after < before - AGE_EPSILON);
    if let Some(at) = younger {
        return broken(format!("ages {at} is {}, it was {} before", answer.ages[at], before.ages[at]));
    }
    share("energies", &answer.energies, count)?;
    if !answer.traits.is_empty() {
        traits(&answer.traits, count, width)?;
    }
    length("alive", answer.alive.len(), count)?;
    Ok(answer)
}

/// The answer of `Rules::names`: up to `count`.
pub fn names(answer: Vec<String>, count: u32) -> Checked<Vec<String>> {
    if answer.len() > count as usize {
        return broken(format!("{} names, more than {count}", answer.len()));
    }
    different("names", answer.iter().map(String::as_str))?;
    Ok(answer)
}

/// The answer of `Rules::meet`. What is said of pairs that passed each other by may be anything.
pub fn encounters(answer: EncountersAfter, count: u32) -> Checked<EncountersAfter> {
    let count = count as usize;
    length("met", answer.met.len(), count)?;
    length("kinds", answer.kinds.len(), count)?;
    length("outcomes", answer.outcomes.len(), count)?;
    for (column, values, low) in [
        ("impacts", &answer.impacts, -1.0),
        ("strengths", &answer.strengths, 0.0),
        ("trusts", &answer.trusts, 0.0),
        ("familiarities", &answer.familiarities, 0.0),
        ("first costs", &answer.first_costs, 0.0),
        ("second costs", &answer.second_costs, 0.0),
        ("importances", &answer.importances, 0.0),
        ("emotions", &answer.emotions, -1.0),
    ] {
        length(column, values.len(), count)?;
        let wrong = |(met, value): (&bool, &f32)| *met && !(low..=1.0).contains(value);
        if let Some(at) = answer.met.iter().zip(values).position(wrong) {
            return broken(format!("{column} {at} is {}, it must be {low} to 1", values[at]));
        }
    }
    Ok(answer)
}

/// The answer of `Rules::wander`: nobody is faster than `TOP_SPEED`.
pub fn velocities(answer: (Vec<f32>, Vec<f32>), count: u32) -> Checked<(Vec<f32>, Vec<f32>)> {
    let (xs, ys) = &answer;
    length("velocities x", xs.len(), count as usize)?;
    length("velocities y", ys.len(), count as usize)?;
    range("velocities x", xs, -TOP_SPEED, TOP_SPEED)?;
    range("velocities y", ys, -TOP_SPEED, TOP_SPEED)?;
    // Not by `hypot`, which rounds as the machine likes: a replay must accept what was accepted elsewhere.
    match xs.iter().zip(ys).position(|(x, y)| x * x + y * y > TOP_SPEED * TOP_SPEED) {
        None => Ok(answer),
        Some(at) => broken(format!("velocities {at} is ({}, {}), faster than {TOP_SPEED}", answer.0[at], answer.1[at])),
    }
}

/// The answer of `Rules::remember`.
pub fn memories(answer: MemoriesAfter, count: u32) -> Checked<MemoriesAfter> {
    let count = count as usize;
    share("importances", &answer.importances, count)?;
    length("consolidated", answer.consolidated.len(), count)?;
    length("forgotten", answer.forgotten.len(), count)?;
    Ok(answer)
}

/// The answer of `Rules::learn`, and of `Rules::unlearn`.
pub fn proficiencies(answer: Vec<f32>, count: u32) -> Checked<Vec<f32>> {
    share("proficiencies", &answer, count as usize)?;
    Ok(answer)
}

/// The answer of `Rules::gather`.
pub fn parts(answer: Vec<Part>, count: u32) -> Checked<Vec<Part>> {
    length("parts", answer.len(), count as usize)?;
    Ok(answer)
}

/// The answer of `Rules::stand`.
pub fn standings(answer: Standings, count: u32) -> Checked<Standings> {
    let count = count as usize;
    length("influences", answer.influences.len(), count)?;
    range("influences", &answer.influences, 0.0, 2.0)?;
    length("standings", answer.standings.len(), count)?;
    Ok(answer)
}

/// The answer of `Rules::weigh`.
pub fn group_influences(answer: Vec<f32>, count: u32) -> Checked<Vec<f32>> {
    share("group influences", &answer, count as usize)?;
    Ok(answer)
}

#[cfg(test)]
mod tests;
