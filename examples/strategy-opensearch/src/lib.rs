//! A strategy that leaves retrieval to an engine which speaks the search API of OpenSearch (and Elasticsearch): the
//! engine says which files, in which order and with which score; this index says which chunks those are.
//!
//! The operator grants it the engine's host (`http` in `[plugins.strategy-opensearch]`). An engine that is away, or
//! kept from it, degrades the answer to this host's own search by meaning.

/// The way to the engine, in a component.
#[cfg(target_family = "wasm")]
mod http;
/// From files and lines to chunks.
mod locate;
/// The engine's words.
mod search;

use strategy_kit::plan::{by_meaning, run};
use strategy_kit::{Hits, PluginError, Probe, Proposal, Query, RetrievalError};

pub use search::{EngineHits, Settings};

/// What is sent to the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub url: String,
    /// Value of `authorization`, if any.
    pub authorization: Option<String>,
    /// JSON.
    pub body: String,
}

/// Answers a query with what `ask` gets from the engine: status and body, or why there is none.
///
/// Errors: `internal` for a setting that makes no sense, and when neither engine nor index can answer.
pub fn propose_with(
    query: &Query,
    setting: impl Fn(&str) -> Option<String>,
    ask: impl Fn(&Request) -> Result<(u16, Vec<u8>), String>,
    retrieve: impl Fn(&[Probe]) -> Vec<Result<Hits, RetrievalError>>,
) -> Result<Proposal, PluginError> {
    let settings = Settings::read(setting).map_err(PluginError::Internal)?;
    let answered = ask(&settings.request(query)).and_then(|(status, body)| settings.hits(status, &body));
    let located = answered.and_then(|hits| locate::chunks(&hits, &retrieve).map(|located| (hits, located)));
    match located {
        Ok((hits, located)) => {
            let lost = [
                (located.unknown, "are not in this index"),
                (located.ambiguous, "have a path whose words fit several files of this index"),
            ];
            let lost = lost.iter().filter(|(count, _)| *count > 0);
            let lost: Vec<String> =
                lost.map(|(count, why)| format!("{count} of the engine's {} hits {why}", hits.rows.len())).collect();
            Ok(Proposal {
                chunks: located.chunks,
                lines: located.lines,
                scores: located.scores,
                strategies: vec!["opensearch".into()],
                degraded: hits.partial.iter().map(|why| format!("opensearch: {why}")).collect(),
                reason: (!lost.is_empty()).then(|| lost.join("; ")),
            })
        }
        Err(why) => {
            let mut proposal = run(query, None, by_meaning(query, 1.0), retrieve)?;
            proposal.degraded.push(format!("opensearch: {why}"));
            proposal.reason = Some("the engine gave no answer, so this index did".into());
            Ok(proposal)
        }
    }
}

#[cfg(target_family = "wasm")]
fn propose(
    query: &Query,
    retrieve: impl Fn(&[Probe]) -> Vec<Result<Hits, RetrievalError>>,
) -> Result<Proposal, PluginError> {
    let setting = |key: &str| strategy_kit::bindings::wasi::config::store::get(key).ok().flatten();
    propose_with(query, setting, http::post, retrieve)
}

#[cfg(not(target_family = "wasm"))]
fn propose(
    query: &Query,
    retrieve: impl Fn(&[Probe]) -> Vec<Result<Hits, RetrievalError>>,
) -> Result<Proposal, PluginError> {
    propose_with(query, |_| None, |_| Err("a native build has no way to the engine".into()), retrieve)
}

strategy_kit::strategy!("strategy-opensearch", "asks an engine that speaks OpenSearch's search API", propose);

#[cfg(test)]
mod tests;
