//! Search by meaning: nearest neighbours of the query's embedding, with BM25 beside them for the words
//! that an embedding blurs (names, numbers, rare terms).
//!
//! Both legs run at once and are fused by weighted reciprocal ranks; words weigh more for anything that
//! looks like code. Without vectors the text leg answers, marked degraded. The client's
//! `similarity_threshold` cuts the vector leg; `rrf_k` is the fusion's constant.

pub use strategy_kit::{Hits, PluginError, Probe, Proposal, Query, RetrievalError};

use strategy_kit::plan::{by_meaning, run};

/// Labels: `semantic` when the vector leg answered, `bm25` when the text leg found anything.
pub fn propose(
    query: &Query,
    retrieve: impl Fn(&[Probe]) -> Vec<Result<Hits, RetrievalError>>,
) -> Result<Proposal, PluginError> {
    run(query, None, by_meaning(query, 1.0), retrieve)
}

strategy_kit::strategy!("strategy-semantic", "finds by meaning: vectors, with BM25 beside them", propose);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    use strategy_kit::testing::hits;

    fn query(text: &str) -> Query {
        Query { similarity_threshold: Some(0.25), ..strategy_kit::testing::query(text) }
    }

    #[test]
    fn both_legs_run_in_one_call_and_weigh_the_same_for_prose() {
        let proposal = propose(&query("how are lifetimes checked"), |probes| {
            let [Probe::Vector(vector), Probe::Text(text)] = probes else { panic!("{probes:?}") };
            assert_eq!(vector.min_similarity, Some(0.25));
            assert_eq!(text.text, "how are lifetimes checked");
            vec![hits(&[1]), hits(&[2])]
        })
        .unwrap();
        assert_eq!(proposal.chunks, [1, 2]);
        assert_eq!(proposal.scores[0], proposal.scores[1]);
        assert_eq!(proposal.strategies, ["semantic", "bm25"]);
        assert!(proposal.degraded.is_empty());
    }

    #[test]
    fn a_name_prefers_text() {
        let proposal = propose(&query("parse_query"), |_| vec![hits(&[1]), hits(&[2])]).unwrap();
        assert_eq!(proposal.chunks, [2, 1]);
    }

    #[test]
    fn without_vectors_text_answers_degraded() {
        let proposal = propose(&query("lifetimes"), |_| vec![Err(RetrievalError::TimedOut), hits(&[2])]).unwrap();
        assert_eq!(proposal.strategies, ["bm25"]);
        assert_eq!(proposal.degraded, ["semantic: took longer than the host allows"]);
    }

    #[test]
    fn nothing_found_is_an_answer() {
        let proposal = propose(&query("lifetimes"), |_| vec![hits(&[]), hits(&[])]).unwrap();
        assert!(proposal.chunks.is_empty());
        assert_eq!(proposal.strategies, ["semantic"]);
    }
}
