//! The strategy without a host: an engine that says what it is told to, and an index of a few chunks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::RefCell;

use strategy_kit::testing::{hits, query};
use strategy_kit::{TermMatch, TextField};

use super::*;

fn settings(key: &str) -> Option<String> {
    match key {
        "url" => Some("http://search.internal:9200/".into()),
        "index" => Some("documents".into()),
        "authorization" => Some("Basic abc".into()),
        "fields" => Some("title^2, body".into()),
        _ => None,
    }
}

const ANSWER: &str = r#"{ "timed_out": false, "_shards": { "failed": 0 }, "hits": { "hits": [
    { "_score": 7.5, "_source": { "path": "src/b.rs", "line": 25 } },
    { "_score": 3.5, "_source": { "path": "src/a.rs" } },
    { "_score": 2.5, "_source": { "path": "gone.rs", "line": 1 } },
    { "_score": 1.5, "_source": { "path": "src/b.rs", "line": 3 } } ] } }"#;

/// `src/a.rs` is chunk 10; `src/b.rs` chunks 20 and 21 from lines 1 and 20; a longer path matches the phrase worse.
/// `src/c-d.rs` is chunks 30 and 31, and `src/c/d.rs`, which has the same words, is 40.
fn index(probes: &[Probe]) -> Vec<Result<Hits, RetrievalError>> {
    let found = |probe: &Probe| {
        let Probe::Text(probe) = probe else { return hits(&[99]) };
        if probe.fields.is_empty() {
            return hits(&[50]);
        }
        assert_eq!((&probe.fields[..], probe.mode), (&[(TextField::Path, 1.0)][..], TermMatch::Phrase));
        let (chunks, lines, scores) = match probe.text.as_str() {
            "src/a.rs" => (vec![10], vec![1], vec![4.0]),
            "src/b.rs" => (vec![21, 20, 77], vec![20, 1, 22], vec![4.0, 4.0, 3.0]),
            "src/c-d.rs" => (vec![30, 31, 40], vec![1, 9, 1], vec![4.0; 3]),
            _ => (vec![], vec![], vec![]),
        };
        Ok(Hits { chunks, lines, scores, truncated: false })
    };
    probes.iter().map(found).collect()
}

#[test]
fn the_engines_hits_keep_its_order_and_its_scores() {
    let asked = RefCell::new(None);
    let ask = |request: &Request| {
        asked.replace(Some(request.clone()));
        Ok((200, ANSWER.as_bytes().to_vec()))
    };
    let proposal = propose_with(&query("borrow"), settings, ask, index).unwrap();
    assert_eq!((proposal.chunks, proposal.lines), (vec![21, 10, 20], vec![25, 1, 3]));
    assert_eq!(proposal.scores, [7.5, 3.5, 1.5]);
    assert_eq!((proposal.degraded.len(), proposal.strategies), (0, vec!["opensearch".to_owned()]));
    assert_eq!(proposal.reason.unwrap(), "1 of the engine's 4 hits are not in this index");
    let request = asked.take().unwrap();
    assert_eq!(request.url, "http://search.internal:9200/documents/_search");
    assert_eq!(request.authorization.as_deref(), Some("Basic abc"));
    let expected = serde_json::json!({
        "query": { "multi_match": { "query": "borrow", "fields": ["title^2", "body"] } },
        "size": 10,
        "_source": ["path", "line"],
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&request.body).unwrap(), expected);
}

#[test]
fn a_path_that_fits_several_files_is_left_out_and_told() {
    let answer = ANSWER.replace("gone.rs", "src/c-d.rs");
    let proposal = propose_with(&query("borrow"), settings, |_| Ok((200, answer.clone().into_bytes())), index).unwrap();
    assert_eq!((proposal.chunks, proposal.degraded.len()), (vec![21, 10, 20], 0));
    let expected = "1 of the engine's 4 hits have a path whose words fit several files of this index";
    assert_eq!(proposal.reason.unwrap(), expected);
}

#[test]
fn an_engine_that_is_away_degrades_to_this_index() {
    for (answer, expected) in [
        (Err("search.internal:9200 cannot be reached".to_owned()), "opensearch: search.internal:9200 cannot"),
        (Ok((404, br#"{ "error": { "reason": "no such index [documents]" } }"#.to_vec())), "404: no such index"),
        (Ok((502, b"<html>".to_vec())), "no JSON"),
        (Ok((200, b"{}".to_vec())), "no hits.hits"),
        (Ok((200, br#"{ "hits": { "hits": [{ "_score": 1, "_source": {} }] } }"#.to_vec())), "`path-field`"),
    ] {
        let proposal = propose_with(&query("borrow"), settings, |_| answer.clone(), index).unwrap();
        assert_eq!(proposal.chunks.len(), 2, "vectors and words of this index");
        assert!(proposal.degraded.iter().any(|line| line.contains(expected)), "{:?}", proposal.degraded);
    }
}

#[test]
fn an_answer_of_a_part_of_the_engine_is_degraded() {
    let answer =
        ANSWER.replace("\"failed\": 0", "\"failed\": 2").replace("\"timed_out\": false", "\"timed_out\": true");
    let proposal = propose_with(&query("borrow"), settings, |_| Ok((200, answer.clone().into_bytes())), index).unwrap();
    assert_eq!(proposal.chunks.len(), 3);
    assert_eq!(proposal.degraded.len(), 2, "{:?}", proposal.degraded);
}

#[test]
fn no_hits_are_an_answer() {
    let nothing = br#"{ "hits": { "hits": [] } }"#.to_vec();
    let proposal =
        propose_with(&query("borrow"), settings, |_| Ok((200, nothing.clone())), |_| panic!("nothing to look up"))
            .unwrap();
    assert!(proposal.chunks.is_empty() && proposal.degraded.is_empty());
}

#[test]
fn a_setting_that_makes_no_sense_is_named() {
    for (key, value) in [("url", ""), ("url", "search.internal"), ("index", "a/b"), ("size", "0"), ("size", "many")] {
        let wrong = |name: &str| if name == key { Some(value.to_owned()) } else { settings(name) };
        let error = propose_with(&query("x"), wrong, |_| panic!("asked all the same"), index).unwrap_err();
        assert!(matches!(&error, PluginError::Internal(text) if text.contains(&format!("`{key}`"))), "{error:?}");
    }
}
