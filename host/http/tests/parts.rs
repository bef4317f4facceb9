//! Searches whose answers come in parts: events, lines, and which of them a client gets.

use std::sync::atomic::AtomicUsize;

use futures::stream;

use super::*;
use crate::query::{Analysis, Intent, Scope};
use crate::service::analysis::{QueryAnalysis, QueryForm};
use crate::service::answer::{ResultMetadata, SearchResult};
use crate::service::export::Export;
use crate::service::stream::{Matches, Progress, SearchEvent, StageState, Streams};

/// Answers by the query's text.
#[derive(Default)]
pub(in crate::http) struct FakeStreams {
    seen: Mutex<Vec<SearchRequest>>,
    /// Streams that were let go of before their end.
    pub(super) dropped: Arc<AtomicUsize>,
    /// Pages of exports that were made.
    made: Arc<AtomicUsize>,
}

/// Counts when it is dropped.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn answer() -> Answer {
    Answer {
        body: Bytes::from_static(BODY.as_bytes()),
        etag: "0123456789abcdef".into(),
        cache: CacheStatus::Miss,
        timings: vec![("strategy", Duration::from_micros(1500)), ("rank", Duration::from_micros(42))],
    }
}

fn progress(stage: &'static str, state: StageState) -> SearchEvent {
    let (milliseconds, count) = (None, Some(7));
    SearchEvent::Progress(Progress { stage, state, leg: None, milliseconds, count, error: None })
}

fn result(number: usize) -> SearchResult {
    SearchResult {
        id: format!("id {number}"),
        file_path: format!("notes/{number}.md"),
        line_number: 1,
        end_line: 2,
        content: "two\nlines".into(),
        content_truncated: false,
        score: 0.5,
        match_type: "semantic".into(),
        context: None,
        snippet: None,
        highlights: vec![],
        metadata: ResultMetadata { language: None, title: None, symbols: vec![], chunk_start: 1, modified: 0 },
        explain: None,
    }
}

fn analysis() -> QueryAnalysis {
    let analysis = Analysis {
        normalised: "dates".into(),
        intent: Intent { name: "general_search".into(), confidence: 0.5 },
        entities: vec![],
        expansions: vec![],
        rewritten: Some("dates".into()),
        filters: Scope::default(),
        likely_folders: vec![],
        suggested_strategy: None,
        confidence: 0.75,
    };
    QueryAnalysis::new(analysis, QueryForm::Rewritten, "it finds more".into())
}

fn matches() -> SearchEvent {
    let (leg, milliseconds, truncated) = ("text", 1.5, false);
    SearchEvent::Matches(Box::new(Matches { leg, milliseconds, total_results: 9, truncated, results: vec![result(1)] }))
}

impl Streams for FakeStreams {
    fn follow(&self, request: SearchRequest) -> BoxFuture<'_, Result<BoxStream<'static, SearchEvent>, SearchError>> {
        let text = request.query.text.clone();
        self.seen.lock().push(request);
        let begun = stream::iter([progress("strategy", StageState::Began), matches()]);
        let events = match text.as_str() {
            "fail ranker" => return async { Err(failure("fail ranker").unwrap()) }.boxed(),
            "endless" => {
                let dropped = Dropped(self.dropped.clone());
                let never = async move {
                    let _dropped = dropped;
                    std::future::pending::<SearchEvent>().await
                };
                begun.chain(stream::once(never)).boxed()
            }
            "broken" => begun.boxed(),
            text => match failure(text) {
                Some(error) => begun.chain(stream::iter([SearchEvent::Failed(error)])).boxed(),
                None => {
                    let end = [SearchEvent::Final(answer()), SearchEvent::Done(answer(), Duration::from_millis(20))];
                    begun.chain(stream::iter(end)).boxed()
                }
            },
        };
        async { Ok(events) }.boxed()
    }

    /// Pages of a hundred, as many as the query says, up to a failure if it says so.
    fn export(&self, request: SearchRequest) -> BoxFuture<'_, Result<Export, SearchError>> {
        let text = request.query.text.clone();
        let window = request.query.limit;
        self.seen.lock().push(request);
        if text == "fail ranker" {
            return async { Err(failure("fail ranker").unwrap()) }.boxed();
        }
        let count: usize = text.split(' ').next_back().and_then(|count| count.parse().ok()).unwrap_or(1);
        let broken = failure("fail index").filter(|_| text.starts_with("break"));
        let made = self.made.clone();
        let page = move |page: usize| {
            made.fetch_add(1, Ordering::SeqCst);
            Ok((0..100).map(|number| result(page * 100 + number)).collect())
        };
        let pages = stream::iter(0..count).map(page).chain(stream::iter(broken.map(Err))).boxed();
        let (total_results, timings) = (count as u32 * 100, answer().timings);
        let degraded_reasons = if text.starts_with("degraded") { vec!["semantic: away".into()] } else { vec![] };
        let analysis = text.starts_with("understood").then(analysis);
        let export = Export { total_results, window, truncated: true, degraded_reasons, analysis, timings, pages };
        async { Ok(export) }.boxed()
    }
}

const EVENTS: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";

async fn ask(server: &Server, accept: &str, body: Value) -> Reply {
    let headers = [("content-type", "application/json"), ("accept", accept), ("x-request-id", "asked-1")];
    server.call(Method::POST, "/api/search/hybrid", &headers, body.to_string()).await
}

/// Name and data of each event; comments and other fields are left out.
fn events(body: &Bytes) -> Vec<(String, Value)> {
    let text = std::str::from_utf8(body).unwrap();
    let event = |block: &str| {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        (field("event: ").unwrap(), serde_json::from_str(&field("data: ").unwrap()).unwrap())
    };
    text.split_terminator("\n\n").map(event).collect()
}

fn lines(body: &Bytes) -> Vec<Value> {
    let text = std::str::from_utf8(body).unwrap();
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_search_is_told_from_the_first_step_to_done() {
    let server = server();
    let reply = ask(&server, EVENTS, json!({"query": "a"})).await;
    assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, EVENTS));
    assert_eq!(reply.header("corsac-freshness"), "generation=77, latest=79, checked=6, stale");
    assert_eq!(reply.header("x-accel-buffering"), "no");
    let events = events(&reply.body);
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["progress", "matches", "final", "done"]);
    assert_eq!(events[0].1, json!({"stage": "strategy", "state": "began", "count": 7}));
    assert_eq!((&events[1].1["leg"], &events[1].1["total_results"]), (&json!("text"), &json!(9)));
    assert_eq!(events[1].1["results"][0]["content"], "two\nlines");
    let done = json!({"cache": "corsac; fwd=miss; stored", "etag": "0123456789abcdef", "milliseconds": 20.0,
        "stages": [{"stage": "strategy", "milliseconds": 1.5}, {"stage": "rank", "milliseconds": 0.042}]});
    assert_eq!(events[3].1, done);
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    // The bytes of the answer as they are; when to ask again is said once.
    assert!(text.contains(&format!("event: final\ndata: {BODY}\n\n")), "{text}");
    assert_eq!((text.matches("retry: 1000").count(), text.matches("id: ").count()), (1, 0));
    let metrics = String::from_utf8(server.get("/metrics").await.body.to_vec()).unwrap();
    assert!(metrics.lines().any(|line| line.starts_with("corsac_search") && line.contains("hybrid")), "{metrics}");
}

#[tokio::test]
async fn what_goes_wrong_before_the_first_event_has_a_status_and_later_an_event() {
    let server = server();
    ask(&server, EVENTS, json!({"query": "fail ranker"})).await.problem(422, "unknown-ranker");
    assert_eq!(ask(&server, EVENTS, json!({"query": ""})).await.violated(), ["query"]);
    for (query, code, status) in [("fail time", "timed-out", 504), ("fail plugin", "plugin-failed", 502)] {
        let reply = ask(&server, EVENTS, json!({"query": query})).await;
        let events = events(&reply.body);
        let (name, problem) = events.last().unwrap();
        assert_eq!((reply.status, name.as_str(), events.len()), (StatusCode::OK, "error", 3));
        assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(status)));
        assert_eq!((&problem["request_id"], reply.header("x-request-id")), (&json!("asked-1"), "asked-1"));
        assert!(!problem.to_string().contains("secret"), "{problem}");
    }
    // Whatever happens behind, there is an end.
    let reply = ask(&server, EVENTS, json!({"query": "broken"})).await;
    let (name, problem) = events(&reply.body).pop().unwrap();
    assert_eq!((name.as_str(), &problem["code"]), ("error", &json!("internal")));
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_work() {
    let server = server();
    let request = Request::post("/api/search/hybrid").header("content-type", "application/json");
    let request = request.header("accept", EVENTS).body(Body::from(r#"{"query":"endless"}"#)).unwrap();
    let response = server.router.clone().oneshot(request).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    let first = body.next().await.unwrap().unwrap();
    assert!(first.starts_with(b"event: progress\n"), "{first:?}");
    assert_eq!(server.fake.streams.dropped.load(Ordering::SeqCst), 0);
    drop(body);
    assert_eq!(server.fake.streams.dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_export_is_one_result_a_line_and_a_last_line() {
    let server = server();
    let reply = ask(&server, LINES, json!({"query": "pages 3"})).await;
    assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, LINES));
    assert_eq!(reply.header("cache-status"), "corsac; fwd=bypass");
    let lines = lines(&reply.body);
    assert_eq!(lines.len(), 301);
    let ids: Vec<&str> = lines[..300].iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!(ids, (0..300).map(|number| format!("id {number}")).collect::<Vec<_>>());
    assert_eq!(lines[0], serde_json::to_value(result(0)).unwrap());
    let end = json!({"done": true, "total_results": 300, "truncated": true, "window": 10_000,
        "degraded": false, "degraded_reasons": []});
    assert_eq!(lines[300], end);

    let reply = ask(&server, LINES, json!({"query": "degraded 0"})).await;
    let [end] = &super::parts::lines(&reply.body)[..] else { panic!("{reply:?}", reply = reply.body) };
    assert_eq!((&end["degraded"], &end["degraded_reasons"]), (&json!(true), &json!(["semantic: away"])));

    let reply = ask(&server, LINES, json!({"query": "understood 0"})).await;
    let [end] = &super::parts::lines(&reply.body)[..] else { panic!("{reply:?}", reply = reply.body) };
    let analysis = json!({"intent": {"name": "general_search", "confidence": 0.5}, "entities": [], "expansions": [],
        "rewritten_query": "dates", "filters": {"file_types": [], "directories": []}, "confidence": 0.75,
        "used": "rewritten", "why": "it finds more"});
    assert_eq!(end["analysis"], analysis);
}

#[tokio::test]
async fn an_export_that_breaks_says_so_in_its_last_line() {
    let server = server();
    ask(&server, LINES, json!({"query": "fail ranker"})).await.problem(422, "unknown-ranker");
    let reply = ask(&server, LINES, json!({"query": "break 1"})).await;
    let lines = lines(&reply.body);
    assert_eq!(lines.len(), 101);
    let problem = &lines[100]["error"];
    assert_eq!((&problem["code"], &problem["request_id"]), (&json!("internal"), &json!("asked-1")));
    assert!(!problem.to_string().contains("secret"), "{problem}");
}

#[tokio::test]
async fn a_page_is_made_when_the_one_before_was_taken() {
    let server = server();
    let request = Request::post("/api/search/hybrid").header("content-type", "application/json");
    let request = request.header("accept", LINES).body(Body::from(r#"{"query":"pages 50"}"#)).unwrap();
    let response = server.router.clone().oneshot(request).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    for taken in 1..=5 {
        assert!(body.next().await.unwrap().is_ok());
        assert_eq!(server.fake.streams.made.load(Ordering::SeqCst), taken);
    }
}

#[tokio::test]
async fn the_bounds_of_an_export_are_its_own() {
    let server = server();
    let seen = async |body: Value| {
        assert_eq!(ask(&server, LINES, body.clone()).await.status, 200, "{body}");
        let seen = server.fake.streams.seen.lock().last().unwrap().clone();
        (seen.query.limit, seen.offset, seen.max_results)
    };
    assert_eq!(seen(json!({"query": "a"})).await, (10_000, 0, 10_000));
    assert_eq!(seen(json!({"query": "a", "window": 500})).await, (500, 0, 500));
    assert_eq!(seen(json!({"query": "a", "offset": 9999, "max_results": 7})).await, (10_000, 9999, 7));
    let wrong = json!({"query": "a", "window": 10_001, "max_results": 0, "offset": 10_001});
    assert_eq!(ask(&server, LINES, wrong).await.violated(), ["window", "max_results", "offset"]);
    // A stream of events has the bounds of an answer.
    assert_eq!(ask(&server, EVENTS, json!({"query": "a", "window": 1001})).await.violated(), ["window"]);
}

#[tokio::test]
async fn each_form_is_for_those_who_accept_it() {
    let server = server();
    for (accept, expected) in [
        ("*/*", "application/json"),
        ("application/json, text/event-stream", "application/json"),
        ("application/json;q=0.1, text/event-stream;q=0.2", EVENTS),
        ("text/html, application/x-ndjson", LINES),
    ] {
        assert_eq!(ask(&server, accept, json!({"query": "a"})).await.header("content-type"), expected, "{accept}");
    }
    for accept in ["text/html", "application/json;q=0", "image/*, text/plain"] {
        let problem = ask(&server, accept, json!({"query": "a"})).await.problem(406, "not-acceptable");
        assert!(problem.detail.contains(LINES), "{problem:?}");
    }
}
