//! Rules that break the contract: a call that fails costs itself only, and what rules say wrongly of themselves keeps
//! them from being served.

use std::sync::Arc;

use corsac::rules::{Crowd, Rules, RulesSource};
use corsac::runtime::{CallError, LoadError, PluginOptions, RulesOfPlugins, Runtime, RuntimeOptions};

use super::questions::{WIDTH, crowd, individual};
use super::{Loads, ask, settings, tight};
use crate::support::{fixture, folder_of};

/// The error that rules under `misbehave` give when `call` is asked, with what must be true of all.
async fn misdeed(loads: &Loads, misbehave: &str, call: &'static str) -> CallError {
    let rules = loads.rules("hostile-rules", tight(misbehave)).await;
    let error = ask(&rules, call).await.expect_err(misbehave);
    assert_eq!((error.rules.as_str(), error.call), ("hostile-rules@1.0.0-edition-a", call), "{misbehave}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("the rules hostile-rules@1.0.0-edition-a failed at {call}: ")), "{text}");
    let well_behaved = if call == "tick" { "stand" } else { "tick" };
    assert_eq!(ask(&rules, well_behaved).await, Ok(()), "after {misbehave}");
    error.error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spirits_misdeed_is_one_error_of_its_kind() {
    let rules = Loads::new().rules("hostile-rules", tight("")).await;
    for (spirit, kind, part) in [
        ("!nan", "contract", "traits 131 (row 2, column 43) is NaN"),
        ("!infinite", "contract", "traits 131 (row 2, column 43) is inf"),
        ("!outside", "contract", "-1.5"),
        ("!short", "contract", "131 traits for 3 rows of 44"),
        ("!long", "contract", "133 traits for 3 rows of 44"),
        ("!huge", "output", "1048576 bytes"),
        ("!loop", "timeout", "200 ms"),
        ("!alloc", "memory", "33554432 bytes"),
        ("!trap", "trap", "first-traits"),
        ("!overflow", "trap", "overflow"),
        ("!panic", "trap", "unreachable"),
        ("!error-bad-query", "bad_query", "the fixture wants another question"),
        ("!error-unsupported", "unsupported", "the fixture does not do this"),
        ("!error-internal", "internal", "the fixture is broken"),
    ] {
        let error = rules.first_traits(spirit, 3, 1).await.expect_err(spirit);
        assert_eq!((error.error.kind(), error.call), (kind, "first-traits"), "{spirit}: {error}");
        let text = error.to_string();
        assert!(text.contains("hostile-rules@1.0.0-edition-a") && text.contains(part), "{spirit}: {text}");
        assert_eq!(rules.first_traits("fox", 3, 1).await, Ok(vec![0.25; 3 * WIDTH]), "after {spirit}");
    }
}

/// No number that is not one, no length that is not asked for, comes through any call.
#[tokio::test(flavor = "multi_thread")]
async fn no_call_lets_a_bad_column_through() {
    let loads = Loads::new();
    for call in [
        "first-traits",
        "inherit",
        "compatibility",
        "tick",
        "meet",
        "wander",
        "remember",
        "learn",
        "unlearn",
        "stand",
        "score",
        "weigh",
    ] {
        for how in ["nan", "infinite", "outside", "short", "long"] {
            // The trial call at load meets what `first-traits` is told; a velocity may well be -1.5.
            if call == "first-traits" || (call, how) == ("wander", "outside") {
                continue;
            }
            let error = misdeed(&loads, &format!("{call}-{how}"), call).await;
            assert_eq!(error.kind(), "contract", "{call}-{how}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_calls_misdeed_is_one_error_of_its_kind() {
    let loads = Loads::new();
    for (call, how, kind) in [
        ("tick", "trap", "trap"),
        ("tick", "loop", "timeout"),
        ("tick", "alloc", "memory"),
        ("tick", "huge", "output"),
        ("inherit", "stranger", "contract"),
        ("inherit", "error-bad-query", "bad_query"),
        ("compatibility", "huge", "output"),
        ("interact", "nan", "contract"),
        ("interact", "outside", "contract"),
        ("interact", "panic", "trap"),
        ("names", "twins", "contract"),
        ("names", "empty", "contract"),
        ("names", "control", "contract"),
        ("names", "long", "contract"),
        ("names", "huge-text", "output"),
        ("meet", "error-internal", "internal"),
        ("meet", "loop", "timeout"),
        ("wander", "fast", "contract"),
        ("wander", "trap", "trap"),
        ("remember", "overflow", "trap"),
        ("learn", "error-unsupported", "unsupported"),
        ("unlearn", "alloc", "memory"),
        ("gather", "long", "contract"),
        ("gather", "trap", "trap"),
        ("stand", "trap", "trap"),
        ("score", "trap", "trap"),
        ("score", "loop", "timeout"),
        ("score", "huge", "output"),
        ("score", "error-internal", "internal"),
        ("weigh", "panic", "trap"),
        ("weigh", "alloc", "memory"),
        ("weigh", "error-bad-query", "bad_query"),
    ] {
        let error = misdeed(&loads, &format!("{call}-{how}"), call).await;
        assert_eq!(error.kind(), kind, "{call}-{how}: {error}");
    }
}

/// What rules say wrongly of themselves keeps them from being served; the text says what is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn rules_that_describe_themselves_wrongly_are_not_served() {
    let loads = Loads::new();
    for (misbehave, part) in [
        ("describe-twins", "describe: spirits 16 is `fox`"),
        ("describe-spiritless", "describe: no spirits"),
        ("customs-unordered", "stages"),
        ("customs-nan", "stages 2 is NaN"),
        ("catalogue-outside", "`courage` of the spirit `fox` is 1.5"),
        ("catalogue-stranger", "`nothing`"),
    ] {
        match loads.load("hostile-rules", tight(misbehave)).await {
            Err(LoadError::Description(reason)) => assert!(reason.contains(part), "{misbehave}: {reason}"),
            other => panic!("{misbehave}: {other:?}"),
        }
    }
    for (misbehave, part) in [
        ("customs-trap", "describe-customs: "),
        ("catalogue-loop", "describe-catalogue: ran longer than 200 ms"),
        ("first-traits-short", "43 traits for 1 rows of 44"),
        ("first-traits-trap", "unreachable"),
    ] {
        match loads.load("hostile-rules", tight(misbehave)).await {
            Err(LoadError::Probe(reason)) => assert!(reason.contains(part), "{misbehave}: {reason}"),
            other => panic!("{misbehave}: {other:?}"),
        }
    }
    let broken = PluginOptions { settings: settings(&[("broken", "yes")]), ..PluginOptions::default() };
    let error = loads.load("plain-rules", broken).await.unwrap_err();
    assert_eq!(error, LoadError::Description("describe: 0 traits, it must be 1 to 200".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_description_is_listed_and_the_rest_serves() {
    let folder = folder_of(&[("h.wasm", fixture("hostile-rules")), ("p.wasm", fixture("plain-rules"))]);
    let options = RuntimeOptions {
        folders: vec![folder.path().to_owned()],
        plugins: Arc::new(|_| tight("customs-nan")),
        ..RuntimeOptions::default()
    };
    let runtime = Runtime::start(options).await.unwrap();
    let rules = RulesOfPlugins::new(runtime.clone());
    assert_eq!(rules.known(), ["plain-rules"]);
    assert!(rules.current("hostile-rules").is_none());
    let failures: Vec<String> = runtime.registry().failures().iter().map(|failure| failure.source.label()).collect();
    assert_eq!(failures, ["h.wasm"]);
}

/// A place outside the table of spirits comes from no world, but a guest that believes it must not take the host
/// with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_outside_the_table_ends_the_call_only() {
    let rules = Loads::new().rules("hostile-rules", tight("score-echo")).await;
    let beside = Crowd { spirit_of: vec![0, 7, 0], ..crowd(3) };
    let error = rules.score(&individual(0.25, WIDTH), &beside).await.unwrap_err();
    assert_eq!((error.call, error.error.kind()), ("score", "trap"), "{error}");
    assert_eq!(ask(&rules, "score").await, Ok(()));
}
