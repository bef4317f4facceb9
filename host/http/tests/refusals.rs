//! What all refusals have: the field, what to do about it, and a page that says what their kind means.

use super::*;

#[tokio::test]
async fn a_refusal_names_the_field_and_says_what_to_do() {
    let server = server();
    for (path, body, field) in [
        ("search/hybrid", json!({}), "query"),
        ("search/hybrid", json!({"query": " "}), "query"),
        ("search/hybrid", json!({"query": "a\u{0}b"}), "query"),
        ("search/hybrid", json!({"query": "a", "ranker": ""}), "ranker"),
        ("search/hybrid", json!({"query": "a", "file_types": vec!["rs"; 33]}), "file_types"),
        ("search/hybrid", json!({"query": "a", "directories": vec!["a"; 65]}), "directories"),
        ("search/hybrid", json!({"query": "a", "facets": vec!["language"; 4]}), "facets"),
        ("search/hybrid", json!({"query": "a", "offset": 101}), "offset"),
        ("search/contextual", json!({"query": "a", "context": {"file": "a\u{0}"}}), "context.file"),
        ("search/index", json!({"project_root": "a\nb"}), "project_root"),
        ("documents", json!({}), "documents"),
        ("rag/query", json!({"q": "a", "strategy": "a b"}), "strategy"),
        ("rag/embed", json!({}), "texts"),
        ("rag/ingest", json!({}), "items"),
        ("keys", json!({"name": "a"}), "scopes"),
        ("keys", json!({"scopes": ["search"]}), "name"),
    ] {
        let reply = server.post(&format!("/api/{path}"), body).await;
        assert_eq!(reply.violated(), [field], "{path}");
        let problem = reply.problem(422, "invalid-request");
        assert!(problem.errors[0].remedy.is_some(), "{path}: {problem:?}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_with_where_to_look() {
    let server = server();
    for (method, path, code, detail) in [
        (Method::GET, "tasks/t2", "unknown-task", "there is no task `t2`; /api/tasks lists those that there are"),
        (Method::DELETE, "keys/x", "unknown-key", "there is no API key `x`; /api/keys lists those that there are"),
    ] {
        let reply = server.call(method, &format!("/api/{path}"), &[], "").await;
        assert_eq!(reply.problem(404, code).detail, detail);
    }
}

#[tokio::test]
async fn the_type_of_every_problem_leads_to_what_it_means() {
    let page = server().get("/problems").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    for code in Code::ALL {
        let document = Problem::new(*code, "a detail").document("an id");
        let (path, anchor) = document.kind.split_once('#').unwrap();
        assert_eq!((path, text.matches(&format!("id=\"{anchor}\"")).count()), ("/problems", 1), "{code:?}");
        assert!(text.contains(&format!("<td>{}</td><td>{}</td>", document.status, document.title)), "{code:?}");
    }
    assert!(!text.contains("<td></td>") && !text.contains('`'), "{text}");
}
