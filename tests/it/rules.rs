//! Trait rules as components: what they answer arrives as it was said, and what breaks the contract costs its
//! own call an error that names the rules.

/// Versions that come, go and come back.
mod archive;
/// Rules that break the contract.
mod misdeeds;
/// Agents to ask about.
mod questions;
/// The rules that come with the server.
mod standard;

use std::collections::BTreeMap;
use std::sync::Arc;

use corsac::rules::{
    Bond, Crowd, Groups, Individual, InteractionKind, Lives, Outcome, Part, People, Population, Rules, RulesError,
    Standing,
};
use corsac::runtime::{CompiledCache, LoadError, Loader, Plugin, PluginOptions, Source, TraitRules};

use self::questions::{WIDTH, bodies, crowd, encounters, groups, individual, lessons, lives, memories, people};
use crate::support::fixture;

/// Loads fixtures again and again under other settings; compiled code is kept, so that only the first
/// load compiles.
struct Loads {
    loader: Arc<Loader>,
    _compiled: tempfile::TempDir,
}

impl Loads {
    fn new() -> Self {
        let compiled = tempfile::tempdir().unwrap();
        let loader = Arc::new(Loader::new(Some(CompiledCache::open(compiled.path()).unwrap())).unwrap());
        Self { loader, _compiled: compiled }
    }

    async fn load(&self, name: &str, options: PluginOptions) -> Result<Vec<Plugin>, LoadError> {
        let bytes = std::fs::read(fixture(name)).unwrap();
        self.loader.load(bytes.into(), &Source::Embedded(name.into()), &move |_| options.clone()).await
    }

    async fn rules(&self, name: &str, options: PluginOptions) -> TraitRules {
        let plugin = self.load(name, options).await.unwrap().pop().unwrap();
        TraitRules::of(Arc::new(plugin)).unwrap()
    }
}

fn settings(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
    settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Limits that a misdeed reaches quickly.
fn tight(misbehave: &str) -> PluginOptions {
    PluginOptions {
        deadline_ms: 200,
        memory_bytes: 32 << 20,
        max_output_bytes: 1 << 20,
        settings: settings(&[("misbehave", misbehave)]),
        ..PluginOptions::default()
    }
}

/// One call of each name, about three agents.
async fn ask(rules: &dyn Rules, call: &str) -> Result<(), RulesError> {
    let (one, other) = (individual(0.25, WIDTH), individual(0.75, WIDTH));
    let three = people(&[0, 1, 2]);
    match call {
        "first-traits" => rules.first_traits("fox", 3, 1).await.map(drop),
        "inherit" => rules.inherit(&one, &other, 3, 1).await.map(drop),
        "compatibility" => {
            let many = Population {
                count: 3,
                traits: vec![0.5; 3 * WIDTH],
                spirits: vec!["wolf".into(); 3],
                generations: vec![1; 3],
            };
            rules.compatibility(&one, &many).await.map(drop)
        }
        "score" => rules.score(&one, &crowd(3)).await.map(drop),
        "weigh" => rules.weigh(&groups(3)).await.map(drop),
        "interact" => {
            let before = Bond { strength: 0.25, trust: 0.5, familiarity: 0.75 };
            rules.interact(InteractionKind::Social, &one, &other, before, 1).await.map(drop)
        }
        "tick" => rules.tick(&lives(3), 1.0, 1).await.map(drop),
        "names" => rules.names("fox", "foundation", 1, 3, 1).await.map(drop),
        "meet" => rules.meet(&encounters(3), 1.0, 1).await.map(drop),
        "wander" => rules.wander(&bodies(3), 1.0, 1).await.map(drop),
        "remember" => rules.remember(&memories(3), 1.0).await.map(drop),
        "learn" => rules.learn(&lessons(3), 1.0, 1).await.map(drop),
        "unlearn" => rules.unlearn(&[0.5; 3], 1.0).await.map(drop),
        "gather" => rules.gather(&three, 1).await.map(drop),
        "stand" => rules.stand(&three).await.map(drop),
        other => panic!("there is no call {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_without_a_society_do_what_they_can() {
    let rules = Loads::new().rules("plain-rules", PluginOptions::default()).await;
    let about = rules.about();
    assert_eq!(about.label(), "plain-rules@0.1.0");
    assert_eq!(about.traits.all().collect::<Vec<_>>(), ["courage", "size"]);
    assert!(about.society.is_none());

    assert_eq!(rules.first_traits("fox", 2, 1).await.unwrap(), [0.25, 0.75, 0.25, 0.75]);
    let now = Lives { count: 2, ages: vec![1.0, 99.5], energies: vec![0.5, 0.25], traits: vec![0.5; 4] };
    let after = rules.tick(&now, 0.5, 1).await.unwrap();
    assert_eq!((after.ages, after.energies, after.alive), (vec![1.5, 100.0], vec![0.5, 0.25], vec![true, false]));
    assert!(after.traits.is_empty());

    for call in ["names", "meet", "wander", "remember", "learn", "unlearn", "gather", "stand"] {
        let error = ask(&rules, call).await.unwrap_err();
        assert_eq!((error.call, error.error.kind()), (call, "unsupported"));
        assert!(error.to_string().contains("plain-rules@0.1.0 has no society"), "{error}");
    }
}

/// Every column goes to its own place, both ways; the expected values are what the fixture's source says.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_trait_model_says_arrives_as_said() {
    let rules = Loads::new().rules("hostile-rules", PluginOptions::default()).await;
    let (one, other) = (individual(0.25, WIDTH), Individual { mutations: 5, ..individual(0.75, WIDTH) });

    let children = rules.inherit(&one, &other, 2, 1).await.unwrap();
    assert_eq!(children.traits, vec![0.5; 2 * WIDTH], "the mean of 0.25 and 0.75");
    assert_eq!((children.spirits, children.mutations), (vec!["fox".to_owned(); 2], vec![6, 6]));

    let mut traits = vec![0.25; WIDTH];
    traits.extend(vec![0.75; WIDTH]);
    let many = Population { count: 2, traits, spirits: vec!["fox".into(); 2], generations: vec![1, 9] };
    assert_eq!(rules.compatibility(&one, &many).await.unwrap(), [1.0, 0.5], "1 less the mean difference");

    use InteractionKind::*;
    let before = Bond { strength: 0.25, trust: 0.5, familiarity: 0.75 };
    for (place, kind) in [Communication, Collaboration, Teaching, Social, Competitive, Romantic].into_iter().enumerate()
    {
        let interaction = rules.interact(kind, &one, &other, before, 1).await.unwrap();
        assert_eq!(interaction.outcome, Outcome::Success);
        assert_eq!((interaction.impact, interaction.energy_costs), (0.125, [place as f32 / 8.0, 0.125]));
        assert_eq!(interaction.after, Bond { strength: 0.375, ..before });
    }
}

/// Every column of a crowd and of groups; told `echo`, the fixture makes one number an agent of the columns.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_crowds_and_groups_arrives_as_said() {
    let loads = Loads::new();
    let rules = loads.rules("hostile-rules", PluginOptions::default()).await;
    let many = Crowd {
        count: 2,
        traits: [vec![0.25; WIDTH], vec![0.75; WIDTH]].concat(),
        spirits: ["fox", "alien", "owlet"].map(str::to_owned).to_vec(),
        spirit_of: vec![1, 0],
        generations: vec![2, 16],
    };
    let one = individual(0.25, WIDTH);
    assert_eq!(rules.score(&one, &many).await.unwrap(), [1.0, 0.5], "1 less the mean difference");
    let three = groups(3);
    assert_eq!(rules.weigh(&three).await.unwrap(), three.cohesions);

    let options = PluginOptions { settings: settings(&[("misbehave", "score-echo,weigh-echo")]), ..tight("") };
    let echoing = loads.rules("hostile-rules", options).await;
    // Letters / 8 + generation / 64.
    assert_eq!(echoing.score(&one, &many).await.unwrap(), [0.625 + 0.03125, 0.375 + 0.25]);
    // Size / 64 + cohesion / 8 + leader / 4.
    assert_eq!(
        echoing.weigh(&three).await.unwrap(),
        [0.03125 + 0.03125, 0.0625 + 0.0625 + 0.125, 0.125 + 0.09375 + 0.25]
    );
}

/// Rules from before there were crowds and weighed groups go on, with the scores that they gave and the influence that
/// the host gave groups.
#[tokio::test(flavor = "multi_thread")]
async fn rules_with_a_society_only_go_on_as_before() {
    let rules = Loads::new().rules("earlier-rules", PluginOptions::default()).await;
    assert!(rules.about().society.is_some());
    let one = Individual { traits: vec![0.5; 2], ..individual(0.5, 2) };
    let many = Crowd {
        count: 3,
        traits: vec![0.5, 0.0, 0.25, 0.0, 1.0, 0.0],
        spirits: vec!["owl".into(), "fox".into()],
        spirit_of: vec![1, 1, 0],
        generations: vec![1; 3],
    };
    assert_eq!(rules.score(&one, &many).await.unwrap(), [0.5, 0.25, 0.5], "the fixture halves it for another spirit");
    // 0.6 × 0.2 + 0.4 × 0.25; 0.6 × 0.4 + 0.4 × 0.5; 0.6 × 0.8 + 0.4 × 0.75.
    for (found, expected) in rules.weigh(&groups(3)).await.unwrap().into_iter().zip([0.22_f32, 0.44, 0.78]) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }
    let beside = Crowd { spirit_of: vec![0, 9, 0], ..many };
    assert_eq!(rules.score(&one, &beside).await.unwrap(), [0.25, 0.125, 0.5], "no spirit is another spirit");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_society_says_arrives_as_said() {
    use InteractionKind::*;
    let rules = Loads::new().rules("hostile-rules", PluginOptions::default()).await;
    let society = rules.about().society.as_ref().unwrap();
    let customs = &society.customs;
    assert_eq!((customs.stages, customs.maturity_age, customs.max_age), ([5.0, 18.0, 80.0], 18.0, 100.0));
    assert_eq!((customs.breeding_cooldown, customs.max_offspring, customs.breeding_threshold), (1.0, 5, 0.25));
    assert_eq!((customs.meeting_distance, customs.movement_speed), (50.0, 1.0));
    assert_eq!((customs.max_relationships, customs.memory_capacity, customs.knowledge_capacity), (100, 1000, 500));
    let level = &customs.levels[0];
    assert_eq!((level.at_least, level.name.as_str(), level.advice.as_str()), (0.5, "good", "go on"));
    let wolf = &society.catalogue.spirits[1];
    assert_eq!((wolf.name.as_str(), wolf.category.as_str(), wolf.emoji.as_str()), ("wolf", "canine", "🦊"));
    assert_eq!(
        (&wolf.adjectives[0][..], &wolf.names[0][..], &wolf.generation_numbers[..]),
        ("plain", "Rust", &[3, 7][..])
    );
    assert_eq!(wolf.base_traits, [("courage".to_owned(), 0.75)]);
    assert_eq!(society.catalogue.styles[0].template, "{spirit}-{number}");
    assert_eq!(society.catalogue.words, [("suffixes".to_owned(), vec!["Prime".to_owned()])]);

    assert_eq!(rules.names("fox", "foundation", 4, 2, 9).await.unwrap(), ["fox-4-9-0", "fox-4-9-1"]);

    let after = rules.meet(&encounters(6), 1.0, 1).await.unwrap();
    assert_eq!(after.kinds, [Communication, Collaboration, Teaching, Social, Competitive, Romantic]);
    let outcomes = [Outcome::Success, Outcome::PartialSuccess, Outcome::Failure, Outcome::Neutral];
    assert_eq!(after.outcomes, [&outcomes[..], &outcomes[..2]].concat());
    let firsts = [&after.strengths, &after.trusts, &after.familiarities, &after.impacts].map(|column| column[0]);
    assert_eq!(firsts, [0.375, 0.375, 0.75, 0.125]);
    let firsts = [&after.first_costs, &after.second_costs, &after.importances, &after.emotions].map(|column| column[0]);
    assert_eq!(firsts, [0.0625, 0.0625, 0.5, 0.25]);

    assert_eq!(rules.wander(&bodies(2), 1.0, 1).await.unwrap(), (vec![1.0, 1.0], vec![0.0, 0.0]));
    let remembered = rules.remember(&memories(2), 1.0).await.unwrap();
    assert_eq!((remembered.importances, remembered.forgotten), (vec![0.5; 2], vec![false; 2]));
    assert_eq!(rules.learn(&lessons(2), 1.0, 1).await.unwrap(), [0.375, 0.375]);
    assert_eq!(rules.unlearn(&[0.5, 0.25], 1.0).await.unwrap(), [0.25, 0.125]);

    let six = people(&[0, 1, 2, 3, 4, 5]);
    let parts = [Part::Apart, Part::Member, Part::Leader];
    assert_eq!(rules.gather(&six, 1).await.unwrap(), [parts, parts].concat());
    let stood = rules.stand(&six).await.unwrap();
    assert_eq!(stood.influences, [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]);
    use Standing::*;
    assert_eq!(stood.standings, [Outcast, Marginal, Accepted, Popular, Influential, Leader]);
}

/// The batch that a world asks about at once fits into the limits that a plugin has by default, the
/// whole matrix both ways included.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_a_world_fits_the_default_limits() {
    const BATCH: usize = 8192;
    let rules = Loads::new().rules("hostile-rules", PluginOptions::default()).await;
    let now = lives(BATCH);
    let after = rules.tick(&now, 0.25, 1).await.unwrap();
    assert_eq!(after.traits, now.traits);
    assert_eq!(after.ages[BATCH - 1], 8191.0 / 128.0 + 0.25);
    assert_eq!(rules.first_traits("fox", BATCH as u32, 1).await.unwrap().len(), BATCH * WIDTH);
    assert_eq!(rules.meet(&encounters(BATCH), 1.0, 1).await.unwrap().met.len(), BATCH);
    assert_eq!(rules.wander(&bodies(BATCH), 1.0, 1).await.unwrap().0.len(), BATCH);
    assert_eq!(rules.learn(&lessons(BATCH), 1.0, 1).await.unwrap().len(), BATCH);
    let networks: Vec<u32> = (0..BATCH as u32).map(|agent| agent % 6).collect();
    let all = People { influences: vec![1.0; BATCH], ..people(&networks) };
    assert_eq!(rules.stand(&all).await.unwrap().standings[BATCH - 1], Standing::Marginal, "8191 is 1 modulo 6");
    let weighed = Groups { cohesions: vec![0.5; BATCH], ..groups(BATCH) };
    assert_eq!(rules.weigh(&weighed).await.unwrap(), vec![0.5; BATCH]);
    assert_eq!(rules.score(&individual(0.25, WIDTH), &crowd(BATCH)).await.unwrap(), vec![0.75; BATCH]);
    let many = Population {
        count: BATCH as u32,
        traits: vec![0.5; BATCH * WIDTH],
        spirits: vec!["wolf".into(); BATCH],
        generations: vec![1; BATCH],
    };
    let scores = rules.compatibility(&individual(0.25, WIDTH), &many).await.unwrap();
    assert_eq!(scores, vec![0.75; BATCH]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_the_file_tells_traits_and_spirits() {
    let report = corsac::check::check(&fixture("hostile-rules"), None).await.unwrap();
    assert!(report.loads, "{}", report.text);
    for part in [
        "corsac:agents/society@0.1",
        "corsac:agents/matching@0.1",
        "corsac:agents/grouping@0.1",
        "16 personality, 12 physical, 16 abilities; with a society",
        "spirits   fox, wolf",
    ] {
        assert!(report.text.contains(part), "{part} is not in\n{}", report.text);
    }
    let report = corsac::check::check(&fixture("plain-rules"), None).await.unwrap();
    assert!(report.text.contains("1 personality, 1 physical, 0 abilities; without a society"), "{}", report.text);
}
