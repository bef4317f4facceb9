//! What holds whatever rules say within their ranges, and who can meet whom.

use async_trait::async_trait;
use proptest::prelude::*;
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{RngCore, SeedableRng};

use super::super::super::state::Group;
use super::super::draw::Draw;
use super::super::interaction::pairs;
use super::*;
use crate::rules::*;

/// Says anything that is allowed, by its seed.
struct Wild {
    fixed: FixedRules,
    salt: u64,
}

impl Wild {
    fn random(&self, seed: u64) -> impl FnMut() -> f32 + use<> {
        let mut random = Pcg32::seed_from_u64(seed ^ self.salt);
        // Both ends are as likely as all between them.
        move || match random.next_u32() {
            draw if draw % 4 == 0 => 0.0,
            draw if draw % 4 == 1 => 1.0,
            draw => (draw >> 8) as f32 / (1u32 << 24) as f32,
        }
    }
}

fn times<T>(count: u32, each: impl FnMut() -> T) -> Vec<T> {
    std::iter::repeat_with(each).take(count as usize).collect()
}

#[async_trait]
impl Rules for Wild {
    fn about(&self) -> &About {
        self.fixed.about()
    }
    async fn first_traits(&self, spirit: &str, count: u32, seed: u64) -> Result<Vec<f32>, RulesError> {
        self.fixed.first_traits(spirit, count, seed).await
    }
    async fn inherit(
        &self,
        first: &Individual,
        second: &Individual,
        count: u32,
        seed: u64,
    ) -> Result<Offspring, RulesError> {
        self.fixed.inherit(first, second, count, seed).await
    }
    async fn compatibility(&self, one: &Individual, many: &Population) -> Result<Vec<f32>, RulesError> {
        self.fixed.compatibility(one, many).await
    }
    async fn score(&self, one: &Individual, many: &Crowd) -> Result<Vec<f32>, RulesError> {
        self.fixed.score(one, many).await
    }
    async fn interact(
        &self,
        kind: InteractionKind,
        first: &Individual,
        second: &Individual,
        before: Bond,
        seed: u64,
    ) -> Result<Interaction, RulesError> {
        self.fixed.interact(kind, first, second, before, seed).await
    }
    async fn tick(&self, now: &Lives, step: f32, seed: u64) -> Result<LivesAfter, RulesError> {
        let mut random = self.random(seed);
        let answer = LivesAfter {
            ages: now.ages.iter().map(|age| age + step * random()).collect(),
            energies: times(now.count, &mut random),
            traits: if random() < 0.5 { vec![] } else { times(now.traits.len() as u32, &mut random) },
            alive: times(now.count, || random() > 0.0 || random() > 0.0),
        };
        Ok(checked::lives(answer, now, 5).unwrap())
    }
    async fn names(&self, a: &str, b: &str, c: u32, d: u32, e: u64) -> Result<Vec<String>, RulesError> {
        self.fixed.names(a, b, c, d, e).await
    }
    async fn meet(&self, pairs: &Encounters, _step: f32, seed: u64) -> Result<EncountersAfter, RulesError> {
        let (count, mut random) = (pairs.count, self.random(seed));
        let outcomes = [Outcome::Success, Outcome::PartialSuccess, Outcome::Failure, Outcome::Neutral];
        let answer = EncountersAfter {
            met: times(count, || random() > 0.0),
            kinds: vec![InteractionKind::Romantic; count as usize],
            outcomes: times(count, || outcomes[(random() * 3.0) as usize]),
            impacts: times(count, || random() * 2.0 - 1.0),
            strengths: times(count, &mut random),
            trusts: times(count, &mut random),
            familiarities: times(count, &mut random),
            first_costs: times(count, &mut random),
            second_costs: times(count, &mut random),
            importances: times(count, &mut random),
            emotions: times(count, || random() * 2.0 - 1.0),
        };
        Ok(checked::encounters(answer, count).unwrap())
    }
    async fn wander(&self, now: &Bodies, _step: f32, seed: u64) -> Result<(Vec<f32>, Vec<f32>), RulesError> {
        let mut random = self.random(seed);
        let mut column = || times(now.count, || random() * 1_400.0 - 700.0);
        Ok(checked::velocities((column(), column()), now.count).unwrap())
    }
    async fn remember(&self, now: &Memories, _step: f32) -> Result<MemoriesAfter, RulesError> {
        let mut random = self.random(u64::from(now.count));
        let answer = MemoriesAfter {
            importances: times(now.count, &mut random),
            consolidated: times(now.count, || random() > 0.5),
            forgotten: times(now.count, || random() > 0.5),
        };
        Ok(checked::memories(answer, now.count).unwrap())
    }
    async fn learn(&self, lessons: &Lessons, _step: f32, seed: u64) -> Result<Vec<f32>, RulesError> {
        Ok(checked::proficiencies(times(lessons.count, self.random(seed)), lessons.count).unwrap())
    }
    async fn unlearn(&self, proficiencies: &[f32], _step: f32) -> Result<Vec<f32>, RulesError> {
        let count = proficiencies.len() as u32;
        Ok(checked::proficiencies(times(count, self.random(u64::from(count))), count).unwrap())
    }
    async fn gather(&self, people: &People, seed: u64) -> Result<Vec<Part>, RulesError> {
        let mut random = self.random(seed);
        Ok(times(people.count, || [Part::Apart, Part::Member, Part::Leader][(random() * 2.9) as usize]))
    }
    async fn stand(&self, people: &People) -> Result<Standings, RulesError> {
        let mut random = self.random(u64::from(people.count));
        let influences = times(people.count, || random() * 2.0);
        let standings = vec![Standing::Outcast; people.count as usize];
        Ok(checked::standings(Standings { influences, standings }, people.count).unwrap())
    }
    async fn weigh(&self, groups: &Groups) -> Result<Vec<f32>, RulesError> {
        let mut random = self.random(u64::from(groups.count));
        Ok(checked::group_influences(times(groups.count, &mut random), groups.count).unwrap())
    }
    fn archive(&self) -> ArchivedRules {
        self.fixed.archive()
    }
}

fn share(value: f32) -> bool {
    (0.0..=1.0).contains(&value)
}

/// What must be true of every world.
fn is_sound(state: &State) {
    let mut query = state.agents.query::<(
        &Agent,
        &Traits,
        &Lifecycle,
        &Reproduction,
        &Position,
        &Interactions,
        &Social,
        &Memory,
        &Knowledge,
    )>();
    for (agent, traits, life, reproduction, position, own, social, memory, knowledge) in query.iter() {
        let whose = &agent.id;
        assert!(traits.values.len() == 5 && traits.values.iter().all(|value| share(*value)), "{whose} {traits:?}");
        assert!(life.age >= 0.0 && life.age.is_finite() && reproduction.cooldown >= 0.0, "{whose} {life:?}");
        let inside = |value: &f32| value.abs() <= MAP_EDGE;
        assert!(position.at.iter().all(inside) && position.velocity.iter().all(|v| v.is_finite()), "{position:?}");
        assert!(share(own.energy) && own.successful + own.failed <= own.total, "{whose} {own:?}");
        assert!(own.latest.len() <= KEPT_INTERACTIONS && own.latest.iter().all(|past| share(past.energy)));
        assert!(own.relationships.is_sorted_by(|one, other| one.other < other.other));
        for relationship in &own.relationships {
            let Bond { strength, trust, familiarity } = relationship.bond;
            assert!([strength, trust, familiarity].into_iter().all(share), "{relationship:?}");
            assert_ne!(relationship.other, agent.number);
            assert!(relationship.positive + relationship.negative <= relationship.count);
        }
        assert!(memory.memories.len() <= 8, "the rules' capacity");
        assert!(memory.memories.iter().all(|memory| share(memory.importance) && memory.emotion.abs() <= 1.0));
        assert!(knowledge.learned.is_sorted_by(|one, other| one.topic < other.topic));
        let skill = |learned: &Learned| learned.topic < 2 && (0.01..=1.0).contains(&learned.proficiency);
        assert!(knowledge.learned.iter().all(skill), "{knowledge:?}");
        assert!((0.0..=2.0).contains(&social.influence));
        let led = state.groups.values().filter(|group| group.leader == agent.number).count();
        assert_eq!(social.leads as usize, led);
        let belongs = |(id, group): (&u32, &Group)| group.members.contains(&agent.number).then_some(*id);
        let groups: Vec<u32> = state.groups.iter().filter_map(belongs).collect();
        assert_eq!(social.groups, groups);
    }
    for group in state.groups.values() {
        assert!((2..=32).contains(&group.members.len()) && group.members.contains(&group.leader), "{group:?}");
        assert!(group.members.is_sorted() && group.members.iter().all(|member| state.is_living(*member)));
        assert!(share(group.cohesion) && share(group.influence));
    }
    assert_eq!(state.agents.len() as usize + state.departed.len(), state.known.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_world_stays_sound_whatever_rules_say(salt: u64, step in 0.01f32..100.0, spread in 1.0f32..200.0) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let someone = |row: usize| {
            let place = [(row * 17 % 71) as f32 / 71.0 * spread, (row * 29 % 61) as f32 / 61.0 * spread];
            Someone { target: row.is_multiple_of(7).then_some([50.0, -50.0]), ..at(place[0], place[1]) }
        };
        let people: Vec<Someone> = (0..50).map(someone).collect();
        let world = Sandbox::new(FixedRules::new(), &people);
        let again = Sandbox::new(FixedRules::new(), &people);
        let wild = Wild { fixed: FixedRules::new(), salt };
        for _ in 0..12 {
            for world in [&world, &again] {
                let plan = runtime.block_on(plan(&world.state, &wild, step, &[]));
                assert!(plan.skipped().is_empty());
                let mut state = world.state.write();
                let event = recorded(&state, Event::Ticked { step, skipped: vec![] });
                state.begin_tick(&event).unwrap();
                plan.apply(&mut state);
            }
            is_sound(&world.state.read());
        }
        // Maps that hash by chance of their own have no say in it.
        assert_eq!(world.digest(), again.digest());
    }

    #[test]
    fn who_is_paired_is_near_and_paired_once_and_nobody_is_left_beside_somebody_free(
        places in prop::collection::vec(prop::array::uniform2(-10_000f32..10_000.0), 0..60),
        shrink in 1e-4f32..1.0,
        reach in 0.1f32..1000.0,
        seed: u64,
    ) {
        let places: Vec<[f32; 2]> = places.into_iter().map(|place| place.map(|value| value * shrink)).collect();
        let pairs = pairs(&places, reach, usize::MAX, &mut Draw::new(seed));
        let apart = |one: usize, other: usize| {
            let [x, y] = [0, 1].map(|axis| places[one][axis] - places[other][axis]);
            (x * x + y * y).sqrt()
        };
        let mut taken = vec![false; places.len()];
        for row in pairs.iter().flatten() {
            prop_assert!(!std::mem::replace(&mut taken[*row], true), "{} is in two pairs", row);
        }
        prop_assert!(pairs.iter().all(|[one, other]| apart(*one, *other) <= reach));
        // With few candidates all are looked at, so that nobody goes without a neighbour by bad luck.
        if places.len() <= 24 {
            let free: Vec<usize> = (0..places.len()).filter(|row| !taken[*row]).collect();
            for (at, one) in free.iter().enumerate() {
                prop_assert!(free[at + 1..].iter().all(|other| apart(*one, *other) > reach));
            }
        }
    }
}

#[test]
fn every_row_has_a_turn() {
    for count in [0, 1, 2, 3, 10, 97, 1000] {
        for seed in 0..20 {
            let mut order: Vec<usize> = Draw::new(seed).order(count).collect();
            order.sort_unstable();
            assert_eq!(order, (0..count).collect::<Vec<_>>());
        }
    }
}

#[test]
fn in_a_crowd_pairs_are_found_without_looking_at_everybody_and_no_more_than_allowed() {
    let places: Vec<[f32; 2]> = (0..50_000).map(|row| [(row % 223) as f32 * 0.4, (row / 223) as f32 * 0.4]).collect();
    let found = pairs(&places, 50.0, 20_000, &mut Draw::new(1));
    assert_eq!(found.len(), 20_000);
    let other = pairs(&places, 50.0, 20_000, &mut Draw::new(2));
    assert_ne!(found, other, "another tick, other pairs");
    assert_eq!(found, pairs(&places, 50.0, 20_000, &mut Draw::new(1)));
}

#[test]
fn a_neighbour_is_as_likely_as_another() {
    // One in the middle of four, of whom it meets one; 0 is drawn first in about a fifth of the seeds.
    let places = [[0.0, 0.0], [9.0, 0.0], [-9.0, 0.0], [0.0, 9.0], [0.0, -9.0]];
    let mut met = [0u32; 5];
    for seed in 0..4_000 {
        let [pair] = pairs(&places, 10.0, 1, &mut Draw::new(seed))[..] else { panic!() };
        let [other] = pair.iter().copied().filter(|row| *row != 0).collect::<Vec<_>>()[..] else { panic!() };
        met[other] += 1;
    }
    // 1,000 each, give or take five standard deviations of 27.
    assert!(met[1..].iter().all(|times| (865..1_135).contains(times)), "{met:?}");
}

/// The task that ticks may run on any thread; a world without agents has ticks, too.
#[tokio::test]
async fn an_empty_world_ticks_on_any_thread() {
    let ticked = tokio::spawn(async {
        let world = Sandbox::new(FixedRules::new(), &[]);
        for _ in 0..12 {
            assert_eq!(plan(&world.state, &world.rules, 1.0, &[]).await.failures(), []);
            assert_eq!(world.tick(1.0).await, TickSummary::default());
        }
        world.state.read().clock.tick
    });
    assert_eq!(ticked.await.unwrap(), 12);
}

/// More than a batch of agents and of lessons, through ticks in which every system is due.
#[tokio::test]
async fn a_large_world_stays_sound() {
    let people: Vec<Someone> =
        (0..BATCH * 2 + 1).map(|row| at((row % 127) as f32 * 4.0, (row / 127) as f32 * 4.0)).collect();
    let world = Sandbox::new(FixedRules::new(), &people);
    let (mut encounters, mut lessons) = (0, 0);
    for _ in 0..4 {
        let summary = world.tick(1.0).await;
        encounters += summary.encounters as usize;
        lessons += summary.lessons as usize;
    }
    // Almost everybody has a free neighbour in every tick; by the third one all know somebody.
    assert!(encounters > people.len() * 3 / 2, "{encounters}");
    assert!(lessons > people.len() / 2, "{lessons}");
    is_sound(&world.state.read());
}
