//! Spirits, styles and words as constant tables: nothing is parsed when an instance starts, which is once a
//! call. Lists of words are one text each, split where they are needed. All names and words are our own.

mod mammals;
mod scales_and_legends;
mod waters_and_skies;
/// What names are made of.
pub mod words;

/// A kind of creature that an agent takes after.
#[derive(Clone, Copy, Debug)]
pub struct Spirit {
    pub name: &'static str,
    pub category: &'static str,
    pub emoji: &'static str,
    /// Five, with spaces between.
    pub adjectives: &'static str,
    /// Twelve or more, with spaces between.
    pub names: &'static str,
    /// Rising.
    pub generation_numbers: [u32; 7],
    /// Where it differs from the traits' defaults: trait and value, 0 to 1.
    pub base: &'static [(&'static str, f32)],
}

const fn spirit(
    name: &'static str,
    category: &'static str,
    emoji: &'static str,
    adjectives: &'static str,
    names: &'static str,
    generation_numbers: [u32; 7],
    base: &'static [(&'static str, f32)],
) -> Spirit {
    Spirit { name, category, emoji, adjectives, names, generation_numbers, base }
}

/// All spirits, in no particular order.
pub fn spirits() -> impl Iterator<Item = &'static Spirit> {
    mammals::SPIRITS.iter().chain(&waters_and_skies::SPIRITS).chain(&scales_and_legends::SPIRITS)
}

pub fn find(name: &str) -> Option<&'static Spirit> {
    spirits().find(|spirit| spirit.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::traits;

    /// The fifty of the system that this one replaces.
    const EXPECTED: &str = "alien ant ape axolotl aye bear bee capybara cheetah coyote dolphin dragon dragonfly \
        eagle elephant falcon flamingo fox frog hawk jackal jaguar kiwi lemur leopard lion lizard lynx mantis monkey \
        narwhal octopus otter owl panda pangolin peacock phoenix platypus quokka raven rhino shark snake spider tiger \
        toucan turtle whale wolf";

    #[test]
    fn the_fifty_spirits_are_all_there() {
        let names: BTreeSet<_> = spirits().map(|spirit| spirit.name).collect();
        assert_eq!(names, EXPECTED.split_whitespace().collect());
        assert_eq!(spirits().count(), 50);
        let categories: BTreeSet<_> = spirits().map(|spirit| spirit.category).collect();
        assert_eq!(categories.len(), 11);
    }

    #[test]
    fn every_spirit_is_complete() {
        let mut all = BTreeSet::new();
        for spirit in spirits() {
            let name = spirit.name;
            assert_eq!(spirit.adjectives.split(' ').count(), 5, "{name}");
            assert!(spirit.names.split(' ').count() >= 12, "{name}");
            assert!(spirit.generation_numbers.is_sorted_by(|one, next| one < next), "{name}");
            assert!(!spirit.emoji.is_empty() && !spirit.base.is_empty(), "{name}");
            for word in spirit.names.split(' ') {
                assert!(word.starts_with(|first: char| first.is_ascii_uppercase()), "{name}: {word}");
                assert!(word.chars().all(|letter| letter.is_ascii_alphabetic()), "{name}: {word}");
                assert!(all.insert(word), "{word} is a name twice");
            }
            for (trait_name, value) in spirit.base {
                assert!(traits::position(trait_name).is_some(), "{name}: {trait_name}");
                assert!((0.0..=1.0).contains(value), "{name}: {trait_name}");
            }
        }
    }

    /// Values that were declared for them.
    #[test]
    fn declared_base_values_are_kept() {
        let base = |name: &str, of: &str| {
            let row = traits::base(name).unwrap();
            row[traits::position(of).unwrap()]
        };
        assert_eq!(
            [base("fox", "intelligence"), base("fox", "agility"), base("wolf", "loyalty"), base("wolf", "endurance")],
            [0.7, 0.8, 0.9, 0.8]
        );
        assert_eq!(base("otter", "playfulness"), 0.9);
        // Not said of the fox: the trait's default.
        assert_eq!(base("fox", "aggression"), 0.3);
    }
}
