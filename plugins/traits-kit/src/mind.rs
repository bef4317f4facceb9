//! Memory and knowledge: what is kept, what fades, what is handed on.

use crate::traits::{at, known};
use crate::{Lessons, Memories, MemoriesAfter, PluginError, column, matrix, rows};

/// Decay rates are a world minute: the original's had no unit, and a second would leave a memory for less
/// than one.
pub const SECONDS_A_DECAY: f32 = 60.0;
/// Below this a memory is forgotten.
pub const FORGOTTEN: f32 = 0.1;
/// From this on a memory is consolidated, and decays no more.
pub const CONSOLIDATED: f32 = 0.8;
/// Loss of proficiency a world minute without use.
pub const UNLEARNING: f32 = 0.001;
/// A teacher needs this proficiency.
pub const TEACHABLE: f32 = 0.3;
/// Proficiency of a beginner.
pub const BEGINNING: f32 = 0.1;

/// Importance that a memory loses in `minutes`: rate × minutes, twice that below 0.3, half of it after more
/// than ten accesses.
pub fn decay(importance: f32, rate: f32, accesses: u32, minutes: f32) -> f32 {
    let faint = if importance < 0.3 { 2.0 } else { 1.0 };
    let familiar = if accesses > 10 { 0.5 } else { 1.0 };
    rate * minutes * faint * familiar
}

/// Important enough to stay: from 0.8, or above 0.7 with more than five accesses.
pub fn is_consolidated(importance: f32, accesses: u32) -> bool {
    importance >= CONSOLIDATED || (importance > 0.7 && accesses > 5)
}

/// Memories `step` world seconds later.
pub fn remember(now: &Memories, step: f32) -> Result<MemoriesAfter, PluginError> {
    let count = now.count as usize;
    column("importances", now.importances.len(), count)?;
    column("decay-rates", now.decay_rates.len(), count)?;
    column("accesses", now.accesses.len(), count)?;
    let minutes = step / SECONDS_A_DECAY;
    let mut after = MemoriesAfter {
        importances: Vec::with_capacity(count),
        consolidated: Vec::with_capacity(count),
        forgotten: Vec::with_capacity(count),
    };
    for ((&importance, &rate), &accesses) in now.importances.iter().zip(&now.decay_rates).zip(&now.accesses) {
        let consolidated = is_consolidated(importance, accesses);
        let lost = if consolidated { 0.0 } else { decay(importance, rate, accesses, minutes) };
        let left = (importance - lost).clamp(0.0, 1.0);
        after.importances.push(left);
        after.consolidated.push(consolidated);
        after.forgotten.push(left < FORGOTTEN);
    }
    Ok(after)
}

/// Proficiency after a lesson: b + (max(b, min(0.8, 0.9 × teacher's)) − b) × teaching × rate, where b is what
/// the learner has, 0.1 at least. `teaching` is the teacher's trait, `rate` the learner's mean of
/// intelligence and curiosity. For a beginner that is the original's formula; it had none for others.
pub fn taught(teacher: f32, learner: f32, teaching: f32, rate: f32) -> f32 {
    if teacher < TEACHABLE {
        return learner;
    }
    let begin = learner.max(BEGINNING);
    let reach = begin.max((0.9 * teacher).min(0.8));
    (begin + (reach - begin) * teaching * rate).clamp(0.0, 1.0)
}

/// The learners' proficiencies after one lesson each, however long it was.
pub fn learn(lessons: &Lessons) -> Result<Vec<f32>, PluginError> {
    let count = lessons.count as usize;
    matrix("teachers", &lessons.teachers, lessons.count)?;
    matrix("learners", &lessons.learners, lessons.count)?;
    column("teacher-proficiencies", lessons.teacher_proficiencies.len(), count)?;
    column("learner-proficiencies", lessons.learner_proficiencies.len(), count)?;
    let proficiencies = lessons.teacher_proficiencies.iter().zip(&lessons.learner_proficiencies);
    Ok(rows(&lessons.teachers)
        .zip(rows(&lessons.learners))
        .zip(proficiencies)
        .map(|((teacher, learner), (&knows, &has))| {
            let rate = (known(learner[at::INTELLIGENCE]) + known(learner[at::CURIOSITY])) * 0.5;
            taught(knows, has, known(teacher[at::TEACHER]), rate)
        })
        .collect())
}

/// Proficiencies after `step` world seconds without use.
pub fn unlearn(proficiencies: &[f32], step: f32) -> Vec<f32> {
    let lost = UNLEARNING * step / SECONDS_A_DECAY;
    proficiencies.iter().map(|proficiency| (proficiency - lost).clamp(0.0, 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traits::WIDTH;

    fn near(value: f32, expected: f32) {
        assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
    }

    #[test]
    fn decay_by_hand() {
        near(decay(0.5, 0.01, 0, 10.0), 0.1);
        near(decay(0.29, 0.01, 0, 10.0), 0.2);
        near(decay(0.5, 0.01, 11, 10.0), 0.05);
        near(decay(0.29, 0.01, 11, 10.0), 0.1);
    }

    #[test]
    fn the_important_stays_the_faint_goes() {
        let now = Memories {
            count: 4,
            importances: vec![0.8, 0.75, 0.6, 0.11],
            emotions: vec![0.0; 4],
            decay_rates: vec![0.01; 4],
            accesses: vec![0, 6, 6, 0],
            idle: vec![0.0; 4],
        };
        // Ten minutes: 0.6 − 0.1; 0.11 − 0.2 is below nothing.
        let after = remember(&now, 600.0).unwrap();
        for (value, expected) in after.importances.iter().zip([0.8, 0.75, 0.5, 0.0]) {
            near(*value, expected);
        }
        assert_eq!(after.consolidated, [true, true, false, false]);
        assert_eq!(after.forgotten, [false, false, false, true]);
    }

    #[test]
    fn lessons_by_hand() {
        // Reach min(0.8, 0.9 × 0.8) = 0.72: 0.1 + 0.62 × 0.5 × 0.6
        near(taught(0.8, 0.0, 0.5, 0.6), 0.286);
        // Reach 0.8 (0.9 × 1 is more): 0.4 + 0.4 × 0.5 × 0.5
        near(taught(1.0, 0.4, 0.5, 0.5), 0.5);
        // Nothing to learn from who knows less, or too little to teach.
        near(taught(0.4, 0.7, 1.0, 1.0), 0.7);
        assert_eq!(taught(0.29, 0.05, 1.0, 1.0), 0.05);
    }

    #[test]
    fn the_learner_learns_by_intelligence_and_curiosity() {
        let mut learner = vec![0.0; WIDTH];
        learner[at::INTELLIGENCE] = 0.8;
        learner[at::CURIOSITY] = 0.4;
        let lessons = Lessons {
            count: 1,
            teachers: vec![0.5; WIDTH],
            learners: learner,
            teacher_proficiencies: vec![0.8],
            learner_proficiencies: vec![0.0],
        };
        near(learn(&lessons).unwrap()[0], 0.286);
    }

    #[test]
    fn what_is_not_used_is_lost() {
        // 0.001 a minute, ten minutes.
        let left = unlearn(&[0.5, 0.005], 600.0);
        near(left[0], 0.49);
        assert_eq!(left[1], 0.0);
    }
}
