//! The rules that come with the server keep the contract under the limits that a plugin has by default: for
//! every spirit, every style, and batches as large as a world's.

use std::collections::BTreeSet;

use corsac::rules::{Crowd, Individual, Lives, People, Population, Rules, RulesSource};
use corsac::runtime::RulesOfPlugins;

use super::questions::{WIDTH, bodies, encounters, groups, lessons, lives, memories, people};
use crate::support::{folder_of, plugin, runtime_over};

const BATCH: usize = 8192;

/// Runs a check over both; a difference between the two would be a check that only one keeps.
async fn each(check: impl AsyncFn(&str, &dyn Rules)) {
    let folder = folder_of(&[("c.wasm", plugin("traits-classic")), ("d.wasm", plugin("traits-drift"))]);
    let runtime = runtime_over(&folder).await;
    assert_eq!(runtime.registry().failures(), []);
    let source = RulesOfPlugins::new(runtime);
    assert_eq!(source.known(), ["traits-classic", "traits-drift"]);
    for name in ["classic", "drift"] {
        check(name, &*source.current(name).unwrap()).await;
    }
}

/// The figures of issue and origin: 16, 12 and 16 traits, at least fifty spirits, at least six styles.
#[tokio::test(flavor = "multi_thread")]
async fn the_standard_rules_say_what_they_shall() {
    each(async |name, rules| {
        let about = rules.about();
        assert_eq!(about.name, format!("traits-{name}"));
        let groups = [&about.traits.personality, &about.traits.physical, &about.traits.abilities].map(Vec::len);
        assert_eq!(groups, [16, 12, 16], "{name}");
        let society = about.society.as_ref().unwrap();
        assert!(about.spirits.len() >= 50 && society.catalogue.spirits.len() >= 50, "{name}");
        let styles: BTreeSet<&str> = society.catalogue.styles.iter().map(|style| style.name.as_str()).collect();
        for style in ["foundation", "exo", "hybrid", "cyberpunk", "mythological", "scientific"] {
            assert!(styles.contains(style), "{name} has no style {style}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_spirit_is_born_bred_and_named_alike_from_the_same_seed() {
    each(async |name, rules| {
        let styles = rules.about().society.as_ref().unwrap().catalogue.styles.clone();
        for (place, spirit) in rules.about().spirits.iter().enumerate() {
            let traits = rules.first_traits(spirit, 2, 7).await.unwrap();
            assert_eq!(traits, rules.first_traits(spirit, 2, 7).await.unwrap(), "{name}, {spirit}");
            assert_ne!(traits, rules.first_traits(spirit, 2, 8).await.unwrap(), "{name}, {spirit}");
            let width = rules.about().traits.width();
            let parent = |traits: &[f32]| Individual {
                traits: traits.to_vec(),
                spirit: spirit.clone(),
                generation: 1,
                mutations: 0,
            };
            let (first, second) = (parent(&traits[..width]), parent(&traits[width..]));
            let child = rules.inherit(&first, &second, 1, 7).await.unwrap();
            assert_eq!(child, rules.inherit(&first, &second, 1, 7).await.unwrap(), "{name}, {spirit}");
            assert_eq!(child.spirits, std::slice::from_ref(spirit), "{name}");
            let style = &styles[place % styles.len()].name;
            let names = rules.names(spirit, style, 3, 20, 7).await.unwrap();
            assert_eq!(names.len(), 20, "{name}, {spirit}, {style}");
            assert_eq!(names, rules.names(spirit, style, 3, 20, 7).await.unwrap(), "{name}, {spirit}, {style}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_fits_the_default_limits() {
    each(async |name, rules| {
        let spirits = &rules.about().spirits;
        let now = lives(BATCH);
        let after = rules.tick(&now, 0.25, 1).await.unwrap();
        assert_eq!(after, rules.tick(&now, 0.25, 1).await.unwrap(), "{name}");
        assert!(after.ages.iter().zip(&now.ages).all(|(after, before)| after > before), "{name}");
        assert_eq!(rules.meet(&encounters(BATCH), 1.0, 1).await.unwrap().met.len(), BATCH);
        assert_eq!(rules.wander(&bodies(BATCH), 1.0, 1).await.unwrap().0.len(), BATCH);
        assert_eq!(rules.remember(&memories(BATCH), 1.0).await.unwrap().forgotten.len(), BATCH);
        assert_eq!(rules.learn(&lessons(BATCH), 1.0, 1).await.unwrap().len(), BATCH);
        assert_eq!(rules.unlearn(&vec![0.5; BATCH], 1.0).await.unwrap().len(), BATCH);
        let crowd = people(&vec![3; BATCH]);
        let crowd = People { influences: vec![0.5; BATCH], ..crowd };
        assert_eq!(rules.gather(&crowd, 1).await.unwrap().len(), BATCH);
        assert_eq!(rules.stand(&crowd).await.unwrap().standings.len(), BATCH);
        let Lives { traits, .. } = now;
        let one =
            Individual { traits: traits[..WIDTH].to_vec(), spirit: spirits[0].clone(), generation: 1, mutations: 0 };
        let many = Crowd {
            count: BATCH as u32,
            traits,
            spirits: spirits.clone(),
            spirit_of: (0..BATCH).map(|agent| (agent % spirits.len()) as u32).collect(),
            generations: (0..BATCH).map(|agent| (agent % 7) as u32).collect(),
        };
        let scores = rules.score(&one, &many).await.unwrap();
        assert_eq!(scores.len(), BATCH);
        let Crowd { count, traits, generations, .. } = many;
        let spirits = spirits.iter().cycle().take(BATCH).cloned().collect();
        let many = Population { count, traits, spirits, generations };
        assert_eq!(rules.compatibility(&one, &many).await.unwrap(), scores, "{name}: the same scores either way");
        assert_eq!(rules.weigh(&groups(BATCH)).await.unwrap().len(), BATCH);
    })
    .await;
}

/// What only the component can show: that groups are worth what the crate says, under either rules.
#[tokio::test(flavor = "multi_thread")]
async fn groups_are_worth_what_the_rules_say() {
    each(async |name, rules| {
        // Sizes 2, 4, 8; cohesions .25, .5, .75; leaders 0, .5, 1.
        let found = rules.weigh(&groups(3)).await.unwrap();
        let expected = match name {
            // 0.6 × size / 10 + 0.4 × cohesion.
            "classic" => [0.22_f32, 0.44, 0.78],
            // 0.5 × cohesion + 0.3 × size / (size + 4) + 0.1 × leader.
            _ => [0.225, 0.45, 0.675],
        };
        for (found, expected) in found.into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{name}: {found} is not {expected}");
        }
    })
    .await;
}
