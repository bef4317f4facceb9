//! Suggestions: what reaches the one who suggests, and what clients see of the answer.

use super::*;
use crate::suggest::{SuggestError, SuggestFigures, SuggestRequest, Suggested, Suggester};

const BODY: &str = r#"{"success":true,"query":"a","suggestions":[],"error":null}"#;

#[derive(Default)]
struct Scripted {
    seen: Mutex<Vec<SuggestRequest>>,
}

impl Suggester for Scripted {
    fn suggest(&self, request: SuggestRequest) -> BoxFuture<'_, Result<Suggested, SuggestError>> {
        let fails = request.query == "fail";
        self.seen.lock().push(request);
        async move {
            if fails {
                return Err(SuggestError::Compute(SECRET.into()));
            }
            Ok(Suggested {
                body: Bytes::from_static(BODY.as_bytes()),
                etag: "0123".into(),
                cache: CacheStatus::Hit,
                took: Duration::from_micros(42),
                generation: 76,
            })
        }
        .boxed()
    }

    fn figures(&self) -> SuggestFigures {
        SuggestFigures::default()
    }
}

fn suggesting() -> (Server, Arc<Scripted>) {
    let (server, suggester) = (server(), Arc::<Scripted>::default());
    *server.fake.suggester.lock() = Some(suggester.clone());
    (server, suggester)
}

#[tokio::test]
async fn a_query_reaches_the_suggester_as_it_was_typed() {
    let (server, suggester) = suggesting();
    for (path, query, max_suggestions, intelligent) in [
        ("/api/search/suggestions?query=%20read%20", "read ", 10, false),
        ("/api/search/suggestions?query=Gr%C3%B6%C3%9Fe&max_suggestions=50", "Größe", 50, false),
        ("/api/search/suggestions", "", 10, false),
        ("/api/search/suggestions/intelligent?query=a+b&max_suggestions=1", "a b", 1, true),
    ] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
        let expected = SuggestRequest { query: query.into(), max_suggestions, intelligent };
        assert_eq!(suggester.seen.lock().pop().unwrap(), expected, "{path}");
    }
}

#[tokio::test]
async fn the_body_goes_out_as_it_is_with_what_differs_in_headers() {
    let (server, _) = suggesting();
    let reply = server.get("/api/search/suggestions?query=a").await;
    assert_eq!((reply.status.as_u16(), &reply.body[..]), (200, BODY.as_bytes()));
    for (name, expected) in [
        ("content-type", "application/json"),
        ("etag", "\"0123\""),
        ("cache-status", "corsac; hit"),
        ("cache-control", "private, no-cache"),
        // The dictionary's generation, not the index's.
        ("corsac-freshness", "generation=76, latest=79, checked=6, stale"),
    ] {
        assert_eq!(reply.header(name), expected, "{name}");
    }
    assert!(reply.header("server-timing").starts_with("cache;dur=0.042, total;dur="));
    assert_eq!(server.post("/api/search/suggestions", json!({"query": "a"})).await.status, 405);
}

#[tokio::test]
async fn who_has_the_answer_is_told_so() {
    let (server, _) = suggesting();
    let ask = async |known: &str| {
        server.call(Method::GET, "/api/search/suggestions?query=a", &[("if-none-match", known)], "").await
    };
    for known in ["\"0123\"", "W/\"0123\"", "\"x\", \"0123\"", "*"] {
        let reply = ask(known).await;
        assert_eq!((reply.status.as_u16(), reply.body.len(), reply.header("etag")), (304, 0, "\"0123\""), "{known}");
    }
    assert_eq!(ask("\"012\"").await.status, 200);
}

#[tokio::test]
async fn bad_parameters_are_named_all_at_once() {
    let (server, suggester) = suggesting();
    let long = format!("/api/search/suggestions?query={}&max_suggestions=51&limit=3", "x".repeat(1025));
    assert_eq!(server.get(&long).await.violated(), ["limit", "query", "max_suggestions"]);
    for (parameters, field) in [
        ("max_suggestions=0", "max_suggestions"),
        ("max_suggestions=many", "max_suggestions"),
        ("query=a%00b", "query"),
        ("query=a&query=b", "query"),
    ] {
        for path in ["suggestions", "suggestions/intelligent"] {
            let reply = server.get(&format!("/api/search/{path}?{parameters}")).await;
            assert_eq!(reply.violated(), [field], "{path} {parameters}");
        }
    }
    assert!(suggester.seen.lock().is_empty());
}

#[tokio::test]
async fn failures_are_problems_and_none_suggest_where_it_is_off() {
    let (server, _) = suggesting();
    server.get("/api/search/suggestions?query=fail").await.problem(500, "internal");
    *server.fake.suggester.lock() = None;
    for path in ["/api/search/suggestions?query=a", "/api/search/suggestions/intelligent?query=a"] {
        let problem = server.get(path).await.problem(404, "not-found");
        assert!(problem.detail.contains("suggest.enabled"), "{}", problem.detail);
    }
}
