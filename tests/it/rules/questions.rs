//! Agents, pairs and memories to ask rules about. Every number is a sum of few powers of two, so that simple
//! answers are exact.

use corsac::rules::{Bodies, Crowd, Encounters, Groups, Individual, Lessons, Lives, Memories, People};

/// Traits of an agent under the hostile fixture and under the standard rules.
pub const WIDTH: usize = 44;

pub fn individual(trait_value: f32, width: usize) -> Individual {
    Individual { traits: vec![trait_value; width], spirit: "fox".into(), generation: 2, mutations: 3 }
}

pub fn lives(count: usize) -> Lives {
    Lives {
        count: count as u32,
        ages: (0..count).map(|agent| agent as f32 / 128.0).collect(),
        energies: vec![0.5; count],
        traits: (0..count * WIDTH).map(|cell| (cell % 64) as f32 / 64.0).collect(),
    }
}

pub fn bodies(count: usize) -> Bodies {
    let column = |value| vec![value; count];
    Bodies {
        count: count as u32,
        traits: vec![0.5; count * WIDTH],
        energies: column(0.5),
        xs: column(-7.0),
        ys: column(9.0),
        velocity_xs: column(0.25),
        velocity_ys: column(0.125),
    }
}

pub fn encounters(count: usize) -> Encounters {
    let column = |value| vec![value; count];
    Encounters {
        count: count as u32,
        first: vec![0.25; count * WIDTH],
        second: vec![0.75; count * WIDTH],
        first_energies: column(0.5),
        second_energies: column(0.625),
        distances: column(12.0),
        strengths: column(0.25),
        trusts: column(0.375),
        familiarities: column(0.75),
        same_spirit: vec![true; count],
    }
}

pub fn memories(count: usize) -> Memories {
    Memories {
        count: count as u32,
        importances: vec![0.5; count],
        emotions: vec![-0.25; count],
        decay_rates: vec![0.0625; count],
        accesses: vec![4; count],
        idle: vec![60.0; count],
    }
}

pub fn lessons(count: usize) -> Lessons {
    Lessons {
        count: count as u32,
        teachers: vec![0.75; count * WIDTH],
        learners: vec![0.25; count * WIDTH],
        teacher_proficiencies: vec![0.875; count],
        learner_proficiencies: vec![0.25; count],
    }
}

pub fn people(networks: &[u32]) -> People {
    let count = networks.len();
    People {
        count: count as u32,
        traits: vec![0.5; count * WIDTH],
        energies: vec![0.75; count],
        networks: networks.to_vec(),
        leaderships: vec![1; count],
        influences: (0..count).map(|agent| agent as f32 / 4.0).collect(),
    }
}

pub fn crowd(count: usize) -> Crowd {
    Crowd {
        count: count as u32,
        traits: vec![0.5; count * WIDTH],
        spirits: vec!["wolf".into()],
        spirit_of: vec![0; count],
        generations: vec![1; count],
    }
}

pub fn groups(count: usize) -> Groups {
    Groups {
        count: count as u32,
        sizes: (0..count).map(|group| 2 << (group % 5)).collect(),
        cohesions: (0..count).map(|group| (group % 4 + 1) as f32 / 4.0).collect(),
        leaders: (0..count).map(|group| (group % 4) as f32 / 2.0).collect(),
    }
}
