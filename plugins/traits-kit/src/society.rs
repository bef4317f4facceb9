//! A society made of this library's formulas: rules say what is their own and have the rest.

use crate::meeting::{self, Manner};
use crate::{Bodies, Catalogue, Customs, Encounters, EncountersAfter, Grouping, Groups, Lessons, Memories};
use crate::{MemoriesAfter, Part, People, PluginError, Society, Standings, Velocities};
use crate::{mind, motion, names, people};

/// Who implements this has `Society` and `Grouping`. Rules with other ideas of any of their functions that are not
/// here implement those themselves.
pub trait StandardSociety {
    const MANNER: Manner;

    fn customs() -> Customs;

    fn catalogue() -> Catalogue;

    fn lesson(lessons: &Lessons, _seed: u64) -> Result<Vec<f32>, PluginError> {
        mind::learn(lessons)
    }

    /// Influence of groups.
    fn weight(groups: &Groups) -> Result<Vec<f32>, PluginError> {
        people::weigh(groups)
    }
}

impl<Rules: StandardSociety> Grouping for Rules {
    fn weigh(now: Groups) -> Result<Vec<f32>, PluginError> {
        Rules::weight(&now)
    }
}

impl<Rules: StandardSociety> Society for Rules {
    fn describe_customs() -> Customs {
        Rules::customs()
    }

    fn describe_catalogue() -> Catalogue {
        Rules::catalogue()
    }

    fn names(
        spirit: String,
        style: String,
        generation: u32,
        count: u32,
        seed: u64,
    ) -> Result<Vec<String>, PluginError> {
        names::names(&spirit, &style, generation, count, seed)
    }

    fn meet(pairs: Encounters, step: f32, seed: u64) -> Result<EncountersAfter, PluginError> {
        meeting::meet(&Rules::MANNER, &pairs, step, seed)
    }

    fn wander(now: Bodies, step: f32, seed: u64) -> Result<Velocities, PluginError> {
        motion::wander(&now, step, seed)
    }

    fn remember(now: Memories, step: f32) -> Result<MemoriesAfter, PluginError> {
        mind::remember(&now, step)
    }

    fn learn(lessons: Lessons, _step: f32, seed: u64) -> Result<Vec<f32>, PluginError> {
        Rules::lesson(&lessons, seed)
    }

    fn unlearn(proficiencies: Vec<f32>, step: f32) -> Result<Vec<f32>, PluginError> {
        Ok(mind::unlearn(&proficiencies, step))
    }

    fn gather(people: People, seed: u64) -> Result<Vec<Part>, PluginError> {
        people::gather(&people, seed)
    }

    fn stand(people: People) -> Result<Standings, PluginError> {
        people::stand(&people)
    }
}
