//! Groups and standing: who leads, who joins, what others think of whom.

use crate::traits::{at, known};
use crate::{Chance, Groups, Part, People, PluginError, Standing, Standings, column, matrix, rows};

/// Share of those who could found a group that do, a call.
pub const FOUNDING: f32 = 0.1;

/// Whether one likes company: the mean of charisma, empathy and the lack of independence. Ours: the original
/// kept it as a number that nothing set.
pub fn preference(traits: &[f32]) -> f32 {
    (known(traits[at::CHARISMA]) + known(traits[at::EMPATHY]) + (1.0 - known(traits[at::INDEPENDENCE]))) / 3.0
}

/// A leader needs energy above 0.7, preference above 0.6 and leadership above 0.5; a member energy above 0.5
/// and preference above 0.4. `founds`: the one in ten who would now.
pub fn part(energy: f32, preference: f32, leadership: f32, founds: bool) -> Part {
    if founds && energy > 0.7 && preference > 0.6 && leadership > 0.5 {
        Part::Leader
    } else if energy > 0.5 && preference > 0.4 {
        Part::Member
    } else {
        Part::Apart
    }
}

/// One draw an agent, whether it matters or not.
pub fn gather(people: &People, seed: u64) -> Result<Vec<Part>, PluginError> {
    matrix("traits", &people.traits, people.count)?;
    column("energies", people.energies.len(), people.count as usize)?;
    let mut chance = Chance::new(seed);
    let part = |(traits, energy): (&[f32], &f32)| {
        part(*energy, preference(traits), known(traits[at::LEADER]), chance.is(FOUNDING))
    };
    Ok(rows(&people.traits).zip(&people.energies).map(part).collect())
}

/// Influence of a group: 0.6 × min(1, members / 10) + 0.4 × cohesion.
pub fn group_influence(members: u32, cohesion: f32) -> f32 {
    0.6 * (members as f32 / 10.0).min(1.0) + 0.4 * cohesion
}

/// Errors: `internal` naming the column, when it has another length than `count`.
pub fn groups(groups: &Groups) -> Result<(), PluginError> {
    column("sizes", groups.sizes.len(), groups.count as usize)?;
    column("cohesions", groups.cohesions.len(), groups.count as usize)?;
    column("leaders", groups.leaders.len(), groups.count as usize)
}

/// `group_influence` of all.
pub fn weigh(all: &Groups) -> Result<Vec<f32>, PluginError> {
    groups(all)?;
    let influence = |(members, cohesion): (&u32, &f32)| group_influence(*members, known(*cohesion));
    Ok(all.sizes.iter().zip(&all.cohesions).map(influence).collect())
}

/// What a standing adds to influence: from −0.3 of an outcast to 0.7 of a leader. Only the two ends were
/// declared; between them it rises evenly.
pub fn bonus(standing: Standing) -> f32 {
    match standing {
        Standing::Outcast => -0.3,
        Standing::Marginal => -0.1,
        Standing::Accepted => 0.1,
        Standing::Popular => 0.3,
        Standing::Influential => 0.5,
        Standing::Leader => 0.7,
    }
}

/// The standing of one with this influence, so many groups that it leads and so many relationships.
pub fn standing(influence: f32, leads: u32, network: u32) -> Standing {
    if influence >= 1.5 && leads >= 2 {
        Standing::Leader
    } else if influence >= 1.0 && network >= 10 {
        Standing::Influential
    } else if influence >= 0.7 && network >= 5 {
        Standing::Popular
    } else if influence >= 0.3 && network >= 2 {
        Standing::Accepted
    } else if influence >= 0.1 {
        Standing::Marginal
    } else {
        Standing::Outcast
    }
}

/// min(1, network / 20) + 0.2 × leaderships + the bonus of the present standing + 0.2 × charisma, 0 to 2.
pub fn influence(network: u32, leads: u32, present: Standing, charisma: f32) -> f32 {
    ((network as f32 / 20.0).min(1.0) + 0.2 * leads as f32 + bonus(present) + 0.2 * charisma).clamp(0.0, 2.0)
}

/// Influence and standing of all. The present standing is the one that their influence gives them.
pub fn stand(people: &People) -> Result<Standings, PluginError> {
    let count = people.count as usize;
    matrix("traits", &people.traits, people.count)?;
    column("networks", people.networks.len(), count)?;
    column("leaderships", people.leaderships.len(), count)?;
    column("influences", people.influences.len(), count)?;
    let mut after = Standings { influences: Vec::with_capacity(count), standings: Vec::with_capacity(count) };
    for (agent, traits) in rows(&people.traits).enumerate() {
        let (network, leads) = (people.networks[agent], people.leaderships[agent]);
        let present = standing(people.influences[agent], leads, network);
        let influence = influence(network, leads, present, known(traits[at::CHARISMA]));
        after.influences.push(influence);
        after.standings.push(standing(influence, leads, network));
    }
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traits::WIDTH;

    #[test]
    fn preference_by_hand() {
        let mut traits = vec![0.0; WIDTH];
        traits[at::CHARISMA] = 0.9;
        traits[at::EMPATHY] = 0.6;
        traits[at::INDEPENDENCE] = 0.3;
        // (0.9 + 0.6 + 0.7) / 3
        assert!((preference(&traits) - 0.733_333).abs() < 1e-5);
    }

    #[test]
    fn parts_begin_above_their_thresholds() {
        let parts = [(0.71, 0.61, 0.51), (0.7, 0.61, 0.51), (0.71, 0.6, 0.51), (0.71, 0.61, 0.5), (0.5, 0.61, 0.9)];
        let parts = parts.map(|(energy, preference, leadership)| part(energy, preference, leadership, true));
        assert_eq!(parts, [Part::Leader, Part::Member, Part::Member, Part::Member, Part::Apart]);
        assert_eq!(part(1.0, 1.0, 1.0, false), Part::Member);
        assert_eq!(part(1.0, 0.4, 1.0, true), Part::Apart);
    }

    #[test]
    fn one_in_ten_founds() {
        let mut row = [0.5; WIDTH];
        row[at::CHARISMA] = 1.0;
        row[at::LEADER] = 1.0;
        let people = People {
            count: 10_000,
            traits: row.repeat(10_000),
            energies: vec![1.0; 10_000],
            networks: vec![],
            leaderships: vec![],
            influences: vec![],
        };
        // 1,000 with a deviation of 30.
        let leaders = gather(&people, 2).unwrap().iter().filter(|part| **part == Part::Leader).count();
        assert!((880..1_120).contains(&leaders), "{leaders}");
    }

    #[test]
    fn influence_by_hand() {
        // 10/20 + 0.2 × 1 + 0.3 + 0.2 × 0.5
        assert!((influence(10, 1, Standing::Popular, 0.5) - 1.1).abs() < 1e-6);
        assert_eq!(influence(0, 0, Standing::Outcast, 1.0), 0.0);
        assert_eq!(influence(100, 9, Standing::Leader, 1.0), 2.0);
        assert!((group_influence(5, 0.5) - 0.5).abs() < 1e-6);
    }

    #[test]
    fn groups_are_weighed_by_size_and_cohesion() {
        let groups =
            |leaders: Vec<f32>| Groups { count: 3, sizes: vec![3, 10, 32], cohesions: vec![0.375, 0.0, 1.0], leaders };
        // 0.6 × 0.3 + 0.4 × 0.375; 0.6; 1 (no more than ten count).
        let influences = weigh(&groups(vec![0.0; 3])).unwrap();
        for (found, expected) in influences.into_iter().zip([0.33, 0.6, 1.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        }
        let expected = PluginError::Internal("the column leaders has 2 values, not 3".into());
        assert_eq!(weigh(&groups(vec![0.0; 2])), Err(expected));
    }

    #[test]
    fn standings_need_influence_and_people() {
        let standings = [(1.5, 2, 0), (1.5, 1, 10), (0.9, 0, 5), (0.9, 0, 4), (0.3, 0, 1), (0.1, 0, 0), (0.09, 0, 9)];
        let standings = standings.map(|(influence, leads, network)| standing(influence, leads, network));
        use Standing::*;
        assert_eq!(standings, [Leader, Influential, Popular, Accepted, Marginal, Marginal, Outcast]);
    }

    #[test]
    fn popularity_feeds_itself() {
        let people = People {
            count: 2,
            traits: vec![0.5; 2 * WIDTH],
            energies: vec![],
            networks: vec![10, 10],
            leaderships: vec![0, 0],
            influences: vec![0.75, 0.0],
        };
        // 0.5 + 0.3 (popular) + 0.1; 0.5 − 0.3 (outcast) + 0.1
        let after = stand(&people).unwrap();
        assert!((after.influences[0] - 0.9).abs() < 1e-6 && (after.influences[1] - 0.3).abs() < 1e-6);
        assert_eq!(after.standings[0], Standing::Popular);
    }
}
