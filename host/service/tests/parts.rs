//! One window for all pages of a question, and answers that come in parts.

use std::collections::BTreeSet;

use futures::{FutureExt, StreamExt};

use super::*;
use crate::query::Probe;
use crate::runtime::Ranking;
use crate::service::answer::SearchResult;
use crate::service::facets::Facet;
use crate::service::plan::with_rest;
use crate::service::stream::{SearchEvent, StageState};

/// So many notes, each of one chunk with the words `warm drink`, the more often the lower its number.
fn notes(folder: &TempDir, count: u64) -> Arc<Index> {
    let index = Index::open(folder.path()).unwrap();
    let note = |number: u64| DocumentVersion {
        sequence: number,
        document: number,
        root: 0,
        path: format!("notes/{number}.md"),
        language: Some("markdown".into()),
        title: None,
        modified: 0,
        content: format!("A warm drink, number {number}.{}", " Warm drink.".repeat((count - number) as usize % 7)),
    };
    let upsert = |number| Change::Upsert(Box::new(index.prepare(note(number))));
    index.apply((1..=count).map(upsert).collect()).unwrap();
    index.commit(count).unwrap();
    Arc::new(index)
}

async fn service(index: Arc<Index>, cache: Cache, limits: ServiceLimits) -> Service {
    let options = RuntimeOptions { embedded: standard_plugins(), ..RuntimeOptions::default() };
    Service::new(Runtime::start(options).await.unwrap(), index, cache, limits)
}

fn limits(concurrent_searches: usize) -> ServiceLimits {
    // Nothing here depends on how long something takes.
    ServiceLimits { concurrent_searches, timeout: Duration::from_secs(3600) }
}

fn cache() -> Cache {
    Cache::new(16 << 20, Lifetimes::default())
}

fn page(strategy: &str, window: u32, offset: u32, max_results: u32) -> SearchRequest {
    let (strategy, query) = (strategy.to_owned(), Query::new("warm drink", window));
    SearchRequest { strategy, query, offset, max_results, ..asked_by(None) }
}

fn response(answer: &Answer) -> SearchResponse {
    serde_json::from_slice(&answer.body).unwrap()
}

fn stages(answer: &Answer) -> Vec<&'static str> {
    answer.timings.iter().map(|(stage, _)| *stage).collect()
}

fn ids(results: &[SearchResult]) -> Vec<String> {
    results.iter().map(|result| result.id.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_page_is_cut_from_the_window_that_was_ranked() {
    let folder = TempDir::new().unwrap();
    let cache = cache();
    let service = service(notes(&folder, 130), cache.clone(), limits(2)).await;
    let whole = response(&service.search(page("hybrid", 100, 0, 100)).await.unwrap());
    assert_eq!((whole.total_results, whole.truncated, whole.window), (100, true, 100));
    let searched = ["admit", "strategy", "rank", "fetch"];
    let mut seen = Vec::new();
    for offset in (0..100).step_by(30) {
        let answer = service.search(page("hybrid", 100, offset, 30)).await.unwrap();
        assert_eq!((answer.cache, stages(&answer)), (CacheStatus::Miss, vec!["admit", "window", "fetch"]));
        let response = response(&answer);
        assert_eq!((response.total_results, response.truncated), (100, true));
        seen.extend(ids(&response.results));
    }
    assert_eq!(seen, ids(&whole.results));
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 100);
    // Context and facets are of the page, explanations are the ranker's.
    let facets = SearchRequest { context_lines: 1, facets: vec![Facet::Language], ..page("hybrid", 100, 0, 100) };
    let answer = service.search(facets).await.unwrap();
    assert_eq!(stages(&answer), ["admit", "window", "fetch"]);
    assert_eq!(response(&answer).facets.unwrap().language.unwrap()[0].count, 100);
    let explain = SearchRequest { explain: true, ..page("hybrid", 100, 30, 30) };
    assert_eq!(stages(&service.search(explain).await.unwrap()), searched);
    // Another window is another list, and after a clear nothing is left.
    assert_eq!(stages(&service.search(page("hybrid", 50, 30, 30)).await.unwrap()), searched);
    cache.clear(Some("syntax")).await;
    assert_eq!(stages(&service.search(page("hybrid", 100, 40, 30)).await.unwrap()), ["admit", "window", "fetch"]);
    cache.clear(None).await;
    assert_eq!(stages(&service.search(page("hybrid", 100, 30, 30)).await.unwrap()), searched);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_cache_every_page_is_searched_for() {
    let folder = TempDir::new().unwrap();
    let service = service(notes(&folder, 30), Cache::new(0, Lifetimes::default()), limits(2)).await;
    for offset in [0, 10] {
        let answer = service.search(page("syntax", 100, offset, 10)).await.unwrap();
        assert_eq!(stages(&answer), ["admit", "strategy", "rank", "fetch"]);
    }
}

#[test]
fn what_the_ranker_was_not_shown_follows_in_the_strategy_s_order() {
    let ranked = |explanations: Vec<String>| Ranking { scores: vec![0.5, 2.0, -1.0], explanations };
    let Ranking { scores, explanations } = with_rest(ranked(vec![]), 5);
    assert_eq!((&scores[..], explanations.len()), (&[0.5, 2.0, -1.0, -1.0, -1.0][..], 0));
    assert_eq!(page::order(&scores), [1, 0, 2, 3, 4]);
    let explained = with_rest(ranked(vec!["a".into(), "b".into(), "c".into()]), 4);
    assert_eq!(explained.explanations, ["a", "b", "c", "beyond the 1000 that are ranked"]);
    assert_eq!(with_rest(ranked(vec![]), 3).scores, [0.5, 2.0, -1.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_is_followed_ends_in_the_answer_that_others_get() {
    let folder = TempDir::new().unwrap();
    let service = service(notes(&folder, 30), cache(), limits(2)).await;
    let events: Vec<SearchEvent> = service.follow(page("hybrid", 100, 0, 20)).await.unwrap().collect().await;

    let (mut told, mut legs, mut ends) = (Vec::new(), BTreeSet::new(), Vec::new());
    for (at, event) in events.iter().enumerate() {
        match event {
            SearchEvent::Progress(progress) => told.push((progress.stage, progress.state)),
            SearchEvent::Matches(matches) => {
                assert_eq!((matches.results.len(), matches.total_results), (10, 30), "{}", matches.leg);
                assert!(matches.results.is_sorted_by(|one, next| one.score >= next.score), "{}", matches.leg);
                legs.insert(matches.leg);
            }
            SearchEvent::Final(answer) | SearchEvent::Done(answer, _) => ends.push((at, answer.clone())),
            SearchEvent::Failed(error) => panic!("{error}"),
        }
    }
    assert_eq!(legs, BTreeSet::from(["text", "vector"]));
    let stages = ["admit", "strategy", "rank", "fetch"];
    let (began, ended) = (StageState::Began, StageState::Ended);
    let of_stages: Vec<_> = told.iter().copied().filter(|(stage, _)| *stage != "probe").collect();
    assert_eq!(of_stages, stages.map(|stage| [(stage, began), (stage, ended)]).concat());
    assert_eq!(told.iter().filter(|told| **told == ("probe", ended)).count(), 2);
    // Nothing comes after the end.
    let [(first, answer), (second, _)] = &ends[..] else { panic!("{} ends", ends.len()) };
    assert_eq!((first + 2, second + 1), (events.len(), events.len()));

    assert_eq!(answer.cache, CacheStatus::Miss);
    let plain = service.search(page("hybrid", 100, 0, 20)).await.unwrap();
    assert_eq!((plain.cache, &plain.body, &plain.etag), (CacheStatus::Hit, &answer.body, &answer.etag));
    assert_eq!(response(&plain).results.len(), 20);
    // What is kept is the end at once, the window of a moment ago needs no probes.
    let again: Vec<SearchEvent> = service.follow(page("hybrid", 100, 0, 20)).await.unwrap().collect().await;
    let [SearchEvent::Final(last), SearchEvent::Done(..)] = &again[..] else { panic!("{again:?}") };
    assert_eq!((last.cache, &last.body), (CacheStatus::Hit, &plain.body));
    let next: Vec<SearchEvent> = service.follow(page("hybrid", 100, 20, 20)).await.unwrap().collect().await;
    assert!(!next.iter().any(|event| matches!(event, SearchEvent::Matches(_))), "{next:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_looked_up_for_being_near_is_a_leg_of_its_own() {
    let folder = TempDir::new().unwrap();
    let service = service(notes(&folder, 30), cache(), limits(2)).await;
    let mut request = page("natural", 100, 0, 20);
    request.query.text = "how are drinks made warm".into();
    request.query.parameters = vec![("context_file".into(), "notes/7.md".into())];
    request.explain = true;
    let events: Vec<SearchEvent> = service.follow(request).await.unwrap().collect().await;
    let probes = events.iter().filter_map(|event| match event {
        SearchEvent::Progress(progress) => progress.leg.map(|leg| (leg, progress.count)),
        _ => None,
    });
    let probes: Vec<_> = probes.collect();
    let near: Vec<_> = probes.iter().filter(|(leg, _)| *leg == "context").collect();
    // The file, and its folder, in which all are.
    assert!(near.len() == 2 && near.contains(&&("context", Some(30))), "{probes:?}");
    let legs: BTreeSet<&str> = probes.iter().map(|(leg, _)| *leg).collect();
    assert_eq!(legs, BTreeSet::from(["context", "text", "vector"]));
    assert!(events.iter().any(|event| matches!(event, SearchEvent::Matches(matches) if matches.leg == "context")));
    let Some(SearchEvent::Done(answer, _)) = events.last() else { panic!("{events:?}") };
    let explained = response(answer).explain.unwrap().probes;
    assert_eq!(explained.iter().filter(|probe| probe.kind == "context").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_an_error_at_once_or_the_last_event() {
    let folder = TempDir::new().unwrap();
    let service = service(notes(&folder, 3), cache(), limits(2)).await;
    let unknown = service.follow(page("no-such", 100, 0, 20)).await.err();
    assert!(matches!(unknown, Some(SearchError::UnknownStrategy { .. })), "{unknown:?}");
    let mut request = page("syntax", 100, 0, 20);
    request.query.text = "(".into();
    request.query.parameters = vec![("pattern_type".into(), "regex".into())];
    let events: Vec<SearchEvent> = service.follow(request.clone()).await.unwrap().collect().await;
    assert!(matches!(events.last(), Some(SearchEvent::Failed(SearchError::BadQuery { .. }))), "{events:?}");
    assert!(matches!(service.export(request).await.err(), Some(SearchError::BadQuery { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_ends_with_the_stream_that_is_let_go_of() {
    let folder = TempDir::new().unwrap();
    // There is never a turn: only letting go can end it.
    let service = service(notes(&folder, 3), cache(), limits(0)).await;
    let mut following = service.follow(page("hybrid", 100, 0, 20)).await.unwrap();
    assert!(matches!(following.next().await, Some(SearchEvent::Progress(_))));
    assert_eq!(Arc::strong_count(&service.inner), 2);
    drop(following);
    let ended = async {
        while Arc::strong_count(&service.inner) > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap();
}

#[test]
fn a_probe_that_nobody_waits_for_is_not_begun() {
    let folder = TempDir::new().unwrap();
    let snapshot = notes(&folder, 3).snapshot();
    let deadline = crate::index::Deadline::from(Instant::now() + Duration::from_secs(3600));
    let (text, mode) = ("warm".to_owned(), crate::query::TermMatch::Any);
    let probe = crate::query::TextProbe { text, mode, fuzziness: 0, prefix: false, fields: vec![], limit: 10_000 };
    let probe = Probe::Text(probe);
    let scope = crate::query::Scope::default();
    assert_eq!(snapshot.probe(&probe, &scope, deadline.clone()).unwrap().len(), 3);
    deadline.abandon();
    assert_eq!(snapshot.probe(&probe, &scope, deadline), Err(crate::query::RetrievalError::TimedOut));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_the_whole_window_a_page_at_a_time() {
    let folder = TempDir::new().unwrap();
    let service = service(notes(&folder, 1250), cache(), limits(2)).await;
    for strategy in ["syntax", "hybrid", "semantic", "smart"] {
        let export = service.export(page(strategy, EXPORT_WINDOW, 0, EXPORT_WINDOW)).await.unwrap();
        assert_eq!((export.total_results, export.truncated, export.window), (1250, false, 10_000), "{strategy}");
        let pages: Vec<_> = export.pages.map(Result::unwrap).collect().await;
        let sizes: Vec<usize> = pages.iter().map(Vec::len).collect();
        assert_eq!(sizes, [vec![100; 12], vec![50]].concat(), "{strategy}");
        let all: Vec<SearchResult> = pages.into_iter().flatten().collect();
        assert_eq!(ids(&all).iter().collect::<BTreeSet<_>>().len(), 1250, "{strategy}");
        assert!(all.is_sorted_by(|one, next| one.score >= next.score), "{strategy}");
    }
    // With the window of an answer it is the answer's results.
    let export = service.export(page("hybrid", 100, 20, 30)).await.unwrap();
    assert_eq!((export.total_results, export.truncated), (100, true));
    let all: Vec<SearchResult> = export.pages.map(Result::unwrap).concat().await;
    let plain = service.search(page("hybrid", 100, 20, 30)).await.unwrap();
    assert_eq!(all, response(&plain).results);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_without_a_turn_in_time_is_told_to_come_again() {
    let folder = TempDir::new().unwrap();
    let limits = ServiceLimits { timeout: Duration::from_millis(20), ..limits(2) };
    let service = service(notes(&folder, 10), cache(), limits).await;
    let _all = service.inner.exports.clone().acquire_many_owned(export::AT_ONCE as u32).await.unwrap();
    let refused = service.export(page("syntax", 1000, 0, 1000)).await;
    assert!(matches!(refused.err(), Some(SearchError::Overloaded)));
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_have_turns_of_their_own_and_give_them_back() {
    let folder = TempDir::new().unwrap();
    // More than is made ahead for a client that does not read.
    let service = service(notes(&folder, 350), cache(), limits(2)).await;
    let ask = async || service.export(page("syntax", 1000, 0, 1000)).await;
    let mut open = Vec::new();
    for _ in 0..export::AT_ONCE {
        open.push(ask().await.unwrap());
    }
    let mut next = Box::pin(ask());
    assert!(next.as_mut().now_or_never().is_none());
    // Answers have theirs.
    assert!(service.search(page("syntax", 100, 0, 10)).await.is_ok());
    drop(open.pop());
    let mut last = next.await.unwrap();
    // Read to its end, it is over, too.
    while let Some(page) = last.pages.next().await {
        page.unwrap();
    }
    drop(open);
}
