//! Names: a style's template filled with the names of a spirit and words of ours. Unique within one call,
//! reproducible by seed.
//!
//! A template alone gives a few thousand names; a host with many agents needs more. So, of every four names
//! asked for, the first two are as the template says, the third has two words for one suffix or last word
//! (`StormSage`), and the fourth ends in a number: a host that finds the first ones taken takes a later one.

use std::collections::BTreeSet;

use crate::data::{self, Spirit, words};
use crate::{Chance, PluginError};

/// Numbers that names end in, to tell them apart: 100 to this.
const LAST_NUMBER: u32 = 999_999;
/// Draws for one name before it gets a number.
const TRIES: u32 = 4;

/// `count` different names. `generation` from 1 picks the spirit's generation number, and goes round after the
/// last. Errors: `bad-query` for a spirit or style that does not exist.
pub fn names(spirit: &str, style: &str, generation: u32, count: u32, seed: u64) -> Result<Vec<String>, PluginError> {
    let unknown = |what: &str, name: &str| PluginError::BadQuery(format!("there is no {what} `{name}`"));
    let spirit = data::find(spirit).ok_or_else(|| unknown("spirit", spirit))?;
    let style = words::STYLES.iter().find(|known| known.name == style).ok_or_else(|| unknown("style", style))?;
    let mut chance = Chance::new(seed);
    let mut taken = BTreeSet::new();
    let mut names = Vec::with_capacity(count as usize);
    for number in 0..count {
        let (compound, mut numbered) = (number % 4 == 2, number % 4 == 3);
        let mut tries = 0;
        loop {
            let mut name = fill(style.template, spirit, generation, compound, &mut chance);
            numbered |= tries >= TRIES;
            if numbered {
                name.push_str(&format!("-{}", 100 + chance.below(LAST_NUMBER - 99)));
            }
            if taken.insert(name.clone()) {
                names.push(name);
                break;
            }
            tries += 1;
        }
    }
    Ok(names)
}

/// A template with its braces filled. `compound`: the last list of words gives two words in one.
pub fn fill(template: &str, spirit: &Spirit, generation: u32, compound: bool, chance: &mut Chance) -> String {
    let mut name = String::with_capacity(32);
    let parts = || template.split('-').map(|part| part.trim_matches(['{', '}']));
    let last = parts().rfind(|part| words::list(part).is_some());
    for part in parts() {
        if !name.is_empty() {
            name.push('-');
        }
        match (part, words::list(part)) {
            ("spirit", _) => name.push_str(chance.word(spirit.names)),
            ("generation", _) => {
                let numbers = spirit.generation_numbers;
                name.push_str(&numbers[(generation.max(1) as usize - 1) % numbers.len()].to_string());
            }
            (_, Some(words)) => {
                if compound && Some(part) == last {
                    name.push_str(chance.word(words));
                }
                name.push_str(chance.word(words));
            }
            (literal, None) => name.push_str(literal),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foundation_names_are_spirit_suffix_generation() {
        // The third generation number of the fox.
        for name in &names("fox", "foundation", 3, 2, 1).unwrap() {
            let parts: Vec<_> = name.split('-').collect();
            let [spirit, suffix, generation] = parts[..] else { panic!("{name}") };
            assert!(data::find("fox").unwrap().names.split(' ').any(|known| known == spirit), "{name}");
            assert!(words::list("suffix").unwrap().split(' ').any(|known| known == suffix), "{name}");
            assert_eq!(generation, "13");
        }
        // Seven numbers: the eighth generation has the first.
        assert!(names("fox", "foundation", 8, 1, 1).unwrap()[0].ends_with("-3"));
    }

    #[test]
    fn cyberpunk_names_begin_with_a_prefix() {
        let name = &names("owl", "cyberpunk", 1, 1, 9).unwrap()[0];
        let prefix = name.split('-').next().unwrap();
        assert!(words::list("prefix").unwrap().split(' ').any(|known| known == prefix), "{name}");
    }

    #[test]
    fn many_names_are_all_different_in_every_style() {
        for style in words::STYLES {
            let many = names("wolf", style.name, 1, 2_000, 3).unwrap();
            assert_eq!(many.len(), 2_000);
            assert_eq!(many.iter().collect::<BTreeSet<_>>().len(), 2_000, "{}", style.name);
            assert!(many.iter().all(|name| name.len() <= 100 && name.split('-').all(|part| !part.is_empty())));
        }
    }

    #[test]
    fn the_seed_decides() {
        let of = |seed| names("bee", "hybrid", 2, 20, seed).unwrap();
        assert_eq!(of(5), of(5));
        let (one, other) = (of(5), of(6));
        let shared = one.iter().filter(|name| other.contains(name)).count();
        assert!(shared < 5, "{shared} names are the same");
    }

    #[test]
    fn what_does_not_exist_is_named() {
        assert_eq!(names("fox", "baroque", 1, 1, 0), Err(PluginError::BadQuery("there is no style `baroque`".into())));
        assert!(names("teapot", "exo", 1, 1, 0).is_err());
        assert_eq!(names("fox", "exo", 1, 0, 0), Ok(vec![]));
    }
}
