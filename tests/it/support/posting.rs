//! Clients that post documents and remember what they were promised.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::client::Client;

/// A search shows a thousand results at most, so no folder has more documents.
const A_FOLDER: usize = 900;

/// Documents with numbers, each with a marker that no other has.
#[derive(Default)]
pub struct Poster {
    sent: AtomicUsize,
    acknowledged: Mutex<BTreeSet<String>>,
    refused: AtomicUsize,
    over: AtomicBool,
}

impl Poster {
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.lock().len()
    }

    /// Posts that were answered with 503.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    pub fn stop(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// Posts one document after the other until `stop`, or until the server is gone.
    pub async fn post(&self, client: Client) {
        while !self.over.load(Ordering::SeqCst) {
            let number = self.sent.fetch_add(1, Ordering::SeqCst);
            let path = format!("posted/{}/{number}.md", number / A_FOLDER);
            let documents = json!([{"path": path, "content": format!("postmarker_{number}_ was posted\n")}]);
            let Ok(reply) = client.send(client.posting("/api/documents", documents.to_string())).await else { return };
            if reply.status == 503 {
                reply.problem(503, "unavailable");
                assert!(reply.header("retry-after").parse::<u32>().is_ok());
                self.refused.fetch_add(1, Ordering::SeqCst);
                continue;
            }
            assert_eq!(reply.status, 200, "{}", reply.text());
            let outcome = &reply.json()["results"][0];
            assert!(outcome["state"] == "stored" || outcome["state"] == "pending", "{outcome}");
            self.acknowledged.lock().insert(path);
        }
    }

    /// What a host has of the posted documents: each once, and everything that was acknowledged.
    pub async fn check(&self, client: &Client) -> BTreeSet<String> {
        let (sent, mut found) = (self.sent.load(Ordering::SeqCst), BTreeSet::new());
        for folder in 0..=sent / A_FOLDER {
            let request = json!({"query": r"postmarker_\d+_", "pattern_type": "regex",
                "directories": [format!("posted/{folder}")]});
            for result in client.all_pages("syntax", request, 100).await {
                let path = result["file_path"].as_str().unwrap().to_owned();
                assert!(found.insert(path.clone()), "{path} is there twice");
            }
        }
        let lost: Vec<String> = self.acknowledged.lock().difference(&found).cloned().collect();
        assert!(lost.is_empty(), "acknowledged and not found: {lost:?}");
        assert!(found.len() <= sent);
        found
    }
}

/// Strategy and request of a few searches of every kind, none like another.
pub fn searches(number: usize) -> (&'static str, Value) {
    match number % 3 {
        0 => ("semantic", json!({"query": format!("what was posted as number {number}")})),
        1 => ("syntax", json!({"query": format!(r"postmarker_{number}\d*_"), "pattern_type": "regex"})),
        _ => ("hybrid", json!({"query": format!("filemarker_{number}_")})),
    }
}
