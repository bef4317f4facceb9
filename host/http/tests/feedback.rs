//! What was chosen, and forgetting it.

use super::*;

#[derive(Default)]
pub(crate) struct FakeUsage {
    pub(super) off: AtomicBool,
    pub(super) chosen: Mutex<Vec<(String, String)>>,
    pub(super) forgotten: Mutex<Vec<Option<String>>>,
}

impl Usage for FakeUsage {
    fn chosen(&self, query: &str, path: &str) -> BoxFuture<'_, Result<Option<()>, BackendError>> {
        let result = match path {
            "gone" => Err(BackendError::Invalid { field: "file_path".into(), message: "is not indexed".into() }),
            _ if self.off.load(Ordering::SeqCst) => Ok(None),
            _ => {
                self.chosen.lock().push((query.to_owned(), path.to_owned()));
                Ok(Some(()))
            }
        };
        async move { result }.boxed()
    }

    fn forget(&self, query: Option<String>) -> BoxFuture<'_, Result<u64, BackendError>> {
        self.forgotten.lock().push(query);
        async { Ok(3) }.boxed()
    }

    fn remembered(&self, limit: usize) -> Remembered {
        assert_eq!(limit, 100);
        let frequent = vec![FrequentQuery { query: "fox".into(), weight: 1.5 }];
        Remembered { enabled: true, half_life_days: 30.0, keep_days: 180, questions: 1, frequent }
    }
}

#[tokio::test]
async fn a_choice_is_counted_unless_the_server_remembers_nothing() {
    let server = server();
    let body = json!({"query": " parse config ", "file_path": "src/a.rs", "result_id": "0a"});
    let answer = server.post("/api/search/feedback", body.clone()).await.json();
    assert_eq!(answer, json!({"success": true, "recorded": true, "reason": null}));
    assert_eq!(*server.fake.usage.chosen.lock(), [("parse config".to_owned(), "src/a.rs".to_owned())]);

    server.fake.usage.off.store(true, Ordering::SeqCst);
    let answer = server.post("/api/search/feedback", body).await.json();
    assert_eq!((&answer["recorded"], &answer["success"]), (&json!(false), &json!(true)));
    assert!(answer["reason"].as_str().unwrap().contains("usage.enabled"), "{answer}");
}

#[tokio::test]
async fn what_is_wrong_with_feedback_is_named_all_at_once() {
    let server = server();
    for (body, fields) in [
        (json!({}), &["query", "file_path"][..]),
        (json!({"query": " ", "file_path": ""}), &["query", "file_path"]),
        (json!({"query": "x", "file_path": "a\u{0}b"}), &["file_path"]),
        (json!({"query": "x", "file_path": "a", "stars": 5}), &["stars"]),
        (json!({"query": "x", "file_path": "gone"}), &["file_path"]),
    ] {
        let reply = server.post("/api/search/feedback", body.clone()).await;
        let problem = reply.problem(422, "invalid-request");
        let named: Vec<&str> = problem.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(named, fields, "{body}");
    }
    assert!(server.fake.usage.chosen.lock().is_empty());
}

#[tokio::test]
async fn use_is_shown_and_forgotten() {
    let server = server();
    let shown = server.get("/api/search/usage").await.json();
    assert_eq!((&shown["frequent"][0]["query"], &shown["questions"]), (&json!("fox"), &json!(1)));
    for path in ["/api/search/usage", "/api/search/usage?query=parse%20config"] {
        let reply = server.call(Method::DELETE, path, &[], "").await;
        assert_eq!(reply.json(), json!({"success": true, "forgotten": 3}));
    }
    assert_eq!(*server.fake.usage.forgotten.lock(), [None, Some("parse config".to_owned())]);
    for (parameters, field) in [
        ("query=", "query"),
        ("query=a%00b", "query"),
        ("query=a&query=b", "query"),
        // Whoever slips must not forget everything.
        ("question=x", "question"),
    ] {
        let reply = server.call(Method::DELETE, &format!("/api/search/usage?{parameters}"), &[], "").await;
        assert_eq!(reply.violated(), [field], "{parameters}");
        assert!(reply.problem(422, "invalid-request").errors[0].remedy.is_some(), "{parameters}");
    }
    assert_eq!(server.fake.usage.forgotten.lock().len(), 2);
}
