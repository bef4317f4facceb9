//! What rules may say of themselves: names that can be told apart, numbers that a world can be run with.

use super::*;

/// Traits of one agent.
const MOST_TRAITS: usize = 200;
/// Units of the map. Farther than that, everybody would be near everybody.
const FARTHEST_MEETING: f32 = 1_000.0;

/// What `Rules::about` says, its society included.
pub fn about(answer: About) -> Checked<About> {
    label("the rules' name", &answer.name)?;
    label("the rules' version", &answer.version)?;
    let width = answer.traits.width();
    if width == 0 || width > MOST_TRAITS {
        return broken(format!("{width} traits, it must be 1 to {MOST_TRAITS}"));
    }
    different("traits", answer.traits.all())?;
    if answer.spirits.is_empty() {
        return broken("no spirits".to_owned());
    }
    different("spirits", answer.spirits.iter().map(String::as_str))?;
    match answer.society {
        None => Ok(answer),
        Some(found) => Ok(About { society: Some(society(found, &answer.traits, &answer.spirits)?), ..answer }),
    }
}

/// A society of rules that know these traits and spirits.
pub fn society(answer: Society, traits: &TraitNames, spirits: &[String]) -> Checked<Society> {
    customs(&answer.customs)?;
    catalogue(&answer.catalogue, traits, spirits)?;
    Ok(answer)
}

fn customs(customs: &Customs) -> Checked<()> {
    range("stages", &customs.stages, 0.0, f32::MAX)?;
    if let Some(at) = customs.stages.windows(2).position(|pair| pair[1] < pair[0]) {
        let [before, after] = [customs.stages[at], customs.stages[at + 1]];
        return broken(format!("stages {} is {after}, less than {before} before it", at + 1));
    }
    for (column, value, high) in [
        ("maturity age", customs.maturity_age, f32::MAX),
        ("max age", customs.max_age, f32::MAX),
        ("breeding cooldown", customs.breeding_cooldown, f32::MAX),
        ("breeding threshold", customs.breeding_threshold, 1.0),
        ("meeting distance", customs.meeting_distance, FARTHEST_MEETING),
        ("movement speed", customs.movement_speed, TOP_SPEED),
    ] {
        range_of(column, value, 0.0, high)?;
    }
    let mut above = 1.0;
    for (at, level) in customs.levels.iter().enumerate() {
        label(&format!("levels {at}"), &level.name)?;
        range_of(&format!("levels {at}"), level.at_least, 0.0, above)?;
        above = level.at_least;
    }
    Ok(())
}

fn catalogue(catalogue: &Catalogue, traits: &TraitNames, spirits: &[String]) -> Checked<()> {
    different("spirits", catalogue.spirits.iter().map(|spirit| spirit.name.as_str()))?;
    for spirit in &catalogue.spirits {
        if !spirits.contains(&spirit.name) {
            return broken(format!("`{}` of the catalogue is none of the rules' spirits", spirit.name));
        }
        for (name, value) in &spirit.base_traits {
            known(traits, name)?;
            range_of(&format!("`{name}` of the spirit `{}`", spirit.name), *value, 0.0, 1.0)?;
        }
    }
    different("styles", catalogue.styles.iter().map(|style| style.name.as_str()))?;
    different("schemes", catalogue.schemes.iter().map(String::as_str))?;
    different("trait definitions", catalogue.traits.iter().map(|definition| definition.name.as_str()))?;
    for definition in &catalogue.traits {
        let name = &definition.name;
        known(traits, name)?;
        let group = match definition.group.as_str() {
            "personality" => &traits.personality,
            "physical" => &traits.physical,
            "abilities" => &traits.abilities,
            other => return broken(format!("the trait `{name}` is of the group `{other}`, which is none")),
        };
        if !group.contains(name) {
            return broken(format!("the trait `{name}` is not of the group `{}`", definition.group));
        }
        range_of(&format!("the default of `{name}`"), definition.default, 0.0, 1.0)?;
    }
    different("words", catalogue.words.iter().map(|(kind, _)| kind.as_str()))?;
    for (name, value) in &catalogue.parameters {
        range_of(&format!("the parameter `{name}`"), *value, f32::MIN, f32::MAX)?;
    }
    Ok(())
}

fn known(traits: &TraitNames, name: &str) -> Checked<()> {
    match traits.position(name) {
        Some(_) => Ok(()),
        None => broken(format!("`{name}` of the catalogue is none of the rules' traits")),
    }
}
