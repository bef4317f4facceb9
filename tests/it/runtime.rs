//! The runtime with real components: standard plugins answer, hostile ones cost their own call only.

use std::sync::Arc;

use corsac::runtime::PluginKind;

use crate::support::{FixedHits, folder_of, plugin, query, runtime_over, scores};

#[tokio::test(flavor = "multi_thread")]
async fn a_standard_ranker_answers_through_wasm() {
    let folder = folder_of(&[("rank-relevance.wasm", plugin("rank-relevance"))]);
    let runtime = runtime_over(&folder).await;
    let ranker = runtime.registry().find(PluginKind::Ranker, "relevance").unwrap();
    let ranking = ranker.rank(&query("anything"), scores(&[4.0, 2.0, 1.0]), false).await.unwrap();
    assert_eq!(ranking.scores, [1.0, 0.5, 0.25]);
    assert!(ranking.explanations.is_empty());
    let explained = ranker.rank(&query("anything"), scores(&[4.0, 2.0]), true).await.unwrap();
    assert_eq!(explained.explanations.len(), 2);
    assert_eq!(ranker.statistics.read().calls, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_standard_strategy_proposes_what_the_index_found() {
    for name in ["semantic", "syntax", "hybrid", "smart"] {
        let file = format!("strategy-{name}");
        let folder = folder_of(&[("it.wasm", plugin(&file))]);
        let runtime = runtime_over(&folder).await;
        let strategy = runtime.registry().find(PluginKind::Strategy, name).unwrap();
        let retriever = Arc::new(FixedHits(vec![(7, 3, 2.0), (9, 1, 1.0)]));
        let proposal = strategy.propose(&query("open the index"), retriever).await.unwrap();
        let mut chunks: Vec<u64> = proposal.hits.chunks.iter().map(|chunk| chunk.0).collect();
        chunks.sort_unstable();
        assert_eq!(chunks, [7, 9], "{name}");
        assert!(!proposal.strategies.is_empty(), "{name}");
    }
}
