//! The service over a small index with the standard plugins: what makes one answer another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// Windows, pages, and answers in parts.
mod parts;

use std::time::UNIX_EPOCH;

use tempfile::TempDir;

use super::answer::SearchResponse;
use super::columns::{Asker, Candidate, Legs};
use super::*;
use crate::app::standard_plugins;
use crate::cache::Lifetimes;
use crate::index::{Change, DocumentVersion, Index};
use crate::query::{ChunkId, Persona, Query};
use crate::runtime::{Inputs, RuntimeOptions};
use crate::usage::Affinity;

fn index(folder: &TempDir) -> Arc<Index> {
    let index = Index::open(folder.path()).unwrap();
    for (sequence, path) in [(1, "notes/tea.md"), (2, "notes/coffee.md")] {
        let version = DocumentVersion {
            sequence,
            document: sequence,
            root: 0,
            path: path.into(),
            language: None,
            title: None,
            modified: 0,
            content: format!("A warm drink, kept in {path}."),
        };
        index.apply(vec![Change::Upsert(Box::new(index.prepare(version)))]).unwrap();
    }
    index.commit(2).unwrap();
    Arc::new(index)
}

fn asked_by(persona: Option<Persona>) -> SearchRequest {
    SearchRequest {
        strategy: "hybrid".into(),
        ranker: None,
        query: Query::new("warm drink", 10),
        offset: 0,
        max_results: 10,
        context_lines: 0,
        explain: false,
        facets: vec![],
        persona: persona.map(Arc::new),
        understand: None,
    }
}

fn persona(id: &str, curiosity: f32) -> Option<Persona> {
    Some(Persona::new(id, vec![("patience".to_owned(), 0.25), ("curiosity".to_owned(), curiosity)]))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_kept_for_the_agent_as_it_was_and_for_one_collection() {
    let folder = TempDir::new().unwrap();
    let index = index(&folder);
    let options = RuntimeOptions { embedded: standard_plugins(), ..RuntimeOptions::default() };
    let runtime = Runtime::start(options).await.unwrap();
    let cache = Cache::new(1 << 20, Lifetimes::default());
    let limits = ServiceLimits { concurrent_searches: 2, timeout: Duration::from_secs(60) };
    let documents = Service::new(runtime.clone(), index.clone(), cache.clone(), limits);
    let others = Service::over("others", runtime, index, cache, limits);
    let status = async |service: &Service, persona: Option<Persona>| {
        let answer = service.search(asked_by(persona)).await.unwrap();
        answer.cache
    };
    for (persona, what) in [
        (None, "nobody"),
        (persona("fox-001", 0.5), "an agent"),
        (persona("fox-001", 0.500_001), "the same agent, a little changed"),
        (persona("fox-002", 0.5), "its twin"),
    ] {
        assert_eq!(status(&documents, persona.clone()).await, CacheStatus::Miss, "{what}");
        assert_eq!(status(&documents, persona.clone()).await, CacheStatus::Hit, "{what}");
        assert_eq!(status(&others, persona.clone()).await, CacheStatus::Miss, "{what}, in another collection");
    }

    let answer = documents.search(asked_by(persona("fox-001", 0.5))).await.unwrap();
    let response: SearchResponse = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((response.agent.as_deref(), response.total_results), (Some("fox-001"), 2));
    let text = std::str::from_utf8(&answer.body).unwrap();
    assert!(!text.contains("curiosity") && !text.contains("patience"), "{text}");
    let answer = documents.search(asked_by(None)).await.unwrap();
    assert!(!std::str::from_utf8(&answer.body).unwrap().contains("\"agent\""));
}

#[test]
fn the_order_in_which_traits_are_given_does_not_matter_but_which_has_which_value_does() {
    let digest = |traits: &[(&str, f32)]| {
        let traits = traits.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        asked_by(Some(Persona::new("a", traits))).digest()
    };
    let expected = digest(&[("courage", 0.1), ("empathy", 0.9)]);
    assert_eq!(digest(&[("empathy", 0.9), ("courage", 0.1)]), expected);
    for other in [&[("courage", 0.9), ("empathy", 0.1)][..], &[("courage", 0.1)], &[("courageempathy", 0.1)], &[]] {
        assert_ne!(digest(other), expected, "{other:?}");
    }
}

#[test]
fn how_a_query_shall_be_understood_is_part_of_the_question() {
    let wish = |least_confidence, otherwise: Option<&str>| Understand {
        least_confidence,
        otherwise: otherwise.map(str::to_owned),
    };
    let digest = |understand| SearchRequest { understand, ..asked_by(None) }.digest();
    let different = [None, Some(wish(0.0, None)), Some(wish(0.5, None)), Some(wish(0.5, Some("smart")))].map(digest);
    for (at, one) in different.iter().enumerate() {
        assert!(!different[..at].contains(one), "{at}");
    }
}

#[test]
fn traits_are_constant_columns_and_nan_where_there_are_none() {
    let folder = TempDir::new().unwrap();
    let snapshot = index(&folder).snapshot();
    let chunks = snapshot.chunks(&[ChunkId::new(1, 0), ChunkId::new(2, 0)]).unwrap();
    let candidates = chunks.into_iter().zip([3.0, 2.0]).map(|(chunk, score)| {
        let chunk = chunk.unwrap();
        Candidate { chunk, line: 1, score, legs: Legs::default() }
    });
    let window = Window { candidates: candidates.collect(), runs: vec![], truncated: false };
    let features = ["agent:curiosity", "score", "agent:unheard-of"].map(str::to_owned).to_vec();
    let inputs = Inputs { features, texts: vec![], embeddings: false };
    let columns = |persona: Option<Persona>| {
        let query = Query::new("drink", 10);
        let (persona, affinity) = (persona.as_ref(), &Affinity::default());
        let columns =
            window.columns(2, &snapshot, &inputs, &Asker { query: &query, persona, affinity }, UNIX_EPOCH).unwrap();
        assert_eq!(columns.count, 2);
        columns.features
    };
    // As bits, for NaN is not equal to itself.
    let bits = |row: &[f32]| row.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let nan = f32::NAN;
    assert_eq!(bits(&columns(persona("fox-001", 0.75))), bits(&[0.75, 3.0, nan, 0.75, 2.0, nan]));
    assert_eq!(bits(&columns(None)), bits(&[nan, 3.0, nan, nan, 2.0, nan]));
}
