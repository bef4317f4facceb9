//! What the standard trait rules share: bindings of the `complete-rules` world, chance from a seed, the 44
//! traits, spirits and names as constant tables, and the formulas of a society. A plain library: rules of
//! your own need nothing from here (see `plugins/README.md`). Knows of no host and keeps nothing.
//!
//! Formulas use + − × ÷, comparisons and square roots only: those give the same bits on every machine.

/// What `wit_bindgen` makes of the contract; the names that rules use are re-exported below.
pub mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit/v0.1", "../../wit/world-v0.1"],
        world: "corsac:agents/complete-rules",
        generate_all,
        pub_export_macro: true,
        additional_derives: [PartialEq],
    });
}

/// What both catalogues say.
pub mod catalogue;
pub mod chance;
pub mod data;
/// Meetings: whether, of what kind, how they end, what they leave behind.
pub mod meeting;
/// Memory and knowledge.
pub mod mind;
/// Where agents wander.
pub mod motion;
pub mod names;
/// Groups and standing.
pub mod people;
mod society;
pub mod traits;

pub use bindings::corsac::plugin::types::{Description, PluginError};
pub use bindings::exports::corsac::agents::grouping::{Groups, Guest as Grouping};
pub use bindings::exports::corsac::agents::matching::{Crowd, Guest as Matching};
pub use bindings::exports::corsac::agents::society::{
    Bodies, Catalogue, Customs, Encounters, EncountersAfter, Guest as Society, Kinship, Lessons, Level, Memories,
    MemoriesAfter, Part, People, Standing, Standings, Velocities,
};
pub use bindings::exports::corsac::plugin::trait_model::{
    Guest as TraitModel, Individual, InteractionKind, InteractionResult, Lives, LivesAfter, Offspring, Outcome,
    Population, Relationship, RulesDescription, TraitNames,
};
pub use chance::Chance;
pub use society::StandardSociety;

/// Makes a type that implements `TraitModel`, `Matching`, `Society` and `Grouping` the plugin. Does nothing in a
/// native build.
#[macro_export]
macro_rules! rules {
    ($rules:ident) => {
        #[cfg(target_family = "wasm")]
        $crate::bindings::export!($rules with_types_in $crate::bindings);
    };
}

/// The description of rules over the 44 traits and the fifty spirits.
pub fn describe(name: &str, version: &str, purpose: &str) -> RulesDescription {
    let names = |columns: std::ops::Range<usize>| traits::TRAITS[columns].iter().map(|of| of.name.to_owned()).collect();
    let mut spirits: Vec<_> = data::spirits().map(|spirit| spirit.name.to_owned()).collect();
    spirits.sort();
    RulesDescription {
        about: Description { name: name.into(), version: version.into(), purpose: purpose.into() },
        traits: TraitNames {
            personality: names(traits::PERSONALITY),
            physical: names(traits::PHYSICAL),
            abilities: names(traits::ABILITIES),
        },
        spirits,
    }
}

/// Base values of a spirit. Errors: `bad-query` when there is no such spirit.
pub fn base_of(spirit: &str) -> Result<[f32; traits::WIDTH], PluginError> {
    traits::base(spirit).ok_or_else(|| PluginError::BadQuery(format!("there is no spirit `{spirit}`")))
}

/// Errors: `internal` naming the column, when it does not hold `expected` values.
pub fn column(name: &str, length: usize, expected: usize) -> Result<(), PluginError> {
    if length == expected {
        return Ok(());
    }
    Err(PluginError::Internal(format!("the column {name} has {length} values, not {expected}")))
}

/// `column` for a matrix of traits.
pub fn matrix(name: &str, values: &[f32], count: u32) -> Result<(), PluginError> {
    column(name, values.len(), count as usize * traits::WIDTH)
}

/// Whether the columns of a crowd fit each other, and every spirit is in the table. Errors: `internal` naming
/// the column.
pub fn crowd(many: &Crowd) -> Result<(), PluginError> {
    matrix("traits", &many.traits, many.count)?;
    column("spirit-of", many.spirit_of.len(), many.count as usize)?;
    column("generations", many.generations.len(), many.count as usize)?;
    match many.spirit_of.iter().position(|at| *at as usize >= many.spirits.len()) {
        None => Ok(()),
        Some(agent) => Err(PluginError::Internal(format!(
            "the column spirit-of says {} of agent {agent}, there are {} spirits",
            many.spirit_of[agent],
            many.spirits.len()
        ))),
    }
}

/// Rows of a matrix of traits.
pub fn rows(matrix: &[f32]) -> std::slice::ChunksExact<'_, f32> {
    matrix.chunks_exact(traits::WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_has_all_columns() {
        let described = describe("traits-x", "1.0.0", "test");
        assert_eq!(described.traits.personality[0], "dominance");
        assert_eq!(described.traits.physical[0], "size");
        assert_eq!(described.traits.abilities[15], "leader");
        assert_eq!((described.spirits.len(), &*described.spirits[0], &*described.spirits[49]), (50, "alien", "wolf"));
    }

    #[test]
    fn wrong_lengths_are_named() {
        assert_eq!(matrix("traits", &[0.0; 88], 2), Ok(()));
        let expected = PluginError::Internal("the column traits has 43 values, not 44".into());
        assert_eq!(matrix("traits", &[0.0; 43], 1), Err(expected));
    }

    #[test]
    fn a_crowd_is_checked_column_by_column() {
        let whole = || Crowd {
            count: 2,
            traits: vec![0.5; 88],
            spirits: vec!["fox".into(), "owl".into()],
            spirit_of: vec![1, 0],
            generations: vec![1, 1],
        };
        let refused = |crowd: &Crowd| super::crowd(crowd).unwrap_err();
        assert_eq!(crowd(&whole()), Ok(()));
        let internal = |words: &str| PluginError::Internal(words.into());
        let short = Crowd { generations: vec![1], ..whole() };
        assert_eq!(refused(&short), internal("the column generations has 1 values, not 2"));
        let long = Crowd { spirit_of: vec![0; 3], ..whole() };
        assert_eq!(refused(&long), internal("the column spirit-of has 3 values, not 2"));
        let beside = Crowd { spirit_of: vec![0, 2], ..whole() };
        assert_eq!(refused(&beside), internal("the column spirit-of says 2 of agent 1, there are 2 spirits"));
    }

    #[test]
    fn unknown_spirits_are_the_clients_fault() {
        assert_eq!(base_of("toaster"), Err(PluginError::BadQuery("there is no spirit `toaster`".into())));
    }
}
