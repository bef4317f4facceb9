//! What the standard rankers share: the bindings of the `ranker` world, normalised scores, feature
//! columns that may have gaps, and numeric settings. A plain library: a plugin of your own needs
//! nothing from here (see `plugins/README.md`).

/// What `wit_bindgen` makes of the contract; the names that rankers use are re-exported below.
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/v0.1",
        world: "ranker",
        generate_all,
        pub_export_macro: true,
        additional_derives: [PartialEq],
    });
}

pub use bindings::corsac::plugin::types::{Description, PluginError, Query};
pub use bindings::exports::corsac::plugin::ranking::{Candidates, Guest, Inputs, RankerDescription, Scored};

use bindings::wasi::config::store;

/// Makes `rank(&Query, &Candidates, explain)` the plugin. `features` and `texts` are the columns that
/// it asks for. Does nothing in a native build.
#[macro_export]
macro_rules! ranker {
    (
        name: $name:literal, purpose: $purpose:literal,
        features: $features:expr, texts: $texts:expr, embeddings: $embeddings:literal,
        rank: $rank:expr
    ) => {
        /// What the host calls.
        pub struct Ranker;

        impl $crate::Guest for Ranker {
            fn describe() -> $crate::RankerDescription {
                let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
                $crate::RankerDescription {
                    about: $crate::Description {
                        name: $name.into(),
                        version: env!("CARGO_PKG_VERSION").into(),
                        purpose: $purpose.into(),
                    },
                    inputs: $crate::Inputs {
                        features: names(&$features),
                        texts: names(&$texts),
                        embeddings: $embeddings,
                    },
                }
            }

            fn rank(
                query: $crate::Query,
                candidates: $crate::Candidates,
                explain: bool,
            ) -> Result<$crate::Scored, $crate::PluginError> {
                $rank(&query, &candidates, explain)
            }
        }

        #[cfg(target_family = "wasm")]
        $crate::bindings::export!(Ranker with_types_in $crate::bindings);
    };
}

/// Scores brought to 0..1: min-max over 0 and the scores, so that the best gets 1, equal scores stay
/// equal, and positive ones keep their ratio. What is not finite counts as the worst.
pub fn normalise(scores: &[f32]) -> Vec<f32> {
    // f64: the span of two finite f32 may not fit an f32.
    let finite = || scores.iter().copied().filter(|score| score.is_finite()).map(f64::from);
    let top = finite().fold(0.0, f64::max);
    let bottom = finite().fold(0.0, f64::min);
    let span = top - bottom;
    let share = |score: f32| if score.is_finite() && span > 0.0 { (f64::from(score) - bottom) / span } else { 0.0 };
    scores.iter().map(|&score| share(score) as f32).collect()
}

/// One feature of all candidates, in their order; `position` is its place in `features`.
pub fn column(candidates: &Candidates, position: usize, width: usize) -> Vec<f32> {
    candidates.features.chunks_exact(width).map(|row| row[position]).collect()
}

/// A number that the operator set, else the default. Errors: `internal`, naming key and value, when it
/// is no number within the range.
pub fn setting(key: &str, default: f32, range: std::ops::RangeInclusive<f32>) -> Result<f32, PluginError> {
    let value = store::get(key).map_err(|error| PluginError::Internal(format!("setting {key}: {error:?}")))?;
    parse_setting(key, value.as_deref(), default, range)
}

/// `setting` without the host, for tests.
pub fn parse_setting(
    key: &str,
    value: Option<&str>,
    default: f32,
    range: std::ops::RangeInclusive<f32>,
) -> Result<f32, PluginError> {
    let Some(value) = value else { return Ok(default) };
    value.trim().parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let (from, to) = (range.start(), range.end());
        PluginError::Internal(format!("setting {key} is `{value}`; set it to a number from {from} to {to}"))
    })
}

/// Candidates with these rows of features and nothing else, for native tests.
pub fn rows<const WIDTH: usize>(rows: &[[f32; WIDTH]]) -> Candidates {
    Candidates { count: rows.len() as u32, features: rows.concat(), texts: vec![], dimension: 0, embeddings: vec![] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_gets_one_and_order_stays() {
        assert_eq!(normalise(&[4.0, 2.0, 1.0]), [1.0, 0.5, 0.25]);
    }

    #[test]
    fn negative_scores_stay_within_zero_and_one() {
        assert_eq!(normalise(&[1.0, 0.0, -1.0]), [1.0, 0.5, 0.0]);
    }

    #[test]
    fn all_zero_and_empty_are_no_division_by_zero() {
        assert_eq!(normalise(&[0.0, 0.0]), [0.0, 0.0]);
        assert!(normalise(&[]).is_empty());
    }

    #[test]
    fn what_is_not_finite_is_worst() {
        assert_eq!(normalise(&[f32::NAN, 2.0, f32::INFINITY, 1.0]), [0.0, 1.0, 0.0, 0.5]);
        assert_eq!(normalise(&[f32::MAX, f32::MIN]), [1.0, 0.0]);
    }

    #[test]
    fn settings_are_numbers_within_their_range() {
        assert_eq!(parse_setting("boost", None, 0.5, 0.0..=10.0), Ok(0.5));
        assert_eq!(parse_setting("boost", Some(" 2 "), 0.5, 0.0..=10.0), Ok(2.0));
        for value in ["", "two", "NaN", "-1", "11", "inf"] {
            let expected = format!("setting boost is `{value}`; set it to a number from 0 to 10");
            assert_eq!(parse_setting("boost", Some(value), 0.5, 0.0..=10.0), Err(PluginError::Internal(expected)));
        }
    }
}
