//! Suggestions over an index that changes, a history that grows, and a cache.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use parking_lot::Mutex;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::cache::Lifetimes;
use crate::index::{Change, DocumentVersion, Index};

/// A history that the test writes.
#[derive(Default)]
struct Written(Mutex<Vec<(String, f32)>>);

impl QueryLog for Written {
    fn asked(&self, text: &str, _: u32) {
        self.0.lock().push((text.to_owned(), 1.0));
    }

    fn again(&self, text: &str) {
        self.asked(text, 1);
    }

    fn frequent(&self, limit: usize) -> Vec<(String, f32)> {
        self.0.lock().iter().take(limit).cloned().collect()
    }

    fn version(&self) -> u64 {
        self.0.lock().len() as u64
    }
}

struct Fixture {
    index: Arc<Index>,
    log: Arc<Written>,
    suggest: Arc<Suggest>,
    closing: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let index = Arc::new(Index::open(folder.path()).unwrap());
    let log = Arc::<Written>::default();
    let options = SuggestOptions {
        max_terms: 1000,
        max_queries: 10,
        refresh: Duration::from_millis(1),
        refresh_history: Duration::from_millis(1),
    };
    let cache = Cache::new(1 << 20, Lifetimes::default());
    let suggest = Arc::new(Suggest::new(index.clone().into(), log.clone(), cache, options).unwrap());
    Fixture { index, log, suggest, closing: CancellationToken::new(), _folder: folder }
}

impl Fixture {
    fn write(&self, sequence: u64, path: &str, content: &str) {
        let (path, content) = (path.to_owned(), content.to_owned());
        let (root, document) = (1, sequence);
        let (language, title, modified) = (None, None, 0);
        let version = DocumentVersion { sequence, document, root, path, language, title, modified, content };
        self.index.apply(vec![Change::Upsert(Box::new(self.index.prepare(version)))]).unwrap();
        self.index.commit(sequence).unwrap();
    }

    async fn ask(&self, query: &str) -> Suggested {
        let request = SuggestRequest { query: query.into(), max_suggestions: 5, intelligent: false };
        self.suggest.suggest(request).await.unwrap()
    }

    /// Asks until the first suggestion is this one.
    async fn until(&self, query: &str, expected: &str) -> Suggested {
        let asking = async {
            loop {
                let answer = self.ask(query).await;
                if first(&answer) == expected {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // Only against hanging.
        let patience = Duration::from_secs(60);
        tokio::time::timeout(patience, asking).await.unwrap_or_else(|_| panic!("{query} never gave {expected}"))
    }
}

fn first(answer: &Suggested) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    body["suggestions"][0]["suggestion"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn dictionaries_follow_the_index_and_the_history() {
    let fixture = fixture();
    assert_eq!(first(&fixture.ask("quok").await), "");
    let renewing = tokio::spawn(fixture.suggest.clone().renew(fixture.closing.clone()));
    fixture.write(1, "a.rs", "fn quokka_count() {}\n");
    assert_eq!(fixture.until("quok", "quokka_count").await.generation, 1);
    let figures = fixture.suggest.figures();
    assert_eq!((figures.generation, figures.queries), (1, 0));
    assert!(figures.terms >= 2 && figures.bytes > 0, "{figures:?}");

    fixture.log.asked("quokkas of rottnest", 3);
    assert_eq!(fixture.until("quok", "quokkas of rottnest").await.generation, 1);
    fixture.write(2, "b.rs", "fn quokk() {}\nfn wombat() {}\n");
    assert_eq!(fixture.until("womb", "wombat").await.generation, 2);
    fixture.closing.cancel();
    renewing.await.unwrap();
}

#[tokio::test]
async fn answers_come_from_the_cache_as_long_as_the_terms_are_the_same() {
    let fixture = fixture();
    let terms = |texts: &[&str]| {
        let term = |text: &&str| Term { text: (*text).to_owned(), kind: Kind::Symbol, weight: 9 };
        Dictionary::build(texts.iter().map(term).collect()).unwrap()
    };
    fixture.suggest.publish(terms(&["alpha"]), 1);
    let before = fixture.ask("al").await;
    assert_eq!((first(&before).as_str(), before.cache), ("alpha", Source::Miss));
    assert_eq!(fixture.ask("al").await.cache, Source::Hit);
    // Another question is another answer.
    assert_eq!(fixture.ask("al ").await.cache, Source::Miss);
    let other = SuggestRequest { query: "al".into(), max_suggestions: 5, intelligent: true };
    assert_eq!(fixture.suggest.suggest(other).await.unwrap().cache, Source::Miss);
    // The index has changed, but no term has.
    fixture.suggest.publish(terms(&["alpha"]), 2);
    let same = fixture.ask("al").await;
    assert_eq!((same.cache, same.generation, same.etag), (Source::Hit, 2, before.etag.clone()));
    fixture.suggest.publish(terms(&["alpha", "album"]), 3);
    let after = fixture.ask("al").await;
    assert_eq!((first(&after).as_str(), after.cache), ("album", Source::Miss));
    assert_ne!(after.etag, before.etag);
}
