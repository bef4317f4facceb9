//! Rules for tests of the world: so simple that their effect can be worked out by hand, checked as a
//! plugin's are, and able to misbehave on demand. Five traits: boldness, warmth; size; hunter, healer.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{RngCore, SeedableRng};

use super::*;

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Every number of the answer is none.
    Nan,
    /// The answer lacks its last row.
    Short,
    /// As `Short`, but nobody checked it: what an implementation must not do.
    Unchecked,
    Trap,
    Timeout,
}

pub struct FixedRules {
    about: About,
    /// By call, such as `tick` or `first-traits`.
    pub faults: Mutex<BTreeMap<&'static str, Fault>>,
    /// Traits of everybody shrink by this a tick; 0 leaves them alone.
    pub drift: f32,
    /// All calls that were made, with their seeds (0 for those without).
    pub calls: Mutex<Vec<(&'static str, u64)>>,
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl Default for FixedRules {
    fn default() -> Self {
        Self::new()
    }
}

impl FixedRules {
    /// `traits-fixed@1.0.0` with a society: fox and wolf, meetings within 10.
    pub fn new() -> Self {
        let customs = Customs {
            meeting_distance: 10.0,
            movement_speed: 2.0,
            memory_capacity: 8,
            knowledge_capacity: 16,
            max_offspring: 5,
            breeding_threshold: 0.4,
            breeding_cooldown: 0.5,
            ..Customs::default()
        };
        let style = |name: &str| Style { name: name.into(), template: "{spirit}".into(), purpose: String::new() };
        let catalogue =
            Catalogue { styles: vec![style("foundation"), style("exo")], schemes: vec![], ..Catalogue::default() };
        let about = About {
            name: "traits-fixed".into(),
            version: "1.0.0".into(),
            digest: *blake3::hash(b"traits-fixed@1.0.0").as_bytes(),
            traits: TraitNames {
                personality: strings(&["boldness", "warmth"]),
                physical: strings(&["size"]),
                abilities: strings(&["hunter", "healer"]),
            },
            spirits: strings(&["fox", "wolf"]),
            society: Some(Society { customs, catalogue }),
        };
        Self { about, faults: Mutex::default(), drift: 0.0, calls: Mutex::default() }
    }

    pub fn version(mut self, version: &str) -> Self {
        self.about.version = version.to_owned();
        self.about.digest = *blake3::hash(self.about.label().as_bytes()).as_bytes();
        self
    }

    pub fn without_society(mut self) -> Self {
        self.about.society = None;
        self
    }

    pub fn drifting(mut self, drift: f32) -> Self {
        self.drift = drift;
        self
    }

    pub fn customs(mut self, change: impl FnOnce(&mut Customs)) -> Self {
        if let Some(society) = &mut self.about.society {
            change(&mut society.customs);
        }
        self
    }

    pub fn faulty(self, call: &'static str, fault: Fault) -> Self {
        self.faults.lock().insert(call, fault);
        self
    }

    fn answer<T>(
        &self,
        call: &'static str,
        seed: u64,
        spoil: impl FnOnce(Fault) -> T,
        good: impl FnOnce() -> T,
        check: impl FnOnce(T) -> Result<T, CallError>,
    ) -> Result<T, RulesError> {
        self.calls.lock().push((call, seed));
        let fault = self.faults.lock().get(call).copied();
        let answer = match fault {
            None => check(good()),
            Some(Fault::Trap) => Err(CallError::Trap("unreachable".into())),
            Some(Fault::Timeout) => Err(CallError::Timeout(std::time::Duration::from_millis(1))),
            Some(Fault::Unchecked) => Ok(spoil(Fault::Short)),
            Some(fault) => check(spoil(fault)),
        };
        answer.map_err(|error| RulesError { rules: self.about.label(), call, error })
    }

    fn column(
        &self,
        call: &'static str,
        seed: u64,
        good: impl Fn() -> Vec<f32>,
        check: impl FnOnce(Vec<f32>) -> Result<Vec<f32>, CallError>,
    ) -> Result<Vec<f32>, RulesError> {
        self.answer(call, seed, |fault| spoiled(good(), fault), &good, check)
    }
}

impl FixedRules {
    fn alike(&self, call: &'static str, one: &Individual, many: &[f32], count: u32) -> Result<Vec<f32>, RulesError> {
        let width = self.about.traits.width();
        let score = |row: &[f32]| {
            let difference: f32 = row.iter().zip(&one.traits).map(|(one, other)| (one - other).abs()).sum();
            1.0 - difference / width as f32
        };
        let scores = || many.chunks(width).map(score).collect();
        self.column(call, 0, scores, |answer| checked::compatibility(answer, count))
    }
}

fn spoiled(mut column: Vec<f32>, fault: Fault) -> Vec<f32> {
    match fault {
        Fault::Nan => column.fill(f32::NAN),
        _ => drop(column.pop()),
    }
    column
}

fn each(column: &[f32], change: impl Fn(f32) -> f32) -> Vec<f32> {
    column.iter().map(|value| change(*value)).collect()
}

#[async_trait]
impl Rules for FixedRules {
    fn about(&self) -> &About {
        &self.about
    }

    /// Uniform draws.
    async fn first_traits(&self, _spirit: &str, count: u32, seed: u64) -> Result<Vec<f32>, RulesError> {
        let width = self.about.traits.width();
        let draw = || {
            let mut random = Pcg32::seed_from_u64(seed);
            (0..count as usize * width).map(|_| (random.next_u32() >> 8) as f32 / (1u32 << 24) as f32).collect()
        };
        self.column("first-traits", seed, draw, |answer| checked::first_traits(answer, count, width))
    }

    /// The parents' mean; the first one's spirit.
    async fn inherit(
        &self,
        first: &Individual,
        second: &Individual,
        count: u32,
        seed: u64,
    ) -> Result<Offspring, RulesError> {
        let row: Vec<f32> = first.traits.iter().zip(&second.traits).map(|(one, other)| (one + other) / 2.0).collect();
        let good = || Offspring {
            traits: row.repeat(count as usize),
            spirits: vec![first.spirit.clone(); count as usize],
            mutations: vec![first.mutations.max(second.mutations) + 1; count as usize],
        };
        let spoil = |fault| Offspring { traits: spoiled(good().traits, fault), ..good() };
        let width = self.about.traits.width();
        let check = |answer| checked::offspring(answer, count, width, &self.about.spirits);
        self.answer("inherit", seed, spoil, good, check)
    }

    /// 1 less the mean difference.
    async fn compatibility(&self, one: &Individual, many: &Population) -> Result<Vec<f32>, RulesError> {
        self.alike("compatibility", one, &many.traits, many.count)
    }

    /// As `compatibility`.
    async fn score(&self, one: &Individual, many: &Crowd) -> Result<Vec<f32>, RulesError> {
        self.alike("score", one, &many.traits, many.count)
    }

    /// Succeeds; the bond grows by .1, .05, .02; it costs .1 and .2.
    async fn interact(
        &self,
        _kind: InteractionKind,
        _first: &Individual,
        _second: &Individual,
        before: Bond,
        seed: u64,
    ) -> Result<Interaction, RulesError> {
        let after = Bond {
            strength: (before.strength + 0.1).min(1.0),
            trust: (before.trust + 0.05).min(1.0),
            familiarity: (before.familiarity + 0.02).min(1.0),
        };
        let good = || Interaction { outcome: Outcome::Success, impact: 0.5, after, energy_costs: [0.1, 0.2] };
        let spoil = |_| Interaction { impact: f32::NAN, ..good() };
        self.answer("interact", seed, spoil, good, checked::interaction)
    }

    /// Energy rises by .05; life ends at 100.
    async fn tick(&self, now: &Lives, step: f32, seed: u64) -> Result<LivesAfter, RulesError> {
        let good = || LivesAfter {
            ages: each(&now.ages, |age| age + step),
            energies: each(&now.energies, |energy| (energy + 0.05).min(1.0)),
            traits: match self.drift {
                0.0 => vec![],
                drift => each(&now.traits, |value| (value - drift).max(0.0)),
            },
            alive: now.ages.iter().map(|age| age + step < 100.0).collect(),
        };
        let spoil = |fault| LivesAfter { energies: spoiled(good().energies, fault), ..good() };
        let width = self.about.traits.width();
        self.answer("tick", seed, spoil, good, |answer| checked::lives(answer, now, width))
    }

    /// `Fox 17 1` and so on.
    async fn names(
        &self,
        spirit: &str,
        _style: &str,
        _generation: u32,
        count: u32,
        seed: u64,
    ) -> Result<Vec<String>, RulesError> {
        let good = || (1..=count).map(|number| format!("{spirit} {} {number}", seed % 100)).collect();
        self.answer("names", seed, |_| vec![String::new()], good, |answer| checked::names(answer, count))
    }

    /// All meet as by `interact`, and remember it by .5 and .25.
    async fn meet(&self, pairs: &Encounters, _step: f32, seed: u64) -> Result<EncountersAfter, RulesError> {
        let count = pairs.count as usize;
        let good = || EncountersAfter {
            met: vec![true; count],
            kinds: vec![InteractionKind::Social; count],
            outcomes: vec![Outcome::Success; count],
            impacts: vec![0.5; count],
            strengths: each(&pairs.strengths, |value| (value + 0.1).min(1.0)),
            trusts: each(&pairs.trusts, |value| (value + 0.05).min(1.0)),
            familiarities: each(&pairs.familiarities, |value| (value + 0.02).min(1.0)),
            first_costs: vec![0.1; count],
            second_costs: vec![0.2; count],
            importances: vec![0.5; count],
            emotions: vec![0.25; count],
        };
        let spoil = |fault| EncountersAfter { trusts: spoiled(good().trusts, fault), ..good() };
        self.answer("meet", seed, spoil, good, |answer| checked::encounters(answer, pairs.count))
    }

    /// All go 3 to the right and 4 down a second.
    async fn wander(&self, now: &Bodies, _step: f32, seed: u64) -> Result<(Vec<f32>, Vec<f32>), RulesError> {
        let good = || (vec![3.0; now.count as usize], vec![-4.0; now.count as usize]);
        let spoil = |fault| (spoiled(good().0, fault), good().1);
        self.answer("wander", seed, spoil, good, |answer| checked::velocities(answer, now.count))
    }

    /// Half remains; below .1 it is forgotten, after more than 5 accesses it is consolidated.
    async fn remember(&self, now: &Memories, _step: f32) -> Result<MemoriesAfter, RulesError> {
        let good = || MemoriesAfter {
            importances: each(&now.importances, |importance| importance / 2.0),
            consolidated: now.accesses.iter().map(|accesses| *accesses > 5).collect(),
            forgotten: now.importances.iter().map(|importance| importance / 2.0 < 0.1).collect(),
        };
        let spoil = |fault| MemoriesAfter { importances: spoiled(good().importances, fault), ..good() };
        self.answer("remember", 0, spoil, good, |answer| checked::memories(answer, now.count))
    }

    /// Half way to the teacher.
    async fn learn(&self, lessons: &Lessons, _step: f32, seed: u64) -> Result<Vec<f32>, RulesError> {
        let half = |(teacher, learner): (&f32, &f32)| (teacher + learner) / 2.0;
        let good = || lessons.teacher_proficiencies.iter().zip(&lessons.learner_proficiencies).map(half).collect();
        self.column("learn", seed, good, |answer| checked::proficiencies(answer, lessons.count))
    }

    /// Half remains.
    async fn unlearn(&self, proficiencies: &[f32], _step: f32) -> Result<Vec<f32>, RulesError> {
        let good = || each(proficiencies, |value| value / 2.0);
        self.column("unlearn", 0, good, |answer| checked::proficiencies(answer, proficiencies.len() as u32))
    }

    /// The bold lead (.9 and more), those from .5 on follow.
    async fn gather(&self, people: &People, seed: u64) -> Result<Vec<Part>, RulesError> {
        let part = |row: &[f32]| match row[0] {
            bold if bold >= 0.9 => Part::Leader,
            bold if bold >= 0.5 => Part::Member,
            _ => Part::Apart,
        };
        let good = || people.traits.chunks(self.about.traits.width()).map(part).collect();
        self.answer("gather", seed, |_| vec![], good, |answer| checked::parts(answer, people.count))
    }

    /// .1 a relationship, 1 a group that it leads.
    async fn stand(&self, people: &People) -> Result<Standings, RulesError> {
        let influence = |(network, leads): (&u32, &u32)| (*network as f32 * 0.1 + *leads as f32).min(2.0);
        let good = || Standings {
            influences: people.networks.iter().zip(&people.leaderships).map(influence).collect(),
            standings: people
                .leaderships
                .iter()
                .map(|leads| if *leads > 0 { Standing::Leader } else { Standing::Popular })
                .collect(),
        };
        let spoil = |fault| Standings { influences: spoiled(good().influences, fault), ..good() };
        self.answer("stand", 0, spoil, good, |answer| checked::standings(answer, people.count))
    }

    /// .1 a member.
    async fn weigh(&self, groups: &Groups) -> Result<Vec<f32>, RulesError> {
        let good = || groups.sizes.iter().map(|size| (*size as f32 * 0.1).min(1.0)).collect();
        self.column("weigh", 0, good, |answer| checked::group_influences(answer, groups.count))
    }

    fn archive(&self) -> ArchivedRules {
        let About { digest, name, version, .. } = self.about.clone();
        ArchivedRules { digest, name, version, component: vec![], settings: vec![] }
    }
}

/// A source that serves what it is told to, and revives everything that it ever served.
pub struct FixedSource {
    served: Mutex<Vec<Arc<dyn Rules>>>,
}

impl FixedSource {
    pub fn new(rules: Arc<dyn Rules>) -> Self {
        Self { served: Mutex::new(vec![rules]) }
    }

    /// From now on these serve.
    pub fn swap(&self, rules: Arc<dyn Rules>) {
        self.served.lock().push(rules);
    }
}

#[async_trait]
impl RulesSource for FixedSource {
    fn current(&self, name: &str) -> Option<Arc<dyn Rules>> {
        let served = self.served.lock();
        let is_it = |rules: &&Arc<dyn Rules>| {
            let known = rules.about().name.as_str();
            known == name || known.strip_prefix("traits-") == Some(name)
        };
        served.iter().rev().find(is_it).cloned()
    }

    fn known(&self) -> Vec<String> {
        let names: std::collections::BTreeSet<String> =
            self.served.lock().iter().map(|rules| rules.about().name.clone()).collect();
        names.into_iter().collect()
    }

    async fn revive(&self, archived: &ArchivedRules) -> Result<Arc<dyn Rules>, RulesError> {
        let served = self.served.lock();
        served.iter().find(|rules| rules.about().digest == archived.digest).cloned().ok_or_else(|| RulesError {
            rules: format!("{}@{}", archived.name, archived.version),
            call: "revive",
            error: CallError::Internal("never served".into()),
        })
    }
}
