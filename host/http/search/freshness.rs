//! How fresh an answer is, as a header. It is beside the body, because the body is the same for as long as
//! the index is, and is cached.

use std::fmt::Write;

use arc_swap::ArcSwapOption;
use axum::http::HeaderValue;

use crate::http::backend::Freshness;

pub(in crate::http) const NAME: &str = "corsac-freshness";

/// The header as it was last written: it changes once a second, and answers are many.
#[derive(Default)]
pub(in crate::http) struct FreshnessHeader(ArcSwapOption<(Freshness, HeaderValue)>);

impl FreshnessHeader {
    /// A dictionary of RFC 9651, such as `generation=41, latest=43, checked=2`, with `stale` at its end
    /// when the store is out of reach.
    pub(in crate::http) fn value(&self, freshness: Freshness) -> HeaderValue {
        if let Some(written) = &*self.0.load()
            && written.0 == freshness
        {
            return written.1.clone();
        }
        let value = render(freshness);
        self.0.store(Some(std::sync::Arc::new((freshness, value.clone()))));
        value
    }
}

fn render(freshness: Freshness) -> HeaderValue {
    let Freshness { generation, latest, checked, stale } = freshness;
    let mut text = String::with_capacity(64);
    // Writing to a string cannot fail.
    let _ = write!(text, "generation={generation}, latest={latest}, checked={checked}");
    if stale {
        text.push_str(", stale");
    }
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("stale"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_that_follows_what_is_known() {
        let header = FreshnessHeader::default();
        let fresh = Freshness { generation: 41, latest: 43, checked: 2, stale: false };
        assert_eq!(header.value(fresh), "generation=41, latest=43, checked=2");
        assert_eq!(header.value(fresh), "generation=41, latest=43, checked=2");
        let stale = Freshness { checked: 30, stale: true, ..fresh };
        assert_eq!(header.value(stale), "generation=41, latest=43, checked=30, stale");
        assert_eq!(header.value(fresh), "generation=41, latest=43, checked=2");
    }
}
