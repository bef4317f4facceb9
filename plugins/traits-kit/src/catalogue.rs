//! The catalogue as the contract wants it, made of the constant tables. Costs an allocation a word, so it
//! is made when it is asked for and at no other time.

use crate::bindings::exports::corsac::agents::society as wire;
use crate::data::{self, words};
use crate::traits::{self, TRAITS};

/// `parameters` are the numbers of the rules that show it.
pub fn catalogue(parameters: &[(&str, f32)]) -> wire::Catalogue {
    let split = |words: &str| words.split_whitespace().map(str::to_owned).collect();
    let numbers = |pairs: &[(&str, f32)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    let mut spirits: Vec<_> = data::spirits()
        .map(|spirit| wire::Spirit {
            name: spirit.name.into(),
            category: spirit.category.into(),
            emoji: spirit.emoji.into(),
            adjectives: split(spirit.adjectives),
            names: split(spirit.names),
            generation_numbers: spirit.generation_numbers.to_vec(),
            base_traits: numbers(spirit.base),
        })
        .collect();
    spirits.sort_by(|one, other| one.name.cmp(&other.name));
    wire::Catalogue {
        spirits,
        styles: words::STYLES
            .iter()
            .map(|style| wire::Style {
                name: style.name.into(),
                template: style.template.into(),
                purpose: style.purpose.into(),
            })
            .collect(),
        schemes: words::SCHEMES.iter().map(|&scheme| scheme.into()).collect(),
        traits: TRAITS
            .iter()
            .enumerate()
            .map(|(place, of)| wire::TraitDefinition {
                name: of.name.into(),
                group: traits::group(place).into(),
                category: of.category.into(),
                default: of.default,
                purpose: of.purpose.into(),
            })
            .collect(),
        words: words::LISTS
            .iter()
            .map(|(name, words)| wire::WordList { name: (*name).into(), words: split(words) })
            .collect(),
        parameters: numbers(parameters),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_all_there_is() {
        let shown = catalogue(&[("mutation-rate", 0.1)]);
        assert_eq!((shown.spirits.len(), shown.styles.len(), shown.schemes.len(), shown.traits.len()), (50, 6, 11, 44));
        assert_eq!((shown.spirits[0].name.as_str(), shown.spirits[49].name.as_str()), ("alien", "wolf"));
        assert!(shown.spirits.iter().all(|spirit| spirit.adjectives.len() == 5 && spirit.names.len() >= 12));
        assert_eq!(shown.parameters, [("mutation-rate".to_owned(), 0.1)]);
        let size = &shown.traits[16];
        assert_eq!((size.name.as_str(), size.group.as_str()), ("size", "physical"));
    }
}
